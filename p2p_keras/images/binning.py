"""Images larger than the network takes: summed over blocks of 2 x 2, 4 x 4, ... px."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["binning_for", "binned_flux", "binned_sigma"]


def binning_for(side: int, largest: int) -> int:
    """Power of two by which an image of this side must be binned to have no more than `largest` px.

    Parameters
    ----------
    side, largest : int
        Longest side of the image, and of what is wanted, px.
    """
    return 1 if side <= largest else 2 ** math.ceil(math.log2(side / largest))


def binned_flux(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Sums over blocks of `factor` x `factor` px; missing pixels of a block count as the mean of the others.

    A block of which less than half is there is NaN. Rows and columns beyond the last whole block are left out.

    Parameters
    ----------
    pixels : float array (H, W)
        NaN where a pixel is missing.
    factor : int

    Returns
    -------
    float array (H // factor, W // factor)
    """
    blocks = _blocks(pixels, factor)
    good = np.isfinite(blocks)
    count = good.sum(axis=(1, 3))
    total = np.where(good, blocks, 0.0).sum(axis=(1, 3), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(2 * count >= factor * factor, total * (factor * factor / count), np.nan)


def binned_sigma(sigma: np.ndarray, factor: int, correlation: float = 1.0) -> np.ndarray:
    """1-sigma of `binned_flux` by that of the pixels; `correlation` as `p2p_keras.images.noise` gives it.

    Parameters
    ----------
    sigma : float array (H, W)
        In the unit of the pixels; NaN where it isn't known.
    factor : int
    correlation : float
        Noise of a mean of many pixels over that of independent ones.

    Returns
    -------
    float array (H // factor, W // factor)
    """
    variance = binned_flux(np.square(sigma, dtype=np.float64), factor)
    return correlation * np.sqrt(variance)


def _blocks(pixels: np.ndarray, factor: int) -> np.ndarray:
    height, width = (n // factor for n in pixels.shape)
    cut = pixels[: height * factor, : width * factor]
    return cut.reshape(height, factor, width, factor)
