"""What a worker process does: it asks for files, measures their galaxies and sends the profiles back."""

from __future__ import annotations

import contextlib
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.core.processes import follow_parent, keep_freed_memory
from p2p_keras.images.targets import InputFile, Target
from p2p_keras.measure.backends import Backend
from p2p_keras.measure.many_files import Finish, Measurer, predict_inputs
from p2p_keras.measure.reading_ahead import OpenedFile, SharedFrame
from p2p_keras.measure.workers.network import LINES, ModelName, SharedNetwork

__all__ = ["Item", "Result", "Task", "work"]

_RESULTS_AT_ONCE = 8


class Item(NamedTuple):
    """Galaxies of one file that a process is given.

    Attributes
    ----------
    number : int
        Of the file.
    path : str
    which : tuple of int or None
        Numbers of the targets. None: say which of the candidates lie on the file.
    targets : tuple of Target
    """

    number: int
    path: str
    which: tuple[int, ...] | None
    targets: tuple[Target, ...]


class Result(NamedTuple):
    """What became of one galaxy, by the numbers of its file and target."""

    number: int
    which: int
    measured: Any
    error: P2PError | None
    image: Any


@dataclass(frozen=True)
class Task:
    """What all workers of a run are told; it must be picklable.

    Attributes
    ----------
    make : callable
        Makes what measures, of a `Backend` (None where no network is needed).
    finish : callable or None
        See `p2p_keras.measure.many_files.predict_inputs`.
    batch_size, readers : int
        Of one process.
    with_images : bool
        Send the images back too: for drawings.
    candidates : tuple of Target
        Galaxies whose file isn't known.
    alone : bool
        Each process has a core of its own for all that it does, the network as well.
    """

    make: Callable[[Any], Measurer]
    finish: Finish | None
    batch_size: int
    readers: int
    with_images: bool
    candidates: tuple[Target, ...] = ()
    alone: bool = False


def work(
    control: Connection, lines: Sequence[Connection], model: ModelName | None, task: Task, own: Backend | None = None
) -> None:
    """Measure until there is no more; the main function of a process.

    Parameters
    ----------
    control : Connection
        To the parent: ``("more", None)`` is answered by a list of `Item` or by None; ``("placed", ...)``,
        ``("done", [Result, ...])``, ``("error", P2PError)`` and ``("broken", text)`` have no answer.
    lines : sequence of Connection
        To the network.
    model : ModelName or None
    task : Task
    own : Backend, optional
        In a forked process: the network that it has from its parent and runs itself.
    """
    from astropy.utils.exceptions import AstropyWarning

    follow_parent()
    keep_freed_memory()
    warnings.simplefilter("ignore", AstropyWarning)  # as in the program
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):  # of a parent that has ended
        try:
            _Worker(control, task, own if model is None else SharedNetwork(model, lines)).run()
        except P2PError as error:
            control.send(("error", error))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception:
            control.send(("broken", traceback.format_exc()))


class _Worker:
    def __init__(self, control: Connection, task: Task, network: Backend | None) -> None:
        self.control, self.task = control, task
        # One core has nothing to gain by threads but those that wait for a disk.
        self.batches_ahead = 0 if task.alone else LINES
        self.measurer = task.make(network)
        self.results: list[Result] = []
        self.places: dict[int, tuple[int, int]] = {}
        self.kept: SharedFrame | None = None

    def run(self) -> None:
        task = self.task
        predictions = predict_inputs(
            self.measurer,
            self._inputs(),
            batch_size=task.batch_size,
            readers=task.readers,
            finish=task.finish,
            batches_ahead=self.batches_ahead,
            masked_apart=True,
        )
        for one in predictions:
            number, which = self.places.pop(id(one.target))
            image = one.image if task.with_images else None
            self.results.append(Result(number, which, one.measured, one.error, image))
            if len(self.results) >= _RESULTS_AT_ONCE:
                self._send_results()
        self._send_results()

    def _inputs(self) -> Iterator[InputFile]:
        """Files as they are asked for, one after the other."""
        while True:
            self._send_results()
            self.control.send(("more", None))
            items = self.control.recv()
            if items is None:
                return
            for item in items:
                if item.which is None:
                    self._place(item)
                    continue
                # Each galaxy is known by its target, so one that stands for many files is copied.
                targets = tuple(replace(target) for target in item.targets)
                self.places.update(
                    {id(target): (item.number, which) for target, which in zip(targets, item.which, strict=True)}
                )
                if self.kept is not None and self.kept.path == item.path:
                    opened, self.kept = self.kept, None
                    yield OpenedFile(item.path, targets, opened=opened)
                else:
                    yield InputFile(item.path, targets)

    def _place(self, item: Item) -> None:
        """Say which candidates lie on a file, and keep it open: nearly always they come to this process next."""
        frame = SharedFrame(item.path)
        error: InputError | None = None
        held: tuple[bool, ...] = ()
        try:
            held = tuple(bool(on_it) for on_it in frame.open().holds(item.targets or self.task.candidates))
        except InputError as refusal:
            error = refusal
        if not any(held):
            frame.close()
        else:
            if self.kept is not None:
                self.kept.close()
            self.kept = frame
        self.control.send(("placed", (item.number, held, error)))

    def _send_results(self) -> None:
        if self.results:
            self.control.send(("done", self.results))
            self.results = []
