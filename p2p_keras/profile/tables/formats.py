"""Tables of galaxies written piece by piece: ECSV, FITS, Parquet and CSV, each as astropy reads it.

astropy's own writers hold a whole table, and more than once; these hold one galaxy at a time. What they write is what
astropy's writers would: a test reads it back by astropy alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TextIO

import numpy as np

from p2p_keras.profile.columns import ALL_COLUMN_UNITS, COLUMN_DESCRIPTIONS, COLUMN_UNITS
from p2p_keras.profile.tables.measured import MeasuredProfile
from p2p_keras.profile.tables.meta_table import meta_columns
from p2p_keras.profile.tables.text import length_key, to_fits, yaml_of_json, yaml_quoted

if TYPE_CHECKING:
    import pyarrow as pa
    from astropy.io import fits

__all__ = ["GALAXIES", "Galaxies", "ListedGalaxies", "write_galaxies"]

GALAXIES = "galaxies"
"""Key of a table's meta, and name of the second HDU, that holds the meta of each galaxy."""

_BLOCK_ROWS = 32768


class Galaxies(Protocol):
    """What can be written: a `p2p_keras.profile.tables.spool.Spool`, or `ListedGalaxies`."""

    def rows(self) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Name and columns of each galaxy; can be gone through again, as the metas can."""

    def metas(self) -> Iterator[dict[str, Any]]:
        """Meta of each galaxy."""

    def metas_as_json(self) -> Iterator[str]:
        """The same as text."""

    def column_names(self) -> list[str]:
        """Columns that any galaxy has."""


class ListedGalaxies(list[MeasuredProfile]):
    """Galaxies in memory."""

    def rows(self) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Name and columns of each galaxy."""
        return ((galaxy.name, galaxy.columns) for galaxy in self)

    def metas(self) -> Iterator[dict[str, Any]]:
        """Meta of each galaxy."""
        return (galaxy.meta for galaxy in self)

    def metas_as_json(self) -> Iterator[str]:
        """The same as text."""
        return (json.dumps(galaxy.meta) for galaxy in self)

    def column_names(self) -> list[str]:
        """Columns that any galaxy has."""
        return list(dict.fromkeys(name for galaxy in self for name in galaxy.columns))


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


def _blocks(galaxies: Galaxies, columns: Iterable[str]) -> Iterator[tuple[list[str], list[int], list[np.ndarray]]]:
    """Names and numbers of rows of many galaxies, and all their rows, column by column; NaN where one lacks it."""
    waiting: list[tuple[str, dict[str, np.ndarray]]] = []
    counts: list[int] = []

    def block() -> tuple[list[str], list[int], list[np.ndarray]]:
        parts = [
            [own[name] if name in own else np.full(n, np.nan) for (_, own), n in zip(waiting, counts, strict=True)]
            for name in columns
        ]
        return [name for name, _ in waiting], counts, [np.concatenate(part) for part in parts]

    for galaxy in galaxies.rows():
        waiting.append(galaxy)
        counts.append(len(next(iter(galaxy[1].values()), ())))
        if sum(counts) >= _BLOCK_ROWS:
            yield block()
            waiting, counts = [], []
    if waiting:
        yield block()


# --- ECSV ---


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


def _meta_lines(galaxies: Galaxies, single: bool) -> Iterator[str]:
    if not single:
        yield from ("  - " + yaml_of_json(text.rstrip()) for text in galaxies.metas_as_json())
        return
    for meta in galaxies.metas():
        yield from (f"- {yaml_of_json(json.dumps({key: value}))}" for key, value in meta.items())


def _write_ecsv(galaxies: Galaxies, path: Path, columns: Mapping[str, str], single: bool) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("# %ECSV 1.0\n# ---\n")
        for line in _header_lines(_meta_lines(galaxies, single), columns, single):
            file.write(f"# {line}\n")
        file.write("# schema: astropy-2.0\n")
        _write_rows(file, galaxies, columns, single, delimiter=" ")


def _write_rows(file: TextIO, galaxies: Galaxies, columns: Mapping[str, str], single: bool, delimiter: str) -> None:
    file.write(delimiter.join(list(columns) if single else ["name", *columns]) + "\n")
    for names, counts, block in _blocks(galaxies, columns):
        cells: list[Iterable[str]] = [map(repr, column.tolist()) for column in block]
        if not single:
            quoted = [_text_cell(name, delimiter) for name in names]
            cells.insert(0, chain.from_iterable(map(repeat, quoted, counts)))
        file.writelines(delimiter.join(row) + "\n" for row in zip(*cells, strict=True))


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

    count, width = 0, 1
    for names, counts, _ in _blocks(galaxies, ()):
        count, width = count + sum(counts), max(width, *(len(to_fits(name)) for name in names))
    defined = [fits.Column(name, "D", unit=_fits_unit(unit) or None) for name, unit in columns.items()]
    kinds = {name: np.dtype(">f8") for name in columns}
    if not single:
        defined.insert(0, fits.Column("name", f"{width}A"))
        kinds = {"name": np.dtype(f"S{width}"), **kinds}

    def profiles() -> Iterator[dict[str, np.ndarray]]:
        for names, counts, block in _blocks(galaxies, columns):
            rows = dict(zip(columns, block, strict=True))
            yield {"name": np.repeat([to_fits(name) for name in names], counts), **rows}

    fits.PrimaryHDU().writeto(path, overwrite=True)
    _stream_table(path, "PROFILES", defined, kinds, count, profiles())
    kinds, count, blocks = meta_columns(galaxies.metas, to_fits)
    codes = {key: _fits_format(kind) for key, kind in kinds.items()}
    defined = [fits.Column(key, code) for key, (code, _) in codes.items()]
    _stream_table(path, GALAXIES.upper(), defined, {key: kind for key, (_, kind) in codes.items()}, count, blocks)


def _stream_table(
    path: Path,
    name: str,
    columns: Sequence[fits.Column],
    kinds: Mapping[str, np.dtype],
    count: int,
    blocks: Iterable[Mapping[str, np.ndarray]],
) -> None:
    """Append a table to a FITS file, a block of rows at a time."""
    from astropy.io import fits

    header = fits.BinTableHDU.from_columns(columns, nrows=0, name=name).header
    header["NAXIS2"] = count
    file = fits.StreamingHDU(str(path), header)
    for block in blocks:
        rows = np.empty(len(next(iter(block.values()))), dtype=[*kinds.items()])
        for key, kind in kinds.items():
            rows[key] = np.where(block[key], ord("T"), ord("F")) if kind == "u1" else block[key]
        if len(rows):
            file.write(rows.view(np.uint8))
    file.close()


def _fits_format(kind: np.dtype) -> tuple[str, np.dtype]:
    """TFORM of a column, and how numpy holds it in a file."""
    if kind.kind == "U":
        width = kind.itemsize // 4
        return f"{width}A", np.dtype(f"S{width}")
    code, kept = {"b": ("L", "u1"), "i": ("K", ">i8"), "f": ("D", ">f8")}[kind.kind]
    return code, np.dtype(kept)


def _fits_unit(unit: str) -> str:
    from astropy import units as u

    return u.Unit(unit).to_string("fits") if unit else ""


# --- Parquet ---


def _write_parquet(galaxies: Galaxies, path: Path, columns: Mapping[str, str], single: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [] if single else [pa.field("name", pa.string())]
    schema = pa.schema(fields + [pa.field(name, pa.float64()) for name in columns])
    # Only what occurs again and again has a dictionary: with one for each column files are a tenth larger.
    often: Any = [name for name in ("name", "sma") if name in schema.names] or False
    with pq.ParquetWriter(path, schema, store_schema=False, use_dictionary=often) as writer:
        longest = 1
        for names, counts, block in _blocks(galaxies, columns):
            # From memory as it is: `pa.array` imports pandas, where that is installed, to see whether it is given some.
            arrays = [pa.Array.from_buffers(pa.float64(), len(c), [None, pa.py_buffer(_doubles(c))]) for c in block]
            if not single:
                longest = max(longest, *map(len, names))
                arrays.insert(0, _repeated_names(names, counts))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        if not single:
            writer.add_key_value_metadata({length_key("name"): str(longest)})
        # Not with the schema, which would be in the file twice: this is most of it.
        header = "\n".join(_header_lines(_meta_lines(galaxies, single), columns, single))
        writer.add_key_value_metadata({"table_meta_yaml": header})


def _doubles(column: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(column, dtype=np.float64)


def _repeated_names(names: Sequence[str], counts: Sequence[int]) -> pa.StringArray:
    """The name of each row."""
    import pyarrow as pa

    encoded = [name.encode() for name in names]
    ends = np.cumsum([0, *np.repeat([len(text) for text in encoded], counts)], dtype=np.int32)
    text = b"".join(one * count for one, count in zip(encoded, counts, strict=True))
    return pa.StringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(text))
