"""Noise of an image as means along ellipses feel it: its size, and how far it goes from pixel to pixel.

Stacks are resampled, so neighbouring pixels share noise; and values read between pixels share pixels. A mean of N such
values is less sure than scatter / sqrt(N). With rho_b(d) the correlation of two bilinear readings at distance d, which
is the noise's own correlation smeared by the readings' tents (their autocorrelation is the cubic B-spline), the
variance of the mean along a circle of radius R is the average of rho_b over the distances of its points.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from p2p_keras.core.robust import SIGMA_PER_DEVIATION, median, median_of_ordered

__all__ = ["REACH", "PixelNoise", "measure_noise"]

REACH = 3
"""Correlations are looked for up to so many pixels along each axis."""

_FAR = 6
_MIN_PAIRS = 500
_STRIDE = 6
_DISTANCES = np.linspace(0.0, 7.0, 57)
_TRAPEZOID = np.gradient(_DISTANCES) * np.where(np.isin(np.arange(57), (0, 56)), 0.5, 1.0)
"""Weights of the trapezoidal rule."""

_SIDE = 2 * REACH + 1
_NEAR = 12.0
_THETA = (np.arange(96) + 0.5) * (np.pi / 96)
_SIN_HALF = np.sin(0.5 * _THETA)
_COSINES = np.cos(_THETA[:, None] * np.arange(5))


@dataclass(frozen=True)
class PixelNoise:
    """Noise of the quiet part of an image.

    Attributes
    ----------
    sigma : float
        1-sigma per pixel; NaN where no part is quiet.
    correlation : float array (7, 7)
        Of pixels `REACH` apart at most; 1 in the middle, zeros round it for white noise.
    bend : float
        1-sigma of the same pixels' `p2p_keras.profile.isophotes.sampling.ReadImage.cross_differences_at`; NaN where it
        isn't known.
    """

    sigma: float
    correlation: np.ndarray
    bend: float = float("nan")

    @classmethod
    def white(cls, sigma: float = float("nan")) -> PixelNoise:
        """Noise without correlation."""
        middle = np.zeros((_SIDE, _SIDE))
        middle[REACH, REACH] = 1.0
        return cls(sigma, middle)

    @property
    def known_sigma(self) -> float:
        """`sigma`, 0 where it isn't known."""
        return self.sigma if np.isfinite(self.sigma) else 0.0

    @functools.cached_property
    def reading(self) -> np.ndarray:
        """rho_b at `_DISTANCES`, averaged over directions, in units of a pixel's variance."""
        return _smeared_tents() @ self.correlation.ravel()

    def between(self, distance: np.ndarray) -> np.ndarray:
        """Covariance of two bilinear readings so many pixels apart, in units of a pixel's variance."""
        return np.interp(distance, _DISTANCES, self.reading, right=0.0)

    def of_harmonics(self, radius: np.ndarray) -> np.ndarray:
        """Variances of the mean along whole circles of `radius` px and of half a harmonic's amplitude, (K, 5).

        In units of a pixel's variance; the column is the harmonic's order, 0 the mean. Around a circle of many pixels
        all are alike; on small ones neighbouring points share noise, and high harmonics have less of it.
        """
        radius = np.asarray(radius, dtype=float)
        small = radius < _NEAR
        values = np.empty((radius.size, _COSINES.shape[1]))
        values[small] = self._of_circles(radius[small])
        values[~small] = self._of_circles(np.array([_NEAR])) * (_NEAR / radius[~small, None])
        # A sum of correlations measured on few pixels may come out too low: no mean beats white noise's by half.
        floor = 0.1 / (2.0 * np.pi * np.maximum(radius, 1.0))
        return np.maximum(values, floor[:, None])

    def _of_circles(self, radius: np.ndarray) -> np.ndarray:
        return self.between(2.0 * radius[:, None] * _SIN_HALF) @ _COSINES / _THETA.size

    def shared(self, distance: np.ndarray) -> np.ndarray:
        """Correlation of the means along two long lines so many pixels apart, 0 to 1."""
        across = np.hypot(np.asarray(distance, dtype=float)[:, None], _DISTANCES)
        along = self.between(across) @ _TRAPEZOID
        return np.clip(along / max(float(self.reading @ _TRAPEZOID), 1e-12), 0.0, 1.0)


@functools.cache
def _smeared_tents() -> np.ndarray:
    """B(dx - l) B(dy - m) for each distance (averaged over directions) and lag, (57, 49)."""
    angle = (np.arange(32) + 0.5) * (np.pi / 16)
    dx, dy = _DISTANCES[:, None] * np.cos(angle), _DISTANCES[:, None] * np.sin(angle)
    lags = np.arange(-REACH, REACH + 1)
    table = [[(_spline(dx - lag_x) * _spline(dy - lag_y)).mean(axis=1) for lag_x in lags] for lag_y in lags]
    return np.array(table).reshape(_SIDE * _SIDE, -1).T


def _spline(d: np.ndarray) -> np.ndarray:
    """Cubic B-spline: the autocorrelation of a tent of half width 1."""
    d = np.abs(d)
    return np.where(d < 1.0, 2.0 / 3.0 - d * d + 0.5 * d**3, np.clip(2.0 - d, 0.0, None) ** 3 / 6.0)


def _second_differences(pixels: np.ndarray) -> np.ndarray:
    """Down the columns; two subtractions in place are faster than one of a copy that is twice as large."""
    found = pixels[:-2] + pixels[2:]
    found -= pixels[1:-1]
    found -= pixels[1:-1]
    return found


def measure_noise(pixels: np.ndarray, mask: np.ndarray | None = None) -> PixelNoise:
    """Noise of the fainter part of an image, from differences of its pixels.

    A difference knows nothing of a smooth sky or of a galaxy's slope: half its mean square is
    sigma^2 (1 - correlation).

    Parameters
    ----------
    pixels : float array (H, W)
        What isn't finite is ignored.
    mask : bool array (H, W), optional
        True: leave the pixel out (galaxies, stars).

    Returns
    -------
    PixelNoise
        White, and of unknown sigma, where fewer than 500 pairs are left.
    """
    pixels = np.asarray(pixels, dtype=float)
    every = max(3, min(pixels.shape) // 64)
    sample = pixels[::every, ::every]
    use = np.isfinite(sample)
    if mask is not None:
        use &= ~mask[::every, ::every]
    sample = sample[use]
    if sample.size < 50:
        return PixelNoise.white()
    ordered = np.sort(sample)
    middle = median_of_ordered(ordered)
    # The scatter of what is no brighter than the middle: `p2p_keras.core.robust.lower_deviation`.
    lower = SIGMA_PER_DEVIATION * (middle - median_of_ordered(ordered[: np.searchsorted(ordered, middle, "right")]))
    if not lower > 0:
        return PixelNoise.white(0.0)
    # The fainter part, whose lower side no source reaches; every sixth row, and the three after it, are enough.
    rows = [_scaled_rows(pixels, mask, slice(first, None, _STRIDE), middle, lower) for first in range(REACH + 1)]
    number = len(range(0, max(len(pixels) - 2 * _FAR, 1), _STRIDE))
    all_bases = _padded(*rows[0]).reshape(3, len(rows[0][0]), -1)
    bases, below, beneath = (all_bases[:, k : k + number].reshape(3, -1) for k in range(3))
    # An error of the variance is one of every correlation, so it is of many pairs; and of second differences, since a
    # galaxy's slope over so many pixels would pass for noise without any correlation between neighbours.
    length = bases.shape[1] - 2 * _FAR
    near, next_to, far = slice(0, length), slice(_FAR, _FAR + length), slice(2 * _FAR, None)
    variance = _bend_variance(
        [(bases, near), (below, near), (beneath, near)],  # down a column
        [(bases, near), (below, next_to), (beneath, far)],  # askew
        [(bases, near), (bases, next_to), (bases, far)],  # along a row
    )
    if not variance > 0:
        return PixelNoise.white(lower)
    correlation = PixelNoise.white().correlation
    by_chance = 4.0 / np.sqrt(max(float(bases[2].sum()), 1.0))
    for lag_y in range(REACH + 1):
        reach = int(np.sqrt(REACH * REACH - lag_y * lag_y))
        others = _padded(*(part[:number] for part in rows[lag_y])) if lag_y else bases
        half_squares = _half_squares(bases, others, reach)
        rho = np.minimum(1.0 - half_squares / variance, 0.95)
        rho[~(np.abs(rho) > by_chance)] = 0.0
        lags = slice(REACH - reach, REACH + reach + 1)
        correlation[REACH + lag_y, lags], correlation[REACH - lag_y, lags] = rho, rho[::-1]
    correlation[REACH, REACH] = 1.0
    if pixels.size > 60 * _MIN_PAIRS:
        between = len(range(1, len(pixels) - 1, _STRIDE))
        (above, _), (here, faint), (after, _) = ((part[:between] for part in one) for one in rows[:3])
    else:  # a small image: every second row
        scaled, faint = _scaled_rows(pixels, mask, slice(None), middle, lower)
        above, here, after, faint = scaled[:-2:2], scaled[1:-1:2], scaled[2::2], faint[1:-1:2]
    found = PixelNoise(lower * float(np.sqrt(variance)), correlation, lower * _bend(above, here, after, faint))
    # No noise is so anticorrelated: what was measured is a galaxy's structure.
    return found if correlation.sum() > 0.3 and found.reading[0] > 0.2 else PixelNoise.white(found.sigma)


def _scaled_rows(
    pixels: np.ndarray, mask: np.ndarray | None, rows: slice, middle: float, lower: float
) -> tuple[np.ndarray, np.ndarray]:
    """Some rows of an image in units of their scatter about the middle, and where these are faint.

    In these units single precision is enough, and takes half the time.
    """
    chosen = pixels[rows]
    scaled = np.empty(chosen.shape, np.float32)
    np.divide(chosen - middle, lower, out=scaled, casting="same_kind")
    with np.errstate(invalid="ignore"):
        faint = (scaled < 3.0) & (scaled > -5.0)
    if mask is not None:
        faint &= ~mask[rows]
    return scaled, faint


def _bend(above: np.ndarray, here: np.ndarray, below: np.ndarray, faint: np.ndarray) -> float:
    """1-sigma of the cross differences of pixels that are faint, in rows with those above and below them.

    Sources bend the median little.
    """
    across = above + below
    across -= here
    across -= here
    bends = _second_differences(across.T).T
    bends = np.abs(bends[faint[:, 1:-1]])
    bends = bends[np.isfinite(bends)]
    return SIGMA_PER_DEVIATION * median(bends) if bends.size >= _MIN_PAIRS else float("nan")


def _bend_variance(*triples: list[tuple[np.ndarray, slice]]) -> float:
    """Variance of a pixel from second differences, each of three places: `_padded` rows and a slice of them."""
    squares = number = 0.0
    for triple in triples:
        (a, weight_a), (b, weight_b), (c, weight_c) = ((rows[0][where], rows[2][where]) for rows, where in triple)
        weight = weight_a * weight_b
        weight *= weight_c
        bend = a + c
        bend -= b
        bend -= b
        bend *= weight
        squares += float(bend @ bend)
        number += float(weight.sum())
    return squares / (6.0 * number) if number >= _MIN_PAIRS else float("nan")


def _padded(scaled: np.ndarray, faint: np.ndarray) -> np.ndarray:
    """Rows one after the other with gaps round them: values (0 where not faint), their squares, 1 where faint."""
    found = np.zeros((3, scaled.shape[0], scaled.shape[1] + 2 * _FAR), np.float32)
    np.copyto(found[0, :, _FAR:-_FAR], scaled, where=faint)
    found[2, :, _FAR:-_FAR] = faint
    np.square(found[0], out=found[1])
    return found.reshape(3, -1)


def _half_squares(rows: np.ndarray, others: np.ndarray, reach: int) -> np.ndarray:
    """Half the mean square difference of values in two sets of `_padded` rows, `reach` pixels before to `reach` after.

    (a - b)^2 of two values that count is a (-2 b) + a^2 1 + 1 b^2: one sum of products. NaN for few pairs.
    """
    partners = others[[0, 2, 1]]
    partners[0] *= -2.0

    def products(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.correlate(other[_FAR - reach : other.size - _FAR + reach], one[_FAR:-_FAR]).astype(float)

    number = products(rows[2], partners[1])
    return 0.5 * products(rows.ravel(), partners.ravel()) / np.where(number < _MIN_PAIRS, np.nan, number)
