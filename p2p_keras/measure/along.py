"""Measure images along ellipses that are given: no network decides where.

`measure_along` is the whole of it, and `with_photometry` adds what the pixels say to a profile that a model measured.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack, overload

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.core.growth import radius_of_light
from p2p_keras.core.units import (
    MICROJANSKY_ZERO_POINT,
    intensity_from_mu,
    mag_error_from_log,
    mag_from_flux,
    mu_from_intensity,
)
from p2p_keras.core.version import __version__
from p2p_keras.images.image_options import ImageOptions
from p2p_keras.images.reading import as_galaxy_image
from p2p_keras.profile.columns import ALL_COLUMN_UNITS, ISOPHOTE_MU, isophotal_radius, pa_from_x
from p2p_keras.profile.flags import quality_of
from p2p_keras.profile.isophotes.given import Ellipses, ring_edges
from p2p_keras.profile.isophotes.photometry import IsophotePhotometry, Pixels, Statistic, measure_ellipses
from p2p_keras.profile.isophotes.rings import ellipse_pixels
from p2p_keras.profile.tables.building import meta_of_image, sky_position_angle
from p2p_keras.profile.tables.ellipses import GivenEllipses, ellipses_for, read_ellipses
from p2p_keras.profile.tables.measured import MeasuredProfile, table_of_columns

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["AlongSettings", "measure_along", "given_ellipses", "profile_along", "with_photometry", "growth_error"]

_PHOTOMETRY = (
    "n_pix", "n_masked", "a3", "a3_err", "b3", "b3_err", "a4", "a4_err", "b4", "b4_err", "x0_err", "y0_err",
    "ellipticity_err", "pa_err",
)  # fmt: skip


@dataclass(frozen=True)
class AlongSettings:
    """How ellipses are measured along.

    Attributes
    ----------
    radii : float array, optional
        Semi-major axes, arcsec; by default those of the ellipses.
    sky : float, optional
        Flux per pixel to subtract; by default nothing is.
    statistic : {"mean", "median", "clipped"}
    method : {"sampled", "exact", "photutils"}
        See `p2p_keras.profile.isophotes.photometry`.
    """

    radii: np.ndarray | None = None
    sky: float | None = None
    statistic: Statistic = "mean"
    method: Pixels = "sampled"


def measure_along(
    image: Any,
    ellipses: Any,
    *,
    radii: Any = None,
    sky: float | None = None,
    statistic: Statistic = "mean",
    method: Pixels = "sampled",
    **options: Unpack[ImageOptions],
) -> QTable:
    """Measure an image along given ellipses.

    Parameters
    ----------
    image : path, array (H, W) or GalaxyImage
        Masked pixels are left out; its noise map, where it has one, makes the errors.
    ellipses : path, astropy table, (x0, y0, ellipticity, pa) or GivenEllipses
        A table of ours, of photutils (``IsophoteList.to_table()``), isoster, AutoProf or SGA; or one shape: centre in
        pixels of the file, 1 - b/a, degrees counter-clockwise from the image's +x axis.
    radii : float array, optional
        Semi-major axes, arcsec, increasing. By default the table's own; for one shape from half a pixel to 0.65 of the
        image's longer side by factors of 1.1.
    sky : float, optional
        Flux per pixel to subtract. By default nothing is: the image is taken to be free of sky.
    statistic : {"mean", "median", "clipped"}
    method : {"sampled", "exact", "photutils"}
        Along the ellipse itself; or all pixels of the ring up to the geometric means of neighbouring radii, each by the
        part of its area that lies in it. ``photutils``: at the points along the ellipse that photutils takes.
    **options
        As `p2p_keras.Predictor.predict` takes them: ``zero_point``, ``pixel_scale``, ``mask``, ``hdu``, ...

    Returns
    -------
    astropy.table.QTable
        A profile (`p2p_keras.profile`) without a model: `mu` is NaN where the intensity isn't positive. Besides,
        ``intensity``, ``n_pix``, ``n_masked``, harmonics and the errors of shapes, and the edges of the rings
        ``sma_in``, ``sma_out``. ``growth`` is the flux of all unmasked pixels inside each ellipse, with masked ones
        filled by the profile. ``meta["mag_total"]`` is that inside the last ellipse: nothing is extrapolated.

    Raises
    ------
    InputError
        The image or the table can't be used.

    Examples
    --------
    >>> profile = measure_along("galaxy.fits", "published.prof")
    >>> profile = measure_along("galaxy.fits", (127.5, 127.5, 0.3, 40.0), radii=[1.0, 2.0, 5.0, 10.0])
    """
    settings = AlongSettings(None if radii is None else np.asarray(radii, dtype=float), sky, statistic, method)
    galaxy = as_galaxy_image(image, **options)
    return profile_along(galaxy, given_ellipses(ellipses, galaxy), settings)


def given_ellipses(ellipses: Any, image: GalaxyImage) -> GivenEllipses:
    """What a user may give as ellipses, for one image.

    Raises
    ------
    InputError
        The table has none of this galaxy.
    """
    if isinstance(ellipses, GivenEllipses):
        return ellipses
    if isinstance(ellipses, (tuple, list)) and len(ellipses) == 4 and all(np.isscalar(v) for v in ellipses):
        return one_shape(*(float(v) for v in ellipses), image=image)
    galaxy_ellipses = ellipses_for(read_ellipses(ellipses, band=image.band), image.name)
    if galaxy_ellipses is None:
        where = ellipses if isinstance(ellipses, (str, os.PathLike)) else "the table of ellipses"
        raise InputError(image.source, f"{where} has ellipses of other galaxies, none of {image.name!r}")
    return galaxy_ellipses


def one_shape(x0: float, y0: float, ellipticity: float, pa: float, *, image: GalaxyImage) -> GivenEllipses:
    """One ellipse (pixels of the file, degrees from +x) at radii that grow by a tenth over the whole image."""
    largest = 0.65 * max(image.shape) * image.binning
    sma = 0.5 * 1.1 ** np.arange(int(np.log(largest / 0.5) / np.log(1.1)) + 1)
    ones = np.ones(sma.shape)
    return GivenEllipses(sma, ellipticity * ones, pa * ones, "pix", "+x", x0 * ones, y0 * ones)


def profile_along(image: GalaxyImage, given: GivenEllipses, settings: AlongSettings | None = None) -> QTable:
    """Measure one image; see `measure_along`."""
    settings = settings or AlongSettings()
    if settings.radii is not None:
        given = given.at_radii(settings.radii, image.file_pixel_scale)
    ellipses = given.on_image(image)
    sky = float(settings.sky or 0.0)
    pixels = np.asarray(image.pixels, dtype=float) - image.from_file_flux(sky)
    photometry = measure_ellipses(
        pixels, ellipses, sigma=noise_of(image), statistic=settings.statistic, method=settings.method
    )
    if not np.isfinite(photometry.intensity).any():
        raise InputError(image.source, "no ellipse lies on its unmasked pixels")
    scale = image.pixel_scale
    bright = np.where(photometry.intensity > 0, photometry.intensity, np.nan)
    x0, y0 = float(np.median(ellipses.x0)), float(np.median(ellipses.y0))
    pa, pa_of_x, parity = sky_position_angle(image, ellipses.pa, x0, y0)
    flux = flux_inside(pixels, ellipses, photometry.intensity)
    edges = ring_edges(ellipses.sma) * scale
    x_file, y_file = image.to_file(ellipses.x0, ellipses.y0)
    columns = {
        "sma": ellipses.sma * scale,
        "mu": mu_from_intensity(bright, image.zero_point, scale),
        "mu_err": mag_error_from_log(photometry.intensity_err / bright),
        "ellipticity": ellipses.ellipticity,
        "pa": pa,
        "growth": mag_from_flux(np.where(flux > 0, flux, np.nan), image.zero_point),
        "growth_err": growth_error(flux, photometry, ellipses),
        **photometry_columns(photometry, image),
        "x0": x_file,
        "y0": y_file,
        "sma_in": edges[:-1],
        "sma_out": edges[1:],
    }
    table = table_of_columns(columns)
    table.meta.update(_meta(image, columns, x0, y0, pa_of_x, parity, sky))
    return table


def photometry_columns(photometry: IsophotePhotometry, image: GalaxyImage) -> dict[str, np.ndarray]:
    """What was measured on the pixels, as columns of a profile."""
    per_arcsec2 = 10.0 ** (0.4 * (MICROJANSKY_ZERO_POINT - image.zero_point)) / image.pixel_scale**2
    columns = {"intensity": photometry.intensity * per_arcsec2, "intensity_err": photometry.intensity_err * per_arcsec2}
    columns |= {name: getattr(photometry, name) for name in _PHOTOMETRY}
    if image.binning != 1:  # pixels of the file, as the centre
        columns |= {name: columns[name] * image.binning for name in ("x0_err", "y0_err")}
    return columns


@overload
def with_photometry(profile: MeasuredProfile, image: GalaxyImage) -> MeasuredProfile: ...
@overload
def with_photometry(profile: QTable, image: GalaxyImage) -> QTable: ...
def with_photometry(profile: Any, image: GalaxyImage) -> Any:
    """Add to a model's profile what the pixels along its ellipses say.

    Pixels that the image masks are left out, and foreign light: what exceeds the profile along its own ellipse by 4
    sigma and by half of it, the rule of `p2p_keras.profile.painting.deviating_pixels`, on the points of the ellipses.

    Parameters
    ----------
    profile : MeasuredProfile or QTable
        As `p2p_keras.profile` makes it, without corrections.
    image : GalaxyImage
        That it was measured on.

    Returns
    -------
    MeasuredProfile or QTable
        As it was given, with ``intensity``, ``intensity_err`` (uJy arcsec^-2), ``n_pix``, ``n_masked``, harmonics and
        errors of shapes; what the profile has already (a model's own errors) is kept. A copy.
    """
    plain = MeasuredProfile.of(profile)
    arrays = plain.columns
    if not arrays["sma"].size or not np.isfinite(plain.meta["x0"] + plain.meta["y0"]):
        columns = {name: np.full(arrays["sma"].size, np.nan) for name in ("intensity", "intensity_err", *_PHOTOMETRY)}
    else:
        scale = image.pixel_scale
        pa = pa_from_x(arrays["pa"], plain.meta)
        x0, y0 = image.from_file(plain.meta["x0"], plain.meta["y0"])
        ellipses = Ellipses.of(x0, y0, arrays["sma"] / scale, np.clip(arrays["ellipticity"], 0.0, 0.99), pa)
        expected = intensity_from_mu(arrays["mu"], image.zero_point, scale)
        sky = image.from_file_flux(float(np.nan_to_num(plain.meta["sky"])))
        pixels = np.asarray(image.pixels, dtype=float) - sky
        photometry = measure_ellipses(pixels, ellipses, sigma=noise_of(image), expected=expected)
        columns = photometry_columns(photometry, image)
    columns |= arrays
    completed = MeasuredProfile(plain.meta, {name: columns[name] for name in ALL_COLUMN_UNITS if name in columns})
    return completed if plain is profile else completed.table()


def noise_of(image: GalaxyImage) -> np.ndarray | None:
    """The noise map of an image, 1-sigma per pixel, where it has one."""
    return image.noise


def flux_inside(pixels: np.ndarray, ellipses: Ellipses, intensity: np.ndarray) -> np.ndarray:
    """Flux inside each ellipse, (K,): unmasked pixels by the part inside, the rest filled by the profile.

    What is off the image or masked has the intensity of the profile at its ring: the sum of pixels over their area is
    taken for the ring between neighbouring ellipses, times the ring's whole area. NaN where neither knows.
    """
    good = np.isfinite(pixels)
    filled = np.where(good, pixels, 0.0)
    inside, seen = np.zeros(len(ellipses)), np.zeros(len(ellipses))
    for i, sma in enumerate(ellipses.sma):
        rows, columns, part = ellipse_pixels(pixels.shape, ellipses, i, float(sma))
        inside[i], seen[i] = (part * filled[rows, columns]).sum(), (part * good[rows, columns]).sum()
    area = np.pi * ellipses.sma**2 * ellipses.axis_ratio
    # Where all of it is seen the sum stands; else the missing area has the mean of the two ellipses round it.
    ring_area, ring_seen = np.diff(area, prepend=0.0), np.diff(seen, prepend=0.0)
    around = 0.5 * (intensity + np.concatenate([intensity[:1], intensity[:-1]]))
    missing = np.maximum(ring_area - ring_seen, 0.0)
    fill = np.where(missing > 1e-6 * area, missing * np.nan_to_num(around), 0.0)
    return inside + np.cumsum(fill)


def growth_error(flux: np.ndarray, photometry: IsophotePhotometry, ellipses: Ellipses) -> np.ndarray:
    """1-sigma error of the magnitude inside each ellipse, from those of the rings; NaN where there is no light.

    Rings are taken to be independent, and the sky to be known: an error of the sky adds its own, over the area.
    """
    area = np.pi * ellipses.sma**2 * ellipses.axis_ratio
    rings = np.diff(area, prepend=0.0)
    # A ring of many pixels is known better than its middle ellipse: by its area over the ellipse's length in pixels.
    length = np.maximum(photometry.n_pix + photometry.n_masked, 1.0)
    thick = np.maximum(np.abs(rings) / length, 1.0)
    variance = np.cumsum((np.nan_to_num(photometry.intensity_err) * np.abs(rings)) ** 2 / thick)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(flux > 0, mag_error_from_log(np.sqrt(variance) / flux), np.nan)


def _meta(
    image: GalaxyImage,
    columns: dict[str, np.ndarray],
    x0: float,
    y0: float,
    pa_of_x: float,
    parity: int,
    sky: float,
) -> dict[str, Any]:
    sma, mu, growth = columns["sma"], columns["mu"], columns["growth"]
    known = np.flatnonzero(np.isfinite(growth))
    mag_total = float(growth[known[-1]]) if known.size else float("nan")
    r50, r90 = (radius_of_light(sma, growth, mag_total, share) for share in (0.5, 0.9))
    ra, dec = image.pixel_to_sky(x0, y0)
    x_file, y_file = image.to_file(x0, y0)
    flags: list[str] = [] if sma.size >= 3 else ["no_profile"]
    on_image = columns["n_pix"] / np.maximum(columns["n_pix"] + columns["n_masked"], 1.0)
    if on_image.size and on_image[-1] < 0.8:
        flags.append("truncated")
    return {
        "name": image.name,
        "band": image.band,
        "x0": float(x_file),
        "y0": float(y_file),
        "ra": float(ra),
        "dec": float(dec),
        "pixel_scale": float(image.file_pixel_scale),
        "zero_point": float(image.zero_point),
        "pa_reference": image.pa_reference,
        "pa_of_x": pa_of_x,
        "parity": parity,
        "mag_total": mag_total,
        "r50": r50,
        "r90": r90,
        "concentration": r90 / r50 if r50 > 0 else float("nan"),
        "r_iso25": isophotal_radius(sma, mu, ISOPHOTE_MU),
        "extent": float(sma[-1]) if sma.size else float("nan"),
        "sky": sky,
        "flags": flags,
        "quality": quality_of(flags),
        **meta_of_image(image),
        "model": "given ellipses",
        "model_version": "",
        "software_version": __version__,
    }
