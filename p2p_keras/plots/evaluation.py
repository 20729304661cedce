"""Figures of an evaluation: spread of the error, error against radius and brightness, calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.accuracy import coverage
from p2p_keras.plots.style import BLACK, GUIDE, SERIES, log_radius_axis, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from p2p_keras.evaluation import Evaluation

_BINS = 20


@styled
def error_violins(evaluations: Sequence[Evaluation]) -> Figure:
    """Draw violins of the error of a profile, over all radii and at mu <= 26.5 (as Smith et al. 2021, fig. 7)."""
    figure = new_figure(2.2 + 1.7 * len(evaluations), 4.2)
    ax = figure.add_subplot()
    labels, place = [], 0.0
    for number, evaluation in enumerate(evaluations):
        for key, name in (("error", "all"), ("error_bright", r"$\mu\leq26.5$")):
            errors = np.array([getattr(r, key) for r in evaluation.results], dtype=float)
            errors = np.log10(np.maximum(errors[np.isfinite(errors)], 1e-3))
            if errors.size > 1 and np.ptp(errors) > 0:
                _violin(ax, errors, place, SERIES[number % len(SERIES)], filled=key == "error")
            labels.append((place, f"{evaluation.model}\n{name}"))
            place += 1.0
        place += 0.4
    ticks = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0])
    ax.set_yticks(np.log10(ticks), [f"{tick:g}" for tick in ticks], minor=False)
    ax.minorticks_off()
    ax.set_xticks([at for at, _ in labels], [text for _, text in labels], fontsize=8.5)
    ax.axhline(np.log10(0.5), color=GUIDE, lw=0.8, ls=":")
    ax.set_ylabel(r"median $|\Delta\mu|$ of a profile [mag arcsec$^{-2}$]")
    return figure


def _violin(ax: Axes, errors: np.ndarray, place: float, colour: str, *, filled: bool) -> None:
    bodies: Any = ax.violinplot([errors], [place], widths=0.8, showextrema=False)["bodies"]
    bodies[0].set(facecolor=colour, edgecolor=colour, alpha=0.45 if filled else 0.2)
    low, median, high, worst = np.percentile(errors, [25, 50, 75, 90])
    ax.plot([place, place], [low, high], color=BLACK, lw=3, solid_capstyle="butt")
    ax.plot(place, median, "o", color="white", mec=BLACK, ms=5)
    ax.plot([place - 0.12, place + 0.12], [worst, worst], color=BLACK, lw=1.0)
    ax.annotate(f"{10**median:.3f}", (place + 0.08, median), va="center", fontsize=8.5)


@styled
def residuals_figure(evaluations: Sequence[Evaluation]) -> Figure:
    """Draw the residual's median and interquartile band against radius and true surface brightness."""
    figure = new_figure(9.6, 4.0)
    radius_ax, mu_ax = figure.subplots(1, 2, sharey=True)
    limit = 0.05
    for number, evaluation in enumerate(evaluations):
        colour = SERIES[number % len(SERIES)]
        residual = _pooled(evaluation, "residual")
        for ax, key, is_log in ((radius_ax, "sma_px", True), (mu_ax, "mu_true", False)):
            reach = _binned(ax, _pooled(evaluation, key), residual, colour, evaluation.model, is_log=is_log)
            limit = max(limit, reach)
    for ax in (radius_ax, mu_ax):
        ax.axhline(0.0, color=BLACK, lw=0.8, ls=(0, (4, 2)))
    radius_ax.set_ylim(1.15 * limit, -1.15 * limit)
    radii = np.concatenate([_pooled(e, "sma_px") for e in evaluations])
    if radii.size:
        log_radius_axis(radius_ax, 0.9 * radii.min(), 1.1 * radii.max())
    radius_ax.set_xlabel("semi-major axis [px]")
    mu_ax.set_xlabel(r"$\mu_{\rm true}$ [mag arcsec$^{-2}$]")
    radius_ax.set_ylabel(r"$\mu_{\rm pred}-\mu_{\rm true}$ [mag arcsec$^{-2}$]")
    radius_ax.legend(loc="upper left")
    return figure


def _binned(ax: Axes, values: np.ndarray, residual: np.ndarray, colour: str, label: str, *, is_log: bool) -> float:
    """Draw median, quartiles and the 10th to 90th percentile in bins; returns the largest quartile drawn."""
    good = np.isfinite(values) & np.isfinite(residual)
    values, residual = values[good], residual[good]
    if values.size < 2 or not np.ptp(values) > 0:
        return 0.0
    scaled = np.log(values) if is_log else values
    edges = np.linspace(scaled.min(), scaled.max(), _BINS + 1)
    places = np.clip(np.digitize(scaled, edges) - 1, 0, _BINS - 1)
    rows = []
    for i in range(_BINS):
        inside = residual[places == i]
        if inside.size >= 5:
            middle = (edges[i] + edges[i + 1]) / 2
            rows.append([np.exp(middle) if is_log else middle, *np.percentile(inside, [10, 25, 50, 75, 90])])
    if not rows:
        return 0.0
    x, p10, low, median, high, p90 = np.array(rows).T
    ax.fill_between(x, p10, p90, color=colour, alpha=0.12, lw=0)
    ax.fill_between(x, low, high, color=colour, alpha=0.3, lw=0)
    ax.plot(x, median, color=colour, label=label)
    return float(np.percentile(np.abs(np.concatenate([p10, p90])), 90))


@styled
def calibration_figure(evaluations: Sequence[Evaluation], summaries: Sequence[dict[str, Any]]) -> Figure:
    """Draw how often the truth lies inside n sigma, and inside 1 sigma in the tenths of mu, size and S/N."""
    from scipy.special import erf

    figure = new_figure(9.6, 4.0)
    curve_ax, decile_ax = figure.subplots(1, 2)
    sigmas = np.linspace(0.0, 3.0, 61)
    curve_ax.plot(sigmas, erf(sigmas / np.sqrt(2.0)), color=BLACK, lw=0.9, ls=(0, (4, 2)), label="normal")
    styles = {"mu": ("o-", r"by $\mu$"), "size": ("s--", "by size"), "snr": ("^:", "by S/N")}
    for number, (evaluation, summary) in enumerate(zip(evaluations, summaries, strict=True)):
        colour = SERIES[number % len(SERIES)]
        residual, mu_err = _pooled(evaluation, "residual"), _pooled(evaluation, "mu_err")
        curve_ax.plot(sigmas, [coverage(residual, mu_err, s) for s in sigmas], color=colour, label=evaluation.model)
        for key, (style, name) in styles.items():
            parts = summary["deciles"][key]
            found = [part["coverage"] for part in parts]
            label = f"{evaluation.model} {name}" if len(evaluations) > 1 else name
            decile_ax.plot(np.arange(1, len(parts) + 1), found, style, color=colour, ms=4, lw=1.0, label=label)
    curve_ax.set(
        xlabel=r"$n$ [predicted $\sigma$]", ylabel=r"share of truths inside $n\sigma$", xlim=(0, 3), ylim=(0, 1)
    )
    curve_ax.legend(loc="lower right")
    decile_ax.axhline(0.683, color=BLACK, lw=0.9, ls=(0, (4, 2)))
    decile_ax.set(xlabel="tenth of the radii, low to high", ylabel=r"share inside 1$\sigma$", ylim=(0, 1))
    decile_ax.legend(loc="lower left")
    return figure


def _pooled(evaluation: Evaluation, key: str) -> np.ndarray:
    """One array of all galaxies' radii."""
    return np.concatenate([np.asarray(getattr(r, key), dtype=float) for r in evaluation.results] or [np.empty(0)])
