"""Requests to runs: concurrent requests of equal image shape share one run of the model.

There is no timer by default. While a run lasts, requests queue up; the next run takes the oldest and all that fit with
it. A lone request is run at once, and the busier the server, the larger the runs. Requests whose deadline has passed or
whose client is gone are dropped from the queue, not run.

Everything but the run itself happens in the event loop's thread, so nothing here needs a lock.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import grpc
import numpy as np

from p2p_keras.serving.server.limits import Limits
from p2p_keras.serving.server.logs import log
from p2p_keras.serving.server.metrics import Metrics
from p2p_keras.serving.server.refusals import Refusal, exhausted, from_exception
from p2p_keras.serving.server.servable import Servable

__all__ = ["BatchQueue", "Waiting"]

Arrays = dict[str, np.ndarray]


@dataclass(eq=False)
class Waiting:
    """A request in the queue."""

    key: tuple
    servable: Servable
    signature: str
    inputs: Mapping[str, np.ndarray]
    size: int
    elements: int
    deadline: float | None
    answer: asyncio.Future = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    since: float = field(default_factory=time.monotonic)


class BatchQueue:
    """The queue before the model, one for all models: oldest request first."""

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self._limits, self._metrics = limits, metrics
        self._waiting: dict[Waiting, None] = {}  # an ordered set: removal from the middle is cheap
        self._elements = 0
        self._arrived = asyncio.Event()
        self._threads = ThreadPoolExecutor(limits.parallel_runs, thread_name_prefix="run")
        self._workers: list[asyncio.Task] = []

    def start(self) -> None:
        """Begin to run what is queued. Called inside the event loop."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._limits.parallel_runs)]

    async def close(self) -> None:
        """Stop; requests still waiting are cancelled."""
        for worker in self._workers:
            worker.cancel()
        for waiting in list(self._waiting):
            waiting.answer.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def submit(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        *,
        deadline: float | None = None,
    ) -> Arrays:
        """Run a request, alone or with others, and return its outputs.

        Parameters
        ----------
        servable : Servable
        signature : str
        inputs : mapping of str to array, batch first
        deadline : float, optional
            On the clock of `time.monotonic`; a request that still waits then is not run.

        Raises
        ------
        Refusal
            RESOURCE_EXHAUSTED with the queue full, DEADLINE_EXCEEDED, and what the model refuses.
        """
        elements = sum(int(a.size) for a in inputs.values())
        if len(self._waiting) >= self._limits.queue_length:
            raise exhausted(f"{len(self._waiting)} requests are waiting already: try again later")
        if self._waiting and self._elements + elements > self._limits.queue_pixels:
            raise exhausted(f"the waiting requests hold {self._elements} values already: try again later")
        shapes = tuple((name, a.dtype.str, a.shape[1:]) for name, a in sorted(inputs.items()))
        merge = self._limits.batch_size > 1 and servable.mergeable(signature)
        waiting = Waiting(
            key=(id(servable), signature, shapes) if merge else (object(),),
            servable=servable,
            signature=signature,
            inputs=inputs,
            size=next((len(a) for a in inputs.values() if a.ndim), 1),
            elements=elements,
            deadline=deadline,
        )
        self._waiting[waiting] = None
        self._count(elements)
        self._arrived.set()
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            self._metrics.expired.inc()
            raise
        finally:
            if waiting in self._waiting:
                self._remove(waiting)

    def _count(self, elements: int) -> None:
        self._elements += elements
        self._metrics.queue_length.set(len(self._waiting))
        self._metrics.queue_pixels.set(self._elements)

    def _remove(self, waiting: Waiting) -> None:
        del self._waiting[waiting]
        self._count(-waiting.elements)

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._waiting:
                self._arrived.clear()
                continue
            await self._let_others_join()
            batch = self._take()
            if batch:
                await self._run(batch)

    async def _let_others_join(self) -> None:
        if self._limits.batch_wait_s <= 0:
            return
        oldest = next(iter(self._waiting))
        until = oldest.since + self._limits.batch_wait_s
        while (left := until - time.monotonic()) > 0:
            alike = sum(w.size for w in self._waiting if w.key == oldest.key)
            if alike >= self._limits.batch_size or oldest not in self._waiting:
                return
            await asyncio.sleep(min(left, 0.001))

    def _take(self) -> list[Waiting]:
        """Take the oldest request that is still wanted, and all that can share its run, out of the queue."""
        batch: list[Waiting] = []
        size = elements = 0
        now = time.monotonic()
        for waiting in list(self._waiting):
            if waiting.deadline is not None and waiting.deadline <= now:
                self._remove(waiting)
                self._metrics.expired.inc()
                if not waiting.answer.done():
                    waiting.answer.set_exception(
                        Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed while the request waited")
                    )
                continue
            if batch and (
                waiting.key != batch[0].key
                or size + waiting.size > self._limits.batch_size
                or elements + waiting.elements > self._limits.batch_pixels
            ):
                continue
            self._remove(waiting)
            batch.append(waiting)
            size, elements = size + waiting.size, elements + waiting.elements
            self._metrics.queue_seconds.labels(waiting.servable.name).observe(now - waiting.since)
        return batch

    async def _run(self, batch: list[Waiting]) -> None:
        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(self._threads, self._run_merged, batch)
        except Exception as error:
            if len(batch) > 1:
                # One bad image must not cost its neighbours their answers.
                for waiting in batch:
                    if not waiting.answer.done():
                        await self._run([waiting])
                return
            refusal = from_exception(error)
            if refusal.code is grpc.StatusCode.INTERNAL:
                log("run failed", level=logging.ERROR, exc_info=error, model=batch[0].servable.name)
            if not batch[0].answer.done():
                batch[0].answer.set_exception(refusal)
            return
        for waiting, own in zip(batch, outputs, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(own)

    def _run_merged(self, batch: list[Waiting]) -> list[Arrays]:
        """Stack, run, and cut apart again, in a worker thread."""
        first = batch[0]
        sizes = [w.size for w in batch]
        inputs = first.inputs
        if len(batch) > 1:
            inputs = {name: np.concatenate([w.inputs[name] for w in batch]) for name in first.inputs}
        start = time.perf_counter()
        outputs = first.servable.run(first.signature, inputs)
        self._metrics.run_seconds.labels(first.servable.name).observe(time.perf_counter() - start)
        self._metrics.batch_size.labels(first.servable.name).observe(sum(sizes))
        if len(batch) == 1:
            return [outputs]
        ends = np.cumsum(sizes)
        for name, array in outputs.items():
            if len(array) != ends[-1]:
                raise RuntimeError(f"output '{name}' is not batch-first: {array.shape} from a batch of {ends[-1]}")
        return [{k: v[end - n : end] for k, v in outputs.items()} for end, n in zip(ends, sizes, strict=True)]
