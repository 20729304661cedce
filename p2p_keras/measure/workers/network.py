"""One network for several processes: they put batches into shared memory, threads of the parent run them."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from p2p_keras.measure.backends import Backend

__all__ = ["LINES", "ModelName", "NetworkService", "SharedNetwork"]

LINES = 3
"""Batches that a process may have with the network at a time: while one is run it makes tables of another."""


_LONGEST_RUN = 60.0
"""Seconds."""


class ModelName(NamedTuple):
    """What a process knows of the network that its parent runs."""

    name: str
    version: str
    path: Path


class NetworkService:
    """Runs a network for other processes.

    Parameters
    ----------
    backend : Backend
        Runs `Backend.at_once` batches at a time; the others wait.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.model = ModelName(backend.name, backend.version, backend.path)
        self._runs = threading.BoundedSemaphore(backend.at_once)
        self._threads: list[threading.Thread] = []
        self._closing = False

    def new_lines(self) -> list[Connection]:
        """What one process needs for its `SharedNetwork`; to be closed here once the process has them."""
        theirs = []
        for _ in range(LINES):
            ours, other = Pipe()
            # A thread for each line: all but `at_once` of them wait. It ends with the process at the other end.
            thread = threading.Thread(target=self._serve, args=(ours,), name="network", daemon=True)
            thread.start()
            self._threads.append(thread)
            theirs.append(other)
        return theirs

    def close(self) -> None:
        """Wait for the runs that are going on, once the processes have ended.

        A thread that is within ONNX Runtime while Python ends takes the whole process with it.
        """
        self._closing = True
        for thread in self._threads:
            thread.join(_LONGEST_RUN)
        self._threads, self._closing = [], False

    def _serve(self, line: Connection) -> None:
        block: SharedMemory | None = None
        with line, contextlib.suppress(EOFError, OSError):  # of a process that has ended
            while True:
                shape, name, zero_point, pixel_scale = line.recv()
                if name is None:
                    answer = self._answer(np.frombuffer(line.recv_bytes(), np.float32), shape, zero_point, pixel_scale)
                else:
                    if block is None or block.name != name:
                        block = _exchanged(block, SharedMemory(name))
                        block.unlink()  # both sides have it now, and nothing is left behind whoever is killed
                    answer = self._answer(block.buf, shape, zero_point, pixel_scale)
                if self._closing:
                    break
                line.send(answer)
        if block is not None:
            block.close()

    def _answer(self, values: Any, shape: tuple[int, ...], zero_point: np.ndarray, pixel_scale: np.ndarray) -> Any:
        """What the network says, or in words why it says nothing."""
        pixels = np.ndarray(shape, np.float32, values)
        with self._runs:
            if self._closing:
                return "the run has ended"
            try:
                return self.backend.run(pixels, zero_point, pixel_scale)
            except Exception as error:  # ONNX Runtime's own errors have no common base class
                return f"{type(error).__name__}: {error}"


class SharedNetwork:
    """In a worker process: a `Backend` whose batches the parent runs.

    Parameters
    ----------
    model : ModelName
    lines : sequence of Connection
        Of `NetworkService.new_lines`.
    """

    def __init__(self, model: ModelName, lines: Sequence[Connection]) -> None:
        self.name, self.version, self.path = model
        self.at_once, self.survives_fork = len(lines), False
        self._free: queue.SimpleQueue[_Line] = queue.SimpleQueue()
        for line in lines:
            self._free.put(_Line(line))

    def run(self, image: np.ndarray, zero_point: np.ndarray, pixel_scale: np.ndarray) -> dict[str, np.ndarray]:
        """Measure a batch, see `Backend.run`."""
        line = self._free.get()
        try:
            return line.run(np.ascontiguousarray(image, np.float32), zero_point, pixel_scale)
        finally:
            self._free.put(line)


class _Line:
    """A connection with the shared memory for its batches."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._block: SharedMemory | None = None
        self._none_left = False

    def run(self, image: np.ndarray, zero_point: np.ndarray, pixel_scale: np.ndarray) -> dict[str, np.ndarray]:
        block = self._room_for(image.nbytes)
        if block is None:
            self._connection.send((image.shape, None, zero_point, pixel_scale))
            self._connection.send_bytes(image.data.cast("B"))
        else:
            np.copyto(np.ndarray(image.shape, np.float32, block.buf), image)
            self._connection.send((image.shape, block.name, zero_point, pixel_scale))
        answer = self._connection.recv()
        if isinstance(answer, str):
            raise RuntimeError(f"the network failed: {answer}")
        return answer

    def _room_for(self, size: int) -> SharedMemory | None:
        """Shared memory of so many bytes; None where the system gives none: then pixels go through the pipe."""
        if self._none_left or (self._block is not None and self._block.size >= size):
            return None if self._none_left else self._block
        try:
            block = SharedMemory(create=True, size=size)
            _claim(block.name, size)
            self._block = _exchanged(self._block, block)
        except OSError:
            self._none_left = True
            return None
        return self._block


def _claim(name: str, size: int) -> None:
    """Claim the memory now: a container may have only 64 MB of it, and would kill the process that writes more."""
    try:
        file = os.open(f"/dev/shm/{name}", os.O_RDWR)
    except FileNotFoundError:  # not Linux
        return
    try:
        os.posix_fallocate(file, 0, size)
    except OSError:
        SharedMemory(name).unlink()
        raise
    finally:
        os.close(file)


def _exchanged(old: SharedMemory | None, new: SharedMemory) -> SharedMemory:
    if old is not None:
        old.close()
    return new
