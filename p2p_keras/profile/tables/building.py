"""Profile tables from a model's raw outputs, or from columns of plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.ellipse import half_turn
from p2p_keras.core.growth import radius_of_light
from p2p_keras.core.version import __version__
from p2p_keras.profile.columns import (
    ALL_COLUMN_UNITS,
    COLUMN_DESCRIPTIONS,
    COLUMN_UNITS,
    ERROR_COLUMN_UNITS,
    ERROR_META,
    ISOPHOTE_MU,
    isophotal_radius,
    unit_of,
    valid_rows,
    whole_or_float,
)
from p2p_keras.profile.flags import find_flags, quality_of

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage
    from p2p_keras.profile.tables.profile_object import Profile


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
        `META_KEYS`. ``x0``, ``y0``, ``pixel_scale`` and ``sky`` are those of the file's pixels (the cutout's pixel
        (0, 0) is at the file's (`x_offset`, `y_offset`); `binning` of them make a side of one that was measured);
        ``pa_of_x`` is the position angle of the image's +x axis and ``parity`` 1 where angles grow
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
    names = [*COLUMN_UNITS, *(name for name in ERROR_COLUMN_UNITS if name in outputs)]
    columns = {name: np.asarray(outputs[name], dtype=float)[keep] for name in names}
    order = np.argsort(columns["sma"], kind="stable")
    columns = {name: values[order] for name, values in columns.items()}
    columns["growth"] = np.where(np.isfinite(columns["growth"]), columns["growth"], np.nan)
    x0, y0 = _number(outputs["x0"]), _number(outputs["y0"])
    columns["pa"], pa_of_x, parity = sky_position_angle(image, columns["pa"], x0, y0)

    mag_total = _number(outputs["mag_total"])
    ra, dec = image.pixel_to_sky(x0, y0)
    x_file, y_file = image.to_file(x0, y0)
    r50 = radius_of_light(columns["sma"], columns["growth"], mag_total, 0.5)
    r90 = radius_of_light(columns["sma"], columns["growth"], mag_total, 0.9)
    flags = find_flags(outputs, image)
    p_bad = _number(outputs["p_bad"]) if "p_bad" in outputs else None
    doubts = {name: _number(outputs[name]) for name in ERROR_META if name in outputs}
    if "x0_err" in doubts:  # pixels of the file, as the centre
        x_beside, y_beside = image.to_file(x0 + 1.0, y0 + 1.0)
        doubts["x0_err"] *= abs(float(x_beside - x_file))
        doubts["y0_err"] *= abs(float(y_beside - y_file))
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
        "quality": quality_of(flags, p_bad),
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
        "software_version": __version__,
        **({} if p_bad is None else {"p_bad": p_bad}),
        **doubts,
    }
    return columns, meta


def table_of_columns(columns: Mapping[str, np.ndarray]) -> QTable:
    """Make a table of plain arrays by the names, units and descriptions of a profile's columns."""
    from astropy import units as u
    from astropy.table import Column

    from p2p_keras.profile.tables.profile_object import Profile

    made = []
    for name, unit in ALL_COLUMN_UNITS.items():
        if name in columns:
            column = u.Quantity(columns[name], unit_of(unit)) if unit else Column(columns[name])
            column.info.name, column.info.description = name, COLUMN_DESCRIPTIONS[name]
            made.append(column)
    # All at once: column by column takes longer.
    return Profile(made, copy=False)


def sky_position_angle(image: GalaxyImage, pa: np.ndarray, x0: float, y0: float) -> tuple[np.ndarray, float, int]:
    """Position angles in the image's reference, in [0, 180); that of the +x axis; and the sense of turning."""
    if image.pa_reference != "north" or not (np.isfinite(x0) and np.isfinite(y0)):
        return half_turn(np.asarray(pa, dtype=float)), 0.0, 1
    turned = np.asarray(image.pa_to_sky(np.concatenate([[0.0, 1.0], pa]), x0, y0), dtype=float)
    parity = 1 if (turned[1] - turned[0]) % 180.0 < 90.0 else -1
    return half_turn(turned[2:]), float(turned[0]), parity


def _number(value: Any) -> float:
    """Return a plain float; NaN for None and for what is not finite."""
    number = float("nan") if value is None else float(value)
    return number if np.isfinite(number) else float("nan")
