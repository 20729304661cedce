"""Whether predicted uncertainties are honest: how many truths they hold, overall and in tenths of the radii."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.profile.plots.style import BLACK, SERIES, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_coverage", "plot_coverage_deciles"]

_DASHED = (0, (4, 2))


@styled
def plot_coverage(summaries: Sequence[dict[str, Any]], ax: Axes | None = None) -> dict[str, Any]:
    """Draw the share of truths found inside an interval against the share that it should hold.

    Parameters
    ----------
    summaries : sequence of dict
        As `p2p_keras.evaluation.summarise_evaluation` gives them.
    ax : Axes, optional

    Returns
    -------
    dict
        ``axes``, and by model its line. A line above the diagonal: uncertainties too large.
    """
    ax = ax or new_figure(4.8, 3.8).add_subplot()
    artists: dict[str, Any] = {"axes": ax}
    ax.plot([0, 100], [0, 100], color=BLACK, lw=0.9, ls=_DASHED, label="calibrated")
    for number, summary in enumerate(summaries):
        curve = summary["coverage"]["curve"]
        expected, inside = ([100.0 * point[key] for point in curve] for key in ("expected", "found"))
        color = SERIES[number % len(SERIES)]
        artists[summary["model"]] = ax.plot(expected, inside, "o-", ms=2.5, color=color, label=summary["model"])[0]
    ax.axvline(68.27, color="0.8", lw=0.8, zorder=0.5)
    ax.set(xlabel="expected inside [%]", ylabel="found inside [%]", xlim=(0, 100), ylim=(0, 100))
    ax.legend(loc="upper left")
    return artists


@styled
def plot_coverage_deciles(summaries: Sequence[dict[str, Any]], key: str, ax: Axes | None = None) -> dict[str, Any]:
    """Draw the share of truths inside 1 sigma in the tenths of the radii, sorted by one quantity.

    Parameters
    ----------
    summaries : sequence of dict
    key : {"mu", "size", "snr"}
    ax : Axes, optional

    Returns
    -------
    dict
        ``axes``, and by model its line.
    """
    ax = ax or new_figure(4.8, 2.9).add_subplot()
    artists: dict[str, Any] = {"axes": ax}
    for number, summary in enumerate(summaries):
        parts = summary["deciles"][key]
        tenths, inside = np.arange(1, len(parts) + 1), [100.0 * part["coverage"] for part in parts]
        color = SERIES[number % len(SERIES)]
        artists[summary["model"]] = ax.plot(tenths, inside, "o-", color=color, ms=4, label=summary["model"])[0]
    ax.axhline(68.27, color=BLACK, lw=0.9, ls=_DASHED)
    name = {"mu": r"$\mu$, bright to faint", "size": "extent, small to large", "snr": "S/N, low to high"}[key]
    ax.set(xlabel=f"tenth of the radii by {name}", ylabel=r"inside 1$\sigma$ [%]", ylim=(0, 100), xlim=(0.5, 10.5))
    ax.set_xticks(range(1, 11))
    ax.tick_params(axis="x", which="minor", bottom=False, top=False)
    ax.legend(loc="lower left")
    return artists
