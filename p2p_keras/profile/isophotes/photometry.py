"""Photometry of an image along given ellipses: intensities, harmonics and errors.

Three ways to read an image. ``sampled``: bilinear values along the ellipse itself, evenly. ``photutils``: such values
at the very points that photutils takes, for the very numbers that it gives. ``exact``: every pixel between the edges of
a ring, weighted by the part of its area that lies in the ring. Harmonics and the errors of shapes are always those of
values along the ellipse.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from p2p_keras.core.robust import clipped_mean, median_deviation, weighted_median
from p2p_keras.profile.isophotes.given import STEP, Ellipses, ring_edges
from p2p_keras.profile.isophotes.harmonics import deviations, fit_harmonics, shape_errors
from p2p_keras.profile.isophotes.noise import REACH, PixelNoise
from p2p_keras.profile.isophotes.noise_along import noise_along, noise_beside, noise_map_along
from p2p_keras.profile.isophotes.rings import ring_pixels
from p2p_keras.profile.isophotes.sampling import EllipsePoints, ReadImage, points_along, points_of_photutils

__all__ = ["Statistic", "Pixels", "IsophotePhotometry", "measure_ellipses"]

Statistic = Literal["mean", "median", "clipped"]
Pixels = Literal["sampled", "exact", "photutils"]
STATISTICS, PIXELS = ("mean", "median", "clipped"), ("sampled", "exact", "photutils")

FOREIGN_SIGMA = 4.0
FOREIGN_SHARE = 0.5
_ORDER_OF_COEFFICIENT = np.array([0, 1, 1, 2, 2, 3, 3, 4, 4])
_LAG = 4  # points between the two of a difference: beyond the reach of bilinear reading


@dataclass(frozen=True)
class IsophotePhotometry:
    """What was measured along K ellipses; float arrays (K,), in the image's flux per pixel and in pixels.

    Attributes
    ----------
    intensity, intensity_err : flux per pixel
        NaN where no pixel counts.
    n_pix, n_masked : number of pixels
        Used, and left out (masked, off the image, clipped). Sampled: steps of a pixel along the ellipse, as photutils'
        ``n_data`` and ``n_flag``. Exact: pixels that the ring touches.
    rms : flux per pixel
        Scatter of the values along the ellipse about their mean.
    gradient, gradient_err : flux per pixel per px
        From the ellipse of `STEP` times more radius. NaN where it can't be told from zero.
    a3, b3, a4, b4 and their errors : plain numbers
        `p2p_keras.profile.isophotes.harmonics`.
    x0_err, y0_err : px
    ellipticity_err : plain number
    pa_err : degrees
    """

    intensity: np.ndarray
    intensity_err: np.ndarray
    n_pix: np.ndarray
    n_masked: np.ndarray
    rms: np.ndarray
    gradient: np.ndarray
    gradient_err: np.ndarray
    a3: np.ndarray
    b3: np.ndarray
    a4: np.ndarray
    b4: np.ndarray
    a3_err: np.ndarray
    b3_err: np.ndarray
    a4_err: np.ndarray
    b4_err: np.ndarray
    x0_err: np.ndarray
    y0_err: np.ndarray
    ellipticity_err: np.ndarray
    pa_err: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """All of it by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def measure_ellipses(
    pixels: np.ndarray,
    ellipses: Ellipses,
    *,
    mask: np.ndarray | None = None,
    sigma: np.ndarray | None = None,
    statistic: Statistic = "mean",
    method: Pixels = "sampled",
    edges: np.ndarray | None = None,
    clip_sigma: float = 3.0,
    expected: np.ndarray | None = None,
    noise: PixelNoise | None = None,
) -> IsophotePhotometry:
    """Measure an image along ellipses.

    Parameters
    ----------
    pixels : float array (H, W)
        Flux per pixel, sky subtracted where the intensity is to be a galaxy's. What isn't finite is ignored.
    ellipses : Ellipses
    mask : bool array (H, W), optional
        True: ignore the pixel.
    sigma : float array (H, W), optional
        Noise of each pixel, 1-sigma. Without it the noise is that of the values along each ellipse.
    statistic : {"mean", "median", "clipped"}
        ``clipped``: the mean of what is left after clipping about the median.
    method : {"sampled", "exact", "photutils"}
    edges : float array (K + 1,), optional
        Of the rings, px, for ``exact``; by default the geometric means of neighbouring radii.
    clip_sigma : float
        For ``clipped``, in robust sigma.
    expected : float array (K,), optional
        Intensity that is known of each ellipse: values beyond it by 4 sigma and by half of it are foreign light and
        left out, with their neighbours.
    noise : PixelNoise, optional
        Of the image; measured on it where it isn't given.

    Returns
    -------
    IsophotePhotometry

    Raises
    ------
    ValueError
        An unknown statistic or method, or edges that aren't increasing.
    """
    if statistic not in STATISTICS or method not in PIXELS:
        raise ValueError(f"{statistic!r} of {method!r} pixels: expected one of {STATISTICS} of one of {PIXELS}")
    image = ReadImage(pixels, mask)
    noise = noise or noise_beside(pixels, ellipses, mask)
    points, values, good, ahead = _read(image, ellipses, method, expected, noise)
    harmonics = fit_harmonics(points, values, good)
    length = points.sums(points.step) / (2.0 * np.pi)  # the circle of as many px
    share = points.sums(np.where(good, points.step, 0.0)) / np.maximum(points.sums(points.step), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_orders = noise.of_harmonics(length) / share[:, None]
        inner = points.sums(np.where(good, points.weight * values, 0.0)) / points.sums(
            np.where(good, points.weight, 0.0)
        )
    per_pixel = (
        noise_map_along(image, points, good, sigma)
        if sigma is not None
        else noise_along(image, points, harmonics, values, good, noise, noise.reading[0] / of_orders[:, 0])
    )
    variance = per_pixel * of_orders[:, 0]
    intensity, n_pix, n_masked, rms, used, spread = _intensities(points, values, good, statistic, clip_sigma)
    kept = np.where(used > 0, used, np.nan)
    error = np.sqrt(variance / kept)
    if statistic == "median":
        error = _error_of_median(error, per_pixel * noise.reading[0], points.sums(good.astype(float)), spread)
    gradient, gradient_err = _gradient(ellipses, inner, ahead, variance, noise)
    if method == "exact":
        intensity, error, n_pix, n_masked, rms = _in_rings(
            image, ellipses, edges, statistic, clip_sigma, sigma, per_pixel, noise, expected
        )
    of_coefficients = per_pixel[:, None] * of_orders[:, _ORDER_OF_COEFFICIENT]
    error_alone = np.sqrt(of_coefficients * harmonics.single_inverse)
    error_together = np.sqrt(of_coefficients * np.diagonal(harmonics.inverse, axis1=1, axis2=2))
    return IsophotePhotometry(
        intensity=intensity,
        intensity_err=error,
        n_pix=n_pix,
        n_masked=n_masked,
        rms=rms,
        gradient=gradient,
        gradient_err=gradient_err,
        **deviations(harmonics, error_alone, ellipses.sma, gradient, gradient_err),
        **shape_errors(ellipses, error_together, gradient),
    )


def _read(
    image: ReadImage, ellipses: Ellipses, method: str, expected: np.ndarray | None, noise: PixelNoise
) -> tuple[EllipsePoints, np.ndarray, np.ndarray, np.ndarray]:
    """Points, their values, where they count, and the mean (K,) along ellipses of `STEP` times more radius.

    All are read at once, the farther ellipses at half as many points: a gradient needs no more.
    """
    number = len(ellipses)
    both = ellipses.followed_by(ellipses.grown(1.0 + STEP))
    spacing = np.repeat([1.0, 2.0], number)
    points = points_of_photutils(both) if method == "photutils" else points_along(both, spacing)
    values, good = image.values(points.x, points.y)
    if expected is not None:
        known = np.where(np.isfinite(expected), expected, 0.0)
        ahead = np.interp(np.log(ellipses.sma * (1.0 + STEP)), np.log(ellipses.sma), known)
        good &= ~foreign_points(points, values, good, np.concatenate([expected, ahead]), noise)
    weight = np.where(good, points.weight, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ahead = (points.sums(weight * values) / points.sums(weight))[number:]
    points = points.first(number)
    return points, values[: points.x.size], good[: points.x.size], ahead


def foreign_points(
    points: EllipsePoints, values: np.ndarray, good: np.ndarray, expected: np.ndarray, noise: PixelNoise
) -> np.ndarray:
    """Points of light that isn't the galaxy's, (P,) bool: beyond what is expected by 4 sigma and by half of it.

    Three neighbours at least, so that noise isn't taken for a star; and a point more on either side.
    """
    known = np.isfinite(expected)
    excess = values - points.spread(np.where(known, expected, 0.0))
    floor = noise.known_sigma * np.sqrt(noise.reading[0])
    scatter = np.maximum(1.2533 * points.mean_where(np.abs(_differences(points, excess)), good) / np.sqrt(2.0), floor)
    limit = np.where(known, np.maximum(FOREIGN_SIGMA * scatter, FOREIGN_SHARE * np.abs(expected)), np.inf)
    out = good & (excess > points.spread(limit))
    if not out.any():
        return out
    before, after = points.shifted(-1), points.shifted(1)
    middle = out & out[before] & out[after]
    run = middle | middle[before] | middle[after]
    return run | run[before] | run[after]


def _differences(points: EllipsePoints, values: np.ndarray) -> np.ndarray:
    """Each value less the one `_LAG` points before it on its ellipse."""
    differences = np.empty(values.size)
    np.subtract(values[_LAG:], values[:-_LAG], out=differences[_LAG:])
    first = points.starts[:, None] + np.arange(_LAG)
    differences[first] = values[first] - values[first - _LAG + points.counts[:, None]]
    return differences


def _intensities(
    points: EllipsePoints, values: np.ndarray, good: np.ndarray, statistic: str, clip_sigma: float
) -> tuple[np.ndarray, ...]:
    """Intensity, n_pix, n_masked, rms, share of the good points that was used; of medians, the robust scatter too."""
    weight = np.where(good, points.weight, 0.0)
    total, everything = points.sums(weight), points.sums(points.weight)
    used = np.where(total > 0, 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        intensity = points.sums(weight * values) / total
        square = points.sums(weight * values * values) / total
        rms = np.sqrt(np.maximum(square - intensity**2, 0.0))
    spread = np.full(intensity.shape, np.nan)
    if statistic != "mean":
        for i, (start, count) in enumerate(zip(points.starts, points.counts, strict=True)):
            ring = slice(start, start + count)
            chosen, weights = values[ring][good[ring]], points.weight[ring][good[ring]]
            if statistic == "median":
                intensity[i] = weighted_median(chosen, weights)
                spread[i] = median_deviation(chosen, intensity[i])
            elif chosen.size:
                clipped = clipped_mean(chosen, weights, sigma=clip_sigma)
                intensity[i], rms[i], used[i] = clipped.mean, clipped.scatter, clipped.share
    n_pix = np.rint(total * used)
    return intensity, n_pix, np.rint(everything) - n_pix, rms, used, spread


def _gradient(
    ellipses: Ellipses, intensity: np.ndarray, outer: np.ndarray, variance: np.ndarray, noise: PixelNoise
) -> tuple[np.ndarray, np.ndarray]:
    """dI/dsma to ellipses of `STEP` times more radius with intensity `outer`, as photutils has it, and its error."""
    step = STEP * ellipses.sma
    gradient, error = (
        (outer - intensity) / step,
        np.sqrt(2.0 * variance * (1.0 - noise.shared(step * np.sqrt(ellipses.axis_ratio)))) / step,
    )
    known = np.abs(gradient) > error
    return np.where(known, gradient, np.nan), np.where(known, error, np.nan)


def _in_rings(
    image: ReadImage,
    ellipses: Ellipses,
    edges: np.ndarray | None,
    statistic: str,
    clip_sigma: float,
    sigma: np.ndarray | None,
    per_pixel: np.ndarray,
    noise: PixelNoise,
    expected: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Intensity, its error, n_pix, n_masked and rms of the pixels in the rings."""
    edges = ring_edges(ellipses.sma) if edges is None else np.asarray(edges, dtype=float)
    if edges.size != len(ellipses) + 1 or not (np.diff(edges) > 0).all():
        raise ValueError(f"{len(ellipses)} rings have {len(ellipses) + 1} increasing edges, not {edges.size}")
    intensity, error, rms, n_pix, n_masked = np.full((5, len(ellipses)), np.nan)
    sum_of_noise = _SumOfNoise(image.shape, noise)
    for i in range(len(ellipses)):
        rows, columns, part = ring_pixels(image.shape, ellipses, i, edges[i], edges[i + 1])
        touched = part.size
        values = image.pixels[rows, columns]
        good = np.ones(touched, dtype=bool) if image.bad is None else ~image.bad[rows, columns]
        if expected is not None and np.isfinite(expected[i]):
            limit = max(FOREIGN_SIGMA * np.sqrt(per_pixel[i]), FOREIGN_SHARE * abs(expected[i]))
            good &= ~(values - expected[i] > limit)
        values, weights, rows, columns = values[good], part[good], rows[good], columns[good]
        n_pix[i], n_masked[i] = values.size, touched - values.size
        if not values.size or not weights.sum() > 0:
            continue
        share = 1.0
        clipped = clipped_mean(values, weights, sigma=clip_sigma if statistic == "clipped" else np.inf)
        intensity[i], rms[i], share = clipped.mean, clipped.scatter, clipped.share
        if statistic == "median":
            intensity[i] = weighted_median(values, weights)
        variance = (
            np.full(values.size, per_pixel[i]) if sigma is None else np.asarray(sigma, dtype=float)[rows, columns] ** 2
        )
        error[i] = np.sqrt(sum_of_noise.variance(rows, columns, weights * np.sqrt(variance)) / share) / weights.sum()
        if statistic == "median":
            number = weights.sum() ** 2 / (weights @ weights)
            error[i] = _error_of_median(error[i], variance.mean(), number, median_deviation(values, intensity[i]))
    return intensity, error, n_pix, n_masked, rms


def _error_of_median(mean: ArrayLike, variance: ArrayLike, number: ArrayLike, spread: ArrayLike) -> np.ndarray:
    """Error of the median of values, from that of their mean, a value's noise, their number, and their robust scatter.

    Noise that a value shares with others moves a median as it moves a mean; a value's own makes the square of its
    error pi / 2 times larger. Where values differ for another reason, a slope across a ring, noise moves only those
    near the median past it: then arccos(r) spread^2 / variance times, r the part of Gaussian differences in the
    scatter's square.
    """
    variance = np.asarray(variance)
    ratio = np.minimum(variance / np.maximum(np.square(spread), 1e-300), 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        more = np.where(ratio > 0, np.arccos(1.0 - ratio) / ratio, 0.5 * np.pi) - 1.0
        return np.sqrt(np.square(mean) + more * variance / number)


class _SumOfNoise:
    """Variance of a sum of pixels whose noise is correlated."""

    def __init__(self, shape: tuple[int, int], noise: PixelNoise) -> None:
        # A margin of zeros, so that no pixel has a neighbour across the image's edge.
        self._width = shape[1] + REACH
        self._painted = np.zeros((shape[0] + 2 * REACH) * self._width + 2 * REACH)
        lag_y, lag_x = np.nonzero(noise.correlation)
        steps = (lag_y - REACH) * self._width + lag_x - REACH
        self._lags = [(int(steps[i]), float(noise.correlation[lag_y[i], lag_x[i]])) for i in np.flatnonzero(steps > 0)]

    def variance(self, rows: np.ndarray, columns: np.ndarray, sigma: np.ndarray) -> float:
        """Of the sum of pixels with errors `sigma` (N,); no more anticorrelated than to half of white noise's."""
        white = float(sigma @ sigma)
        if not self._lags:
            return white
        index = (rows + REACH) * self._width + columns + REACH
        self._painted[index] = sigma
        pairs = sum(rho * float(sigma @ self._painted[index + step]) for step, rho in self._lags)
        self._painted[index] = 0.0
        return max(white + 2.0 * pairs, 0.5 * white)
