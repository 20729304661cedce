"""Tables of galaxies written piece by piece: ECSV, FITS, Parquet and CSV, each as astropy reads it.

astropy's own writers hold a whole table, and more than once; these hold one galaxy at a time. What they write is what
astropy's writers would: a test reads it back by astropy alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np

from p2p_keras.profile.columns import ALL_COLUMN_UNITS, COLUMN_DESCRIPTIONS, COLUMN_UNITS
from p2p_keras.profile.tables.fits_galaxies import write_galaxies_hdu
from p2p_keras.profile.tables.lists import joined
from p2p_keras.profile.tables.measured import MeasuredProfile
from p2p_keras.profile.tables.text import to_fits, yaml_quoted
from p2p_keras.profile.tables.text_lengths import length_key

__all__ = ["GALAXIES", "Galaxies", "ListedGalaxies", "write_galaxies", "meta_table"]

GALAXIES = "galaxies"
"""Key of a table's meta, and name of the second HDU, that holds the meta of each galaxy."""

_BLOCK_ROWS = 65536


class Galaxies(Protocol):
    """What can be written: a `p2p_keras.profile.tables.spool.Spool`, or `ListedGalaxies`."""

    def galaxies(self) -> Iterator[MeasuredProfile]:
        """Each galaxy; can be gone through again."""

    def metas(self) -> Iterator[dict[str, Any]]:
        """Meta of each galaxy."""

    def column_names(self) -> list[str]:
        """Columns that any galaxy has."""


class ListedGalaxies:
    """Galaxies in memory."""

    def __init__(self, galaxies: Sequence[MeasuredProfile]) -> None:
        self._galaxies = galaxies

    def galaxies(self) -> Iterator[MeasuredProfile]:
        """Each galaxy."""
        return iter(self._galaxies)

    def metas(self) -> Iterator[dict[str, Any]]:
        """Meta of each galaxy."""
        return (galaxy.meta for galaxy in self._galaxies)

    def column_names(self) -> list[str]:
        """Columns that any galaxy has."""
        return list(dict.fromkeys(name for galaxy in self._galaxies for name in galaxy.columns))


def write_galaxies(
    galaxies: Galaxies,
    path: Path,
    table_format: str,
    *,
    single: bool = False,
    units: Mapping[str, str] | None = None,
) -> None:
    """Write one table.

    Parameters
    ----------
    galaxies : Galaxies
    path : Path
    table_format : {"ecsv", "fits", "csv", "parquet"}
    single : bool
        The table of one galaxy alone: no column ``name``, its meta is the table's.
    units : mapping of str to str, optional
        Columns and their units ('' for plain numbers); by default those of a profile, as far as any galaxy has them.
    """
    present = galaxies.column_names()
    columns = dict(units or {})
    if units is None:
        columns = {k: unit for k, unit in ALL_COLUMN_UNITS.items() if k in present or k in COLUMN_UNITS}
    writer = {"ecsv": _write_ecsv, "fits": _write_fits, "csv": _write_csv, "parquet": _write_parquet}[table_format]
    writer(galaxies, path, columns, single)


def _blocks(galaxies: Galaxies, columns: Mapping[str, str]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and rows (N, number of columns) of each galaxy."""
    for galaxy in galaxies.galaxies():
        yield galaxy.name, _rows_of(galaxy, columns)


def _rows_of(galaxy: MeasuredProfile, columns: Mapping[str, str]) -> np.ndarray:
    """Rows (N, number of columns); NaN where a galaxy lacks a column."""
    rows = np.full((len(galaxy), len(columns)), np.nan)
    for i, name in enumerate(columns):
        if name in galaxy.columns:
            rows[:, i] = galaxy.columns[name]
    return rows


# --- ECSV ---


def _yaml(value: Any) -> str:
    """One value as YAML in flow style: JSON, but for the numbers that JSON lacks or YAML 1.1 reads as text."""
    kind = type(value)
    if kind is float:
        return _yaml_float(value)
    if kind is str:
        return _yaml_text(value)
    if kind is bool or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join([f"{_yaml_text(str(key))}: {_yaml(v)}" for key, v in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([_yaml(v) for v in value]) + "]"
    return str(value)


def _yaml_float(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    return text if not e or "." in mantissa else f"{mantissa}.0e{exponent}"


# Keys, units and origins are the same for every galaxy.
_yaml_text = functools.lru_cache(maxsize=1024)(yaml_quoted)


def _header_lines(metas: Iterable[str], columns: Mapping[str, str], single: bool) -> Iterator[str]:
    """The YAML header of ECSV, which astropy also puts into Parquet's metadata; `metas` by `_meta_lines`."""
    yield "datatype:"
    if not single:
        yield "- {name: name, datatype: string}"
    for name, unit in columns.items():
        about = yaml_quoted(COLUMN_DESCRIPTIONS.get(name, name))
        given = f"unit: {unit}, " if unit else ""
        yield f"- {{name: {yaml_quoted(name)}, {given}datatype: float64, description: {about}}}"
    yield "meta: !!omap"
    if not single:
        yield f"- {GALAXIES}:"
    yield from metas
    yield "- __serialized_columns__:"
    for name in columns:
        if columns[name]:
            yield f"    {yaml_quoted(name)}:"
            yield "      __class__: astropy.units.quantity.Quantity"
            yield f"      unit: !astropy.units.Unit {{unit: {columns[name]}}}"
            yield f"      value: !astropy.table.SerializedColumn {{name: {yaml_quoted(name)}}}"


def _meta_lines(meta: Mapping[str, Any], single: bool) -> list[str]:
    if single:
        return [f"- {{{_yaml_text(str(key))}: {_yaml(value)}}}" for key, value in meta.items()]
    return ["  - " + _yaml(meta)]


def _write_ecsv(galaxies: Galaxies, path: Path, columns: Mapping[str, str], single: bool) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("# %ECSV 1.0\n# ---\n")
        metas = (line for meta in galaxies.metas() for line in _meta_lines(meta, single))
        for line in _header_lines(metas, columns, single):
            file.write(f"# {line}\n")
        file.write("# schema: astropy-2.0\n")
        _write_rows(file, galaxies, columns, single, delimiter=" ")


def _write_rows(file: TextIO, galaxies: Galaxies, columns: Mapping[str, str], single: bool, delimiter: str) -> None:
    file.write(delimiter.join(list(columns) if single else ["name", *columns]) + "\n")
    for name, block in _blocks(galaxies, columns):
        first = [] if single else [_text_cell(name, delimiter)]
        file.writelines(delimiter.join([*first, *map(repr, row)]) + "\n" for row in block.tolist())


def _text_cell(text: str, delimiter: str) -> str:
    """Quoted where a reader would take it for several cells, or a line that begins with it for a comment."""
    if text and not text.startswith("#") and not any(sign in text for sign in (delimiter, '"', "\r", "\n", " ")):
        return text
    return '"' + text.replace('"', '""') + '"'


# --- CSV ---


def _write_csv(galaxies: Galaxies, path: Path, columns: Mapping[str, str], single: bool) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        _write_rows(file, galaxies, columns, single, delimiter=",")


# --- FITS ---


def _write_fits(galaxies: Galaxies, path: Path, columns: Mapping[str, str], single: bool) -> None:
    """Profiles in the first table, one row per galaxy with its meta in the second: header cards hold too little."""
    from astropy.io import fits

    sizes = [(len(to_fits(name)), len(block)) for name, block in _blocks(galaxies, columns)]
    width = max([size for size, _ in sizes], default=1) or 1
    kinds = [] if single else [("name", f"S{width}")]
    record = np.dtype(kinds + [(name, ">f8") for name in columns])
    units = {name: _fits_unit(columns[name]) for name in columns}
    defined = [] if single else [fits.Column("name", f"{width}A")]
    defined += [fits.Column(name, "D", unit=units[name] or None) for name in columns]
    header = fits.BinTableHDU.from_columns(defined, nrows=0, name="PROFILES").header
    header["NAXIS2"] = sum(rows for _, rows in sizes)
    with open(path, "wb") as file:
        file.write(fits.PrimaryHDU().header.tostring().encode("ascii"))
        file.write(header.tostring().encode("ascii"))
        written = 0
        for name, block in _blocks(galaxies, columns):
            rows = np.zeros(len(block), dtype=record)
            if not single:
                rows["name"] = to_fits(name).encode("ascii")
            for i, column in enumerate(columns):
                rows[column] = block[:, i]
            file.write(rows.tobytes())
            written += rows.nbytes
        file.write(b"\0" * (-written % 2880))
        write_galaxies_hdu(file, galaxies.metas, GALAXIES.upper())


def _fits_unit(unit: str) -> str:
    from astropy import units as u

    return u.Unit(unit).to_string("fits") if unit else ""


def meta_table(
    metas: Iterable[Mapping[str, Any]], units_of: Callable[[Sequence[str]], Mapping[str, str]] | None = None
) -> Any:
    """One row per galaxy: what their meta hold, lists joined by blanks, NaN or '' where one lacks a key."""
    from astropy.table import Table

    columns: dict[str, list[Any]] = {}
    count = 0
    for meta in metas:
        for key, value in meta.items():
            cells = columns.setdefault(key, [])
            cells += [None] * (count - len(cells))
            cells.append(joined(value) if isinstance(value, list) else value)
        count += 1
    table = Table()
    units = units_of(list(columns)) if units_of else {}
    for key, cells in columns.items():
        cells += [None] * (count - len(cells))
        table[key] = _column_of(cells)
        if key in units and table[key].dtype.kind in "fi":
            table[key].unit = units[key]
    return table


def _column_of(cells: list[Any]) -> np.ndarray:
    known = [cell for cell in cells if cell is not None]
    if known and all(isinstance(cell, bool) for cell in known) and len(known) == len(cells):
        return np.array(cells)
    if known and all(isinstance(cell, int) and not isinstance(cell, bool) for cell in known):
        if len(known) == len(cells):
            return np.array(cells, dtype=np.int64)
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    if known and all(isinstance(cell, (int, float)) for cell in known):
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    return np.array(["" if cell is None else str(cell) for cell in cells], dtype=str)


# --- Parquet ---


def _write_parquet(galaxies: Galaxies, path: Path, columns: Mapping[str, str], single: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [] if single else [pa.field("name", pa.string())]
    schema = pa.schema(fields + [pa.field(name, pa.float64()) for name in columns])
    with pq.ParquetWriter(path, schema, store_schema=False) as writer:
        waiting: list[tuple[str, np.ndarray]] = []

        def flush() -> None:
            arrays: list[Any] = []
            if not single:
                names = pa.array([name for name, _ in waiting], pa.string())
                which = np.repeat(np.arange(len(waiting)), [len(block) for _, block in waiting])
                arrays.append(names.take(pa.array(which)))
            rows = np.concatenate([block for _, block in waiting]) if waiting else np.empty((0, len(columns)))
            arrays += [pa.array(rows[:, i]) for i in range(len(columns))]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            waiting.clear()

        longest, count = 1, 0
        metas: list[str] = []
        for galaxy in galaxies.galaxies():
            block = _rows_of(galaxy, columns)
            longest = max(longest, len(galaxy.name))
            metas += _meta_lines(galaxy.meta, single)
            waiting.append((galaxy.name, block))
            count += len(block)
            if count >= _BLOCK_ROWS:
                flush()
                count = 0
        flush()
        if not single:
            writer.add_key_value_metadata({length_key("name"): str(longest)})
        # Not with the schema, which would be in the file twice: this is most of it.
        writer.add_key_value_metadata({"table_meta_yaml": "\n".join(_header_lines(metas, columns, single))})
