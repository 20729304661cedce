"""The light around a galaxy: its image less its own profile, other sources, and how even its sky is.

Each pixel is looked at, so this is most of what flags cost: single precision where the pixels have no more, squares of
radii in the place of radii, and medians of few of the values.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

NEIGHBOUR_SHARE = 0.2
NEIGHBOUR_REACH = 1.5
SKY_RING = (1.25, 2.5)
_SECTORS = 8
_DETECTION_SIGMA = 5.0
_EXCESS_OVER_PROFILE = 1.0
"""A pixel belongs to another source if it exceeds the target's own profile by this factor of it: spiral arms and bars
stay below, stars and neighbours don't."""


class ProfileRows(Protocol):
    """The rows of a profile in pixels of the image; `intensity` in flux per pixel."""

    x0: float
    y0: float
    sky: float
    flux: float
    sma: np.ndarray
    intensity: np.ndarray


class Surroundings(NamedTuple):
    """The image less the profile painted along its own ellipses.

    `square` (px^2), the squared semi-major axis, and `excess` (flux per pixel, NaN where masked) are (H, W), `dx` (W,)
    and `dy` (H,) the distances from the centre; `other` are pixels of other sources; `noise` is that of the sky per
    pixel.
    """

    square: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    excess: np.ndarray
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
    dx, dy, square = squared_radii(pixels.shape, profile.x0, profile.y0, *shape)
    last = float(profile.sma[-1])
    inside = square <= last * last
    excess = pixels - pixels.dtype.type(profile.sky)
    model = _painted(profile, square[inside])
    excess[inside] -= model
    outside = excess[good > inside]
    sample = outside if outside.size > 200 else excess[good]
    if not sample.size:
        return None
    noise = 1.4826 * median(np.abs(sample - median(sample)))
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
    return Surroundings(square, dx, dy, excess, other, noise)


def squared_radii(
    shape: tuple[int, ...], x0: float, y0: float, e1: float, e2: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Squared semi-major axis of the ellipse of one shape through each pixel.

    Returns
    -------
    dx : array (W,)
    dy : array (H,)
        Distances from the centre.
    square : array (H, W)
    """
    dx, dy = np.arange(shape[1]) - x0, np.arange(shape[0]) - y0
    norm = (1.0 - e1 * e1 - e2 * e2) / (1.0 + math.hypot(e1, e2))
    # |S(-e) (dx, dy)|^2 with the stretch S of `p2p_keras.core.ellipse`.
    along, across, mixed = (1.0 - e1) ** 2 + e2 * e2, (1.0 + e1) ** 2 + e2 * e2, -4.0 * e2
    square = np.multiply.outer((mixed / norm**2) * dy, dx)
    square += (along / norm**2) * dx * dx
    square += ((across / norm**2) * dy * dy)[:, None]
    return dx, dy, square


def _painted(profile: ProfileRows, square: np.ndarray) -> np.ndarray:
    """Intensity at squared radii up to the last one, linear in ln(sma) and ln I; constant inside the first."""
    log_r, log_i = np.log(profile.sma), np.log(profile.intensity)
    steps = np.diff(log_r)
    at = 0.5 * np.log(np.maximum(square, profile.sma[0] ** 2))
    if steps.size and np.ptp(steps) < 1e-4 * steps[0]:  # the network's own grid: no radius has to be looked for
        at -= log_r[0]
        at *= 1.0 / steps.mean()
        index = np.minimum(at.astype(np.intp), steps.size - 1)
        at -= index
        at *= np.diff(log_i)[index]
        at += log_i[index]
        return np.exp(at, out=at)
    return np.exp(np.interp(at, log_r, log_i))


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
    ring = light.square > (SKY_RING[0] * last) ** 2
    ring &= light.square < (SKY_RING[1] * last) ** 2
    ring &= np.isfinite(light.excess)
    ring &= ~light.other
    # Eight sectors by signs and by which distance is the longer one: no arctangent for each pixel.
    left, low = int(np.searchsorted(light.dx, 0.0)), int(np.searchsorted(light.dy, 0.0))
    parts = []
    for rows in (slice(None, low), slice(low, None)):
        for columns in (slice(None, left), slice(left, None)):
            used, values = ring[rows, columns], light.excess[rows, columns]
            steep = np.abs(light.dy[rows])[:, None] > np.abs(light.dx[columns])
            parts += [values[used & steep], values[used & ~steep]]
    parts = [part for part in parts if part.size >= 50]
    if len(parts) < _SECTORS // 2:
        return False
    levels = np.array([median(part) for part in parts])
    error = 1.25 * light.noise / math.sqrt(min(part.size for part in parts))
    return bool(levels.max() - levels.min() > max(float(profile.intensity[-1]), 8.0 * error))


_SAMPLED = 1024


def median(values: np.ndarray) -> float:
    """Median of finite values: what np.median gives.

    Of many values only those are put in order that a sample of them says lie in the middle.
    """
    half = values.size // 2
    if values.size > 8 * _SAMPLED:
        sample = np.sort(values[:: values.size // _SAMPLED])
        low, high = sample[int(0.42 * sample.size)], sample[int(0.58 * sample.size)]
        below = int(np.count_nonzero(values < low))
        middle = values[(values >= low) & (values <= high)]
        if below < half - 1 and half < below + middle.size:
            return _median(middle, half - below, even=values.size % 2 == 0)
    return _median(values, half, even=values.size % 2 == 0)


def _median(values: np.ndarray, half: int, *, even: bool) -> float:
    """The value with `half` smaller ones; the mean of it and of the one before where the number of all is even."""
    parted = np.partition(values, half)
    return 0.5 * (float(parted[:half].max()) + float(parted[half])) if even else float(parted[half])
