"""Words that warn a reader of a profile, and the rule when each is set.

They are found from the model's outputs and the image alone: what can be seen without knowing the truth. ``quality``
sums them up as statmorph does: 0 good, 1 suspect (use with care: part of the profile may be off), 2 bad (don't use
without looking at the picture), 4 there is no profile to use. It is the worst of the flags set.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from p2p_keras.core.ellipse import points, vector_from_angles
from p2p_keras.core.extent import annulus_snr
from p2p_keras.core.growth import radii_of_light
from p2p_keras.core.padded import at_index, interpolated, medians, packed
from p2p_keras.core.robust import SIGMA_PER_DEVIATION, median
from p2p_keras.core.units import MAG_PER_RELATIVE_ERROR, intensity_from_mu
from p2p_keras.profile.altered_pixels import clipped_sky, nonlinear
from p2p_keras.profile.missing_sky import no_sky
from p2p_keras.profile.surroundings import ProfileRows, Surroundings, bright_neighbour, surroundings, uneven_sky

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["Flag", "FLAGS", "LOW_SNR", "MIN_ROWS", "quality_of", "find_flags", "flags_of_many"]


class Flag(NamedTuple):
    """Severity (the `quality` that it brings) and meaning of a word."""

    quality: int
    meaning: str


FLAGS = {
    "bright_neighbour": Flag(
        1,
        "another source outshines the target's centre, or sources within 1.5 times the profile's last ellipse hold "
        "more than a fifth of the target's light",
    ),
    "near_edge": Flag(1, "more than 5 % of the ellipse at half the extent is off the image or masked"),
    "truncated": Flag(
        1,
        "the galaxy is larger than the image, so its sky is uncertain: less than 80 % of the last ellipse is on "
        "the image; or less than 80 % of one 1.4 times as large, and the last light is still 16 times the noise "
        "of its annulus",
    ),
    "uneven_sky": Flag(
        1,
        "the sky around the galaxy differs from one side to the other by more than the light of the last radius: "
        "a gradient, the halo of a neighbour or of a star",
    ),
    "unresolved": Flag(1, "the half-light radius is below 2.5 px: it can't be told from a star"),
    "low_snr": Flag(1, "the median signal-to-noise ratio of the profile's radii is below 5 (mu_err above 0.22 mag)"),
    "saturated": Flag(1, "the centre is a plateau: five or more of its pixels share the image's highest value"),
    "masked_centre": Flag(2, "half of the pixels within 2 px of the centre are masked, or a quarter within 5 px"),
    "out_of_distribution": Flag(
        2,
        "unlike what the model was made for: a centre further from the middle than a quarter of the image's shorter "
        "side, or a profile that rises outward by more than 1 mag",
    ),
    "nonlinear": Flag(
        2,
        "the noise is less than 0.8 times as large where the galaxy is bright as in its sky: the pixels were stretched "
        "(asinh, logarithm, levels of a picture), so mu has no meaning",
    ),
    "clipped_sky": Flag(
        2, "the faint side of the sky's noise was cut off (set to a level, masked, folded): the total is too faint"
    ),
    "no_sky": Flag(
        1, "only the galaxy's own pixels are left (its segment, an aperture): light beyond is lost, the sky unknown"
    ),
    "masked_rings": Flag(
        1,
        "(forced bands) less than 30 % of some ellipse is unmasked in this band: there is no mu at that radius, "
        "and the curve of growth uses the reference's light there, with the colour of the neighbouring radii",
    ),
    "misaligned": Flag(
        2, "(forced bands) the light of this band lies more than 1.5 px from where its WCS puts it on the reference"
    ),
    "no_profile": Flag(4, "fewer than three radii could be measured"),
}
"""Every flag word with its severity and rule."""

LOW_SNR = 5.0
MIN_ROWS = 3
MAX_OFFSET_FRACTION = 0.25
MAX_RISE_MAG = 1.0
UNRESOLVED_PX = 2.5
STILL_BRIGHT_SNR = 16.0

P_BAD_LIMITS = (0.05, 0.3)
"""Below the first a profile is good, below the second suspect, else bad."""

HARD_FACTS = ("masked_centre", "nonlinear", "clipped_sky", "no_sky", "misaligned", "no_profile")
"""Words that decide the quality whatever `p_bad` says: what isn't there can't be measured."""


def quality_of(flags: Iterable[str], p_bad: float | None = None) -> int:
    """0 good, 1 suspect, 2 bad, 4 unusable.

    Parameters
    ----------
    flags : iterable of str
    p_bad : float, optional
        The model's probability that the profile is bad. With it the quality follows from `P_BAD_LIMITS` and
        `HARD_FACTS`, and the other words are for information. Without it, or where it is NaN, the quality is the worst
        severity among the words; unknown ones count as suspect.

    Returns
    -------
    int
    """
    if p_bad is not None and np.isfinite(p_bad):
        of_model = int(np.searchsorted(P_BAD_LIMITS, p_bad, side="right"))
        return max(of_model, *(FLAGS[word].quality for word in flags if word in HARD_FACTS), 0)
    return max((FLAGS[word].quality if word in FLAGS else 1 for word in flags), default=0)


def find_flags(outputs: Mapping[str, Any], image: GalaxyImage) -> list[str]:
    """Find the flags of one galaxy, in the order of `FLAGS`.

    Parameters
    ----------
    outputs : mapping of arrays
        Raw outputs of one galaxy, see `p2p_keras.profile.profile_table`.
    image : GalaxyImage

    Returns
    -------
    list of str
    """
    return flags_of_many({name: np.asarray(value)[None] for name, value in outputs.items()}, [image])[0]


def flags_of_many(outputs: Mapping[str, Any], images: Sequence[GalaxyImage]) -> list[list[str]]:
    """Flags of several galaxies, see `find_flags`.

    Parameters
    ----------
    outputs : mapping of arrays
        Raw outputs with a first axis of galaxies: (B,) or (B, K).
    images : sequence of B GalaxyImage

    Returns
    -------
    list of B lists of str
    """
    zero_point, scale = (np.array([getattr(i, key) for i in images], float) for key in ("zero_point", "pixel_scale"))
    shapes = _Shapes.of(outputs, zero_point, scale)
    measured = shapes.length >= MIN_ROWS
    by_word = {
        "no_profile": ~measured,
        "out_of_distribution": _out_of_distribution(shapes, images),
        "low_snr": measured & (medians(shapes.snr) < LOW_SNR),
        "unresolved": measured & (_half_light_radii(outputs, scale) < UNRESOLVED_PX),
    }
    rings = _rings_of(shapes, np.flatnonzero(measured))
    flags = []
    for i, image in enumerate(images):
        pixels = np.asarray(image.pixels)
        pixels = pixels if pixels.dtype.kind == "f" else pixels.astype(float)
        good = np.isfinite(pixels)
        one = {word for word, which in by_word.items() if which[i]}
        one |= {word for word, rule in _OF_ALL_PIXELS.items() if rule(pixels)}
        x0, y0 = float(shapes.x0[i]), float(shapes.y0[i])
        if math.isfinite(x0) and math.isfinite(y0):
            around = _Disc.of(pixels, x0, y0)
            one |= {word for word, rule in _OF_THE_CENTRE.items() if rule(around, pixels)}
        if measured[i]:
            one |= _flags_of_surroundings(shapes.one(i), image, pixels, good, rings[i])
        flags.append([word for word in FLAGS if word in one])
    return flags


class _Shapes(NamedTuple):
    """The measured rows of profiles in pixels of their images: arrays (B, K), NaN at their ends, and numbers (B,)."""

    length: np.ndarray
    x0: np.ndarray
    y0: np.ndarray
    sma: np.ndarray
    mu: np.ndarray
    snr: np.ndarray
    e1: np.ndarray
    e2: np.ndarray
    intensity: np.ndarray
    sky: np.ndarray
    flux: np.ndarray

    @classmethod
    def of(cls, outputs: Mapping[str, Any], zero_point: np.ndarray, scale: np.ndarray) -> _Shapes:
        columns = {n: np.asarray(outputs[n], dtype=float) for n in ("sma", "mu", "mu_err", "ellipticity", "pa")}
        keep = np.asarray(outputs["valid"], dtype=bool) & np.all([np.isfinite(c) for c in columns.values()], axis=0)
        keep &= columns["sma"] > 0
        columns, count = packed(columns, keep)
        e1, e2 = vector_from_angles(columns["ellipticity"], columns["pa"])
        numbers = {name: np.asarray(outputs[name], dtype=float) for name in ("x0", "y0", "sky", "mag_total")}
        return cls(
            count,
            numbers["x0"],
            numbers["y0"],
            columns["sma"] / scale[:, None],
            columns["mu"],
            MAG_PER_RELATIVE_ERROR / np.maximum(columns["mu_err"], 1e-6),
            e1,
            e2,
            intensity_from_mu(columns["mu"], zero_point[:, None], scale[:, None]),
            numbers["sky"],
            10.0 ** (0.4 * (zero_point - numbers["mag_total"])),
        )

    def one(self, i: int) -> ProfileRows:
        """Those of one galaxy."""
        n = int(self.length[i])
        x0, y0, sky, flux = (float(value[i]) for value in (self.x0, self.y0, self.sky, self.flux))
        return ProfileRows(x0, y0, sky, flux, self.sma[i, :n], self.intensity[i, :n])


_SEEN_AT = (0.5, 1.0, 1.4)
"""Ellipses, in units of the last one, of which the share on the image counts."""
_SHAPED_AT = 0.6
"""One shape for all radii is enough to tell a neighbour from the galaxy: that of 60 % of the extent."""
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 180, endpoint=False)
_COSINES, _SINES = np.cos(_ANGLES), np.sin(_ANGLES)


class _Rings(NamedTuple):
    """Points of the ellipses `_SEEN_AT` as column and row (3, 180), and the shape of that of `_SHAPED_AT`, last one."""

    column: np.ndarray
    row: np.ndarray
    shape: tuple[float, float]
    last_shape: tuple[float, float]

    def shares(self, good: np.ndarray) -> list[float]:
        """Share of the points of each ellipse that fall on unmasked pixels."""
        height, width = good.shape
        inside = (self.column >= 0) & (self.column < width) & (self.row >= 0) & (self.row < height)
        on_image = good[np.where(inside, self.row, 0), np.where(inside, self.column, 0)] & inside
        return on_image.mean(axis=1).tolist()


def _rings_of(shapes: _Shapes, index: np.ndarray) -> dict[int, _Rings]:
    """Of the galaxies of this index."""
    if not index.size:
        return {}
    sma = shapes.sma[index]
    last = at_index(sma, shapes.length[index] - 1)
    wanted = last[:, None] * np.array([*_SEEN_AT, _SHAPED_AT])
    e1, e2 = interpolated(np.log(wanted), np.log(sma), shapes.e1[index], shapes.e2[index])
    dx, dy = points(wanted[:, :3, None], e1[:, :3, None], e2[:, :3, None], _COSINES, _SINES)
    with np.errstate(invalid="ignore"):  # a centre that is no number lies on no pixel
        column, row = (
            np.nan_to_num(np.round(start[index][:, None, None] + d), nan=-1.0).clip(-1, 1e6).astype(int)
            for start, d in ((shapes.x0, dx), (shapes.y0, dy))
        )
    e1, e2 = e1.tolist(), e2.tolist()
    return {int(i): _Rings(column[k], row[k], (e1[k][3], e2[k][3]), (e1[k][1], e2[k][1])) for k, i in enumerate(index)}


class _Disc(NamedTuple):
    """Pixels within 5 px of the centre, and which of them lie within 2."""

    values: np.ndarray
    core: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray, x0: float, y0: float) -> _Disc:
        height, width = pixels.shape
        left, right = (min(max(int(edge), 0), width) for edge in (math.floor(x0) - 5, math.ceil(x0) + 6))
        low, high = (min(max(int(edge), 0), height) for edge in (math.floor(y0) - 5, math.ceil(y0) + 6))
        square = (np.arange(left, right) - x0) ** 2 + ((np.arange(low, high) - y0) ** 2)[:, None]
        within = square <= 25.0
        return cls(pixels[low:high, left:right][within], square[within] <= 4.0)


def _masked_centre(around: _Disc, pixels: np.ndarray) -> bool:
    good = np.isfinite(around.values)
    core = good[around.core]
    seen, all_seen = int(np.count_nonzero(core)), int(np.count_nonzero(good))
    return seen <= 0.5 * core.size or all_seen <= 0.75 * good.size


def _saturated(around: _Disc, pixels: np.ndarray) -> bool:
    """Look for a plateau at the image's highest value within 5 px of the centre.

    Few distinct values (integer counts of a faint source) make plateaus by chance: only one that stands 100 times the
    spread of the image above its median counts.
    """
    centre = around.values[np.isfinite(around.values)].astype(float)
    if centre.size < 5:
        return False
    top = float(np.fmax.reduce(pixels, axis=None))
    if np.count_nonzero(centre >= top - 1e-5 * abs(top)) < 5:
        return False  # as nearly always: the image's median takes a hundred times as long
    values = pixels[np.isfinite(pixels)]
    middle = median(values)
    spread = SIGMA_PER_DEVIATION * median(np.abs(values - values.dtype.type(middle)))
    return top - middle > 100.0 * spread


_OF_ALL_PIXELS = {"clipped_sky": clipped_sky, "no_sky": no_sky}
_OF_THE_CENTRE = {"masked_centre": _masked_centre, "saturated": _saturated}


def _out_of_distribution(shapes: _Shapes, images: Sequence[GalaxyImage]) -> np.ndarray:
    height, width = np.array([np.shape(image.pixels) for image in images], dtype=float).T
    offset = np.hypot(shapes.x0 - (width - 1) / 2.0, shapes.y0 - (height - 1) / 2.0)
    rise = np.fmax.reduce(np.fmax.accumulate(shapes.mu, axis=1) - shapes.mu, axis=1, initial=0.0)
    return ~(offset <= MAX_OFFSET_FRACTION * np.minimum(height, width)) | (rise > MAX_RISE_MAG)


def _half_light_radii(outputs: Mapping[str, Any], scale: np.ndarray) -> np.ndarray:
    """In pixels; infinite where a profile ends before it."""
    columns = {name: np.asarray(outputs[name], dtype=float) for name in ("sma", "growth")}
    keep = np.asarray(outputs["valid"], dtype=bool) & (columns["sma"] > 0) & np.isfinite(columns["growth"])
    columns, _ = packed(columns, keep & np.isfinite(columns["sma"]))
    total = np.asarray(outputs["mag_total"], dtype=float)[:, None]
    radius = radii_of_light(columns["sma"], columns["growth"][:, None], total, 0.5)[:, 0] / scale
    return np.where(np.isfinite(radius), radius, np.inf)


def _flags_of_surroundings(
    shape: ProfileRows, image: GalaxyImage, pixels: np.ndarray, good: np.ndarray, rings: _Rings
) -> set[str]:
    """Flags that need the ellipses and the light around them."""
    half, whole, beyond = rings.shares(good)
    light = surroundings(shape, rings.shape, pixels, good, image)
    by_word = {
        "near_edge": half < 0.95,
        "truncated": whole < 0.80 or (beyond < 0.80 and light is not None and _still_bright(shape, rings, light)),
        "bright_neighbour": light is not None and bright_neighbour(shape, light),
        "uneven_sky": light is not None and uneven_sky(shape, light),
        "nonlinear": light is not None and nonlinear(shape, light, pixels),
    }
    return {word for word, is_set in by_word.items() if is_set}


def _still_bright(shape: ProfileRows, rings: _Rings, light: Surroundings) -> bool:
    """Whether the light at the last ellipse stands high above the noise of its annulus."""
    e = math.hypot(*rings.last_shape)
    ellipticity = 2.0 * e / (1.0 + e)
    snr = annulus_snr(shape.intensity[-1], float(shape.sma[-1]), ellipticity, max(light.noise, 1e-30))
    return bool(snr > STILL_BRIGHT_SNR)
