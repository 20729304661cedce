"""The classical fit of isophotes to a masked, noisy image, at all radii at once.

Jedrzejewski's iteration (1987, MNRAS 226, 747): the first and second harmonics of the intensity along an ellipse say
how its centre and its shape are off, and the gradient by how much. Programs that follow him walk from one ellipse to
the next. Here all radii take a step together, and where noise, a gap or a flat profile leaves a radius without a say
its neighbours fill in: smoothly across, and at fixed geometry outward. All ellipses share one centre.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from p2p_keras.core import ellipse
from p2p_keras.core.robust import SIGMA_PER_DEVIATION
from p2p_keras.profile.isophotes.fitting import capped, stiffness_matrix
from p2p_keras.profile.isophotes.given import Ellipses
from p2p_keras.profile.isophotes.sampling import ReadImage

__all__ = ["STIFFNESS", "Shape", "Isophotes", "radii_to", "fit_isophotes"]

SECTORS = 64
"""An ellipse is read as so many sectors; longer ones are averaged over more points each."""

ITERATIONS = 14
STIFFNESS = 0.02
_FULL_STEPS = 6
_MAX_STEP = 0.3
_SURE = 0.02
"""Error of an ellipse vector at which a radius begins to lean on its neighbours."""

_TOLERANCE = 1e-3
_CLIP = 3.5

_T = 2.0 * np.pi * np.arange(SECTORS) / SECTORS
_BASIS = np.stack([np.ones_like(_T), np.cos(_T), np.sin(_T), np.cos(2 * _T), np.sin(2 * _T)], axis=1)
_PRODUCTS = (_BASIS[:, :, None] * _BASIS[:, None, :]).reshape(SECTORS, -1)


class Shape(NamedTuple):
    """Where a fit begins: centre and semi-major axis in pixels, 1 - b/a, degrees from +x."""

    x0: float
    y0: float
    sma: float
    ellipticity: float
    pa: float


class Isophotes(NamedTuple):
    """Fitted isophotes: the ellipses, with the mean intensity along them and its error, flux per pixel."""

    ellipses: Ellipses
    intensity: np.ndarray
    error: np.ndarray


def radii_to(largest: float, smallest: float = 0.5, factor: float = 1.1) -> np.ndarray:
    """Semi-major axes (px) of a fit: by factors, from the smallest to the largest at most."""
    count = int(np.floor(np.log(max(largest, 2.0 * smallest) / smallest) / np.log(factor))) + 1
    return smallest * factor ** np.arange(count)


def fit_isophotes(
    pixels: np.ndarray,
    start: Shape,
    sma: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    fix_centre: bool = False,
) -> Ellipses:
    """Fit ellipses to the isophotes of the galaxy at a place.

    Parameters
    ----------
    pixels : float array (H, W)
        Sky subtracted; what isn't finite is ignored.
    start : Shape
        A first ellipse.
    sma : float array (K,)
        Semi-major axes, px, by equal factors.
    mask : bool array (H, W), optional
        True: ignore the pixel.
    fix_centre : bool
        Keep the centre of `start`.

    Returns
    -------
    Ellipses
        About one centre. Where an ellipse says nothing of its shape it has that of its neighbours.
    """
    image = ReadImage(pixels, mask)
    log_step = float(np.log(sma[1] / sma[0]))
    stiffness = stiffness_matrix(sma.size) * STIFFNESS
    x0, y0 = start.x0, start.y0
    e = np.tile(np.stack(ellipse.vector_from_angles(start.ellipticity, start.pa)), (sma.size, 1))
    first = e
    # Below a pixel and a half there is no shape to be seen: the inner geometry is continued.
    resolved = np.clip((sma - 1.0) / 1.0, 0.0, 1.0)
    for iteration in range(ITERATIONS):
        values, weight = _sectors(image, x0, y0, sma, e)
        coefficients, error, share = _fitted(values, weight)
        slope = -_slope(coefficients[:, 0], log_step)
        known = (share > 0.4) & (slope > 0) & np.isfinite(error)
        safe = np.where(known, slope, 1.0)
        shape_error = np.where(known, error / safe, np.inf)
        damping = 0.9 / (1.0 + 0.4 * max(0, iteration + 1 - _FULL_STEPS))
        if not fix_centre and iteration < ITERATIONS - 2:
            shift = _centre_step(coefficients[:, 1:3] / safe[:, None], shape_error, sma, e)
            x0, y0 = x0 + damping * shift[0], y0 + damping * shift[1]
        step = np.where(known[:, None], coefficients[:, 3:] / safe[:, None], 0.0)
        length = np.hypot(step[:, 0], step[:, 1])
        step *= (damping * _MAX_STEP / np.maximum(length, _MAX_STEP))[:, None]
        wanted = np.stack(ellipse.compose(e[:, 0], e[:, 1], step[:, 0], step[:, 1]), axis=1)
        sure = resolved / (1.0 + (shape_error / _SURE) ** 2)
        matrix = stiffness + np.diag(sure + 1e-7)
        new = capped(np.linalg.solve(matrix, sure[:, None] * capped(wanted) + 1e-7 * first))
        change = float((np.abs(new - e).max(axis=1) * sure).max())
        e = new
        if change < _TOLERANCE and iteration > 2:
            break
    ellipticity, pa = ellipse.angles_from_vector(e[:, 0], e[:, 1])
    return Ellipses.of(x0, y0, sma, ellipticity, pa)


def _sectors(image: ReadImage, x0: float, y0: float, sma: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each sector and the number of points in it that count, both (K, SECTORS)."""
    # A sector's points are no farther than a pixel and a half from each other.
    points = np.maximum(1, 2 ** np.ceil(np.log2(np.maximum(2.0 * np.pi * sma / SECTORS / 1.5, 1.0)))).astype(int)
    values, weight = np.zeros((2, sma.size, SECTORS))
    for count in np.unique(points):
        rows = np.flatnonzero(points == count)
        offsets = (np.arange(count) - 0.5 * (count - 1)) / count
        t = ((np.arange(SECTORS)[:, None] + offsets) * (2.0 * np.pi / SECTORS)).ravel()
        dx, dy = ellipse.points(sma[rows, None], e[rows, :1], e[rows, 1:], np.cos(t), np.sin(t))
        read, good = image.values(x0 + dx, y0 + dy)
        number = good.reshape(rows.size, SECTORS, count).sum(axis=2)
        values[rows] = read.reshape(rows.size, SECTORS, count).sum(axis=2) / np.maximum(number, 1)
        weight[rows] = number / count
    return values, weight


def _fitted(values: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (K, 5) of 1, cos t, sin t, cos 2t, sin 2t, the error (K,) of one, and the share (K,) that counts.

    Sectors that stand out of the fit, a star's that no mask has, are left out and the rest is fitted again.
    """
    # A star that no mask has would bend the first fit so that it no longer stands out. A harmonic's amplitude is about
    # one such scatter: an ellipse that is off stays whole.
    present = np.where((weight > 0) | ~np.any(weight, axis=1, keepdims=True), values, np.nan)
    middle = np.nanmedian(present, axis=1, keepdims=True)
    used = _without_far(present - middle, weight)
    for last in (False, True):
        normal = (used @ _PRODUCTS).reshape(-1, 5, 5) + 1e-6 * np.eye(5)
        right = (used * values) @ _BASIS
        coefficients = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        residual = values - coefficients @ _BASIS.T
        if not last:
            used = _without_far(np.where(np.isnan(present), np.nan, residual), weight)
    number = used.sum(axis=1)
    variance = (residual**2 * used).sum(axis=1) / np.maximum(number - 5.0, 1.0)
    return coefficients, np.sqrt(2.0 * variance / np.maximum(number, 1.0)), weight.mean(axis=1)


def _without_far(residual: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights without the sectors whose residual is beyond `_CLIP` robust sigma of their ellipse."""
    scatter = SIGMA_PER_DEVIATION * np.nanmedian(np.abs(residual), axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(residual) <= _CLIP * scatter + 1e-30, weight, 0.0)


def _slope(values: np.ndarray, step: float) -> np.ndarray:
    """dI/dln(sma): central differences over two radii on either side, which halve the noise."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    near = (padded[2:] - padded[:-2]) / (2.0 * step)
    near[0] *= 2.0
    near[-1] *= 2.0
    return near


def _centre_step(first: np.ndarray, error: np.ndarray, sma: np.ndarray, e: np.ndarray) -> tuple[float, float]:
    """How far the centre is off (px), from the first harmonics over the slope, weighted by what each radius knows.

    An outer ellipse counts less than its noise says: galaxies are lopsided.
    """
    scale = sma / (1.0 + ellipse.modulus(e[:, 0], e[:, 1]))
    dx = scale * ((1.0 + e[:, 0]) * first[:, 0] + e[:, 1] * first[:, 1])
    dy = scale * (e[:, 1] * first[:, 0] + (1.0 - e[:, 0]) * first[:, 1])
    with np.errstate(invalid="ignore", over="ignore"):
        weight = 1.0 / ((scale * error) ** 2 + (0.05 + 0.05 * sma) ** 2)
    weight = np.where(np.isfinite(weight) & (np.hypot(dx, dy) < 0.5 * sma + 0.5), weight, 0.0)
    total = float(weight.sum())
    if not total > 0:
        return 0.0, 0.0
    return float((weight * dx).sum()) / total, float((weight * dy).sum()) / total
