"""What is left to measure, what is with which process, and results in the order of the files."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from p2p_keras.core.errors import InputError
from p2p_keras.images.targets import InputFile, Target
from p2p_keras.measure.many_files import Prediction
from p2p_keras.measure.reading_ahead import unplaced_error
from p2p_keras.measure.workers.worker import Item, Result

__all__ = ["InWork", "Jobs"]

_TARGETS_AT_ONCE = 1024
"""Galaxies of one file that a process is given at a time."""
_PACKED = (".gz", ".bz2", ".fz", ".xz", ".z", ".zip")
"""Files that are unpacked, in up to a second, for each part in which their galaxies are handed out."""
_FEWEST_AT_ONCE = 32
_MOST_WAITING = 5000
"""Results that wait for one before them; images of rare shapes may come as the very last."""
_WHOLE = -1

Key = tuple[int, int]
InWork = dict[Key, Item]
"""Galaxies that a process has, by the numbers of file and target, each as an item of its own."""


class Jobs:
    """The files of a run, handed out and ticked off.

    Parameters
    ----------
    inputs : sequence of InputFile
    candidates : tuple of Target
        Of the first file: processes know them.
    parts : int
        Into how many parts a file of many galaxies is divided at least; a packed one where files are fewer.
    skip : callable, optional
        As of `p2p_keras.measure.many_files.predict_inputs`.
    """

    def __init__(
        self,
        inputs: Sequence[InputFile],
        candidates: tuple[Target, ...],
        parts: int,
        skip: Callable[[str, Target], bool] | None,
    ) -> None:
        self._inputs = enumerate(inputs)
        self._parts_of_packed = math.ceil(parts / max(1, len(inputs)))
        self._candidates = candidates
        self._parts, self._skip = parts, skip
        self._ready: deque[Item] = deque()
        self._files: dict[int, InputFile] = {}
        self._order: dict[int, deque[int]] = {}
        self._results: dict[Key, Prediction] = {}
        self._early: set[Key] = set()
        self._again: set[Key] = set()
        self._unplaced = {id(target): target for target in candidates}
        self._next = 0
        self._left = self._placing = 0
        self._all_read = False

    @property
    def handed_out(self) -> bool:
        """Whether nothing is left to hand out, nor will be unless a process is killed."""
        return self._all_read and not self._ready and not self._placing

    @property
    def finished(self) -> bool:
        """Whether every result is there."""
        return self.handed_out and not self._left

    def take(self, galaxies: int, in_work: InWork) -> list[Item]:
        """The next items, so many galaxies or a little more; nothing where none is ready."""
        items: list[Item] = []
        while galaxies > 0 and (item := self._pop()) is not None:
            items.append(item)
            if item.which is None:
                in_work[item.number, _WHOLE] = item
            else:
                for index, target in zip(item.which, item.targets, strict=True):
                    in_work[item.number, index] = Item(item.number, item.path, (index,), (target,))
            galaxies -= max(1, len(item.targets)) if item.which is not None else galaxies
        return items

    def _pop(self) -> Item | None:
        while not self._ready and not self._all_read:
            number, file = next(self._inputs, (-1, None))
            if file is None:
                self._all_read = True
                break
            self._files[number] = file
            if file.targets is None:
                self._placing += 1
                others = () if file.candidates is self._candidates else file.candidates
                self._ready.append(Item(number, file.path, None, others))
            else:
                self._divide(number, dict(enumerate(file.targets)))
        return self._ready.popleft() if self._ready else None

    def _divide(self, number: int, targets: dict[int, Target]) -> None:
        """Make items of a file's galaxies, less those that the output has already."""
        path = self._files[number].path
        if self._skip is not None:
            skip = self._skip
            targets = {index: target for index, target in targets.items() if not skip(path, target)}
        self._order[number] = deque(targets)
        self._left += len(targets)
        parts = self._parts_of_packed if path.lower().endswith(_PACKED) else self._parts
        size = min(max(-(-len(targets) // parts), _FEWEST_AT_ONCE), _TARGETS_AT_ONCE)
        index = list(targets)
        for start in range(0, len(index), size):
            part = tuple(index[start : start + size])
            self._ready.append(Item(number, path, part, tuple(targets[i] for i in part)))

    def placed(self, number: int, held: tuple[bool, ...], error: InputError | None, in_work: InWork) -> None:
        """Take note of which candidates lie on a file."""
        if in_work.pop((number, _WHOLE), None) is None:
            return
        self._placing -= 1
        file = self._files[number]
        if error is not None:
            self._left += 1
            self._order[number] = deque([_WHOLE])
            self._put((number, _WHOLE), Prediction(file.path, error=error))
            return
        targets = {i: target for i, target in enumerate(file.candidates) if held[i]}
        for target in targets.values():
            self._unplaced.pop(id(target), None)
        self._divide(number, targets)

    def done(self, results: list[Result], in_work: InWork) -> None:
        """Take results of a process."""
        for result in results:
            item = in_work.pop((result.number, result.which), None)
            if item is not None:
                one = Prediction(item.path, result.image, result.measured, result.error, item.targets[0])
                self._put((result.number, result.which), one)

    def lost(self, in_work: InWork) -> None:
        """Hand out again what a killed process had; what is lost a second time has failed."""
        killed = "the process that measured it was killed (did the memory run out?); try again, with fewer --workers"
        for key, item in in_work.items():
            if key not in self._again:
                self._again.add(key)
                self._ready.appendleft(item)
            elif item.which is None:
                self.placed(key[0], (), InputError(item.path, killed), {key: item})
            else:
                self._put(key, Prediction(item.path, error=InputError(item.path, killed), target=item.targets[0]))
        in_work.clear()

    def _put(self, key: Key, one: Prediction) -> None:
        self._results[key] = one
        self._left -= 1

    def results(self) -> Iterator[Prediction]:
        """Results that have come, in the order of the files and their galaxies."""
        while (order := self._order.get(self._next)) is not None:
            while order and ((key := (self._next, order[0])) in self._results or key in self._early):
                order.popleft()
                if key in self._early:
                    self._early.remove(key)
                else:
                    yield self._results.pop(key)
            if order:
                break
            del self._order[self._next], self._files[self._next]
            self._next += 1
        if len(self._results) > _MOST_WAITING:
            for key in sorted(self._results)[: _MOST_WAITING // 2]:
                self._early.add(key)
                yield self._results.pop(key)

    def unplaced(self) -> Iterator[Prediction]:
        """Candidates that no file shows, at the end."""
        for target in self._unplaced.values():
            yield Prediction(target.label, error=unplaced_error(target), target=target)
