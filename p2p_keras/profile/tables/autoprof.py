"""AutoProf's profile file: comments, a line of names, a line of units, a row per radius, separated by commas.

This is the layout that every version of AutoProf reads (as the profile of a forced measurement), and `pack` too
(Stone et al. 2021, MNRAS 508, 1870). Position angles there are counter-clockwise from the image's +y axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.profile.tables.lists import SENTENCES, joined, split
from p2p_keras.profile.tables.text import printable

_UNITS = {
    "R": "arcsec",
    "SB": "mag*arcsec^-2",
    "SB_e": "mag*arcsec^-2",
    "totmag": "mag",
    "ellip": "unitless",
    "pa": "deg",
}
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
        ``sma``, ``mu``, ``mu_err``, ``ellipticity``, ``pa``, ``growth`` in the units of `p2p_keras.profile`.
    path : Path
    """
    from p2p_keras.profile.columns import pa_from_x

    rows = np.stack(
        [
            columns["sma"],
            columns["mu"],
            columns["mu_err"],
            columns["growth"],
            columns["ellipticity"],
            (pa_from_x(columns["pa"], meta) - 90.0) % 180.0,
        ],
        axis=1,
    )
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for key in _COMMENTS:
            if key in meta:
                value = meta[key]
                text = joined(value) if isinstance(value, list) else str(value)
                file.write(f"# {key}: {printable(text)}\n")
        file.write(",".join(_UNITS) + "\n" + ",".join(_UNITS.values()) + "\n")
        for row in np.where(np.isfinite(rows), rows, _MISSING):
            file.write(",".join(f"{value:.5f}" for value in row) + "\n")


def read_prof(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what `write_prof` wrote: meta (see `read_comments`) and columns; angles from +x."""
    meta, lines = read_comments(path), path.read_text(encoding="utf-8").splitlines()
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    names = body[0].split(",")
    numbers = [[float(cell) for cell in line.split(",")] for line in body[2:]]
    table = np.array(numbers, dtype=float).reshape(len(numbers), len(names))
    table[table > _MISSING - 1e-6] = np.nan
    found = dict(zip(names, table.T, strict=True))
    meta["pa_reference"] = "+x"
    columns = {"sma": "R", "mu": "SB", "mu_err": "SB_e", "ellipticity": "ellip", "pa": "pa", "growth": "totmag"}
    out = {ours: found[theirs] for ours, theirs in columns.items()}
    out["pa"] = (out["pa"] + 90.0) % 180.0
    return meta, out


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
    try:
        return float(text)
    except ValueError:
        return float("nan")
