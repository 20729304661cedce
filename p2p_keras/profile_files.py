"""Profiles to and from files: one table for many galaxies, or a file each.

One table has the galaxy's ``name`` as its first column and a row per radius of each galaxy. What else is kept:

| ending | units | meta of each galaxy | precision |
|---|---|---|---|
| `.ecsv` | yes | yes, as ``meta['galaxies']`` | float64 as text |
| `.fits` | yes | yes, as the second table, HDU ``GALAXIES``, a row per galaxy (`flags` joined by blanks) | float64 |
| `.parquet` | yes | yes, in the file's metadata | float64 |
| `.csv` | no: those of `p2p_keras.profile.COLUMN_UNITS` | only ``name`` | float64 as text |

A file is written under a temporary name and renamed, so that a reader never sees half of one. Two galaxies of one name
are kept apart as NAME, NAME_2, NAME_3, ...
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.errors import InputError, UsageError
from p2p_keras.profile import COLUMN_DESCRIPTIONS, COLUMN_UNITS, META_KEYS, plain_arrays

if TYPE_CHECKING:
    from astropy.table import QTable, Table

FORMATS = ("ecsv", "fits", "csv", "parquet")
"""Formats of a table, which are also the endings of its file."""

GALAXIES = "galaxies"
"""Key of a table's meta, and name of the second HDU, that holds the meta of each galaxy."""

_ASTROPY_FORMAT = {"ecsv": "ascii.ecsv", "fits": "fits", "csv": "ascii.csv", "parquet": "parquet"}
_UNSAFE = re.compile(r"[^\w.+\-]+")


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
        raise UsageError(f"{path}: unknown kind of table; use .{', .'.join(FORMATS)} or a folder")
    return None


class ProfileWriter:
    """Writes profiles as they come, to a folder or to one table.

    A folder's files are written at once; one table when the writer is closed, which the ``with`` statement also does
    when it is left by an interrupt or error: what was measured is kept.

    Parameters
    ----------
    output : str or path
        A name that ends in one of `FORMATS`, or a folder, which is made.
    table_format : str, optional
        One of `FORMATS`, where the ending doesn't say; in a folder the format of the files (``ecsv`` by default).

    Attributes
    ----------
    written : list of Path
        Files written so far.
    replaced : list of Path
        Those of them that were there before this writer.
    renamed : list of (str, str)
        Names of galaxies that had to be changed since the name was taken, old and new.
    """

    def __init__(self, output: str | os.PathLike[str], table_format: str | None = None) -> None:
        self.output = Path(output).expanduser()
        if table_format is not None and table_format not in FORMATS:
            raise UsageError(f"unknown format {table_format!r}; there are {', '.join(FORMATS)}")
        ending = format_of(self.output)
        # A dot in a folder's name is no ending; an existing folder is one whatever its name.
        self.is_folder = self.output.is_dir() or ending is None
        self.format = table_format or (None if self.is_folder else ending) or "ecsv"
        if self.format == "parquet":
            import pyarrow  # noqa: F401 - say now, not after hours of work, that it isn't installed
        self.written: list[Path] = []
        self.replaced: list[Path] = []
        self.renamed: list[tuple[str, str]] = []
        self._names: set[str] = set()
        self._profiles: list[QTable] = []
        folder = self.output if self.is_folder else self.output.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: can't be made ({error.strerror or error})") from error
        if not os.access(folder, os.W_OK):
            raise UsageError(f"{folder}: no permission to write there")

    def __enter__(self) -> ProfileWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def add(self, profile: QTable) -> str:
        """Take one profile; returns the name under which it is kept."""
        wanted = str(profile.meta.get("name", "") or "galaxy")
        if self.is_folder:
            wanted = safe_name(wanted)
        name = self._free_name(wanted)
        if name != profile.meta.get("name"):
            profile = profile.copy(copy_data=False)
            profile.meta["name"] = name
        if self.is_folder:
            self._write(profile, self.output / f"{name}.{self.format}")
        else:
            self._profiles.append(profile)
        return name

    def close(self) -> None:
        """Write the one table; without effect for a folder, or a second time."""
        if self._profiles:
            profiles, self._profiles = self._profiles, []
            self._write(combine(profiles), self.output)

    def _free_name(self, wanted: str) -> str:
        """Find a free name: NAME_2 and so on where it is taken, whatever its case (some file systems can't tell)."""
        name, number = wanted, 1
        while name.casefold() in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name.casefold())
        if number > 1:
            self.renamed.append((wanted, name))
        return name

    def _write(self, table: QTable, path: Path) -> None:
        if path.exists():
            self.replaced.append(path)
        write_table(table, path, self.format)
        self.written.append(path)


def write_profiles(
    profiles: Iterable[QTable], output: str | os.PathLike[str], table_format: str | None = None
) -> list[Path]:
    """Write profiles to one table or to a folder, see `ProfileWriter`; returns the files written."""
    with ProfileWriter(output, table_format) as writer:
        for profile in profiles:
            writer.add(profile)
    return writer.written


def read_profiles(path: str | os.PathLike[str]) -> list[QTable]:
    """Read the profiles of a file or folder that `write_profiles` wrote.

    Returns
    -------
    list of QTable
        One per galaxy, in the order of the file (of the names in a folder), with units, and ``meta`` as far as the
        format keeps it. Galaxies without a single radius come back too, as empty tables, except from ``.csv``.

    Raises
    ------
    InputError
        It can't be read as such a table.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower().lstrip(".") in FORMATS)
        return [profile for file in files for profile in read_profiles(file)]
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise InputError(path, f"not a table of profiles (.{', .'.join(FORMATS)})")
    try:
        table, metas = _read_table(path, suffix)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise InputError(path, f"can't be read as a table of profiles ({error})") from error
    missing = [name for name in ("sma", "mu") if name not in table.colnames]
    if missing:
        raise InputError(path, f"not a table of profiles, it lacks {', '.join(missing)}")
    return _split(table, metas, default_name=path.stem)


def combine(profiles: Iterable[QTable]) -> QTable:
    """Put profiles into one table with the first column ``name``; their meta goes to ``meta['galaxies']``."""
    from astropy import units as u
    from astropy.table import Column, QTable

    profiles = list(profiles)
    arrays = [plain_arrays(profile) for profile in profiles]
    names = [str(profile.meta.get("name", "")) for profile in profiles]
    table = QTable()
    table["name"] = np.repeat(np.array(names, dtype=str), [len(profile) for profile in profiles])
    for name, unit in COLUMN_UNITS.items():
        values = np.concatenate([a.get(name, np.full(len(p), np.nan)) for a, p in zip(arrays, profiles, strict=True)])
        table[name] = u.Quantity(values, unit) if unit else Column(values)
        table[name].info.description = COLUMN_DESCRIPTIONS[name]
    table.meta[GALAXIES] = [_plain_meta(profile.meta) for profile in profiles]
    return table


def safe_name(name: str) -> str:
    """Turn a galaxy's name into a file name: no separators, blanks or hidden files."""
    return _UNSAFE.sub("_", name).strip("._") or "galaxy"


def write_table(table: QTable, path: str | os.PathLike[str], table_format: str) -> None:
    """Write one table under a temporary name and rename it.

    Raises
    ------
    InputError
        The disk refuses.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        if table_format == "fits":
            _write_fits(table, temporary)
        elif table_format == "csv":
            plain = table.copy(copy_data=False)
            plain.meta.clear()
            plain.write(temporary, format="ascii.csv", overwrite=True)
        else:
            table = table.copy(copy_data=False)
            table.meta = {key: _plain_value(value) for key, value in table.meta.items()}
            table.write(temporary, format=_ASTROPY_FORMAT[table_format], overwrite=True)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(path, f"can't be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_fits(table: QTable, path: Path) -> None:
    """Profiles in the first table, one row per galaxy with its meta in the second: header cards hold too little."""
    from astropy.io import fits
    from astropy.table import Table

    metas = table.meta.get(GALAXIES) or [_plain_meta(table.meta)]
    keys = list(dict.fromkeys(key for meta in metas for key in meta))
    galaxies = Table()
    for key in keys:
        values = [meta.get(key) for meta in metas]
        if isinstance(values[0], list):
            values = [" ".join(str(v) for v in value or []) for value in values]
        galaxies[key] = values if not any(v is None for v in values) else ["" if v is None else str(v) for v in values]
    rows = table.copy(copy_data=False)
    rows.meta.clear()
    hdus = [
        fits.PrimaryHDU(),
        fits.table_to_hdu(rows, name="PROFILES"),
        fits.table_to_hdu(galaxies, name=GALAXIES.upper()),
    ]
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _read_table(path: Path, suffix: str) -> tuple[Table, list[dict[str, Any]]]:
    from astropy.table import QTable, Table

    if suffix != "fits":
        table = _read_parquet(path) if suffix == "parquet" else QTable.read(path, format=_ASTROPY_FORMAT[suffix])
        metas = table.meta.get(GALAXIES)
        return table, [dict(meta) for meta in metas] if metas is not None else [dict(table.meta)]
    # Without mask_invalid=False astropy turns NaN and empty text into masked entries.
    how: dict[str, Any] = {"format": "fits", "character_as_bytes": False, "mask_invalid": False}
    galaxies = Table.read(path, hdu=GALAXIES.upper(), **how)
    metas = []
    for row in galaxies:
        meta = {key: row[key].item() if hasattr(row[key], "item") else row[key] for key in galaxies.colnames}
        meta = {key: str(value) if isinstance(value, (bytes, np.str_)) else value for key, value in meta.items()}
        meta["flags"] = str(meta.get("flags", "")).split()
        metas.append(meta)
    return QTable.read(path, hdu="PROFILES", **how), metas


def _read_parquet(path: Path) -> Table:
    """Read what astropy wrote; its own reader wants pandas, pyarrow alone is enough."""
    import pyarrow.parquet
    from astropy.table import QTable, meta

    rows = pyarrow.parquet.read_table(path)
    header = meta.get_header_from_yaml((rows.schema.metadata or {})[b"table_meta_yaml"].decode().split("\n"))
    table = QTable(meta=header.get("meta", {}))
    for name in rows.column_names:
        table[name] = np.asarray(rows[name].to_pylist(), dtype=str if name == "name" else float)
    return table


def _split(table: Table, metas: list[dict[str, Any]], default_name: str) -> list[QTable]:
    """Cut one table into those of its galaxies."""
    from astropy import units as u
    from astropy.table import Column

    from p2p_keras.profile_object import Profile

    arrays = plain_arrays(table)
    if "name" in table.colnames:
        row_names = np.asarray(table["name"]).astype(str)
        order = list(dict.fromkeys(row_names.tolist()))
        known = {str(meta.get("name")): meta for meta in metas if "name" in meta}
        parts = [(known.get(name, {"name": name}), row_names == name) for name in (list(known) or order)]
    else:
        meta = metas[0] if metas else {}
        parts = [({"name": default_name} | meta, np.ones(len(table), dtype=bool))]
    profiles: list[QTable] = []
    for meta, rows in parts:
        profile = Profile()
        for name, values in arrays.items():
            unit = COLUMN_UNITS[name]
            profile[name] = u.Quantity(values[rows], unit) if unit else Column(values[rows])
            profile[name].info.description = COLUMN_DESCRIPTIONS[name]
        profile.meta.update(meta)
        profiles.append(profile)
    return profiles


def _plain_meta(meta: Any) -> dict[str, Any]:
    """Meta of one profile as plain Python values, in the order of `META_KEYS`, whatever else was added last."""
    keys = [key for key in META_KEYS if key in meta] + [key for key in meta if key not in META_KEYS]
    return {key: _plain_value(meta[key]) for key in keys if key != "__serialized_columns__"}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [_plain_value(v) for v in value]
    if isinstance(value, dict):
        return {str(key): _plain_value(v) for key, v in value.items()}
    return value
