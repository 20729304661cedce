"""A catalogue of any size as a stream of tables with the same columns, whatever file it is in.

Columns are found by the names of `p2p_keras.images.catalogue.COLUMNS`, or as the caller says. Parquet, HATS, CSV and
FITS are read piece by piece; VOTable (XML) and other tables that astropy reads, whole. A cell that can't be used makes
its row a row with a ``problem``, not an error.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from p2p_keras.core.errors import UsageError
from p2p_keras.images.catalogue import COLUMNS as KNOWN
from p2p_keras.images.text_columns import as_text
from p2p_keras.sky_survey.place import Place

__all__ = ["RADIUS", "TEXTS", "NUMBERS", "SCHEMA", "ROWS_AT_A_TIME", "Catalogue", "Reader"]

RADIUS = "radius"
TEXTS = ("name", "file", "band", "hdu", "mask")
NUMBERS = ("ra", "dec", "x", "y", "size", "zero_point", "pixel_scale", "redshift", RADIUS)
SCHEMA = pa.schema(
    [("row", pa.int64())]
    + [(key, pa.string()) for key in TEXTS]
    + [(key, pa.float64()) for key in NUMBERS]
    + [("problem", pa.string())]
)
"""What a row says: text is ``""`` and a number NaN where it says nothing; ``row`` counts the catalogue's rows from 0.
``radius`` (arcsec, never guessed from a name) sets the cutout."""

ROWS_AT_A_TIME = 65536


class Catalogue:
    """A catalogue that is read piece by piece.

    Parameters
    ----------
    path : str
        File, folder or URL.
    columns : mapping, optional
        Key of `SCHEMA` -> the catalogue's column, where that isn't one of the known names.

    Raises
    ------
    UsageError
        It can't be read, or lacks a column that was named.
    """

    def __init__(self, path: str, columns: Mapping[str, str] | None = None) -> None:
        self.path = path
        names, self._read = _source(path, columns or {})
        self.columns = _chosen(path, names, columns or {})

    def has(self, *keys: str) -> bool:
        """Whether the catalogue has a column for each of these."""
        return all(key in self.columns for key in keys)

    def tables(self) -> Iterator[pa.Table]:
        """Yield tables of `SCHEMA`, each of some ten thousand rows."""
        first = 0
        wanted = list(dict.fromkeys(self.columns.values()))
        for piece in self._read(wanted):
            if piece.num_rows:
                yield self._normalised(piece, first)
                first += piece.num_rows

    def _normalised(self, piece: pa.Table, first: int) -> pa.Table:
        count = piece.num_rows
        arrays: dict[str, Any] = {"row": pa.array(np.arange(first, first + count))}
        problems: list[tuple[str, np.ndarray]] = []
        for key in TEXTS:
            arrays[key] = _text(piece[self.columns[key]]) if key in self.columns else pa.array([""] * count)
        for key in NUMBERS:
            if key not in self.columns:
                arrays[key] = pa.array(np.full(count, np.nan))
                continue
            values, bad = _numbers(piece[self.columns[key]])
            arrays[key] = pa.array(values, pa.float64())
            problems += [(key, bad)] if bad.any() else []
        lost = np.abs(np.nan_to_num(arrays["dec"].to_numpy(zero_copy_only=False))) > 90.0
        problems += [("dec", lost)] if lost.any() else []
        text = np.full(count, "", dtype=object)
        for key, bad in problems:
            text[bad] = [(t + "; " if t else "") + f"{key} can't be used" for t in text[bad]]
        arrays["problem"] = pa.array(text, pa.string())
        return pa.table([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def _chosen(path: str, names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): name for name in names}
    chosen = {}
    for key, column in given.items():
        if key not in SCHEMA.names:
            raise UsageError(f"--column {key}={column}: there is no {key!r}; known are {', '.join((*TEXTS, *NUMBERS))}")
        if column not in names:
            raise UsageError(f"{path}: has no column {column!r}; it has {', '.join(names)}")
        chosen[key] = column
    for key in (*TEXTS, *NUMBERS):
        found = next((lower[name] for name in KNOWN.get(key, ()) if name in lower), None)
        if key not in chosen and found is not None:
            chosen[key] = found
    for one, other in (("ra", "dec"), ("x", "y")):
        if (one in chosen) != (other in chosen):
            there, missing = (one, other) if one in chosen else (other, one)
            raise UsageError(f"{path}: has a column for {there}, but none for {missing} (--column {missing}=NAME)")
    if "ra" not in chosen and "file" not in chosen:
        raise UsageError(
            f"{path}: neither positions nor files: it needs columns ra and dec, or file (--column ra=NAME); "
            f"it has {', '.join(names)}"
        )
    return chosen


Reader = Callable[[list[str]], Iterator[pa.Table]]


def _source(path: str, given: Mapping[str, str]) -> tuple[list[str], Reader]:
    """Names of a catalogue's columns, and what yields some of them piece by piece."""
    place = Place(path)
    if not place.exists():
        raise UsageError(f"{path}: no such catalogue")
    lower = path.lower().removesuffix(".gz")
    try:
        if place.files.isdir(place.root) or lower.endswith((".parquet", ".parq", ".pq")):
            return _parquet(_hats_table(place))
        if lower.endswith(".csv"):
            return _csv(place)
        if lower.endswith((".fits", ".fit", ".fits.fz")):
            return _fits(path)
        return _astropy(path, given)
    except UsageError:
        raise
    except Exception as error:  # every reader has its own kinds
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{path}: can't be read as a catalogue ({said})") from error


def _hats_table(place: Place) -> Place:
    """The folder of a HATS catalogue's or collection's Parquet files; other places as they are."""
    for _ in range(2):
        if place.exists("collection.properties"):
            lines = place.read("collection.properties").decode().splitlines()
            told = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
            place = Place(f"{place.url}/{told['hats_primary_table_url'].strip()}")
    return Place(f"{place.url}/dataset") if place.exists("dataset") else place


def _parquet(place: Place) -> tuple[list[str], Reader]:
    import pyarrow.dataset
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    # HATS's own names (Norder=1) are no columns of the catalogue: no partitioning.
    data = pyarrow.dataset.dataset(place.root, format="parquet", filesystem=PyFileSystem(FSSpecHandler(place.files)))

    def read(columns: list[str]) -> Iterator[pa.Table]:
        ahead = {"batch_readahead": 2, "fragment_readahead": 1, "use_threads": False}
        for batch in data.to_batches(columns=columns, batch_size=ROWS_AT_A_TIME, **ahead):
            yield pa.Table.from_batches([batch])

    return data.schema.names, read


def _csv(place: Place) -> tuple[list[str], Reader]:
    from pyarrow import csv

    def open_stream(columns: list[str] | None) -> csv.CSVStreamingReader:
        stream = pa.input_stream(place.open(""), compression="detect" if not place.root.endswith(".gz") else "gzip")
        # As text: a cell that is no number must spoil its row, not the file.
        types = csv.ConvertOptions(include_columns=columns, column_types=dict.fromkeys(columns or [], pa.string()))
        return csv.open_csv(stream, convert_options=types)

    names = open_stream(None).schema.names

    def read(columns: list[str]) -> Iterator[pa.Table]:
        for batch in open_stream(columns):
            yield pa.Table.from_batches([batch])

    return names, read


def _fits(path: str) -> tuple[list[str], Reader]:
    from astropy.io import fits
    from astropy.table import Table

    with Place(os.path.dirname(path) or ".").local_file(os.path.basename(path)) as local, fits.open(local) as file:
        number = next((i for i, hdu in enumerate(file) if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)), None)
        if number is None:
            raise UsageError(f"{path}: no HDU has a table")
        names = list(file[number].columns.names)

    def read(columns: list[str]) -> Iterator[pa.Table]:
        place = Place(os.path.dirname(path) or ".")
        with place.local_file(os.path.basename(path)) as local, fits.open(local, memmap=True) as file:
            hdu = file[number]
            units = {column.name: column.unit for column in hdu.columns}
            for start in range(0, len(hdu.data), ROWS_AT_A_TIME):
                piece = hdu.data[start : start + ROWS_AT_A_TIME]
                table = Table({name: piece[name] for name in columns})
                for name in columns:
                    table[name].unit = units[name]
                yield _from_astropy(table, columns)

    return names, read


def _astropy(path: str, given: Mapping[str, str]) -> tuple[list[str], Reader]:
    from astropy.table import Table

    kind = {".ecsv": "ascii.ecsv", ".txt": "ascii", ".dat": "ascii", ".cat": "ascii"}
    how: dict[str, Any] = {"format": kind.get(os.path.splitext(path.removesuffix(".gz"))[1].lower())}
    if how["format"] is not None:
        texts = [name for key in TEXTS for name in (*KNOWN.get(key, ()), *([given[key]] if key in given else []))]
        how["converters"] = as_text(texts)
    with Place(os.path.dirname(path) or ".").local_file(os.path.basename(path)) as local:
        table = Table.read(local, **how)

    def read(columns: list[str]) -> Iterator[pa.Table]:
        for start in range(0, len(table), ROWS_AT_A_TIME):
            yield _from_astropy(table[start : start + ROWS_AT_A_TIME], columns)

    return list(table.colnames), read


def _from_astropy(table: Any, columns: list[str]) -> pa.Table:
    """Arrow columns of an astropy table; angles in degrees, masked cells null."""
    arrays = []
    for name in columns:
        column = table[name]
        values, hidden = np.ma.getdata(column), np.ma.getmaskarray(np.ma.asarray(column))
        values = np.asarray(values)
        if values.dtype.kind in "SO":
            arrays.append(pa.array([None if h else _plain(v) for v, h in zip(values, hidden, strict=True)]))
            continue
        unit = str(getattr(column, "unit", None) or "")
        if unit in ("rad", "hourangle", "h"):
            values = values * (180.0 / np.pi if unit == "rad" else 15.0)
        arrays.append(pa.array(values.astype(values.dtype.newbyteorder("=")), mask=hidden))
    return pa.table(arrays, names=columns)


def _plain(value: Any) -> str:
    return value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else str(value)


def _text(column: pa.ChunkedArray) -> pa.Array:
    """A column as text without blanks around it; whole numbers without a point."""
    if pa.types.is_floating(column.type):
        values = column.to_numpy(zero_copy_only=False)
        text = ["" if not np.isfinite(v) else str(int(v)) if v == int(v) else repr(float(v)) for v in values]
        return pa.array(text, pa.string())
    filled = pc.fill_null(pc.utf8_trim_whitespace(pc.cast(column, pa.string())), "")
    return filled.combine_chunks() if isinstance(filled, pa.ChunkedArray) else filled


def _numbers(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """A column as float64 with NaN where it is empty, and which cells are no numbers."""
    try:
        values = pc.cast(column, pa.float64())
        return values.to_numpy(zero_copy_only=False).astype(float), np.zeros(len(values), dtype=bool)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    numbers, bad = np.full(len(column), np.nan), np.zeros(len(column), dtype=bool)
    for i, cell in enumerate(column.to_pylist()):
        if cell is None or str(cell).strip().lower() in ("", "nan", "null"):
            continue
        try:
            numbers[i] = float(cell)
        except (TypeError, ValueError):
            bad[i] = True
    return numbers, bad
