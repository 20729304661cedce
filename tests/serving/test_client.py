"""ProfileClient against a running server: the tables of Predictor, retries, deadlines, TLS."""

from __future__ import annotations

import asyncio
import subprocess
import time
from concurrent import futures

import grpc
import numpy as np
import pytest

pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")

from served_model import galaxy
from tensorflow_serving.apis import predict_pb2

from p2p_keras.client import Attempts, ProfileClient, ServerError
from p2p_keras.core.errors import InputError

CALIBRATION = {"zero_point": 22.5, "pixel_scale": 0.396}


@pytest.fixture(scope="module")
def client(serving):
    """A patient client of the running server: the model may still be loading."""
    with ProfileClient(serving.address, model=serving.model, timeout=300, attempts=200) as client:
        client.profile(galaxy(), **CALIBRATION)
        yield client


def test_the_same_table_as_predictor(client, serving, standin_models):
    """A galaxy would have one profile on the server and another on a laptop."""
    from p2p_keras.measure.predictor import Predictor

    if serving.server is None:
        pytest.skip("the model's files are not here")
    base = standin_models if serving.standin else serving.base
    # By its version: the same runtime as the server's. The angles of this round galaxy differ between runtimes.
    version = max((base / serving.model).glob("[0-9]*"), key=lambda path: int(path.name))
    here = Predictor.load(version).predict(galaxy(96), **CALIBRATION, name="M 1")
    there = client.profile(galaxy(96), **CALIBRATION, name="M 1")
    assert there.colnames == here.colnames
    assert list(there.meta) == list(here.meta)
    for name in here.colnames:
        assert there[name].unit == here[name].unit
        np.testing.assert_allclose(np.asarray(there[name]), np.asarray(here[name]), rtol=1e-4, atol=1e-3)
    for key in ("name", "flags", "model", "model_version", "zero_point", "pa_reference"):
        assert there.meta[key] == here.meta[key], key


def test_a_real_file(client, real_data):
    """A FITS file on disk could not be measured on a server."""
    path = next(iter(sorted((real_data / "galaxies").rglob("*.fits*"))), None)
    if path is None:
        pytest.skip("no FITS file")
    profile = client.profile(path, **CALIBRATION)
    assert profile.meta["zero_point"] == 22.5
    assert profile.meta["source"] == str(path)


def test_many_come_in_order_with_their_errors(client):
    """One bad image would cost a list its other profiles, or the list would be out of order."""
    fluxes = [1.0, 10.0, 100.0]
    images = [galaxy(64, flux=f) for f in fluxes]
    images.insert(1, np.full((64, 64), np.nan))
    images.insert(3, galaxy(72, flux=3.0))
    got = client.profiles(images, on_error="return", **CALIBRATION)
    assert isinstance(got[1], InputError)
    magnitudes = [got[i].meta["mag_total"] for i in (0, 2, 4)]
    np.testing.assert_allclose(np.diff(magnitudes), -2.5, atol=0.02)
    with pytest.raises(InputError):
        client.profiles(images, **CALIBRATION)


def test_async_answers_the_same(client, serving):
    """A web service could not use the client without threads of its own."""

    async def main():
        async with ProfileClient(serving.address, model=serving.model) as own:
            one = await own.profile_async(galaxy(), **CALIBRATION)
            many = await own.profiles_async([galaxy(), galaxy(80)], **CALIBRATION)
            return one, many

    one, many = asyncio.run(main())
    assert one.meta["mag_total"] == pytest.approx(client.profile(galaxy(), **CALIBRATION).meta["mag_total"], abs=1e-3)
    assert many[0].meta["mag_total"] == pytest.approx(one.meta["mag_total"], abs=1e-3)


def test_raw_outputs(client):
    """A batch job would have to build its own requests."""
    outputs = client.outputs(np.stack([galaxy(), galaxy()]), 22.5, 0.396)
    assert outputs["mu"].shape == (2, 64)


def test_unknown_model_is_not_tried_again(serving, client):
    """A misspelt model would keep a user waiting through all attempts."""
    start = time.monotonic()
    with ProfileClient(serving.address, model="no_such_model") as own, pytest.raises(ServerError) as caught:
        own.profile(galaxy(), **CALIBRATION)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
    assert time.monotonic() - start < 5


class Flaky:
    """A server whose answers are a list of status codes."""

    def __init__(self, codes, *options):
        self.codes, self.calls = list(codes), 0
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(
            self.predict,
            request_deserializer=predict_pb2.PredictRequest.FromString,
            response_serializer=predict_pb2.PredictResponse.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", {"Predict": handler})
        self.server.add_generic_rpc_handlers((service,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def predict(self, request, context):
        """Answer with the next code."""
        self.calls += 1
        code = self.codes.pop(0)
        if code is not None:
            context.abort(code, "as planned")
        return predict_pb2.PredictResponse()


@pytest.mark.parametrize(
    ("codes", "calls", "answered"),
    [
        ([grpc.StatusCode.UNAVAILABLE] * 2 + [None], 3, True),
        ([grpc.StatusCode.UNAVAILABLE] * 9, 4, False),
        ([grpc.StatusCode.RESOURCE_EXHAUSTED], 1, False),
        ([grpc.StatusCode.INTERNAL], 1, False),
    ],
)
def test_only_unavailable_is_tried_again(codes, calls, answered):
    """A restarting server would lose requests, or an overloaded one would be sent each several times."""
    flaky = Flaky(codes)
    try:
        with ProfileClient(f"127.0.0.1:{flaky.port}", attempts=4, timeout=20) as client:
            if answered:
                assert client.outputs(np.zeros((1, 64, 64)), 22.5, 0.4) == {}
            else:
                with pytest.raises(ServerError):
                    client.outputs(np.zeros((1, 64, 64)), 22.5, 0.4)
        assert flaky.calls == calls
    finally:
        flaky.server.stop(None)


def test_servers_behind_one_name_take_turns():
    """All calls of a client would go to one of the servers that it could have."""
    servers = [Flaky([None] * 8) for _ in range(2)]
    try:
        with ProfileClient("ipv4:" + ",".join(f"127.0.0.1:{s.port}" for s in servers), timeout=20) as client:
            for _ in range(8):
                client.outputs(np.zeros((1, 64, 64)), 22.5, 0.4)
                time.sleep(0.05)
        assert sum(s.calls for s in servers) == 8
        assert all(s.calls for s in servers)
    finally:
        for server in servers:
            server.server.stop(None)


def test_no_server_fails_within_the_deadline():
    """Without a server a program would hang, or fail without saying where it looked."""
    start = time.monotonic()
    with ProfileClient("127.0.0.1:9", timeout=1.0) as client, pytest.raises(ServerError, match=r"127\.0\.0\.1:9"):
        client.outputs(galaxy()[None], 22.5, 0.396)
    assert time.monotonic() - start < 4


def test_pauses_grow_and_end_with_the_deadline():
    """Clients of a server that is down would hammer it."""
    attempts = Attempts(timeout=100, most=8, first_pause=0.1, longest_pause=1.0)
    pauses = []
    for _ in range(8):
        attempts.left()
        pauses.append(attempts.pause_after(grpc.StatusCode.UNAVAILABLE))
    assert pauses[-1] is None
    assert all(0.5 * c <= p <= c for p, c in zip(pauses, [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0], strict=False))
    short = Attempts(timeout=0.01, most=8)
    short.left()
    assert short.pause_after(grpc.StatusCode.UNAVAILABLE) is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1: (key, certificate)."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no openssl")
    return key, cert


def test_tls(certificate, standin_models):
    """Images would cross the network in the clear, or a client would trust anybody."""
    from p2p_keras.serving.server.model_server import ModelServer, ServerSettings

    key, cert = certificate

    async def main():
        settings = ServerSettings(standin_models, port=0, settle_s=0.0, tls_key=key, tls_certificate=cert)
        server = ModelServer(settings)
        await server.start()
        address = f"127.0.0.1:{server.port}"
        try:
            async with ProfileClient(address, model="standin", tls=cert, timeout=60, attempts=50) as client:
                profile = await client.profile_async(galaxy(), **CALIBRATION)
            async with ProfileClient(address, model="standin", tls=True, timeout=3) as client:
                with pytest.raises(ServerError):
                    await client.profile_async(galaxy(), **CALIBRATION)
        finally:
            await server.stop()
        return profile

    assert len(asyncio.run(main()))


def test_options_are_those_of_read_image():
    """A user could not say on a server what they say on a laptop, or would be offered what is then refused."""
    from inspect import signature

    from p2p_keras.images import GalaxyImage, read_image
    from p2p_keras.images.image_options import ImageOptions

    of_files = set(signature(read_image).parameters) - {"path"}
    of_arrays = set(signature(GalaxyImage.from_array).parameters) - {"pixels"}
    assert set(ImageOptions.__annotations__) == of_files | of_arrays
