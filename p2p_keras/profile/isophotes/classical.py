"""The classical fit of isophotes to a masked, noisy image, at all radii at once.

Jedrzejewski's iteration (1987, MNRAS 226, 747): the first and second harmonics of the intensity along an ellipse say
how its centre and its shape are off, and the gradient by how much. Programs that follow him walk from one ellipse to
the next. Here all radii take a step together, and where noise, a gap or a flat profile leaves a radius without a say
its neighbours fill in: smoothly across, and at fixed geometry outward. All ellipses share one centre.

Images of several bands may be fitted together: each says by its own harmonics and its own gradient how far an ellipse
is off, and the mean of what they say counts, weighted by the inverse squares of their errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from p2p_keras.core import ellipse
from p2p_keras.core.robust import SIGMA_PER_DEVIATION
from p2p_keras.profile.isophotes.fitting import capped, stiffness_matrix
from p2p_keras.profile.isophotes.given import Ellipses
from p2p_keras.profile.isophotes.sampling import ReadImage

__all__ = ["STIFFNESS", "Shape", "Isophotes", "BandImage", "radii_to", "fit_isophotes", "fit_bands"]

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
_INWARD = 0.7
"""A wrong shape reads the galaxy at so much of a sector's distance from the centre at least."""

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


class BandImage(NamedTuple):
    """An image of one of several bands, and where the common ellipses' pixels lie on it (on the same pixels: None)."""

    image: ReadImage
    place: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None


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
    return fit_bands([BandImage(ReadImage(pixels, mask))], start, sma, fix_centre=fix_centre)


def fit_bands(bands: Sequence[BandImage], start: Shape, sma: np.ndarray, *, fix_centre: bool = False) -> Ellipses:
    """Fit ellipses to the isophotes of a galaxy in all of its bands together.

    Units and skies of the bands may differ: what counts are harmonics over gradients. A band counts at each radius by
    the error of its correction, so one without signal counts for nothing.

    Parameters
    ----------
    bands : sequence of BandImage
    start : Shape
        A first ellipse.
    sma : float array (K,)
        Semi-major axes, px, by equal factors.
    fix_centre : bool
        Keep the centre of `start`.

    Returns
    -------
    Ellipses
        As of `fit_isophotes`.
    """
    stiffness = stiffness_matrix(sma.size) * STIFFNESS
    x0, y0 = start.x0, start.y0
    e = np.tile(np.stack(ellipse.vector_from_angles(start.ellipticity, start.pa)), (sma.size, 1))
    first = e
    # Below a pixel and a half there is no shape to be seen: the inner geometry is continued.
    resolved = np.clip((sma - 1.0) / 1.0, 0.0, 1.0)
    moved = 0.0
    for iteration in range(ITERATIONS):
        corrections, shape_error = _together([_corrections(band, x0, y0, sma, e) for band in bands])
        damping = 0.9 / (1.0 + 0.4 * max(0, iteration + 1 - _FULL_STEPS))
        if not fix_centre and iteration < ITERATIONS - 2:
            shift = _centre_step(corrections[:, :2], shape_error, sma, e)
            x0, y0, moved = x0 + damping * shift[0], y0 + damping * shift[1], float(np.hypot(*shift))
        step = corrections[:, 2:].copy()
        length = np.hypot(step[:, 0], step[:, 1])
        step *= (damping * _MAX_STEP / np.maximum(length, _MAX_STEP))[:, None]
        wanted = np.stack(ellipse.compose(e[:, 0], e[:, 1], step[:, 0], step[:, 1]), axis=1)
        sure = resolved / (1.0 + (shape_error / _SURE) ** 2)
        # About a wrong centre an ellipse says nothing of its shape, the less so the thinner it is.
        minor = sma * np.maximum(1.0 - ellipse.angles_from_vector(e[:, 0], e[:, 1])[0], 0.1)
        sure /= 1.0 + (moved / (0.25 * minor)) ** 4
        matrix = stiffness + np.diag(sure + 1e-7)
        new = capped(np.linalg.solve(matrix, sure[:, None] * capped(wanted) + 1e-7 * first))
        change = float((np.abs(new - e).max(axis=1) * sure).max())
        e = new
        if change < _TOLERANCE and iteration > 2:
            break
    ellipticity, pa = ellipse.angles_from_vector(e[:, 0], e[:, 1])
    return Ellipses.of(x0, y0, sma, ellipticity, pa)


def _corrections(
    band: BandImage, x0: float, y0: float, sma: np.ndarray, e: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First and second harmonics over the gradient dI/dln(sma), (K, 4), and the error (K,) of one of them.

    0 with an infinite error where the band says nothing: it is hidden, or its light doesn't fall.
    """
    values, weight = _sectors(band, x0, y0, sma, e)
    coefficients, error, used = _fitted(values, weight, sma, e)
    slope, share = _slope(band, x0, y0, sma, e, used), weight.mean(axis=1)
    known = (share > 0.4) & (slope > 0) & np.isfinite(error)
    safe = np.where(known, slope, 1.0)
    return np.where(known[:, None], coefficients[:, 1:] / safe[:, None], 0.0), np.where(known, error / safe, np.inf)


def _together(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The mean of the bands' corrections, weighted by the inverse squares of their errors; and its error."""
    corrections, error = (np.stack(parts) for parts in zip(*found, strict=True))
    least = error.min(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Of errors that are all infinite, or 0, too.
        weight = np.where(error == least, 1.0, (least / error) ** 2)
    total = weight.sum(axis=0)
    return (weight[:, :, None] * corrections).sum(axis=0) / total[:, None], least / np.sqrt(total)


def _sectors(
    band: BandImage, x0: float, y0: float, sma: np.ndarray, e: np.ndarray, sectors: int = SECTORS, spacing: float = 1.5
) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each sector and the share of its points that count, both (K, sectors).

    A sector's points are no farther than `spacing` px from each other.
    """
    points = np.maximum(1, 2 ** np.ceil(np.log2(np.maximum(2.0 * np.pi * sma / sectors / spacing, 1.0)))).astype(int)
    values, weight = np.zeros((2, sma.size, sectors))
    for count in np.unique(points):
        rows = np.flatnonzero(points == count)
        offsets = (np.arange(count) - 0.5 * (count - 1)) / count
        t = ((np.arange(sectors)[:, None] + offsets) * (2.0 * np.pi / sectors)).ravel()
        dx, dy = ellipse.points(sma[rows, None], e[rows, :1], e[rows, 1:], np.cos(t), np.sin(t))
        x, y = x0 + dx, y0 + dy
        read, good = band.image.values(*(band.place(x, y) if band.place else (x, y)))
        number = good.reshape(rows.size, sectors, count).sum(axis=2)
        values[rows] = read.reshape(rows.size, sectors, count).sum(axis=2) / np.maximum(number, 1)
        weight[rows] = number / count
    return values, weight


def _fitted(
    values: np.ndarray, weight: np.ndarray, sma: np.ndarray, e: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients (K, 5) of 1, cos t, sin t, cos 2t, sin 2t, the error (K,) of one, and the weights (K, SECTORS) used.

    Sectors that stand out of the fit, a star's that no mask has, are left out and the rest is fitted again.
    """
    # A star that no mask has would bend the first fit so that it no longer stands out. A harmonic's amplitude is about
    # one such scatter: an ellipse that is off stays whole.
    present = np.where((weight > 0) | ~np.any(weight, axis=1, keepdims=True), values, np.nan)
    middle = _row_median(present)
    galaxy = values <= _brightest(middle[:, 0], sma, e)
    used = _without_far(present - middle, weight, galaxy)
    for last in (False, True):
        normal = (used @ _PRODUCTS).reshape(-1, 5, 5) + 1e-6 * np.eye(5)
        right = (used * values) @ _BASIS
        coefficients = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        residual = values - coefficients @ _BASIS.T
        if not last:
            used = _without_far(np.where(np.isnan(present), np.nan, residual), weight, galaxy)
    number = used.sum(axis=1)
    variance = (residual**2 * used).sum(axis=1) / np.maximum(number - 5.0, 1.0)
    return coefficients, np.sqrt(2.0 * variance / np.maximum(number, 1.0)), used


def _brightest(middle: np.ndarray, sma: np.ndarray, e: np.ndarray) -> np.ndarray:
    """How bright the galaxy may be in each sector (K, SECTORS): as along ellipses of `_INWARD` of its distance.

    A thin ellipse along a bar passes through the bright core on both of its sides. Were these taken for stars, the rest
    would look like an isophote, and the ellipse become thinner still.
    """
    dx, dy = ellipse.points(sma[:, None], e[:, :1], e[:, 1:], _BASIS[:, 1], _BASIS[:, 2])
    falling = np.maximum.accumulate(middle[::-1])[::-1]
    return np.interp(np.log(_INWARD * np.hypot(dx, dy)), np.log(sma), falling, left=np.inf)


def _without_far(residual: np.ndarray, weight: np.ndarray, galaxy: np.ndarray) -> np.ndarray:
    """Weights without the sectors whose residual is beyond `_CLIP` robust sigma of their ellipse, but the galaxy's."""
    size = np.abs(residual)
    with np.errstate(invalid="ignore"):
        near = size <= _CLIP * SIGMA_PER_DEVIATION * _row_median(size) + 1e-30
        return np.where(near | (galaxy & (residual > 0.0)), weight, 0.0)


def _row_median(values: np.ndarray) -> np.ndarray:
    """Median of each row's numbers, (K, 1): what `numpy.nanmedian` says, at a tenth of its time for short rows."""
    ordered = np.sort(values, axis=1)  # NaN last
    number = np.maximum(np.isfinite(values).sum(axis=1, keepdims=True), 1)
    return 0.5 * (
        np.take_along_axis(ordered, (number - 1) // 2, axis=1) + np.take_along_axis(ordered, number // 2, axis=1)
    )


def _slope(band: BandImage, x0: float, y0: float, sma: np.ndarray, e: np.ndarray, used: np.ndarray) -> np.ndarray:
    """-dI/dln(sma) of ellipses of one shape, (K,): sector by sector, a step of the radii inward and outward.

    Neighbouring ellipses don't say it where they have other shapes: along a bar light may rise from one to the next
    though it falls along every ray. 0 where fewer than four tenths of the sectors are seen on both sides.
    """
    log_step = float(np.log(sma[1] / sma[0]))
    number = SECTORS // 2  # half as many points as for the harmonics: a mean needs no more
    (inner, inner_weight), (outer, outer_weight) = (
        _sectors(band, x0, y0, sma * factor, e, number, 3.0) for factor in (np.exp(-log_step), np.exp(log_step))
    )
    weight = used[:, ::2] * inner_weight * outer_weight
    total = weight.sum(axis=1)
    fall = (weight * (inner - outer)).sum(axis=1) / (2.0 * log_step)
    return np.where(total > 0.4 * number, fall / np.maximum(total, 1.0), 0.0)


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
