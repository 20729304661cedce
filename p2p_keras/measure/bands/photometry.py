"""Intensities of a band along given ellipses, from its pixels.

A ring between the geometric means of neighbouring radii gives the sigma-clipped mean of its pixels; near the centre,
where rings hold few pixels, the image is read along the ellipse itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.ellipse import axis_ratio, points
from p2p_keras.core.errors import InputError
from p2p_keras.core.robust import clipped_mean
from p2p_keras.images.noise import correlation, noise_map
from p2p_keras.profile.isophotes.given import ring_edges
from p2p_keras.profile.isophotes.sampling import spline_values

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage
    from p2p_keras.measure.bands.places import PlaceMap
    from p2p_keras.profile.painting import Isophotes

__all__ = ["BandPixels", "ring_medians", "intensities", "ring_noise"]

RING_MIN_SMA = 6.0
"""Rings of pixels from this semi-major axis (px of the band) on; inside, points along the ellipse."""

MIN_SHARE = 0.3
"""A ring of which less is left unmasked isn't measured: so short an arc says little of the whole ellipse (as
photutils' isophotes have it, `fflag` of 0.7)."""

_NUM_POINTS = 256


@dataclass(frozen=True)
class BandPixels:
    """One band's image with the reference's ellipses laid on it.

    Attributes
    ----------
    image : GalaxyImage
    radius : float array (H, W)
        Semi-major axis through each pixel, in pixels of the reference.
    angle : float array (H, W)
        Direction from the centre, radians.
    ignored : bool array (H, W)
    """

    image: GalaxyImage
    radius: np.ndarray
    angle: np.ndarray
    ignored: np.ndarray


def ring_medians(pixels: BandPixels, isophotes: Isophotes) -> np.ndarray:
    """Median of each ring, interpolated over rings without a pixel.

    Raises
    ------
    InputError
        The ellipses don't lie on the image.
    """
    edges = ring_edges(isophotes.sma)
    place = np.digitize(pixels.radius, edges) - 1
    values = np.full(isophotes.sma.size, np.nan)
    for i in range(values.size):
        ring = pixels.image.pixels[(place == i) & ~pixels.ignored]
        if ring.size:
            values[i] = np.median(ring)
    known = np.isfinite(values)
    if not known.any():
        raise InputError(pixels.image.source, "the reference's ellipses don't lie on this image")
    return np.interp(np.log(isophotes.sma), np.log(isophotes.sma[known]), values[known])


def intensities(pixels: BandPixels, isophotes: Isophotes, to_band: PlaceMap) -> tuple[np.ndarray, np.ndarray]:
    """Flux per pixel along each ellipse, sky included, and its 1-sigma uncertainty.

    Both are NaN where less than `MIN_SHARE` of the ellipse is left, masked or off the image as the rest may be.

    The uncertainty is the clipped scatter over the root of the number of pixels: noise and the galaxy's own structure.
    """
    image = pixels.image
    edges = ring_edges(isophotes.sma)
    place = np.digitize(pixels.radius, edges) - 1
    good = ~pixels.ignored
    scale = _pixels_per_reference_pixel(isophotes, to_band)
    mean = np.full(isophotes.sma.size, np.nan)
    error = mean.copy()
    for i, sma in enumerate(isophotes.sma):
        q = float(axis_ratio(isophotes.e1[i], isophotes.e2[i]))
        if sma * scale >= RING_MIN_SMA:
            chosen = image.pixels[(place == i) & good].astype(float)
            level, scatter, count, _ = clipped_mean(chosen)
            independent = count
            whole = np.pi * q * (edges[i + 1] ** 2 - edges[i] ** 2) * scale**2
        else:
            chosen = _along_ellipse(image, good, isophotes, i, to_band)
            level, scatter, count, _ = clipped_mean(chosen)
            # Points along a small ellipse share pixels: what is left of it has no more of them than its length.
            length = 2.0 * np.pi * sma * scale * np.sqrt(q) * chosen.size / _NUM_POINTS
            independent = min(count, max(1.0, length))
            whole = _NUM_POINTS
        if count > 1 and chosen.size >= MIN_SHARE * whole:
            mean[i], error[i] = level, scatter / np.sqrt(independent)
    return mean, error


def _pixels_per_reference_pixel(isophotes: Isophotes, to_band: PlaceMap) -> float:
    x, y = to_band(np.array([isophotes.x0, isophotes.x0 + 1.0]), np.array([isophotes.y0, isophotes.y0]))
    return float(np.hypot(x[1] - x[0], y[1] - y[0]))


def _along_ellipse(image: GalaxyImage, good: np.ndarray, isophotes: Isophotes, i: int, to_band: PlaceMap) -> np.ndarray:
    """Values at points of an ellipse, by a cubic spline; those beside an ignored pixel are left out."""
    t = np.linspace(0.0, 2.0 * np.pi, _NUM_POINTS, endpoint=False)
    dx, dy = points(isophotes.sma[i], isophotes.e1[i], isophotes.e2[i], np.cos(t), np.sin(t))
    return spline_values(image.pixels, good, *to_band(isophotes.x0 + dx, isophotes.y0 + dy))


def ring_noise(pixels: BandPixels, isophotes: Isophotes) -> np.ndarray:
    """1-sigma error of each ring's mean flux per pixel by the noise of its pixels; 0 where none of it is known.

    Neighbouring pixels of a resampled image share noise: the error is larger by their correlation.
    """
    noise = noise_map(pixels.image)
    if noise is None:
        return np.zeros(isophotes.sma.size)
    edges = ring_edges(isophotes.sma)
    place = np.digitize(pixels.radius, edges) - 1
    good = ~pixels.ignored & np.isfinite(noise) & (place >= 0) & (place < isophotes.sma.size)
    variance = np.bincount(place[good], weights=np.square(noise[good], dtype=float), minlength=isophotes.sma.size)
    count = np.bincount(place[good], minlength=isophotes.sma.size)
    error = np.where(count > 0, np.sqrt(variance) / np.maximum(count, 1), 0.0)
    return error * correlation(pixels.image.pixels)
