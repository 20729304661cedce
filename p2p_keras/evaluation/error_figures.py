"""Errors of an evaluation: their spread over galaxies, and how they grow with radius and faintness.

Each panel takes evaluations (`p2p_keras.evaluation.Evaluation`), draws them in the colours of `SERIES` in their order,
and returns its artists; ``..._figure`` functions are the paper's figures 4 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.accuracy import BAD_ERROR, summarise
from p2p_keras.images.bands import sorted_bands
from p2p_keras.profile.plots.style import BLACK, GUIDE, SERIES, log_radius_axis, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from p2p_keras.evaluation import Evaluation

__all__ = [
    "plot_violins",
    "violins_figure",
    "plot_error_by_radius",
    "plot_error_by_mu",
    "plot_bias_by_mu",
    "radius_figure",
]

_BINS = 20
_LEAST_IN_BIN = 5
_LEAST_ERROR = 1e-3
"""Errors are drawn on a logarithmic axis that begins here, mag arcsec^-2."""

_ERROR_TICKS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


@styled
def plot_violins(evaluations: Sequence[Evaluation], ax: Axes | None = None) -> dict[str, Any]:
    """Draw violins of the error of a profile: filled over all radii, light where mu_true <= 26.5.

    Bars mark the quartiles, the dot the median, the tick where the worst tenth begins; these count galaxies without a
    profile as infinitely wrong, the violins can't show them.

    Parameters
    ----------
    evaluations : sequence of Evaluation
    ax : Axes, optional
        A new figure's by default, higher for more models.

    Returns
    -------
    dict
        ``axes``, ``violins`` (one of each model and kind, None where there are too few errors).
    """
    ax = ax or new_figure(4.8, 0.9 + 1.15 * max(len(evaluations), 1)).add_subplot()
    places: list[tuple[float, str]] = []
    violins = []
    place = 0.0
    for number, evaluation in enumerate(evaluations):
        color = SERIES[number % len(SERIES)]
        for key, name in (("error", "all radii"), ("error_bright", r"$\mu\leq26.5$")):
            errors = np.array([getattr(r, key) for r in evaluation.results], dtype=float)
            violins.append(_violin(ax, errors, place, color, filled=key == "error"))
            places.append((place, f"{evaluation.model}\n{name}"))
            place += 1.0
        place += 0.35
    ax.set_yticks([at for at, _ in places], [text for _, text in places], fontsize=8.5)
    ax.set_ylim(place - 0.75, -0.6)
    ax.tick_params(axis="y", which="both", length=0)
    _error_axis(ax.xaxis)
    ax.axvline(np.log10(BAD_ERROR), color=GUIDE, lw=0.8, ls=":")
    ax.set_xlabel(r"median $|\Delta\mu|$ of a profile [mag arcsec$^{-2}$]")
    return {"axes": ax, "violins": violins}


def violins_figure(evaluations: Sequence[Evaluation]) -> Figure:
    """Draw the violins of all models (as Smith et al. 2021, fig. 4)."""
    return plot_violins(evaluations)["axes"].figure


@styled
def plot_error_by_radius(
    evaluations: Sequence[Evaluation], ax: Axes | None = None, *, band: str | None = None
) -> dict[str, Any]:
    """Draw the median of abs(mu_pred - mu_true) against radius, with the band between its quartiles.

    Parameters
    ----------
    evaluations : sequence of Evaluation
    ax : Axes, optional
    band : str, optional
        Only galaxies of this band; all by default.

    Returns
    -------
    dict
        ``axes``, and by model a dict of ``line`` and ``band``.
    """
    return _trends(evaluations, ax, "sma_px", band=band)


@styled
def plot_error_by_mu(
    evaluations: Sequence[Evaluation], ax: Axes | None = None, *, band: str | None = None
) -> dict[str, Any]:
    """Draw it against the true surface brightness. Parameters and result as of `plot_error_by_radius`."""
    return _trends(evaluations, ax, "mu_true", band=band)


@styled
def plot_bias_by_mu(
    evaluations: Sequence[Evaluation], ax: Axes | None = None, *, band: str | None = None
) -> dict[str, Any]:
    """Draw the median of mu_pred - mu_true against the true surface brightness, with its quartiles.

    Parameters and result as of `plot_error_by_radius`.
    """
    return _trends(evaluations, ax, "mu_true", band=band, signed=True)


@styled
def radius_figure(evaluations: Sequence[Evaluation]) -> Figure:
    """Draw error against radius of all galaxies and of each band (as Smith et al. 2021, fig. 5)."""
    bands = sorted_bands(r.band for evaluation in evaluations for r in evaluation.results)
    shown: list[str | None] = [None, *bands] if len(bands) > 1 else [None]
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure = new_figure(4.2 * columns + 0.4, 2.9 * rows + 0.3)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    limits = []
    for ax, band in zip(axes.flat, shown, strict=False):
        plot_error_by_radius(evaluations, ax, band=band)
        limits.append([*ax.get_xlim(), *ax.get_ylim()])
        ax.text(0.03, 0.95, "all" if band is None else f"${band or '?'}$", transform=ax.transAxes, va="top")
        if band is not None and ax.get_legend():
            ax.get_legend().remove()
    # The axes are shared: the last one drawn must not have the last word.
    (left, _, low, _), (_, right, _, high) = np.min(limits, axis=0), np.max(limits, axis=0)
    axes.flat[0].set(xlim=(left, right), ylim=(low, high))
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    for ax in axes.flat:
        ax.label_outer()
    return figure


def _trends(
    evaluations: Sequence[Evaluation], ax: Axes | None, key: str, *, band: str | None = None, signed: bool = False
) -> dict[str, Any]:
    ax = ax or new_figure(4.8, 3.6).add_subplot()
    artists: dict[str, Any] = {"axes": ax}
    is_radius = key == "sma_px"
    reach: list[np.ndarray] = []
    radii = [np.empty(0)]
    for number, evaluation in enumerate(evaluations):
        chosen = [r for r in evaluation.results if band is None or r.band == band]
        values = _pooled(chosen, key)
        residual = _pooled(chosen, "residual")
        radii.append(values)
        quartiles = _quartiles(values, residual if signed else np.abs(residual), is_log=is_radius)
        if quartiles is None:
            continue
        x, low, median, high = quartiles
        if not signed:
            low, median, high = (np.log10(np.maximum(part, _LEAST_ERROR)) for part in (low, median, high))
        color = SERIES[number % len(SERIES)]
        artists[evaluation.model] = {
            "band": ax.fill_between(x, low, high, color=color, alpha=0.25, lw=0),
            "line": ax.plot(x, median, color=color, label=evaluation.model)[0],
        }
        reach += [low, high]
    if is_radius:
        sma = np.concatenate(radii)
        if sma.size:
            log_radius_axis(ax, 0.9 * sma.min(), 1.1 * sma.max())
        ax.set_xlabel("semi-major axis [px]")
    else:
        ax.set_xlabel(r"$\mu_{\rm true}$ [mag arcsec$^{-2}$]")
    shown = np.concatenate(reach or [np.zeros(1) if signed else np.log10([0.01, 1.0])])
    if signed:
        ax.axhline(0.0, color=BLACK, lw=0.8, ls=(0, (4, 2)))
        widest = max(1.2 * float(np.percentile(np.abs(shown), 95)), 0.05)
        ax.set_ylim(widest, -widest)
        ax.set_ylabel(r"$\mu_{\rm pred}-\mu_{\rm true}$ [mag arcsec$^{-2}$]")
    else:
        _error_axis(ax.yaxis)
        ax.set_ylim(float(shown.min()) - 0.15, float(shown.max()) + 0.25)
        ax.set_ylabel(r"$|\Delta\mu|$ [mag arcsec$^{-2}$]")
    if len(artists) > 1:
        artists["legend"] = ax.legend(loc="lower right" if not signed else "lower left")
    return artists


def _violin(ax: Axes, errors: np.ndarray, place: float, color: str, *, filled: bool) -> Any:
    present = np.log10(np.maximum(errors[np.isfinite(errors)], _LEAST_ERROR))
    if present.size < 2 or not np.ptp(present) > 0:
        return None
    drawn: Any = ax.violinplot([present], [place], orientation="horizontal", widths=0.8, showextrema=False)
    body = drawn["bodies"][0]
    body.set(facecolor=color, edgecolor=color, alpha=0.5 if filled else 0.2)
    # The figures of the tables, which count galaxies without a profile as infinitely wrong.
    figures = summarise(errors)
    low, median, high, worst = (
        np.log10(max(value, _LEAST_ERROR))
        for value in (figures.quartile_low, figures.median, figures.quartile_high, figures.worst_tenth)
    )
    ends = [min(end, float(present.max())) for end in (low, high)]
    ax.plot(ends, [place, place], color=BLACK, lw=3, solid_capstyle="butt")
    if np.isfinite(median):
        ax.plot(median, place, "o", color="white", mec=BLACK, ms=5)
        above: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "va": "bottom", "fontsize": 8}
        ax.annotate(f"{figures.median:.3f}", (median, place), (0, 6), **above)
    if np.isfinite(worst):
        ax.plot([worst, worst], [place - 0.14, place + 0.14], color=BLACK, lw=1.0)
    return body


def _error_axis(axis: Any) -> None:
    """Plain numbers on an axis of log10 of an error in mag."""
    axis.set_ticks(np.log10(_ERROR_TICKS), [f"{tick:g}" for tick in _ERROR_TICKS])
    axis.set_ticks([], minor=True)


def _quartiles(values: np.ndarray, errors: np.ndarray, *, is_log: bool) -> tuple[np.ndarray, ...] | None:
    """Middle, lower quartile, median and upper quartile of bins of equal width; None where there are too few radii."""
    good = np.isfinite(values) & np.isfinite(errors) & ((values > 0) | (not is_log))
    values, errors = values[good], errors[good]
    if values.size < 2 or not np.ptp(values) > 0:
        return None
    scaled = np.log(values) if is_log else values
    edges = np.linspace(scaled.min(), scaled.max(), _BINS + 1)
    places = np.clip(np.digitize(scaled, edges) - 1, 0, _BINS - 1)
    rows = []
    for i in range(_BINS):
        inside = errors[places == i]
        if inside.size >= _LEAST_IN_BIN:
            middle = (edges[i] + edges[i + 1]) / 2
            rows.append([np.exp(middle) if is_log else middle, *np.percentile(inside, [25, 50, 75])])
    return tuple(np.array(rows).T) if rows else None


def _pooled(results: Sequence[Any], key: str) -> np.ndarray:
    """One array of all galaxies' radii."""
    return np.concatenate([np.asarray(getattr(r, key), dtype=float) for r in results] or [np.empty(0)])
