"""One radial grid: K semi-major axes, log-spaced, in pixels.

It runs from half a pixel to beyond the image's half side, where circles see only the corners: those see the sky.
"""

from __future__ import annotations

import math

NUM_RADII = 64
"""K, the number of radii of every model output."""

SMA_MIN_PX = 0.5
SMA_MAX_FRACTION = 0.65
"""Largest radius over the image's longer side (0.5 touches the side, 0.71 the corner of a square)."""


def log_step(longer_side_px):
    """Natural-log step between neighbouring radii of an image whose longer side is given (float or tensor -> needs log).

    Parameters
    ----------
    longer_side_px : float

    Returns
    -------
    float
    """
    return math.log(SMA_MAX_FRACTION * longer_side_px / SMA_MIN_PX) / (NUM_RADII - 1)


def grid_px(longer_side_px: float):
    """The K semi-major axes in pixels, shape (NUM_RADII,), float64 numpy."""
    import numpy as np

    return SMA_MIN_PX * np.exp(np.arange(NUM_RADII) * log_step(longer_side_px))
