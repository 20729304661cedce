"""What clients, disks and operators do to a running server, and that it goes on: ``python -m p2p_keras.serve``.

One child process takes all of it, in the order of this file; the last test stops it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import threading
import time
import urllib.request

import grpc
import numpy as np
import pytest

pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")

import tensorflow as tf
from running_server import RunningServer
from served_model import galaxy, predict_request, write_model
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc, prediction_service_pb2_grpc

PREDICT = "/tensorflow.serving.PredictionService/Predict"
CODES = grpc.StatusCode
LARGE = [("grpc.max_send_message_length", 512 << 20), ("grpc.max_receive_message_length", 64 << 20)]
# Arenas and caches settle in the first requests; a leak of one image a fault would be far more than this.
GROWTH_MIB = 60


@pytest.fixture(scope="module")
def base(standin_models, tmp_path_factory):
    """A folder of models of our own, with one model in version 1."""
    copy = tmp_path_factory.mktemp("served") / "models"
    shutil.copytree(standin_models, copy)
    return copy


@pytest.fixture(scope="module")
def server(base):
    """The server's process."""
    options = ["--poll-seconds", "0.2", "--settle-seconds", "0.6", "--metrics-port", "0", "--receive-seconds", "5"]
    running = RunningServer(base, *options, "--max-calls", "24", "--drain-seconds", "60")
    running.wait_for("ready")
    # Twenty large requests at once: the most memory that the faults below may take, so that what grows is a leak.
    with grpc.insecure_channel(running.address, options=LARGE) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        large = predict_request(galaxy(1024)[None], model="standin")
        for call in [stub.Predict.future(large, timeout=240) for _ in range(20)]:
            call.result()
    yield running
    if running.process.poll() is None:
        running.process.kill()


@pytest.fixture(scope="module")
def channel(server):
    """A well-behaved client's channel."""
    with grpc.insecure_channel(server.address, options=LARGE) as channel:
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    """PredictionService."""
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def answer(stub, *, size=64, timeout=60.0) -> int:
    """The version that answers a good request."""
    response = stub.Predict(predict_request(galaxy(size)[None], model="standin"), timeout=timeout)
    assert np.isfinite(tf.make_ndarray(response.outputs["mu"])).all()
    return response.model_spec.version.value


@pytest.fixture(autouse=True)
def survives(request, server):
    """After each fault the server answers, at once and with no more memory than before."""
    if "sigterm" in request.node.name or "do_not_wait" in request.node.name:  # they look after themselves
        yield
        return
    stub = request.getfixturevalue("stub")
    for _ in range(10):
        answer(stub)
    before = server.memory_mib()
    yield
    answer(stub)
    assert server.process.poll() is None
    assert server.memory_mib() - before < GROWTH_MIB


def refused(call, request, **kwargs) -> tuple[grpc.StatusCode, str]:
    """Status and sentence of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=60, **kwargs)
    return caught.value.code(), caught.value.details()


def metric(server, name) -> float:
    """A gauge of the Prometheus page."""
    port = server.wait_for("listening")["metrics_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/monitoring/prometheus/metrics", timeout=30) as page:
        line = re.search(rf"^{name} (\S+)$", page.read().decode(), flags=re.MULTILINE)
    assert line, name
    return float(line.group(1))


GARBAGE = {
    "noise": np.random.default_rng(0).bytes(4096),
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00" * 50,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_on_the_socket(server, stub, kind):
    """A port scanner would stop the server, keep a client from its answer, or hold connections for ever."""
    version = answer(stub)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(GARBAGE[kind])
            # The server hangs up: what it still says ends, and recv doesn't run into its timeout.
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(4096):
                    pass
    assert answer(stub) == version


def test_garbage_as_a_message(channel):
    """A client of another protocol version would get an error that tells nothing."""
    for data in (b"\xff" * 1000, os.urandom(100_000), b"\x0a\xff\xff\xff\xff\x07"):
        code, details = refused(channel.unary_unary(PREDICT), data)
        assert code is CODES.INVALID_ARGUMENT
        assert "PredictRequest" in details


def spoilt(**changes):
    """A request whose image tensor claims something else than it carries."""
    request = predict_request(galaxy()[None], model="standin")
    image = request.inputs["image"]
    if "shape" in changes:
        del image.tensor_shape.dim[:]
        for n in changes["shape"]:
            image.tensor_shape.dim.add().size = n
    if "content" in changes:
        image.tensor_content = changes["content"]
    if "values" in changes:
        image.ClearField("tensor_content")
        image.float_val.extend(changes["values"])
    if "dtype" in changes:
        image.dtype = changes["dtype"]
    return request


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"shape": [1, 10_000, 10_000]}, CODES.RESOURCE_EXHAUSTED),
        ({"shape": [1, 10_000, 10_000], "values": [1.0]}, CODES.RESOURCE_EXHAUSTED),
        ({"shape": [1, 2**40, 2**40], "values": [1.0]}, CODES.RESOURCE_EXHAUSTED),
        ({"shape": [1, 64, -64]}, CODES.INVALID_ARGUMENT),
        ({"shape": [1, 64, 65]}, CODES.INVALID_ARGUMENT),
        ({"shape": [64, 64]}, CODES.INVALID_ARGUMENT),
        ({"shape": [2, 32, 64]}, CODES.INVALID_ARGUMENT),
        ({"content": b"short"}, CODES.INVALID_ARGUMENT),
        ({"values": [1.0, 2.0]}, CODES.INVALID_ARGUMENT),
        ({"dtype": 999}, CODES.INVALID_ARGUMENT),
        ({"dtype": 7}, CODES.INVALID_ARGUMENT),
    ],
)
def test_tensors_that_lie(stub, changes, code):
    """A few bytes could make the server fill its memory, or read beyond a message."""
    got, details = refused(stub.Predict, spoilt(**changes))
    assert got is code, details
    assert details


def test_too_large_a_message(channel):
    """A message beyond the limit would be read into memory."""
    code, _ = refused(channel.unary_unary(PREDICT), b"\0" * (70 << 20))
    assert code is CODES.RESOURCE_EXHAUSTED


def test_half_open_connections(server, stub):
    """A thousand clients that connect and say nothing, or half a greeting, would shut the others out."""
    connections = []
    try:
        for i in range(1000):
            connections.append(socket.create_connection(("127.0.0.1", server.port), timeout=10))
            if i % 2:
                connections[-1].sendall(b"PRI * HTTP/2.0\r\n")
        start = time.monotonic()
        assert answer(stub) == 1
        # A new client too gets through.
        with grpc.insecure_channel(server.address) as other:
            answer(prediction_service_pb2_grpc.PredictionServiceStub(other))
        assert time.monotonic() - start < 20
    finally:
        for connection in connections:
            connection.close()


def test_calls_without_a_message(server, channel, stub):
    """Clients that open calls and send nothing would hold all places for ever."""
    release = threading.Event()

    def nothing():
        release.wait(60)
        yield b""

    calls = [channel.stream_unary(PREDICT).future(nothing(), timeout=60) for _ in range(70)]
    try:
        deadline = time.monotonic() + 60
        codes = []
        while len(codes) < len(calls) and time.monotonic() < deadline:
            codes = [c.code() for c in calls if c.done()]
            time.sleep(0.1)
        # Beyond the 24 places: refused at once. In a place: refused when no message has come for 5 s.
        assert set(codes) == {CODES.RESOURCE_EXHAUSTED, CODES.DEADLINE_EXCEEDED}
        assert metric(server, "p2p_open_calls") == 0
    finally:
        release.set()
        for call in calls:
            call.cancel()


class CuttingProxy:
    """Forwards to the server, and cuts the line in the midst of a message."""

    def __init__(self, port: int, after: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.cut = threading.Event()
        threading.Thread(target=self._run, args=(port, after), daemon=True).start()

    def _run(self, port: int, after: int) -> None:
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
        back.start()
        self._copy(client, server, after)
        for end in (server, client):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.listener.close()
        self.cut.set()

    @staticmethod
    def _copy(source, sink, most=None) -> None:
        sent = 0
        try:
            while most is None or sent < most:
                data = source.recv(65536)
                if not data:
                    return
                sink.sendall(data)
                sent += len(data)
        except OSError:
            return


def test_clients_that_die_in_mid_request(server):
    """A client's crash would leave half an image in the server's memory."""
    request = predict_request(galaxy(1024)[None], model="standin")
    for _ in range(10):
        proxy = CuttingProxy(server.port, after=2_000_000)
        with grpc.insecure_channel(f"127.0.0.1:{proxy.port}", options=[*LARGE, ("grpc.enable_retries", 0)]) as channel:
            code, _ = refused(prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict, request)
        assert code is CODES.UNAVAILABLE
        assert proxy.cut.wait(10)


def test_clients_that_do_not_wait(server, stub):
    """Requests whose clients have gone would be computed all the same, delay the others, or leave memory behind."""
    request = predict_request(galaxy(1024)[None], model="standin")

    def wave() -> float:
        calls = [stub.Predict.future(request, timeout=60) for _ in range(20)]
        time.sleep(0.05)
        for call in calls:
            call.cancel()
        answer(stub)
        assert metric(server, "p2p_queue_length") == 0
        return server.memory_mib()

    # How many large images are in memory at once differs from wave to wave, and the allocator keeps the most that it
    # ever needed; a leak would add its 20 images of 4 MiB in every wave.
    highest = max(wave() for _ in range(3))
    last = [wave() for _ in range(3)]
    assert server.process.poll() is None
    assert min(last) - highest < GROWTH_MIB


def status_of(channel) -> dict[int, tuple[int, str]]:
    """State and error of each version."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "standin"
    got = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, timeout=30)
    return {v.version: (v.state, v.status.error_message) for v in got.model_version_status}


def test_a_half_copied_version(server, base, channel, stub, tmp_path):
    """A version that is still being copied would be served broken, or never."""
    whole = write_model(tmp_path, version=2)
    half = base / "standin" / "2"
    half.mkdir()
    (half / "variables").mkdir()
    shutil.copy2(whole / "saved_model.pb", half / "saved_model.pb")
    shutil.copy2(whole / "variables" / "variables.index", half / "variables" / "variables.index")
    weights = (whole / "variables" / "variables.data-00000-of-00001").read_bytes()
    (half / "variables" / "variables.data-00000-of-00001").write_bytes(weights[: len(weights) // 2])
    failed = server.wait_for("load failed", version=2)
    assert failed["cause"]
    assert answer(stub) == 1
    assert status_of(channel)[2][1]
    # The copy goes on to its end.
    (half / "variables" / "variables.data-00000-of-00001").write_bytes(weights)
    server.wait_for("serving", version=2)
    assert answer(stub) == 2


def test_the_old_version_is_let_go(server, channel, stub):
    """Each new version would stay in memory beside the last."""
    server.wait_for("unloaded", version=1)
    assert status_of(channel)[1][0] == 50
    request = predict_request(galaxy()[None], model="standin")
    request.model_spec.version.value = 1
    assert refused(stub.Predict, request)[0] is CODES.NOT_FOUND


def test_a_loaded_version_is_deleted(server, base, stub):
    """A version deleted by mistake would take the service down; by intent, it would never go away."""
    shutil.rmtree(base / "standin" / "2")
    server.wait_for("serving", version=1, after=len(server.events) - 1)
    assert answer(stub) == 1
    server.wait_for("unloaded", version=2)
    shutil.rmtree(base / "standin" / "1")
    server.wait_for("version deleted", version=1)
    assert answer(stub) == 1


def test_new_versions_under_load(server, base, stub, tmp_path):
    """Clients would see errors whenever a version is published."""
    codes: list = []
    stop = threading.Event()

    def client():
        while not stop.is_set():
            try:
                codes.append(answer(stub))
            except grpc.RpcError as error:
                codes.append(error.code())

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        (base / "standin").mkdir(exist_ok=True)
        os.rename(shutil.copytree(write_model(tmp_path, version=3), base / "standin" / ".3"), base / "standin" / "3")
        server.wait_for("serving", version=3)
        server.wait_for("unloaded", version=1, after=len(server.events) - 1)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(codes) == {1, 3}


def test_sigterm_under_load(server, channel, stub):
    """A deployment would lose the requests that are in the server."""
    request = predict_request(galaxy(1536)[None], model="standin")
    calls = [stub.Predict.future(request, timeout=120) for _ in range(8)]
    deadline = time.monotonic() + 60
    while metric(server, "p2p_open_calls") + sum(c.done() for c in calls) < len(calls):
        assert time.monotonic() < deadline
    server.terminate()
    server.wait_for("stopping")
    with pytest.raises(grpc.RpcError) as late, grpc.insecure_channel(server.address) as other:
        prediction_service_pb2_grpc.PredictionServiceStub(other).Predict(request, timeout=20)
    assert late.value.code() in (CODES.UNAVAILABLE, CODES.RESOURCE_EXHAUSTED)
    assert [call.exception() for call in calls] == [None] * len(calls)
    assert server.process.wait(240) == 0
    assert server.wait_for("stopped")["uptime_seconds"] > 0
    # Standard error is JSON, but for what TensorFlow writes before Python can stop it.
    assert [line for line in server.other_lines if "Traceback" in line] == []
