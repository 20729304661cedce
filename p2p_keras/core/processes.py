"""Work in many processes, its results in order: for `simulate` and `pack`, whose runs take hours.

`predict`'s processes ask for work themselves (`p2p_keras.measure.workers`); they start and end as these do.
What a process does with freed memory is set here too.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, TypeVar

from p2p_keras.core.errors import P2PError

__all__ = [
    "Item",
    "Result",
    "ProcessKilledError",
    "available_cores",
    "in_order",
    "follow_parent",
    "one_thread_each",
    "keep_freed_memory",
    "stopped_as_by_ctrl_c",
]

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 16
"""Items in flight for each process: enough that none waits, few enough that memory stays flat."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_LARGEST_KEPT = 32 * 2**20
"""Bytes: the most that glibc lets this be."""
_MOST_KEPT = 256 * 2**20


class ProcessKilledError(P2PError):
    """A process of the run was ended from outside; what was finished is whole."""

    def __init__(self, kept: str = "finished shards are kept, so run the same command again") -> None:
        super().__init__(f"a worker process was killed (did the memory run out?); {kept}, with fewer --workers")


def available_cores() -> int:
    """Cores that this process may use: fewer than the machine's in a container or a batch system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, math.ceil(_quota())))


_CGROUP = Path("/sys/fs/cgroup")


def _quota() -> float:
    """Cores whose time a container is given, of all that it sees: ``docker run --cpus``, limits in Kubernetes.

    By cgroup 2 (https://docs.kernel.org/admin-guide/cgroup-v2.html, "cpu.max") or 1; without either all cores.
    """
    with contextlib.suppress(OSError, ValueError):
        limit, period = (_CGROUP / "cpu.max").read_text().split()
        return int(limit) / int(period)  # "max": no limit
    with contextlib.suppress(OSError, ValueError):
        given, of = (int((_CGROUP / "cpu" / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        if given > 0:
            return given / of
    return float(os.cpu_count() or 1)


def in_order(
    task: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    setup: Callable[..., None] | None = None,
    setup_arguments: tuple[Any, ...] = (),
) -> Generator[Result, None, None]:
    """Results of a task, in the order of the items; close it to end the processes early.

    Parameters
    ----------
    task : callable
        Of one item; it, the items and the results must be picklable unless there is one worker.
    items : iterable
    workers : int
        Processes; with one, all is done in this process.
    setup : callable, optional
        Called once in each process before the first item, with `setup_arguments`.

    Raises
    ------
    ProcessKilledError
        When a process dies.
    """
    if workers <= 1:
        if setup is not None:
            setup(*setup_arguments)
        yield from map(task, items)
        return
    # Spawned, not forked: whoever calls this may have loaded TensorFlow, whose threads don't survive a fork.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start, (setup, setup_arguments))
    coming: deque[Future[Result]] = deque()
    try:
        for item in items:
            with one_thread_each():  # the first item starts the processes
                coming.append(pool.submit(task, item))
            if len(coming) >= _AHEAD * workers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    except BrokenProcessPool:
        raise ProcessKilledError from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start(setup: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    follow_parent()
    if setup is not None:
        setup(*arguments)


def follow_parent() -> None:
    """In a process of a run: leave interrupts from the keyboard to the parent, and don't outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a forked process has what its parent does at a signal
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed can't tell its children: they would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class one_thread_each:
    """One thread in each process's numerical libraries: the processes already use all cores."""

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, "1"))

    def __exit__(self, *exc: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def keep_freed_memory() -> None:
    """Let freed arrays of an image's size be used again instead of being given back to the system.

    By default each array of more than 128 KiB is asked of the system and given back, and each of its pages costs a
    fault when it is first written: two fifths of what flags and draws take. Memory grows no further than to what was
    in use at one time. For programs, which own their process; without effect where the C library isn't glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        library.mallopt(_M_TRIM_THRESHOLD, _MOST_KEPT)


@contextlib.contextmanager
def stopped_as_by_ctrl_c() -> Iterator[None]:
    """A batch system's SIGTERM keeps what is measured, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
