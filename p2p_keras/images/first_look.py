"""How large a galaxy's cutout must be, seen from its light before the model does."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2p_keras.core.robust import median_deviation
from p2p_keras.images.binning import binned_flux, binning_for
from p2p_keras.images.cutout import Window

__all__ = ["side_from_light"]

_RINGS_PER_OCTAVE = 3
_THRESHOLD = 0.5
_SIDE_OVER_RADIUS = 5.0
"""Side over the radius at which the light sinks into the noise: the galaxy then takes two fifths of the cutout and the
rest is sky, as in the images that the model was trained on."""


def side_from_light(pixels: Any, x: float, y: float, max_size: int) -> float:
    """Side (px) of the cutout that a galaxy needs; NaN where nothing can be seen.

    The median over rings round the galaxy is followed outward until it stays below half of the noise of a pixel over
    the sky, which is the median of the outermost rings: stars and neighbours don't move a median.

    Parameters
    ----------
    pixels : array (H, W) or FITS section
        Of the frame.
    x, y : float
        The galaxy, px.
    max_size : int
        Largest side of a cutout.
    """
    window = Window(round(x) - max_size // 2, round(y) - max_size // 2, max_size, max_size)
    stamp = window.cut(pixels)
    if not np.isfinite(stamp).any():
        return float("nan")
    step = max(1, max_size // 256)
    rows, columns = np.mgrid[0:max_size:step, 0:max_size:step]
    radius = np.hypot(columns - (x - window.x_start), rows - (y - window.y_start))
    values = stamp[::step, ::step]
    good = np.isfinite(values)
    edges = np.r_[0.0, 4.0 * 2.0 ** (np.arange(60) / _RINGS_PER_OCTAVE)]
    edges = edges[edges < max_size / 2]
    ring = np.digitize(radius, edges)
    medians = np.array([_median(values[good & (ring == i)]) for i in range(1, len(edges))])
    outside = values[good & (ring >= len(edges) - 1)]
    if not outside.size or not np.isfinite(medians).any():
        return float("nan")
    sky = float(np.median(outside))
    noise = median_deviation(outside, sky)
    bright = np.flatnonzero(medians > sky + _THRESHOLD * noise)
    if not bright.size:
        return 0.0
    # Rings beyond the first two that are dark belong to something else.
    gaps = np.flatnonzero(np.diff(bright) > 2)
    last = bright[gaps[0]] if gaps.size else bright[-1]
    return _SIDE_OVER_RADIUS * float(edges[last + 1])


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else float("nan")


def side_of_large(frame: Any, shape: tuple[int, int]) -> float | None:
    """Side (px) that the galaxy in the middle of a large image needs; None where no light is seen there.

    The image is summed over blocks, strip by strip, so that it is never in memory as a whole.

    Parameters
    ----------
    frame : FITS section or array
    shape : (int, int)
        Of the image.
    """
    factor = binning_for(max(shape), 1024)
    strips = []
    height = 64 * factor
    for y in range(0, shape[0] - factor + 1, height):
        strip = Window(0, y, shape[1], min(height, (shape[0] - y) // factor * factor)).cut(frame)
        strips.append(binned_flux(strip, factor))
    coarse = np.concatenate(strips)
    side = max(coarse.shape)
    needed = side_from_light(coarse, (coarse.shape[1] - 1) / 2, (coarse.shape[0] - 1) / 2, side)
    return needed * factor if needed > 0 else None
