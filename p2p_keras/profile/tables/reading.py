"""Profiles from the files that `p2p_keras.profile.tables.files` wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.tables.autoprof import read_prof
from p2p_keras.profile.tables.formats import GALAXIES
from p2p_keras.profile.tables.measured import MeasuredProfile, plain_meta
from p2p_keras.profile.tables.text import SENTENCES, json_of_yaml, split, unescaped_columns

if TYPE_CHECKING:
    from astropy.table import QTable, Table

__all__ = ["TABLE_FORMATS", "FORMATS", "format_of", "read_profiles", "open_profiles", "read_table", "StoredProfiles"]

TABLE_FORMATS = ("ecsv", "fits", "csv", "parquet")
"""Formats of a table of many galaxies, which are also the endings of its file."""

FORMATS = (*TABLE_FORMATS, "prof")
"""Those, and AutoProf's, which holds one galaxy."""


def format_of(path: str | os.PathLike[str]) -> str | None:
    """Format by a file name's ending; None for a folder's name.

    Raises
    ------
    UsageError
        The name ends as a file of another kind would.
    """
    suffix = Path(path).suffix.lower().lstrip(".")
    if suffix in FORMATS:
        return suffix
    if suffix in ("txt", "dat", "json", "hdf5", "h5", "votable", "xml", "fit", "gz") and not Path(path).is_dir():
        raise UsageError(f"{path}: unknown kind of table; give a folder, or a name that ends in .{', .'.join(FORMATS)}")
    return None


def read_profiles(path: str | os.PathLike[str]) -> list[QTable]:
    """Read the profiles of a file or folder that `write_profiles` wrote.

    Returns
    -------
    list of QTable
        One per galaxy, in the order of the file (of the names in a folder), with units, and with ``meta`` as far as the
        format keeps it. Galaxies without a single radius come back too, as empty tables, except from ``.csv``.

    Raises
    ------
    InputError
        It can't be read as such a table.
    """
    return [stored.profile(number) for stored in open_profiles(path) for number in range(len(stored.metas))]


def open_profiles(path: str | os.PathLike[str]) -> list[StoredProfiles]:
    """Read what `read_profiles` reads, but make a table only of the galaxies that are asked for.

    Returns
    -------
    list of StoredProfiles
        One for each file.

    Raises
    ------
    InputError
        As `read_profiles`.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower().lstrip(".") in FORMATS)
        return [stored for file in files for stored in open_profiles(file)]
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise InputError(path, f"not a table of profiles (.{', .'.join(FORMATS)})")
    try:
        if suffix == "prof":
            meta, columns = read_prof(path)
            return [StoredProfiles(columns, [{"name": path.stem} | meta])]
        table, metas = _read_profiles(path)
        missing = [name for name in ("sma", "mu") if name not in table.colnames]
        if missing:
            raise InputError(path, f"not a table of profiles, it lacks {', '.join(missing)}")
        return [_stored(table, metas, default_name=path.stem)]
    except InputError:
        raise
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(path, f"can't be read as a table of profiles ({error})") from error


class StoredProfiles:
    """The galaxies of one file.

    Parameters
    ----------
    columns : dict of str to array
        Of all galaxies, one after the other.
    metas : list of dict
        One for each galaxy, with its ``name``.
    rows : list of slice, optional
        Where its radii are; all rows are the one galaxy's where it isn't given.
    """

    def __init__(
        self, columns: dict[str, np.ndarray], metas: list[dict[str, Any]], rows: list[slice] | None = None
    ) -> None:
        self.columns, self.metas = columns, metas
        self._rows = [slice(None)] * len(metas) if rows is None else rows

    def profile(self, number: int) -> QTable:
        """The profile of a galaxy by its place in `metas`."""
        return MeasuredProfile(self.metas[number], self._columns_of(number)).table()

    def measured(self) -> Iterator[MeasuredProfile]:
        """All profiles in plain arrays."""
        return (MeasuredProfile(plain_meta(meta), self._columns_of(i)) for i, meta in enumerate(self.metas))

    def _columns_of(self, number: int) -> dict[str, np.ndarray]:
        return {key: values[self._rows[number]] for key, values in self.columns.items()}


def read_table(path: Path, text: Iterable[str] = ("name",), *, hdu: int | str = 1) -> Table:
    """One table of a file by astropy or, of Parquet, by pyarrow alone.

    Parameters
    ----------
    path : Path
        Ending in one of `TABLE_FORMATS`.
    text : iterable of str
        Columns that are text, also where all of one is digits: '007', or an identifier that no float holds.
    hdu : int or str
        Of a FITS file.

    Returns
    -------
    Table
        With units where the format keeps them.
    """
    from astropy.table import Table, meta

    suffix = path.suffix.lower().lstrip(".")
    if suffix == "fits":
        # Without mask_invalid=False astropy turns NaN and empty text into masked entries.
        how = {"format": "fits", "character_as_bytes": False, "mask_invalid": False}
        return unescaped_columns(Table.read(path, hdu=hdu, **how))
    if suffix == "csv":
        return Table.read(path, format="ascii.csv", converters=dict.fromkeys(text, str))
    if suffix == "ecsv":
        lines, metas = _without_galaxies(path.read_text(encoding="utf-8").split("\n"), before="# ")
        table = Table.read(lines, format="ascii.ecsv", converters=dict.fromkeys(text, str))
        if metas is not None:
            table.meta[GALAXIES] = metas
        return table
    import pyarrow as pa
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(path)
    header = (rows.schema.metadata or {}).get(b"table_meta_yaml")
    lines, metas = _without_galaxies(header.decode().split("\n") if header else [])
    table = Table(meta=meta.get_header_from_yaml(lines).get("meta", {}) if header else {})
    if metas is not None:
        table.meta[GALAXIES] = metas
    for name in rows.column_names:
        values = rows[name].to_pylist() if pa.types.is_string(rows[name].type) else rows[name].to_numpy()
        table[name] = np.asarray(values, dtype=str if name in text else None)
    return table


def _without_galaxies(lines: list[str], before: str = "") -> tuple[list[str], list[dict[str, Any]] | None]:
    """Lines without the meta of each galaxy in their YAML header, and these.

    They are written as JSON, a line each, and read as that: YAML takes 6 ms a galaxy. None, and all lines, where
    another program wrote them in another way.

    Parameters
    ----------
    lines : list of str
    before : str
        What each line of the header begins with.
    """
    start = f"{before}- {GALAXIES}:"
    end = f"{before}- __serialized_columns__:"
    if start not in lines or end not in lines:
        return lines, None
    first, last = lines.index(start), lines.index(end)
    item = f"{before}  - "
    if not all(line.startswith(item + "{") for line in lines[first + 1 : last]):
        return lines, None
    try:
        metas = [json.loads(json_of_yaml(line[len(item) :])) for line in lines[first + 1 : last]]
    except ValueError:
        return lines, None
    return lines[:first] + lines[last:], metas


def _read_profiles(path: Path) -> tuple[Table, list[dict[str, Any]]]:
    """The rows of all galaxies, and the meta of each."""
    if path.suffix.lower() != ".fits":
        table = read_table(path)
        metas = table.meta.get(GALAXIES)
        return table, [dict(meta) for meta in metas] if metas is not None else [dict(table.meta)]
    galaxies = read_table(path, hdu=GALAXIES.upper())
    metas = []
    for row in galaxies:
        meta = {key: row[key].item() if hasattr(row[key], "item") else row[key] for key in galaxies.colnames}
        meta = {key: str(value) if isinstance(value, str) else value for key, value in meta.items()}
        for key in ("flags", *SENTENCES):
            meta[key] = split(key, str(meta.get(key, "")))
        metas.append(meta)
    return read_table(path, hdu="PROFILES"), metas


def _stored(table: Table, metas: list[dict[str, Any]], default_name: str) -> StoredProfiles:
    """Find the rows of each galaxy of one table."""
    arrays = plain_arrays(table)
    if "name" not in table.colnames:
        return StoredProfiles(arrays, [{"name": default_name} | (metas[0] if metas else {})])
    row_names = np.asarray(table["name"]).astype(str)
    # A galaxy's rows follow each other: where they begin and how many they are.
    starts = np.flatnonzero(np.r_[True, row_names[1:] != row_names[:-1]]) if row_names.size else np.empty(0, int)
    ends = np.r_[starts[1:], row_names.size].astype(int)
    rows = {str(row_names[a]): slice(int(a), int(b)) for a, b in zip(starts, ends, strict=True)}
    known = {str(meta.get("name")): meta for meta in metas if "name" in meta}
    if known and (unknown := rows.keys() - known.keys()):
        raise ValueError(f"rows of galaxies that its meta doesn't name: {', '.join(sorted(unknown))}")
    names = list(known) or list(rows)
    return StoredProfiles(
        arrays, [known.get(name, {"name": name}) for name in names], [rows.get(name, slice(0, 0)) for name in names]
    )
