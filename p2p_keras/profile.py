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

import p2p_keras
from p2p_keras.accuracy import interpolate_log_sma
from p2p_keras.flags import find_flags, quality_of
from p2p_keras.growth import radius_of_light
from p2p_keras.units import SB_UNIT

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage
    from p2p_keras.profile_object import Profile

COLUMN_UNITS = {"sma": "arcsec", "mu": SB_UNIT, "mu_err": SB_UNIT, "ellipticity": "", "pa": "deg", "growth": "mag"}
"""Columns of a profile in their order, with their units ('' for a plain number)."""

EXTRA_COLUMN_UNITS = {"sma_kpc": "kpc", "intensity": "uJy / arcsec2", "intensity_err": "uJy / arcsec2"}
"""Columns that some profiles have: with a redshift, and measured by force along another band's ellipses."""

ALL_COLUMN_UNITS = COLUMN_UNITS | EXTRA_COLUMN_UNITS

COLUMN_DESCRIPTIONS = {
    "sma": "semi-major axis of the isophote",
    "mu": "surface brightness",
    "mu_err": "1-sigma uncertainty of mu",
    "ellipticity": "1 - b/a",
    "pa": "position angle of the major axis",
    "growth": "magnitude inside this ellipse",
    "sma_kpc": "semi-major axis at the redshift of meta",
    "intensity": "surface brightness as a flux (AB), also where it is negative",
    "intensity_err": "1-sigma uncertainty of intensity",
}

META_KEYS = (
    "name", "band", "x0", "y0", "ra", "dec", "pixel_scale", "zero_point", "pa_reference", "pa_of_x", "parity",
    "mag_total", "r50", "r90", "concentration", "r_iso25", "extent", "sky", "flags", "quality", "source", "x_offset",
    "y_offset", "binning", "hdu", "photometric_system", "zero_point_origin", "pixel_scale_origin", "noise_origin", "notes",
    "model", "model_version", "software_version",
)  # fmt: skip
"""Keys of every profile's ``meta``, in their order."""

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


def profile_table(
    outputs: Mapping[str, Any], image: GalaxyImage, *, model: str = "", model_version: str | int = ""
) -> Profile:
    """Make the profile of one galaxy from its raw model outputs.

    Parameters
    ----------
    outputs : mapping of arrays
        One galaxy's entries of the model's outputs (no batch axis): `sma` (arcsec), `mu`, `mu_err`, `ellipticity`, `pa`
        (degrees from +x), `growth` (mag), `valid`, each (K,); `x0`, `y0` (px of the cutout), `extent` (arcsec),
        `mag_total` (mag), `sky` (flux per pixel).
    image : GalaxyImage
        The image that they belong to.
    model, model_version : str
        Kept in ``meta``.

    Returns
    -------
    Profile
        A `QTable` that draws itself, a row per radius with the columns of `COLUMN_UNITS`; ``meta`` has every key of
        `META_KEYS`. ``x0`` and ``y0``, ``pixel_scale`` and ``sky`` are those of the file's pixels (the cutout's pixel
        (0, 0) is at the file's (`x_offset`, `y_offset`), and `binning` of them make a side of one that was measured); ``pa_of_x`` is the position angle of the image's +x axis and ``parity`` 1 where angles grow
        counter-clockwise as on the image, else -1, so that `pa_from_x` can turn ``pa`` back.
    """
    columns, meta = profile_columns(outputs, image, model=model, model_version=model_version)
    table = table_of_columns(columns)
    table.meta.update(meta)
    return table


def profile_columns(
    outputs: Mapping[str, Any], image: GalaxyImage, *, model: str = "", model_version: str | int = ""
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Columns and meta of `profile_table` as plain arrays and values, for those who write many of them."""
    keep = valid_rows(outputs)
    columns = {name: np.asarray(outputs[name], dtype=float)[keep] for name in COLUMN_UNITS}
    order = np.argsort(columns["sma"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    columns["growth"] = np.where(np.isfinite(columns["growth"]), columns["growth"], np.nan)
    x0, y0 = _number(outputs["x0"]), _number(outputs["y0"])
    columns["pa"], pa_of_x, parity = _sky_position_angle(image, columns["pa"], x0, y0)

    mag_total = _number(outputs["mag_total"])
    ra, dec = image.pixel_to_sky(x0, y0)
    x_file, y_file = image.to_file(x0, y0)
    r50 = radius_of_light(columns["sma"], columns["growth"], mag_total, 0.5)
    r90 = radius_of_light(columns["sma"], columns["growth"], mag_total, 0.9)
    flags = find_flags(outputs, image)
    meta = {
        "name": image.name,
        "band": image.band,
        "x0": float(x_file),
        "y0": float(y_file),
        "ra": _number(ra),
        "dec": _number(dec),
        "pixel_scale": float(image.file_pixel_scale),
        "zero_point": float(image.zero_point),
        "pa_reference": image.pa_reference,
        "pa_of_x": pa_of_x,
        "parity": parity,
        "mag_total": mag_total,
        "r50": r50,
        "r90": r90,
        "concentration": r90 / r50 if r50 > 0 else float("nan"),
        "r_iso25": isophotal_radius(columns["sma"], columns["mu"], ISOPHOTE_MU),
        "extent": float(columns["sma"][-1]) if columns["sma"].size else float("nan"),
        "sky": _number(outputs["sky"]) / image.binning**2,
        "flags": flags,
        "quality": quality_of(flags),
        "source": str(image.source or ""),
        "x_offset": whole_or_float(image.x_offset),
        "y_offset": whole_or_float(image.y_offset),
        "binning": int(image.binning),
        "hdu": str(image.hdu),
        "photometric_system": str(image.photometric_system),
        "zero_point_origin": str(image.zero_point_origin),
        "pixel_scale_origin": str(image.pixel_scale_origin),
        "noise_origin": str(image.noise_origin),
        "notes": [str(note) for note in image.notes],
        "model": str(model),
        "model_version": str(model_version),
        "software_version": p2p_keras.__version__,
    }
    return columns, meta


def table_of_columns(columns: Mapping[str, np.ndarray]) -> QTable:
    """Make a table of plain arrays by the names, units and descriptions of a profile's columns."""
    from astropy import units as u
    from astropy.table import Column

    from p2p_keras.profile_object import Profile

    made = []
    for name, unit in ALL_COLUMN_UNITS.items():
        if name in columns:
            column = u.Quantity(columns[name], _unit(unit)) if unit else Column(columns[name])
            column.info.name, column.info.description = name, COLUMN_DESCRIPTIONS[name]
            made.append(column)
    # All at once: column by column takes longer.
    return Profile(made, copy=False)


@functools.cache
def _unit(text: str) -> Any:
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
    good = np.isfinite(sma) & np.isfinite(mu)
    if not good.any():
        return float("nan")
    return float(isophotal_radii(sma[good], mu[None, good], level)[0])


def isophotal_radii(sma: np.ndarray, mu: np.ndarray, level: float) -> np.ndarray:
    """`isophotal_radius` of many profiles on the same radii: sma (N,), mu (M, N), finite -> (M,)."""
    if sma.size < 2:
        return np.where(mu[:, -1] == level, sma[-1], np.nan)
    crossing = (mu[:, :-1] <= level) & (mu[:, 1:] > level)
    i = crossing.shape[1] - 1 - np.argmax(crossing[:, ::-1], axis=1)
    rows = np.arange(len(mu))
    low, high = mu[rows, i], mu[rows, i + 1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where nothing crosses, nothing of it counts
        part = (level - low) / (high - low)
        radius = np.exp(np.log(sma[i]) + part * (np.log(sma[i + 1]) - np.log(sma[i])))
    return np.where(crossing.any(axis=1), radius, np.where(mu[:, -1] == level, sma[-1], np.nan))


def plain_arrays(profile: QTable) -> dict[str, np.ndarray]:
    """Columns of a profile as plain float arrays in the units of `ALL_COLUMN_UNITS`.

    A column without units (a table read from .csv) is taken to be in them already.
    """
    from astropy import units as u

    arrays: dict[str, np.ndarray] = {}
    for name, unit in ALL_COLUMN_UNITS.items():
        if name not in profile.colnames:
            continue
        column = profile[name]
        if type(column) is u.Quantity and column.unit is _unit(unit):  # as nearly always, and ten times as fast
            arrays[name] = np.array(column.value, dtype=float)
            continue
        if unit and getattr(column, "unit", None) is not None:
            column = u.Quantity(column).to_value(_unit(unit))
        arrays[name] = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
    return arrays


def surface_brightness_at(profile: QTable, sma: np.ndarray) -> np.ndarray:
    """Surface brightness of a profile at other radii (arcsec), linear in ln(sma); NaN outside its range."""
    arrays = plain_arrays(profile)
    return interpolate_log_sma(sma, arrays["sma"], arrays["mu"])


def pa_from_x(pa: Any, meta: Mapping[str, Any]) -> np.ndarray:
    """Position angles of a profile counter-clockwise from the image's +x axis, in [0, 180); see `profile_table`.

    Parameters
    ----------
    pa : array, degrees
    meta : mapping
        The profile's; without ``pa_of_x`` and ``parity`` the angles are taken to be from +x already.
    """
    turned = float(meta.get("parity", 1)) * (np.asarray(pa, dtype=float) - float(meta.get("pa_of_x", 0.0)))
    return _half_turn(turned)


def _sky_position_angle(image: GalaxyImage, pa: np.ndarray, x0: float, y0: float) -> tuple[np.ndarray, float, int]:
    """Position angles in the image's reference, in [0, 180); that of the +x axis; and the sense of turning."""
    if image.pa_reference != "north" or not (np.isfinite(x0) and np.isfinite(y0)):
        return _half_turn(np.asarray(pa, dtype=float)), 0.0, 1
    turned = np.asarray(image.pa_to_sky(np.concatenate([[0.0, 1.0], pa]), x0, y0), dtype=float)
    parity = 1 if (turned[1] - turned[0]) % 180.0 < 90.0 else -1
    return _half_turn(turned[2:]), float(turned[0]), parity


def _half_turn(angle: np.ndarray) -> np.ndarray:
    angle = angle % 180.0
    return np.where(angle >= 180.0, 0.0, angle)  # -1e-17 % 180 is 180 in floating point


def whole_or_float(value: float) -> int | float:
    """An integer where it is one: the offset of a cutout that was neither binned nor resampled."""
    return int(value) if float(value).is_integer() else float(value)


def _number(value: Any) -> float:
    """Return a plain float; NaN for None and for what is not finite."""
    number = float("nan") if value is None else float(value)
    return number if np.isfinite(number) else float("nan")
