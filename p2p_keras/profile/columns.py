"""The profile table: columns, units, meta and the quantities derived from them.

One galaxy's raw model outputs (numbers on a fixed radial grid, position angles from +x, pixels of the cutout) and its
image become one `astropy.table.QTable` that holds what a user may rely on: only radii that the model stands behind, the
position angle east of north where the image has a WCS, the centre in pixels of the file.

Nothing here raises for odd numbers: a quantity that can't be had is NaN, a profile without radii is an empty table with
the flag ``no_profile``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.ellipse import half_turn
from p2p_keras.core.padded import at_index
from p2p_keras.core.units import SB_UNIT

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = [
    "COLUMN_UNITS",
    "ERROR_COLUMN_UNITS",
    "HARMONICS",
    "ALL_COLUMN_UNITS",
    "COLUMN_DESCRIPTIONS",
    "META_KEYS",
    "ERROR_META",
    "TEXT_KEYS",
    "ISOPHOTE_MU",
    "valid_rows",
    "unit_of",
    "isophotal_radius",
    "isophotal_radii",
    "plain_arrays",
    "extinction_corrected",
    "pa_from_x",
    "whole_or_float",
]

COLUMN_UNITS = {"sma": "arcsec", "mu": SB_UNIT, "mu_err": SB_UNIT, "ellipticity": "", "pa": "deg", "growth": "mag"}
"""Columns of a profile in their order, with their units ('' for a plain number)."""

ERROR_COLUMN_UNITS = {"ellipticity_err": "", "pa_err": "deg", "growth_err": "mag"}
"""Columns of a model that knows the uncertainty of all that it measures (`isophote` from version 5 on)."""

HARMONICS = ("a3", "b3", "a4", "b4")
"""Deviations from an ellipse, as photutils' isophotes define them; each with its error, ``a3_err`` ..."""

EXTRA_COLUMN_UNITS = {
    "sma_kpc": "kpc",
    "intensity": "uJy / arcsec2",
    "intensity_err": "uJy / arcsec2",
    "n_pix": "",
    "n_masked": "",
    **{f"{name}{end}": "" for name in HARMONICS for end in ("", "_err")},
    "x0": "pix",
    "y0": "pix",
    "x0_err": "pix",
    "y0_err": "pix",
    "sma_in": "arcsec",
    "sma_out": "arcsec",
}
"""Columns that some profiles have: with a redshift, and what is measured on the pixels themselves."""

ALL_COLUMN_UNITS = COLUMN_UNITS | ERROR_COLUMN_UNITS | EXTRA_COLUMN_UNITS

COLUMN_DESCRIPTIONS = {
    "sma": "semi-major axis of the isophote",
    "mu": "surface brightness",
    "mu_err": "1-sigma uncertainty of mu",
    "ellipticity": "1 - b/a",
    "pa": "position angle of the major axis",
    "growth": "magnitude inside this ellipse",
    "ellipticity_err": "1-sigma uncertainty of ellipticity",
    "pa_err": "1-sigma uncertainty of pa",
    "growth_err": "1-sigma uncertainty of growth",
    "sma_kpc": "semi-major axis at the redshift of meta",
    "intensity": "surface brightness as a flux (AB), also where it is negative",
    "intensity_err": "1-sigma uncertainty of intensity",
    "n_pix": "pixels that were used",
    "n_masked": "pixels that were left out: masked, off the image, foreign light, clipped",
    **{
        f"{n}{end}": f"{what} harmonic over sma times the gradient{of}"
        for n, what in (
            ("a3", "third sine"),
            ("b3", "third cosine"),
            ("a4", "fourth sine"),
            ("b4", "fourth cosine (< 0 boxy)"),
        )
        for end, of in (("", ""), ("_err", ": 1-sigma uncertainty"))
    },
    "x0": "column of this ellipse's centre in the file, from 0",
    "y0": "row of this ellipse's centre in the file, from 0",
    "x0_err": "1-sigma uncertainty of x0 by this ellipse alone",
    "y0_err": "1-sigma uncertainty of y0 by this ellipse alone",
    "sma_in": "inner edge of the ring of pixels",
    "sma_out": "outer edge of the ring of pixels",
}

META_KEYS = (
    "name", "band", "x0", "y0", "ra", "dec", "pixel_scale", "zero_point", "pa_reference", "pa_of_x", "parity",
    "mag_total", "r50", "r90", "concentration", "r_iso25", "extent", "sky", "flags", "quality", "source", "x_offset",
    "y_offset", "binning", "hdu", "photometric_system", "zero_point_origin", "pixel_scale_origin", "noise_origin",
    "notes", "model", "model_version", "software_version",
)  # fmt: skip
"""Keys of every profile's ``meta``, in their order."""

ERROR_META = ("x0_err", "y0_err", "mag_total_err")
"""Keys of ``meta``, px and mag, that come with `ERROR_COLUMN_UNITS`; and `p_bad`, a probability."""

TEXT_KEYS = (
    "name", "band", "pa_reference", "flags", "source", "model", "model_version", "software_version", "forced",
    "sky_origin", "cosmology",
)  # fmt: skip
"""Keys whose values are text, also where they look like numbers: a name may be of digits."""

ISOPHOTE_MU = 25.0
"""Surface brightness of `r_iso25`, mag arcsec^-2 (as R25 of the RC3)."""


def valid_rows(outputs: Mapping[str, Any]) -> np.ndarray:
    """Rows of one galaxy's raw outputs that make up its profile: `valid`, finite in sma and mu, sma above 0.

    Returns
    -------
    bool array (K,)
    """
    sma, mu = np.asarray(outputs["sma"], dtype=float), np.asarray(outputs["mu"], dtype=float)
    return np.asarray(outputs["valid"], dtype=bool) & np.isfinite(sma) & np.isfinite(mu) & (sma > 0)


@functools.cache
def unit_of(text: str) -> Any:
    """A unit by its name; astropy would parse the text for each column of each galaxy."""
    from astropy import units as u

    return u.Unit(text)


def isophotal_radius(sma: np.ndarray, mu: np.ndarray, level: float = ISOPHOTE_MU) -> float:
    """Outermost semi-major axis where the surface brightness falls through a level; NaN where it never does.

    Parameters
    ----------
    sma : array (N,), increasing
    mu : array (N,), mag arcsec^-2
    level : float, mag arcsec^-2

    Returns
    -------
    float, in the unit of `sma`
    """
    sma, mu = np.asarray(sma, dtype=float), np.asarray(mu, dtype=float)
    good = np.isfinite(sma) & np.isfinite(mu) & (sma > 0.0)
    if not good.any():
        return float("nan")
    return float(isophotal_radii(sma[good], mu[None, good], level)[0])


def isophotal_radii(sma: np.ndarray, mu: np.ndarray, level: float) -> np.ndarray:
    """`isophotal_radius` of many profiles at once.

    Parameters
    ----------
    sma : array (..., N), increasing
        One row of radii for all M profiles; with leading axes, one for each of several galaxies, NaN behind its end.
    mu : array (..., M, N), finite as far as `sma` is
    level : float, mag arcsec^-2

    Returns
    -------
    float array (..., M)
    """
    crossing = (mu[..., :-1] <= level) & (mu[..., 1:] > level)
    i = np.maximum(crossing.shape[-1] - 1 - np.argmax(crossing[..., ::-1], axis=-1), 0) if sma.shape[-1] > 1 else 0
    i = np.broadcast_to(i, mu.shape[:-1])
    beyond = np.minimum(i + 1, sma.shape[-1] - 1)
    low, high = at_index(mu, i), at_index(mu, beyond)
    log_r = np.log(sma)
    inner, outer = np.take_along_axis(log_r, i, axis=-1), np.take_along_axis(log_r, beyond, axis=-1)
    last = np.broadcast_to(np.maximum(np.isfinite(sma).sum(axis=-1) - 1, 0)[..., None], i.shape)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where nothing crosses, nothing of it counts
        radius = np.exp(inner + (level - low) / (high - low) * (outer - inner))
    at_last = np.where(at_index(mu, last) == level, np.take_along_axis(sma, last, axis=-1), np.nan)
    return np.where((low <= level) & (high > level), radius, at_last)


def plain_arrays(profile: QTable) -> dict[str, np.ndarray]:
    """Columns of a profile as plain float arrays in the units of `ALL_COLUMN_UNITS`.

    Parameters
    ----------
    profile : QTable
        A column without a unit (of a table read from .csv) is taken to be in those units already.

    Returns
    -------
    dict of float arrays (N,)
        By column name. Masked values are NaN.
    """
    from astropy import units as u

    arrays: dict[str, np.ndarray] = {}
    for name, unit in ALL_COLUMN_UNITS.items():
        if name not in profile.colnames:
            continue
        column = profile[name]
        if type(column) is u.Quantity and column.unit is unit_of(unit):  # as nearly always, and ten times as fast
            arrays[name] = np.array(column.value, dtype=float)
            continue
        if unit and getattr(column, "unit", None) is not None:
            column = u.Quantity(column).to_value(unit_of(unit))
        arrays[name] = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
    return arrays


def extinction_corrected(meta: Mapping[str, Any]) -> float:
    """Galactic extinction (mag) that a profile's magnitudes are corrected for already; 0 where its meta says nothing.

    Parameters
    ----------
    meta : mapping
        The profile's, also as files give it back: text, or NaN where a table of many has no value.
    """
    value = meta.get("extinction")
    number = 0.0 if value in (None, "") else float(value)
    return number if np.isfinite(number) else 0.0


def pa_from_x(pa: Any, meta: Mapping[str, Any]) -> np.ndarray:
    """Position angles of a profile counter-clockwise from the image's +x axis, in [0, 180); see `profile_table`.

    Parameters
    ----------
    pa : array, degrees
    meta : mapping
        The profile's; without ``pa_of_x`` and ``parity`` the angles are taken to be from +x already.
    """
    turned = float(meta.get("parity", 1)) * (np.asarray(pa, dtype=float) - float(meta.get("pa_of_x", 0.0)))
    return half_turn(turned)


def whole_or_float(value: float) -> int | float:
    """An integer where it is one: the offset of a cutout that was neither binned nor resampled."""
    return int(value) if float(value).is_integer() else float(value)
