"""Single panels of a profile, for figures of one's own: each function draws on given axes and returns its artists.

With ``ax=None`` a panel gets a figure of its own: ``plot_profile(profile)["axes"].figure``. A second call on the same
axes adds to them: limits grow, nothing is redrawn. Radii are semi-major axes in arcsec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.accuracy import profile_residuals
from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.plots.style import (
    GUIDE,
    MU_LABEL,
    PREDICTION,
    RADIUS_SCALES,
    SMA_LABEL,
    new_figure,
    radius_axis,
    styled,
)

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes

__all__ = [
    "CLEAR_ELLIPTICITY",
    "plot_profile",
    "plot_ellipticity",
    "plot_position_angle",
    "continuous_angle",
    "plot_growth",
    "plot_residual",
    "label_arrays",
]

CLEAR_ELLIPTICITY = 0.05
"""Below it the position angle of an ellipse means nothing, and is drawn faintly."""

_MAX_SHOWN_ERROR = 1.0
_DASHED = (0, (4, 2))


@styled
def plot_profile(
    profile: Any,
    ax: Axes | None = None,
    *,
    radius: str = "log",
    color: str = PREDICTION,
    label: str | None = None,
    uncertainty: bool = True,
    limit: bool = True,
    **line: Any,
) -> dict[str, Any]:
    """Draw surface brightness against radius, the magnitude axis pointing down.

    Parameters
    ----------
    profile : QTable, LabelledGalaxy or mapping
        As `p2p_keras.profile` makes it, or anything with ``sma`` and ``mu`` (a table's ``mu_err`` gives the band). Rows
        where either is NaN make gaps.
    ax : Axes, optional
        A new figure's by default.
    radius : {"log", "linear", "r^1/4"}
        Scale of the radius; de Vaucouleurs' law is straight on the last one, an exponential disc on the second.
    color, label : str
    uncertainty : bool
        The 1-sigma band.
    limit : bool
        A line where the profile ends: its signal-to-noise ratio falls below `p2p_keras.core.extent.SNR_MIN` there.
    **line
        Properties of the line, as matplotlib's ``plot`` takes them.

    Returns
    -------
    dict
        Artists by name: ``axes``, ``line``, and ``band`` and ``limit`` where drawn.

    Examples
    --------
    >>> artists = plot_profile(profile, radius="r^1/4", color="black")
    >>> artists["line"].set_linestyle("--")
    """
    ax, used = _axes(ax)
    arrays = plain_arrays(profile) if hasattr(profile, "colnames") else {}
    sma, mu = label_arrays(profile)
    artists: dict[str, Any] = {"axes": ax}
    artists["line"] = ax.plot(sma, mu, color=color, label=label, **line)[0]
    shown = mu
    if uncertainty and "mu_err" in arrays:
        error = arrays["mu_err"]
        artists["band"] = ax.fill_between(sma, mu - error, mu + error, color=color, alpha=0.25, lw=0)
        small = np.minimum(np.nan_to_num(error), _MAX_SHOWN_ERROR)
        shown = np.concatenate([mu - small, mu + small])
    if limit and np.isfinite(sma).any():
        artists["limit"] = _limit_line(ax, float(np.nanmax(sma)), color)
    _grow_limits(ax, shown, used, least=1.0, inverted=True)
    radius_axis(ax, radius, *_radius_range(ax, sma, radius, used))
    ax.set_xlabel(SMA_LABEL)
    _label_mu(ax, str(getattr(profile, "meta", {}).get("band", "")), used)
    return artists


@styled
def plot_ellipticity(
    profile: QTable, ax: Axes | None = None, *, radius: str = "log", color: str = PREDICTION, label: str | None = None
) -> dict[str, Any]:
    """Draw the ellipticity 1 - b/a against radius. Parameters and result as of `plot_profile`."""
    ax, used = _axes(ax)
    arrays = plain_arrays(profile)
    line = ax.plot(arrays["sma"], arrays["ellipticity"], color=color, label=label)[0]
    top = np.nanmax(arrays["ellipticity"], initial=0.0) if arrays["ellipticity"].size else 0.0
    ax.set_ylim(0.0, max(0.32, 1.15 * float(top), ax.get_ylim()[1] if used else 0.0))
    band = _error_band(ax, arrays["sma"], arrays["ellipticity"], arrays.get("ellipticity_err"), color)
    ax.set_ylabel(r"$1 - b/a$")
    radius_axis(ax, radius, *_radius_range(ax, arrays["sma"], radius, used))
    ax.set_xlabel(SMA_LABEL)
    return {"axes": ax, "line": line} | band


@styled
def plot_position_angle(
    profile: QTable, ax: Axes | None = None, *, radius: str = "log", color: str = PREDICTION, label: str | None = None
) -> dict[str, Any]:
    """Draw the position angle against radius, without jumps of 180 degrees; faint where the ellipse is all but round.

    Parameters and result as of `plot_profile`.
    """
    ax, used = _axes(ax)
    arrays = plain_arrays(profile)
    pa = continuous_angle(arrays["pa"])
    clear = arrays["ellipticity"] > CLEAR_ELLIPTICITY
    faint = ax.plot(arrays["sma"], pa, color=color, lw=0.8, alpha=0.5)[0]
    line = ax.plot(arrays["sma"], np.where(clear, pa, np.nan), color=color, label=label)[0]
    band = _error_band(ax, arrays["sma"], np.where(clear, pa, np.nan), arrays.get("pa_err"), color)
    _grow_limits(ax, pa[clear] if clear.any() else pa, used, least=30.0, margin=0.1)
    ax.set_ylabel("PA [deg, N to E]" if profile.meta.get("pa_reference") == "north" else "PA [deg from +x]")
    radius_axis(ax, radius, *_radius_range(ax, arrays["sma"], radius, used))
    ax.set_xlabel(SMA_LABEL)
    return {"axes": ax, "line": line, "faint": faint} | band


def continuous_angle(pa: np.ndarray) -> np.ndarray:
    """Position angles (deg) without jumps of 180 degrees, their median from 0 to 180; NaN stays NaN."""
    # The angle is one modulo 180: unwrapped as twice itself, which is one modulo 360.
    angle = np.rad2deg(np.unwrap(2.0 * np.deg2rad(np.nan_to_num(pa)))) / 2.0
    angle[~np.isfinite(pa)] = np.nan
    if np.isfinite(angle).any():
        angle -= 180.0 * np.floor(np.nanmedian(angle) / 180.0)
    return angle


@styled
def plot_growth(
    profile: QTable, ax: Axes | None = None, *, radius: str = "log", color: str = PREDICTION, label: str | None = None
) -> dict[str, Any]:
    """Draw the curve of growth and the total magnitude. Parameters and result as of `plot_profile`."""
    ax, used = _axes(ax)
    arrays, total = plain_arrays(profile), float(profile.meta.get("mag_total", np.nan))
    growth = arrays["growth"]
    artists: dict[str, Any] = {"axes": ax, "line": ax.plot(arrays["sma"], growth, color=color, label=label)[0]}
    artists |= _error_band(ax, arrays["sma"], growth, arrays.get("growth_err"), color)
    if np.isfinite(total):
        artists["total"] = ax.axhline(total, color=GUIDE, lw=0.9, ls=(0, (5, 3)))
        artists["text"] = ax.text(
            0.02, total, "total", transform=ax.get_yaxis_transform(), va="bottom", fontsize=8.5, color="0.35"
        )
    if np.isfinite(growth).any():
        # The nucleus holds so little that it would take most of the axis.
        bottom = min(float(np.nanmax(growth)), float(np.nanmin(growth)) + 6.0)
        top = float(np.nanmin([np.nanmin(growth), total]))
        shown = np.array([bottom, top - 0.1 * max(bottom - top, 0.5)])
        _grow_limits(ax, shown, used, least=0.2, margin=0.02, inverted=True)
    ax.set_ylabel("m(< sma) [mag]")
    radius_axis(ax, radius, *_radius_range(ax, arrays["sma"], radius, used))
    ax.set_xlabel(SMA_LABEL)
    return artists


@styled
def plot_residual(
    profile: QTable,
    truth: Any,
    ax: Axes | None = None,
    *,
    radius: str = "log",
    color: str = PREDICTION,
    label: str | None = None,
    reach: float = 0.5,
) -> dict[str, Any]:
    """Draw a profile minus another one (the truth, another instrument's), with its uncertainty.

    Parameters
    ----------
    truth : LabelledGalaxy, QTable or mapping
        With ``sma`` (arcsec) and ``mu``; compared on its radii, as far as the profile reaches.
    reach : float
        Half the axis, mag.

    Returns
    -------
    dict
        ``axes``, ``line``, ``band``, ``zero``.
    """
    ax, used = _axes(ax)
    arrays = plain_arrays(profile)
    residuals = profile_residuals(*label_arrays(truth), arrays["sma"], arrays["mu"], arrays.get("mu_err"))
    low, high = residuals.residual - residuals.mu_err, residuals.residual + residuals.mu_err
    artists: dict[str, Any] = {
        "axes": ax,
        "zero": ax.axhline(0.0, color="black", lw=0.8, ls=_DASHED),
        "band": ax.fill_between(residuals.sma, low, high, color=color, alpha=0.25, lw=0),
        "line": ax.plot(residuals.sma, residuals.residual, color=color, lw=1.2, label=label)[0],
    }
    ax.set_ylim(reach, -reach)
    ax.set_ylabel(r"$\Delta\mu$")
    radius_axis(ax, radius, *_radius_range(ax, residuals.sma, radius, used))
    ax.set_xlabel(SMA_LABEL)
    return artists


def _error_band(ax: Axes, sma: np.ndarray, values: np.ndarray, error: np.ndarray | None, color: str) -> dict[str, Any]:
    """Shade one sigma about a line as ``band``, where the profile has that column; nothing where it hasn't."""
    if error is None or not np.isfinite(error).any():
        return {}
    return {"band": ax.fill_between(sma, values - error, values + error, color=color, alpha=0.25, lw=0)}


def _axes(ax: Axes | None) -> tuple[Axes, bool]:
    """Axes to draw on, and whether something is drawn there already."""
    if ax is None:
        return new_figure(5.0, 3.8).add_subplot(), False
    return ax, ax.has_data()


def _label_mu(ax: Axes, band: str, used: bool) -> None:
    """Name the axis by the band; by none where the axes show several."""
    name = MU_LABEL.replace(r"\mu", rf"\mu_{{\rm {band}}}") if band.isalnum() else MU_LABEL
    if not used:
        ax.set_ylabel(name)
    elif band and ax.get_ylabel() != name:
        ax.set_ylabel(MU_LABEL)


def _limit_line(ax: Axes, sma: float, color: str) -> Any:
    return ax.axvline(sma, color=color, lw=0.8, ls=(0, (1, 2)), zorder=0.5)


def _grow_limits(
    ax: Axes, values: np.ndarray, used: bool, *, least: float, margin: float = 0.06, inverted: bool = False
) -> None:
    """Show the values, and what was shown before; at least a range of `least`."""
    values = values[np.isfinite(values)]
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    missing = max(least - (high - low), 0.0) / 2.0
    wide = missing + margin * max(high - low, least)
    low, high = low - wide, high + wide
    if used:
        before = ax.get_ylim()
        low, high = min(low, *before), max(high, *before)
    ax.set_ylim((high, low) if inverted else (low, high))


def _radius_range(ax: Axes, sma: np.ndarray, scale: str, used: bool) -> tuple[float, float]:
    if scale not in RADIUS_SCALES:
        raise ValueError(f"radius must be one of {', '.join(RADIUS_SCALES)}, not {scale!r}")
    sma = sma[np.isfinite(sma) & (sma > 0)]
    if not sma.size:
        return ax.get_xlim() if used else (0.5, 50.0)
    widen: Callable[[float, float], tuple[float, float]] = {
        "log": lambda low, high: (0.8 * low, 1.35 * high),
        "linear": lambda low, high: (0.0, 1.06 * high),
        "r^1/4": lambda low, high: (0.6 * low, 1.2 * high),
    }[scale]
    low, high = widen(float(sma.min()), float(sma.max()))
    if used:
        before = ax.get_xlim()
        low, high = min(low, *before), max(high, *before)
    return low, high


def label_arrays(truth: Any) -> tuple[np.ndarray, np.ndarray]:
    """Semi-major axes (arcsec) and surface brightness (mag arcsec^-2) of a truth, up to its extent where it has one.

    Parameters
    ----------
    truth : LabelledGalaxy, QTable, or mapping with ``sma`` and ``mu``
    """
    if hasattr(truth, "colnames"):
        arrays = plain_arrays(truth)
        return arrays["sma"], arrays["mu"]
    if isinstance(truth, Mapping):
        sma, mu, extent = truth["sma"], truth["mu"], truth.get("extent", np.nan)
    else:
        sma, mu, extent = truth.sma, truth.mu, getattr(truth, "extent", np.nan)
    sma, mu = np.asarray(sma, dtype=float), np.asarray(mu, dtype=float)
    if np.isfinite(extent):
        within = sma <= float(extent) * (1.0 + 1e-5)
        sma, mu = sma[within], mu[within]
    return sma, mu
