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

from p2p_keras.core.robust import lower_deviation

__all__ = ["REACH", "PixelNoise", "measure_noise"]

REACH = 3
"""Correlations are looked for up to so many pixels along each axis."""

_FAR = 6
_MIN_PAIRS = 500
_STRIDE = 6
_DISTANCES = np.linspace(0.0, 7.0, 57)
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
    """

    sigma: float
    correlation: np.ndarray

    @classmethod
    def white(cls, sigma: float = float("nan")) -> PixelNoise:
        """Noise without correlation."""
        middle = np.zeros((_SIDE, _SIDE))
        middle[REACH, REACH] = 1.0
        return cls(sigma, middle)

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
        near = np.minimum(radius, _NEAR)[:, None]
        values = self.between(2.0 * near * _SIN_HALF) @ _COSINES / _THETA.size
        values *= _NEAR / np.maximum(radius[:, None], _NEAR)
        # A sum of correlations measured on few pixels may come out too low: no mean beats white noise's by half.
        floor = 0.1 / (2.0 * np.pi * np.maximum(radius, 1.0))
        return np.maximum(values, floor[:, None])

    def shared(self, distance: np.ndarray) -> np.ndarray:
        """Correlation of the means along two long lines so many pixels apart, 0 to 1."""
        across = np.hypot(np.asarray(distance, dtype=float)[:, None], _DISTANCES)
        along = np.trapezoid(self.between(across), _DISTANCES, axis=1)
        return np.clip(along / max(float(np.trapezoid(self.reading, _DISTANCES)), 1e-12), 0.0, 1.0)


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
    good = np.isfinite(pixels)
    if mask is not None:
        good &= ~mask
    sample = pixels[::3, ::3][good[::3, ::3]]
    if sample.size < 50:
        return PixelNoise.white()
    middle = float(np.median(sample))
    lower = lower_deviation(sample, middle)
    if not lower > 0:
        return PixelNoise.white(0.0)
    # The fainter part, whose lower side no source reaches; every sixth row is enough.
    faint = good & (pixels < middle + 3.0 * lower) & (pixels > middle - 5.0 * lower)
    rows = np.arange(0, max(pixels.shape[0] - 2 * _FAR, 1), _STRIDE)
    bases = _padded(pixels, faint, rows, middle)

    def half_square(partners: tuple[np.ndarray, ...], lag_x: int) -> float:
        """Half the mean square difference; with values of 0 where the weight is, three products do it."""
        (a, square_a, weight_a), (b, square_b, weight_b) = bases, partners
        here, there = slice(_FAR, a.size - _FAR), slice(_FAR + lag_x, a.size - _FAR + lag_x)
        number = float(weight_a[here] @ weight_b[there])
        if number < _MIN_PAIRS:
            return float("nan")
        total = square_a[here] @ weight_b[there] + weight_a[here] @ square_b[there] - 2.0 * (a[here] @ b[there])
        return 0.5 * float(total) / number

    # An error of the variance is one of every correlation, so it is of many pairs; and of second differences, since a
    # galaxy's slope over so many pixels would pass for noise without any correlation between neighbours.
    below, beneath = (_padded(pixels, faint, rows + shift, middle) for shift in (_FAR, 2 * _FAR))
    length = bases[0].size - 2 * _FAR
    near, next_to, far = slice(0, length), slice(_FAR, _FAR + length), slice(2 * _FAR, None)
    variance = _bend_variance(
        [(bases, near), (below, near), (beneath, near)],  # down a column
        [(bases, near), (below, next_to), (beneath, far)],  # askew
        [(bases, near), (bases, next_to), (bases, far)],  # along a row
    )
    if not variance > 0:
        return PixelNoise.white(lower)
    correlation = PixelNoise.white().correlation
    for lag_y in range(REACH + 1):
        partners = _padded(pixels, faint, rows + lag_y, middle)
        for lag_x in range(-REACH if lag_y else 1, REACH + 1):
            if lag_x * lag_x + lag_y * lag_y > REACH * REACH:
                continue
            rho = min(1.0 - half_square(partners, lag_x) / variance, 0.95)
            if np.isfinite(rho) and abs(rho) > 4.0 / np.sqrt(max(bases[2].sum(), 1.0)):  # of chance
                correlation[REACH + lag_y, REACH + lag_x] = correlation[REACH - lag_y, REACH - lag_x] = rho
    found = PixelNoise(float(np.sqrt(variance)), correlation)
    # No noise is so anticorrelated: what was measured is a galaxy's structure.
    return found if correlation.sum() > 0.3 and found.reading[0] > 0.2 else PixelNoise.white(found.sigma)


def _bend_variance(*triples: list[tuple[tuple[np.ndarray, ...], slice]]) -> float:
    """Variance of a pixel from second differences, each of three places: `_padded` rows and a slice of them."""
    squares = number = 0.0
    for triple in triples:
        (a, weight_a), (b, weight_b), (c, weight_c) = ((rows[0][where], rows[2][where]) for rows, where in triple)
        weight = weight_a * weight_b * weight_c
        bend = (a - 2.0 * b + c) * weight
        squares += float(bend @ bend)
        number += float(weight.sum())
    return squares / (6.0 * number) if number >= _MIN_PAIRS else float("nan")


def _padded(pixels: np.ndarray, use: np.ndarray, rows: np.ndarray, zero: float) -> tuple[np.ndarray, ...]:
    """Rows of an image one after the other with gaps between them: values, their squares and 1 where they count."""
    shape = (rows.size, pixels.shape[1] + 2 * _FAR)
    values, weight = np.zeros(shape), np.zeros(shape)
    weight[:, : -2 * _FAR] = use[rows]
    values[:, : -2 * _FAR] = np.where(use[rows], pixels[rows] - zero, 0.0)
    values, weight = values.ravel(), weight.ravel()
    return values, values * values, weight
