"""Ellipses of a noise-free galaxy about one known centre, fitted at all radii at once.

The second harmonics of the intensity along an ellipse say how its axis ratio and angle are off (Jedrzejewski 1987,
MNRAS 226, 747). In the plane stretched so that the present ellipse e is a circle, an isophote of shape d gives, to first
order, ``ln I(t) = ln I - dlnI/dlna (d1 cos 2t + d2 sin 2t)``; so d is read off the two harmonics and the gradient, and
`ellipse.compose` gives the corrected vector. We use ln I and not I, since the profiles of galaxies are nearly straight
lines in it: the step is right from far away, and a clump or an arm pulls less.

Where the gradient says nothing of the shape (rings, arm crests, the flat inside of the PSF, the end of the light, beyond
the image's edge) a radius gets little weight, and the vectors of its neighbours fill in: smoothly across a gap, and at
fixed geometry outward (Courteau 1996, ApJS 103, 363).
"""

from __future__ import annotations

import numpy as np

from p2p_keras import ellipse

MAX_ELLIPTICITY = 0.95
MAX_MODULUS = MAX_ELLIPTICITY / (2.0 - MAX_ELLIPTICITY)

NUM_ANGLES = 48
"""Angles along each ellipse while fitting; a multiple of 4, so that an image turned by 90 degrees gives the same sums."""

CORE_PX = 12.0
"""Within this radius the fit reads a cubic spline: bilinear interpolation smears a curved profile there."""

MAX_ITERATIONS = 25
TOLERANCE = 2e-3
"""Largest change of an ellipse vector, in modulus, at which the fit has converged."""

STIFFNESS = 0.1
"""Penalty on the difference of neighbouring ellipse vectors, against the weight (at most 1) of a radius."""

_MAX_STEP = 0.35
_MIN_LEVEL = 0.02  # floor of I / <I> before its logarithm: an ellipse may cross empty sky
_MAX_LEVELS = 48


def bilinear(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of `image` at pixel coordinates (x, y), held constant beyond its edges."""
    height, width = image.shape
    x = np.clip(x, 0.0, width - 1.000001)
    y = np.clip(y, 0.0, height - 1.000001)
    column = x.astype(np.intp)
    row = y.astype(np.intp)
    x = x - column
    y = y - row
    corner = row * width + column
    flat = image.ravel()
    lower = flat[corner]
    lower = lower + x * (flat[corner + 1] - lower)
    corner += width
    upper = flat[corner]
    upper = upper + x * (flat[corner + 1] - upper)
    return lower + y * (upper - lower)


def cubic(coefficients: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values at (x, y) of the cubic spline whose coefficients are `scipy.ndimage.spline_filter(image)`."""
    from scipy import ndimage

    return ndimage.map_coordinates(coefficients, (y, x), order=3, mode="mirror", prefilter=False)


def level_moments(image: np.ndarray, x0: float, y0: float, sma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First guess of the ellipse vector at each `sma`: shapes of the regions brighter than a level.

    The second moments of a uniform ellipse are a^2 / 4 and b^2 / 4. One histogram of log intensity, weighted by x^2, y^2
    and xy, gives those of the regions above all levels together. Levels whose region touches the border don't count.

    Returns
    -------
    e1, e2 : float arrays, shape of `sma`; a circle where no level says anything
    """
    height, width = image.shape
    border = max(image[0].max(), image[-1].max(), image[:, 0].max(), image[:, -1].max())
    peak = image.max()
    floor = max(border, 1e-6 * peak, 1e-300)
    nothing = np.zeros_like(sma)
    if not peak > 1.01 * floor:
        return nothing, nothing
    rows, columns = np.nonzero(image > floor)
    bins = np.log(image[rows, columns] / floor) * (_MAX_LEVELS / np.log(peak / floor))
    bins = np.minimum(bins.astype(np.intp), _MAX_LEVELS - 1)
    dx = columns - x0
    dy = rows - y0

    def above(weights: np.ndarray | None) -> np.ndarray:
        return np.cumsum(np.bincount(bins, weights, minlength=_MAX_LEVELS)[::-1])

    count = above(None)
    use = count >= 12
    if not use.any():
        return nothing, nothing
    n = count[use]
    qxx, qyy, qxy = above(dx * dx)[use] / n, above(dy * dy)[use] / n, above(dx * dy)[use] / n
    half_difference = np.hypot(0.5 * (qxx - qyy), qxy)
    a = 2.0 * np.sqrt(0.5 * (qxx + qyy) + half_difference)
    norm = qxx + qyy + 2.0 * np.sqrt(np.maximum(qxx * qyy - qxy * qxy, 0.0))
    order = np.argsort(a)
    e1 = np.interp(sma, a[order], ((qxx - qyy) / norm)[order])
    e2 = np.interp(sma, a[order], (2.0 * qxy / norm)[order])
    return capped(e1, e2)


def capped(e1: np.ndarray, e2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ellipse vectors with the modulus held at that of `MAX_ELLIPTICITY`."""
    factor = np.minimum(1.0, MAX_MODULUS / np.maximum(np.hypot(e1, e2), MAX_MODULUS))
    return e1 * factor, e2 * factor


def fit_ellipses(
    image: np.ndarray, coefficients: np.ndarray, covered: np.ndarray | None, x0: float, y0: float, sma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ellipse vectors of the isophotes of `image` at the semi-major axes `sma`.

    Parameters
    ----------
    image : float64 array (H, W), finite
    coefficients : float64 array (H, W)
        Cubic spline coefficients of `image`.
    covered : bool array (H, W) or None
        False where a pixel is masked; None if all count.
    x0, y0 : float
        Common centre, pixels.
    sma : float array (K,), increasing, log-spaced, pixels

    Returns
    -------
    e1, e2 : float arrays (K,), finite
    """
    t = 2.0 * np.pi * np.arange(NUM_ANGLES) / NUM_ANGLES
    cos_t, sin_t = np.cos(t), np.sin(t)
    harmonics = np.stack([np.ones_like(t), cos_t, sin_t, np.cos(2 * t), np.sin(2 * t)], axis=1)
    products = (harmonics[:, :, None] * harmonics[:, None, :]).reshape(NUM_ANGLES, 25)
    log_sma = np.log(sma)
    core = np.searchsorted(sma, CORE_PX)
    stiffness = _stiffness_matrix(sma.size)
    radius_weight = np.clip((sma - 0.7) / 0.8, 0.0, 1.0)

    e1, e2 = start1, start2 = level_moments(image, x0, y0, sma)
    for iteration in range(MAX_ITERATIONS):
        dx, dy = ellipse.points(sma[:, None], e1[:, None], e2[:, None], cos_t, sin_t)
        x, y = x0 + dx, y0 + dy
        inside = inside_image(x, y, image.shape, covered)
        intensity = np.concatenate(
            [cubic(coefficients, x[:core], y[:core]), bilinear(image, x[core:], y[core:])],
        )
        share = inside.mean(axis=1)
        mean = (intensity * inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
        level = np.maximum(mean, 1e-300)[:, None]
        log_ratio = np.log(np.maximum(intensity / level, _MIN_LEVEL)) * inside

        normal = (inside @ products).reshape(-1, 5, 5) + 1e-6 * np.eye(5)
        fit = np.linalg.solve(normal, (log_ratio @ harmonics)[:, :, None])[:, :, 0]
        residual = (log_ratio - fit @ harmonics.T) * inside
        scatter = np.sqrt((residual**2).sum(axis=1) / np.maximum(inside.sum(axis=1), 1))

        log_level = fit[:, 0] + np.log(level[:, 0])
        slope = -np.gradient(log_level, log_sma)
        steep = np.maximum(slope, 0.3)
        d1, d2 = fit[:, 3] / steep, fit[:, 4] / steep
        length = np.hypot(d1, d2)
        shorter = _MAX_STEP / np.maximum(length, _MAX_STEP)
        damping = 0.9 if iteration < 8 else 0.6
        c1, c2 = ellipse.compose(e1, e2, damping * shorter * d1, damping * shorter * d2)
        c1, c2 = capped(c1, c2)

        weight = (
            radius_weight
            * np.clip((slope - 0.2) / 0.4, 0.0, 1.0)
            * np.clip((share - 0.6) / 0.2, 0.0, 1.0)
            * (mean > 0)
            / (1.0 + (scatter / steep / 0.2) ** 2)
        )
        new = np.linalg.solve(
            stiffness + np.diag(weight + 1e-6),
            np.stack([weight * c1 + 1e-6 * start1, weight * c2 + 1e-6 * start2], axis=1),
        )
        n1, n2 = capped(new[:, 0], new[:, 1])
        change = np.hypot(n1 - e1, n2 - e2).max()
        e1, e2 = n1, n2
        if change < TOLERANCE:
            break
    return e1, e2


def inside_image(x: np.ndarray, y: np.ndarray, shape: tuple[int, ...], covered: np.ndarray | None) -> np.ndarray:
    """1.0 where the point (x, y) lies on a pixel that counts, else 0.0."""
    height, width = shape
    inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    if covered is not None:
        row = np.clip(np.rint(y), 0, height - 1).astype(np.intp)
        column = np.clip(np.rint(x), 0, width - 1).astype(np.intp)
        inside &= covered[row, column]
    return inside.astype(float)


def _stiffness_matrix(size: int) -> np.ndarray:
    """L^T L of the first differences, times `STIFFNESS`."""
    matrix = 2.0 * np.eye(size)
    matrix[0, 0] = matrix[-1, -1] = 1.0
    matrix -= np.eye(size, k=1) + np.eye(size, k=-1)
    return STIFFNESS * matrix
