"""Words that warn a reader of a profile, and the rule when each is set.

They are found from the model's outputs and the image alone: what can be seen without knowing the truth. ``quality``
sums them up as statmorph does: 0 good, 1 suspect (use with care: part of the profile may be off), 2 bad (don't use
without looking at the picture), 4 there is no profile to use. It is the worst of the flags set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from p2p_keras.core.ellipse import points, vector_from_angles
from p2p_keras.core.extent import annulus_snr
from p2p_keras.core.growth import radius_of_light
from p2p_keras.core.units import MAG_PER_RELATIVE_ERROR, intensity_from_mu

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage


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
    "near_edge": Flag(1, "less than 95 % of the ellipse of half the extent is on the image (off it or masked)"),
    "truncated": Flag(
        1,
        "the galaxy is larger than the image, its sky uncertain: less than 80 % of the last ellipse is on the image; "
        "or of 1.4 times the last ellipse, while the light still stands 16 times above the noise of its annulus",
    ),
    "uneven_sky": Flag(
        1,
        "the sky around the galaxy differs from side to side by more than the light of the last radius: a gradient, "
        "the halo of a neighbour or of a star",
    ),
    "unresolved": Flag(1, "the half-light radius is below 2.5 px: it can't be told from a star"),
    "low_snr": Flag(1, "the median signal-to-noise ratio of the profile's radii is below 5 (mu_err above 0.22 mag)"),
    "saturated": Flag(1, "the centre is a plateau: five or more of its pixels share the image's highest value"),
    "masked_centre": Flag(
        2, "half of the pixels within 2 px of the centre are masked, or a quarter of those within 5 px"
    ),
    "out_of_distribution": Flag(
        2,
        "unlike what the model was made for: a centre further from the middle than a quarter of the image's shorter "
        "side, or a profile that rises outward by more than 1 mag",
    ),
    "masked_rings": Flag(
        1,
        "(forced bands) less than three tenths of some ellipse are unmasked in this band: it has no mu there, and its "
        "curve of growth the reference's light at the colour of the neighbouring radii",
    ),
    "misaligned": Flag(
        2, "(forced bands) the light of this band lies more than 1.5 px from where its WCS puts it on the reference"
    ),
    "no_profile": Flag(4, "fewer than three radii could be measured"),
}
"""Every flag word with its severity and rule."""

NEIGHBOUR_SHARE = 0.2
NEIGHBOUR_REACH = 1.5
LOW_SNR = 5.0
MIN_ROWS = 3
MAX_OFFSET_FRACTION = 0.25
MAX_RISE_MAG = 1.0
UNRESOLVED_PX = 2.5
STILL_BRIGHT_SNR = 16.0
SKY_RING = (1.25, 2.5)
_SECTORS = 8
_DETECTION_SIGMA = 5.0
_EXCESS_OVER_PROFILE = 1.0
"""A pixel belongs to another source if it exceeds the target's own profile by this factor of it: spiral arms and bars
stay below, stars and neighbours don't."""


P_BAD_LIMITS = (0.05, 0.3)
"""Below the first a profile is good, below the second suspect, else bad."""

HARD_FACTS = ("masked_centre", "misaligned", "no_profile")
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
    shape = _Shape.of(outputs, image)
    pixels = np.asarray(image.pixels, dtype=float)
    good = np.isfinite(pixels)
    found = {"no_profile": shape.sma.size < MIN_ROWS, "out_of_distribution": _out_of_distribution(shape, image)}
    if np.isfinite(shape.x0) and np.isfinite(shape.y0):
        found["masked_centre"] = _masked_centre(shape, good)
        found["saturated"] = _saturated(shape, pixels)
    if shape.sma.size >= MIN_ROWS:
        found["low_snr"] = float(np.median(shape.snr)) < LOW_SNR
        found["near_edge"] = _share_on_image(shape, good, 0.5 * shape.sma[-1]) < 0.95
        light = _Surroundings.of(shape, pixels, image)
        found["truncated"] = _truncated(shape, good, light)
        found["unresolved"] = _half_light_radius(outputs, image) < UNRESOLVED_PX
        if light is not None:
            found["bright_neighbour"] = _bright_neighbour(shape, light)
            found["uneven_sky"] = _uneven_sky(shape, light)
    return [word for word in FLAGS if found.get(word)]


class _Shape(NamedTuple):
    """The measured rows of a profile in pixels of the image."""

    x0: float
    y0: float
    sma: np.ndarray
    mu: np.ndarray
    snr: np.ndarray
    e1: np.ndarray
    e2: np.ndarray
    sky: float
    flux: float

    @classmethod
    def of(cls, outputs: Mapping[str, Any], image: GalaxyImage) -> _Shape:
        columns = {n: np.asarray(outputs[n], dtype=float) for n in ("sma", "mu", "mu_err", "ellipticity", "pa")}
        keep = np.asarray(outputs["valid"], dtype=bool) & np.all([np.isfinite(c) for c in columns.values()], axis=0)
        keep &= columns["sma"] > 0
        columns = {name: values[keep] for name, values in columns.items()}
        e1, e2 = vector_from_angles(columns["ellipticity"], columns["pa"])
        snr = MAG_PER_RELATIVE_ERROR / np.maximum(columns["mu_err"], 1e-6)
        flux = 10.0 ** (0.4 * (float(image.zero_point) - float(outputs["mag_total"])))
        sma = columns["sma"] / float(image.pixel_scale)
        return cls(
            float(outputs["x0"]), float(outputs["y0"]), sma, columns["mu"], snr, e1, e2, float(outputs["sky"]), flux
        )

    def at(self, sma: float) -> tuple[float, float]:
        """Ellipse vector at a semi-major axis (px)."""
        log_r = np.log(self.sma)
        return float(np.interp(np.log(sma), log_r, self.e1)), float(np.interp(np.log(sma), log_r, self.e2))


def _share_on_image(shape: _Shape, good: np.ndarray, sma: float) -> float:
    """Share of the points of an ellipse that fall on unmasked pixels."""
    t = np.linspace(0.0, 2.0 * np.pi, 180, endpoint=False)
    dx, dy = points(sma, *shape.at(sma), np.cos(t), np.sin(t))
    x, y = np.round(shape.x0 + dx).astype(int), np.round(shape.y0 + dy).astype(int)
    inside = (x >= 0) & (x < good.shape[1]) & (y >= 0) & (y < good.shape[0])
    on_image = np.zeros(t.shape, dtype=bool)
    on_image[inside] = good[y[inside], x[inside]]
    return float(on_image.mean())


def _disc(shape: _Shape, array: np.ndarray, radius: float) -> np.ndarray:
    """Entries of an array within a radius (px) of the centre."""
    y, x = np.ogrid[: array.shape[0], : array.shape[1]]
    return array[(x - shape.x0) ** 2 + (y - shape.y0) ** 2 <= radius**2]


def _masked_centre(shape: _Shape, good: np.ndarray) -> bool:
    core, centre = _disc(shape, good, 2.0), _disc(shape, good, 5.0)
    return bool(core.size == 0 or core.mean() <= 0.5 or centre.mean() <= 0.75)


def _saturated(shape: _Shape, pixels: np.ndarray) -> bool:
    """Look for a plateau at the image's highest value within 5 px of the centre.

    Few distinct values (integer counts of a faint source) make plateaus by chance: only one that stands 100 times the
    spread of the image above its median counts.
    """
    centre = _disc(shape, pixels, 5.0)
    centre = centre[np.isfinite(centre)]
    if centre.size < 5:
        return False
    top = float(np.nanmax(pixels))
    if np.sum(centre >= top - 1e-5 * abs(top)) < 5:
        return False  # as nearly always: the image's median takes a hundred times as long
    median = float(np.nanmedian(pixels))
    spread = 1.4826 * float(np.nanmedian(np.abs(pixels - median)))
    return bool(top - median > 100.0 * spread)


def _out_of_distribution(shape: _Shape, image: GalaxyImage) -> bool:
    height, width = np.shape(image.pixels)
    offset = np.hypot(shape.x0 - (width - 1) / 2.0, shape.y0 - (height - 1) / 2.0)
    if not offset <= MAX_OFFSET_FRACTION * min(height, width):
        return True
    return bool(shape.mu.size and np.max(np.maximum.accumulate(shape.mu) - shape.mu) > MAX_RISE_MAG)


def _half_light_radius(outputs: Mapping[str, Any], image: GalaxyImage) -> float:
    """In pixels; infinite where the profile ends before it."""
    keep = np.asarray(outputs["valid"], dtype=bool) & (np.asarray(outputs["sma"]) > 0)
    sma, growth = (np.asarray(outputs[key], dtype=float)[keep] for key in ("sma", "growth"))
    radius = radius_of_light(sma, growth, float(outputs["mag_total"]), 0.5) / float(image.pixel_scale)
    return radius if np.isfinite(radius) else float("inf")


class _Surroundings(NamedTuple):
    """The image less the profile painted along its own ellipses.

    `radius` (px) and `excess` (flux per pixel) are (H, W), `dx` (1, W) and `dy` (H, 1) the distances from the centre;
    `other` are pixels of other sources; `noise` is that of the sky per pixel, `intensity` the profile's.
    """

    radius: np.ndarray
    dx: np.ndarray
    dy: np.ndarray
    excess: np.ndarray
    other: np.ndarray
    noise: float
    intensity: np.ndarray

    @classmethod
    def of(cls, shape: _Shape, pixels: np.ndarray, image: GalaxyImage) -> _Surroundings | None:
        height, width = pixels.shape
        y, x = np.ogrid[:height, :width]
        # One shape for all radii is enough to tell a neighbour from the galaxy: that of 60 % of the extent.
        e1, e2 = shape.at(0.6 * shape.sma[-1])
        dx, dy = x - shape.x0, y - shape.y0
        norm = (1.0 - e1 * e1 - e2 * e2) / (1.0 + np.hypot(e1, e2))
        along, across = (1.0 - e1) * dx - e2 * dy, (1.0 + e1) * dy - e2 * dx
        radius = np.sqrt(along * along + across * across) / norm  # np.hypot takes three times as long
        intensity = intensity_from_mu(shape.mu, float(image.zero_point), float(image.pixel_scale))
        inside = radius <= shape.sma[-1]
        log_r = np.log(np.maximum(radius[inside], shape.sma[0]))
        model = np.zeros(radius.shape)
        model[inside] = np.exp(np.interp(log_r, np.log(shape.sma), np.log(intensity)))
        excess = pixels - shape.sky - model
        finite = np.isfinite(excess)
        outside = excess[~inside & finite]
        sample = outside if outside.size > 200 else excess[finite]
        if not sample.size:
            return None
        noise = 1.4826 * _median(np.abs(sample - _median(sample)))
        with np.errstate(invalid="ignore"):
            other = excess > _DETECTION_SIGMA * _noise_of_pixels(image, noise)
            other &= excess > _EXCESS_OVER_PROFILE * model
        other &= radius > max(3.0, 0.1 * shape.sma[-1])  # the PSF's core and a bulge that one shape can't follow
        return cls(radius, dx, dy, excess, other, noise, intensity)


def _noise_of_pixels(image: GalaxyImage, noise: float) -> Any:
    """Noise per pixel to tell sources by: of the image's map where it is larger than the sky's, else the sky's."""
    if image.noise is None:
        return noise
    return np.fmax(np.asarray(image.noise, dtype=float), noise)


def _truncated(shape: _Shape, good: np.ndarray, light: _Surroundings | None) -> bool:
    last = float(shape.sma[-1])
    if _share_on_image(shape, good, last) < 0.80:
        return True
    if light is None or _share_on_image(shape, good, 1.4 * last) >= 0.80:
        return False
    e = float(np.hypot(*shape.at(last)))
    ellipticity = 2.0 * e / (1.0 + e)
    return bool(annulus_snr(light.intensity[-1], last, ellipticity, max(light.noise, 1e-30)) > STILL_BRIGHT_SNR)


def _bright_neighbour(shape: _Shape, light: _Surroundings) -> bool:
    """Sum up the light of other sources near the galaxy, and look at the brightest of them."""
    if not light.other.any():
        return False
    inside = light.other & (light.radius <= NEIGHBOUR_REACH * shape.sma[-1])
    if shape.flux > 0 and float(light.excess[inside].sum()) > NEIGHBOUR_SHARE * shape.flux:
        return True
    # The brightest of four pixels, so that one hot pixel or cosmic ray isn't a neighbour.
    bright = np.sort(light.excess[light.other])[-4:]
    return bool(bright.size == 4 and bright[0] > float(light.intensity[0]))


def _uneven_sky(shape: _Shape, light: _Surroundings) -> bool:
    """Compare the sky in sectors around the galaxy; detected sources are left out."""
    last = float(shape.sma[-1])
    ring = (light.radius > SKY_RING[0] * last) & (light.radius < SKY_RING[1] * last)
    ring &= np.isfinite(light.excess) & ~light.other
    # Eight sectors by signs and by which distance is the longer one: no arctangent for each pixel.
    sector = 4 * (light.dy < 0.0) + 2 * (light.dx < 0.0) + (np.abs(light.dy) > np.abs(light.dx))
    values, sector = light.excess[ring], sector.astype(np.uint8)[ring]
    parts = [part for part in (values[sector == i] for i in range(_SECTORS)) if part.size >= 50]
    if len(parts) < _SECTORS // 2:
        return False
    levels = np.array([_median(part) for part in parts])
    error = 1.25 * light.noise / np.sqrt(min(part.size for part in parts))
    spread = float(levels.max() - levels.min())
    return bool(spread > max(float(light.intensity[-1]), 8.0 * error))


def _median(values: np.ndarray) -> float:
    """Median of finite values: what np.median gives, whose look for NaN makes it ten times as slow."""
    half = values.size // 2
    parted = np.partition(values, half)
    return float(parted[half] if values.size % 2 else 0.5 * (parted[:half].max() + parted[half]))
