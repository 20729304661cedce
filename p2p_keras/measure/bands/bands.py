"""All bands of a galaxy measured along the ellipses of one of them.

Geometry, centre and radii are the reference profile's; nothing of a band's own light decides where it is measured.
Pixels that deviate from the profile along their ellipse in any band (stars, neighbours:
`p2p_keras.profile.painting.deviating_pixels`) are left out in all of them: a star in one band must not make a colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.core.growth import curve_of_growth, radius_of_light
from p2p_keras.core.units import (
    MICROJANSKY_ZERO_POINT,
    intensity_from_mu,
    mag_error_from_log,
    mag_from_flux,
    mu_from_intensity,
)
from p2p_keras.core.version import __version__
from p2p_keras.measure.bands.alignment import shift_of_light
from p2p_keras.measure.bands.hidden import flags_of_band, with_hidden_light
from p2p_keras.measure.bands.photometry import BandPixels, intensities, ring_medians, ring_noise
from p2p_keras.measure.bands.places import PlaceMap
from p2p_keras.measure.bands.sky import band_sky, rough_sky
from p2p_keras.profile.columns import ISOPHOTE_MU, META_KEYS, isophotal_radius, plain_arrays, whole_or_float
from p2p_keras.profile.flags import FLAGS, quality_of
from p2p_keras.profile.painting import Isophotes, Painted, deviating_pixels, painted_intensity
from p2p_keras.profile.tables.measured import table_of_columns

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["LaidBands", "lay_bands", "measure_bands"]

MISALIGNED_PX = 1.5
"""From this shift between the light of two bands (px of the reference) on, their images aren't registered."""


@dataclass(frozen=True)
class LaidBands:
    """A galaxy's bands with the reference's ellipses laid on them.

    Attributes
    ----------
    isophotes : Isophotes
        The reference's.
    pixels : mapping of str to BandPixels
        By band; masked pixels and those of foreign light in any band are ignored.
    backs : mapping of str to PlaceMap
        From the reference's pixels to each band's.
    shifts : mapping of str to (dx, dy)
        How far the bands' light is from where their WCS put it, px of the reference.
    """

    isophotes: Isophotes
    pixels: Mapping[str, BandPixels]
    backs: Mapping[str, PlaceMap]
    shifts: Mapping[str, tuple[float, float]]


def measure_bands(
    reference: QTable,
    images: Mapping[str, GalaxyImage],
    reference_band: str,
    *,
    skies: Mapping[str, float] | None = None,
    align: bool = False,
) -> dict[str, QTable]:
    """Measure all bands along the ellipses of a profile of one of them.

    Parameters
    ----------
    reference : QTable
        Profile of the reference band's image, as `p2p_keras.profile` makes it. What else was derived from it, or
        corrected in it, isn't handed on to the bands.
    images : mapping of str to GalaxyImage
        By band; grids and pixel scales may differ where all have a WCS.
    reference_band : str
    skies : mapping of str to float, optional
        Sky level (flux per pixel) by band for images that don't reach beyond the galaxy.
    align : bool
        Shift each band so that its light falls on the reference's, instead of trusting the WCS. Without it a band whose
        light lies elsewhere is flagged `misaligned`.

    Returns
    -------
    dict of str to QTable
        A profile for each band on the reference's radii, with columns ``intensity`` and ``intensity_err``
        (uJy arcsec^-2, also where the light is lost in the noise, where ``mu`` is NaN). All three are NaN where a ring
        is hidden in the band (masked, or off its image); ``growth`` and what follows from it have the reference's light
        there, at the colour of the neighbouring radii, and the flag is ``masked_rings``. ``meta``: as the reference's,
        with ``forced`` (the reference band), ``sky``, ``sky_err``, ``sky_origin`` ("ring", "model" or "none"),
        ``flags`` of the reference, whose ellipses these are, and of the band's own image.

    Raises
    ------
    InputError
        The reference has no profile, or an image can't be brought together with it.
    """
    laid = lay_bands(reference, images, reference_band, align=align)
    isophotes, backs, shifts = laid.isophotes, laid.backs, laid.shifts
    profiles = {}
    for band, ready in laid.pixels.items():
        intensity, error = intensities(ready, isophotes, backs[band])
        sky = band_sky(ready, isophotes, intensity, (skies or {}).get(band))
        shift = float(np.hypot(*shifts[band]))
        error = np.where(np.isfinite(error), np.maximum(error, ring_noise(ready, isophotes)), error)
        net, net_err = intensity - sky.level, np.hypot(error, sky.error)
        profile = _profile(reference, ready.image, net, net_err)
        profile.meta.update(_meta(reference, profile, ready.image, band, reference_band))
        x0, y0 = backs[band](np.array([isophotes.x0]), np.array([isophotes.y0]))
        x_file, y_file = ready.image.to_file(float(x0[0]), float(y0[0]))
        per_file_pixel = 1.0 / ready.image.binning**2
        profile.meta.update(x0=float(x_file), y0=float(y_file))
        profile.meta.update(
            sky=sky.level * per_file_pixel, sky_err=sky.error * per_file_pixel, sky_origin=sky.origin, shift_px=shift
        )
        words = set(flags_of_band(profile, ready, (float(x0[0]), float(y0[0])), sky.level))
        words |= {"truncated"} if sky.origin != "ring" else set()
        words |= {"misaligned"} if shift > MISALIGNED_PX and not align else set()
        of_reference = reference.meta.get("flags", [])
        # The model judged the reference's image alone: what only this band has counts by its words.
        quality = max(quality_of(of_reference, reference.meta.get("p_bad")), quality_of(words.difference(of_reference)))
        flags = [word for word in FLAGS if word in words.union(of_reference)]
        profile.meta.update(flags=flags, quality=quality)
        profiles[band] = profile
    return profiles


def lay_bands(
    reference: QTable, images: Mapping[str, GalaxyImage], reference_band: str, *, align: bool = False
) -> LaidBands:
    """Lay the ellipses of a profile on all bands, and find what isn't the galaxy's light; see `measure_bands`.

    Raises
    ------
    InputError
        The reference has no profile, or an image can't be brought together with it.
    """
    base = images[reference_band]
    if len(reference) < 3:
        raise InputError(base.source, f"no profile in the reference band {reference_band}: no band can be measured")
    isophotes = Isophotes.of(reference, base)
    maps = {band: PlaceMap(image, base) for band, image in images.items()}
    backs = {band: PlaceMap(base, image) for band, image in images.items()}
    shifts = {band: shift_of_light(base, images[band], backs[band], isophotes) for band in images}
    if align:
        maps = {band: place.shifted(after=shifts[band]) for band, place in maps.items()}
        backs = {band: place.shifted(before=(-shifts[band][0], -shifts[band][1])) for band, place in backs.items()}
    laid = {band: _lay(image, isophotes, maps[band]) for band, image in images.items()}
    foreign = _foreign_light(isophotes, laid, maps, base)
    pixels = {
        band: replace(one, ignored=one.ignored | _looked_up(foreign, maps[band], one.image))
        for band, one in laid.items()
    }
    return LaidBands(isophotes, pixels, backs, shifts)


def _lay(image: GalaxyImage, isophotes: Isophotes, place: PlaceMap) -> BandPixels:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    x, y = place(x.ravel().astype(float), y.ravel().astype(float))
    radius = isophotes.radius_of(x, y).reshape(image.shape)
    angle = np.arctan2(y - isophotes.y0, x - isophotes.x0).reshape(image.shape)
    return BandPixels(image, radius, angle, ~np.isfinite(image.pixels))


def _foreign_light(
    isophotes: Isophotes,
    laid: Mapping[str, BandPixels],
    maps: Mapping[str, PlaceMap],
    base: GalaxyImage,
) -> np.ndarray:
    """Pixels of the reference's grid where any band has light that isn't the galaxy's."""
    foreign = np.zeros(base.shape, dtype=bool)
    for band, pixels in laid.items():
        intensity = ring_medians(pixels, isophotes)
        sky = rough_sky(pixels, isophotes)
        model = painted_intensity(isophotes.sma, np.maximum(intensity - sky, 1e-12), pixels.radius)
        painted = Painted(model, pixels.radius, float(isophotes.sma[-1]))
        out = deviating_pixels(pixels.image, painted, sky) & ~pixels.ignored
        if maps[band].identical or pixels.image is base:
            foreign |= out
            continue
        y, x = np.nonzero(out)
        if x.size:
            at_x, at_y = maps[band](x.astype(float), y.astype(float))
            column, row = np.rint(at_x).astype(int), np.rint(at_y).astype(int)
            inside = (column >= 0) & (column < base.shape[1]) & (row >= 0) & (row < base.shape[0])
            foreign[row[inside], column[inside]] = True
    return foreign


def _looked_up(foreign: np.ndarray, place: PlaceMap, image: GalaxyImage) -> np.ndarray:
    """Value of a mask on the reference's grid at each pixel of a band's image; grown where the grids differ."""
    from scipy import ndimage

    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    x, y = place(x.ravel().astype(float), y.ravel().astype(float))
    if not place.identical:
        foreign = ndimage.binary_dilation(foreign, structure=np.ones((3, 3)))
    values = ndimage.map_coordinates(foreign.astype(np.uint8), [y, x], order=0, mode="constant", cval=0)
    return values.reshape(image.shape) > 0


def _profile(reference: QTable, image: GalaxyImage, intensity: np.ndarray, error: np.ndarray) -> QTable:
    arrays = plain_arrays(reference)
    area = image.pixel_scale**2
    bright = np.where(intensity > 0, intensity, np.nan)
    mu = mu_from_intensity(bright, image.zero_point, image.pixel_scale)
    to_microjansky = 10.0 ** (0.4 * (MICROJANSKY_ZERO_POINT - image.zero_point)) / area
    light = intensity_from_mu(arrays["mu"], image.zero_point, image.pixel_scale)
    per_arcsec2 = with_hidden_light(intensity, light, arrays["sma"]) / area
    inside = curve_of_growth(arrays["sma"], per_arcsec2, arrays["ellipticity"])
    growth = mag_from_flux(np.where(inside > 0, inside, np.nan), image.zero_point)
    columns = {
        "sma": arrays["sma"],
        "mu": mu,
        "mu_err": mag_error_from_log(error / bright),
        "ellipticity": arrays["ellipticity"],
        "pa": arrays["pa"],
        "growth": growth,
        "intensity": intensity * to_microjansky,
        "intensity_err": error * to_microjansky,
    }
    return table_of_columns(columns)


def _meta(reference: QTable, profile: QTable, image: GalaxyImage, band: str, reference_band: str) -> dict[str, Any]:
    meta = {key: reference.meta[key] for key in META_KEYS if key in reference.meta}
    columns = plain_arrays(profile)
    # Light beyond the last ellipse: the same share as in the reference, whose total the network gave.
    beyond = float(meta["mag_total"]) - float(plain_arrays(reference)["growth"][-1])
    mag_total = float(columns["growth"][-1]) + beyond
    sma, growth, mu = columns["sma"], columns["growth"], columns["mu"]
    r50, r90 = (radius_of_light(sma, growth, mag_total, share) for share in (0.5, 0.9))
    return meta | {
        "name": f"{meta['name']}_{band}",
        "band": band,
        "forced": reference_band,
        "pixel_scale": float(image.file_pixel_scale),
        "zero_point": float(image.zero_point),
        "zero_point_origin": image.zero_point_origin,
        "pixel_scale_origin": image.pixel_scale_origin,
        "photometric_system": image.photometric_system,
        "noise_origin": image.noise_origin,
        "hdu": image.hdu,
        "binning": image.binning,
        "notes": list(image.notes),
        "mag_total": mag_total,
        "r50": r50,
        "r90": r90,
        "concentration": r90 / r50 if r50 > 0 else float("nan"),
        "r_iso25": isophotal_radius(sma, mu, ISOPHOTE_MU),
        "extent": float(sma[-1]),
        "source": image.source,
        "x_offset": whole_or_float(image.x_offset),
        "y_offset": whole_or_float(image.y_offset),
        "software_version": __version__,
        **(_turned(reference, image) if band != reference_band else {}),
    }


def _turned(reference: QTable, image: GalaxyImage) -> dict[str, Any]:
    """How position angles are to be turned back to this image's +x axis."""
    if image.wcs is None:
        return {}
    from p2p_keras.images.sky_geometry import icrs_to_pixel

    x, y = icrs_to_pixel(image.wcs, reference.meta["ra"], reference.meta["dec"])
    zero, one = np.asarray(image.pa_to_sky(np.array([0.0, 1.0]), float(x), float(y)), dtype=float)
    return {"pa_of_x": float(zero), "parity": 1 if (one - zero) % 180.0 < 90.0 else -1}
