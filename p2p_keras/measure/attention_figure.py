"""Which pixels made which radius."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.plots.image_panel import draw_image, pixel_geometry
from p2p_keras.profile.plots.style import MU_LABEL, SMA_LABEL, VERMILION, log_radius_axis, new_figure, styled

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.figure import Figure

    from p2p_keras.images import GalaxyImage
    from p2p_keras.measure.attention import Attention

__all__ = ["attention_figure"]

NUM_PANELS = 6
_FULL = 99.7  # percentile of a map's pixels that is drawn opaque


@styled
def attention_figure(image: GalaxyImage, profile: QTable, attention: Attention) -> Figure:
    """Draw where a model looked for the radii of one galaxy.

    Left: the image under one colour for each radius, stronger where a pixel made more of it; below it the profile in
    the same colours. Right: single radii from the inside outward, each with its ellipse; grey pixels are masked.

    Parameters
    ----------
    image : GalaxyImage
    profile : QTable
        What was measured on it; may be empty.
    attention : Attention

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl

    figure = new_figure(11.0, 6.2)
    grid = figure.add_gridspec(1, 2, width_ratios=[1.0, 1.5])
    left = grid[0].subgridspec(2, 1, height_ratios=[2.6, 1.0])
    single = grid[1].subgridspec(2, NUM_PANELS // 2)
    all_ax = figure.add_subplot(left[0])
    figure.suptitle(f"{profile.meta.get('name', '')}: which pixels made which radius", fontsize=11.5)
    maps = attention.on_pixels(np.isfinite(np.asarray(image.pixels, dtype=float)))
    used = np.flatnonzero(attention.valid & (maps.sum(axis=(1, 2)) > 0))
    draw_image(all_ax, image, profile, ellipses=False)
    if not used.size:
        all_ax.set_title("no radius was measured")
        return figure
    colours = mpl.colormaps["viridis"](np.linspace(0.0, 1.0, used.size))
    all_ax.imshow(_coloured(maps[used], colours), origin="lower", interpolation="nearest")
    all_ax.set_title("all radii: colour tells the radius")

    geometry = pixel_geometry(profile, image)
    # From a hundredth of the last radius outward: inside of that a pixel or two make it all.
    first = int(np.searchsorted(attention.sma[used], 0.01 * attention.sma[used[-1]]))
    for panel, i in enumerate(np.unique(np.rint(np.linspace(first, used.size - 1, NUM_PANELS)).astype(int))):
        ax = figure.add_subplot(single[panel // (NUM_PANELS // 2), panel % (NUM_PANELS // 2)])
        draw_image(ax, image, profile, ellipses=False, compass=False, half=_half(attention, maps, used[i], image))
        ax.imshow(_coloured(maps[used[i]][None], colours[i][None]), origin="lower", interpolation="nearest")
        sma = float(attention.sma[used[i]])
        ax.plot(*geometry.outline(sma / image.pixel_scale), color=VERMILION, lw=0.7)
        ax.set_title(f"{sma:.3g}″", fontsize=9.5)
    _draw_profile(figure.add_subplot(left[1]), profile, attention.sma[used], colours)
    return figure


def _half(attention: Attention, maps: np.ndarray, k: int, image: GalaxyImage) -> float:
    """Half the side in pixels of a panel that shows the ellipse of a radius and nearly all that made it."""
    rows, columns = np.nonzero(maps[k] > 0.02 * maps[k].max())
    far = max(np.ptp(rows), np.ptp(columns)) / 2.0 if rows.size else 0.0
    return 1.4 * max(float(attention.sma[k]) / image.pixel_scale, far) + 4.0


def _coloured(maps: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """RGBA image (H, W, 4) of maps (N, H, W): the mean colour of the radii of a pixel, opaque where it made much."""
    # Each radius counts alike, however many pixels share it.
    strength = np.empty_like(maps)
    for i, one in enumerate(maps):
        seen = one[one > 0]
        strength[i] = np.minimum(one / np.percentile(seen, _FULL), 1.0) if seen.size else 0.0
    total = strength.sum(axis=0)
    rgb = np.einsum("nhw,nc->hwc", strength, colours[:, :3]) / np.maximum(total, 1e-12)[..., None]
    return np.concatenate([rgb, (0.85 * strength.max(axis=0) ** 0.5)[..., None]], axis=2)


def _draw_profile(ax, profile: QTable, sma: np.ndarray, colours: np.ndarray) -> None:
    arrays = plain_arrays(profile)
    if not arrays["sma"].size:
        ax.set_axis_off()
        return
    nearest = np.abs(np.log(arrays["sma"][:, None] / sma[None, :])).argmin(axis=1)
    ax.scatter(arrays["sma"], arrays["mu"], c=colours[nearest], s=12)
    log_radius_axis(ax, 0.9 * float(arrays["sma"][0]), 1.1 * float(arrays["sma"][-1]))
    ax.invert_yaxis()
    ax.set_xlabel(SMA_LABEL)
    ax.set_ylabel(MU_LABEL)
