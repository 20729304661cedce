"""Which image goes with which profile: one `PackRow` for each galaxy and band."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.images.inputs import find_inputs, stem_of
from p2p_keras.images.text_columns import as_text

_PROFILE_ENDINGS = (".prof", ".ecsv", ".txt", ".dat", ".csv", ".fits", ".fit")
_COLUMNS = {
    "file": ("file", "filename", "image", "path", "image_file"),
    "name": ("name", "galaxy", "object", "objid", "id"),
    "ra": ("ra", "raj2000", "ra_deg", "alpha_j2000"),
    "dec": ("dec", "dej2000", "decj2000", "dec_deg", "delta_j2000"),
    "x": ("x", "x_image", "xc"),
    "y": ("y", "y_image", "yc"),
    "redshift": ("redshift", "z", "zspec", "z_spec"),
    "band": ("band", "filter"),
    "zero_point": ("zero_point", "zeropoint", "zp", "magzero"),
    "pixel_scale": ("pixel_scale", "pixscale", "scale"),
    "profile": ("profile", "profile_file", "prof", "sb"),
    "mask": ("mask", "mask_file"),
}
"""What a catalogue may hold, with the names that a column may have (any case)."""
_TEXTS = ("file", "name", "band", "profile", "mask")
_NUMBERS = ("x", "y", "redshift", "zero_point", "pixel_scale")


@dataclass(frozen=True)
class PackRow:
    """One galaxy in one band, as it is to be packed.

    Attributes
    ----------
    name : str
        The galaxy's name, without its band.
    image : str
        FITS file, a cutout or a whole frame.
    band : str or None
        None: as the header says.
    profile : str or None
        File of the profile; None where it is missing, or to be measured.
    ra, dec : float, str or None
        The target's position (degrees, or sexagesimal text).
    x, y : float or None
        The target's pixel in the file.
    zero_point, pixel_scale : float or None
        None: as the header says.
    redshift : float or None
        Kept in the record's `origin`.
    mask : str or None
        FITS file, non-zero = ignore.
    problem : str
        Why the row can't be packed, known beforehand; ``""`` otherwise.
    """

    name: str
    image: str
    band: str | None = None
    profile: str | None = None
    ra: float | str | None = None
    dec: float | str | None = None
    x: float | None = None
    y: float | None = None
    zero_point: float | None = None
    pixel_scale: float | None = None
    redshift: float | None = None
    mask: str | None = None
    problem: str = ""


def rows_of_paper_layout(folder: str | os.PathLike, names: str | os.PathLike | None = None) -> list[PackRow]:
    """Rows of the paper's layout: ``gals/NAME-BAND.fits``, ``sbs/NAME_BAND.txt`` and a list of names.

    Parameters
    ----------
    folder : path
        Holds ``gals`` and ``sbs``.
    names : path, optional
        Text file, a galaxy's name a line; blank lines and ``#`` are skipped. Default: the only ``.txt`` file in
        `folder`, or all images where there is none.

    Raises
    ------
    UsageError
        When the folders or the list aren't there.
    """
    folder = Path(folder)
    gals, sbs = folder / "gals", folder / "sbs"
    if not gals.is_dir() or not sbs.is_dir():
        raise UsageError(f"{folder}: expected the folders gals/ (NAME-BAND.fits) and sbs/ (NAME_BAND.txt) in it")
    images: dict[str, list[tuple[str, Path]]] = {}
    for path in find_inputs([gals]):
        name, _, band = stem_of(path).rpartition("-")
        images.setdefault(name, []).append((band, path))
    rows = []
    for name in _listed_names(folder, names) or sorted(images):
        for band, path in images.get(name, []):
            profile = sbs / f"{name}_{band}.txt"
            problem = "" if profile.is_file() else f"the profile {profile} is missing"
            rows.append(PackRow(name, str(path), band, str(profile), problem=problem))
        if name not in images:
            rows.append(PackRow(name, str(gals / f"{name}-*.fits"), problem="there is no such image"))
    return mark_duplicates(rows)


def _listed_names(folder: Path, names: str | os.PathLike | None) -> list[str]:
    if names is None:
        lists = sorted(folder.glob("*.txt"))
        if len(lists) > 1:
            found = ", ".join(path.name for path in lists)
            raise UsageError(f"{folder}: several lists of names ({found}); choose with --names")
        if not lists:
            return []
        names = lists[0]
    try:
        lines = Path(names).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{names}: can't read the list of names ({error})") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def rows_of_images(
    inputs: Iterable[str | os.PathLike], *, profiles: str | os.PathLike | None = None, split_band: bool = True
) -> list[PackRow]:
    """Rows of image files whose profiles lie in one folder under the same name.

    Parameters
    ----------
    inputs : iterable of path
        Files, folders, patterns, ``@list.txt``.
    profiles : path, optional
        Folder; the profile of ``NAME-r.fits`` is ``NAME-r`` or ``NAME_r`` with the ending .prof, .ecsv, .txt, .dat,
        .csv or .fits. Default: the image's own folder (.fits left out).
    split_band : bool, optional
        Take ``-r`` or ``_r`` (one of u, g, r, i, z, y) off a file's name as the band, so that all bands of a galaxy
        stay in one split.
    """
    rows = []
    for path in find_inputs(inputs):
        stem = stem_of(path)
        match = re.fullmatch(r"(.+)[-_]([ugrizy])", stem) if split_band else None
        name, band = (match[1], match[2]) if match else (stem, None)
        stems = (stem, f"{name}-{band}", f"{name}_{band}") if band else (stem,)
        places = [
            (Path(profiles) if profiles else path.parent) / (candidate + ending)
            for ending in (_PROFILE_ENDINGS if profiles else _PROFILE_ENDINGS[:5])
            for candidate in stems
        ]
        found = next((str(place) for place in places if place.is_file()), None)
        rows.append(PackRow(name, str(path), band, found))
    return mark_duplicates(rows)


def rows_of_catalogue(
    catalogue: str | os.PathLike,
    *,
    folder: str | os.PathLike | None = None,
    profiles: str | os.PathLike | None = None,
) -> list[PackRow]:
    """Rows of a table in any format that astropy reads.

    Columns, in any case: `file` (the image or frame; required), `name`, `ra` and `dec` or `x` and `y` (the target; it
    is cut out of its frame), `redshift`, `band`, `zero_point`, `pixel_scale`, `profile`, `mask`. Positions are in
    degrees, in the column's own unit of angle, or sexagesimal text (hours and degrees).

    Parameters
    ----------
    catalogue : path
    folder : path, optional
        Where relative file names begin; default: the catalogue's folder.
    profiles : path, optional
        Folder of the profiles of rows that name none, see `rows_of_images`.

    Raises
    ------
    UsageError
        When the table can't be read or has no column of files.
    """
    rows, columns = read_catalogue(catalogue, folder=folder)
    if "file" not in columns:
        raise UsageError(
            f"{catalogue}: no column with the image files; name it one of {', '.join(_COLUMNS['file'])}, or give the "
            f"frames on which its positions are to be found (it has {', '.join(columns.values()) or 'none we know'})"
        )
    if profiles is not None:
        rows = [replace(row, profile=row.profile or find_profile(profiles, row.name, row.band)) for row in rows]
    return mark_duplicates(rows)


def read_catalogue(
    catalogue: str | os.PathLike, *, folder: str | os.PathLike | None = None
) -> tuple[list[PackRow], dict[str, str]]:
    """The rows of a catalogue as they are, and which of its columns has which meaning.

    A row without a name is called by its file, or by its position. See `rows_of_catalogue`.
    """
    from astropy.table import Table

    try:
        table = Table.read(os.fspath(catalogue), **_astropy_format(catalogue))
    except Exception as error:  # whatever astropy's many readers raise
        raise UsageError(f"{catalogue}: can't be read as a table ({_first_line(error)})") from None
    columns = _find_columns(table.colnames)
    base = Path(folder) if folder is not None else Path(catalogue).parent
    to_degrees = {key: _degrees_per_unit(table[columns[key]].unit) for key in ("ra", "dec") if key in columns}
    rows = []
    for number, record in enumerate(table, start=1):
        cells = {key: _cell(record[column]) for key, column in columns.items()}
        problem = "" if cells.get("file") or "file" not in columns else "the column of files is empty"
        for key in _NUMBERS:
            try:
                cells[key] = None if cells.get(key) in (None, "") else float(cells[key])
            except (TypeError, ValueError):
                problem, cells[key] = f"{columns[key]} = {cells[key]!r} is not a number", None
        for key, factor in to_degrees.items():
            if cells[key] in (None, ""):
                cells[key] = None
                problem = problem or ("" if "file" in columns else f"{columns[key]} is empty")
            elif not isinstance(cells[key], str):
                cells[key] = float(cells[key]) * factor
        for key in ("profile", "mask"):
            cells[key] = str(base / str(cells[key])) if cells.get(key) else None
        image = str(base / str(cells.get("file") or ""))
        name = cells.get("name") or (stem_of(image) if cells.get("file") else _name_of_position(cells, number))
        rows.append(
            PackRow(
                name=str(name),
                image=image,
                band=str(cells["band"]) if cells.get("band") else None,
                ra=cells.get("ra"),
                dec=cells.get("dec"),
                **{key: cells[key] for key in ("profile", "mask", *_NUMBERS)},
                problem=problem,
            )
        )
    return rows, columns


def _name_of_position(cells: dict[str, Any], number: int) -> str:
    """A name that stays when rows are added, since splits go by it: the position."""
    ra, dec = cells.get("ra"), cells.get("dec")
    if ra is None or dec is None:
        return f"row {number}"
    return f"{ra}{dec}" if isinstance(ra, str) else f"J{ra:.5f}{float(dec):+.5f}"


def _degrees_per_unit(unit: Any) -> float:
    """Degrees in the unit of a column of positions; 1 where it has none."""
    from astropy import units as u

    try:
        return float(unit.to(u.deg)) if unit is not None else 1.0
    except u.UnitConversionError:
        return 1.0


def find_profile(folder: str | os.PathLike | None, name: str, band: str | None) -> str | None:
    """The profile of a galaxy in a folder: NAME-BAND, NAME_BAND or NAME with a known ending; None if there is none."""
    if folder is None:
        return None
    stems = (f"{name}-{band}", f"{name}_{band}", name) if band else (name,)
    places = [Path(folder) / (stem + ending) for ending in _PROFILE_ENDINGS for stem in stems]
    return next((str(place) for place in places if place.is_file()), None)


def mark_duplicates(rows: list[PackRow]) -> list[PackRow]:
    """Mark all but the first of rows with the same name and band: a network must not see a galaxy twice."""
    seen: dict[tuple[str, str | None], str] = {}
    marked = []
    for row in rows:
        key = (row.name, row.band)
        if key in seen and not row.problem:
            row = replace(row, problem=f"the name is given twice in one band (first with {seen[key]}); left out")
        seen.setdefault(key, row.image)
        marked.append(row)
    return marked


def _find_columns(colnames: Iterable[str]) -> dict[str, str]:
    by_lower = {name.lower(): name for name in reversed(list(colnames))}
    found = {}
    for key, names in _COLUMNS.items():
        for name in names:
            if name in by_lower:
                found[key] = by_lower[name]
                break
    return found


def _cell(value: Any) -> Any:
    """A table's cell as plain Python: None where masked or NaN, text stripped."""
    import numpy as np

    if value is np.ma.masked:
        return None
    value = getattr(value, "value", value)  # a Quantity; coordinates are in degrees
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        return value.strip()
    return None if value != value else value


def _astropy_format(path: str | os.PathLike) -> dict[str, Any]:
    """Plain text has no format that astropy could know by its ending; and names in text are no numbers."""
    ending = Path(path).suffix.lower()
    how: dict[str, Any] = {"format": "ascii"} if ending in (".txt", ".dat", ".cat") else {}
    if how or ending in (".csv", ".ecsv"):
        how["converters"] = as_text(name for key in _TEXTS for name in _COLUMNS[key])
    return how


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
