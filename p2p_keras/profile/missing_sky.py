"""Images in which only the pixels of a galaxy are left."""

from __future__ import annotations

import math

import numpy as np

from p2p_keras.core.robust import median, parted_median
from p2p_keras.profile.pixel_noise import noise_of, second_differences

__all__ = ["no_sky"]

_FEWEST = 100
_ENCLOSED = 0.75
"""Share of the image's edge that holds no data around a segment; turned by 30 degrees an image has 0.58."""

_LEAST_EMPTY = 0.15
_ALONG_THE_BORDER = 0.25
"""More pixels lie along a border where those without data are scattered: few photons, holes."""

_FAINTER = 0.3
_STILL_FALLS = 0.4
"""Share of the pixels that are fainter than the border, and its distance from the median of all in units of the noise.
Of 35 segments at 1.5 sigma the first was 0.28 at most, the second 0.72 at least; of 23 apertures with as much sky as
galaxy 0.33 at least, and 0.55 at most."""

_LOST = 0.02
_DEEP = 3


def no_sky(pixels: np.ndarray) -> bool:
    """Whether the pixels end where the galaxy does, all others being masked or of one value: a segment, an aperture.

    Then its light still falls at the border of what is left, and hardly any pixel is fainter than those along it, while
    half of those of an image with sky are. What lies beyond is lost, and the sky can't be known.

    Parameters
    ----------
    pixels : float array (H, W)
        NaN where masked.
    """
    edge = np.concatenate((pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]))
    known = edge[np.isfinite(edge)]
    fill = float(parted_median(known)) if known.size else math.nan
    filled = int(np.count_nonzero(known == fill))
    if filled + edge.size - known.size < _ENCLOSED * edge.size:
        return False
    left = np.isfinite(pixels)
    if filled < 0.5 * known.size:
        fill = math.nan
    left &= pixels != fill
    share = float(np.mean(left))
    if not _FEWEST / left.size < share < 1.0 - _LEAST_EMPTY:
        return False
    values, along = pixels[left], _along_the_border(left, pixels)
    if not 0 < along.size < _ALONG_THE_BORDER * values.size:
        return False
    border = parted_median(along)
    if np.count_nonzero(values < border) > _FAINTER * values.size:
        return False
    step = second_differences(pixels)
    step = step[left[:, :-2] & left[:, 1:-1] & left[:, 2:]]
    if step.size < _FEWEST:
        return False
    if not median(values) - border > _STILL_FALLS * noise_of(step):
        return False
    return not (math.isfinite(fill) and _fades_to(fill, pixels, left, values))


def _fades_to(fill: float, pixels: np.ndarray, left: np.ndarray, values: np.ndarray) -> bool:
    """Whether the light has nearly reached the value of the others: a model without noise, which lacks nothing.

    Looked at is where an edge that was smoothed by a pixel doesn't reach.
    """
    along = _along_the_border(_eroded(left, _DEEP), pixels)
    return along.size > 0 and 0.0 <= parted_median(along) - fill < _LOST * (float(values.mean(dtype=float)) - fill)


def _along_the_border(left: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Values of those pixels of a region that have a neighbour outside of it; the image's edge is no border."""
    return pixels[left > _eroded(left)]


def _eroded(left: np.ndarray, depth: int = 1) -> np.ndarray:
    """A region without its outermost pixels."""
    from scipy import ndimage

    return ndimage.binary_erosion(left, iterations=depth, border_value=1)
