"""Which image goes with which profile: one `PackRow` for each galaxy and band."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.images.catalogue_table import COLUMNS, CatalogueTable
from p2p_keras.images.inputs import find_inputs, stem_of

__all__ = [
    "PackRow",
    "rows_of_paper_layout",
    "rows_of_images",
    "rows_of_catalogue",
    "read_catalogue",
    "find_profile",
    "mark_duplicates",
]

_PROFILE_ENDINGS = (".prof", ".ecsv", ".txt", ".dat", ".csv", ".fits", ".fit")
_KEYS = ("file", "name", "band", "profile", "mask", "ra", "dec", "x", "y", "redshift", "zero_point", "pixel_scale")
_ALSO_KNOWN = {"redshift": ("z",), "pixel_scale": ("scale",)}
"""Names of columns that only here can't mean something else."""


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
    ra, dec : float or None
        The target's position, degrees.
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
    ra: float | None = None
    dec: float | None = None
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
        Text file with one galaxy name per line; blank lines and ``#`` are skipped. Default: the only ``.txt`` file in
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
            names_of_lists = ", ".join(path.name for path in lists)
            raise UsageError(f"{folder}: several lists of names ({names_of_lists}); choose with --names")
        if not lists:
            return []
        names = lists[0]
    try:
        lines = Path(names).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{names}: can't read the list of names ({error})") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def rows_of_images(inputs: Iterable[str | os.PathLike], *, profiles: str | os.PathLike | None = None) -> list[PackRow]:
    """Rows of image files whose profiles lie in one folder under the same name.

    ``-r`` or ``_r`` (one of u, g, r, i, z, y) at the end of a file's name is the band, so that all bands of a galaxy
    stay in one split.

    Parameters
    ----------
    inputs : iterable of path
        Files, folders, patterns, ``@list.txt``.
    profiles : path, optional
        Folder; the profile of ``NAME-r.fits`` is ``NAME-r`` or ``NAME_r`` with the ending .prof, .ecsv, .txt, .dat,
        .csv or .fits. Default: the image's own folder (.fits left out).
    """
    rows = []
    for path in find_inputs(inputs):
        stem = stem_of(path)
        match = re.fullmatch(r"(.+)[-_]([ugrizy])", stem)
        name, band = (match[1], match[2]) if match else (stem, None)
        stems = (stem, f"{name}-{band}", f"{name}_{band}") if band else (stem,)
        beside = _PROFILE_ENDINGS if profiles else _PROFILE_ENDINGS[:5]  # a .fits there is an image
        rows.append(PackRow(name, str(path), band, _first_file(Path(profiles or path.parent), stems, beside)))
    return mark_duplicates(rows)


def rows_of_catalogue(
    catalogue: str | os.PathLike,
    *,
    folder: str | os.PathLike | None = None,
    profiles: str | os.PathLike | None = None,
    columns: Mapping[str, str] | None = None,
) -> list[PackRow]:
    """Rows of a table in any format that `p2p_keras.images.catalogue_table` reads.

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
    columns : mapping of str to str, optional
        What a column means -> its name in this catalogue, where that isn't one of the known ones.

    Raises
    ------
    UsageError
        When the table can't be read or has no column of files.
    """
    rows, known = read_catalogue(catalogue, folder=folder, columns=columns)
    if "file" not in known:
        raise UsageError(
            f"{catalogue}: no column with the image files; name it one of {', '.join(COLUMNS['file'])}, or give the "
            f"frames on which its positions are to be found (it has {', '.join(known.values()) or 'none we know'})"
        )
    if profiles is not None:
        rows = [replace(row, profile=row.profile or find_profile(profiles, row.name, row.band)) for row in rows]
    return mark_duplicates(rows)


def read_catalogue(
    catalogue: str | os.PathLike,
    *,
    folder: str | os.PathLike | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[list[PackRow], dict[str, str]]:
    """The rows of a catalogue as they are, and which of its columns has which meaning.

    A row without a name is called by its file, or by its position. See `rows_of_catalogue`.
    """
    table = CatalogueTable(catalogue, columns, keys=_KEYS, also_known=_ALSO_KNOWN)
    base = Path(folder) if folder is not None else Path(catalogue).parent
    rows = []
    for piece in table.pieces():
        arrays = {key: values.tolist() for key, values in piece.items()}
        for i in range(len(arrays["row"])):
            cells = {key: values[i] for key, values in arrays.items()}
            rows.append(_row(cells, table, base))
    return rows, table.columns


def _row(cells: dict[str, Any], table: CatalogueTable, base: Path) -> PackRow:
    """One galaxy of a catalogue, from its cells (``""`` and NaN: empty)."""
    known: dict[str, Any] = {key: None if value == "" or value != value else value for key, value in cells.items()}
    problem = cells["problem"]
    if table.has("file") and known["file"] is None:
        problem = problem or "the column of files is empty"
    for key in ("ra", "dec"):
        if table.has(key) and not table.has("file") and known[key] is None:
            problem = problem or f"{table.columns[key]} is empty"
    if None not in (known["x"], known["ra"]):  # in its own file the pixel counts, on frames the place on the sky
        known |= dict.fromkeys(("ra", "dec") if known["file"] else ("x", "y"))
    image = str(base / cells["file"])
    name = known["name"] or (stem_of(image) if known["file"] else _name_of_position(known))
    known |= {key: str(base / known[key]) for key in ("profile", "mask") if known[key]}
    fields = {key: known[key] for key in _KEYS if key not in ("file", "name")}
    return PackRow(name=name, image=image, problem=problem, **fields)


def _name_of_position(cells: dict[str, Any]) -> str:
    """A name that stays when rows are added, since splits go by it: the position."""
    if cells["ra"] is None or cells["dec"] is None:
        return f"row {cells['row'] + 1}"
    return f"J{cells['ra']:.5f}{cells['dec']:+.5f}"


def find_profile(folder: str | os.PathLike | None, name: str, band: str | None) -> str | None:
    """The profile of a galaxy in a folder: NAME-BAND, NAME_BAND or NAME with a known ending; None if there is none."""
    if folder is None:
        return None
    stems = (f"{name}-{band}", f"{name}_{band}", name) if band else (name,)
    return _first_file(Path(folder), stems, _PROFILE_ENDINGS)


def _first_file(folder: Path, stems: Iterable[str], endings: Iterable[str]) -> str | None:
    places = (folder / (stem + ending) for ending in endings for stem in stems)
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
