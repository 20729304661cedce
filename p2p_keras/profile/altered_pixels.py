"""Signs in the noise that pixels aren't the linear flux that a telescope saw: stretched, or cut off at a floor."""

from __future__ import annotations

import math

import numpy as np

from p2p_keras.core.robust import median, median_below
from p2p_keras.profile.lopsided_sky import lopsided
from p2p_keras.profile.pixel_noise import noise_of, second_differences
from p2p_keras.profile.surroundings import ProfileRows, Surroundings

__all__ = ["nonlinear", "clipped_sky"]

NONLINEAR_RATIO = 0.8
"""Noise where the galaxy is bright over that of the sky, below which an image isn't linear. On 858 linear mocks of all
surveys and troubles and 35 other images it was never below 0.93; of 35 images it was below 0.8 in all but one after a
square root of what exceeds the lowest pixel, and in all after a logarithm."""

_BRIGHT_SIGMA = 3.0
_FEWEST = 100
_FEWEST_LEVELS = 4.0


def nonlinear(profile: ProfileRows, light: Surroundings, pixels: np.ndarray) -> bool:
    """Look for noise that is smaller where the galaxy is bright.

    A detector's noise never falls with the light, but that of stretched pixels does: of their asinh, logarithm, or a
    small power, as pictures are made. Noise here is what a pixel differs from the mean of its two neighbours in a row.
    Images of few photons, of coarse steps or of smooth models have no noise in their sky, and are not judged.
    """
    # The galaxy's own pixels, without the rest of the image; and rows enough for the noise of the sky.
    rows, columns = light.box
    columns = slice(max(columns.start, 1), min(columns.stop, pixels.shape[1] - 1))
    if columns.stop <= columns.start or rows.stop <= rows.start:
        return False
    within = rows, columns
    value = pixels[within] - pixels.dtype.type(profile.sky)
    with np.errstate(invalid="ignore"):
        bright = value > _BRIGHT_SIGMA * light.noise
    bright &= light.inside[within]
    bright &= light.good[within]
    bright &= ~light.other[within]
    values = value[bright]
    if values.size < 2 * _FEWEST:
        return False
    bright &= value >= median(values, upper=True)  # the brighter half
    core = _steps(pixels, *within)[bright]
    every = slice(None, None, max(1, pixels.size // _SAMPLED_SKY)), slice(1, pixels.shape[1] - 1)
    of_sky = light.good[every] > light.other[every]
    sky = _steps(pixels, *every)[of_sky > light.inside[every]]
    sky, core = sky[np.isfinite(sky)], core[np.isfinite(core)]
    if min(sky.size, core.size) < _FEWEST:
        return False
    noise = median(sky)
    if not median_below(core, NONLINEAR_RATIO * noise):
        return False
    # Values in steps as coarse as the noise say nothing.
    return not noise < _FEWEST_LEVELS * sky[sky > 0.0].min(initial=np.inf)


def _steps(pixels: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
    """By how much pixels differ from their neighbours' mean; `columns` leaves out the first and the last."""
    step = second_differences(pixels[rows, columns.start - 1 : columns.stop + 1])
    return np.abs(step, out=step)


_SAMPLED_SKY = 8192
"""Pixels, by whole rows, that are enough for the noise of `nonlinear`: its limit is far from that of a linear image."""

FLOOR_SHARE = 0.02
"""Share of the pixels at one lowest value, from which on they may have been cut off there: below, the sky moves by less
than 0.01 of its noise. On 520 mocks and 30 real images no more than two pixels shared their lowest value, except for
photon counts."""

_SAMPLED = 4096
_BELOW_THE_FLOOR = 0.02
_BLOCK = 7
_FAR = 4
_STEPS = 0.01
_SEEN_OFTEN = 8
"""A pixel can have up to four neighbours at the floor: only values that occur more often are steps."""

_FIRST_STEP = 0.17
_NEAR = 0.15
_SURE = ((0.6, 1.35), (0.85, 1.15))
_POSSIBLE = (0.8, 1.25)
_CLUSTERED = 0.1
_LOWEST_PERCENT = 2
_FOLDED = (0.22, 1.35, (0.87, 1.2))
_NOISE_OF_A_PHOTON = 1.1


_FEW_BELOW = 0.4


def clipped_sky(pixels: np.ndarray) -> bool:
    """Whether the faint side of the noise is missing: pixels below a level were set to it or to 0, masked, or mirrored.

    Then the sky is too bright, by up to 0.8 of its noise, and where there is light as well less is missing: what is
    faint comes out too faint. In each case the remaining values begin at an edge and go on as the rest of a Gaussian
    does, where those of an image as it was taken begin with a tail. Photon counts also begin at an edge, 0, but leave a
    gap above it, or lie in clusters where the image was resampled; missing pixels lie in blocks. Where an image was
    resampled, binned or smoothed after the cut, no edge is left, but noise that reaches further up than down.

    Parameters
    ----------
    pixels : float array (H, W)
        NaN where masked.
    """
    return _cut_off(pixels) or lopsided(pixels)


def _cut_off(pixels: np.ndarray) -> bool:
    """Whether the remaining values begin at an edge."""
    sample = pixels.ravel()[:: max(1, pixels.size // _SAMPLED)]
    sample = sample[np.isfinite(sample)]
    if sample.size < _FEWEST:
        return False
    first = sample.min()
    # A fifth first, and of it the lowest: not all values need be put in order.
    fifth, lowest = sample.size // 5, sample.size * _LOWEST_PERCENT // 100
    faint = np.partition(sample, fifth)
    more = faint[fifth]
    faint = np.partition(faint[:fifth], lowest)
    low = faint[lowest]
    if low - first > _FEW_BELOW * (more - low):
        return False  # a tail, as in nearly all images
    sample.sort()
    floor = _common_floor(sample, pixels)
    if floor is not None:
        at = _scattered(pixels == floor)
        return at is not None and (_cut_at(at, floor, pixels) or _emptied(at, floor, pixels))
    masked = _scattered(np.isnan(pixels))
    if masked is not None and _cut_at(masked, float(np.fmin.reduce(pixels, axis=None)), pixels):
        return True
    return _mirrored(low, pixels)


def _common_floor(sample: np.ndarray, pixels: np.ndarray) -> float | None:
    """The value that many pixels share, with hardly any pixel below; None where there is none."""
    for floor in {float(sample[0]), float(sample[sample.size // 100])}:
        count = np.count_nonzero(pixels == pixels.dtype.type(floor))
        if count < FLOOR_SHARE * np.count_nonzero(np.isfinite(pixels)):
            continue
        if np.count_nonzero(pixels < pixels.dtype.type(floor)) <= _BELOW_THE_FLOOR * count:
            return floor
    return None


def _scattered(at: np.ndarray) -> np.ndarray | None:
    """Those of some pixels that don't lie in regions in which a square of 7 px has room; None where they are few."""
    fewest = FLOOR_SHARE * at.size
    if np.count_nonzero(at) < fewest:
        return None
    from scipy import ndimage

    at = at > ndimage.binary_opening(at, structure=np.ones((_BLOCK, _BLOCK), dtype=bool))
    return at if np.count_nonzero(at) >= fewest else None


def _neighbours(at: np.ndarray, pixels: np.ndarray, apart: int) -> tuple[float, np.ndarray]:
    """Share of such pixels among those so far from one of them, in rows and columns; and the values of the others.

    Of pairs of pixels p^2 are such, and 2 p (1 - p) have one of them.
    """
    both, others = 0, []
    for cut, values in ((at, pixels), (at.T, pixels.T)):
        first, second = cut[:, :-apart], cut[:, apart:]
        both += int(np.count_nonzero(first & second))
        others += [values[:, apart:][first > second], values[:, :-apart][second > first]]
    beside = np.concatenate(others).astype(float)
    beside = beside[np.isfinite(beside)]
    return 2.0 * both / max(1.0, 2.0 * both + beside.size), beside


def _cut_at(at: np.ndarray, floor: float, pixels: np.ndarray) -> bool:
    """Whether `at` are pixels that were below the floor: the values of others go on from there."""
    share, above = _neighbours(at, pixels, 1)
    above = above[above > floor] - floor
    if above.size < _FEWEST or not 0.0 < share < 1.0:
        return False
    values, counts = np.unique(above, return_counts=True)
    if counts[0] > max(_STEPS * above.size, _SEEN_OFTEN) and _whole_steps(values):
        one, two = counts[:2] / above.size * (1.0 - share)
        # Of photon counts of any mean, P(1)^2 = 2 P(0) P(2), and P(2) is below P(1) / 4 where most pixels are empty.
        return bool(one * one < share * two and two > 0.25 * one)
    gap, near, body = _against_a_gaussian(above, share)
    if gap > _FIRST_STEP / math.sqrt(-math.log(share)):  # photons leave one of their standard deviation over sqrt(mean)
        return False
    if all(low < ratio < top for ratio, (low, top) in zip((near, body), _SURE, strict=True)):
        return True
    # Noise of coarse values follows a Gaussian only roughly. It isn't clustered as resampled photons are.
    return _POSSIBLE[0] < body < _POSSIBLE[1] and share - _neighbours(at, pixels, _FAR)[0] < _CLUSTERED


def _whole_steps(values: np.ndarray) -> bool:
    """Whether the lowest values above the floor are 1, 2 and 3 steps."""
    return values.size >= 3 and bool(np.all(np.abs(values[1:3] / values[0] - (2.0, 3.0)) < 0.05))


def _emptied(at: np.ndarray, floor: float, pixels: np.ndarray) -> bool:
    """Whether pixels below a threshold were set to a value further down, such as 0 for all below 3 sigma.

    Photon counts look alike. But the noise of the fewest photons that leave no pixel empty is above that of one photon,
    while a threshold is above the noise of what is brighter.
    """
    share, above = _neighbours(at, pixels, 1)
    above = above[above > floor] - floor
    if above.size < _FEWEST or not 0.0 < share < 1.0:
        return False
    threshold = float(above.min())
    noise = _noise_of_the_filled(pixels == floor, pixels)
    if not 0.0 < noise < _NOISE_OF_A_PHOTON * threshold:
        return False
    gap, near, body = _against_a_gaussian(above - threshold, share)
    return gap < _FIRST_STEP and all(low < r < top for r, (low, top) in zip((near, body), _SURE, strict=True))


def _noise_of_the_filled(empty: np.ndarray, pixels: np.ndarray) -> float:
    """Noise of the fainter half of the pixels without empty neighbours; NaN where they are few."""
    from scipy import ndimage

    filled = ndimage.binary_erosion(~empty, structure=np.ones((3, 3), dtype=bool))[:, 1:-1]
    step = second_differences(pixels)
    filled &= np.isfinite(step)
    values = pixels[:, 1:-1][filled]
    if values.size < _FEWEST:
        return math.nan
    return noise_of(step[filled][values <= median(values)])


def _mirrored(low: float, pixels: np.ndarray) -> bool:
    """Whether negative noise was made positive: the neighbours of the faintest pixels are half of a Gaussian."""
    _, beside = _neighbours(pixels <= low, pixels, 1)
    if beside.size < _FEWEST:
        return False
    gap, near, body = _against_a_gaussian(beside - float(np.fmin.reduce(pixels, axis=None)), 0.5)
    return gap < _FOLDED[0] and near < _FOLDED[1] and _FOLDED[2][0] < body < _FOLDED[2][1]


def _against_a_gaussian(above: np.ndarray, share: float) -> tuple[float, float, float]:
    """Heights above an edge, against those of a Gaussian of which this share was cut off.

    Returns
    -------
    float
        Height of the lowest ones, in sigma, less that of the Gaussian.
    float
        How many lie near the edge, and
    float
        how far the upper ones reach beyond the middle; of a Gaussian 1.
    """
    from scipy.special import ndtr, ndtri

    start, low, middle, upper = ndtri(share + (1.0 - share) * np.array([0.0, 0.01 * _LOWEST_PERCENT, 0.5, 0.75]))
    lowest, typical, high = np.percentile(above, [_LOWEST_PERCENT, 50, 75])
    if typical <= 0.0:
        return math.inf, math.inf, math.inf
    gap = lowest / typical * (middle - start) - (low - start)
    near = np.mean(above < _NEAR * typical) / ((ndtr(start + _NEAR * (middle - start)) - share) / (1.0 - share))
    return float(gap), float(near), float(high / typical * (middle - start) / (upper - start))
