"""What an isophote is, by several definitions: labels carry that it isn't unique.

- ``fit``: ellipses about the galaxy's centre, fitted to all radii at once (`truth.measure_truth`).
- ``free``: an ellipse of its own centre at each radius, from the harmonics of the intensity in the polar angle, as
  Jedrzejewski 1987, MNRAS 226, 747 and after him IRAF's and photutils' `ellipse` have it.
- ``moments``: the shape of all that is brighter than a level, about the galaxy's centre.

The intensity is the mean along the ellipse in each. On smooth galaxies they agree within some thousandths of a
magnitude; with bars, arms and edge-on discs by some hundredths, which is what a network can't know and its errors
should hold.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from p2p_keras.core import ellipse, radii
from p2p_keras.data.mocks.truth import MIN_SHARE_INSIDE, Truth, mean_along_ellipses, measure_truth
from p2p_keras.profile.isophotes import fitting
from p2p_keras.profile.isophotes.sampler import GalaxySampler

__all__ = ["SHARES", "draw_definition", "measure_by"]

SHARES: Mapping[str, float] = {"fit": 0.35, "free": 0.50, "moments": 0.15}
"""Share of the galaxies whose truth is measured by each definition, with ``--truth any``: most by what users compare
with."""

_ITERATIONS = 6
_DAMPING = 0.75
_MIN_Q = 1.0 - fitting.MAX_ELLIPTICITY
_FIRST_PX = 1.5
"""Nearer to the centre the pixels decide."""


def draw_definition(rng: np.random.Generator) -> str:
    """A definition, by `SHARES`."""
    return str(rng.choice(list(SHARES), p=list(SHARES.values())))


def measure_by(definition: str, image: np.ndarray, x0: float, y0: float) -> Truth:
    """Measure the profile of a noise-free galaxy image by one definition.

    Parameters
    ----------
    definition : str
        A key of `SHARES`.
    image, x0, y0
        As `truth.measure_truth` takes them.

    Returns
    -------
    Truth
        On the same radii by every definition.
    """
    truth = measure_truth(image, x0, y0)
    if definition == "fit":
        return truth
    image = np.asarray(image, dtype=float)
    unit = max(float(image.max()), 1e-300)
    sampler = GalaxySampler(image / unit, x0, y0)
    grid = radii.grid_px(max(image.shape))
    if definition == "moments":
        e1, e2 = fitting.level_moments(sampler.image, x0, y0, grid)
        x, y = np.full(grid.size, x0), np.full(grid.size, y0)
    else:
        # Where the image covers too little of an ellipse, the last one that it covers goes on.
        known = np.isfinite(truth.e1)
        start = (np.interp(grid, grid[known], part[known]) for part in (truth.e1, truth.e2))
        x, y, e1, e2 = _free_ellipses(sampler, x0, y0, grid, *start)
    intensity, share = mean_along_ellipses(sampler, x, y, grid, e1, e2)
    ellipticity, pa = ellipse.angles_from_vector(e1, e2)
    columns = (intensity * unit, ellipticity, pa, e1, e2)
    return Truth(grid, *(np.where(share >= MIN_SHARE_INSIDE, column, np.nan) for column in columns))


def _free_ellipses(
    sampler: GalaxySampler, x0: float, y0: float, grid: np.ndarray, e1: np.ndarray, e2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Centres (x, y) and ellipse vectors at each radius of the grid.

    Every second radius is fitted, the others lie between. The four harmonics are corrected together, a little damped.
    """
    rows = np.arange(grid.size - 1, -1, -2)[::-1]
    sma = grid[rows]
    x, y = np.full(sma.size, x0), np.full(sma.size, y0)
    ellipticity, pa = ellipse.angles_from_vector(e1[rows], e2[rows])
    q, pa = 1.0 - ellipticity, np.deg2rad(pa)
    phi = 2.0 * np.pi * np.arange(fitting.NUM_ANGLES) / fitting.NUM_ANGLES
    cos, sin = np.cos(phi), np.sin(phi)
    core = int(np.searchsorted(sma, sampler.core_radius - 3.0))
    moving = sma >= _FIRST_PX
    for _ in range(_ITERATIONS):
        r = sma[:, None] * q[:, None] / np.sqrt((q[:, None] * cos) ** 2 + sin**2)
        c, s = np.cos(pa)[:, None], np.sin(pa)[:, None]
        px, py = x[:, None] + r * (cos * c - sin * s), y[:, None] + r * (cos * s + sin * c)
        inside = sampler.inside(px, py)
        harmonics, share = fitting.harmonics(sampler.values(px, py, core) * inside, inside)
        slope = fitting.gradient(harmonics[:, 0], float(np.log(sma[1] / sma[0])))  # sma dI/dsma
        steep = (slope < -0.08 * harmonics[:, 0]) & (share > 0.6) & (harmonics[:, 0] > 0.1 * fitting.LIGHT_END)
        step = _DAMPING * (moving & steep) / np.where(steep, slope, -1.0)
        along = np.clip(-harmonics[:, 1] * step, -0.1, 0.1) * sma
        across = np.clip(-harmonics[:, 2] * q * step, -0.1, 0.1) * sma
        x, y = x + along * c[:, 0] - across * s[:, 0], y + along * s[:, 0] + across * c[:, 0]
        flatness = np.minimum(q * q - 1.0, -0.02)
        pa = pa + np.clip(2.0 * q * harmonics[:, 4] * step / flatness, -0.3, 0.3)
        q = np.clip(q + np.clip(2.0 * q * harmonics[:, 3] * step, -0.12, 0.12), _MIN_Q, 1.0)
        # An isophote whose centre has left the ellipse inside it has got lost in another structure.
        lost = np.hypot(x - x0, y - y0) > 0.35 * sma + 0.5
        x[lost], y[lost] = x0, y0
    modulus = (1.0 - q) / (1.0 + q)
    parts = (x, y, modulus * np.cos(2.0 * pa), modulus * np.sin(2.0 * pa))
    on_grid = tuple(np.interp(np.log(grid), np.log(sma), part) for part in parts)
    return on_grid[0], on_grid[1], on_grid[2], on_grid[3]
