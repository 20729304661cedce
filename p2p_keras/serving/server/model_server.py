"""The whole server: started, kept in step with its models, stopped without losing an accepted request."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

# Reflection describes services from the loaded descriptors.
from tensorflow_serving.apis import model_service_pb2, prediction_service_pb2  # noqa: F401

from p2p_keras.core.errors import UsageError
from p2p_keras.serving.server.batching import BatchQueue
from p2p_keras.serving.server.limits import Limits
from p2p_keras.serving.server.logs import log
from p2p_keras.serving.server.metrics import Metrics
from p2p_keras.serving.server.repository import Repository
from p2p_keras.serving.server.service import MODEL_SERVICE, PREDICTION_SERVICE, Service

__all__ = ["ModelServer", "ServerSettings", "raise_open_file_limit", "serve"]

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True)
class ServerSettings:
    """Where and what to serve.

    Attributes
    ----------
    base : Path
        Folder of models (``NAME/VERSION``), or of one model's versions.
    host, port : str, int
        Address; port 0 takes a free one.
    metrics_port : int or None
        Port of the Prometheus metrics, on the same host; None for none.
    versions : int
        Newest versions of each model served at once.
    poll_s, settle_s : float
        Seconds between looks at the disk, and for which a version's folder must have stayed unchanged.
    warm_up : bool
        Replay the warm-up requests before a version is served.
    drain_s : float
        Seconds that accepted requests get to finish on SIGTERM.
    tls_key, tls_certificate : Path or None
        PEM files; both or none.
    limits : Limits
    """

    base: Path
    host: str = "127.0.0.1"
    port: int = 8500
    metrics_port: int | None = None
    versions: int = 1
    poll_s: float = 2.0
    settle_s: float = 1.0
    warm_up: bool = True
    drain_s: float = 30.0
    tls_key: Path | None = None
    tls_certificate: Path | None = None
    limits: Limits = field(default_factory=Limits)


class ModelServer:
    """A gRPC server of the models under a folder."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.port = 0
        self.metrics_port: int | None = None
        self._health = health.aio.HealthServicer()
        self._tasks: set[asyncio.Task] = set()
        self._stopping = self._ready = False

    async def start(self) -> None:
        """Open the port and begin to load. Calls are answered UNAVAILABLE until a model is there.

        Raises
        ------
        UsageError
            For a port that is taken, a base that is no folder or TLS files that can't be read.
        """
        s = self.settings
        if not s.base.is_dir():
            raise UsageError(f"{s.base}: no such folder of models")
        self.started = time.monotonic()
        raise_open_file_limit()
        self.repository = Repository(
            s.base,
            metrics=self.metrics,
            versions=s.versions,
            poll_s=s.poll_s,
            settle_s=s.settle_s,
            warm_up=s.warm_up,
            on_change=self._model_changed,
        )
        self.queue = BatchQueue(s.limits, self.metrics)
        self._grpc = grpc.aio.server(options=_channel_options(s.limits))
        service = Service(self.repository, self.queue, s.limits, self.metrics)
        self._grpc.add_generic_rpc_handlers(tuple(service.handlers()))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        names = (PREDICTION_SERVICE, MODEL_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._grpc)
        self.port = self._bind()
        if s.metrics_port is not None:
            try:
                self.metrics_port = self.metrics.expose(s.host, s.metrics_port)
            except OSError as error:
                raise UsageError(f"metrics port {s.metrics_port} can't be opened: {error.strerror}") from error
        for name in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            await self._health.set(name, _NOT_SERVING)
        self.queue.start()
        await self._grpc.start()
        log("listening", host=s.host, port=self.port, metrics_port=self.metrics_port, tls=s.tls_key is not None)
        self._spawn(self.repository.keep())

    async def stop(self) -> None:
        """Refuse new calls, answer those that were accepted, unload."""
        if self._stopping:
            return
        self._stopping = True
        log("stopping", drain_seconds=self.settings.drain_s)
        await self._health.enter_graceful_shutdown()
        await self._grpc.stop(self.settings.drain_s)
        await self.queue.close()
        for task in list(self._tasks):
            task.cancel()
        await self.repository.close()
        log("stopped", uptime_seconds=round(time.monotonic() - self.started, 1))

    async def wait(self) -> None:
        """Return once the server has stopped."""
        await self._grpc.wait_for_termination()

    def _bind(self) -> int:
        s = self.settings
        address = f"{s.host}:{s.port}"
        try:
            if s.tls_key and s.tls_certificate:
                pair = (s.tls_key.read_bytes(), s.tls_certificate.read_bytes())
                return self._grpc.add_secure_port(address, grpc.ssl_server_credentials([pair]))
            return self._grpc.add_insecure_port(address)
        except OSError as error:
            raise UsageError(f"TLS file {error.filename}: {error.strerror}") from error
        except RuntimeError as error:
            raise UsageError(f"{address} can't be opened: is the port in use?") from error

    def _model_changed(self, name: str, served: bool) -> None:
        if self._stopping:
            return
        if served and not self._ready:
            self._ready = True
            log("ready", seconds=round(time.monotonic() - self.started, 2))
        self._spawn(self._set_health(name, served))

    async def _set_health(self, name: str, served: bool) -> None:
        await self._health.set(name, _SERVING if served else _NOT_SERVING)
        whole = _SERVING if self.repository.names() else _NOT_SERVING
        for service in ("", PREDICTION_SERVICE, MODEL_SERVICE):
            await self._health.set(service, whole)

    def _spawn(self, work) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _channel_options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_send_message_length", limits.message_bytes),
        # Two servers on one port would share the calls between them: a taken port is an error.
        ("grpc.so_reuseport", 0),
        # Connections that never finish the handshake or whose peer has vanished are closed.
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # Clients may send keep-alive pings of their own, as those behind a proxy must.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ]


def raise_open_file_limit() -> None:
    """Take as many open files as the system grants: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def serve(settings: ServerSettings, *, on_start: Callable[[ModelServer], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then stop gracefully."""
    server = ModelServer(settings)
    await server.start()
    if on_start:
        on_start(server)
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    await asked.wait()
    await server.stop()
