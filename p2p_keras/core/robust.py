"""Averages and scatters that a few outliers don't change: of rings, ellipses and skies."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = [
    "CLIP_SIGMA",
    "SIGMA_PER_DEVIATION",
    "Clipped",
    "clipped_mean",
    "lower_deviation",
    "median",
    "median_below",
    "median_deviation",
    "median_of_ordered",
    "parted_median",
    "weighted_median",
]

SIGMA_PER_DEVIATION = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""

CLIP_SIGMA = 3.0
_ROUNDS = 3
_LEAST = 5


def median_deviation(values: np.ndarray, middle: float | None = None) -> float:
    """Standard deviation from the median absolute deviation from the middle.

    `astropy.stats.mad_std` is as fast and has more digits (1.482602), which would change the bytes of mocks and labels
    that are there; and it takes no middle from elsewhere.

    Parameters
    ----------
    values : float array, finite
    middle : float, optional
        By default the median; 0 for differences.

    Returns
    -------
    float
        In the unit of the values; NaN for none.
    """
    if not np.size(values):
        return float("nan")
    middle = median(values) if middle is None else middle
    return float(SIGMA_PER_DEVIATION * median(np.abs(values - middle)))


def lower_deviation(values: np.ndarray, middle: float | None = None) -> float:
    """Standard deviation from the values at or below the middle alone, which no source of light reaches.

    Parameters
    ----------
    values : float array, finite
    middle : float, optional
        By default the median.

    Returns
    -------
    float
        NaN where no value is so low.
    """
    if not np.size(values):
        return float("nan")
    middle = median(values) if middle is None else middle
    return median_deviation(values[values <= middle], middle)


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
        scatter = median_deviation(values, middle)
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
    """Value with half of the weight on either side, linear between values; NaN for none.

    Parameters
    ----------
    values, weights : float array (N,)
        Finite; weights at least 0.
    """
    if not values.size:
        return float("nan")
    order = np.argsort(values)
    ordered, share = values[order], weights[order]
    middle = np.cumsum(share) - 0.5 * share
    return float(np.interp(0.5 * share.sum(), middle, ordered))


_SAMPLED = 1024
_MARGINS = (0.02, 0.06)
"""Shares of a sample beside its middle between which the median is looked for: a standard deviation of the sample's
own median is 0.016."""


def median(values: np.ndarray, *, upper: bool = False) -> float:
    """Median of finite values of any shape: what np.median gives; with `upper` the higher of two in the middle.

    Of many values only those are put in order that a sample of them says lie in the middle: to count values costs a
    sixtieth of putting them in order.
    """
    values = values.ravel()
    size, half = values.size, values.size // 2
    even = size % 2 == 0 and not upper
    if size > 4 * _SAMPLED:
        sample = np.sort(values[:: size // _SAMPLED])
        for margin in _MARGINS:
            low, high = (sample[int((0.5 + side) * sample.size)] for side in (-margin, margin))
            near = values >= low
            below = size - int(np.count_nonzero(near))
            near &= values <= high
            if below < half - 1 and half < below + int(np.count_nonzero(near)):
                # Not values[near], which takes several times as long where true and false alternate at random.
                return parted_median(values.compress(near), half - below, even=even)
    return parted_median(values, half, even=even)


def median_below(values: np.ndarray, limit: float) -> bool:
    """Whether the median of finite values is below a limit; mostly found by counting."""
    below, half = int(np.count_nonzero(values < limit)), values.size // 2
    if below != half or values.size % 2:
        return below > half
    return median(values) < limit


def median_of_ordered(values: np.ndarray) -> float:
    """Median of values in rising order; at least one of them."""
    half = values.size // 2
    return float(values[half]) if values.size % 2 else 0.5 * float(values[half - 1] + values[half])


def parted_median(values: np.ndarray, half: int | None = None, *, even: bool = False) -> float:
    """The value with `half` smaller ones (by default half of them); with `even` the mean of it and the one before."""
    half = values.size // 2 if half is None else half
    parted = np.partition(values, half)
    return 0.5 * (float(parted[:half].max()) + float(parted[half])) if even else float(parted[half])
