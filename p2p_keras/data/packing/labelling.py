"""Join an image and its profile into a `LabelledGalaxy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core import extent, units
from p2p_keras.core.errors import InputError
from p2p_keras.core.robust import lower_deviation, median_deviation
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.packing.profiles import ProfileLabel, read_profile
from p2p_keras.data.packing.rows import PackRow
from p2p_keras.profile.tables.ellipses import pa_on_image

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["label_galaxy", "join", "pixel_noise"]


def label_galaxy(
    row: PackRow,
    *,
    measure: str | bool | None = None,
    size: int | None = None,
    zero_point: float | None = None,
    pixel_scale: float | None = None,
    radius_start: float | None = None,
    radius_step: float | None = None,
) -> LabelledGalaxy:
    """Read one row's image and profile; cut a target out of its frame on the way.

    Parameters
    ----------
    row : PackRow
    measure : {"own", "photutils"}, optional
        Who measures the profile where the row names none; True is our own fit. By default that is an error.
    size : int, optional
        Side of the cutout in pixels; see `p2p_keras.images.read_image`.
    zero_point, pixel_scale : float, optional
        For rows and headers that don't say.
    radius_start, radius_step : float, optional
        See `read_profile`.

    Raises
    ------
    InputError
        Naming the file at fault and the cause.
    """
    from p2p_keras.images import read_image

    if row.problem:
        raise InputError(row.image, row.problem)
    image = read_image(
        row.image,
        zero_point=row.zero_point if row.zero_point is not None else zero_point,
        pixel_scale=row.pixel_scale if row.pixel_scale is not None else pixel_scale,
        band=row.band,
        ra=row.ra,
        dec=row.dec,
        x=row.x,
        y=row.y,
        size=size,
        mask=row.mask,
        name=row.name,
    )
    if not np.any(np.isfinite(image.pixels)) or not np.nanmax(np.abs(image.pixels)) > 0:
        raise InputError(row.image, "no pixel has any flux")
    if row.profile is None:
        if not measure:
            raise InputError(row.image, "there is no profile for it; name one, or measure it with --measure")
        from p2p_keras.data.packing.measuring import measure_galaxy

        return measure_galaxy(image, origin=_origin(row), method="own" if measure is True else str(measure))
    profile = read_profile(
        row.profile,
        zero_point=image.zero_point,
        pixel_scale=image.pixel_scale,
        radius_start=radius_start,
        radius_step=radius_step,
    )
    return join(image, profile, origin=_origin(row))


def _origin(row: PackRow) -> str:
    return row.image if row.redshift is None else f"{row.image} redshift={row.redshift:g}"


def join(image: GalaxyImage, profile: ProfileLabel, *, origin: str) -> LabelledGalaxy:
    """The label of a galaxy whose profile was measured elsewhere; its extent by `p2p_keras.core.extent`.

    Where the profile has uncertainties, it ends where their signal-to-noise ratio falls below the limit; one without is
    taken to have been cut by those who measured it.
    """
    x0, y0 = profile.x0 - image.x_offset, profile.y0 - image.y_offset
    end = profile.sma.size
    if profile.mu_err is not None and np.isfinite(profile.mu_err).any():
        with np.errstate(divide="ignore"):
            snr = units.MAG_PER_RELATIVE_ERROR / np.abs(profile.mu_err)
        last = extent.profile_extent(profile.sma, snr)
        end = int(np.searchsorted(profile.sma, last, side="right"))
        if end < 2:
            raise InputError(origin, f"the profile is nowhere above a signal-to-noise ratio of {extent.SNR_MIN:g}")
    angles = None if profile.pa is None else pa_on_image(image, profile.pa, profile.pa_reference, x0, y0)[:end]
    return LabelledGalaxy(
        name=image.name,
        band=image.band,
        image=image.pixels,
        zero_point=image.zero_point,
        pixel_scale=image.pixel_scale,
        sma=profile.sma[:end],
        mu=profile.mu[:end],
        ellipticity=None if profile.ellipticity is None else profile.ellipticity[:end],
        pa=angles,
        mu_err=None if profile.mu_err is None else profile.mu_err[:end],
        x0=x0,
        y0=y0,
        extent=float(profile.sma[end - 1]),
        mag_total=profile.mag_total,
        noise=pixel_noise(image.pixels),
        origin=origin,
    )


def pixel_noise(pixels: np.ndarray) -> float:
    """1-sigma noise per pixel in the quiet part of an image: the sigma-clipped spread of its fainter half."""
    finite = pixels[np.isfinite(pixels)]
    if finite.size < 100:
        return float("nan")
    # The lower side of the distribution knows nothing of sources: mirror it at the mode, estimated by clipping.
    sample = finite.astype(float)
    for _ in range(10):
        centre = np.median(sample)
        spread = median_deviation(sample, centre)
        kept = sample[np.abs(sample - centre) <= 3.0 * spread]
        if kept.size == sample.size or kept.size < 100:
            break
        sample = kept
    return lower_deviation(finite, centre)
