"""The work on Ray: Ray Data streams parts from readers through processes that hold the model.

    units of parts -> read (tasks) -> model (actors) -> part files        on CPUs: an actor also makes and writes rows
    units of parts -> read (tasks) -> model (actors) -> rows (tasks)      on GPUs: actors do nothing but run the model

Ray Data holds a stage back while the next one is behind, so what is under way fits into Ray's object store. A task or
actor that dies is run again by Ray; a part that is written twice is written with the same bytes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, cast

import numpy as np
import pyarrow as pa

from p2p_keras.core.errors import UsageError
from p2p_keras.sky_survey.assembly import Done, assemble
from p2p_keras.sky_survey.healpix import Partition
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.settings import Resources
from p2p_keras.sky_survey.stages import Job, ModelWorker, PartDone, Units, finish_rows, payload, read_units, unpack

__all__ = ["set_patience", "RayEngine"]

_BLOCK_BYTES = 16 << 20
_LOCAL_STORE = 1 << 30
_MAX_TASKS = 5_000
_MAPS_UNDER_WAY = 256

_PATIENCE = {
    "RAY_raylet_start_wait_time_s": "60",
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_idle_worker_killing_time_threshold_ms": "600000",
}
"""Ray gives its own processes 30 s to start, which is too short on a machine that is busy. And on a node of few cores
it ends readers that had nothing to do for a second and starts others: with two nodes of half a core that took more
processor time than the measuring."""


def set_patience() -> None:
    """Set Ray's patience in the environment, before Ray is imported and its nodes are started; what is set stays."""
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)


class RayEngine:
    """Joins a cluster or starts Ray inside this process, for as long as the ``with`` block lasts.

    A Ray that this process has already started or joined is used and left running.

    Raises
    ------
    UsageError
        The cluster can't be reached, or has no GPU where GPUs are asked for.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.finish_apart = resources.worker_gpus > 0
        self._own = False
        self._running: dict[Any, Partition] = {}
        self._waiting: list[tuple[Partition, list[str], Place]] = []

    def __enter__(self) -> RayEngine:
        set_patience()
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        import ray

        if not ray.is_initialized():
            self._start()
            self._own = True
        if self.finish_apart and not ray.cluster_resources().get("GPU", 0):
            self.__exit__(None, None, None)
            raise UsageError("--worker-gpus: Ray sees no GPU here")
        self._assemble = ray.remote(num_cpus=0, max_retries=-1, scheduling_strategy="SPREAD")(assemble)
        return self

    def _start(self) -> None:
        import ray

        # Ray gives some of its processes 15 s to start, whatever is set: a machine that is busy may need a second try.
        tries = 1 if self.resources.address else 3
        for left in reversed(range(tries)):
            try:
                ray.init(**self._init_options())
                return
            except Exception as error:  # Ray's own kinds, gRPC's and plain exceptions
                ray.shutdown()
                if not left:
                    raise UsageError(f"Ray can't be reached or started: {error.__cause__ or error}") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._own:
            import ray

            ray.shutdown()

    def _init_options(self) -> dict[str, Any]:
        resources = self.resources
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if resources.address:
            return options | {"address": resources.address}
        options |= {
            "include_dashboard": resources.dashboard,
            "object_store_memory": resources.object_store_memory or _LOCAL_STORE,
        }
        # A cluster that this machine has joined isn't meant: without --address the work stays in this process.
        options["address"] = "local"
        if resources.metrics_port is not None:
            options["_metrics_export_port"] = resources.metrics_port
        return options

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """As the built-in `map`, by tasks on the whole cluster."""
        import ray

        remote = ray.remote(num_cpus=self.resources.reader_cpus)(function)
        waiting: list[Any] = []
        for item in items:
            waiting.append(remote.remote(item))
            if len(waiting) >= _MAPS_UNDER_WAY:
                yield ray.get(waiting.pop(0))
        while waiting:
            yield ray.get(waiting.pop(0))

    def measure(self, units: Units, job: Job) -> Iterator[PartDone]:
        """Measure and write parts, yielding each as it is written, in no particular order."""
        cuts = np.array_split(np.arange(len(units)), min(len(units), _MAX_TASKS))
        blocks = [pa.concat_tables([payload(units[i]) for i in cut]) for cut in cuts]
        finish = finish_rows if self.finish_apart else None
        for batch in self.stream(blocks, read_units, _RayWorker, {"job": job}, finish):
            yield from unpack(batch)

    def stream(
        self,
        blocks: Sequence[pa.Table],
        read: Callable[..., Iterator[pa.Table]],
        worker: type,
        shared: dict[str, Any],
        finish: Callable[..., Iterator[pa.Table]] | None = None,
    ) -> Iterator[pa.Table]:
        """Tables through tasks that read, actors and, where there is one, a last stage; all get `shared` by keyword."""
        import ray
        import ray.data

        resources = self.resources
        cpus = max(1, int(ray.cluster_resources().get("CPU", 1)))
        workers = resources.workers or self._worker_count(cpus)
        _set_data_context()
        arrow: dict[str, Any] = {"batch_size": 1, "batch_format": "pyarrow"}
        # Blocks that are there: Ray Data's own sources are tasks that ask for a whole core, and where models have
        # taken the cores they would wait for ever.
        data = ray.data.from_arrow(list(blocks)).map_batches(
            cast(Any, read),
            num_cpus=resources.reader_cpus,
            compute=ray.data.TaskPoolStrategy(size=min(resources.readers or cpus, len(blocks))),
            fn_kwargs=shared,
            **arrow,
        )
        data = data.map_batches(
            worker,
            num_cpus=resources.worker_cpus,
            num_gpus=resources.worker_gpus or None,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers, initial_size=workers),
            fn_constructor_kwargs=shared,
            **arrow,
        )
        if finish is not None:
            data = data.map_batches(cast(Any, finish), num_cpus=resources.reader_cpus, fn_kwargs=shared, **arrow)
        yield from data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)

    def _worker_count(self, cpus: int) -> int:
        import ray

        resources = self.resources
        if resources.worker_gpus:
            return max(1, int(float(ray.cluster_resources()["GPU"]) / resources.worker_gpus + 1e-6))
        return max(1, int(cpus / (resources.worker_cpus + resources.reader_cpus) + 1e-6))

    def assemble(self, partition: Partition, part_files: Sequence[str], output: Place) -> None:
        """Write a partition, all of whose parts are there; while the measuring goes on, a few at a time."""
        self._waiting.append((partition, list(part_files), output))

    def assembled(self, *, wait: bool = False) -> Iterator[tuple[Partition, Done]]:
        """Yield what has been written since; with `wait` all."""
        import ray

        # No core is counted for it: with all of them taken by the stream it would wait for the stream's end.
        limit = max(1, len(ray.nodes()))
        while True:
            while self._waiting and len(self._running) < limit:
                partition, files, output = self._waiting.pop(0)
                self._running[self._assemble.remote(partition, files, output)] = partition
            if not self._running:
                return
            ready, _ = ray.wait(list(self._running), timeout=None if wait else 0)
            for ref in ready:
                yield self._running.pop(ref), ray.get(ref)
            if not ready and not wait:
                return


class _RayWorker(ModelWorker):
    """A worker that tells Ray's metrics, which Prometheus reads, what it has done."""

    def __init__(self, job: Job) -> None:
        from ray.util.metrics import Counter

        super().__init__(job)
        self._parts = Counter("p2p_keras_survey_parts", description="Parts measured.")
        self._rows = Counter("p2p_keras_survey_rows", description="Rows measured (a galaxy in a band).")
        self._failed = Counter("p2p_keras_survey_failed", description="Rows without a profile.")

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        for table in super().__call__(batch):
            for done in unpack(table):
                if isinstance(done, PartDone):
                    self._parts.inc()
                    self._rows.inc(done.rows)
                    if done.failed:
                        self._failed.inc(done.failed)
            yield table


def _set_data_context() -> None:
    from ray.data import DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = _BLOCK_BYTES
    context.target_min_block_size = 1
    # Ray Data ends workers that have nothing to do, also those that have only just started, and starts them again. The
    # number stays, until all inputs have been handed out: then what is idle makes room for what a lost node leaves.
    context.autoscaling_config.actor_pool_util_downscaling_threshold = -1.0
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
