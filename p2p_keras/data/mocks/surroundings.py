"""What else is in the picture: stars and other galaxies at real densities, companions, clusters.

Drawn in arcsec about the image's centre and in r-band magnitudes, so that all bands and surveys see the same sky.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from p2p_keras.core.units import flux_from_mag
from p2p_keras.data.mocks import galaxies
from p2p_keras.data.mocks.components import Galaxy, Spheroid
from p2p_keras.data.mocks.light import MIDDLE, OLD, Colour, band_factor, jitter
from p2p_keras.data.mocks.psf import PSF, stamp_radius
from p2p_keras.data.mocks.rendering import PAD_PX, Canvas, add_knots, light_on_grid, point_source
from p2p_keras.data.mocks.streams import clipped_normal, log_uniform
from p2p_keras.data.mocks.surveys import Conditions

__all__ = [
    "STARS_AT_20",
    "STAR_SLOPE",
    "GALAXIES_AT_20",
    "GALAXY_SLOPE",
    "BRIGHTEST_STAR",
    "BRIGHTEST_NEIGHBOUR",
    "MAX_OBJECTS",
    "STAMP_LEVEL",
    "Star",
    "Neighbour",
    "Surroundings",
    "draw_surroundings",
    "draw_near_star",
    "star_colour",
    "field_size",
    "draw_neighbour",
    "render_neighbours",
    "render_stars",
]

STARS_AT_20 = 0.45
"""Stars brighter than r = 20 per square arcmin at high galactic latitude, 1600 a square degree; the counts rise by 0.19
dex a magnitude (Juric et al. 2008, ApJ 673, 864; Bahcall & Soneira 1980)."""
STAR_SLOPE = 0.19
GALAXIES_AT_20 = 0.55
"""Galaxies brighter than r = 20 per square arcmin, 2000 a square degree, rising by 0.42 dex a magnitude there and 0.35
further down (Yasuda et al. 2001, AJ 122, 1104; Capak et al. 2007, ApJS 172, 99)."""
GALAXY_SLOPE = 0.40

BRIGHTEST_STAR = 8.0
BRIGHTEST_NEIGHBOUR = 12.5
MAX_OBJECTS = 250
STAMP_LEVEL = 0.05
"""A star is drawn out to where it has sunk to this share of the noise."""

_WHOLE_REACH = 20.0
"""Another galaxy of all its parts is drawn out to this many half-light radii, where a Sersic law of n 4 has
fallen to 2e-4 of its intensity at one."""


@dataclass(frozen=True)
class Star:
    """A star: place in arcsec from the image's centre, r magnitude, colour."""

    x: float
    y: float
    mag: float
    colour: Colour


@dataclass(frozen=True)
class Neighbour:
    """Another galaxy: a Sersic body, or a whole one of any class."""

    x: float
    y: float
    mag: float
    body: Spheroid
    whole: Galaxy | None = None


@dataclass(frozen=True)
class Surroundings:
    """All other objects of a scene."""

    stars: tuple[Star, ...]
    neighbours: tuple[Neighbour, ...]


def draw_surroundings(
    half_side: float,
    faintest: float,
    target_mag: float,
    target_r50: float,
    rng: np.random.Generator,
    *,
    star_factor: float = 1.0,
    galaxy_factor: float = 1.0,
) -> Surroundings:
    """Objects within and just outside an image.

    Parameters
    ----------
    half_side : float
        Half the image's side, arcsec.
    faintest : float
        Faintest magnitude worth drawing, r.
    target_mag, target_r50 : float
        Of the target: companions are drawn about it, and no field galaxy closer to the centre than it.
    rng : Generator
    star_factor, galaxy_factor : float, optional
        How many times the usual number of either.
    """
    area = (2.0 * half_side / 60.0) ** 2
    free = max(0.06 * half_side, 0.35 * target_r50)
    # Star counts vary by a factor of ten with galactic latitude; lognormal here, to the plane's edge.
    crowding = star_factor * float(np.exp(rng.normal(0.3, 0.7)))
    stars = []
    for mag in _magnitudes(STARS_AT_20 * crowding * area, STAR_SLOPE, BRIGHTEST_STAR, min(faintest, 25.0), rng):
        x, y = rng.uniform(-half_side, half_side, 2)
        colour = star_colour(rng)
        # With a star as bright as that on its centre nobody would have chosen the galaxy.
        if mag > target_mag + 1.5 or np.hypot(x, y) > free:
            stars.append(Star(float(x), float(y), mag, colour))
    # Light of bright stars just outside reaches in.
    for mag in _magnitudes(8.0 * STARS_AT_20 * crowding * area, STAR_SLOPE, BRIGHTEST_STAR, 15.0, rng):
        x, y = rng.uniform(-1.5 * half_side, 1.5 * half_side, 2)
        if max(abs(x), abs(y)) > half_side:
            stars.append(Star(float(x), float(y), mag, star_colour(rng)))

    neighbours = []
    for mag in _magnitudes(galaxy_factor * GALAXIES_AT_20 * area, GALAXY_SLOPE, BRIGHTEST_NEIGHBOUR, faintest, rng):
        x, y = rng.uniform(-1.1 * half_side, 1.1 * half_side, 2)
        r50 = field_size(mag, rng)
        if np.hypot(x, y) > free + (r50 if mag < target_mag + 2.0 else 0.0):
            neighbours.append(draw_neighbour(float(x), float(y), mag, r50, rng))
    neighbours += _companions(half_side, target_mag, target_r50, rng)
    if rng.random() < 0.07:
        neighbours += _cluster(half_side, target_mag, free, rng)
    return Surroundings(tuple(stars[:MAX_OBJECTS]), tuple(neighbours[:MAX_OBJECTS]))


def draw_near_star(
    target_mag: float, target_r50: float, fwhm: float, x: float, y: float, share: float, rng: np.random.Generator
) -> tuple[Star, ...]:
    """A star on the target or beside it, in a share of the scenes: the hard case of finding the centre.

    Parameters
    ----------
    target_mag, target_r50 : float
        Of the target, r-band magnitude and arcsec.
    fwhm : float
        Of the PSF, arcsec: nearer to the centre than 1.2 of it nobody could tell the two apart.
    x, y : float
        The target's place in arcsec from the image's centre.
    share : float
        Probability of a star.
    rng : Generator
    """
    if rng.random() >= share:
        return ()
    distance = 1.2 * fwhm + target_r50 * rng.uniform(0.0, 2.5)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    mag = target_mag + rng.uniform(-0.5, 4.0)
    return (Star(x + distance * np.cos(angle), y + distance * np.sin(angle), mag, star_colour(rng)),)


def _magnitudes(
    number_at_20: float, slope: float, bright: float, faint: float, rng: np.random.Generator
) -> list[float]:
    """Poisson draw from counts ``N(<m) = number_at_20 10^(slope (m - 20))`` between two magnitudes."""
    low, high = 10.0 ** (slope * (bright - 20.0)), 10.0 ** (slope * (faint - 20.0))
    number = min(int(rng.poisson(max(number_at_20 * (high - low), 0.0))), MAX_OBJECTS)
    return [float(m) for m in 20.0 + np.log10(rng.uniform(low, high, number)) / slope]


def star_colour(rng: np.random.Generator) -> Colour:
    """Main sequence: g-r of 0.2 to 1.5 (Covey et al. 2007, AJ 134, 2398)."""
    red = rng.random()
    g_r = 0.25 + 1.2 * red**1.3
    r_i = 0.1 + 0.25 * red + 1.0 * red**4
    return {"g": g_r, "i": -r_i, "z": -1.5 * r_i}


def field_size(mag: float, rng: np.random.Generator) -> float:
    """Half-light radius of a field galaxy: 2.6 arcsec at r = 18, 0.12 dex less a magnitude, scatter 0.2 dex.

    Shen et al. 2003, MNRAS 343, 978, through the counts.
    """
    return float(2.6 * 10.0 ** (-0.12 * (mag - 18.0) + rng.normal(0.0, 0.2)))


def draw_neighbour(
    x: float, y: float, mag: float, r50: float, rng: np.random.Generator, old: bool = False, whole_share: float = -1.0
) -> Neighbour:
    """A galaxy at a place (arcsec); whole, with all its structure, where bright or in a given share of the draws."""
    early = old or rng.random() < 0.3
    q = clipped_normal(rng, 0.75 if early else 0.6, 0.18, 0.2, 1.0)
    colour = jitter(OLD if early else MIDDLE, rng, 0.12)
    n = clipped_normal(rng, 3.5, 1.0, 2.0, 6.0) if early else clipped_normal(rng, 1.2, 0.4, 0.6, 2.5)
    body = Spheroid(1.0, r50 / np.sqrt(q), n, q, rng.uniform(0.0, np.pi), colour)
    whole = None
    share = whole_share
    if share < 0.0:
        share = 0.7 if not old and mag < 18.0 else 0.0
    if share and rng.random() < share:
        kind = galaxies.draw_kind(rng)
        whole = galaxies.draw_galaxy(kind, r50, mag, rng)
    return Neighbour(x, y, mag, body, whole)


def _companions(half_side: float, target_mag: float, target_r50: float, rng: np.random.Generator) -> list[Neighbour]:
    """A companion in an eighth of the scenes, and in a twentieth a neighbour brighter than the target."""
    companions = []
    if rng.random() < 0.12:
        distance = target_r50 * rng.uniform(1.3, 4.0)
        mag = target_mag + rng.uniform(0.0, 3.5)
        r50 = target_r50 * 10.0 ** (-0.2 * 0.7 * (mag - target_mag) + rng.normal(0.0, 0.1))
        angle = rng.uniform(0.0, 2.0 * np.pi)
        companions.append(draw_neighbour(distance * np.cos(angle), distance * np.sin(angle), mag, r50, rng))
    if rng.random() < 0.05:
        mag = target_mag - rng.exponential(0.9)
        r50 = max(target_r50, field_size(mag, rng)) * log_uniform(rng, 0.7, 1.5)
        distance = max(target_r50 * 1.5 + r50, half_side * rng.uniform(0.25, 1.1))
        angle = rng.uniform(0.0, 2.0 * np.pi)
        companions.append(draw_neighbour(distance * np.cos(angle), distance * np.sin(angle), mag, r50, rng))
    return companions


def _cluster(half_side: float, target_mag: float, free: float, rng: np.random.Generator) -> list[Neighbour]:
    """Red galaxies crowded around a point, at times a giant whose halo is a gradient over the image."""
    members = []
    cx, cy = rng.normal(0.0, 0.6 * half_side, 2)
    for _ in range(int(rng.integers(6, 30))):
        x, y = cx + rng.normal(0.0, 0.6 * half_side), cy + rng.normal(0.0, 0.6 * half_side)
        mag = float(target_mag + rng.normal(2.5, 1.6))
        if mag < target_mag - 0.5 or np.hypot(x, y) < 1.5 * free:
            continue
        members.append(draw_neighbour(float(x), float(y), mag, field_size(mag, rng), rng, old=True))
    if rng.random() < 0.4:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        distance = half_side * rng.uniform(1.0, 2.2)
        mag = target_mag - rng.uniform(0.5, 2.5)
        r50 = half_side * rng.uniform(0.4, 1.0)
        members.append(draw_neighbour(distance * np.cos(angle), distance * np.sin(angle), mag, r50, rng, old=True))
    return members


def render_neighbours(
    objects: Surroundings,
    canvas: Canvas,
    band: str,
    zero_point: float,
    noise: float,
    points: np.ndarray | None = None,
) -> np.ndarray:
    """Image of the other galaxies (size, size), flux per pixel, through the PSF; and of a plane of points, if given.

    Those smaller than a pixel or so, or too faint to show more than a blob, are drawn as a broadened PSF, the others on
    the pixel grid and convolved: neither needs the care of the target, since no truth is measured on them.
    """
    side, scale = canvas.side, canvas.pixel_scale
    middle = PAD_PX + 0.5 * (canvas.size - 1)
    plane = np.zeros((side, side), dtype=np.float32)  # in units of the noise
    small = np.zeros((side, side))
    used = points is not None
    if points is not None:
        plane += points / noise
    for galaxy in objects.neighbours:
        unit = float(flux_from_mag(galaxy.mag, zero_point))
        cx, cy = middle + galaxy.x / scale, middle + galaxy.y / scale
        re = galaxy.body.re / scale
        flux = unit * band_factor(galaxy.body.colour, band)
        faint = flux < 60.0 * noise * (canvas.psf.fwhm + 2.0 * re) and re < 4.0 * canvas.psf.fwhm
        if re < 1.3 or faint:
            fwhm = float(np.hypot(canvas.psf.fwhm, 2.0 * re))
            blurred = PSF(fwhm, canvas.psf.beta, canvas.psf.wing, canvas.psf.e1, canvas.psf.e2)
            half = stamp_radius(canvas.psf, flux, STAMP_LEVEL * noise) + fwhm
            _add_stamp(small, blurred, flux, cx, cy, half)
            continue
        used = True
        if galaxy.whole is not None:
            half = int(np.ceil(_WHOLE_REACH * max(re, canvas.psf.fwhm)))
            left, right = max(round(cx) - half, 0), min(round(cx) + half + 1, side)
            bottom, top = max(round(cy) - half, 0), min(round(cy) + half + 1, side)
            if left >= right or bottom >= top:
                continue
            x = ((np.arange(left, right) - cx) * scale).astype(np.float32)
            y = ((np.arange(bottom, top) - cy) * scale).astype(np.float32)
            light = light_on_grid(galaxy.whole, x, y, band)
            plane[bottom:top, left:right] += light * np.float32(unit * scale * scale / noise)
            for knots in galaxy.whole.knots:
                add_knots(plane, knots, cx, cy, scale, unit * band_factor(knots.colour, band) / noise)
            continue
        _add_body(plane, galaxy.body, unit / noise, cx, cy, scale, band)
    if used:
        small += noise * canvas.convolved(plane)
    return canvas.cropped(small)


def _add_body(plane: np.ndarray, body: Spheroid, unit: float, cx: float, cy: float, scale: float, band: str) -> None:
    """Add a Sersic body to a plane in units of the noise, within the radius where it sinks into the noise."""
    side = plane.shape[0]
    re = body.re / scale
    # Mean intensity within re over the noise, then the radius where the law has fallen to a tenth of the noise.
    level = np.log(max(0.5 * unit / (np.pi * re * re * body.q) / 0.1, 1.01))
    b = 2.0 * body.n - 1.0 / 3.0
    half = int(np.ceil(min(max(re * (1.0 + level / b) ** body.n, 3.0 * re), 2.0 * side)))
    left, right = max(round(cx) - half, 0), min(round(cx) + half + 1, side)
    bottom, top = max(round(cy) - half, 0), min(round(cy) + half + 1, side)
    if left >= right or bottom >= top:
        return
    x = ((np.arange(left, right) - cx) * scale).astype(np.float32)
    y = ((np.arange(bottom, top) - cy) * scale).astype(np.float32)
    soft = np.float32(0.3 * scale)  # no pixel sees the cusp itself
    x2, y2 = np.broadcast_arrays(x[None, :], y[:, None])
    x2 = np.where(x2 >= 0, 1.0, -1.0).astype(np.float32) * np.sqrt(x2 * x2 + soft * soft)
    plane[bottom:top, left:right] += body.light(x2, y2, band) * (unit * scale * scale)


def _add_stamp(plane: np.ndarray, psf: PSF, flux: float, cx: float, cy: float, radius: float) -> None:
    """Add a star or a star-like object within a radius in pixels."""
    half = int(np.ceil(radius))
    side = plane.shape[0]
    left, right = max(round(cx) - half, 0), min(round(cx) + half + 1, side)
    bottom, top = max(round(cy) - half, 0), min(round(cy) + half + 1, side)
    if left >= right or bottom >= top:
        return
    if half > side // 3:
        plane += flux * point_source(psf, side, cx, cy)
        return
    x = (np.arange(left, right) - cx).astype(np.float32)
    y = (np.arange(bottom, top) - cy).astype(np.float32)
    plane[bottom:top, left:right] += flux * psf(x[None, :], y[:, None])


def render_stars(objects: Surroundings, canvas: Canvas, band: str, conditions: Conditions) -> np.ndarray:
    """Image of the stars (size, size), flux per pixel, without halos and spikes; each with the PSF of its place."""
    half = 0.5 * (canvas.size - 1)
    plane = np.zeros((canvas.side, canvas.side))
    for star in objects.stars:
        flux = float(flux_from_mag(star.mag, conditions.zero_point)) * band_factor(star.colour, band)
        dx, dy = star.x / canvas.pixel_scale, star.y / canvas.pixel_scale
        radius = stamp_radius(canvas.psf, flux, STAMP_LEVEL * conditions.noise)
        psf = conditions.psf(dx / half, dy / half)
        _add_stamp(plane, psf, flux, PAD_PX + half + dx, PAD_PX + half + dy, radius)
    return canvas.cropped(plane)
