"""The sky of a band: from its own outer ring, freed of the galaxy's light there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from p2p_keras.core.robust import clipped_mean, median_deviation
from p2p_keras.measure.bands.photometry import BandPixels
from p2p_keras.profile.painting import Isophotes, painted_intensity

__all__ = ["SKY_RING", "Sky", "rough_sky", "band_sky"]

SKY_RING = (1.4, 2.0)
"""The ring of the sky, in units of the profile's last radius, along its last ellipse."""

MIN_SKY_PIXELS = 300
_SECTORS = 12
_MIN_SECTORS = 4


class Sky(NamedTuple):
    """Level and 1-sigma uncertainty (flux per pixel), and where it is from: ``"ring"``, ``"model"`` or ``"none"``."""

    level: float
    error: float
    origin: str


def rough_sky(pixels: BandPixels, isophotes: Isophotes) -> float:
    """Median beyond the galaxy; the lowest tenth where there is nothing beyond."""
    beyond = ~pixels.ignored & (pixels.radius > SKY_RING[0] * isophotes.sma[-1])
    if beyond.sum() >= MIN_SKY_PIXELS:
        return float(np.median(pixels.image.pixels[beyond]))
    return float(np.percentile(pixels.image.pixels[~pixels.ignored], 10))


def band_sky(pixels: BandPixels, isophotes: Isophotes, intensity: np.ndarray, given: float | None) -> Sky:
    """Sky level of a band.

    The ring's level is the median of those of its sectors, its uncertainty their scatter over the root of their number:
    uneven skies and halos count, not pixel noise alone. The galaxy's own light in the ring, as its profile goes on
    exponentially, is taken off again, and half of it added to the uncertainty.

    Parameters
    ----------
    pixels : BandPixels
    isophotes : Isophotes
        The reference's, in its pixels.
    intensity : float array (N,)
        Flux per pixel along them, with the sky.
    given : float or None
        Level to take where the image doesn't reach so far, such as a network's.
    """
    last = isophotes.sma[-1]
    ring = (pixels.radius >= SKY_RING[0] * last) & (pixels.radius <= SKY_RING[1] * last) & ~pixels.ignored
    if ring.sum() >= MIN_SKY_PIXELS:
        values, angles = pixels.image.pixels[ring].astype(float), pixels.angle[ring]
        sector = np.floor((angles + np.pi) / (2.0 * np.pi) * _SECTORS).astype(int) % _SECTORS
        parts = [values[sector == i] for i in range(_SECTORS)]
        levels = np.array([clipped_mean(part).mean for part in parts if part.size >= 20])
        if levels.size >= _MIN_SECTORS:
            spread = median_deviation(levels)
            light = _light_in_ring(pixels.radius[ring], isophotes, intensity, float(np.median(levels)))
            error = float(np.hypot(1.25 * spread / np.sqrt(levels.size), 0.5 * light))
            return Sky(float(np.median(levels)) - light, error, "ring")
    outer = pixels.image.pixels[~pixels.ignored & (pixels.radius > 0.8 * last)].astype(float)
    # No sector can tell how uneven this sky is: a tenth of the pixel noise stands for that.
    error = 0.1 * float(np.nan_to_num(clipped_mean(outer).scatter))
    if given is not None and np.isfinite(given):
        return Sky(float(given), error, "model")
    return Sky(0.0, error, "none")


def _light_in_ring(radius: np.ndarray, isophotes: Isophotes, intensity: np.ndarray, level: float) -> float:
    """Median light of the galaxy in the ring; found with the sky that it itself makes too high, in three rounds."""
    known = np.isfinite(intensity)
    light = 0.0
    for _ in range(3):
        net = intensity[known] - (level - light)
        bright = net > 0
        if bright.sum() < 3:
            return 0.0
        light = float(np.median(painted_intensity(isophotes.sma[known][bright], net[bright], radius)))
    return light
