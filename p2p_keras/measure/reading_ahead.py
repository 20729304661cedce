"""Images of many files in their order, read by threads before they are asked for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.images.targets import InputFile

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage, Target

__all__ = ["Result", "Cutting", "OpenedFile", "SharedFrame", "read_ahead", "unplaced_error"]

_CHUNK = 8
"""Galaxies of one file that a thread cuts out at a time."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cutting:
    """One galaxy's image, or why there is none; without a target it is the whole file that failed."""

    source: str
    target: Target | None = None
    image: GalaxyImage | None = None
    error: InputError | None = None


def read_ahead(
    inputs: Iterable[InputFile],
    *,
    readers: int = 4,
    ahead: int = 32,
    skip: Callable[[str, Target], bool] | None = None,
) -> Iterator[Cutting]:
    """Yield the galaxies of files one by one, up to `ahead` of them read before they are asked for.

    A file with many galaxies is opened once and stays open until the last of them is cut out; of such files one is
    opened in advance.

    Raises
    ------
    UsageError
        A target's options contradict each other.
    """
    pool = ThreadPoolExecutor(max_workers=max(1, readers), thread_name_prefix="read")
    unplaced: dict[int, Target] = {}

    def jobs() -> Iterator[Callable[[], list[Cutting]]]:
        for opened in _in_order(pool, _openings(inputs, skip, unplaced), ahead=1):
            yield from opened

    try:
        for cuttings in _in_order(pool, jobs(), ahead=max(1, ahead)):
            yield from cuttings
        for target in unplaced.values():
            yield Cutting(target.label, target, error=unplaced_error(target))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def unplaced_error(target: Target) -> InputError:
    """What is said of a target that no file shows."""
    return InputError(f"{target.label} ({target.name})", target.problem or "lies on none of the images")


def _in_order(pool: ThreadPoolExecutor, jobs: Iterable[Callable[[], Result]], ahead: int) -> Iterator[Result]:
    """Results of jobs in their order; `ahead` galaxies (a job counts as many as its ``size``) are in work."""
    waiting: deque[tuple[Future[Result], int]] = deque()
    in_work = 0
    for job in jobs:
        size = int(getattr(job, "size", 1))
        waiting.append((pool.submit(job), size))
        in_work += size
        while in_work > ahead:
            future, size = waiting.popleft()
            in_work -= size
            yield future.result()
    while waiting:
        yield waiting.popleft()[0].result()


def _openings(
    inputs: Iterable[InputFile], skip: Callable[[str, Target], bool] | None, unplaced: dict[int, Target]
) -> Iterator[Callable[[], list[_Cut]]]:
    """What opens each file, and gives the jobs that cut its galaxies out."""
    for number, file in enumerate(inputs):
        if number == 0:
            unplaced.update({id(target): target for target in file.candidates})
        yield _Opening(file, skip, unplaced)


class _Opening:
    """Finds the targets of one file and splits them into jobs."""

    def __init__(
        self, file: InputFile, skip: Callable[[str, Target], bool] | None, unplaced: dict[int, Target]
    ) -> None:
        self.file, self.skip, self.unplaced = file, skip, unplaced

    def __call__(self) -> list[_Cut]:
        shared = self.file.opened if isinstance(self.file, OpenedFile) else SharedFrame(self.file.path)
        targets = self.file.targets
        if targets is None:
            try:
                held = shared.open().holds(self.file.candidates)
            except InputError as error:
                shared.close()
                return [_Cut(shared, [], error)]
            targets = tuple(t for t, on_it in zip(self.file.candidates, held, strict=True) if on_it)
            for target in targets:
                self.unplaced.pop(id(target), None)
        if self.skip is not None:
            skip = self.skip
            targets = tuple(target for target in targets if not skip(self.file.path, target))
        if not targets:
            shared.close()
        shared.left = len(targets)
        return [_Cut(shared, list(targets[i : i + _CHUNK])) for i in range(0, len(targets), _CHUNK)]


class SharedFrame:
    """A file that is opened when first needed and closed when the last of its galaxies is done.

    Parameters
    ----------
    path : str

    Attributes
    ----------
    left : int
        Galaxies that are still to be cut out.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.left = 0
        self._lock = threading.Lock()
        self._stack = ExitStack()
        self._frame: Any = None
        self._error: InputError | None = None

    def open(self) -> Any:
        """The frame; raises the same error each time where it can't be opened."""
        from p2p_keras.images.frame import open_frame

        with self._lock:
            if self._error is not None:
                raise self._error
            if self._frame is None:
                try:
                    self._frame = self._stack.enter_context(open_frame(self.path))
                except InputError as error:
                    self._error = error
                    raise
            return self._frame

    def done(self, count: int) -> None:
        """Count galaxies that were cut out."""
        with self._lock:
            self.left -= count
            last = self.left <= 0
        if last:
            self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._frame = None
            self._stack.close()


@dataclass(frozen=True)
class OpenedFile(InputFile):
    """A file that may be open already.

    Attributes
    ----------
    opened : SharedFrame
    """

    opened: SharedFrame = field(kw_only=True)


class _Cut:
    """Cuts some galaxies out of a file."""

    def __init__(self, shared: SharedFrame, targets: list[Target], error: InputError | None = None) -> None:
        self.shared, self.targets, self.error = shared, targets, error
        self.size = max(1, len(targets))

    def __call__(self) -> list[Cutting]:
        if self.error is not None:
            return [Cutting(self.shared.path, error=self.error)]
        try:
            return [self._one(target) for target in self.targets]
        finally:
            self.shared.done(len(self.targets))

    def _one(self, target: Target) -> Cutting:
        path = self.shared.path
        where = f"{path} ({target.label}, {target.name})" if target.label else path
        try:
            if target.problem:
                raise InputError(path, target.problem)
            image = self.shared.open().image(**target.image_options())
            return Cutting(path, target, image.without_empty_margins())
        except InputError as error:
            # Named as the user named it, also where a mask or another file beside it is at fault.
            cause = error.cause if error.source == path else str(error)
            kept = error.source == path and not target.label
            return Cutting(path, target, error=error if kept else InputError(where, cause))
        except UsageError as error:
            if not target.label:
                raise
            return Cutting(path, target, error=InputError(where, str(error)))
        except MemoryError:
            return Cutting(path, target, error=InputError(where, "not enough memory to read it"))
