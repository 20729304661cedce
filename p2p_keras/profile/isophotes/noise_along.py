"""Noise of the pixels along each ellipse: from a noise map, or from the image, told from the galaxy's own structure."""

from __future__ import annotations

import numpy as np

from p2p_keras.profile.isophotes.given import Ellipses
from p2p_keras.profile.isophotes.harmonics import Harmonics
from p2p_keras.profile.isophotes.noise import PixelNoise, measure_noise
from p2p_keras.profile.isophotes.sampling import EllipsePoints, ReadImage

__all__ = ["noise_along", "noise_beside", "noise_map_along"]

_NEAR = 3  # points between neighbours of a second difference: structure that the PSF has smeared is straight so far
_PRIOR_PIXELS = 20.0  # what the noise of the image as a whole counts for, against that along an ellipse


def noise_beside(pixels: np.ndarray, ellipses: Ellipses, mask: np.ndarray | None) -> PixelNoise:
    """Noise beyond the largest ellipse, where a fifth of the image is; else of all of it."""
    largest = int(np.argmax(ellipses.sma))
    height, width = np.shape(pixels)
    # The circle that it lies in, row by row.
    half = np.sqrt(np.maximum(ellipses.sma[largest] ** 2 - (np.arange(height) - ellipses.y0[largest]) ** 2, 0.0))
    inside = np.abs(np.arange(width) - ellipses.x0[largest]) < half[:, None]
    if np.count_nonzero(inside) < 0.8 * inside.size:
        beside = measure_noise(pixels, inside if mask is None else inside | mask)
        if np.isfinite(beside.sigma):
            return beside
    return measure_noise(pixels, mask)


def noise_along(
    image: ReadImage,
    points: EllipsePoints,
    harmonics: Harmonics,
    values: np.ndarray,
    good: np.ndarray,
    noise: PixelNoise,
    number: np.ndarray,
) -> np.ndarray:
    """Variance of a pixel on each ellipse, (K,), of values (P,) at the points.

    Pixels of intensity I have sky^2 + g I of noise, shot noise among it, and h I^2 more of scatter by the galaxy's own
    structure, which isn't noise. g and h are those of the whole image. What an ellipse scatters itself, less its
    structure, counts beside them: by its `number` (K,) of independent values, and the less the more of it is structure.
    """
    level, number = np.fmax(harmonics.coefficients[:, 0], 0.0), np.where(np.isfinite(number), number, 0.0)
    sky = noise.known_sigma**2
    if noise.bend > 0:
        own = _by_cross_differences(image, points, good, noise)
    else:
        own = _by_differences_along(points, harmonics.residual(points, values), good, noise, number)
    known = np.isfinite(own) & (number > 0)
    bright = known & (level > np.sqrt(sky)) & (number > 12.0)
    shot, structure = _noise_of_light(level[bright], own[bright], number[bright], sky)
    expected, foreign = sky + shot * level, structure * level**2
    own = np.where(known, own, expected)
    certainty_own = np.where(known, 1.0 / np.maximum(2.0 * own**2 / np.maximum(number, 1e-9) + foreign**2, 1e-300), 0.0)
    certainty = 0.5 * _PRIOR_PIXELS / np.maximum(expected, 1e-150) ** 2
    return (certainty_own * np.maximum(own - foreign, 0.0) + certainty * expected) / (certainty_own + certainty)


def _noise_of_light(level: np.ndarray, variance: np.ndarray, number: np.ndarray, sky: float) -> tuple[float, float]:
    """g and h of variance = sky + g level + h level^2, neither negative, by least squares; 0 where nothing is known.

    Structure is believed as far as it is surely there, beyond its own error; shot noise is in every photon's image.
    """
    excess, model = variance - sky, variance
    squared = level * level
    powers = np.stack([squared, squared * level, squared * squared, level * excess, squared * excess])
    floor, half = 1e-20 * squared, 0.5 * number
    g = h = 0.0
    for _ in range(3 if level.size else 0):
        two, three, four, one, other = (powers @ (half / np.maximum(model, floor) ** 2)).tolist()
        determinant = two * four - three * three
        h = 0.0
        if level.size > 2 and determinant > 1e-9 * two * four:
            h = max((two * other - three * one) / determinant - np.sqrt(two / determinant), 0.0)
        g = (one - h * three) / two
        if g < 0.0:
            g, h = 0.0, max(other / four, 0.0)
        model = sky + g * level + h * squared
    return g, h


def _by_cross_differences(image: ReadImage, points: EllipsePoints, good: np.ndarray, noise: PixelNoise) -> np.ndarray:
    """Variance of a pixel on each ellipse, (K,): the sky's, by how much larger cross differences are there than in it.

    Noise is as correlated on a galaxy as in the sky, and arms and clumps, smeared by the PSF, are all but straight over
    three pixels.
    """
    bends = np.abs(image.cross_differences_at(points.x, points.y))
    used = good & np.isfinite(bends)
    # Of a Gaussian the mean size is sqrt(2 / pi) sigma; clumps and dust add less to it than to a mean square.
    count = points.sums(used.astype(float))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = points.sums(np.where(used, bends, 0.0)) / count
    return 0.5 * np.pi * (noise.sigma * size / noise.bend) ** 2


def _by_differences_along(
    points: EllipsePoints, residual: np.ndarray, good: np.ndarray, noise: PixelNoise, number: np.ndarray
) -> np.ndarray:
    """Variance of a pixel on each ellipse, (K,), from second differences of values three pixels apart along it."""
    before, after = points.shifted(-_NEAR), points.shifted(_NEAR)
    all_three = (good & good[before] & good[after]).astype(float)
    apart = _NEAR * points.step
    variance = 6.0 * noise.reading[0] - 8.0 * noise.between(apart) + 2.0 * noise.between(2.0 * apart)
    bend = residual[before] - 2.0 * residual + residual[after]
    # What looks correlated all over isn't noise: an image without any.
    variance = np.maximum(variance, noise.reading[0])
    size = points.sums(all_three * np.abs(bend)) / np.maximum(points.sums(all_three * np.sqrt(variance)), 1e-300)
    return 0.5 * np.pi * size * size * (1.0 + 9.0 / np.maximum(number, 9.0))  # nine numbers were fitted to them


def noise_map_along(image: ReadImage, points: EllipsePoints, good: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Mean variance of the pixels along each ellipse by a noise map, (K,)."""
    variance = image.nearest(np.square(np.asarray(sigma, dtype=float)), points.x, points.y)
    known = good & np.isfinite(variance)
    mean = points.mean_where(variance, known)
    return np.where(points.sums(known.astype(float)) > 0, mean, np.nan)
