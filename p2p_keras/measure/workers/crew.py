"""Processes that measure many files, and their parent, which has the network and writes what they send."""

from __future__ import annotations

import contextlib
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from p2p_keras.core.processes import ProcessKilledError, available_cores, one_thread_each
from p2p_keras.images.targets import InputFile, Target
from p2p_keras.measure.backends import Backend
from p2p_keras.measure.many_files import Finish, Measurer, Prediction
from p2p_keras.measure.predictor import DEFAULT_BATCH_SIZE
from p2p_keras.measure.workers.jobs import InWork, Jobs
from p2p_keras.measure.workers.network import NetworkService
from p2p_keras.measure.workers.worker import Task, work

__all__ = ["Crew", "can_fork", "default_workers"]

_CORES_PER_WORKER = 3
"""Of three cores one reads and makes tables, and two run the network (docs/speed.md, "More cores")."""
_GALAXIES_PER_WORKER = 200
"""A process takes a second to start."""
_GALAXIES_PER_FORK = 128
"""A forked one a few milliseconds, but files are read before the model is there only by threads."""

_NEEDED = ("p2p_keras.images.frame", "p2p_keras.profile.flags", "p2p_keras.profile.tables.building", "scipy.special")
"""Modules that each process would import at its first galaxy."""


def _import_needed() -> None:
    for module in _NEEDED:
        import_module(module)


def default_workers(galaxies: int, backend: Callable[[], Backend] | None = None) -> int:
    """Processes for a run of so many galaxies; 1 means threads of this process.

    Parameters
    ----------
    galaxies : int
    backend : callable, optional
        Gives the network; it is asked for only where that makes a difference.
    """
    cores = available_cores()
    forks = min(cores, galaxies // _GALAXIES_PER_FORK)
    if forks > 1 and backend is not None:
        _import_needed()  # while the network is loaded
        forks = min(forks, backend().at_once)
        if can_fork(backend(), forks):
            return forks
    if cores <= 2:
        return 1
    return max(1, min(max(2, math.ceil(cores / _CORES_PER_WORKER)), galaxies // _GALAXIES_PER_WORKER))


def can_fork(backend: Backend, workers: int) -> bool:
    """Whether so many processes can be forked and run the network themselves: on Linux, while TensorFlow isn't loaded.

    On macOS the system's own libraries don't survive a fork, and TensorFlow's threads don't anywhere.
    """
    apart = backend.survives_fork and workers <= backend.at_once
    return apart and sys.platform == "linux" and "tensorflow" not in sys.modules


@dataclass
class _Member:
    """One process, and what it has."""

    process: BaseProcess
    control: Connection
    in_work: InWork = field(default_factory=dict)
    asked: bool = False
    has_asked: bool = False


class Crew:
    """Measures many files with several processes.

    Parameters
    ----------
    make : callable
        Makes what measures, in each process, of a `Backend`; picklable.
    workers : int
    backend : Backend, optional
        The network. Processes that can be forked with it run it themselves, each with one thread; for others it runs
        in this process. None where none is needed.
    """

    def __init__(self, make: Callable[[Any], Measurer], workers: int, backend: Backend | None = None) -> None:
        self.make, self.workers = make, workers
        self._own = backend if backend is not None and can_fork(backend, workers) else None
        self._service = None if backend is None or self._own is not None else NetworkService(backend)
        self._members: dict[Connection, _Member] = {}
        self._died_young = 0

    def predict_inputs(
        self,
        inputs: Iterable[InputFile],
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        readers: int = 4,
        skip: Callable[[str, Target], bool] | None = None,
        finish: Finish | None = None,
        with_images: bool = False,
    ) -> Iterator[Prediction]:
        """`p2p_keras.measure.many_files.predict_inputs`, of which it has the arguments; `finish` must be picklable.

        A process that is killed is replaced, and what it had is measured again, once.

        Parameters
        ----------
        with_images : bool
            Whether predictions have their images.

        Yields
        ------
        Prediction
            In the order of the files and their galaxies, but for those that 5,000 others would have to wait for.

        Raises
        ------
        UsageError
            The options contradict each other.
        ProcessKilledError
            Processes are killed before they have begun, more of them than there are workers.
        """
        inputs = list(inputs)
        candidates = inputs[0].candidates if inputs else ()
        readers = max(1, readers // self.workers)
        alone = self._own is not None
        task = Task(self.make, finish, batch_size, readers, with_images, candidates, alone)
        jobs = Jobs(inputs, candidates, self.workers, skip)
        try:
            for _ in range(self.workers):
                self._start(task)
            while not jobs.finished:
                for control in wait(list(self._members)):
                    self._hear(self._members[control], jobs, task)  # type: ignore[index]
                self._hand_out(jobs, batch_size)
                yield from jobs.results()
            yield from jobs.results()
            yield from jobs.unplaced()
        finally:
            self._end()

    def _start(self, task: Task) -> None:
        # Forked where the network survives it: what is imported and loaded is there at once, and in memory only once.
        if self._own is not None:
            _import_needed()
        control, theirs = Pipe()
        lines = [] if self._service is None else self._service.new_lines()
        model = None if self._service is None else self._service.model
        arguments = (theirs, lines, model, task, self._own)
        context = get_context("spawn" if self._own is None else "fork")
        process = context.Process(target=work, args=arguments, name="measure", daemon=True)  # type: ignore[attr-defined]
        try:
            with one_thread_each(), warnings.catch_warnings():
                # Python warns of a fork beside threads: those of OpenBLAS, which knows how to be forked.
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
        finally:
            for end in (theirs, *lines):
                end.close()
        self._members[control] = _Member(process, control)

    def _hear(self, member: _Member, jobs: Jobs, task: Task) -> None:
        """Take one message of a process, or note that it has ended."""
        try:
            kind, content = member.control.recv()
        except (EOFError, OSError):
            del self._members[member.control]
            member.control.close()
            if not member.has_asked:
                self._died_young += 1
                if self._died_young > self.workers:
                    raise ProcessKilledError("galaxies measured so far are kept, and --resume continues") from None
            jobs.lost(member.in_work)
            if not jobs.handed_out:
                self._start(task)
            return
        if kind == "more":
            member.asked = member.has_asked = True
        elif kind == "done":
            jobs.done(content, member.in_work)
        elif kind == "placed":
            number, held, refusal = content
            jobs.placed(number, held, refusal, member.in_work)
        elif kind == "error":
            raise content
        else:
            raise RuntimeError(f"in a worker process:\n{content}")

    def _hand_out(self, jobs: Jobs, galaxies: int) -> None:
        """Give work to who asks for it; who has asked in vain waits for the next."""
        for member in self._members.values():
            if not member.asked:
                continue
            items = jobs.take(galaxies, member.in_work)
            if items or jobs.handed_out:
                member.asked = False
                with contextlib.suppress(OSError):  # of one that was killed: its end is heard next
                    member.control.send(items or None)

    def _end(self) -> None:
        for member in self._members.values():
            member.process.terminate()
        for member in self._members.values():
            member.process.join(5.0)
            if member.process.exitcode is None:
                member.process.kill()
            member.control.close()
        self._members.clear()
        if self._service is not None:
            self._service.close()
