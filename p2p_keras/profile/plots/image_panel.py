"""A galaxy image on an asinh stretch, with its ellipses, a scale bar and the compass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.ellipse import points, vector_from_angles
from p2p_keras.core.units import intensity_from_mu
from p2p_keras.profile.columns import extinction_corrected, isophotal_radius, plain_arrays
from p2p_keras.profile.plots.style import BLUE, ORANGE, VERMILION, new_figure, styled

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes

    from p2p_keras.images import GalaxyImage

__all__ = [
    "PixelGeometry",
    "pixel_geometry",
    "plot_image",
    "draw_image",
    "shown_window",
    "stretched",
    "marked_ellipses",
    "SMALLEST_SHOWN",
]

_HALF_SIDE_EXTENTS = 1.5
"""Half the side of what is shown, in units of the profile's extent."""


@dataclass(frozen=True)
class PixelGeometry:
    """Ellipses of a profile in pixels of an image: centre, semi-major axes, ellipse vectors (from +x)."""

    x0: float
    y0: float
    sma: np.ndarray
    e1: np.ndarray
    e2: np.ndarray

    def outline(self, sma: float) -> tuple[np.ndarray, np.ndarray]:
        """Points of the ellipse of a semi-major axis (px); NaN for a profile without radii."""
        t = np.linspace(0.0, 2.0 * np.pi, 181)
        if not self.sma.size or not np.isfinite(sma):
            return np.full(t.shape, np.nan), np.full(t.shape, np.nan)
        log_r = np.log(self.sma)
        e1, e2 = np.interp(np.log(sma), log_r, self.e1), np.interp(np.log(sma), log_r, self.e2)
        dx, dy = points(sma, e1, e2, np.cos(t), np.sin(t))
        return self.x0 + dx, self.y0 + dy


def pixel_geometry(profile: QTable, image: GalaxyImage) -> PixelGeometry:
    """Ellipses of a profile on its image: undoes the offset of the cutout and the turn to north."""
    arrays = plain_arrays(profile)
    x0, y0 = image.from_file(float(profile.meta.get("x0", np.nan)), float(profile.meta.get("y0", np.nan)))
    if not (np.isfinite(x0) and np.isfinite(y0)):
        x0, y0 = (image.pixels.shape[1] - 1) / 2.0, (image.pixels.shape[0] - 1) / 2.0
    pa = arrays["pa"]
    if profile.meta.get("pa_reference") == "north" and image.pa_reference == "north":
        # Locally the sky's angle is plus or minus the image's, with an offset.
        zero, one = float(image.pa_to_sky(0.0, x0, y0)), float(image.pa_to_sky(1.0, x0, y0))
        sense = 1.0 if (one - zero) % 180.0 < 90.0 else -1.0
        pa = sense * (pa - zero)
    e1, e2 = vector_from_angles(arrays["ellipticity"], pa)
    return PixelGeometry(x0, y0, arrays["sma"] / image.pixel_scale, e1, e2)


@styled
def plot_image(
    image: GalaxyImage, profile: QTable, ax: Axes | None = None, *, ellipses: bool = True, compass: bool = True
) -> dict[str, Any]:
    """Draw the galaxy on an asinh stretch with its isophotes, a scale bar and the compass.

    Parameters
    ----------
    image : GalaxyImage
        As ``p2p_keras.images.read_image`` gives it.
    profile : QTable
        What was measured on this image; an empty one draws the image alone.
    ax : Axes, optional
        A new figure's by default.
    ellipses : bool
        Isophotes of whole magnitudes (thin), half-light ellipse (dashed), extent (thick).
    compass : bool
        Arrows to north and east, where the image has a WCS.

    Returns
    -------
    dict
        Artists by name: ``axes``, ``image``, and ``ellipses`` (lines).
    """
    if ax is None:
        ax = new_figure(4.2, 4.2).add_subplot()
    before = len(ax.lines)
    draw_image(ax, image, profile, ellipses=ellipses, compass=compass)
    return {"axes": ax, "image": ax.images[-1], "ellipses": list(ax.lines[before:])}


def draw_image(
    ax: Axes,
    image: GalaxyImage,
    profile: QTable,
    *,
    ellipses: bool = True,
    compass: bool = True,
    half: float | None = None,
) -> None:
    """Draw the galaxy's surroundings (`half` px to each side; by the profile's extent where not given) and isophotes.

    Thin lines are isophotes of whole magnitudes, the dashed line holds half of the light, the thick one is the last.
    """
    geometry = pixel_geometry(profile, image)
    pixels = np.asarray(image.pixels, dtype=float)
    ax.set_facecolor("0.85")  # masked pixels
    ax.imshow(stretched(pixels, profile), origin="lower", cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    if ellipses:
        _draw_ellipses(ax, geometry, profile, image.pixel_scale)
    columns, rows = shown_window(image, geometry, half)
    ax.set_xlim(columns)
    ax.set_ylim(rows)
    ax.set_aspect("equal")
    ax.tick_params(which="both", left=False, right=False, top=False, bottom=False, labelleft=False, labelbottom=False)
    _scale_bar(ax, image.pixel_scale)
    if compass and image.pa_reference == "north":
        _compass(ax, image, geometry)


def shown_window(
    image: GalaxyImage, geometry: PixelGeometry, half: float | None = None
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits in x and in y (px) of the part of an image that shows its galaxy, `half` px to each side."""
    if half is None:
        half = max(_HALF_SIDE_EXTENTS * (geometry.sma[-1] if geometry.sma.size else np.inf), 24.0)
    half = float(min(half, max(image.shape) / 2.0))
    return _window(geometry.x0, half, image.shape[1]), _window(geometry.y0, half, image.shape[0])


def stretched(pixels: np.ndarray, profile: QTable) -> np.ndarray:
    """Image values from 0 to 1: asinh of flux over noise, from just below the sky to the galaxy's centre."""
    binned = int(profile.meta.get("binning", 1))
    sky = float(profile.meta.get("sky", np.nan)) * binned**2
    good = pixels[np.isfinite(pixels)]
    low, middle = np.percentile(good, [16, 50])
    if not np.isfinite(sky):
        sky = float(middle)
    # The lower half of the pixel values is sky and noise, also in a crowded image; but not where the galaxy fills it.
    differences = np.abs(np.diff(pixels, axis=1))
    grain = float(np.median(differences[np.isfinite(differences)])) if np.isfinite(differences).any() else 0.0
    noise = max(float(sky - low), grain, 1e-12 * float(np.ptp(good)) + 1e-30)
    scaled = np.arcsinh((pixels - sky) / (2.0 * noise))
    arrays = plain_arrays(profile)
    peak = np.percentile(good, 99.9)
    if arrays["mu"].size:
        seen = arrays["mu"][0] + extinction_corrected(profile.meta)  # as on the image
        scale = binned * profile.meta["pixel_scale"]
        intensity = intensity_from_mu(seen, profile.meta["zero_point"], scale)
        peak = min(float(np.max(good)), sky + float(intensity))
    top = np.arcsinh(max(peak - sky, 5.0 * noise) / (2.0 * noise))
    bottom = np.arcsinh(-1.5 / 2.0)
    return (scaled - bottom) / (top - bottom)


def marked_ellipses(profile: QTable) -> dict[str, list[float]]:
    """Semi-major axes (arcsec) of the ellipses that a picture shows: isophotes of whole magnitudes, extent, r50.

    Returns
    -------
    dict of str to list of float
        ``"isophotes"``, ``"extent"``, ``"r50"``; empty lists where there are none.
    """
    arrays = plain_arrays(profile)
    marked: dict[str, list[float]] = {"isophotes": [], "extent": [], "r50": []}
    if arrays["mu"].size and np.isfinite(arrays["mu"]).any():
        levels = np.arange(np.ceil(np.nanmin(arrays["mu"])), np.nanmax(arrays["mu"]))
        marked["isophotes"] = [isophotal_radius(arrays["sma"], arrays["mu"], float(level)) for level in levels]
        marked["extent"] = [float(arrays["sma"][-1])]
        r50 = float(profile.meta.get("r50", np.nan))
        marked["r50"] = [r50] if np.isfinite(r50) else []
    return marked


SMALLEST_SHOWN = 2.0
"""Semi-major axis, px: smaller isophotes only hide the nucleus."""


def _draw_ellipses(ax: Axes, geometry: PixelGeometry, profile: QTable, scale: float) -> None:
    marked = marked_ellipses(profile)
    if not marked["extent"]:
        return
    for sma in marked["isophotes"]:
        if sma / scale > SMALLEST_SHOWN:
            ax.plot(*geometry.outline(sma / scale), color=BLUE, lw=0.7)
    ax.plot(*geometry.outline(geometry.sma[-1]), color=VERMILION, lw=1.4, label="extent")
    for r50 in marked["r50"]:
        ax.plot(*geometry.outline(r50 / scale), color=ORANGE, lw=1.4, ls=(0, (4, 2)), label=r"$r_{50}$")
    ax.plot(geometry.x0, geometry.y0, marker="+", color=VERMILION, ms=6, mew=0.9)


def _window(centre: float, half: float, size: int) -> tuple[float, float]:
    """Limits of one axis: around the centre, moved to lie on the image where it fits."""
    half = min(half, size / 2.0)
    middle = float(np.clip(centre, half - 0.5, size - 0.5 - half))
    return middle - half, middle + half


def _scale_bar(ax: Axes, pixel_scale: float) -> None:
    """A bar of a round number of arcsec (arcmin) near the lower left corner."""
    low, high = ax.get_xlim()
    target = 0.25 * (high - low) * pixel_scale
    steps = np.array([1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600])
    small = steps[steps <= target]
    length = float(small[-1]) if small.size else float(f"{target:.1g}")
    label = f"{length / 60:g}′" if length >= 60 else f"{length:g}″"
    width = length / pixel_scale / (high - low)
    ax.plot([0.06, 0.06 + width], [0.06, 0.06], transform=ax.transAxes, color="k", lw=2.2, solid_capstyle="butt")
    backing: dict[str, Any] = {"facecolor": "white", "alpha": 0.6, "edgecolor": "none", "pad": 1.0}
    ax.text(0.06 + width / 2, 0.075, label, transform=ax.transAxes, ha="center", va="bottom", bbox=backing)


def _compass(ax: Axes, image: GalaxyImage, geometry: PixelGeometry) -> None:
    """Arrows to north and east in the lower right corner."""
    ra, dec = image.pixel_to_sky(geometry.x0, geometry.y0)
    if not (np.isfinite(ra) and np.isfinite(dec)) or image.wcs is None:
        return
    step = 5.0 * image.pixel_scale / 3600.0
    places = [(ra, dec + step), (ra + step / max(np.cos(np.deg2rad(dec)), 1e-3), dec)]
    there = np.array([_sky_to_pixel(image, *place) for place in places]) - [geometry.x0, geometry.y0]
    lengths = np.hypot(there[:, 0], there[:, 1])
    if not np.all(lengths > 0):
        return
    arrows = there / lengths[:, None]
    # The corner of the two arrows moves so that the whole compass is around one place, whatever its turn.
    start = np.array([0.87, 0.13]) - 0.05 * arrows.sum(axis=0)
    for arrow, letter in zip(arrows, "NE", strict=True):
        ax.annotate(
            "",
            start + 0.09 * arrow,
            start,
            "axes fraction",
            "axes fraction",
            {"arrowstyle": "-|>", "color": "k", "lw": 0.9},
        )
        x, y = start + 0.125 * arrow
        ax.text(x, y, letter, transform=ax.transAxes, ha="center", va="center", fontsize=9)


def _sky_to_pixel(image: GalaxyImage, ra: float, dec: float) -> tuple[float, float]:
    from p2p_keras.images.sky_geometry import icrs_to_pixel

    x, y = icrs_to_pixel(image.wcs, ra, dec)
    return float(x), float(y)
