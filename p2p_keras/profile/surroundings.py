"""The light around a galaxy: its image less its own profile, other sources, and how even its sky is.

Each pixel is looked at, so this is most of what flags cost: single precision where the pixels have no more, squares of
radii in the place of radii, and medians of few of the values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
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
_FEWEST_OF_SECTOR = 50
_SAMPLED_ROWS = 48
_BRIGHT_PIXELS = 4
_DETECTION_SIGMA = 5.0
_TABLE_STEPS = 4096
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


class SquaredRadii(NamedTuple):
    """Squared semi-major axis of the ellipse of one shape through each pixel, in the pixels' precision.

    Attributes
    ----------
    dx : array (W,)
    dy : array (H,)
        Distances from the centre, px.
    square : array (H, W)
        px^2.
    extent : (float, float)
        How far an ellipse with a semi-major axis of 1 reaches in x and y.
    """

    dx: np.ndarray
    dy: np.ndarray
    square: np.ndarray
    extent: tuple[float, float]

    @classmethod
    def about(cls, pixels: np.ndarray, x0: float, y0: float, e1: float, e2: float) -> SquaredRadii:
        """Those of an image (H, W) for the ellipse vector (e1, e2)."""
        dx, dy = np.arange(pixels.shape[1]) - x0, np.arange(pixels.shape[0]) - y0
        norm = (1.0 - e1 * e1 - e2 * e2) / (1.0 + math.hypot(e1, e2))
        # |S(-e) (dx, dy)|^2 with the stretch S of `p2p_keras.core.ellipse`, as one product of matrices.
        along, across, mixed = (
            factor / norm**2 for factor in ((1.0 - e1) ** 2 + e2 * e2, (1.0 + e1) ** 2 + e2 * e2, -4.0 * e2)
        )
        kind = pixels.dtype
        of_rows = np.stack([np.ones_like(dy), dy, across * dy * dy], axis=1).astype(kind)
        of_columns = np.stack([along * dx * dx, mixed * dx, np.ones_like(dx)]).astype(kind)
        determinant = along * across - 0.25 * mixed * mixed
        extent = math.sqrt(across / determinant), math.sqrt(along / determinant)
        return cls(dx.astype(kind), dy.astype(kind), of_rows @ of_columns, extent)

    def box(self, sma: float) -> tuple[slice, slice]:
        """Rows and columns beyond which no pixel is within an ellipse; not the smallest."""
        spans = []
        for distance, reach in ((self.dy, self.extent[1]), (self.dx, self.extent[0])):
            start, stop = -float(distance[0]) - sma * reach, -float(distance[0]) + sma * reach
            first = min(max(math.floor(start) - 1, 0), distance.size)
            spans.append(slice(first, max(min(math.ceil(stop) + 2, distance.size), first)))
        return spans[0], spans[1]


class Surroundings(NamedTuple):
    """The image less the profile painted along its own ellipses.

    `radii` are those of the pixels and `excess` (flux per pixel, NaN where masked) (H, W); `inside` are pixels within
    the last ellipse, all of them in the rows and columns `box`, `good` those that aren't masked, `other` those of other
    sources; `noise` is that of the sky per pixel.
    """

    radii: SquaredRadii
    excess: np.ndarray
    inside: np.ndarray
    box: tuple[slice, slice]
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
    radii = SquaredRadii.about(pixels, profile.x0, profile.y0, *shape)
    last = float(profile.sma[-1])
    inside = radii.square <= last * last
    box = radii.box(last)  # the galaxy's own pixels are often few
    square, of_galaxy = radii.square[box], inside[box]
    excess = pixels - pixels.dtype.type(profile.sky)
    model = _painted(profile, square[of_galaxy])
    own = excess[box][of_galaxy]
    own -= model
    excess[box][of_galaxy] = own
    outside = good > inside
    sample = excess[outside if np.count_nonzero(outside) > 200 else good]
    if not sample.size:
        return None
    # A sample gives the level well enough: an error of it enters the median distance from it by its square.
    level = parted_median(sample[:: max(1, sample.size // _SAMPLED_LEVEL)])
    sample -= sample.dtype.type(level)
    noise = SIGMA_PER_DEVIATION * median(np.abs(sample, out=sample))
    threshold: Any = _DETECTION_SIGMA * noise
    of_map = image.noise is not None
    if of_map:  # the map's where it is larger than the sky's
        threshold = _DETECTION_SIGMA * np.fmax(np.asarray(image.noise, dtype=excess.dtype), noise)
    core = max(3.0, 0.1 * last)  # the PSF's core and a bulge that one shape can't follow
    with np.errstate(invalid="ignore"):
        other = excess > threshold
        model *= model.dtype.type(_EXCESS_OVER_PROFILE)
        other[box][of_galaxy] = own > np.maximum(threshold[box][of_galaxy] if of_map else threshold, model)
        near = other[radii.box(core)]
        near &= radii.square[radii.box(core)] > core * core
    return Surroundings(radii, excess, inside, box, good, other, noise)


def _painted(profile: ProfileRows, square: np.ndarray) -> np.ndarray:
    """Intensity at squared radii up to the last one, linear in ln(sma) and ln I; constant inside the first.

    Looked up in a table of fine steps of ln(sma), to a hundredth where a profile is steep: to interpolate at each pixel
    takes half as long again.
    """
    log_r = np.log(profile.sma)
    first, span = log_r[0], max(log_r[-1] - log_r[0], 1e-6)
    steps = (np.arange(_TABLE_STEPS) + 0.5) / _TABLE_STEPS
    table = np.exp(np.interp(first + span * steps, log_r, np.log(profile.intensity))).astype(square.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):  # a pixel at the centre itself
        at = np.log(square)
        at *= 0.5 * _TABLE_STEPS / span
        at -= _TABLE_STEPS * first / span
        return table.take(at.astype(np.intp), mode="clip")


def bright_neighbour(profile: ProfileRows, light: Surroundings) -> bool:
    """Sum up the light of other sources near the galaxy, and look at the brightest of them."""
    index = np.flatnonzero(light.other)
    if not index.size:
        return False
    bright = light.excess.take(index)
    reach = NEIGHBOUR_REACH * float(profile.sma[-1])
    near = bright[light.radii.square.take(index) <= reach * reach]
    if profile.flux > 0 and float(near.sum(dtype=float)) > NEIGHBOUR_SHARE * profile.flux:
        return True
    # Four pixels, so that one hot pixel or cosmic ray isn't a neighbour.
    return int(np.count_nonzero(bright > float(profile.intensity[0]))) >= _BRIGHT_PIXELS


def uneven_sky(profile: ProfileRows, light: Surroundings) -> bool:
    """Compare the sky in sectors around the galaxy; detected sources are left out."""
    last = float(profile.sma[-1])
    box = light.radii.box(SKY_RING[1] * last)
    square, excess = light.radii.square[box], light.excess[box]
    ring = light.good[box] > light.other[box]
    ring &= square > (SKY_RING[0] * last) ** 2
    ring &= square < (SKY_RING[1] * last) ** 2
    sectors = _Sectors.about(light.radii.dx[box[1]], light.radii.dy[box[0]])
    sizes = sectors.counts(ring)
    enough = sizes >= _FEWEST_OF_SECTOR
    if np.count_nonzero(enough) < _SECTORS // 2:
        return False
    error = 1.25 * light.noise / math.sqrt(sizes[enough].min())
    limit = max(float(profile.intensity[-1]), 8.0 * error)
    every = (slice(None, None, max(1, max(ring.shape) // _SAMPLED_ROWS)),) * 2
    sample = excess[every][ring[every]]
    if sample.size:
        # Two levels apart by the limit, and on which side of them the medians are: that is found by counting.
        middle = parted_median(sample)
        with np.errstate(invalid="ignore"):
            below, above = excess < middle - 0.5 * limit, excess > middle + 0.5 * limit
        below &= ring
        above &= ring
        faint, bright = (2 * sectors.counts(which)[enough] for which in (below, above))
        if (faint < sizes[enough]).all() and (bright < sizes[enough]).all():
            return False
        if (faint > sizes[enough]).any() and (bright > sizes[enough]).any():
            return True
    levels = [median(excess[part][which]) for part, which in sectors.parts(ring, enough)]
    return max(levels) - min(levels) > limit


class _Sectors(NamedTuple):
    """Eight sectors by signs and by which distance is the longer one: no arctangent for each pixel."""

    quadrants: list[tuple[slice, slice]]
    steep: np.ndarray

    @classmethod
    def about(cls, dx: np.ndarray, dy: np.ndarray) -> _Sectors:
        left, low = int(np.searchsorted(dx, 0.0)), int(np.searchsorted(dy, 0.0))
        sides, halves = (slice(None, left), slice(left, None)), (slice(None, low), slice(low, None))
        quadrants = [(rows, columns) for rows in halves for columns in sides]
        return cls(quadrants, np.abs(dy)[:, None] > np.abs(dx))

    def counts(self, which: np.ndarray) -> np.ndarray:
        """How many of some pixels (H, W) lie in each sector, (8,)."""
        steep = which & self.steep
        both = [(np.count_nonzero(steep[part]), np.count_nonzero(which[part])) for part in self.quadrants]
        return np.array([count for some, all_ in both for count in (some, all_ - some)])

    def parts(self, which: np.ndarray, wanted: np.ndarray) -> Iterator[tuple[tuple[slice, slice], np.ndarray]]:
        """Quadrant, and which of its pixels belong to the sector, for the wanted (8,) ones."""
        for number, part in enumerate(self.quadrants):
            used, steep = which[part], self.steep[part]
            if wanted[2 * number]:
                yield part, used & steep
            if wanted[2 * number + 1]:
                yield part, used > steep
