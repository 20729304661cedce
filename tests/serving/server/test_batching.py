"""The queue before the model, with a model made of Python: what is merged, dropped and refused."""

from __future__ import annotations

import asyncio
import threading
import time

import numpy as np
import pytest

pytest.importorskip("grpc")
pytest.importorskip("prometheus_client")

import grpc

from p2p_keras.serving.server.batching import BatchQueue
from p2p_keras.serving.server.limits import Limits
from p2p_keras.serving.server.metrics import Metrics
from p2p_keras.serving.server.refusals import Refusal, invalid

CODES = grpc.StatusCode


class FakeServable:
    """Answers the mean of each image; waits for `gate`; refuses negative images."""

    name = "fake"

    def __init__(self):
        self.runs: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def mergeable(self, _signature):
        return True

    def run(self, _signature, inputs):
        self.begun.set()
        self.gate.wait(10)
        image = inputs["image"]
        self.runs.append(len(image))
        if (image < 0).any():
            raise invalid("negative image")
        return {"mean": image.mean(axis=(1, 2))}


def images(*values, size=4):
    """A request of constant images."""
    return {"image": np.stack([np.full((size, size), v, np.float32) for v in values])}


def with_queue(work, **limits):
    """Run `work(queue, servable)` in an event loop, with a queue that has one thread."""

    async def main():
        queue, servable = BatchQueue(Limits(**limits), Metrics()), FakeServable()
        queue.start()
        try:
            return await asyncio.wait_for(work(queue, servable), 20)
        finally:
            servable.gate.set()
            await queue.close()

    return asyncio.run(main())


async def queued(queue, servable, requests, **kwargs):
    """Hold the model, queue the requests behind a first one; returns the tasks."""
    servable.gate.clear()
    first = asyncio.create_task(queue.submit(servable, "", images(0.0)))
    while not servable.begun.is_set():
        await asyncio.sleep(0.001)
    tasks = [asyncio.create_task(queue.submit(servable, "", r, **kwargs)) for r in requests]
    while len(queue._waiting) + sum(t.done() for t in tasks) < len(tasks):
        await asyncio.sleep(0.001)
    return first, tasks


def test_waiting_requests_share_a_run_and_get_their_own_answers():
    """Requests would be run one by one, or answered with each other's outputs."""

    async def work(queue, servable):
        first, tasks = await queued(queue, servable, [images(1.0), images(2.0, 3.0), images(4.0)])
        servable.gate.set()
        await first
        answers = [await t for t in tasks]
        assert servable.runs == [1, 4]
        assert [a["mean"].tolist() for a in answers] == [[1.0], [2.0, 3.0], [4.0]]

    with_queue(work)


@pytest.mark.parametrize(("limits", "runs"), [({"batch_size": 2}, [1, 2, 2]), ({"batch_size": 1}, [1, 1, 1, 1, 1])])
def test_the_batch_size_is_kept(limits, runs):
    """A run could exceed what the machine holds."""

    async def work(queue, servable):
        first, tasks = await queued(queue, servable, [images(float(i)) for i in range(4)])
        servable.gate.set()
        await asyncio.gather(first, *tasks)
        assert servable.runs == runs

    with_queue(work, **limits)


def test_other_shapes_run_apart():
    """Images of different sizes can't be stacked: the run would fail."""

    async def work(queue, servable):
        requests = [images(1.0), images(2.0, size=5), images(3.0), images(4.0, size=5)]
        first, tasks = await queued(queue, servable, requests)
        servable.gate.set()
        await asyncio.gather(first, *tasks)
        assert servable.runs == [1, 2, 2]

    with_queue(work)


def test_one_bad_image_costs_only_itself():
    """A stranger's bad image would fail everybody's request in the same run."""

    async def work(queue, servable):
        first, tasks = await queued(queue, servable, [images(1.0), images(-1.0), images(3.0)])
        servable.gate.set()
        await first
        got = await asyncio.gather(*tasks, return_exceptions=True)
        assert [got[i]["mean"].tolist() for i in (0, 2)] == [[1.0], [3.0]]
        assert isinstance(got[1], Refusal)
        assert got[1].code is CODES.INVALID_ARGUMENT

    with_queue(work)


def test_requests_past_their_deadline_are_not_run():
    """An overloaded server would compute answers that nobody waits for."""

    async def work(queue, servable):
        first, tasks = await queued(queue, servable, [images(1.0)], deadline=time.monotonic())
        servable.gate.set()
        await first
        with pytest.raises(Refusal) as caught:
            await tasks[0]
        assert caught.value.code is CODES.DEADLINE_EXCEEDED
        assert servable.runs == [1]

    with_queue(work)


def test_requests_whose_client_is_gone_are_not_run():
    """A crashed client's queue would be computed all the same."""

    async def work(queue, servable):
        first, tasks = await queued(queue, servable, [images(1.0), images(2.0)])
        tasks[0].cancel()
        await asyncio.sleep(0.01)
        servable.gate.set()
        await asyncio.gather(first, tasks[1])
        assert servable.runs == [1, 1]

    with_queue(work)


@pytest.mark.parametrize("limits", [{"queue_length": 2}, {"queue_pixels": 40}])
def test_a_full_queue_refuses(limits):
    """A server under too much load would fill its memory instead of saying so."""

    async def work(queue, servable):
        first, tasks = await queued(queue, servable, [images(1.0), images(2.0), images(3.0)])
        assert tasks[2].done()
        assert tasks[2].exception().code is CODES.RESOURCE_EXHAUSTED
        servable.gate.set()
        await asyncio.gather(first, *tasks[:2])
        # And takes requests again afterwards.
        await queue.submit(servable, "", images(1.0))

    with_queue(work, **limits)


def test_waiting_for_others_fills_a_run():
    """The option to wait for company would do nothing."""

    async def work(queue, servable):
        tasks = [asyncio.create_task(queue.submit(servable, "", images(1.0)))]
        await asyncio.sleep(0.05)
        tasks.append(asyncio.create_task(queue.submit(servable, "", images(2.0))))
        await asyncio.gather(*tasks)
        assert servable.runs == [2]

    with_queue(work, batch_wait_s=10.0, batch_size=2)
