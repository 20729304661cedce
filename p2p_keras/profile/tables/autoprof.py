"""AutoProf's profile file: comments, a line of names, a line of units, a row per radius, separated by commas.

This is the layout that every version of AutoProf reads (as the profile of a forced measurement), and `pack` too
(Stone et al. 2021, MNRAS 508, 1870). Position angles there are counter-clockwise from the image's +y axis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.profile.tables.text import SENTENCES, joined, printable, split

__all__ = ["write_prof", "read_prof", "prof_columns", "prof_centre", "read_comments"]

_UNITS = {
    "R": "arcsec",
    "SB": "mag*arcsec^-2",
    "SB_e": "mag*arcsec^-2",
    "totmag": "mag",
    "totmag_e": "mag",
    "ellip": "unitless",
    "ellip_e": "unitless",
    "pa": "deg",
    "pa_e": "deg",
    "pixels": "count",
    "maskedpixels": "count",
}
_OURS = {
    "sma": "R",
    "mu": "SB",
    "mu_err": "SB_e",
    "growth": "totmag",
    "growth_err": "totmag_e",
    "ellipticity": "ellip",
    "ellipticity_err": "ellip_e",
    "pa": "pa",
    "pa_err": "pa_e",
    "n_pix": "pixels",
    "n_masked": "maskedpixels",
}
"""Our columns and AutoProf's: those of `_ALWAYS` are written in any case, the others where there are any."""

_ALWAYS = ("sma", "mu", "mu_err", "growth", "ellipticity", "pa")
_MISSING = 99.999
_COMMENTS = (
    "name", "band", "x0", "y0", "ra", "dec", "pixel_scale", "zero_point", "mag_total", "r50", "r90", "extinction",
    "flags", "quality", "source", "photometric_system", "zero_point_origin", "pixel_scale_origin", "noise_origin",
    "hdu", "notes", "model", "model_version", "software_version",
)  # fmt: skip

_NUMBERS = (
    "x0", "y0", "ra", "dec", "pixel_scale", "zero_point", "mag_total", "r50", "r90", "extinction", "quality",
)  # fmt: skip


def write_prof(meta: Mapping[str, Any], columns: Mapping[str, np.ndarray], path: Path) -> None:
    """Write one profile; what has no value is 99.999, as AutoProf has it.

    Parameters
    ----------
    meta : mapping
        Of a profile. ``pa_of_x`` and ``parity`` turn its position angles back to the image.
    columns : mapping of arrays
        ``sma``, ``mu``, ``mu_err``, ``ellipticity``, ``pa``, ``growth`` in the units of `p2p_keras.profile`; errors and
        numbers of pixels where there are any.
    path : Path
    """
    from p2p_keras.profile.columns import pa_from_x

    present = [ours for ours in _OURS if ours in _ALWAYS or ours in columns]
    angles = (pa_from_x(columns["pa"], meta) - 90.0) % 180.0
    rows = np.stack([angles if ours == "pa" else columns[ours] for ours in present], axis=1)
    names = [_OURS[ours] for ours in present]
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for key in _COMMENTS:
            if key in meta:
                value = meta[key]
                text = joined(value) if isinstance(value, list) else str(value)
                file.write(f"# {key}: {printable(text)}\n")
        file.write(",".join(names) + "\n" + ",".join(_UNITS[name] for name in names) + "\n")
        for row in np.where(np.isfinite(rows), rows, _MISSING):
            file.write(",".join(f"{value:.5f}" for value in row) + "\n")


def read_prof(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what `write_prof` wrote: meta (see `read_comments`) and columns; angles from +x."""
    meta, columns = read_comments(path), prof_columns(path)
    meta["pa_reference"] = "+x"
    out = {ours: columns[theirs] for ours, theirs in _OURS.items() if theirs in columns}
    out["pa"] = (out["pa"] + 90.0) % 180.0
    return meta, out


def prof_columns(path: Path) -> dict[str, np.ndarray]:
    """Columns of any version of AutoProf, by its names: comments, a line of names, perhaps one of units, rows.

    AutoProf once wrote the units as a line of their own; 1.3.4 writes them as a comment. What is missing (99.999), or
    text, is NaN.

    Raises
    ------
    ValueError
        It is no such file, or a row was cut off.
    """
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip() and line[0] != "#"]
    if len(lines) < 2:
        raise ValueError("is not an AutoProf profile, which has a line of names and then rows")
    names = [name.strip() for name in lines[0].split(",")]
    first_is_row = np.isfinite(_number(lines[1].split(",")[0]))
    rows = [[_number(cell) for cell in line.split(",")] for line in lines[1 if first_is_row else 2 :]]
    if any(len(row) != len(names) for row in rows):
        raise ValueError(f"a row doesn't have the {len(names)} columns that the first line names; is the file cut off?")
    table = np.array(rows, dtype=float).reshape(len(rows), len(names))
    columns = dict(zip(names, table.T, strict=True))
    # Angles and radii may well be above 99.999: only magnitudes beyond it, and the very number elsewhere, are missing.
    for name, values in columns.items():
        missing = values > _MISSING - 1e-3 if name.startswith(("SB", "totmag")) else np.abs(values - _MISSING) < 1e-6
        values[missing & (name != "R")] = np.nan
    return columns


def prof_centre(path: Path) -> tuple[float, float]:
    """The centre of a profile, px; NaN where there is none.

    AutoProf writes it into ``NAME.aux`` beside ``NAME.prof`` (``center x: 64.1 pix, y: 63.2 pix``), `write_prof` into
    the comments of the file itself.
    """
    aux = path.with_suffix(".aux")
    text = aux.read_text(encoding="utf-8") if aux.is_file() else ""
    match = re.search(r"^center x:\s*([-+.\deE]+)\s*pix, y:\s*([-+.\deE]+)", text, re.MULTILINE)
    if match:
        return float(match[1]), float(match[2])
    comments = read_comments(path)
    return comments.get("x0", float("nan")), comments.get("y0", float("nan"))


def read_comments(path: Path) -> dict[str, Any]:
    """What `write_prof` put into comments: text, numbers where meta has numbers, lists of flags and notes.

    Of other programs' files only what has our names, such as none of AutoProf's own.
    """
    meta: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").split("\n"):
        key, colon, value = line.lstrip("#").partition(":")
        key, value = key.strip(), value.strip()
        if not line.startswith("#") or not colon or key not in _COMMENTS:
            continue
        # By its meaning, not by its look: a name may be of digits.
        if key in ("flags", *SENTENCES):
            meta[key] = split(key, value)
        else:
            meta[key] = _number(value) if key in _NUMBERS else value
    return meta


def _number(text: str) -> float:
    """A number; NaN for text, such as that of AutoProf's column `sampling_method`."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
