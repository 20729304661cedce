"""Read a measured profile, whichever program wrote it.

============================  ===========================  ====================================
program                       known by                     conventions
============================  ===========================  ====================================
p2p_keras (ECSV and others)   columns ``sma``, ``mu``      arcsec; pa by `pa_reference`; extinction is put back
AutoProf ``.prof``            columns ``R``, ``SB``/``I``  arcsec; pa from +y; centre from the ``.aux`` file beside it
photutils isophote table      columns ``sma``, ``intens``  pixels; pa from +x
text of one column            the paper's layout           mu at equal steps of radius
text of two or three columns  ending .txt or .dat          sma (arcsec), mu, mu_err
============================  ===========================  ====================================
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.core import units
from p2p_keras.core.errors import InputError
from p2p_keras.profile.columns import extinction_corrected, plain_arrays
from p2p_keras.profile.tables.autoprof import prof_centre, prof_columns, read_comments
from p2p_keras.profile.tables.reading import TABLE_FORMATS, read_profiles

__all__ = ["ProfileLabel", "read_profile"]

_MISSING_MAG = 90.0
"""AutoProf and others write 99.999 for a surface brightness that could not be measured."""


@dataclass(frozen=True)
class ProfileLabel:
    """A profile as it is on the image: without correction for extinction, which its program may have made.

    Attributes
    ----------
    sma : float array (N,), arcsec, increasing
    mu : float array (N,), mag arcsec^-2; NaN where not measured
    mu_err, ellipticity, pa : float array (N,) or None
    pa_reference : str
        What pa counts from: ``"+x"`` or ``"+y"`` of the image (counter-clockwise), or ``"north"`` (through east).
    x0, y0 : float
        Centre in pixels of the image file; NaN where the file doesn't say.
    mag_total : float
        Total magnitude; NaN where the file doesn't say.
    """

    sma: np.ndarray
    mu: np.ndarray
    mu_err: np.ndarray | None = None
    ellipticity: np.ndarray | None = None
    pa: np.ndarray | None = None
    pa_reference: str = "+x"
    x0: float = float("nan")
    y0: float = float("nan")
    mag_total: float = float("nan")


def read_profile(
    path: str | os.PathLike,
    *,
    zero_point: float,
    pixel_scale: float,
    radius_start: float | None = None,
    radius_step: float | None = None,
) -> ProfileLabel:
    """Read one profile.

    Parameters
    ----------
    path : path
    zero_point, pixel_scale : float
        Of its image: they turn photutils' flux per pixel into mag arcsec^-2, its pixels into arcsec.
    radius_start, radius_step : float, optional
        Arcsec, for files of one column, which say nothing of their radii: those are start, start + step, ... Default:
        one pixel and one pixel.

    Raises
    ------
    InputError
        When the file is missing, in no known form, or has no two finite values.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "there is no such profile")
    try:
        if path.suffix.lower() == ".prof":
            meta = read_comments(path) | _read_aux(path)
            label = _from_columns(prof_columns(path), meta, zero_point, pixel_scale, path)
        elif path.suffix.lower() in (".txt", ".dat"):
            label = _from_text(path, pixel_scale, radius_start, radius_step)
        else:
            label = _from_table(path, zero_point, pixel_scale)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(path, str(error)) from None
    except Exception as error:  # whatever the many table readers raise
        raise InputError(path, f"can't be read as a profile ({type(error).__name__}: {error})") from None
    return _sorted(label, path)


def _read_aux(path: Path) -> dict[str, Any]:
    x0, y0 = prof_centre(path)
    return {"x0": x0, "y0": y0} if np.isfinite(x0) else {}


def _from_text(path: Path, pixel_scale: float, start: float | None, step: float | None) -> ProfileLabel:
    if not path.read_text().strip():
        raise InputError(path, "the profile is empty")
    values = np.genfromtxt(path, dtype=float, comments="#", ndmin=2, delimiter=_delimiter(path))
    if values.shape[1] == 1:
        step = pixel_scale if step is None else step
        sma = (step if start is None else start) + step * np.arange(len(values))
        return ProfileLabel(sma=sma, mu=values[:, 0])
    return ProfileLabel(sma=values[:, 0], mu=values[:, 1], mu_err=values[:, 2] if values.shape[1] > 2 else None)


def _delimiter(path: Path) -> str | None:
    first = next((line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")), "")
    return "," if "," in first else None


def _from_table(path: Path, zero_point: float, pixel_scale: float) -> ProfileLabel:
    from astropy.table import QTable

    if own := _own_profile(path):
        return _from_columns(plain_arrays(own), dict(own.meta), zero_point, pixel_scale, path)
    table = QTable.read(path)
    plain: dict[str, Any] = plain_arrays(table)  # columns that have our names, in our units
    for name in table.colnames:
        if name not in plain or name == "sma":
            column = getattr(table[name], "value", table[name])
            if np.ndim(column) == 1 and np.asarray(column).dtype.kind in "fiu":
                plain[name] = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
    if {"sma", "mu"} <= plain.keys() and str(getattr(table["sma"], "unit", None)) not in ("None", "pix", ""):
        plain["sma"] = plain_arrays(table)["sma"]
    return _from_columns(plain, dict(table.meta), zero_point, pixel_scale, path)


def _own_profile(path: Path) -> Any:
    """A table that `predict` wrote, with its meta; None where it is another program's."""
    if path.suffix.lower().lstrip(".") not in TABLE_FORMATS:
        return None
    try:
        profiles = read_profiles(path)
    except InputError:
        return None
    if len(profiles) != 1:
        raise InputError(path, f"holds {len(profiles)} galaxies; each galaxy needs a file of its own")
    return profiles[0]


def _from_columns(
    columns: dict[str, np.ndarray], meta: dict[str, Any], zero_point: float, pixel_scale: float, path: Path
) -> ProfileLabel:
    """Tell the program by its columns."""
    centre: dict[str, Any] = {key: float(meta.get(key, np.nan)) for key in ("x0", "y0")}
    if "R" in columns and {"SB", "I"} & columns.keys():
        if "SB" in columns:
            mu, error = np.where(columns["SB"] > _MISSING_MAG, np.nan, columns["SB"]), columns.get("SB_e")
        else:  # flux per square arcsec
            flux = np.where(columns["I"] > 0, columns["I"], np.nan)
            mu, error = units.mu_from_intensity(flux, zero_point, 1.0), columns.get("I_e")
            error = None if error is None else units.mag_error_from_log(error / flux)
        return ProfileLabel(
            columns["R"],
            mu + extinction_corrected(meta),
            error,
            columns.get("ellip"),
            columns.get("pa"),
            pa_reference="+y",
            **centre,
        )
    if {"sma", "mu"} <= columns.keys():
        return ProfileLabel(
            columns["sma"],
            columns["mu"] + extinction_corrected(meta),
            columns.get("mu_err"),
            columns.get("ellipticity"),
            columns.get("pa"),
            pa_reference=str(meta.get("pa_reference", "+x")),
            mag_total=float(meta.get("mag_total", np.nan)) + extinction_corrected(meta),
            **centre,
        )
    if {"sma", "intens"} <= columns.keys():
        intensity = np.where(columns["intens"] > 0, columns["intens"], np.nan)
        error = columns.get("intens_err")
        centre = {key: float(np.nanmedian(columns[key][:20])) if key in columns else np.nan for key in ("x0", "y0")}
        return ProfileLabel(
            columns["sma"] * pixel_scale,
            units.mu_from_intensity(intensity, zero_point, pixel_scale),
            None if error is None else units.mag_error_from_log(error / intensity),
            columns.get("ellipticity"),
            columns.get("pa"),
            **centre,
        )
    raise InputError(
        path,
        "is not a profile of a known kind: expected the columns sma and mu, sma and intens, R and SB, or R and "
        f"I; it has {', '.join(columns)}",
    )


def _sorted(label: ProfileLabel, path: Path) -> ProfileLabel:
    """Radii increasing, positive and each once; at least two values of mu must be left."""
    sma = np.asarray(label.sma, dtype=float)
    usable = np.flatnonzero(np.isfinite(sma) & (sma > 0))
    _, first = np.unique(sma[usable].astype(np.float32), return_index=True)
    keep = usable[first]
    mu = np.asarray(label.mu, dtype=float)[keep]
    finite = np.flatnonzero(np.isfinite(mu))
    if finite.size < 2:
        raise InputError(path, f"the profile has {finite.size} finite values of mu at positive radii, 2 are needed")
    keep, mu = keep[: finite[-1] + 1], mu[: finite[-1] + 1]

    def picked(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.asarray(values, dtype=float)[keep]

    return ProfileLabel(
        sma[keep],
        np.where(np.isfinite(mu), mu, np.nan),
        picked(label.mu_err),
        picked(label.ellipticity),
        picked(label.pa),
        label.pa_reference,
        label.x0,
        label.y0,
        label.mag_total,
    )
