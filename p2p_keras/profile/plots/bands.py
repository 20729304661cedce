"""Several bands of one galaxy together: surface brightness of all, and their colours."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.accuracy import interpolate_log_sma
from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.plots.panels import plot_profile
from p2p_keras.profile.plots.style import BAND_COLORS, SERIES, SMA_LABEL, new_figure, radius_axis, styled

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_bands", "plot_colors", "bands_figure", "band_color"]


@styled
def plot_bands(profiles: Mapping[str, QTable], ax: Axes | None = None, *, radius: str = "log") -> dict[str, Any]:
    """Draw the profiles of several bands on one panel, each in its band's colour and with another line.

    Parameters
    ----------
    profiles : mapping of str to QTable
        By band, from blue to red.
    ax : Axes, optional
    radius : {"log", "linear", "r^1/4"}

    Returns
    -------
    dict
        ``axes``, ``legend``, and by band what `p2p_keras.profile.plots.plot_profile` returns.
    """
    artists: dict[str, Any] = {}
    for number, (band, profile) in enumerate(profiles.items()):
        # Bands are told apart by line as well, for prints without colour.
        style = ("-", "--", "-.", ":")[number % 4]
        artists[band] = plot_profile(
            profile, ax, radius=radius, color=band_color(band, number), label=band, limit=False, ls=style
        )
        ax = artists[band]["axes"]
    if ax is None:
        raise ValueError("there are no profiles to draw")
    return artists | {"axes": ax, "legend": ax.legend(loc="lower left")}


@styled
def plot_colors(profiles: Mapping[str, QTable], ax: Axes | None = None, *, radius: str = "log") -> dict[str, Any]:
    """Draw colour profiles of neighbouring bands (g-r, r-i, ...) with their 1-sigma bands.

    Colours are meaningful only along the same ellipses. Measure the bands with ``predict --forced``, and make sure that
    their images have similar PSFs, or leave out the inner two arcsec.

    Parameters
    ----------
    profiles : mapping of str to QTable
        By band, from blue to red.
    ax : Axes, optional
    radius : {"log", "linear", "r^1/4"}

    Returns
    -------
    dict
        ``axes``, ``legend``, and the artists of each colour by its name, such as ``"g-r"``.
    """
    ax = ax or new_figure(5.0, 2.6).add_subplot()
    artists: dict[str, Any] = {"axes": ax}
    shown, radii = [np.empty(0)], [np.empty(0)]
    for number, ((blue, one), (red, other)) in enumerate(pairwise(profiles.items())):
        a, b = plain_arrays(one), plain_arrays(other)
        colour = a["mu"] - interpolate_log_sma(a["sma"], b["sma"], b["mu"])
        error = np.hypot(a["mu_err"], interpolate_log_sma(a["sma"], b["sma"], b["mu_err"]))
        paint = SERIES[number % len(SERIES)]
        artists[f"{blue}-{red}"] = {
            "band": ax.fill_between(a["sma"], colour - error, colour + error, color=paint, alpha=0.25, lw=0),
            "line": ax.plot(a["sma"], colour, color=paint, label=f"${blue}-{red}$")[0],
        }
        good = np.isfinite(colour)
        shown.append(colour[good & (error < 0.3)])
        radii.append(a["sma"][good])
    values, sma = np.concatenate(shown), np.concatenate(radii)
    if values.size:
        ax.set_ylim(float(values.min()) - 0.25, float(values.max()) + 0.25)
    if sma.size:
        radius_axis(ax, radius, 0.0 if radius == "linear" else 0.8 * float(sma.min()), 1.35 * float(sma.max()))
    ax.set(xlabel=SMA_LABEL, ylabel="colour [mag]")
    artists["legend"] = ax.legend(loc="best", ncols=len(profiles))
    return artists


@styled
def bands_figure(profiles: Mapping[str, QTable], *, radius: str = "log", title: str = "") -> Figure:
    """Draw all bands above their colours, on one radius axis.

    Parameters
    ----------
    profiles : mapping of str to QTable
        By band, from blue to red.
    radius : {"log", "linear", "r^1/4"}
    title : str

    Returns
    -------
    Figure
    """
    figure = new_figure(5.2, 5.2)
    mu_ax, colour_ax = figure.subplots(2, 1, sharex=True, height_ratios=[2.0, 1.0])
    plot_bands(profiles, mu_ax, radius=radius)
    limits = mu_ax.get_xlim()
    plot_colors(profiles, colour_ax, radius=radius)
    radius_axis(colour_ax, radius, *limits)
    mu_ax.set_xlabel("")
    mu_ax.tick_params(labelbottom=False)
    if title:
        figure.suptitle(title)
    return figure


def band_color(band: str, number: int = 0) -> str:
    """Colour of a band: a fixed one for those of the SDSS, Legacy and Rubin systems, else one of the series."""
    return BAND_COLORS.get(band, SERIES[number % len(SERIES)])
