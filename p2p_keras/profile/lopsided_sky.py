"""A sky whose noise reaches further up than down: what is left of a cut after an image was resampled or smoothed."""

from __future__ import annotations

import functools
import math

import numpy as np

from p2p_keras.core.robust import median
from p2p_keras.profile.pixel_noise import second_differences

__all__ = ["lopsided"]

_FEWEST = 100
_EDGE = 8
_SQUARES = 256
_FAINTEST = 64
_FEWEST_SQUARES = 16
_UPWARD = 0.13
_SHORT_BELOW = 0.6
"""Of 544 mocks of surveys and troubles, 35 other images and the same resampled or smoothed by 2 px, none has both a sky
that is skewed by more than `_UPWARD` and one whose faint side is shorter than `_SHORT_BELOW` of the other."""

_FAINT_LIGHT = 6.0, 12.0
_BRIGHT_LIGHT = 30.0, 90.0
"""Light above the sky, in units of the sky's noise, between which photon noise grows."""

_GROWTH = 0.5


def lopsided(pixels: np.ndarray) -> bool:
    """Whether the noise of the sky reaches further up than down, as that of an image that was cut and then resampled.

    Looked at are small squares, since the sky may be uneven, and the faintest of them, since sources are lopsided too.

    Parameters
    ----------
    pixels : float array (H, W)
        NaN where masked.
    """
    rows, columns = (size // _EDGE for size in pixels.shape)
    every = max(1, math.isqrt(rows * columns // _SQUARES))
    squares = pixels[: rows * _EDGE, : columns * _EDGE].reshape(rows, _EDGE, columns, _EDGE)[::every, :, ::every]
    values = squares.swapaxes(1, 2).reshape(-1, _EDGE * _EDGE)
    with np.errstate(all="ignore"):  # NaN where masked
        level = values @ np.full(_EDGE * _EDGE, 1.0 / (_EDGE * _EDGE), dtype=values.dtype)
    few = min(_FAINTEST, int(np.count_nonzero(np.isfinite(level))) // 2)
    if few < _FEWEST_SQUARES:
        return False
    faintest = np.argpartition(level, few)[:few]  # those with masked pixels come last
    flat = values[faintest] @ _without_slope()
    ordered = np.sort(flat, axis=1).sum(axis=0).tolist()  # of all squares together: the lowest value, the next, ...
    middle = 0.5 * (ordered[_EDGE * _EDGE // 2 - 1] + ordered[_EDGE * _EDGE // 2])
    below, above = middle - ordered[_EDGE], ordered[-1 - _EDGE] - middle
    if not (above - below > _UPWARD * (above + below) and middle - ordered[0] < _SHORT_BELOW * (ordered[-1] - middle)):
        return False
    return not _photon_noise((pixels - float(np.median(level[faintest]))) / float(np.std(flat)))


@functools.cache
def _without_slope() -> np.ndarray:
    """What takes level and slope off a square: the light of a galaxy is lopsided too."""
    y, x = np.mgrid[:_EDGE, :_EDGE]
    shapes, _ = np.linalg.qr(np.stack([np.ones(_EDGE * _EDGE), x.ravel(), y.ravel()], axis=1))
    return np.eye(_EDGE * _EDGE, dtype=np.float32) - (shapes @ shapes.T).astype(np.float32)


def _photon_noise(light: np.ndarray) -> bool:
    """Whether the square of the noise grows as the light does: few photons are as lopsided as noise that was cut.

    True also where too few pixels are bright enough to tell.

    Parameters
    ----------
    light : float array (H, W)
        Above the sky, in units of its noise.
    """
    # Second differences along rows and columns, in which little of a galaxy's own shape is left.
    grain = np.abs(second_differences(second_differences(light).T).T)
    light = light[1:-1, 1:-1]
    known = np.isfinite(grain)
    medians = []
    for low, high in (_FAINT_LIGHT, _BRIGHT_LIGHT):
        with np.errstate(invalid="ignore"):
            at = known & (light > low) & (light < high)
        if np.count_nonzero(at) < _FEWEST:
            return True
        medians.append((median(grain[at]), median(light[at])))
    (faint_noise, faint), (bright_noise, bright) = medians
    if not faint_noise > 0.0:
        return True
    return 2.0 * math.log(max(bright_noise, 1e-30) / faint_noise) > _GROWTH * math.log(bright / faint)
