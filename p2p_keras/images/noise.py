"""Noise of an image's pixels: maps of every kind turned to 1-sigma, the pixels' own scatter, and its correlation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from p2p_keras.images.pixel_scale import header_number
from p2p_keras.images.roles import INVERSE_VARIANCE, SIGMA, VARIANCE, WEIGHT

__all__ = ["sigma_of", "scatter", "correlation", "electrons_per_unit", "read_noise", "electrons", "noise_map"]

_LAG = 4
"""Pixels whose difference gives the scatter: resampling ties neighbours together, hardly pixels so far apart."""

_BLOCK = 8


def sigma_of(values: np.ndarray, role: str, pixels: np.ndarray) -> np.ndarray:
    """1-sigma noise per pixel of a noise map; NaN where it says that a pixel has no weight.

    Parameters
    ----------
    values : array (H, W)
        The map.
    role : str
        ``"sigma"``, ``"variance"``, ``"inverse variance"`` or ``"weight"``. Weights are relative, as those of drizzle
        and SExtractor's MAP_WEIGHT: their scale is set by the scatter of the pixels.
    pixels : array (H, W)
        The image, NaN where a pixel is masked.

    Returns
    -------
    float32 array (H, W)
        NaN throughout where the map says nothing (it is zero or one value of no meaning everywhere).
    """
    values = np.asarray(values, dtype=np.float64)
    good = np.isfinite(values) & (values > 0)
    sigma = np.full(values.shape, np.nan)
    if role == SIGMA:
        sigma[good] = values[good]
    elif role == VARIANCE:
        sigma[good] = np.sqrt(values[good])
    elif role in (INVERSE_VARIANCE, WEIGHT):
        sigma[good] = 1.0 / np.sqrt(values[good])
    else:
        raise ValueError(f"no kind of noise: {role!r}")
    if role == WEIGHT and good.any():
        sigma *= scatter(np.where(good, pixels / np.where(good, sigma, 1.0), np.nan))
    sigma[~np.isfinite(sigma) | (sigma > np.finfo(np.float32).max)] = np.nan
    return sigma.astype(np.float32)


def scatter(pixels: np.ndarray) -> float:
    """1-sigma scatter of pixels about what is smooth; NaN where too few are left.

    Of second differences of pixels 4 px apart, in which neither a gradient nor the correlation of resampled neighbours
    shows; of the smaller ones, since where light is, the differences are the light's.
    """
    if min(pixels.shape) <= 2 * _LAG:
        return math.nan
    apart = [
        pixels[:, 2 * _LAG :] - 2.0 * pixels[:, _LAG:-_LAG] + pixels[:, : -2 * _LAG],
        pixels[2 * _LAG :] - 2.0 * pixels[_LAG:-_LAG] + pixels[: -2 * _LAG],
    ]
    differences = np.concatenate([part[np.isfinite(part)] for part in apart])
    if differences.size < 100:
        return math.nan
    return _spread(differences)


def _spread(second_differences: np.ndarray) -> float:
    """1-sigma of values whose second differences these are, by the smaller ones of them."""
    for percent, width in ((25, 0.31864), (50, 0.67449), (68.27, 1.0)):
        size = float(np.percentile(np.abs(second_differences), percent))
        if size > 0:  # images in steps have many differences of exactly 0
            return size / width / math.sqrt(6.0)
    return 0.0


def correlation(pixels: np.ndarray) -> float:
    """Factor by which the noise of a mean over many pixels exceeds that of independent ones; 1 where they are.

    The scatter of blocks of 8 x 8 px against what pixels as noisy as these would have. It is 1 for a camera's pixels
    and 1.5 to 3 for images that were resampled or drizzled to finer ones; NaN pixels leave their block out.
    """
    height, width = (n // _BLOCK * _BLOCK for n in pixels.shape)
    single = scatter(pixels)
    if min(height, width) < 6 * _BLOCK or not single > 0:
        return 1.0
    blocks = pixels[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK).mean(axis=(1, 3))
    apart = [blocks[:, 2:] - 2.0 * blocks[:, 1:-1] + blocks[:, :-2], blocks[2:] - 2.0 * blocks[1:-1] + blocks[:-2]]
    differences = np.concatenate([part[np.isfinite(part)] for part in apart])
    if differences.size < 30:
        return 1.0
    level = _spread(differences)
    return float(np.clip(level * _BLOCK / single, 1.0, 5.0))


def electrons_per_unit(header: Mapping[str, Any], kind: str, seconds: float) -> float:
    """Electrons per unit of the pixels, from GAIN and exposure time; NaN where the header doesn't say.

    Parameters
    ----------
    header : mapping
    kind : str
        Of the unit (`p2p_keras.images.flux_units.PixelUnit`): counts or a rate; of a flux nothing is known.
    seconds : float
        Exposure time, NaN where unknown.
    """
    text = str(header.get("BUNIT") or "").strip().lower()
    gain = next(
        (g for g in (header_number(header, key) for key in ("GAIN", "EGAIN", "CCDGAIN", "ATODGAIN")) if g > 0), math.nan
    )
    if text.startswith(("e", "photon", "photoelectron")):
        gain = 1.0
    if kind == "counts":
        return gain
    return gain * seconds if kind == "rate" else math.nan


def read_noise(header: Mapping[str, Any]) -> float:
    """Read noise in electrons, 0 where the header doesn't say."""
    for key in ("RDNOISE", "READNOIS", "READNSE", "RON", "RDNOISEA", "READNSEA", "ENOISE"):
        value = header_number(header, key)
        if 0 < value < 1000:
            return value
    return 0.0


def electrons(header: Mapping[str, Any], kind: str, seconds: float) -> dict[str, Any]:
    """`electrons_per_unit` and `read_noise` of a header, as fields of an image.

    Parameters
    ----------
    header : mapping
    kind : {"counts", "rate"}
        Of the unit.
    seconds : float
        Exposure time, for rates; NaN where unknown.

    Returns
    -------
    dict
        NaN electrons and a read noise of 0 where the header doesn't say.
    """
    return {"electrons_per_unit": electrons_per_unit(header, kind, seconds), "read_noise": read_noise(header)}


def noise_map(image: Any, sky: float = 0.0) -> np.ndarray | None:
    """1-sigma noise per pixel of an image: its own map, else its scatter with the photon noise of its light.

    Parameters
    ----------
    image : GalaxyImage
    sky : float
        Level that isn't the galaxy's.

    Returns
    -------
    float32 array (H, W), NaN where a pixel is masked; None where neither a map nor a gain is known.
    """
    if image.noise is not None:
        return image.noise
    if not image.electrons_per_unit > 0:
        return None
    background = max(scatter(image.pixels), image.read_noise / image.electrons_per_unit)
    light = np.maximum(np.asarray(image.pixels, dtype=float) - sky, 0.0)
    return np.sqrt(background**2 + light / image.electrons_per_unit).astype(np.float32)
