"""Noise of pixels from what they differ from their neighbours, in which little of a galaxy is left."""

from __future__ import annotations

import math

import numpy as np

from p2p_keras.core.robust import SIGMA_PER_DEVIATION, median

__all__ = ["second_differences", "noise_of"]


def second_differences(values: np.ndarray) -> np.ndarray:
    """What pixels differ from the mean of their two neighbours in a row.

    Parameters
    ----------
    values : float array (..., W)

    Returns
    -------
    float array (..., W - 2)
        NaN where one of the three is.
    """
    step = values[..., :-2] + values[..., 2:]
    step *= 0.5
    return np.subtract(values[..., 1:-1], step, out=step)


def noise_of(differences: np.ndarray) -> float:
    """Noise of one pixel, if that of its neighbours is another, from finite `second_differences`."""
    return SIGMA_PER_DEVIATION / math.sqrt(1.5) * median(np.abs(differences))
