"""Points along ellipses, and an image's values there: all ellipses at once, in numpy.

A mean along an ellipse needs a measure. photutils (and IRAF's ``ellipse``) walk along it in polar angle phi by steps of
one pixel, 1 / r(phi): each piece counts by r dphi. Points here are equally spaced in eccentric angle t, which costs no
walk, and each weighs r dphi = a b / r dt: the same mean.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from p2p_keras.profile.isophotes.given import STEP, Ellipses

__all__ = ["EllipsePoints", "points_along", "ReadImage", "spline_values"]

_MIN_POINTS = 32


class EllipsePoints(NamedTuple):
    """Points along K ellipses, one ellipse after the other, P in all.

    Attributes
    ----------
    counts, starts : int array (K,)
        Number of points of each ellipse, and where they begin.
    x, y : float array (P,)
        Pixels.
    cosine, sine : float array (P,)
        Of phi, the polar angle from the major axis as photutils has it.
    weight : float array (P,)
        r dphi, px: its sum over an ellipse is the number of photutils' points on it.
    step : float array (P,)
        Length of the arc that a point stands for, px.
    """

    counts: np.ndarray
    starts: np.ndarray
    x: np.ndarray
    y: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    weight: np.ndarray
    step: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of values (P,) or (P, M) over each ellipse."""
        return np.add.reduceat(values, self.starts, axis=0)

    def mean_where(self, values: np.ndarray, good: np.ndarray) -> np.ndarray:
        """Mean over each ellipse of the values (P,) that are good; 0 where none is."""
        return self.sums(np.where(good, values, 0.0)) / np.maximum(self.sums(good.astype(float)), 1.0)

    def first(self, number: int) -> EllipsePoints:
        """Those of the first `number` ellipses."""
        end = int(self.starts[number]) if number < self.starts.size else None
        return EllipsePoints(self.counts[:number], self.starts[:number], *(part[:end] for part in self[2:]))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """A value of each ellipse (K,), repeated for its points."""
        return np.repeat(values, self.counts)

    def shifted(self, steps: int) -> np.ndarray:
        """Index of the point so many points further along the same ellipse (before it if negative), (P,)."""
        index = np.arange(self.x.size) + steps
        for k in range(abs(steps)):  # past the ellipse's end: from its beginning, and the other way round
            if steps > 0:
                index[self.starts + self.counts - 1 - k] -= self.counts
            else:
                index[self.starts + k] += self.counts
        return index


def points_along(ellipses: Ellipses, spacing: ArrayLike = 1.0) -> EllipsePoints:
    """Points of all ellipses, no farther than `spacing` px from each other; a number, or one for each ellipse (K,)."""
    counts = _numbers(ellipses.sma / np.asarray(spacing))
    cos_t, sin_t = np.concatenate([_circle(count) for count in counts.tolist()], axis=1)
    return _points_at(ellipses, counts, cos_t, sin_t, 2.0 * np.pi / counts)


def points_of_photutils(ellipses: Ellipses) -> EllipsePoints:
    """The very points that photutils' isophotes take, all of one weight.

    A walk in polar angle from half a sector's width on, by steps of one pixel (half a radian at most), until 0.05
    radian past a full turn: what lies near the start is there twice, and the last step may be anything. A mean is up
    to 0.01 mag off that of the whole ellipse for it, on ellipses of few pixels.
    """
    q, sma = ellipses.axis_ratio, ellipses.sma
    # photutils.isophote.EllipseGeometry: sectors are as wide as the ring is thick, between 0.05 and 0.2 radian.
    thickness = np.minimum(sma * (1.0 + 0.5 * STEP) - sma * (1.0 - 0.5 * STEP), 3.0)
    phi = 0.5 * np.clip(thickness / sma, 0.05, 0.2)
    angles = []
    while True:
        going = phi <= 2.0 * np.pi + 0.05
        if not going.any():
            break
        angles.append(np.where(going, phi, np.nan))
        radius = sma * q / np.hypot(q * np.cos(phi), np.sin(phi))
        phi = np.where(going, phi + np.minimum(1.0 / radius, 0.5), phi)
    phi = np.array(angles).T
    counts = np.isfinite(phi).sum(axis=1)
    # The eccentric angle of a polar one.
    t = np.arctan2(np.sin(phi), q[:, None] * np.cos(phi))[np.isfinite(phi)]
    points = _points_at(ellipses, counts, np.cos(t), np.sin(t), np.ones(counts.size))
    ones = np.ones(t.size)
    return points._replace(weight=ones, step=ones)


def _points_at(
    ellipses: Ellipses, counts: np.ndarray, cos_t: np.ndarray, sin_t: np.ndarray, dt: np.ndarray
) -> EllipsePoints:
    """Points of given numbers and eccentric angles, `dt` (K,) apart."""
    a, b, turn = ellipses.sma, ellipses.sma * ellipses.axis_ratio, np.deg2rad(ellipses.pa)
    along, across = np.repeat(a, counts) * cos_t, np.repeat(b, counts) * sin_t
    cos_pa, sin_pa = np.repeat(np.cos(turn), counts), np.repeat(np.sin(turn), counts)
    square = along * along + across * across
    per_r = 1.0 / np.sqrt(square)
    # (a sin t)^2 + (b cos t)^2 is what r^2 lacks of a^2 + b^2.
    step = np.sqrt(np.repeat(a * a + b * b, counts) - square)
    step *= np.repeat(dt, counts)
    return EllipsePoints(
        counts,
        np.cumsum(counts) - counts,
        np.repeat(ellipses.x0, counts) + along * cos_pa - across * sin_pa,
        np.repeat(ellipses.y0, counts) + along * sin_pa + across * cos_pa,
        along * per_r,
        across * per_r,
        np.repeat(a * b * dt, counts) * per_r,
        step,
    )


def _numbers(sma: np.ndarray) -> np.ndarray:
    """Numbers of points: multiples of 4 on a coarse grid, so that few circles are ever computed."""
    wanted = np.maximum(2.0 * np.pi * sma, _MIN_POINTS)
    return (4 * np.ceil(2.0 ** (np.ceil(8.0 * np.log2(wanted / 4.0)) / 8.0))).astype(np.intp)


@functools.lru_cache(maxsize=512)
def _circle(count: int) -> np.ndarray:
    """Cosines and sines of angles round a circle, (2, count)."""
    t = np.arange(count) * (2.0 * np.pi / count)
    return np.stack([np.cos(t), np.sin(t)])


class ReadImage:
    """An image made ready to be read between its pixels.

    Parameters
    ----------
    pixels : float array (H, W)
        Flux per pixel; what isn't finite is masked.
    mask : bool array (H, W), optional
        True: ignore the pixel.
    """

    def __init__(self, pixels: np.ndarray, mask: np.ndarray | None = None) -> None:
        pixels = np.asarray(pixels, dtype=float)
        self.shape = pixels.shape
        bad = ~np.isfinite(pixels)
        if mask is not None:
            bad |= np.asarray(mask, dtype=bool)
        self.bad = bad if bad.any() else None
        self.pixels = pixels if self.bad is None else np.where(bad, 0.0, pixels)
        self._touched: np.ndarray | None = None
        if self.bad is not None:
            rows = bad[:-1] | bad[1:]
            self._touched = np.zeros(self.shape, dtype=bool)
            self._touched[:-1, :-1] = rows[:, :-1] | rows[:, 1:]

    def values(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bilinear values at places (x, y), and where they count: all four pixels are on the image and unmasked."""
        height, width = self.shape
        good = (x >= 0.0) & (y >= 0.0) & (x < width - 1) & (y < height - 1)
        inside = bool(good.all())
        if not inside:
            x, y = np.clip(x, 0.0, width - 1.000001), np.clip(y, 0.0, height - 1.000001)
        column, row = x.astype(np.intp), y.astype(np.intp)
        u, v = x - column, y - row
        # In place: plain expressions of the same sums take 1.4 times as long.
        row *= width
        row += column
        corner, flat = row, self.pixels.ravel()
        if self._touched is not None:
            untouched = ~self._touched.ravel().take(corner)
            good &= untouched
            inside = inside and bool(untouched.all())
        lower = flat.take(corner)
        corner += 1
        right = flat.take(corner)
        right -= lower
        right *= u
        lower += right
        corner += width
        right = flat.take(corner)
        corner -= 1
        upper = flat.take(corner)
        right -= upper
        right *= u
        upper += right
        upper -= lower
        upper *= v
        lower += upper
        return lower if inside else np.where(good, lower, 0.0), good

    def cross_differences_at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Second differences along rows and columns, one after the other, at the pixels nearest to (x, y), (P,).

        Of all sums of 3 x 3 pixels these know least of what a PSF has smeared: of a galaxy's slopes, arms and clumps
        hardly anything is left, where the noise of pixels is six times itself. NaN at the image's edges and beside
        masked pixels.
        """
        height, width = self.shape
        if min(height, width) < 3:
            return np.full(x.shape, np.nan)
        row, column = self._nearest(x, y)
        inside = (row > 0) & (row < height - 1) & (column > 0) & (column < width - 1)
        middle = np.where(inside, row * width + column, width + 1)
        flat = (self.pixels if self.bad is None else np.where(self.bad, np.nan, self.pixels)).ravel()

        def bend(at: np.ndarray) -> np.ndarray:
            second = flat.take(at)
            second *= -2.0
            second += flat.take(at - 1)
            second += flat.take(at + 1)
            return second

        second = bend(middle)
        second *= -2.0
        second += bend(middle - width)
        second += bend(middle + width)
        return np.where(inside, second, np.nan)

    def nearest(self, array: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Entries of an array of the image's shape at the pixels nearest to (x, y), held at its edges."""
        return array[self._nearest(x, y)]

    def _nearest(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column."""
        row = np.clip(np.rint(y), 0, self.shape[0] - 1).astype(np.intp)
        return row, np.clip(np.rint(x), 0, self.shape[1] - 1).astype(np.intp)


def spline_values(pixels: np.ndarray, good: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of an image at places close together, by a cubic spline: for small ellipses, where light is curved.

    Parameters
    ----------
    pixels : float array (H, W)
    good : bool array (H, W)
        False: the pixel is ignored, and with it the places beside it.
    x, y : float array (P,)

    Returns
    -------
    float array (Q,)
        Of the places that count; empty where the image hasn't four pixels there.
    """
    from scipy import ndimage

    reach = 16
    left, low = max(int(np.floor(x.min())) - reach, 0), max(int(np.floor(y.min())) - reach, 0)
    right, high = int(np.ceil(x.max())) + reach + 1, int(np.ceil(y.max())) + reach + 1
    part, usable = np.asarray(pixels)[low:high, left:right].astype(float), good[low:high, left:right]
    if min(part.shape, default=0) < 4 or not usable.any():
        return np.empty(0)
    # The nearest good pixel for a masked one: a spline would carry the dip of a zero on to its neighbours.
    nearest = ndimage.distance_transform_edt(~usable, return_distances=False, return_indices=True)
    part = part[tuple(nearest)]
    values = ndimage.map_coordinates(part, [y - low, x - left], order=3, mode="nearest")
    bad = ndimage.map_coordinates((~usable).astype(float), [y - low, x - left], order=1, cval=1.0)
    return values[bad <= 0.0]
