"""Profiles from the files that `p2p_keras.profile.tables.files` wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.tables.autoprof import read_prof
from p2p_keras.profile.tables.formats import GALAXIES
from p2p_keras.profile.tables.measured import table_of_columns
from p2p_keras.profile.tables.text import SENTENCES, split, unescaped_columns

if TYPE_CHECKING:
    from astropy.table import QTable, Table

__all__ = ["TABLE_FORMATS", "FORMATS", "format_of", "read_profiles", "open_profiles", "StoredProfiles"]

TABLE_FORMATS = ("ecsv", "fits", "csv", "parquet")
"""Formats of a table of many galaxies, which are also the endings of its file."""

FORMATS = (*TABLE_FORMATS, "prof")
"""Those, and AutoProf's, which holds one galaxy."""

_ASTROPY_FORMAT = {"ecsv": "ascii.ecsv", "csv": "ascii.csv"}


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

    Parameters
    ----------
    path : path

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
        table, metas = _read_table(path, suffix)
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
        profile = table_of_columns({key: values[self._rows[number]] for key, values in self.columns.items()})
        profile.meta.update(self.metas[number])
        return profile


def _read_table(path: Path, suffix: str) -> tuple[Table, list[dict[str, Any]]]:
    from astropy.table import QTable, Table

    if suffix != "fits":
        # A name is text, also where it is all digits: '007', or an identifier that no float holds.
        how: dict[str, Any] = {"format": _ASTROPY_FORMAT.get(suffix), "converters": {"name": str}}
        table = _read_parquet(path) if suffix == "parquet" else QTable.read(path, **how)
        metas = table.meta.get(GALAXIES)
        return table, [dict(meta) for meta in metas] if metas is not None else [dict(table.meta)]
    # Without mask_invalid=False astropy turns NaN and empty text into masked entries.
    how = {"format": "fits", "character_as_bytes": False, "mask_invalid": False}
    galaxies = unescaped_columns(Table.read(path, hdu=GALAXIES.upper(), **how))
    metas = []
    for row in galaxies:
        meta = {key: row[key].item() if hasattr(row[key], "item") else row[key] for key in galaxies.colnames}
        meta = {key: str(value) if isinstance(value, str) else value for key, value in meta.items()}
        for key in ("flags", *SENTENCES):
            meta[key] = split(key, str(meta.get(key, "")))
        metas.append(meta)
    return unescaped_columns(QTable.read(path, hdu="PROFILES", **how)), metas


def _read_parquet(path: Path) -> Table:
    """Read what astropy wrote; its own reader wants pandas, pyarrow alone is enough."""
    import pyarrow.parquet
    from astropy.table import QTable, meta

    if missing := {"sma", "mu"} - set(pyarrow.parquet.read_schema(path).names):
        raise InputError(path, f"not a table of profiles, it lacks {', '.join(sorted(missing))}")
    rows = pyarrow.parquet.read_table(path)
    header = meta.get_header_from_yaml((rows.schema.metadata or {})[b"table_meta_yaml"].decode().split("\n"))
    table = QTable(meta=header.get("meta", {}))
    for name in rows.column_names:
        table[name] = np.asarray(rows[name].to_pylist(), dtype=str if name == "name" else float)
    return table


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
