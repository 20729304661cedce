"""The light around a galaxy: its image less its own profile, other sources, and how even its sky is.

Each pixel is looked at, so this is most of what flags cost: single precision where the pixels have no more, squares of
radii in the place of radii, and medians of few of the values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from p2p_keras.core.robust import SIGMA_PER_DEVIATION, median, parted_median

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["SKY_RING", "ProfileRows", "Surroundings", "surroundings", "bright_neighbour", "uneven_sky"]

_SAMPLED_LEVEL = 4096
NEIGHBOUR_SHARE = 0.2
NEIGHBOUR_REACH = 1.5
SKY_RING = (1.25, 2.5)
_SECTORS = 8
_DETECTION_SIGMA = 5.0
_EXCESS_OVER_PROFILE = 1.0
"""A pixel belongs to another source if it exceeds the target's own profile by this factor of it: spiral arms and bars
stay below, stars and neighbours don't."""


class ProfileRows(NamedTuple):
    """The rows of a profile in pixels of the image; `intensity` and `sky` in flux per pixel, `flux` the total."""

    x0: float
    y0: float
    sky: float
    flux: float
    sma: np.ndarray
    intensity: np.ndarray


class Surroundings(NamedTuple):
    """The image less the profile painted along its own ellipses.

    `square` (px^2), the squared semi-major axis, and `excess` (flux per pixel, NaN where masked) are (H, W), `dx` (W,)
    and `dy` (H,) the distances from the centre; `inside` are pixels within the last ellipse, `good` those that aren't
    masked, `other` those of other sources; `noise` is that of the sky per pixel.
    """

    square: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    excess: np.ndarray
    inside: np.ndarray
    good: np.ndarray
    other: np.ndarray
    noise: float


def surroundings(
    profile: ProfileRows, shape: tuple[float, float], pixels: np.ndarray, good: np.ndarray, image: GalaxyImage
) -> Surroundings | None:
    """Paint a profile over its image along ellipses of one shape and subtract it; None without any pixel.

    Parameters
    ----------
    profile : ProfileRows
        With one radius at least.
    shape : (float, float)
        Ellipse vector, `p2p_keras.core.ellipse`.
    pixels : float array (H, W)
    good : bool array (H, W)
        Finite pixels.
    image : GalaxyImage
        For its noise map.
    """
    dx, dy, square = squared_radii(pixels, profile.x0, profile.y0, *shape)
    last = float(profile.sma[-1])
    inside = square <= last * last
    excess = pixels - pixels.dtype.type(profile.sky)
    model = _painted(profile, square[inside])
    excess[inside] -= model
    outside = good > inside
    sample = excess[outside if np.count_nonzero(outside) > 200 else good]
    if not sample.size:
        return None
    # A sample gives the level well enough: an error of it enters the median distance from it by its square.
    level = parted_median(sample[:: max(1, sample.size // _SAMPLED_LEVEL)])
    sample -= sample.dtype.type(level)
    noise = SIGMA_PER_DEVIATION * median(np.abs(sample, out=sample))
    threshold: Any = _DETECTION_SIGMA * noise
    if image.noise is not None:  # the map's where it is larger than the sky's
        threshold = _DETECTION_SIGMA * np.fmax(np.asarray(image.noise, dtype=excess.dtype), noise)
    with np.errstate(invalid="ignore"):
        other = excess > threshold
    core = max(3.0, 0.1 * last)  # the PSF's core and a bulge that one shape can't follow
    other &= square > core * core
    of_the_galaxy = other[inside]
    of_the_galaxy &= excess[inside] > _EXCESS_OVER_PROFILE * model
    other[inside] = of_the_galaxy
    return Surroundings(square, dx, dy, excess, inside, good, other, noise)


def squared_radii(
    pixels: np.ndarray, x0: float, y0: float, e1: float, e2: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squared semi-major axis of the ellipse of one shape through each pixel, in the pixels' precision.

    Returns
    -------
    dx : array (W,)
    dy : array (H,)
        Distances from the centre.
    square : array (H, W)
    """
    dx, dy = np.arange(pixels.shape[1]) - x0, np.arange(pixels.shape[0]) - y0
    norm = (1.0 - e1 * e1 - e2 * e2) / (1.0 + math.hypot(e1, e2))
    # |S(-e) (dx, dy)|^2 with the stretch S of `p2p_keras.core.ellipse`.
    along, across, mixed = (1.0 - e1) ** 2 + e2 * e2, (1.0 + e1) ** 2 + e2 * e2, -4.0 * e2
    kind = pixels.dtype
    square = np.multiply.outer((mixed / norm**2 * dy).astype(kind), dx.astype(kind))
    square += (along / norm**2 * dx * dx).astype(kind)
    square += (across / norm**2 * dy * dy).astype(kind)[:, None]
    return dx.astype(kind), dy.astype(kind), square


def _painted(profile: ProfileRows, square: np.ndarray) -> np.ndarray:
    """Intensity at squared radii up to the last one, linear in ln(sma) and ln I; constant inside the first."""
    log_r, log_i = np.log(profile.sma), np.log(profile.intensity)
    at = np.log(np.maximum(square, square.dtype.type(profile.sma[0] ** 2)))
    at *= 0.5
    steps = log_r[1:] - log_r[:-1]
    if steps.size and steps.max() - steps.min() < 1e-4 * steps[0]:  # the network's own grid: no search for a radius
        at -= log_r[0]
        at *= steps.size / (log_r[-1] - log_r[0])
        np.clip(at, 0.0, steps.size - 1e-3, out=at)
        index = at.astype(np.intp)
        at -= index
        at *= (log_i[1:] - log_i[:-1]).astype(at.dtype)[index]
        at += log_i.astype(at.dtype)[index]
        return np.exp(at, out=at)
    return np.exp(np.interp(at, log_r, log_i)).astype(square.dtype)


def bright_neighbour(profile: ProfileRows, light: Surroundings) -> bool:
    """Sum up the light of other sources near the galaxy, and look at the brightest of them."""
    bright = light.excess[light.other]
    if not bright.size:
        return False
    reach = NEIGHBOUR_REACH * float(profile.sma[-1])
    near = bright[light.square[light.other] <= reach * reach]
    if profile.flux > 0 and float(near.sum(dtype=float)) > NEIGHBOUR_SHARE * profile.flux:
        return True
    # The brightest of four pixels, so that one hot pixel or cosmic ray isn't a neighbour.
    return bool(bright.size >= 4 and np.partition(bright, -4)[-4] > float(profile.intensity[0]))


def uneven_sky(profile: ProfileRows, light: Surroundings) -> bool:
    """Compare the sky in sectors around the galaxy; detected sources are left out."""
    last = float(profile.sma[-1])
    ring = light.good > light.other
    ring &= light.square > (SKY_RING[0] * last) ** 2
    ring &= light.square < (SKY_RING[1] * last) ** 2
    # Eight sectors by signs and by which distance is the longer one: no arctangent for each pixel.
    left, low = int(np.searchsorted(light.dx, 0.0)), int(np.searchsorted(light.dy, 0.0))
    steep = np.abs(light.dy)[:, None] > np.abs(light.dx)
    parts = []
    for rows in (slice(None, low), slice(low, None)):
        for columns in (slice(None, left), slice(left, None)):
            used, values, is_steep = ring[rows, columns], light.excess[rows, columns], steep[rows, columns]
            parts += [values[used & is_steep], values[used > is_steep]]
    parts = [part for part in parts if part.size >= 50]
    if len(parts) < _SECTORS // 2:
        return False
    levels = np.array([median(part) for part in parts])
    error = 1.25 * light.noise / math.sqrt(min(part.size for part in parts))
    return bool(levels.max() - levels.min() > max(float(profile.intensity[-1]), 8.0 * error))
