"""The gRPC methods: PredictionService Predict and GetModelMetadata, ModelService GetModelStatus.

Requests are taken as bytes and parsed here, so that garbage is answered with INVALID_ARGUMENT and a sentence. All
methods are registered as client-streaming: on the wire one message in a stream is a unary call, and the method runs
before the message has come in. So calls are counted and timed from the moment that they open, and a client that opens
calls and sends nothing is refused instead of holding memory and places.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from p2p_keras.serving.server.batching import BatchQueue
from p2p_keras.serving.server.limits import Limits
from p2p_keras.serving.server.logs import LOGGER, log
from p2p_keras.serving.server.metrics import Metrics
from p2p_keras.serving.server.refusals import Refusal, exhausted, from_exception, invalid
from p2p_keras.serving.server.repository import Repository
from p2p_keras.serving.server.servable import output_names
from p2p_keras.serving.server.tensors import check_inputs, to_array, to_proto

__all__ = ["MODEL_SERVICE", "PREDICTION_SERVICE", "Service"]

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

Request = TypeVar("Request", bound=Message)
Messages = AsyncIterator[bytes]


class Service:
    """The methods over a repository and a queue."""

    def __init__(self, repository: Repository, queue: BatchQueue, limits: Limits, metrics: Metrics) -> None:
        self._repository, self._queue, self._limits, self._metrics = repository, queue, limits, metrics
        self._open = 0

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """Return what a grpc.aio server registers."""
        methods: dict[str, dict[str, Callable]] = {
            PREDICTION_SERVICE: {"Predict": self.predict, "GetModelMetadata": self.get_model_metadata},
            MODEL_SERVICE: {"GetModelStatus": self.get_model_status},
        }
        return [
            grpc.method_handlers_generic_handler(
                service,
                {
                    name: grpc.stream_unary_rpc_method_handler(
                        method, request_deserializer=None, response_serializer=lambda m: m.SerializeToString()
                    )
                    for name, method in named.items()
                },
            )
            for service, named in methods.items()
        ]

    # --- PredictionService ---

    async def predict(self, messages: Messages, context: grpc.aio.ServicerContext) -> Message:
        """Predict, counted and timed from the moment that the call opens."""
        start = time.monotonic()
        asked = {"model": ""}
        self._open += 1
        self._metrics.open_calls.set(self._open)
        code = grpc.StatusCode.CANCELLED
        try:
            answer = await _outcome(self._predict(messages, context, asked), context)
            code = answer.code if isinstance(answer, Refusal) else grpc.StatusCode.OK
        finally:
            self._open -= 1
            self._metrics.open_calls.set(self._open)
            seconds = time.monotonic() - start
            self._metrics.requests.labels(asked["model"], code.name).inc()
            self._metrics.latency.labels(asked["model"]).observe(seconds)
            if LOGGER.isEnabledFor(logging.DEBUG):
                ms = round(1e3 * seconds, 2)
                log("predict", level=logging.DEBUG, peer=context.peer(), code=code.name, milliseconds=ms, **asked)
        return await _finished(answer, context)

    async def _predict(self, messages: Messages, context: Any, asked: dict[str, str]) -> Message:
        if self._open > self._limits.open_calls:
            raise exhausted(f"{self._limits.open_calls} calls are open already: try again later")
        request = await self._receive(messages, predict_pb2.PredictRequest)
        spec = _checked_spec(request)
        left = context.time_remaining()
        deadline = None if left is None else time.monotonic() + left
        servable = self._repository.resolve(spec.name, _version(spec))
        asked["model"] = servable.name
        with servable.lease():
            signature = servable.signature(spec.signature_name)
            names = output_names(signature, list(request.output_filter))
            check_inputs(request.inputs, signature, max_elements=self._limits.request_pixels)
            inputs = {name: to_array(name, proto) for name, proto in request.inputs.items()}
            outputs = await self._queue.submit(servable, spec.signature_name, inputs, deadline=deadline)
        response = predict_pb2.PredictResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.model_spec.signature_name = spec.signature_name or "serving_default"
        for name in names:
            to_proto(outputs[name], response.outputs[name])
        return response

    async def get_model_metadata(self, messages: Messages, context: grpc.aio.ServicerContext) -> Message:
        """GetModelMetadata, of the one field that there is: signature_def."""
        return await _finished(await _outcome(self._get_model_metadata(messages), context), context)

    async def _get_model_metadata(self, messages: Messages) -> Message:
        request = await self._receive(messages, get_model_metadata_pb2.GetModelMetadataRequest)
        spec = _checked_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field (signature_def)")
        for name in request.metadata_field:
            if name != "signature_def":
                raise invalid(f"Metadata field {name} is not supported (signature_def is)")
        servable = self._repository.resolve(spec.name, _version(spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response.metadata["signature_def"].Pack(signatures)
        return response

    # --- ModelService ---

    async def get_model_status(self, messages: Messages, context: grpc.aio.ServicerContext) -> Message:
        """GetModelStatus of one version or all."""
        return await _finished(await _outcome(self._get_model_status(messages), context), context)

    async def _get_model_status(self, messages: Messages) -> Message:
        request = await self._receive(messages, get_model_status_pb2.GetModelStatusRequest)
        spec = _checked_spec(request)
        response = get_model_status_pb2.GetModelStatusResponse()
        for version in self._repository.statuses(spec.name, _version(spec)):
            status = response.model_version_status.add()
            status.version = version.number
            status.state = version.state.value
            if version.error:
                status.status.error_message = version.error
                if version.servable is None:
                    status.status.error_code = grpc.StatusCode.FAILED_PRECONDITION.value[0]
        return response

    # --- what all methods share ---

    async def _receive(self, messages: Messages, kind: type[Request]) -> Request:
        """Wait for the call's one message, and the end of its stream, and parse it.

        The end comes with the message from every unary client. Until it is read, gRPC's iterator keeps the message, and
        a finished call ends in a reference cycle: thousands of images would stay in memory until Python looks for such.
        """
        try:
            async with asyncio.timeout(self._limits.receive_s):
                data = await anext(messages)
                async for _ in messages:
                    raise invalid("the call holds more than one message")
        except TimeoutError:
            raise Refusal(
                grpc.StatusCode.DEADLINE_EXCEEDED, f"no message came within {self._limits.receive_s:g} s"
            ) from None
        except StopAsyncIteration:
            raise invalid("the call ended without a message") from None
        try:
            return kind.FromString(data)
        except DecodeError:
            raise invalid(f"the message is no {kind.DESCRIPTOR.full_name}") from None


async def _outcome(work: Awaitable[Message], context: grpc.aio.ServicerContext) -> Message | Refusal:
    """Do the work of a call; why it is refused is logged."""
    try:
        return await work
    except Exception as error:
        refusal = from_exception(error)
        if refusal.code is grpc.StatusCode.INTERNAL and not isinstance(error, Refusal):
            log("request failed", level=logging.ERROR, exc_info=error, peer=context.peer())
        else:
            log("refused", peer=context.peer(), code=refusal.code.name, cause=refusal.sentence)
        # Its traceback holds the frames of the call, and they hold it and the image.
        return refusal.with_traceback(None)


async def _finished(answer: Message | Refusal, context: grpc.aio.ServicerContext) -> Message:
    if isinstance(answer, Refusal):
        await context.abort(answer.code, answer.sentence)
    return answer


def _checked_spec(request: Any) -> Any:
    if not request.HasField("model_spec") or not request.model_spec.name:
        raise invalid("Missing ModelSpec: the request names no model")
    if request.model_spec.version_label:
        raise invalid("this server knows no version labels: ask for a version by its number")
    return request.model_spec


def _version(spec: Any) -> int | None:
    return spec.version.value if spec.HasField("version") else None
