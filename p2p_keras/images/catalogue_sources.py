"""What stands in a catalogue's file: its columns as they are, piece by piece where the format allows it."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from p2p_keras.core.errors import UsageError

__all__ = ["ROWS_AT_A_TIME", "Source", "of_dataset", "read_source"]

ROWS_AT_A_TIME = 65536
Piece = dict[str, Any]
"""Name of a column -> its cells: an array, masked where cells are missing; text as an object array."""


@dataclass(frozen=True)
class Source:
    """A catalogue's columns.

    Attributes
    ----------
    names : list of str
    read : callable
        Takes names of columns and yields pieces of the table.
    units : dict of str to str
        Units of those columns that have one.
    """

    names: list[str]
    read: Callable[[Sequence[str]], Iterator[Piece]]
    units: dict[str, str] = field(default_factory=dict)


def read_source(
    path: str, files: Callable[[], AbstractContextManager[str]], open_binary: Callable[[], IO[bytes]]
) -> Source:
    """Columns of a catalogue's file, by its ending.

    Parameters
    ----------
    path : str
        Its name, for the format and for errors.
    files : callable
        Gives a context with the path of the file on this machine.
    open_binary : callable
        Opens it as a stream of bytes.
    """
    lower = path.lower().removesuffix(".gz")
    if lower.endswith((".parquet", ".parq", ".pq")) or os.path.isdir(path):
        return of_dataset(_local_dataset(path))
    if lower.endswith((".csv", ".tsv")):
        return _of_csv(path, open_binary)
    if lower.endswith((".fits", ".fit", ".fits.fz")):
        return _of_fits(path, files)
    return _of_astropy(path, files)


def _local_dataset(path: str) -> Any:
    try:
        import pyarrow.dataset
    except ImportError as error:
        raise UsageError(f'{path}: Parquet needs pyarrow: pip install "p2p-keras[parquet]"') from error
    return pyarrow.dataset.dataset(path, format="parquet")


def of_dataset(data: Any) -> Source:
    """Columns of a `pyarrow.dataset.Dataset`; units as astropy writes them into Parquet, or ``unit`` of a field."""
    units = {f.name: f.metadata[b"unit"].decode() for f in data.schema if b"unit" in (f.metadata or {})}
    if yaml := (data.schema.metadata or {}).get(b"table_meta_yaml"):
        from astropy.table.meta import get_header_from_yaml

        header = get_header_from_yaml(yaml.decode().split("\n"))
        units |= {column["name"]: str(column["unit"]) for column in header["datatype"] if column.get("unit")}

    def read(columns: Sequence[str]) -> Iterator[Piece]:
        ahead = {"batch_readahead": 2, "fragment_readahead": 1, "use_threads": False}
        for batch in data.to_batches(columns=list(columns), batch_size=ROWS_AT_A_TIME, **ahead):
            yield {name: _of_arrow(batch.column(name)) for name in columns}

    return Source(list(data.schema.names), read, units)


def _of_arrow(column: Any) -> Any:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        hidden = column.is_null().to_numpy(zero_copy_only=False)
        return np.ma.array(column.fill_null(0).to_numpy(zero_copy_only=False), mask=hidden)
    if pa.types.is_floating(kind):
        return column.to_numpy(zero_copy_only=False)
    return _objects(column.to_pylist())


def _objects(cells: Sequence[Any]) -> np.ndarray:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _of_csv(path: str, open_binary: Callable[[], IO[bytes]]) -> Source:
    """Every cell as text: one that is no number must spoil its row, not the file; and 007 isn't 7."""

    def rows() -> Iterator[list[str]]:
        with open_binary() as raw, gzip.open(raw) if path.lower().endswith(".gz") else nullcontext(raw) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            # Spreadsheets of many countries write semicolons into what they call CSV.
            first = text.readline()
            delimiter = next((mark for mark in ",\t;" if mark in first), ",")
            yield from csv.reader(itertools.chain([first] if first else [], text), delimiter=delimiter)

    header = next(rows(), None)
    if header is None:
        raise UsageError(f"{path}: can't be read as a table (it is empty)")
    names = [name.strip() for name in header]

    def read(columns: Sequence[str]) -> Iterator[Piece]:
        places = [names.index(name) for name in columns]
        cells = (row for row in itertools.islice(rows(), 1, None) if row)
        for first in itertools.count(1, ROWS_AT_A_TIME):
            piece = list(itertools.islice(cells, ROWS_AT_A_TIME))
            if not piece:
                return
            for number, row in enumerate(piece, first):
                if len(row) > len(names):
                    raise UsageError(f"{path}: row {number} has {len(row)} cells, and there are {len(names)} columns")
                row += [""] * (len(names) - len(row))
            yield {name: _objects([row[i] for row in piece]) for name, i in zip(columns, places, strict=True)}

    return Source(names, read)


def _of_fits(path: str, files: Callable[[], AbstractContextManager[str]]) -> Source:
    from astropy.io import fits

    with files() as local, fits.open(local) as file:
        number = next((i for i, hdu in enumerate(file) if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)), None)
        if number is None:
            raise UsageError(f"{path}: no HDU has a table")
        names = list(file[number].columns.names)
        units = {column.name: str(column.unit) for column in file[number].columns if column.unit}

    def read(columns: Sequence[str]) -> Iterator[Piece]:
        with files() as local, fits.open(local, memmap=True) as file:
            hdu = file[number]
            absent = {column.name: column.null for column in hdu.columns}
            for start in range(0, len(hdu.data), ROWS_AT_A_TIME):
                rows = hdu.data[start : start + ROWS_AT_A_TIME]
                yield {name: _of_fits_column(np.asarray(rows[name]), absent[name]) for name in columns}

    return Source(names, read, units)


def _of_fits_column(values: np.ndarray, null: Any) -> Any:
    values = values.astype(values.dtype.newbyteorder("="))
    if null is not None and values.dtype.kind in "iu":
        return np.ma.array(values, mask=values == null)
    return values


def _of_astropy(path: str, files: Callable[[], AbstractContextManager[str]]) -> Source:
    from astropy.table import Table

    ending = os.path.splitext(path.removesuffix(".gz"))[1].lower()
    how: dict[str, Any] = {}
    if ending == ".ecsv":
        how = {"format": "ascii.ecsv"}  # says itself which of its columns are text
    elif ending in (".txt", ".dat", ".cat"):
        how = {"format": "ascii", "converters": {"*": str}}
    with files() as local:
        table = Table.read(local, **how)
    units = {name: str(table[name].unit) for name in table.colnames if getattr(table[name], "unit", None) is not None}

    def read(columns: Sequence[str]) -> Iterator[Piece]:
        for start in range(0, len(table), ROWS_AT_A_TIME):
            rows = table[start : start + ROWS_AT_A_TIME]
            yield {name: _of_astropy_column(rows[name]) for name in columns}

    return Source(list(table.colnames), read, {name: unit for name, unit in units.items() if unit.strip()})


def _of_astropy_column(column: Any) -> Any:
    column = getattr(column, "unmasked", column) if not hasattr(column, "mask") else column
    if hasattr(column, "mask"):
        return np.ma.array(np.asarray(np.ma.getdata(column)), mask=np.ma.getmaskarray(np.ma.asarray(column)))
    return np.asarray(getattr(column, "value", column))
