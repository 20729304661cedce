"""What the meta of galaxies hold, as a table with a row per galaxy: the summary, and the second table of a FITS file.

Two passes over the galaxies: the first finds each column's kind and width, the second its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.profile.tables.text import joined

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Metas", "meta_columns", "meta_table"]

Metas = Callable[[], Iterable[Mapping[str, Any]]]
"""Gives the meta of each galaxy, each time it is called."""

_BLOCK = 1024
_LONGEST_NUMBER = 24


@dataclass
class _Kind:
    """What the cells of a column are."""

    count: int = 0
    width: int = 1
    types: set[type] = field(default_factory=set)

    def add(self, cell: Any, text: Callable[[str], str]) -> None:
        self.count += 1
        self.types.add(type(cell))
        if isinstance(cell, str):
            self.width = max(self.width, len(text(cell)))

    def dtype(self, rows: int) -> np.dtype:
        """Text, or a kind of number; a float (NaN) where some galaxy lacks the number."""
        if self.count == rows and self.types in ({bool}, {int}):
            return np.dtype(bool if self.types == {bool} else np.int64)
        if self.types and self.types <= {bool, int, float}:
            return np.dtype(float)
        return np.dtype(f"U{self.width if self.types <= {str} else max(self.width, _LONGEST_NUMBER)}")


def meta_columns(
    metas: Metas, text: Callable[[str], str] = str
) -> tuple[dict[str, np.dtype], int, Iterator[dict[str, np.ndarray]]]:
    """The columns of the table; text passes through `text`.

    Parameters
    ----------
    metas : callable
    text : callable

    Returns
    -------
    kinds : dict of str to dtype
        bool, int64, float64 or text.
    count : int
        Rows.
    blocks : iterator of dict of str to array
        The columns, a thousand rows at a time; lists are joined to one text, what a galaxy lacks is NaN or ''.
    """
    seen: dict[str, _Kind] = {}
    count = 0
    for count, meta in enumerate(metas(), start=1):  # noqa: B007 - it is used below
        for key, value in meta.items():
            if value is not None:
                seen.setdefault(key, _Kind()).add(_cell(value), text)
            elif key not in seen:
                seen[key] = _Kind()
    kinds = {key: kind.dtype(count) for key, kind in seen.items()}
    galaxies = iter(metas())
    return kinds, count, (_block(rows, kinds, text) for rows in iter(lambda: list(islice(galaxies, _BLOCK)), []))


def _block(
    metas: Sequence[Mapping[str, Any]], kinds: Mapping[str, np.dtype], text: Callable[[str], str]
) -> dict[str, np.ndarray]:
    block = {}
    for key, kind in kinds.items():
        cells = [_cell(meta.get(key)) for meta in metas]
        if kind.kind == "U":
            cells = ["" if cell is None else text(str(cell)) for cell in cells]
        block[key] = np.array(cells, dtype=kind)  # None becomes NaN
    return block


def _cell(value: Any) -> Any:
    """A list as one text (`joined`); other values as they are."""
    return joined(value) if isinstance(value, list) else value


def meta_table(metas: Metas, units_of: Callable[[Sequence[str]], Mapping[str, str]] | None = None) -> Table:
    """The table in memory, with units where `units_of` gives one for the name of a column of numbers."""
    from astropy.table import Table

    kinds, _, blocks = meta_columns(metas)
    parts = list(blocks)
    table = Table()
    units = units_of(list(kinds)) if units_of else {}
    for key, kind in kinds.items():
        table[key] = np.concatenate([part.pop(key) for part in parts])
        if key in units and kind.kind in "fi":
            table[key].unit = units[key]
    return table
