"""One galaxy: image with ellipses, surface brightness with its uncertainty, geometry, curve of growth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.plots.image_panel import draw_image
from p2p_keras.plots.style import (
    GUIDE,
    MU_LABEL,
    ORANGE,
    PREDICTION,
    SMA_LABEL,
    TRUTH,
    log_radius_axis,
    new_figure,
    styled,
)
from p2p_keras.plots.truth import label_arrays
from p2p_keras.profile import plain_arrays

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from p2p_keras.images import GalaxyImage


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
    _draw_mu(mu_ax, arrays, profile, truth)
    _draw_geometry(ellipticity_ax, pa_ax, arrays, profile)
    _draw_growth(growth_ax, arrays, profile)
    for ax in (mu_ax, ellipticity_ax, pa_ax, growth_ax):
        log_radius_axis(ax, 0.8 * arrays["sma"][0], 1.35 * arrays["sma"][-1])
    for ax in (mu_ax, ellipticity_ax):
        ax.tick_params(labelbottom=False)
    for ax in (pa_ax, growth_ax):
        ax.set_xlabel(SMA_LABEL)
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


def _draw_mu(ax: Axes, arrays: dict[str, np.ndarray], profile: QTable, truth: Any) -> None:
    sma, mu, err = arrays["sma"], arrays["mu"], arrays["mu_err"]
    ax.fill_between(sma, mu - err, mu + err, color=PREDICTION, alpha=0.25, lw=0, label=r"1$\sigma$")
    ax.plot(sma, mu, color=PREDICTION)
    shown = np.concatenate([mu, mu + np.minimum(err, 1.0), mu - np.minimum(err, 1.0)])
    if truth is not None:
        true_sma, true_mu = label_arrays(truth)
        inside = (true_sma >= 0.9 * sma[0]) & (true_sma <= 1.15 * sma[-1]) & np.isfinite(true_mu)
        ax.plot(true_sma[inside], true_mu[inside], color=TRUTH, ls=(0, (4, 2)), lw=1.2, label="truth")
        shown = np.concatenate([shown, true_mu[inside]])
    _guide_radii(ax, profile, label=True)
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    margin = 0.06 * max(high - low, 1.0)
    ax.set_ylim(high + margin, low - margin)
    band = profile.meta.get("band", "")
    ax.set_ylabel(MU_LABEL.replace(r"\mu", rf"\mu_{{\rm {band}}}") if band.isalnum() else MU_LABEL)
    ax.legend(loc="lower left")


def _draw_geometry(ellipticity_ax: Axes, pa_ax: Axes, arrays: dict[str, np.ndarray], profile: QTable) -> None:
    sma = arrays["sma"]
    ellipticity_ax.plot(sma, arrays["ellipticity"], color=PREDICTION)
    ellipticity_ax.set_ylim(0.0, max(0.32, 1.15 * float(np.nanmax(arrays["ellipticity"]))))
    ellipticity_ax.set_ylabel(r"$1 - b/a$")
    # An angle modulo 180 is drawn without jumps; where the ellipse is all but round it means nothing.
    pa = np.rad2deg(np.unwrap(2.0 * np.deg2rad(arrays["pa"]))) / 2.0
    pa -= 180.0 * np.floor(np.nanmedian(pa) / 180.0)
    clear = arrays["ellipticity"] > 0.05
    pa_ax.plot(sma, pa, color=PREDICTION, lw=0.8, alpha=0.5)
    pa_ax.plot(sma, np.where(clear, pa, np.nan), color=PREDICTION)
    seen = pa[clear] if clear.any() else pa
    low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
    middle, half = (low + high) / 2.0, max(15.0, 0.6 * (high - low))
    pa_ax.set_ylim(middle - half, middle + half)
    pa_ax.set_ylabel("PA [deg, N to E]" if profile.meta.get("pa_reference") == "north" else "PA [deg from +x]")
    for ax in (ellipticity_ax, pa_ax):
        _guide_radii(ax, profile)


def _draw_growth(ax: Axes, arrays: dict[str, np.ndarray], profile: QTable) -> None:
    growth, total = arrays["growth"], float(profile.meta.get("mag_total", np.nan))
    ax.plot(arrays["sma"], growth, color=PREDICTION)
    if np.isfinite(total):
        ax.axhline(total, color=GUIDE, lw=0.9, ls=(0, (5, 3)))
        ax.text(0.02, total, "total", transform=ax.get_yaxis_transform(), va="bottom", fontsize=8.5, color="0.35")
    bottom = min(float(np.nanmax(growth)), float(np.nanmin(growth)) + 6.0)
    top = np.nanmin([np.nanmin(growth), total])
    ax.set_ylim(bottom, top - 0.14 * max(bottom - top, 0.5))
    ax.set_ylabel("m(< sma) [mag]")
    _guide_radii(ax, profile)


def _guide_radii(ax: Axes, profile: QTable, *, label: bool = False) -> None:
    """Vertical lines at the radii that hold half and nine tenths of the light."""
    for key, name in (("r50", "$r_{50}$"), ("r90", "$r_{90}$")):
        radius = float(profile.meta.get(key, np.nan))
        if not np.isfinite(radius):
            continue
        ax.axvline(radius, color=ORANGE, lw=1.0, ls=(0, (4, 2)) if key == "r50" else ":", zorder=0.5)
        if label:
            ax.text(0.97 * radius, 0.97, name, transform=ax.get_xaxis_transform(), ha="right", va="top", fontsize=9.5)
