"""The second table of a FITS file of profiles: a row per galaxy, what its meta holds; one galaxy in memory at a time.

Two passes: the first finds each column's kind and width, the second writes the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from p2p_keras.profile.tables.lists import joined
from p2p_keras.profile.tables.text import to_fits

__all__ = ["write_galaxies_hdu"]

_BLOCK = 1024


@dataclass
class _Kind:
    """What the cells of a column have been so far."""

    count: int = 0
    width: int = 1
    bools: bool = True
    integers: bool = True
    numbers: bool = True

    def see(self, cell: Any) -> None:
        self.count += 1
        self.bools &= isinstance(cell, bool)
        self.integers &= isinstance(cell, int) and not isinstance(cell, bool)
        self.numbers &= isinstance(cell, (int, float))
        if not self.numbers:
            self.width = max(self.width, len(to_fits(str(cell))))

    def formats(self, rows: int) -> tuple[str, str]:
        """FITS format and numpy type; a number that some galaxy lacks is a float, NaN there."""
        whole = self.count == rows
        if self.count and self.bools and whole:
            return "L", "u1"
        if self.count and self.integers and whole:
            return "K", ">i8"
        return ("D", ">f8") if self.count and self.numbers else (f"{self.width}A", f"S{self.width}")


def write_galaxies_hdu(file: BinaryIO, metas: Callable[[], Iterable[Mapping[str, Any]]], name: str) -> None:
    """Append the table to an open FITS file.

    Parameters
    ----------
    file : binary file
        At the end of a whole HDU.
    metas : callable
        Gives the meta of each galaxy, each time it is called.
    name : str
        EXTNAME.
    """
    from astropy.io import fits

    kinds: dict[str, _Kind] = {}
    count = 0
    for meta in metas():
        count += 1
        for key, value in meta.items():
            kinds.setdefault(key, _Kind()).see(_cell(value))
    formats = {key: kind.formats(count) for key, kind in kinds.items()}
    columns = [fits.Column(key, fits_format) for key, (fits_format, _) in formats.items()]
    header = fits.BinTableHDU.from_columns(columns, nrows=0, name=name).header
    header["NAXIS2"] = count
    file.write(header.tostring().encode("ascii"))
    record = np.dtype([(key, kind) for key, (_, kind) in formats.items()])
    for block in _blocks(metas()):
        rows = np.zeros(len(block), dtype=record)
        for key, (fits_format, _) in formats.items():
            rows[key] = [_stored(_cell(meta.get(key)), fits_format) for meta in block]
        file.write(rows.tobytes())
    file.write(b"\0" * (-(count * record.itemsize) % 2880))


def _blocks(metas: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    block: list[Mapping[str, Any]] = []
    for meta in metas:
        block.append(meta)
        if len(block) == _BLOCK:
            yield block
            block = []
    if block:
        yield block


def _cell(value: Any) -> Any:
    """A list as one text (`joined`); other values as they are."""
    return joined(value) if isinstance(value, list) else value


def _stored(cell: Any, fits_format: str) -> Any:
    if fits_format == "L":
        return ord("T") if cell else ord("F")
    if fits_format == "D":
        return np.nan if cell is None else float(cell)
    if fits_format == "K":
        return cell
    return b"" if cell is None else to_fits(str(cell)).encode("ascii")
