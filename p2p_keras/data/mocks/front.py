"""All that lies in front of a galaxy or beside it: companions, stars on arms and nuclei, rays, trails, bleeding.

The target is the source nearest the image's middle, which is where a cutout puts what the user named: whatever comes in
front of it stays further from the middle than its centre, but for a star on the nucleus.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.streams import log_uniform
from p2p_keras.data.mocks.surroundings import Neighbour, Star, draw_near_star, draw_neighbour, star_colour

__all__ = [
    "SHARES",
    "HARD",
    "COMPANION_PX",
    "Front",
    "Target",
    "kinds_of",
    "draw_front",
    "draw_companion",
    "DEFECTS",
    "add_defects",
]

SHARES: Mapping[str, float] = {
    "companion": 0.20,
    "star": 0.16,
    "nucleus star": 0.02,
    "bright star": 0.05,
    "cosmic rays": 0.10,
    "trail": 0.05,
    "bleeding": 0.04,
    "saturated": 0.03,
    "hot pixels": 0.04,
}
"""What is in front, and the share of the images of ``--front any`` that have it, each drawn by itself."""

HARD = ("equal companion", "companion on it", "40 bright stars")
"""More kinds, which a test bed has and training hasn't by itself."""

COMPANION_PX = 15.0, 60.0
"""How far a companion is from the target, pixels."""


@dataclass(frozen=True)
class Front:
    """What is in front of one target: objects, and the kinds of defects that `add_defects` makes."""

    stars: tuple[Star, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    defects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """What of the target decides what lies in front of it.

    Attributes
    ----------
    mag, r50 : float
        r magnitude, and half-light radius in arcsec.
    x, y : float
        Place in arcsec from the image's centre.
    """

    mag: float
    r50: float
    x: float
    y: float


def kinds_of(words: str) -> tuple[str, ...] | None:
    """Kinds in a text: None for ``"any"``, none for ``"none"``, else one or several with commas between.

    Raises
    ------
    UsageError
        For an unknown one.
    """
    if words == "any":
        return None
    kinds = () if words == "none" else tuple(word.strip() for word in words.split(","))
    for kind in kinds:
        if kind not in (*SHARES, *HARD):
            known = ", ".join(("survey", "any", "none", *SHARES, *HARD))
            raise UsageError(f"front {kind!r} is unknown; known are {known}")
    return kinds


def draw_front(
    target: Target,
    half_side: float,
    fwhm: float,
    pixel_scale: float,
    rng: np.random.Generator,
    kinds: tuple[str, ...] | None = None,
) -> Front:
    """What lies in front of a target.

    Parameters
    ----------
    target : Target
    half_side, fwhm, pixel_scale : float
        Of the image and its PSF, arcsec.
    rng : Generator
    kinds : tuple of str, optional
        Keys of `SHARES`; drawn by them if None.
    """
    if kinds is None:
        kinds = tuple(kind for kind, share in SHARES.items() if rng.random() < share)
    stars: list[Star] = []
    neighbours: list[Neighbour] = []
    for kind in kinds:
        if kind == "companion":
            neighbours.append(draw_companion(target, half_side, pixel_scale, rng))
        elif kind == "star":
            stars += draw_near_star(target.mag, target.r50, fwhm, target.x, target.y, 1.0, rng)
        elif kind == "equal companion":
            other = draw_companion(target, half_side, pixel_scale, rng, apart_px=40.0 * half_side / (128 * pixel_scale))
            neighbours.append(replace(other, mag=target.mag))
        elif kind == "companion on it":
            other = draw_companion(target, half_side, pixel_scale, rng, apart_px=15.0)
            neighbours.append(replace(other, mag=target.mag - 1.0))
        elif kind == "40 bright stars":
            for x, y in rng.uniform(-half_side, half_side, (40, 2)):
                stars.append(_star(x, y, target.mag + rng.uniform(-1.0, 2.0), rng))
        elif kind == "nucleus star":
            distance, angle = fwhm * rng.uniform(0.5, 1.5), rng.uniform(0.0, 2.0 * np.pi)
            mag = target.mag + rng.uniform(0.5, 4.0)
            stars.append(_star(target.x + distance * np.cos(angle), target.y + distance * np.sin(angle), mag, rng))
        elif kind == "bright star":
            distance = max(half_side * log_uniform(rng, 0.25, 1.3), 3.0 * fwhm)
            angle, mag = rng.uniform(0.0, 2.0 * np.pi), target.mag - rng.uniform(0.5, 5.0)
            stars.append(_star(target.x + distance * np.cos(angle), target.y + distance * np.sin(angle), mag, rng))
    return Front(tuple(stars), tuple(neighbours), tuple(kind for kind in kinds if kind in DEFECTS))


def draw_companion(
    target: Target, half_side: float, pixel_scale: float, rng: np.random.Generator, apart_px: float | None = None
) -> Neighbour:
    """A galaxy as bright as the target or nearly so, further from the image's middle; 15 to 60 px away if not told."""
    pixels = log_uniform(rng, *COMPANION_PX)
    apart = min((apart_px or pixels) * pixel_scale, 0.9 * half_side)
    for _ in range(20):
        angle = rng.uniform(0.0, 2.0 * np.pi)
        x, y = target.x + apart * np.cos(angle), target.y + apart * np.sin(angle)
        if np.hypot(x, y) > 1.3 * np.hypot(target.x, target.y) + 2.0 * pixel_scale:
            break
    mag = target.mag + rng.uniform(-1.5, 2.0)
    r50 = target.r50 * 10.0 ** (-0.14 * (mag - target.mag) + rng.normal(0.0, 0.12))
    return draw_neighbour(float(x), float(y), mag, min(r50, 0.8 * apart), rng, whole_share=0.5)


def _star(x: float, y: float, mag: float, rng: np.random.Generator) -> Star:
    return Star(float(x), float(y), float(mag), star_colour(rng))


def _cosmic_rays(image: np.ndarray, noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """As many as a long exposure has, tracks and dots, sharper than the PSF."""
    side = image.shape[0]
    for _ in range(int(rng.poisson(log_uniform(rng, 3.0, 60.0) * (side / 256.0) ** 2))):
        x, y = rng.uniform(0.0, side, 2)
        angle, length = rng.uniform(0.0, np.pi), min(1.0 + rng.exponential(6.0), 60.0)
        steps = np.arange(0.0, length, 0.5)
        column = np.clip(np.rint(x + steps * np.cos(angle)).astype(int), 0, side - 1)
        row = np.clip(np.rint(y + steps * np.sin(angle)).astype(int), 0, side - 1)
        image[row, column] += noise * log_uniform(rng, 5.0, 1000.0)


def _trail(image: np.ndarray, noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """A satellite's or an aeroplane's trail: a line, at times two, at times broken into dashes."""
    side = image.shape[0]
    angle, grid = rng.uniform(0.0, np.pi), np.arange(side, dtype=np.float32) - np.float32(0.5 * side)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    across = grid[None, :] * s - grid[:, None] * c
    light, offset = np.zeros_like(across), rng.uniform(-0.45, 0.45) * side
    for shift in (0.0, rng.uniform(4.0, 15.0))[: 2 if rng.random() < 0.2 else 1]:
        width = np.float32(max(fwhm * rng.uniform(0.4, 1.5), 0.7))
        light += np.exp(-0.5 * ((across - np.float32(offset + shift)) / width) ** 2)
    if rng.random() < 0.2:
        along = grid[None, :] * c + grid[:, None] * s
        light *= np.cos(along * np.float32(2.0 * np.pi / rng.uniform(15.0, 60.0))) > 0.0
    image += np.float32(noise * log_uniform(rng, 1.0, 100.0)) * light


def _bleeding(image: np.ndarray, noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """Columns full of charge from a star, often one beyond the image."""
    side = image.shape[0]
    start = int(rng.integers(0, side))
    level = noise * log_uniform(rng, 30.0, 3e4)
    for column in range(start, min(start + int(rng.integers(1, 5)), side)):
        ends = np.sort(rng.uniform(-0.6, 1.6, 2)) * side
        rows = slice(max(int(ends[0]), 0), max(int(ends[1]), 0))
        image[rows, column] = level * rng.uniform(0.8, 1.0)


def _hot_pixels(image: np.ndarray, noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """Pixels that shine or are dead."""
    number = int(log_uniform(rng, 2.0, 2e-3 * image.size + 3.0))
    places = rng.integers(0, image.size, number)
    values = noise * np.exp(rng.uniform(np.log(5.0), np.log(1000.0), number))
    values[rng.random(number) < 0.3] *= -0.05
    image.ravel()[places] += values


def _saturated(image: np.ndarray, noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """The galaxy's own core, or whatever else is brightest, clipped: at most where its brightest 60 pixels begin."""
    number = int(log_uniform(rng, 4.0, min(60.0, 0.01 * image.size)))
    peak = np.partition(image, image.size - number, axis=None)[image.size - number]
    np.minimum(image, max(peak, 3.0 * noise), out=image)


DEFECTS = {
    "cosmic rays": _cosmic_rays,
    "trail": _trail,
    "bleeding": _bleeding,
    "saturated": _saturated,
    "hot pixels": _hot_pixels,
}
"""Defects of the image, drawn after its noise, in this order."""


def add_defects(image: np.ndarray, kinds: tuple[str, ...], noise: float, fwhm: float, rng: np.random.Generator) -> None:
    """Make the defects of `DEFECTS` that `kinds` names, in place.

    Parameters
    ----------
    image : float array (side, side), without a sky, contiguous
    kinds : tuple of str
    noise : float, 1-sigma per pixel
    fwhm : float, pixels
    rng : Generator
    """
    for kind, make in DEFECTS.items():
        if kind in kinds:
            make(image, noise, fwhm, rng)
