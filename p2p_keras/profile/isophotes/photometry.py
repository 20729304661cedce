"""Photometry of an image along given ellipses: intensities, harmonics and errors.

Two ways to read an image. ``sampled``: bilinear values along the ellipse itself, as photutils' isophotes are.
``exact``: every pixel between the edges of a ring, weighted by the part of its area that lies in the ring. Harmonics
and the errors of shapes are always those of the sampled ellipse.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from p2p_keras.core.robust import clipped_mean, weighted_median
from p2p_keras.profile.isophotes.given import STEP, Ellipses, ring_edges
from p2p_keras.profile.isophotes.harmonics import Harmonics, deviations, fit_harmonics, shape_errors
from p2p_keras.profile.isophotes.noise import PixelNoise, measure_noise
from p2p_keras.profile.isophotes.rings import ring_pixels
from p2p_keras.profile.isophotes.sampling import EllipsePoints, ReadImage, points_along

__all__ = ["Statistic", "Pixels", "IsophotePhotometry", "measure_ellipses"]

Statistic = Literal["mean", "median", "clipped"]
Pixels = Literal["sampled", "exact"]
STATISTICS, PIXELS = ("mean", "median", "clipped"), ("sampled", "exact")

FOREIGN_SIGMA = 4.0
FOREIGN_SHARE = 0.5
_ORDER_OF_COEFFICIENT = np.array([0, 1, 1, 2, 2, 3, 3, 4, 4])
_LAG = 4  # points between the two of a difference: beyond the reach of bilinear reading
_NEAR = 3  # points between neighbours of a second difference: structure that the PSF has smeared is straight so far
_PRIOR_PIXELS = 20.0  # what the noise of the image as a whole counts for, against that along an ellipse


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
    method : {"sampled", "exact"}
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
    noise = noise or _noise_beside(pixels, ellipses, mask)
    points = points_along(ellipses)
    values, good = image.values(points.x, points.y)
    if expected is not None:
        good &= ~foreign_points(points, values, good, expected, noise)
    harmonics = fit_harmonics(points, values, good)
    length = points.sums(points.step) / (2.0 * np.pi)  # the circle of as many px
    share = points.sums(np.where(good, points.step, 0.0)) / np.maximum(points.sums(points.step), 1e-300)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_orders = noise.of_harmonics(length) / share[:, None]
        inner = points.sums(np.where(good, points.weight * values, 0.0)) / points.sums(
            np.where(good, points.weight, 0.0)
        )
    per_pixel = (
        _noise_map_along(image, points, good, sigma)
        if sigma is not None
        else _noise_along(points, harmonics, good, noise, noise.reading[0] / of_orders[:, 0])
    )
    variance = per_pixel * of_orders[:, 0]
    intensity, n_pix, n_masked, rms, used = _intensities(points, values, good, statistic, clip_sigma)
    kept = np.where(used > 0, used, np.nan)
    error = np.sqrt(variance / kept) * (1.2533 if statistic == "median" else 1.0)  # of a median of Gaussian noise
    gradient, gradient_err = _gradient(image, ellipses, inner, variance, expected, noise)
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


def _noise_beside(pixels: np.ndarray, ellipses: Ellipses, mask: np.ndarray | None) -> PixelNoise:
    """Noise beyond the largest ellipse, where a fifth of the image is; else of all of it."""
    largest = int(np.argmax(ellipses.sma))
    height, width = np.shape(pixels)
    y, x = np.ogrid[:height, :width]
    inside = (x - ellipses.x0[largest]) ** 2 + (y - ellipses.y0[largest]) ** 2 < ellipses.sma[largest] ** 2
    if np.count_nonzero(inside) < 0.8 * inside.size:
        beside = measure_noise(pixels, inside if mask is None else inside | mask)
        if np.isfinite(beside.sigma):
            return beside
    return measure_noise(pixels, mask)


def foreign_points(
    points: EllipsePoints, values: np.ndarray, good: np.ndarray, expected: np.ndarray, noise: PixelNoise
) -> np.ndarray:
    """Points of light that isn't the galaxy's, (P,) bool: beyond what is expected by 4 sigma and by half of it.

    Three neighbours at least, so that noise isn't taken for a star; and a point more on either side.
    """
    excess = values - points.spread(np.nan_to_num(expected))
    floor = np.nan_to_num(noise.sigma) * np.sqrt(noise.reading[0])
    scatter = np.maximum(1.2533 * _mean_where(points, np.abs(_differences(points, excess)), good) / np.sqrt(2.0), floor)
    limit = np.maximum(FOREIGN_SIGMA * scatter, FOREIGN_SHARE * np.abs(expected))
    out = good & (excess > points.spread(np.nan_to_num(limit, nan=np.inf)))
    if not out.any():
        return out
    index = np.arange(out.size)
    start, count = points.spread(points.starts), points.spread(points.counts)
    before, after = start + (index - start - 1) % count, start + (index - start + 1) % count
    middle = out & out[before] & out[after]
    run = middle | middle[before] | middle[after]
    return run | run[before] | run[after]


def _differences(points: EllipsePoints, values: np.ndarray) -> np.ndarray:
    """Each value less the one `_LAG` points before it on its ellipse."""
    index = np.arange(values.size)
    start, count = points.spread(points.starts), points.spread(points.counts)
    return values - values[start + (index - start - _LAG) % count]


def _mean_where(points: EllipsePoints, values: np.ndarray, good: np.ndarray) -> np.ndarray:
    return points.sums(np.where(good, values, 0.0)) / np.maximum(points.sums(good.astype(float)), 1.0)


def _noise_along(
    points: EllipsePoints, harmonics: Harmonics, good: np.ndarray, noise: PixelNoise, number: np.ndarray
) -> np.ndarray:
    """Variance of a pixel on each ellipse, (K,), from second differences of values up to three pixels apart.

    Arms and bars, smeared by the PSF, change smoothly along an ellipse and don't count as noise. What the image as a
    whole says, sky noise and shot noise in proportion to the light, counts as much as `_PRIOR_PIXELS` values; `number`
    (K,) is how many independent ones an ellipse has.
    """
    residual, level = harmonics.residual, harmonics.coefficients[:, 0]
    number = np.nan_to_num(number)
    index = np.arange(residual.size)
    start, count = points.spread(points.starts), points.spread(points.counts)
    before, after = start + (index - start - _NEAR) % count, start + (index - start + _NEAR) % count
    all_three = (good & good[before] & good[after]).astype(float)
    apart = _NEAR * points.step
    variance = 6.0 * noise.reading[0] - 8.0 * noise.between(apart) + 2.0 * noise.between(2.0 * apart)
    bend = residual[before] - 2.0 * residual + residual[after]
    # What looks correlated all over isn't noise: an image without any.
    variance = np.maximum(variance, noise.reading[0])
    # Of a Gaussian the mean size is sqrt(2 / pi) sigma; clumps and dust add less to it than to a mean square.
    size = points.sums(all_three * np.abs(bend)) / np.maximum(points.sums(all_three * np.sqrt(variance)), 1e-300)
    own = 0.5 * np.pi * size * size
    own *= 1.0 + 9.0 / np.maximum(number, 9.0)  # nine numbers were fitted to them
    sky = np.nan_to_num(noise.sigma) ** 2
    bright = np.isfinite(level) & (level > np.sqrt(sky)) & (number > 12.0) & np.isfinite(own)
    gain = float(np.median((own[bright] - sky) / level[bright])) if bright.any() else 0.0
    prior = sky + max(gain, 0.0) * np.clip(np.nan_to_num(level), 0.0, None)
    return (number * own + _PRIOR_PIXELS * prior) / (number + _PRIOR_PIXELS)


def _noise_map_along(image: ReadImage, points: EllipsePoints, good: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Mean variance of the pixels along each ellipse by a noise map, (K,)."""
    variance = image.nearest(np.square(np.asarray(sigma, dtype=float)), points.x, points.y)
    known = good & np.isfinite(variance)
    mean = _mean_where(points, variance, known)
    return np.where(points.sums(known.astype(float)) > 0, mean, np.nan)


def _intensities(
    points: EllipsePoints, values: np.ndarray, good: np.ndarray, statistic: str, clip_sigma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Intensity, n_pix, n_masked, rms, and the share of the good points that was used."""
    weight = np.where(good, points.weight, 0.0)
    total, everything = points.sums(weight), points.sums(points.weight)
    used = np.where(total > 0, 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        intensity = points.sums(weight * values) / total
        square = points.sums(weight * values * values) / total
        rms = np.sqrt(np.maximum(square - intensity**2, 0.0))
    if statistic != "mean":
        for i, (start, count) in enumerate(zip(points.starts, points.counts, strict=True)):
            ring = slice(start, start + count)
            chosen, weights = values[ring][good[ring]], points.weight[ring][good[ring]]
            if statistic == "median":
                intensity[i] = weighted_median(chosen, weights)
            elif chosen.size:
                found = clipped_mean(chosen, weights, sigma=clip_sigma)
                intensity[i], rms[i], used[i] = found.mean, found.scatter, found.share
    n_pix = np.rint(total * used)
    return intensity, n_pix, np.rint(everything) - n_pix, rms, used


def _gradient(
    image: ReadImage,
    ellipses: Ellipses,
    intensity: np.ndarray,
    variance: np.ndarray,
    expected: np.ndarray | None,
    noise: PixelNoise,
) -> tuple[np.ndarray, np.ndarray]:
    """dI/dsma from an ellipse of `STEP` times more radius, as photutils has it, and its error."""
    points = points_along(ellipses.grown(1.0 + STEP), spacing=2.0)
    values, good = image.values(points.x, points.y)
    if expected is not None:
        ahead = np.interp(np.log(ellipses.sma * (1.0 + STEP)), np.log(ellipses.sma), np.nan_to_num(expected))
        good &= ~foreign_points(points, values, good, ahead, noise)
    weight = np.where(good, points.weight, 0.0)
    total = points.sums(weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        outer = np.where(total > 0, points.sums(weight * values) / total, np.nan)
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
    shared = max(float(noise.correlation.sum()), 0.5)  # what the noise of a wide area has more than white noise
    for i in range(len(ellipses)):
        rows, columns, part = ring_pixels(image.shape, ellipses, i, edges[i], edges[i + 1])
        touched = part.size
        values = image.pixels[rows, columns]
        good = np.ones(touched, dtype=bool) if image.bad is None else ~image.bad[rows, columns]
        if expected is not None and np.isfinite(expected[i]):
            limit = max(FOREIGN_SIGMA * np.sqrt(per_pixel[i]), FOREIGN_SHARE * abs(expected[i]))
            good &= ~(values - expected[i] > limit)
        values, weights = values[good], part[good]
        n_pix[i], n_masked[i] = values.size, touched - values.size
        if not values.size or not weights.sum() > 0:
            continue
        share = 1.0
        found = clipped_mean(values, weights, sigma=clip_sigma if statistic == "clipped" else np.inf)
        intensity[i], rms[i], share = found.mean, found.scatter, found.share
        if statistic == "median":
            intensity[i] = weighted_median(values, weights)
        variance = per_pixel[i] if sigma is None else np.asarray(sigma, dtype=float)[rows, columns][good] ** 2
        total = weights.sum() * share
        error[i] = np.sqrt((weights**2 * variance).sum() * share * shared) / total
        if statistic == "median":
            error[i] *= 1.2533
    return intensity, error, n_pix, n_masked, rms
