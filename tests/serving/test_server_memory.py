"""What stays in memory after requests that were answered."""

from __future__ import annotations

import gc
from pathlib import Path

import grpc
import pytest

pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")

from running_server import ServerInThread
from served_model import galaxy, predict_request
from tensorflow_serving.apis import prediction_service_pb2_grpc

from p2p_keras.client import ProfileClient


def resident_mib() -> float:
    """Resident memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_answered_requests_leave_no_image_behind(standin_models):
    """Under load a server would hold seconds' worth of images, until Python looks for reference cycles."""
    server = ServerInThread(standin_models, settle_s=0.0, poll_s=0.5, warm_up=False)
    image = galaxy(1024)[None]
    try:
        with ProfileClient(server.address, model="standin", timeout=120, attempts=200) as client:
            for _ in range(10):
                client.outputs(image, 22.5, 0.4)
            gc.collect()
            gc.disable()
            before = resident_mib()
            for _ in range(50):
                client.outputs(image, 22.5, 0.4)
            grown = resident_mib() - before
    finally:
        gc.enable()
        server.stop()
    # Each request is an image of 4 MiB.
    assert grown < 50, f"{grown:.0f} MiB more after 50 requests"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_refused_requests_leave_no_image_behind(standin_models):
    """A client that sends what is wrong, again and again, would fill the server with its images."""
    server = ServerInThread(standin_models, settle_s=0.0, poll_s=0.5, warm_up=False)
    request = predict_request(galaxy(1024)[None], model="standin")
    request.inputs["unknown"].CopyFrom(request.inputs["zero_point"])
    codes = set()
    try:
        with grpc.insecure_channel(server.address, options=[("grpc.max_send_message_length", 64 << 20)]) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)

            def send() -> None:
                try:
                    stub.Predict(request, timeout=60)
                except grpc.RpcError as error:
                    codes.add(error.code())

            while codes != {grpc.StatusCode.INVALID_ARGUMENT}:
                codes.clear()  # UNAVAILABLE, while the model loads
                send()
            for _ in range(10):
                send()
            gc.collect()
            gc.disable()
            before = resident_mib()
            for _ in range(50):
                send()
            grown = resident_mib() - before
    finally:
        gc.enable()
        server.stop()
    assert codes == {grpc.StatusCode.INVALID_ARGUMENT}
    assert grown < 50, f"{grown:.0f} MiB more after 50 requests"
