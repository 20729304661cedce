"""One clipped mean and one weighted median, for rings, ellipses and skies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CLIP_SIGMA = 3.0
_ROUNDS = 3
_LEAST = 5


class Clipped(NamedTuple):
    """Mean and scatter of what is left, its number, and the share of the weight that it has."""

    mean: float
    scatter: float
    number: int
    share: float


def clipped_mean(values: np.ndarray, weights: np.ndarray | None = None, *, sigma: float = CLIP_SIGMA) -> Clipped:
    """Mean after clipping about the median at `sigma` robust sigma, thrice.

    Parameters
    ----------
    values : float array (N,), finite
    weights : float array (N,), optional
        Of the mean; the clipping takes all values alike.
    sigma : float
        Infinite: nothing is clipped.

    Returns
    -------
    Clipped
        NaN for no values; the scatter is NaN for a single one.
    """
    weights = np.ones(values.size) if weights is None else weights
    total = float(weights.sum())
    for _ in range(_ROUNDS if np.isfinite(sigma) else 0):
        if values.size < _LEAST:
            break
        middle = np.median(values)
        scatter = 1.4826 * np.median(np.abs(values - middle))
        keep = np.abs(values - middle) <= sigma * max(scatter, 1e-30)
        if keep.all():
            break
        values, weights = values[keep], weights[keep]
    left = float(weights.sum())
    if not left > 0:
        return Clipped(np.nan, np.nan, 0, 0.0)
    mean = float((weights * values).sum() / left)
    count = int(values.size)
    scatter = (
        float(np.sqrt((weights * (values - mean) ** 2).sum() / left * count / (count - 1))) if count > 1 else np.nan
    )
    return Clipped(mean, scatter, count, left / total)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Value with half of the weight on either side, linear between values; NaN for none."""
    if not values.size:
        return float("nan")
    order = np.argsort(values)
    ordered, share = values[order], weights[order]
    middle = np.cumsum(share) - 0.5 * share
    return float(np.interp(0.5 * share.sum(), middle, ordered))
