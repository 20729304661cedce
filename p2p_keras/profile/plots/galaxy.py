"""One galaxy: image with ellipses, surface brightness with its uncertainty, geometry, curve of growth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.plots.image_panel import draw_image
from p2p_keras.profile.plots.panels import (
    label_arrays,
    plot_ellipticity,
    plot_growth,
    plot_position_angle,
    plot_profile,
)
from p2p_keras.profile.plots.style import ORANGE, TRUTH, new_figure, styled

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from p2p_keras.images import GalaxyImage

__all__ = ["galaxy_figure"]


@styled
def galaxy_figure(image: GalaxyImage, profile: QTable, *, truth: Any = None) -> Figure:
    """Draw one galaxy and its profile.

    Parameters
    ----------
    image : GalaxyImage
    profile : QTable
        As `p2p_keras.profile` makes it; may be empty.
    truth : LabelledGalaxy, QTable or mapping, optional
        True profile with `sma` (arcsec) and `mu`, drawn in black.

    Returns
    -------
    matplotlib.figure.Figure
        Use `save_figure`, or show it in a notebook by naming it.
    """
    figure = new_figure(10.0, 6.4)
    grid = figure.add_gridspec(6, 2, width_ratios=[1.0, 1.05], hspace=0.0, wspace=0.04)
    image_ax = figure.add_subplot(grid[:4, 0])
    growth_ax = figure.add_subplot(grid[4:, 0])
    mu_ax = figure.add_subplot(grid[:3, 1])
    ellipticity_ax = figure.add_subplot(grid[3, 1], sharex=mu_ax)
    pa_ax = figure.add_subplot(grid[4:, 1], sharex=mu_ax)
    figure.get_layout_engine().set(h_pad=0.01, hspace=0.0)  # type: ignore[union-attr, call-arg]

    draw_image(image_ax, image, profile)
    if image_ax.get_legend_handles_labels()[0]:
        legend = image_ax.legend(loc="upper right", fontsize=8.5, frameon=True, framealpha=0.7, edgecolor="none")
        legend.get_frame().set_linewidth(0)
    figure.suptitle(_title(profile), fontsize=11.5)

    arrays = plain_arrays(profile)
    if not arrays["sma"].size:
        for ax in (mu_ax, ellipticity_ax, pa_ax, growth_ax):
            ax.set_axis_off()
        mu_ax.text(0.5, 0.5, "no profile could be measured", ha="center", va="center", transform=mu_ax.transAxes)
        return figure
    _draw_mu(mu_ax, profile, truth)
    plot_ellipticity(profile, ellipticity_ax)
    plot_position_angle(profile, pa_ax)
    plot_growth(profile, growth_ax)
    for ax in (ellipticity_ax, pa_ax, growth_ax):
        _guide_radii(ax, profile)
    for ax in (mu_ax, ellipticity_ax):
        ax.tick_params(labelbottom=False)
        ax.set_xlabel("")
    return figure


def _title(profile: QTable) -> str:
    meta = profile.meta
    band = f" ({meta['band']})" if meta.get("band") else ""
    parts = [f"{meta.get('name', '')}{band}"]
    for template, key in (
        ("m = {:.2f}", "mag_total"),
        ("$r_{{50}}$ = {:.1f}″", "r50"),
        ("C = {:.2f}", "concentration"),
    ):
        if np.isfinite(meta.get(key, np.nan)):
            parts.append(template.format(meta[key]))
    if meta.get("flags"):
        parts.append("flags: " + ", ".join(word.replace("_", " ") for word in meta["flags"]))
    return "     ".join(parts)


def _draw_mu(ax: Axes, profile: QTable, truth: Any) -> None:
    artists = plot_profile(profile, ax)
    artists["band"].set_label(r"1$\sigma$")
    artists["limit"].set_label("S/N limit")
    if truth is not None:
        sma, (true_sma, true_mu) = plain_arrays(profile)["sma"], label_arrays(truth)
        inside = (true_sma >= 0.9 * sma[0]) & (true_sma <= 1.15 * sma[-1])
        shown = {"sma": true_sma[inside], "mu": true_mu[inside]}
        plot_profile(shown, ax, color=TRUTH, label="truth", limit=False, ls=(0, (4, 2)), lw=1.2)
    _guide_radii(ax, profile, label=True)
    ax.legend(loc="lower left")


def _guide_radii(ax: Axes, profile: QTable, *, label: bool = False) -> None:
    """Vertical lines at the radii that hold half and nine tenths of the light."""
    for key, name in (("r50", "$r_{50}$"), ("r90", "$r_{90}$")):
        radius = float(profile.meta.get(key, np.nan))
        if not np.isfinite(radius):
            continue
        ax.axvline(radius, color=ORANGE, lw=1.0, ls=(0, (4, 2)) if key == "r50" else ":", zorder=0.5)
        if label:
            ax.text(0.97 * radius, 0.97, name, transform=ax.get_xaxis_transform(), ha="right", va="top", fontsize=9.5)
