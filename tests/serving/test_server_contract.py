"""What clients of the model hold on to, asked over the wire with the public stubs.

The address comes from ``P2P_SERVING_ADDRESS`` (and the model from ``P2P_SERVING_MODEL``), so that the same tests run
against TensorFlow Serving; without it our own server is started with a stand-in model, and with the shipped one.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")

import tensorflow as tf
from served_model import OUTPUTS_B, OUTPUTS_BK, K, galaxy, predict_request
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from p2p_keras.serving.server.servable import WARM_UP_FILE

DEADLINE_S = 60.0
LARGE = [("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)]


@pytest.fixture(scope="module")
def channel(serving):
    """A channel to the server, once it serves the model."""
    with grpc.insecure_channel(serving.address, options=LARGE) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = serving.model
        until = time.monotonic() + 300
        while True:
            try:
                versions = stub.GetModelStatus(request, timeout=10, wait_for_ready=True).model_version_status
                if any(v.state == v.AVAILABLE for v in versions):
                    break
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE):
                    raise
            assert time.monotonic() < until, "the model does not become available"
            time.sleep(0.2)
        yield channel


@pytest.fixture(scope="module")
def stub(channel):
    """PredictionService."""
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def arrays(response) -> dict[str, np.ndarray]:
    """Outputs of a PredictResponse."""
    return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}


def code_of(call, request, **kwargs) -> tuple[grpc.StatusCode, str]:
    """Status and sentence of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=DEADLINE_S, **kwargs)
    return caught.value.code(), caught.value.details()


def example(image: np.ndarray) -> bytes:
    """A serialized tf.Example of the documented schema."""
    features = tf.train.Features()
    values = {"schema_version": 1, "image/height": image.shape[0], "image/width": image.shape[1]}
    for name, value in values.items():
        features.feature[name].int64_list.value.append(value)
    for name, value in {"zero_point": 22.5, "pixel_scale": 0.4}.items():
        features.feature[name].float_list.value.append(value)
    features.feature["image"].bytes_list.value.append(image.astype("<f4").tobytes())
    return tf.train.Example(features=features).SerializeToString()


@pytest.mark.parametrize(("batch", "size"), [(1, 64), (3, 64), (2, (100, 71)), (1, 48)])
def test_predict_answers_all_outputs(serving, stub, batch, size):
    """A client would miss an output, or meet NaN, another shape or dtype."""
    images = np.stack([galaxy(size, flux=1.0 + i) for i in range(batch)])
    response = stub.Predict(predict_request(images, model=serving.model), timeout=DEADLINE_S)
    got = arrays(response)
    assert set(got) >= {*OUTPUTS_BK, *OUTPUTS_B}
    for name in OUTPUTS_BK:
        assert got[name].shape == (batch, K), name
    for name in OUTPUTS_B:
        assert got[name].shape == (batch,), name
    assert got["valid"].dtype == bool
    assert all(np.isfinite(a).all() for name, a in got.items() if name != "valid")
    assert all(a.dtype == np.float32 for name, a in got.items() if name != "valid")
    assert (np.diff(got["sma"], axis=1) > 0).all()
    assert response.model_spec.name == serving.model
    assert response.model_spec.version.value > 0
    assert response.model_spec.signature_name == "serving_default"


def test_a_batch_answers_as_its_images_alone(serving, stub):
    """A galaxy's profile would depend on what it is sent with."""
    images = np.stack([galaxy(64, flux=f) for f in (1.0, 30.0, 0.2)])
    together = arrays(stub.Predict(predict_request(images, model=serving.model), timeout=DEADLINE_S))
    for i, image in enumerate(images):
        alone = arrays(stub.Predict(predict_request(image[None], model=serving.model), timeout=DEADLINE_S))
        both = alone["valid"][0] & together["valid"][i]
        assert (alone["valid"][0] != together["valid"][i]).sum() <= 1
        np.testing.assert_allclose(together["mu"][i][both], alone["mu"][0][both], atol=2e-3)


def test_warm_up_requests_are_answered(serving, stub):
    """A server would refuse to serve the model, since it can't answer the requests that come with it."""
    if serving.server is None:
        pytest.skip("the model's files are not here")
    version = max((serving.base / serving.model).glob("[0-9]*"), key=lambda path: int(path.name))
    records = tf.data.TFRecordDataset(str(version / WARM_UP_FILE)).as_numpy_iterator()
    requests = [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]
    assert {request.model_spec.name for request in requests} == {serving.model}
    single = [r for r in requests if all(proto.tensor_shape.dim[0].size == 1 for proto in r.inputs.values())]
    assert single
    for request in single:
        # A batch carries few of its pixels: a server that replays the file fills it with the last value, as here.
        for tensor in request.inputs.values():
            tensor.CopyFrom(tf.make_tensor_proto(tf.make_ndarray(tensor)))
        assert set(arrays(stub.Predict(request, timeout=DEADLINE_S))) >= {*OUTPUTS_BK, *OUTPUTS_B}


def test_concurrent_requests_get_their_own_answers(serving, stub):
    """Requests merged into one run would be answered with each other's profiles."""
    fluxes = 10 ** np.linspace(-1, 1, 24)
    requests = [predict_request(galaxy(64, flux=f)[None], model=serving.model) for f in fluxes]
    alone = arrays(stub.Predict(requests[0], timeout=DEADLINE_S))["mag_total"][0]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda r: arrays(stub.Predict(r, timeout=DEADLINE_S)), requests))
    magnitudes = np.array([a["mag_total"][0] for a in answers])
    # Ten times the flux is 2.5 mag brighter, whatever the network: its normalisation is inside.
    np.testing.assert_allclose(magnitudes - alone, -2.5 * np.log10(fluxes / fluxes[0]), atol=0.01)


def test_zero_point_and_pixel_scale_are_per_image(serving, stub):
    """Images of two cameras in one request would share a calibration."""
    request = predict_request(np.stack([galaxy(), galaxy()]), model=serving.model)
    request.inputs["zero_point"].CopyFrom(tf.make_tensor_proto(np.array([22.5, 25.0], np.float32)))
    request.inputs["pixel_scale"].CopyFrom(tf.make_tensor_proto(np.array([0.4, 0.2], np.float32)))
    got = arrays(stub.Predict(request, timeout=DEADLINE_S))
    assert got["mag_total"][1] - got["mag_total"][0] == pytest.approx(2.5, abs=0.01)
    np.testing.assert_allclose(got["sma"][1] / got["sma"][0], 0.5, rtol=1e-4)


@pytest.mark.parametrize("fill", [np.nan, np.inf, -np.inf])
def test_masked_pixels_are_taken(serving, stub, fill):
    """A masked star would be refused or would turn the profile into NaN."""
    image = galaxy()
    image[5:9, 40:46] = fill
    got = arrays(stub.Predict(predict_request(image[None], model=serving.model), timeout=DEADLINE_S))
    assert all(np.isfinite(a).all() for a in got.values())
    assert got["valid"].any()


def test_serialized_examples_answer_the_same(serving, stub):
    """Batch jobs with tf.Examples would measure other profiles than clients with images."""
    image = galaxy((64, 80))
    direct = arrays(stub.Predict(predict_request(image[None], model=serving.model), timeout=DEADLINE_S))
    request = predict_request(image[None], model=serving.model)
    request.model_spec.signature_name = "serialized_example"
    for name in list(request.inputs):
        del request.inputs[name]
    request.inputs["examples"].CopyFrom(tf.make_tensor_proto([example(image)]))
    decoded = arrays(stub.Predict(request, timeout=DEADLINE_S))
    assert set(decoded) == set(direct)
    np.testing.assert_array_equal(decoded["valid"], direct["valid"])
    np.testing.assert_allclose(decoded["mu"], direct["mu"], atol=1e-3)


def test_output_filter(serving, stub):
    """A client that asks for two outputs would be sent all, or none."""
    request = predict_request(galaxy()[None], model=serving.model)
    request.output_filter.extend(["mu", "valid"])
    assert set(arrays(stub.Predict(request, timeout=DEADLINE_S))) == {"mu", "valid"}


def test_largest_promised_image(serving, stub):
    """A 2048 x 2048 image, 16.8 MB, would be turned away."""
    request = predict_request(galaxy(2048)[None], model=serving.model)
    got = arrays(stub.Predict(request, timeout=120))
    assert got["valid"].shape[0] == 1
    assert all(np.isfinite(value).all() for value in got.values())


def set_input(request, name, value):
    """Replace one input."""
    request.inputs[name].CopyFrom(tf.make_tensor_proto(value))


BAD = {
    "dtype": (lambda r: set_input(r, "image", np.zeros((1, 64, 64), np.float64)), "float"),
    "strings": (lambda r: set_input(r, "image", np.array([[[b"x"]]], object)), "float"),
    "rank": (lambda r: set_input(r, "image", np.zeros((64, 64), np.float32)), ""),
    "missing": (lambda r: r.inputs.pop("zero_point"), "zero_point"),
    "extra": (lambda r: set_input(r, "colour", np.zeros(1, np.float32)), "colour"),
    "too small": (lambda r: set_input(r, "image", np.ones((1, 20, 20), np.float32)), "48"),
    "too large": (lambda r: set_input(r, "image", np.ones((1, 49, 2049), np.float32)), "2048"),
    "no pixel": (lambda r: set_input(r, "image", np.ones((1, 0, 0), np.float32)), ""),
    "unknown output": (lambda r: r.output_filter.append("colour"), "colour"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_an_invalid_argument(serving, stub, case):
    """A caller's mistake would look like the server's, or would be answered with nonsense."""
    request = predict_request(galaxy()[None], model=serving.model)
    spoil, word = BAD[case]
    spoil(request)
    code, details = code_of(stub.Predict, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT, details
    assert word in details
    assert details.strip()


def test_an_image_without_a_finite_pixel(serving, stub):
    """A wholly masked image would be answered with a made-up profile."""
    request = predict_request(np.full((1, 64, 64), np.nan), model=serving.model)
    try:
        got = arrays(stub.Predict(request, timeout=DEADLINE_S))
    except grpc.RpcError as error:
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT  # noqa: PT017 - both answers are right
    else:
        assert not got["valid"].any()
        assert all(np.isfinite(a).all() for a in got.values())


def test_unknown_model_version_and_signature(serving, stub):
    """A misspelt name would be answered by another model."""
    request = predict_request(galaxy()[None], model="no_such_model")
    assert code_of(stub.Predict, request)[0] is grpc.StatusCode.NOT_FOUND
    request = predict_request(galaxy()[None], model=serving.model)
    request.model_spec.version.value = 987654
    assert code_of(stub.Predict, request)[0] is grpc.StatusCode.NOT_FOUND
    request = predict_request(galaxy()[None], model=serving.model)
    request.model_spec.signature_name = "no_such_signature"
    code = code_of(stub.Predict, request)[0]
    assert code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT)
    request = predict_request(galaxy()[None], model="")
    request.ClearField("model_spec")
    assert code_of(stub.Predict, request)[0] in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


def test_a_version_can_be_asked_for(serving, stub):
    """A client that pins a version would get another."""
    request = predict_request(galaxy()[None], model=serving.model)
    version = stub.Predict(request, timeout=DEADLINE_S).model_spec.version.value
    request.model_spec.version.value = version
    assert stub.Predict(request, timeout=DEADLINE_S).model_spec.version.value == version


def test_deadline(serving, stub):
    """A client would wait longer than it said."""
    request = predict_request(galaxy(512)[None], model=serving.model)
    start = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        stub.Predict(request, timeout=0.001)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - start < 5


def test_metadata_names_the_signatures(serving, stub):
    """A client could not find out what to send."""
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = serving.model
    response = stub.GetModelMetadata(request, timeout=DEADLINE_S)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    default = signatures.signature_def["serving_default"]
    assert set(default.inputs) == {"image", "zero_point", "pixel_scale"}
    assert [d.size for d in default.inputs["image"].tensor_shape.dim] == [-1, -1, -1]
    assert set(default.outputs) >= {*OUTPUTS_BK, *OUTPUTS_B}
    assert set(signatures.signature_def["serialized_example"].inputs) == {"examples"}
    assert "describe" in signatures.signature_def
    request.metadata_field[:] = ["colour"]
    assert code_of(stub.GetModelMetadata, request)[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_describe(serving, stub):
    """Nobody could ask a running server which model it serves."""
    request = predict_request(galaxy()[None], model=serving.model)
    request.model_spec.signature_name = "describe"
    for name in list(request.inputs):
        del request.inputs[name]
    assert "version" in " ".join(arrays(stub.Predict(request, timeout=DEADLINE_S)))


def test_status_of_versions(serving, channel):
    """A deployment could not tell when the model is ready."""
    stub = model_service_pb2_grpc.ModelServiceStub(channel)
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = serving.model
    versions = stub.GetModelStatus(request, timeout=DEADLINE_S).model_version_status
    assert [v.status.error_code for v in versions if v.state == v.AVAILABLE] == [0]
    request.model_spec.version.value = 987654
    assert code_of(stub.GetModelStatus, request)[0] is grpc.StatusCode.NOT_FOUND
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "no_such_model"
    assert code_of(stub.GetModelStatus, request)[0] is grpc.StatusCode.NOT_FOUND


def test_health(serving, channel):
    """A load balancer would send calls to a server that is not ready, or none to one that is."""
    health_pb2 = pytest.importorskip("grpc_health.v1.health_pb2")
    from grpc_health.v1 import health_pb2_grpc

    if serving.server is None:
        pytest.skip("not promised of other servers: TensorFlow Serving has it switched off by default")
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", "tensorflow.serving.PredictionService", serving.model):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=DEADLINE_S)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    code, _ = code_of(stub.Check, health_pb2.HealthCheckRequest(service="no_such_service"))
    assert code is grpc.StatusCode.NOT_FOUND


def test_reflection(serving, channel):
    """Grpcurl and its like could not list the methods."""
    if serving.server is None:
        pytest.skip("TensorFlow Serving has no reflection")
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    database = ProtoReflectionDescriptorDatabase(channel)
    names = set(database.get_services())
    assert {"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService", "grpc.health.v1.Health"} <= names
    service = DescriptorPool(database).FindServiceByName("tensorflow.serving.PredictionService")
    assert "Predict" in [m.name for m in service.methods]
