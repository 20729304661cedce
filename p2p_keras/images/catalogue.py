"""A catalogue of galaxies -> files and the targets in them.

Any table that astropy reads (FITS, VOTable, ECSV, CSV, text). Columns are found by name, whatever its case:

==============  ==================================================  ==========================================
what            column names                                        meaning
==============  ==================================================  ==========================================
``name``        name, id, objid, object, galaxy                     the galaxy's name in the output
``file``        file, filename, image, path                         its image; without it every frame is searched
``ra``          ra, raj2000, alpha_j2000, _ra, ra_icrs              degrees, or hours as text (13:22:02.4)
``dec``         dec, de, dej2000, delta_j2000, _de, de_icrs         degrees, or degrees as text
``x``, ``y``    x, xpix, x_pixel; y, ypix, y_pixel                  pixel in the file, from 0
``size``        size, cutout, size_px                               side of the cutout, px
``zero_point``  zero_point, zeropoint, zp, magzero                  mag of a pixel value of one
``pixel_scale`` pixel_scale, pixscale                               arcsec
``band``        band, filter                                        filter
``hdu``         hdu, extension                                      number or name of the HDU
``mask``        mask, mask_file                                     FITS image, not 0: ignore
``redshift``    redshift, zspec, z_spec                             for lengths in kpc (not ``z``: that is a band)
``extinction``  extinction, a_lambda                                Galactic extinction in the band, mag
``ebv``         ebv, e_bv, e(b-v)                                   Galactic E(B-V), mag
==============  ==================================================  ==========================================

A column's unit is honoured: angles come in degrees, ``pixel_scale`` in arcsec, ``size`` in pixels (one in arcsec needs
a pixel scale beside it). Extinction is corrected for only where the caller asks for it, by ``extinction_columns`` or by
naming the column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.core.errors import UsageError
from p2p_keras.images.cutout import check_size
from p2p_keras.images.inputs import stem_of
from p2p_keras.images.targets import InputFile, Target, sky_position

COLUMNS = {
    "name": ("name", "id", "objid", "object", "galaxy"),
    "file": ("file", "filename", "image", "path"),
    "ra": ("ra", "raj2000", "alpha_j2000", "_ra", "ra_icrs"),
    "dec": ("dec", "de", "dej2000", "delta_j2000", "_de", "de_icrs"),
    "x": ("x", "xpix", "x_pixel"),
    "y": ("y", "ypix", "y_pixel"),
    "size": ("size", "cutout", "size_px"),
    "zero_point": ("zero_point", "zeropoint", "zp", "magzero"),
    "pixel_scale": ("pixel_scale", "pixscale"),
    "band": ("band", "filter"),
    "hdu": ("hdu", "extension"),
    "mask": ("mask", "mask_file"),
    "redshift": ("redshift", "zspec", "z_spec"),
    "extinction": ("extinction", "a_lambda"),
    "ebv": ("ebv", "e_bv", "e(b-v)"),
}
"""What a catalogue may say of a galaxy -> names of its column, the first one first."""

_NUMBERS = ("x", "y", "zero_point", "pixel_scale", "redshift", "extinction", "ebv")


class _Odd(str):
    """A cell that can't be used: says why."""


def read_catalogue(path: str | os.PathLike[str], columns: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Read a catalogue: what each row says, by the keys of `COLUMNS`; other columns are kept in ``"other"``.

    Parameters
    ----------
    path : path
    columns : mapping of str to str, optional
        Key of `COLUMNS` -> name of its column here, where that isn't one of the known ones.

    Returns
    -------
    list of dict
        A row each; what is masked, empty or NaN is left out. ``"row"`` is its number from 1, ``"problem"`` says what
        can't be used of it.

    Raises
    ------
    UsageError
        It can't be read, has no rows, or lacks a column that was named.
    """
    table = _read_table(path)
    if not len(table):
        raise UsageError(f"{path}: the catalogue has no rows")
    chosen = _choose_columns(path, table.colnames, columns or {})
    values = {key: _cells(table[column], key) for key, column in chosen.items()}
    lower = {name.lower(): name for name in table.colnames}
    values |= {
        name: _cells(table[column], "file") for name, column in lower.items() if name.startswith(("file_", "image_"))
    }
    rows = []
    size_in_arcsec = "size" in chosen and _is_on_sky(table[chosen["size"]])
    if size_in_arcsec and "pixel_scale" not in chosen:
        raise UsageError(
            f"{path}: the sizes are in {table[chosen['size']].unit}: px are needed, or a column pixel_scale"
        )
    for i in range(len(table)):
        row = {key: cells[i] for key, cells in values.items() if cells[i] is not None}
        if "size" in row and not isinstance(row["size"], _Odd):
            row["size"] = _side(row, size_in_arcsec)
        if odd := [str(cell) for cell in row.values() if isinstance(cell, _Odd)]:
            row = {key: cell for key, cell in row.items() if not isinstance(cell, _Odd)} | {"problem": "; ".join(odd)}
        rows.append({"row": i + 1} | row)
    return rows


def catalogue_inputs(
    path: str | os.PathLike[str],
    frames: Sequence[str | os.PathLike[str]] = (),
    columns: Mapping[str, str] | None = None,
    *,
    extinction_columns: bool = False,
    **options: Any,
) -> list[InputFile]:
    """Files with their targets, from a catalogue.

    Parameters
    ----------
    path : path
        The catalogue.
    frames : sequence of path
        Images on which galaxies are looked for by position, where the catalogue has no column of files.
    columns : mapping, optional
        See `read_catalogue`.
    extinction_columns : bool
        Take the catalogue's columns of extinction too; those named in `columns` are taken anyway.
    **options
        Fields of `Target` for all rows that don't say otherwise.

    Returns
    -------
    list of InputFile
        A file once, with all its galaxies.

    Raises
    ------
    UsageError
        The catalogue can't be used.
    """
    rows = asked_rows(read_catalogue(path, columns), columns, extinction_columns)
    has_place = any({"ra", "dec"} <= row.keys() or {"x", "y"} <= row.keys() for row in rows)
    if any("file" in row for row in rows):
        if frames:
            raise UsageError(f"{path}: the catalogue names its files in a column: give no others")
        by_file: dict[str, list[Target]] = {}
        for row in rows:
            if "file" not in row:
                raise UsageError(f"{path}: row {row['row']} names no file, other rows do")
            target = target_of(row, path, default_name=_default_name(row, bool(has_place)))
            by_file.setdefault(beside(row["file"], path), []).append(target.or_else(options))
        return [InputFile(file, tuple(targets)) for file, targets in by_file.items()]
    if not frames:
        raise UsageError(
            f"{path}: the catalogue has no column of files ({', '.join(COLUMNS['file'])}): give the images"
        )
    if not has_place:
        raise UsageError(f"{path}: neither a file nor a position: it needs a column file, or ra and dec, or x and y")
    targets = [target_of(row, path, default_name=f"{Path(path).stem}_{row['row']}") for row in rows]
    placed = tuple(
        target
        if target.problem or target.ra is not None or target.x is not None
        else replace(target, problem="has no position")
        for target in (t.or_else(options) for t in targets)
    )
    return [InputFile(os.fspath(frame), None, placed) for frame in frames]


def asked_rows(
    rows: Sequence[dict[str, Any]], columns: Mapping[str, str] | None, extinction_columns: bool
) -> list[dict[str, Any]]:
    """Rows of `read_catalogue` without columns of extinction that nobody asked to correct by."""
    unasked = set() if extinction_columns else {"extinction", "ebv"} - set(columns or {})
    return [{key: value for key, value in row.items() if key not in unasked} for row in rows]


def _side(row: Mapping[str, Any], in_arcsec: bool) -> Any:
    """Side of a row's cutout in px."""
    if not in_arcsec:
        return round(row["size"])
    scale = row.get("pixel_scale")
    if not isinstance(scale, float) or not scale > 0:
        return _Odd("size in arcsec without a pixel_scale")
    return round(row["size"] / scale)


def target_of(row: Mapping[str, Any], catalogue: str | os.PathLike[str], default_name: str | None = None) -> Target:
    """The target that a row of `read_catalogue` describes."""
    given = {key: row[key] for key in COLUMNS if key in row and key != "file"}
    if "mask" in given:
        given["mask"] = beside(given["mask"], catalogue)
    given.setdefault("name", default_name)
    problem = row.get("problem", "")
    try:
        position = sky_position(*(given.get(key) for key in ("ra", "dec", "x", "y")))
        if position is not None:
            given["ra"], given["dec"] = position
        check_size(given.get("size"))
    except UsageError as error:
        problem = problem or str(error)
        for key in ("ra", "dec", "x", "y", "size"):
            given.pop(key, None)
    return Target(**given, label=f"row {row['row']} of {Path(catalogue).name}", problem=problem)


def beside(file: str, catalogue: str | os.PathLike[str]) -> str:
    """A file that a catalogue names: looked up from the working folder, then from the catalogue's own."""
    path = Path(file).expanduser()
    if not path.is_absolute() and not path.exists() and (Path(catalogue).parent / path).exists():
        path = Path(catalogue).parent / path
    return str(path)


def _default_name(row: Mapping[str, Any], has_place: bool) -> str | None:
    stem = stem_of(row["file"])
    return f"{stem}_{row['row']}" if has_place else stem


def _read_table(path: str | os.PathLike[str]) -> Any:
    from astropy.table import Table

    if not os.path.isfile(path):
        raise UsageError(f"{path}: no such catalogue")
    kind = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".txt": "ascii", ".dat": "ascii", ".cat": "ascii"}
    try:
        return Table.read(path, format=kind.get(Path(path).suffix.lower()))
    except Exception as error:  # every reader of astropy has its own
        said = str(error).strip().splitlines()
        raise UsageError(f"{path}: can't be read as a table ({said[0] if said else type(error).__name__})") from error


def _choose_columns(path: Any, names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): name for name in names}
    chosen = {}
    for key, wanted in given.items():
        if key not in COLUMNS:
            raise UsageError(f"--column {key}={wanted}: there is no {key!r}; known are {', '.join(COLUMNS)}")
        if wanted not in names:
            raise UsageError(f"{path}: has no column {wanted!r}; it has {', '.join(names)}")
        chosen[key] = wanted
    for key, known in COLUMNS.items():
        found = next((lower[name] for name in known if name in lower), None)
        if key not in chosen and found is not None:
            chosen[key] = found
    for one, other in (("ra", "dec"), ("x", "y")):
        if (one in chosen) != (other in chosen):
            missing = other if one in chosen else one
            raise UsageError(f"{path}: has a column for {one if one in chosen else other}, but none for {missing}")
    return chosen


_UNITS = {"ra": "deg", "dec": "deg", "pixel_scale": "arcsec", "zero_point": "mag", "extinction": "mag", "ebv": "mag"}
_PIXELS = ("pix", "pixel", "px", "")


def _factor(column: Any, key: str) -> float:
    """Factor from a column's unit to the one that is meant; NaN for a size on the sky, which a pixel scale turns.

    Raises
    ------
    UsageError
        The unit is of another kind.
    """
    from astropy import units as u

    unit = getattr(column, "unit", None)
    if unit is None or str(unit).strip() == "":
        return 1.0
    try:
        if key in ("size", "x", "y"):
            if str(unit) in _PIXELS or unit == u.pix:
                return 1.0
            if key == "size" and u.Unit(unit).is_equivalent(u.arcsec):
                return float(u.Unit(unit).to(u.arcsec))
            raise ValueError("pixels")
        if key == "pixel_scale" and u.Unit(unit).is_equivalent(u.arcsec / u.pix):
            return float(u.Unit(unit).to(u.arcsec / u.pix))
        if key in _UNITS:
            return float(u.Unit(unit).to(_UNITS[key]))
    except Exception as error:
        wanted = _UNITS.get(key, "pix")
        raise UsageError(f"the column of {key} is in {unit}: {wanted} is needed") from error
    return 1.0


def _is_on_sky(column: Any) -> bool:
    unit = getattr(column, "unit", None)
    return unit is not None and str(unit) not in _PIXELS


def _cells(column: Any, key: str) -> list[Any]:
    """Plain values of a column, None where there is none."""
    masked = np.ma.getmaskarray(np.ma.asarray(column)) if hasattr(column, "mask") else np.zeros(len(column), bool)
    factor = _factor(column, key)
    cells = []
    for value, hidden in zip(column, masked, strict=True):
        plain = getattr(value, "value", value)
        plain = plain.item() if hasattr(plain, "item") else plain
        plain = plain.decode() if isinstance(plain, bytes) else plain
        cells.append(None if hidden else _cell(plain, key, factor))
    return cells


def _cell(value: Any, key: str, factor: float) -> Any:
    if value is None or (isinstance(value, float) and not np.isfinite(value)) or str(value).strip() == "":
        return None
    try:
        if key in _NUMBERS:
            return float(value) * factor
        if key == "size":
            return float(value) * factor
        if key in ("ra", "dec"):
            return value.strip() if isinstance(value, str) else float(value) * factor
        if key == "hdu":
            return value.strip() if isinstance(value, str) else int(value)
    except (TypeError, ValueError):
        return _Odd(f"{key} {value!r} is no number")
    return str(value).strip()
