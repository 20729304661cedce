"""The work of a survey without Ray, in this process, one thing after the other: a test's engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

from p2p_keras.sky_survey.assembly import Done, assemble
from p2p_keras.sky_survey.healpix import Partition
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.stages import Job, ModelWorker, PartDone, Units, payload, read_units, unpack


class InlineEngine:
    """As `p2p_keras.sky_survey.ray_engine.RayEngine`, one thing after the other."""

    finish_apart = False

    def __init__(self) -> None:
        self._assembled: list[tuple[Partition, Done]] = []

    def __enter__(self) -> InlineEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """The built-in `map`."""
        return map(function, items)

    def measure(self, units: Units, job: Job) -> Iterator[PartDone]:
        """Measure and write parts, yielding each as it is written."""
        worker = ModelWorker(job)
        for unit in units:
            for read in read_units(payload(unit), job):
                for written in worker(read):
                    yield from unpack(written)

    def assemble(self, partition: Partition, part_files: Sequence[str], output: Place) -> None:
        """Write a partition, all of whose parts are there."""
        self._assembled.append((partition, assemble(partition, part_files, output)))

    def assembled(self, *, wait: bool = False) -> Iterator[tuple[Partition, Done]]:
        """Yield what has been written since."""
        while self._assembled:
            yield self._assembled.pop(0)
