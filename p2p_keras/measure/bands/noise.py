"""What a noise map or a gain says of the error of a ring's mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.images.noise import correlation, noise_map
from p2p_keras.measure.bands.photometry import ring_edges

if TYPE_CHECKING:
    from p2p_keras.measure.bands.photometry import BandPixels
    from p2p_keras.profile.painting import Isophotes

__all__ = ["ring_noise"]


def ring_noise(pixels: BandPixels, isophotes: Isophotes) -> np.ndarray:
    """1-sigma error of each ring's mean flux per pixel by the noise of its pixels; 0 where none of it is known.

    Neighbouring pixels of a resampled image share noise: the error is larger by their correlation.

    Parameters
    ----------
    pixels : BandPixels
    isophotes : Isophotes
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
