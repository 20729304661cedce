"""The string signature behind a third party's server of TensorFlow Serving's API: pythie-serving.

It needs an older numpy and protobuf, and so an environment of its own (Python 3.11, ``pip install pythie-serving
tensorflow==2.15.1``); it runs where ``P2P_PYTHIE`` names that environment's ``python``.
"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import grpc
import numpy as np
import pytest

pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")

PYTHIE = os.environ.get("P2P_PYTHIE")
MODELS = Path(__file__).resolve().parents[2] / "saved_models"

pytestmark = pytest.mark.skipif(not PYTHIE, reason="P2P_PYTHIE names no python of an environment with pythie-serving")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """HOST:PORT of the running server."""
    base = tmp_path_factory.mktemp("pythie")
    (base / "isophote").symlink_to(MODELS / "isophote")
    (base / "metadata.json").write_text("{}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = Path(__file__).with_name("pythie_server.py")
    process = subprocess.Popen([str(PYTHIE), str(script), str(base), "isophote", str(port)], stderr=subprocess.DEVNULL)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=120)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def test_profiles_are_those_of_the_saved_model(address):
    """A batch job on another make of server, with a TensorFlow six releases older, would measure other profiles."""
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    from p2p_keras.data.shards import encode_image
    from p2p_keras.network.export.warmup import galaxy_like_image

    examples = [encode_image(galaxy_like_image(side, side), 22.5, 0.4) for side in (96, 128, 200)]
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "isophote"
    request.inputs["examples"].CopyFrom(tf.make_tensor_proto(np.array(examples, object)[:, None]))
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout=120)
    version = max((MODELS / "isophote").glob("[0-9]*"), key=lambda path: int(path.name))
    model = tf.saved_model.load(str(version))
    expected = model.signatures["serialized_example"](examples=tf.constant(examples))
    valid = expected["valid"].numpy()
    assert valid.any(axis=1).all()
    got = tf.make_ndarray(response.outputs["predictions"])
    np.testing.assert_allclose(got[valid], expected["mu"].numpy()[valid], atol=1e-4)
