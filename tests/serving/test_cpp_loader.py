"""TensorFlow Serving's own loader, in C++, reads the shipped SavedModel: TensorFlow's wheel has it as a library."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.core.model_files import find_model
from p2p_keras.data.shards.schema import encode_image
from p2p_keras.data.shards.tfrecord import read_records

LIBRARY = Path(find_spec("tensorflow").origin).with_name("libtensorflow_cc.so.2")
LOADER = Path(__file__).with_name("saved_model_loader.py")

pytestmark = pytest.mark.skipif(not LIBRARY.exists(), reason="this wheel has no C++ library")


def warm_up_image(folder: Path) -> np.ndarray:
    """The image of the first warm-up request, as TensorFlow Serving replays it; (height, width)."""
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    import tensorflow as tf

    for record in read_records(folder / "assets.extra" / "tf_serving_warmup_requests"):
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        if "image" in request.inputs:
            return tf.make_ndarray(request.inputs["image"])[0]
    raise AssertionError("no warm-up request of serving_default")


def tensors_of(folder: Path) -> list[str]:
    """Names in the graph that the signatures give their inputs and mu, in the order in which the program wants them."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (graph,) = (graph for graph in saved.meta_graphs if "serve" in graph.meta_info_def.tags)
    names = []
    for signature, inputs in (
        ("serving_default", ("image", "zero_point", "pixel_scale")),
        ("serialized_example", ("examples",)),
    ):
        definition = graph.signature_def[signature]
        names += [definition.inputs[name].name for name in inputs] + [definition.outputs["mu"].name]
    return names


@pytest.mark.slow
def test_cpp_loader_gives_pythons_numbers(shipped_server, tmp_path):
    """TensorFlow Serving couldn't load the model, or would answer something else than Python."""
    from p2p_keras.client import ProfileClient

    folder = find_model("isophote").path
    image = warm_up_image(folder).astype("float32")
    side = image.shape[0]
    image.tofile(tmp_path / "image.f32")
    (tmp_path / "example").write_bytes(encode_image(image, 22.5, 0.4))
    with ProfileClient(shipped_server.address, model="isophote", timeout=300) as client:
        expected = client.outputs(image[None], 22.5, 0.4)["mu"][0]
    files = (LIBRARY, folder, tmp_path / "image.f32", side, tmp_path / "example")
    command = [sys.executable, "-I", str(LOADER), *map(str, files), *tensors_of(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    both = np.array([float(line) for line in ended.stdout.split()]).reshape(2, -1)
    for signature, found in zip(("serving_default", "serialized_example"), both, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-6, err_msg=signature)
