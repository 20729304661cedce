"""``python -m p2p_keras.serve``: answer gRPC requests, where there is no TensorFlow Serving."""

from __future__ import annotations

from pathlib import Path

import click

from p2p_keras.core.program import Program, quiet_option

__all__ = ["main"]

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_COUNT = click.IntRange(min=1)
_SECONDS = click.FloatRange(min=0.0)


@click.command(cls=Program, old={"--num-threads": "--threads"})
@click.option(
    "--model-base-path",
    type=_FOLDER,
    help="Folder with NAME/VERSION, or of a single NAME.  [default: saved_models in this folder, else the "
    "shipped model's]",
)
@click.option("--host", default="127.0.0.1", help="Address to listen on; 0.0.0.0 for all interfaces.")
@click.option("--port", type=click.IntRange(0, 65535), default=8500, help="gRPC port; 0 takes a free one.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    default=None,
    help="Port for Prometheus metrics over HTTP.  [default: none]",
)
@click.option(
    "--num-versions", type=_COUNT, default=1, help="How many of the newest versions of each model are served."
)
@click.option(
    "--poll-seconds", type=click.FloatRange(min=0.05), default=2.0, help="Seconds between checks for new versions."
)
@click.option(
    "--settle-seconds",
    type=_SECONDS,
    default=1.0,
    help="Seconds for which a version's files must not have changed before it is loaded.",
)
@click.option("--warm-up/--no-warm-up", default=True, help="Replay a version's warm-up requests before serving it.")
@click.option(
    "--max-batch-size",
    type=_COUNT,
    default=16,
    help="Most images of several requests in one run of the model; 1 turns this off.",
)
@click.option(
    "--batch-timeout-ms",
    type=_SECONDS,
    default=0.0,
    help="Milliseconds to wait for other requests to share a run with.",
)
@click.option("--num-batch-threads", type=_COUNT, default=1, help="Runs of one model at the same time.")
@click.option("--max-message-mib", type=_COUNT, default=64, help="Largest request, in MiB.")
@click.option("--max-pixels", type=_COUNT, default=4 * 2048**2, help="Most pixels in one request.")
@click.option("--max-queue", type=_COUNT, default=256, help="Most requests that may wait.")
@click.option("--max-calls", type=_COUNT, default=512, help="Most Predict calls that may be open.")
@click.option(
    "--receive-seconds",
    type=_SECONDS,
    default=20.0,
    help="Seconds within which the message of an opened call must arrive.",
)
@click.option(
    "--drain-seconds", type=_SECONDS, default=30.0, help="Seconds for accepted requests to finish after SIGTERM."
)
@click.option("--threads", type=_COUNT, help="Threads of the model.  [default: all cores]")
@click.option("--num-threads", type=click.IntRange(min=0), hidden=True, help="--threads, with 0 for all cores.")
@click.option("--tls-key", type=_FILE, default=None, help="Private key for TLS (PEM).")
@click.option("--tls-certificate", type=_FILE, default=None, help="Certificate chain for TLS (PEM).")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="Least severe events to log, as JSON lines on standard error.",
)
@quiet_option
def main(
    model_base_path: Path | None,
    host: str,
    port: int,
    metrics_port: int | None,
    num_versions: int,
    poll_seconds: float,
    settle_seconds: float,
    warm_up: bool,
    max_batch_size: int,
    batch_timeout_ms: float,
    num_batch_threads: int,
    max_message_mib: int,
    max_pixels: int,
    max_queue: int,
    max_calls: int,
    receive_seconds: float,
    drain_seconds: float,
    threads: int | None,
    num_threads: int | None,
    tls_key: Path | None,
    tls_certificate: Path | None,
    log_level: str,
    quiet: bool,
) -> None:
    """Serve the SavedModels of a folder over gRPC, with the API of TensorFlow Serving.

    This server is a stand-in for tests, notebooks and small groups, where TensorFlow Serving can't be run. For
    production use TensorFlow Serving, which takes the same folder (--model_base_path=.../NAME) and the same clients.

    The newest version of each model is served. New versions are loaded while the server runs, and old ones are unloaded
    once their requests are answered. After SIGTERM the accepted requests are still answered. Logs are JSON lines on
    standard error.
    """
    if (tls_key is None) != (tls_certificate is None):
        raise click.UsageError("--tls-key and --tls-certificate go together")

    import asyncio
    import os

    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    import tensorflow as tf

    from p2p_keras.core.model_files import served_folder
    from p2p_keras.serving.server import logs
    from p2p_keras.serving.server.limits import MIB, Limits
    from p2p_keras.serving.server.model_server import ServerSettings, serve

    logs.configure("error" if quiet else log_level)
    tf.config.threading.set_intra_op_parallelism_threads(threads or num_threads or 0)
    limits = Limits(
        message_bytes=max_message_mib * MIB,
        request_pixels=max_pixels,
        batch_size=max_batch_size,
        batch_pixels=max_pixels,
        batch_wait_s=batch_timeout_ms / 1e3,
        queue_length=max_queue,
        queue_pixels=max(8 * max_pixels, max_message_mib * MIB // 2),
        open_calls=max_calls,
        receive_s=receive_seconds,
        parallel_runs=num_batch_threads,
    )
    settings = ServerSettings(
        base=model_base_path or served_folder(),
        host=host,
        port=port,
        metrics_port=metrics_port,
        versions=num_versions,
        poll_s=poll_seconds,
        settle_s=settle_seconds,
        warm_up=warm_up,
        drain_s=drain_seconds,
        tls_key=tls_key,
        tls_certificate=tls_certificate,
        limits=limits,
    )
    asyncio.run(serve(settings))


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.serve")
