"""Profile tables from a model's raw outputs, or from columns of plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.growth import radii_of_shares, shares_of_light
from p2p_keras.core.padded import packed
from p2p_keras.core.version import __version__
from p2p_keras.images.sky_places import SkyPlace, places_on_sky
from p2p_keras.profile.columns import (
    COLUMN_UNITS,
    ERROR_COLUMN_UNITS,
    ERROR_META,
    ISOPHOTE_MU,
    isophotal_radii,
    valid_rows,
    whole_or_float,
)
from p2p_keras.profile.flags import flags_of_many, quality_of
from p2p_keras.profile.tables.measured import MeasuredProfile

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage
    from p2p_keras.profile.tables.profile_object import Profile

__all__ = ["profile_table", "measured_profiles", "meta_of_image", "sky_position_angle"]


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
    batch = {name: np.asarray(np.nan if value is None else value)[None] for name, value in outputs.items()}
    [profile] = measured_profiles(batch, [image], model=model, model_version=model_version)
    return profile.table()


def measured_profiles(
    outputs: Mapping[str, np.ndarray],
    images: Sequence[GalaxyImage],
    *,
    model: str = "",
    model_version: str | int = "",
) -> list[MeasuredProfile]:
    """The profiles of `profile_table`, in plain arrays, of a batch: outputs have a first axis, the images'."""
    outputs = _with_a_radius(outputs)
    columns, count = _rows(outputs)
    numbers = {
        name: finite_or_nan(outputs[name])
        for name in ("x0", "y0", "mag_total", "sky", "p_bad", *ERROR_META)
        if name in outputs
    }
    sma, growth, mag_total = columns["sma"], columns["growth"], numbers["mag_total"]
    known, _ = packed({"sma": sma, "growth": growth}, np.isfinite(growth))
    shares = shares_of_light(known["growth"][:, None], mag_total[:, None])
    r50, r90 = (radii_of_shares(known["sma"], shares, share)[:, 0] for share in (0.5, 0.9))
    with np.errstate(divide="ignore", invalid="ignore"):
        concentration = np.where(r50 > 0, r90 / r50, np.nan)
    lists = {name: values.tolist() for name, values in numbers.items()}
    of_light = {
        "mag_total": lists["mag_total"],
        "r50": r50.tolist(),
        "r90": r90.tolist(),
        "concentration": concentration.tolist(),
        "r_iso25": isophotal_radii(sma, columns["mu"][:, None], ISOPHOTE_MU)[:, 0].tolist(),
        "extent": [float(row[n - 1]) if n else float("nan") for row, n in zip(sma, count, strict=True)],
    }
    places = places_on_sky(images, numbers["x0"], numbers["y0"])
    profiles = []
    for i, (image, place, flags) in enumerate(zip(images, places, flags_of_many(outputs, images), strict=True)):
        own = {name: values[i, : count[i]] for name, values in columns.items()}
        own["pa"] = place.position_angle(own["pa"])
        p_bad = lists["p_bad"][i] if "p_bad" in lists else None
        meta = _meta(
            image,
            place,
            {name: values[i] for name, values in of_light.items()},
            lists["sky"][i],
            flags,
            p_bad,
            {"model": str(model), "model_version": str(model_version), "software_version": __version__},
        )
        if p_bad is not None:
            meta["p_bad"] = p_bad
        meta |= _doubts(image, {name: lists[name][i] for name in ERROR_META if name in lists})
        profiles.append(MeasuredProfile(meta, own))
    return profiles


def _with_a_radius(outputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Outputs without any radius, as a table without rows has them, get one that isn't valid."""
    if outputs["sma"].shape[1]:
        return outputs
    nothing = {
        name: np.full((len(values), 1), np.nan if values.dtype.kind == "f" else 0, values.dtype)
        for name, values in outputs.items()
        if values.ndim == 2
    }
    return {**outputs, **nothing}


def _rows(outputs: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The rows of each galaxy that make up its profile, from the centre outward, (B, K), and how many they are."""
    names = [*COLUMN_UNITS, *(name for name in ERROR_COLUMN_UNITS if name in outputs)]
    columns = {name: np.asarray(outputs[name], dtype=float) for name in names}
    packed_columns, count = packed(columns, valid_rows(outputs), sort_by="sma")
    # Moved to the front as one block: errors may be NaN where the profile isn't, growth infinite.
    packed_columns["growth"] = finite_or_nan(packed_columns["growth"])
    return packed_columns, count


def _meta(
    image: GalaxyImage,
    place: SkyPlace,
    of_light: Mapping[str, float],
    sky: float,
    flags: list[str],
    p_bad: float | None,
    origin: Mapping[str, str],
) -> dict[str, Any]:
    x_file, y_file = image.to_file(place.x, place.y)
    return {
        "name": image.name,
        "band": image.band,
        "x0": float(x_file),
        "y0": float(y_file),
        "ra": place.ra,
        "dec": place.dec,
        "pixel_scale": float(image.file_pixel_scale),
        "zero_point": float(image.zero_point),
        "pa_reference": image.pa_reference,
        "pa_of_x": place.pa_of_x,
        "parity": place.parity,
        **of_light,
        "sky": sky / image.binning**2,
        "flags": flags,
        "quality": quality_of(flags, p_bad),
        **meta_of_image(image),
        **origin,
    }


def meta_of_image(image: GalaxyImage) -> dict[str, Any]:
    """What a profile's `meta` says of the image: its file, what was cut out, and where the calibration is from."""
    return {
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
    }


def _doubts(image: GalaxyImage, doubts: dict[str, float]) -> dict[str, float]:
    """The model's own errors, those of the centre in pixels of the file."""
    if "x0_err" in doubts:
        x_here, y_here = image.to_file(0.0, 0.0)
        x_beside, y_beside = image.to_file(1.0, 1.0)
        doubts["x0_err"] *= abs(float(x_beside - x_here))
        doubts["y0_err"] *= abs(float(y_beside - y_here))
    return doubts


def finite_or_nan(values: Any) -> np.ndarray:
    """Floats, NaN for what is not finite."""
    array = np.asarray(values, dtype=float)
    return np.where(np.isfinite(array), array, np.nan)


def sky_position_angle(image: GalaxyImage, pa: np.ndarray, x0: float, y0: float) -> tuple[np.ndarray, float, int]:
    """Position angles in the image's reference, in [0, 180); that of the +x axis; and the sense of turning."""
    [place] = places_on_sky([image], np.array([x0], dtype=float), np.array([y0], dtype=float))
    return place.position_angle(pa), place.pa_of_x, place.parity
