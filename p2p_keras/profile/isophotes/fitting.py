"""Ellipses of a noise-free galaxy about one known centre, fitted at all radii at once.

The second harmonics of the intensity along an ellipse say how its axis ratio and angle are off (Jedrzejewski 1987,
MNRAS 226, 747). In the plane stretched so that the present ellipse e is a circle, an isophote of shape d gives, to
first order, ``ln I(t) = ln I - dlnI/dlna (d1 cos 2t + d2 sin 2t)``: d is read off the two harmonics and the gradient,
and `ellipse.compose` gives the corrected vector. We use ln I and not I, since the profiles of galaxies are nearly
straight lines in it: the step is right from far away, and a clump or an arm pulls less.

Where the gradient says nothing of the shape (rings, crests of arms, the flat inside of the PSF, the end of the light,
beyond the image's edge) a radius gets little weight, and the vectors of its neighbours fill in: smoothly across a gap,
and at fixed geometry outward (Courteau 1996, ApJS 103, 363).
"""

from __future__ import annotations

import numpy as np

from p2p_keras.core import ellipse
from p2p_keras.profile.isophotes.sampler import GalaxySampler

__all__ = [
    "MAX_ELLIPTICITY",
    "NUM_ANGLES",
    "STIFFNESS",
    "LIGHT_END",
    "fit_ellipses",
    "harmonics",
    "gradient",
    "stiffness_matrix",
    "capped",
    "level_moments",
]

MAX_ELLIPTICITY = 0.95
MAX_MODULUS = MAX_ELLIPTICITY / (2.0 - MAX_ELLIPTICITY)

NUM_ANGLES = 48
"""Angles along each ellipse while fitting; a multiple of 4, so that a quarter turn of the image gives the same sums."""

MAX_ITERATIONS = 10
TOLERANCE = 3e-3
"""Largest change of an ellipse vector, times the weight of its radius, at which the fit has converged."""

STIFFNESS = 0.05
"""Penalty on the difference of neighbouring ellipse vectors, against the weight (at most 1) of a radius."""

FULL_STEPS = 4
"""Iterations of nearly full correction; the later ones are damped more and more, so that no radius goes on swinging."""

LIGHT_END = 1e-6
"""Fainter than this part of the image's peak, geometry is extended: below is the rounding of Fourier-drawn images."""

_MAX_CORRECTION = 0.35
_MIN_SLOPE = 0.08  # of -dlnI/dlna in the correction's denominator
_MIN_RATIO = 0.02  # of I / <I> before its logarithm: an ellipse may cross empty sky
_ANCHOR = 1e-6  # weight of the first guess, which decides where nothing else does
_LEVELS = 48

_T = 2.0 * np.pi * np.arange(NUM_ANGLES) / NUM_ANGLES
_COS_T, _SIN_T = np.cos(_T), np.sin(_T)
_HARMONICS = np.stack([np.ones_like(_T), _COS_T, _SIN_T, np.cos(2 * _T), np.sin(2 * _T)], axis=1)
_PRODUCTS = (_HARMONICS[:, :, None] * _HARMONICS[:, None, :]).reshape(NUM_ANGLES, -1)
_PROJECTION = _HARMONICS * np.array([1.0, 2.0, 2.0, 2.0, 2.0]) / NUM_ANGLES


def fit_ellipses(
    sampler: GalaxySampler, x0: float, y0: float, sma: np.ndarray, start: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Ellipse vectors of a galaxy's isophotes.

    Parameters
    ----------
    sampler : GalaxySampler
        The image, with a peak of about one.
    x0, y0 : float
        Common centre, pixels.
    sma : float array (K,)
        Semi-major axes in pixels, with one step in ln(sma).
    start : tuple of two float arrays (K,)
        First guess (e1, e2).

    Returns
    -------
    e1, e2 : float arrays (K,), finite
    """
    log_step = np.log(sma[1] / sma[0])
    stiffness = STIFFNESS * stiffness_matrix(sma.size)
    # Below a pixel there is no shape to be seen: the inner geometry is continued.
    resolved = np.clip((sma - 0.7) / 0.8, 0.0, 1.0)
    first = np.stack(start, axis=1)
    e = first
    coefficients = np.zeros((sma.size, 5))
    scatter, share, mean = np.zeros((3, sma.size))
    moved = np.arange(sma.size)  # radii whose ellipse is no longer the one that was read
    for iteration in range(MAX_ITERATIONS):
        ratio, inside, mean[moved] = _along_ellipses(sampler, x0, y0, sma[moved], e[moved])
        coefficients[moved], share[moved] = harmonics(ratio, inside)
        residual = (ratio - coefficients[moved] @ _HARMONICS.T) * inside
        scatter[moved] = np.sqrt((residual * residual).mean(axis=1) / np.maximum(share[moved], 0.1))

        log_mean = coefficients[:, 0] + np.log(np.maximum(mean, 1e-300))
        slope = -gradient(log_mean, log_step)
        correction = coefficients[:, 3:] / np.maximum(slope, _MIN_SLOPE)[:, None]
        length = np.hypot(correction[:, 0], correction[:, 1])
        damping = 0.9 / (1.0 + 0.5 * max(0, iteration + 1 - FULL_STEPS))
        correction *= (damping * _MAX_CORRECTION / np.maximum(length, _MAX_CORRECTION))[:, None]
        wanted = np.stack(ellipse.compose(e[:, 0], e[:, 1], correction[:, 0], correction[:, 1]), axis=1)

        weight = resolved * np.clip((slope - 0.02) / 0.1, 0.0, 1.0) * np.clip((share - 0.6) / 0.2, 0.0, 1.0)
        weight *= np.clip(mean / LIGHT_END - 0.1, 0.0, 1.0) / (
            1.0 + (scatter / np.maximum(slope, _MIN_SLOPE) / 0.2) ** 2
        )
        matrix = stiffness + np.diag(weight + _ANCHOR)
        new = capped(np.linalg.solve(matrix, weight[:, None] * capped(wanted) + _ANCHOR * first))
        change = np.abs(new - e).max(axis=1)
        if (change * np.minimum(5.0 * weight, 1.0)).max() < TOLERANCE:
            e = new
            break
        moved = np.flatnonzero(change > 0.3 * TOLERANCE)
        e = e.copy()
        e[moved] = new[moved]
    return e[:, 0], e[:, 1]


def _along_ellipses(
    sampler: GalaxySampler, x0: float, y0: float, sma: np.ndarray, e: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ln(I / mean I) (K, T) with 0 outside the image, inside (K, T) as 1 or 0, and mean intensity (K,)."""
    dx, dy = ellipse.points(sma[:, None], e[:, :1], e[:, 1:], _COS_T, _SIN_T)
    x, y = x0 + dx, y0 + dy
    intensity = sampler.values(x, y, int(np.searchsorted(sma, sampler.core_radius)))
    inside = sampler.inside(x, y)
    mean = (intensity * inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1.0)
    ratio = intensity / np.maximum(mean, 1e-300)[:, None]
    return np.log(np.maximum(ratio, _MIN_RATIO)) * inside, inside, mean


def harmonics(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (K, 5) of 1, cos t, sin t, cos 2t, sin 2t, and the share (K,) of the angles inside the image.

    Over a whole ellipse they are plain sums. Where part is outside, least squares over the rest.
    """
    coefficients = values @ _PROJECTION
    share = inside.mean(axis=1)
    part = share < 1.0
    if part.any():
        normal = (inside[part] @ _PRODUCTS).reshape(-1, 5, 5) + 1e-6 * np.eye(5)
        coefficients[part] = np.linalg.solve(normal, (values[part] @ _HARMONICS)[:, :, None])[:, :, 0]
    return coefficients, share


def gradient(values: np.ndarray, step: float) -> np.ndarray:
    """Central differences on an even grid, one-sided at its ends."""
    inner = (values[2:] - values[:-2]) / (2.0 * step)
    return np.concatenate([(values[1:2] - values[:1]) / step, inner, (values[-1:] - values[-2:-1]) / step])


def stiffness_matrix(size: int) -> np.ndarray:
    """L^T L of the first differences of neighbouring radii."""
    matrix = 2.0 * np.eye(size)
    matrix[0, 0] = matrix[-1, -1] = 1.0
    return matrix - np.eye(size, k=1) - np.eye(size, k=-1)


def capped(e: np.ndarray) -> np.ndarray:
    """Ellipse vectors (K, 2) with the modulus held at that of `MAX_ELLIPTICITY`."""
    length = np.hypot(e[:, :1], e[:, 1:])
    return e * (MAX_MODULUS / np.maximum(length, MAX_MODULUS))


def level_moments(image: np.ndarray, x0: float, y0: float, sma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First guess of the ellipse vector at each `sma`: shapes of the regions brighter than a level.

    The second moments of a uniform ellipse are a^2 / 4 and b^2 / 4. One histogram of log intensity, weighted by x^2,
    y^2 and xy, gives those of the regions above all levels together. Levels that reach the image's border don't count.

    Parameters
    ----------
    image : float array (H, W), finite
    x0, y0 : float, pixels
    sma : float array (K,), pixels

    Returns
    -------
    e1, e2 : float arrays (K,); circles where no level says anything
    """
    border = max(image[0].max(), image[-1].max(), image[:, 0].max(), image[:, -1].max())
    stride = max(1, max(image.shape) // 128)
    image = image[::stride, ::stride]
    peak = image.max()
    floor = max(border, 1e-6 * peak, 1e-300)
    circles = np.zeros_like(sma), np.zeros_like(sma)
    if not peak > 1.01 * floor:
        return circles
    rows, columns = np.nonzero(image > floor)
    bins = np.log(image[rows, columns] / floor) * (_LEVELS / np.log(peak / floor))
    bins = np.minimum(bins.astype(np.intp), _LEVELS - 1)
    dx = columns * float(stride) - x0
    dy = rows * float(stride) - y0

    def above(weights: np.ndarray | None) -> np.ndarray:
        return np.cumsum(np.bincount(bins, weights, minlength=_LEVELS)[::-1])

    number = above(None)
    use = number >= 12
    if not use.any():
        return circles
    qxx, qyy, qxy = (above(weights)[use] / number[use] for weights in (dx * dx, dy * dy, dx * dy))
    a = 2.0 * np.sqrt(0.5 * (qxx + qyy) + np.hypot(0.5 * (qxx - qyy), qxy))
    norm = qxx + qyy + 2.0 * np.sqrt(np.maximum(qxx * qyy - qxy * qxy, 0.0))
    order = np.argsort(a)
    guess = capped(np.stack([(qxx - qyy) / norm, 2.0 * qxy / norm], axis=1))
    return np.interp(sma, a[order], guess[order, 0]), np.interp(sma, a[order], guess[order, 1])
