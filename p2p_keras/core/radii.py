"""One radial grid: K semi-major axes, log-spaced, in pixels.

It runs from half a pixel to beyond the image's half side, where circles see only the corners: those see the sky.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "NUM_RADII",
    "SMA_MIN_PX",
    "SMA_MAX_FRACTION",
    "SAME_RADIUS",
    "log_step",
    "grid_px",
    "CAPTION_MAX_STEPS",
    "caption_length",
]

NUM_RADII = 64
"""K, the number of radii of every model output."""

SMA_MIN_PX = 0.5
SMA_MAX_FRACTION = 0.65
"""Largest radius over the image's longer side (0.5 touches the side, 0.71 the corner of a square)."""

SAME_RADIUS = 1e-4
"""In ln(sma): a label on the same grid must count as within its own range after rounding to float32."""


def log_step(longer_side_px, xp=np):
    """Natural-log step between neighbouring radii.

    Parameters
    ----------
    longer_side_px : float or float tensor
        The image's longer side in pixels.
    xp : module
        ``numpy``, or ``keras.ops`` inside a network.
    """
    return xp.log(longer_side_px * (SMA_MAX_FRACTION / SMA_MIN_PX)) / (NUM_RADII - 1)


def grid_px(longer_side_px, xp=np):
    """The K semi-major axes in pixels, shape (NUM_RADII,), from `SMA_MIN_PX` outward.

    Parameters
    ----------
    longer_side_px : int or scalar tensor
        Of the image.
    xp : module
        numpy, or ``keras.ops``.
    """
    steps = np.arange(NUM_RADII, dtype="float32" if xp is not np else float)
    # The tensor first: PyTorch knows no product of an array with a tensor.
    return SMA_MIN_PX * xp.exp(log_step(longer_side_px, xp) * steps)


CAPTION_MAX_STEPS = 1024
"""Most steps of a caption, the paper's way to write a profile: mu at steps of a pixel, the first at half a pixel."""


def caption_length(longer_side_px, xp=np):
    """Steps of a caption that reach the grid's last radius (float; a tensor where the side is one).

    Parameters
    ----------
    longer_side_px : int or scalar tensor
        Of the image.
    xp : module
        numpy, or ``keras.ops``.
    """
    return xp.ceil(SMA_MAX_FRACTION * longer_side_px - SMA_MIN_PX) + 1.0
