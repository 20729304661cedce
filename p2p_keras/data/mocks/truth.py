"""The true profile of a noise-free galaxy image without neighbours: what a perfect measurement would find.

Intensity is the mean of the image along ellipses about one common centre, as in the labels that the paper used
(Courteau 1996, ApJS 103, 363), equally spaced in eccentric angle: the mean of the thin annulus between two similar
ellipses, so that the profile integrates to the galaxy's flux.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from p2p_keras.core import ellipse, radii
from p2p_keras.profile.isophotes import fitting as isophotes
from p2p_keras.profile.isophotes.sampler import GalaxySampler

__all__ = ["MIN_SHARE_INSIDE", "Truth", "measure_truth", "mean_along_ellipses"]

MIN_SHARE_INSIDE = 0.5
"""Least part of an ellipse that the image must cover."""

_MIN_ANGLES = 32


@dataclass(frozen=True)
class Truth:
    """Profile of a noise-free image; arrays (N,), NaN where the image covers less than half of the ellipse.

    Attributes
    ----------
    sma : float array
        Semi-major axis, pixels; always finite.
    intensity : float array
        Mean flux per pixel along the ellipse.
    ellipticity, pa : float array
        1 - b/a, and position angle in degrees counter-clockwise from the image's +x axis, in [0, 180).
    e1, e2 : float array
        The same as ellipse vector (`p2p_keras.core.ellipse`).
    """

    sma: np.ndarray
    intensity: np.ndarray
    ellipticity: np.ndarray
    pa: np.ndarray
    e1: np.ndarray
    e2: np.ndarray


def measure_truth(image: np.ndarray, x0: float, y0: float, *, sma: np.ndarray | None = None) -> Truth:
    """Measure the profile of a noise-free galaxy about a known centre.

    Parameters
    ----------
    image : array (H, W)
        Flux per pixel of the galaxy alone, after the PSF, without sky. A pixel that isn't finite is left out.
    x0, y0 : float
        Centre in pixels; (0, 0) is the centre of the first pixel.
    sma : array (N,), optional
        Semi-major axes in pixels, increasing; `radii.grid_px` of the image's longer side by default. The geometry is
        fitted on that grid and interpolated, so that it doesn't depend on the radii that are asked for.

    Returns
    -------
    Truth
    """
    # Scaled to a peak of one, so that no number in the fit depends on the image's unit.
    image = np.asarray(image, dtype=float)
    peak = float(np.nanmax(np.abs(image), initial=0.0, where=np.isfinite(image)))
    unit = peak if peak > 0.0 else 1.0
    sampler = GalaxySampler(image / unit, x0, y0)

    grid = radii.grid_px(max(image.shape))
    start = isophotes.level_moments(sampler.image, x0, y0, grid)
    e1, e2 = isophotes.fit_ellipses(sampler, x0, y0, grid, start)
    if sma is None:
        sma = grid
    else:
        sma = np.asarray(sma, dtype=float)
        e1 = np.interp(np.log(sma), np.log(grid), e1)
        e2 = np.interp(np.log(sma), np.log(grid), e2)

    intensity, share = mean_along_ellipses(sampler, x0, y0, sma, e1, e2)
    ellipticity, pa = ellipse.angles_from_vector(e1, e2)
    columns = (intensity * unit, ellipticity, pa, e1, e2)
    return Truth(sma, *(np.where(share >= MIN_SHARE_INSIDE, column, np.nan) for column in columns))


def mean_along_ellipses(
    sampler: GalaxySampler,
    x0: float | np.ndarray,
    y0: float | np.ndarray,
    sma: np.ndarray,
    e1: np.ndarray,
    e2: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mean intensity along each ellipse, at least a sample per pixel of arc, and the share of it inside the image.

    The centre is one for all, or arrays (N,) of each ellipse's own.

    Returns
    -------
    intensity, share : float arrays (N,)
        Intensity is 0 where no part is inside.
    """
    counts, cos_t, sin_t = _angles(tuple(sma))
    starts = np.cumsum(counts) - counts
    dx, dy = ellipse.points(sma, e1, e2, 1.0, 0.0)
    ux, uy = ellipse.points(sma, e1, e2, 0.0, 1.0)
    if np.ndim(x0):
        x0, y0 = np.repeat(x0, counts), np.repeat(y0, counts)
    x = x0 + np.repeat(dx, counts) * cos_t + np.repeat(ux, counts) * sin_t
    y = y0 + np.repeat(dy, counts) * cos_t + np.repeat(uy, counts) * sin_t
    inside = sampler.inside(x, y)
    core = int(counts[: np.searchsorted(sma, sampler.core_radius)].sum())
    values = sampler.values(x, y, core)
    number = np.add.reduceat(inside, starts)
    intensity = np.add.reduceat(values * inside, starts) / np.maximum(number, 1.0)
    return intensity, number / counts


@lru_cache(maxsize=8)
def _angles(sma: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of angles of each ellipse (a multiple of 4), and cosine and sine of all of them in one row."""
    counts = np.maximum(_MIN_ANGLES, 4 * np.ceil(0.5 * np.pi * np.asarray(sma))).astype(np.intp)
    starts = np.cumsum(counts) - counts
    t = (np.arange(counts.sum()) - np.repeat(starts, counts)) * np.repeat(2.0 * np.pi / counts, counts)
    return counts, np.cos(t), np.sin(t)
