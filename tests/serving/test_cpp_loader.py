"""TensorFlow Serving's own loader, in C++, reads the shipped SavedModel: TensorFlow's wheel has it as a library."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.core.model_files import find_model
from p2p_keras.data.shards.schema import encode_image
from p2p_keras.data.shards.tfrecord import read_records

LIBRARY = Path(find_spec("tensorflow").origin).parent

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++"),
    pytest.mark.skipif(not (LIBRARY / "libtensorflow_cc.so.2").exists(), reason="this wheel has no C++ library"),
]


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    """The program, compiled in some ten seconds."""
    program = tmp_path_factory.mktemp("cpp") / "loader"
    source = Path(__file__).with_name("saved_model_loader.cc")
    # Without --no-as-needed the linker drops the library that registers sessions.
    libraries = ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2", f"-Wl,-rpath,{LIBRARY}"]
    command = ["g++", "-std=c++17", "-w", f"-I{LIBRARY / 'include'}", str(source), f"-L{LIBRARY}", "-Wl,--no-as-needed"]
    subprocess.run([*command, *libraries, "-o", str(program)], check=True)
    return program


def warm_up_image(folder: Path) -> np.ndarray:
    """The image of the first warm-up request, as TensorFlow Serving replays it; (height, width)."""
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    import tensorflow as tf

    for record in read_records(folder / "assets.extra" / "tf_serving_warmup_requests"):
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        if "image" in request.inputs:
            return tf.make_ndarray(request.inputs["image"])[0]
    raise AssertionError("no warm-up request of serving_default")


@pytest.mark.slow
def test_cpp_loader_gives_pythons_numbers(loader, shipped_server, tmp_path):
    """TensorFlow Serving couldn't load the model, or would answer something else than Python."""
    from p2p_keras.client import ProfileClient

    folder = find_model("isophote").path
    image = warm_up_image(folder).astype("float32")
    side = image.shape[0]
    image.tofile(tmp_path / "image.f32")
    (tmp_path / "example").write_bytes(encode_image(image, 22.5, 0.4))
    with ProfileClient(shipped_server.address, model="isophote", timeout=300) as client:
        expected = client.outputs(image[None], 22.5, 0.4)["mu"][0]
    command = [str(word) for word in (loader, folder, tmp_path / "image.f32", side, tmp_path / "example")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    both = np.array([float(line) for line in ended.stdout.split()]).reshape(2, -1)
    for signature, answers in zip(("serving_default", "serialized_example"), both, strict=True):
        np.testing.assert_allclose(answers, expected, atol=1e-5, rtol=1e-6, err_msg=signature)
