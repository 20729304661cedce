"""Fields from empty to crowded, with all the light below detection, and what pipelines leave in them.

The background under a galaxy is the mean of what lies there: sources too faint to be seen one by one, wings of the
brighter ones. It is in the image and in no label of the target; its mean is part of the label `sky`, since no method
could tell it from sky.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from p2p_keras.core.units import flux_from_mag
from p2p_keras.data.mocks.light import MIDDLE, band_factor, jitter
from p2p_keras.data.mocks.rendering import PAD_PX, Canvas
from p2p_keras.data.mocks.streams import log_uniform
from p2p_keras.data.mocks.surroundings import (
    GALAXIES_AT_20,
    GALAXY_SLOPE,
    STAR_SLOPE,
    STARS_AT_20,
    Surroundings,
    draw_surroundings,
    field_size,
)

__all__ = [
    "SHARES",
    "SEEN_ONE_BY_ONE",
    "FAINTER",
    "FLAT_FROM",
    "FLAT_SLOPE",
    "Faint",
    "draw_field",
    "plane_of_points",
    "RESIDUALS",
    "add_residuals",
]

SHARES = {"empty": 0.15, "sparse": 0.20, "usual": 0.42, "crowded": 0.23}
"""How full the fields of ``--field any`` are."""

SEEN_ONE_BY_ONE = 0.3
"""Sources this much brighter than the 5-sigma depth, mag, are drawn one by one; fainter ones as points."""
FAINTER = 3.5
"""Down to this much below the depth, mag: what lies deeper adds less than a tenth to their light."""
FLAT_FROM = 24.0
FLAT_SLOPE = 0.25
"""Galaxy counts rise more slowly beyond r = 24: some 700 a square arcmin at 30, as deep fields have (Rafelski et al.
2015, AJ 150, 31)."""
_MAX_POINTS = 6000
_GRAINS = 5


@dataclass(frozen=True)
class Faint:
    """Sources below detection: places in arcsec from the image's centre, r magnitudes, half-light radii (0: stars)."""

    x: np.ndarray
    y: np.ndarray
    mag: np.ndarray
    r50: np.ndarray


def draw_field(
    half_side: float,
    depth: float,
    target_mag: float,
    target_r50: float,
    rng: np.random.Generator,
    kind: str = "any",
) -> tuple[Surroundings, Faint]:
    """Objects of a field, as `surroundings.draw_surroundings` draws them, of any density.

    Parameters
    ----------
    half_side : float
        Half the image's side, arcsec.
    depth : float
        5-sigma depth for point sources, r.
    target_mag, target_r50 : float
    rng : Generator
    kind : str
        ``"any"`` (drawn by `SHARES`), or one of its keys.
    """
    if kind == "any":
        shares = np.array(list(SHARES.values()))
        kind = str(rng.choice(list(SHARES), p=shares / shares.sum()))
    nothing = np.zeros(0)
    if kind == "empty":
        return Surroundings((), ()), Faint(nothing, nothing, nothing, nothing)
    stars, galaxies = {
        "sparse": (log_uniform(rng, 0.05, 0.5), log_uniform(rng, 0.1, 0.6)),
        "usual": (1.0, 1.0),
        # To the density of the plane of the Milky Way, and of the middle of a cluster.
        "crowded": (log_uniform(rng, 2.0, 30.0), log_uniform(rng, 1.0, 5.0)),
    }[kind]
    limit = depth - SEEN_ONE_BY_ONE
    objects = draw_surroundings(
        half_side, limit, target_mag, target_r50, rng, star_factor=stars, galaxy_factor=galaxies
    )
    return objects, _draw_faint(half_side, limit, limit + SEEN_ONE_BY_ONE + FAINTER, stars, galaxies, rng)


def _draw_faint(
    half_side: float, bright: float, faint: float, stars: float, galaxies: float, rng: np.random.Generator
) -> Faint:
    area = (2.2 * half_side / 60.0) ** 2
    at_break = GALAXIES_AT_20 * 10.0 ** (GALAXY_SLOPE * (FLAT_FROM - 20.0))
    steep = _counts(galaxies * area * at_break, GALAXY_SLOPE, bright, min(faint, FLAT_FROM), rng)
    flat = _counts(galaxies * area * at_break, FLAT_SLOPE, max(bright, FLAT_FROM), faint, rng)
    points = _counts(
        stars * area * STARS_AT_20 * 10.0 ** (STAR_SLOPE * (FLAT_FROM - 20.0)), STAR_SLOPE, bright, faint, rng
    )
    mag = np.concatenate([steep, flat, points])
    number = mag.size
    r50 = field_size(0.0, rng) * 10.0 ** (-0.12 * mag + rng.normal(0.0, 0.15, number))
    r50[number - points.size :] = 0.0
    x, y = rng.uniform(-1.1 * half_side, 1.1 * half_side, (2, number))
    return Faint(x, y, mag, np.minimum(r50, 2.0))


def _counts(number: float, slope: float, bright: float, faint: float, rng: np.random.Generator) -> np.ndarray:
    """Magnitudes of a Poisson draw from ``N(<m) = number 10^(slope (m - FLAT_FROM))`` between two magnitudes."""
    if faint <= bright:
        return np.zeros(0)
    low, high = 10.0 ** (slope * (bright - FLAT_FROM)), 10.0 ** (slope * (faint - FLAT_FROM))
    count = min(int(rng.poisson(min(number * (high - low), 1e6))), _MAX_POINTS)
    return FLAT_FROM + np.log10(rng.uniform(low, high, count)) / slope


def plane_of_points(
    faint: Faint, canvas: Canvas, band: str, zero_point: float, rng: np.random.Generator
) -> tuple[np.ndarray | None, float]:
    """Sources below detection on the canvas's grid before the PSF, each galaxy in some grains of its light.

    Returns
    -------
    plane : float array (side, side), flux per pixel; None where there are no sources
    level : float
        Their mean over the image, flux per pixel.
    """
    number = faint.mag.size
    if not number:
        return None, 0.0
    side, scale = canvas.side, canvas.pixel_scale
    colour = band_factor(jitter(MIDDLE, rng), band)
    flux = flux_from_mag(faint.mag, zero_point) * colour / _GRAINS
    # Exponential discs seen at any angle: radii of a Gamma law of scale r50 / 1.68.
    radius = rng.gamma(2.0, 1.0, (_GRAINS, number)) * (faint.r50 / 1.68)
    angle = rng.uniform(0.0, 2.0 * np.pi, (_GRAINS, number))
    middle = PAD_PX + 0.5 * (canvas.size - 1)
    x = (middle + (faint.x + radius * np.cos(angle)) / scale).ravel()
    y = (middle + (faint.y + radius * np.sin(angle)) / scale).ravel()
    flux = np.broadcast_to(flux, (_GRAINS, number)).ravel()
    inside = (x >= 0.0) & (x < side - 1.0) & (y >= 0.0) & (y < side - 1.0)
    x, y, flux = x[inside], y[inside], flux[inside]
    column, row = x.astype(np.intp), y.astype(np.intp)
    u, v = x - column, y - row
    place = row * side + column
    flat = np.zeros(side * side)
    for shift, weight in ((0, (1 - u) * (1 - v)), (1, u * (1 - v)), (side, (1 - u) * v), (side + 1, u * v)):
        flat += np.bincount(place + shift, flux * weight, minlength=side * side)
    plane = flat.reshape(side, side)
    return plane, float(canvas.cropped(plane).mean())


RESIDUALS = {"banding": 0.05, "step": 0.05, "fringes": 0.03, "bowls": 0.07, "ghost": 0.03}
"""What pipelines leave, and the share of the images of ``--field any`` that have it."""


def add_residuals(
    image: np.ndarray,
    x0: float,
    y0: float,
    noise: float,
    rng: np.random.Generator,
    kinds: tuple[str, ...] | None = None,
) -> float:
    """Add what a pipeline leaves in an image, in place: drawn by `RESIDUALS`, or the kinds that are asked for.

    Returns
    -------
    float
        What that adds to the sky at the target, flux per pixel: of a step alone, since the others come and go.
    """
    if kinds is None:
        kinds = tuple(kind for kind, share in RESIDUALS.items() if rng.random() < share)
    side, level = image.shape[0], 0.0
    number = np.arange(side, dtype=np.float32)
    for kind in kinds:
        if kind == "banding":
            lines: np.ndarray = rng.normal(0.0, noise * log_uniform(rng, 0.03, 0.3), (side,))
            image += lines[:, None] if rng.random() < 0.5 else lines[None, :]
        elif kind == "step":
            # Two amplifiers whose bias was taken off a little differently.
            edge, height = float(rng.uniform(0.15, 0.85)) * side, float(noise * rng.normal(0.0, 0.3))
            upright = rng.random() < 0.6
            beyond = number > edge
            image += height * (beyond[None, :] if upright else beyond[:, None])
            level += height * float((x0 if upright else y0) > edge)
        elif kind == "fringes":
            angle, period = rng.uniform(0.0, np.pi), side * log_uniform(rng, 0.06, 0.3)
            along = number[None, :] * np.cos(angle) + number[:, None] * np.sin(angle)
            bend = np.float32(rng.normal(0.0, 4.0 / side)) * (number[None, :] - 0.5 * side)
            wave = np.cos((2.0 * np.pi / period) * along * (1.0 + 0.05 * bend) + rng.uniform(0.0, 6.28))
            image += (noise * log_uniform(rng, 0.03, 0.4)) * wave
        elif kind == "bowls":
            _subtract_bowls(image, noise, rng)
        else:
            cx, cy = rng.uniform(0.0, side, 2)
            radius = side * log_uniform(rng, 0.06, 0.3)
            r = np.hypot(number[None, :] - cx, number[:, None] - cy) / radius
            # The pupil, out of focus: a disc with the secondary's shadow.
            image += (noise * log_uniform(rng, 0.05, 1.0)) * ((r < 1.0) & (r > 0.35))
    return level


def _subtract_bowls(image: np.ndarray, noise: float, rng: np.random.Generator) -> None:
    """Sky taken off too generously around all that is bright: a local background of meshes saw its light."""
    from scipy.ndimage import gaussian_filter, zoom

    side = image.shape[0]
    mesh = max(side // 12, 4)
    number = side // mesh
    whole = np.minimum(image[: number * mesh, : number * mesh], 3.0 * noise)
    coarse = whole.reshape(number, mesh, number, mesh).mean(axis=(1, 3))
    coarse = gaussian_filter(coarse, 1.0, mode="nearest")
    bowl = zoom(coarse, side / number, order=1, mode="nearest", grid_mode=True)[:side, :side]
    image -= rng.uniform(0.1, 0.6) * np.clip(bowl, 0.0, 1.0 * noise)
