"""The gRPC methods: PredictionService Predict and GetModelMetadata, ModelService GetModelStatus.

Requests are taken as bytes and parsed here, so that garbage is answered with INVALID_ARGUMENT and a sentence. All
methods are registered as client-streaming: on the wire one message in a stream is a unary call, and the method runs
before the message has come in. So calls are counted and timed from the moment that they open, and a client that opens
calls and sends nothing is refused instead of holding memory and places.
"""

from __future__ import annotations

import asyncio
import gc
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

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"
_OK = 0

Request = TypeVar("Request", bound=Message)

CANCELLED_PER_COLLECTION = 10
"""Cancelled calls whose messages may stay in memory until garbage is looked for."""


class Service:
    """The methods over a repository and a queue.

    Parameters
    ----------
    repository : Repository
    queue : BatchQueue
    limits : Limits
    metrics : Metrics
    """

    def __init__(self, repository: Repository, queue: BatchQueue, limits: Limits, metrics: Metrics) -> None:
        self._repository, self._queue, self._limits, self._metrics = repository, queue, limits, metrics
        self._open = 0
        self._cancelled = 0

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

    async def predict(self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> Message:
        """Predict."""
        start = time.monotonic()
        seen = {"model": ""}
        self._open += 1
        self._metrics.open_calls.set(self._open)
        code = grpc.StatusCode.CANCELLED
        try:
            response = await self._refusing(context, self._predict(messages, context, seen))
            code = grpc.StatusCode.OK
            return response
        except _Refused as refused:
            code = refused.refusal.code
            await context.abort(code, refused.refusal.sentence)
            raise AssertionError("abort raises") from refused
        finally:
            self._open -= 1
            self._metrics.open_calls.set(self._open)
            if code is grpc.StatusCode.CANCELLED:
                self._cancelled += 1
                if self._cancelled % CANCELLED_PER_COLLECTION == 0:
                    # A cancelled call ends in a reference cycle inside gRPC that holds its message, and nothing says
                    # how large that is. Cheap, since what was loaded is frozen (`repository.settle_garbage`).
                    asyncio.get_running_loop().call_later(0.05, gc.collect)
            seconds = time.monotonic() - start
            self._metrics.requests.labels(seen["model"], code.name).inc()
            self._metrics.latency.labels(seen["model"]).observe(seconds)
            if LOGGER.isEnabledFor(logging.DEBUG):
                log(
                    "predict",
                    level=logging.DEBUG,
                    peer=context.peer(),
                    code=code.name,
                    milliseconds=round(1e3 * seconds, 2),
                    **seen,
                )

    async def _predict(self, messages: AsyncIterator[bytes], context: Any, seen: dict[str, str]) -> Message:
        if self._open > self._limits.open_calls:
            raise exhausted(f"{self._limits.open_calls} calls are open already: try again later")
        request = await self._receive(messages, predict_pb2.PredictRequest)
        spec = _checked_spec(request)
        left = context.time_remaining()
        deadline = None if left is None else time.monotonic() + left
        servable = self._repository.resolve(spec.name, _version(spec))
        seen["model"] = servable.name
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

    async def get_model_metadata(self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> Message:
        """GetModelMetadata, of the one field that there is: signature_def."""
        return await self._answer(context, self._get_model_metadata(messages))

    async def _get_model_metadata(self, messages: AsyncIterator[bytes]) -> Message:
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

    async def get_model_status(self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> Message:
        """GetModelStatus of one version or all."""
        return await self._answer(context, self._get_model_status(messages))

    async def _get_model_status(self, messages: AsyncIterator[bytes]) -> Message:
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

    async def _receive(self, messages: AsyncIterator[bytes], kind: type[Request]) -> Request:
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

    async def _refusing(self, context: grpc.aio.ServicerContext, work: Awaitable[Message]) -> Message:
        try:
            return await work
        except Exception as error:
            refusal = from_exception(error)
            if refusal.code is grpc.StatusCode.INTERNAL and not isinstance(error, Refusal):
                log("request failed", level=logging.ERROR, exc_info=error, peer=context.peer())
            elif LOGGER.isEnabledFor(logging.INFO):
                log("refused", peer=context.peer(), code=refusal.code.name, cause=refusal.sentence)
            raise _Refused(refusal) from error

    async def _answer(self, context: grpc.aio.ServicerContext, work: Awaitable[Message]) -> Message:
        try:
            return await self._refusing(context, work)
        except _Refused as refused:
            await context.abort(refused.refusal.code, refused.refusal.sentence)
            raise AssertionError("abort raises") from refused


class _Refused(Exception):
    """A refusal on its way to the client, logged already."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.sentence)
        self.refusal = refusal


def _checked_spec(request: Any) -> Any:
    if not request.HasField("model_spec") or not request.model_spec.name:
        raise invalid("Missing ModelSpec: the request names no model")
    if request.model_spec.version_label:
        raise invalid("this server knows no version labels: ask for a version by its number")
    return request.model_spec


def _version(spec: Any) -> int | None:
    return spec.version.value if spec.HasField("version") else None
