"""Several galaxies at once: image, true and predicted profile, residual (as in Smith et al. 2021, figs. 1 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.accuracy import profile_error, profile_residuals
from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.plots.image_panel import draw_image
from p2p_keras.profile.plots.panels import label_arrays
from p2p_keras.profile.plots.style import MU_LABEL, PREDICTION, SERIES, TRUTH, log_radius_axis, new_figure, styled

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from p2p_keras.images import GalaxyImage

__all__ = ["PANELS", "comparison_figure"]

PANELS = {"image": 1.15, "profile": 1.0, "residual": 0.4}
"""Panels of a galaxy from top to bottom, with their heights relative to one another."""

_CELL_WIDTH = 2.75
_PANEL_HEIGHT = 2.08
_RESIDUAL_RANGE = (0.5, 4.0)
"""Half the axis of residuals, mag: at least, and at most where a galaxy is far off."""


@styled
def comparison_figure(
    galaxies: Sequence[tuple[GalaxyImage, Any, QTable | Mapping[str, QTable]]],
    *,
    columns: int = 4,
    title: str = "",
    panels: Sequence[str] = tuple(PANELS),
) -> Figure:
    """Draw galaxies with their true and predicted profiles.

    Parameters
    ----------
    galaxies : sequence of (image, truth, prediction)
        `GalaxyImage`; a `LabelledGalaxy`, table or mapping with `sma` (arcsec) and `mu`; a profile table, or several by
        the model's name. The ellipses on the image are those of the first.
    columns : int
        Galaxies in a row.
    title : str
    panels : sequence of {"image", "profile", "residual"}
        What is drawn of each galaxy.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if not panels or set(panels) - set(PANELS):
        raise ValueError(f"panels must be some of {', '.join(PANELS)}, not {list(panels)}")
    panels = [name for name in PANELS if name in panels]
    columns = max(1, min(columns, len(galaxies)))
    rows = max(1, -(-len(galaxies) // columns))
    height = _PANEL_HEIGHT * sum(PANELS[name] for name in panels)
    figure = new_figure(_CELL_WIDTH * columns + 0.4, height * rows + (0.4 if title else 0.0))
    cells = np.atleast_2d(figure.subfigures(rows, columns, squeeze=False))
    for number, (image, truth, predictions) in enumerate(galaxies):
        row, column = divmod(number, columns)
        if not isinstance(predictions, Mapping):
            predictions = {"predicted": predictions}
        _draw_cell(cells[row, column], panels, image, truth, predictions, first=column == 0)
    if title:
        figure.suptitle(title)
    return figure


def _draw_cell(
    cell: SubFigure,
    panels: Sequence[str],
    image: GalaxyImage,
    truth: Any,
    predictions: Mapping[str, QTable],
    *,
    first: bool,
) -> None:
    heights = [PANELS[name] for name in panels]
    drawn = cell.subplots(len(panels), 1, height_ratios=heights, gridspec_kw={"hspace": 0.0}, squeeze=False)
    axes: dict[str, Axes] = dict(zip(panels, drawn[:, 0], strict=True))
    sma_true, mu_true = label_arrays(truth)
    arrays = {name: plain_arrays(profile) for name, profile in predictions.items()}
    leading, profile = next(iter(predictions.items()))
    error = profile_error(sma_true, mu_true, arrays[leading]["sma"], arrays[leading]["mu"])
    band = f" {profile.meta['band']}" if profile.meta.get("band") else ""
    result = f"{error:.3f} mag" if np.isfinite(error) else "no profile"
    axes[panels[0]].set_title(f"{profile.meta.get('name', '')}{band}: {result}", fontsize=9)

    if "image" in axes:
        draw_image(axes["image"], image, profile)
    if "profile" in axes:
        _draw_profiles(axes["profile"], sma_true, mu_true, arrays)
    if "residual" in axes:
        _draw_residuals(axes["residual"], sma_true, mu_true, arrays)
    radii = np.concatenate([sma_true[np.isfinite(mu_true)], *(part["sma"] for part in arrays.values())])
    radii = radii[radii > 0]
    below = [axes[name] for name in ("profile", "residual") if name in axes]
    for ax in below:
        if radii.size:
            log_radius_axis(ax, 0.8 * radii.min(), 1.35 * radii.max())
    if below:
        below[-1].set_xlabel("sma [arcsec]")
    for ax in below[:-1]:
        ax.tick_params(labelbottom=False)
    if first and "profile" in axes:
        axes["profile"].set_ylabel(MU_LABEL)
    if first and "residual" in axes:
        axes["residual"].set_ylabel(r"$\Delta\mu$")


def _draw_profiles(
    ax: Axes, sma_true: np.ndarray, mu_true: np.ndarray, predictions: Mapping[str, dict[str, np.ndarray]]
) -> None:
    shown = [mu_true]
    for color, (name, arrays) in zip(_colors(predictions), predictions.items(), strict=True):
        sma, mu, err = arrays["sma"], arrays["mu"], arrays["mu_err"]
        ax.fill_between(sma, mu - err, mu + err, color=color, alpha=0.25, lw=0)
        ax.plot(sma, mu, color=color, label=name)
        shown.append(mu)
    ax.plot(sma_true, mu_true, color=TRUTH, ls=(0, (4, 2)), lw=1.2, label="true")
    values = np.concatenate(shown)
    values = values[np.isfinite(values)]
    if values.size:
        margin = 0.06 * max(float(np.ptp(values)), 1.0)
        ax.set_ylim(float(values.max()) + margin, float(values.min()) - margin)
    ax.legend(loc="lower left", fontsize=8)


def _draw_residuals(
    ax: Axes, sma_true: np.ndarray, mu_true: np.ndarray, predictions: Mapping[str, dict[str, np.ndarray]]
) -> None:
    ax.axhline(0.0, color=TRUTH, lw=0.8, ls=(0, (4, 2)))
    reach, most = _RESIDUAL_RANGE
    for color, arrays in zip(_colors(predictions), predictions.values(), strict=True):
        residuals = profile_residuals(sma_true, mu_true, arrays["sma"], arrays["mu"], arrays["mu_err"])
        low, high = residuals.residual - residuals.mu_err, residuals.residual + residuals.mu_err
        ax.fill_between(residuals.sma, low, high, color=color, alpha=0.25, lw=0)
        ax.plot(residuals.sma, residuals.residual, color=color, lw=1.2)
        if residuals.residual.size and np.median(np.abs(residuals.residual)) > 0.8 * _RESIDUAL_RANGE[0]:
            reach = max(reach, min(1.3 * float(np.max(np.abs(residuals.residual))), most))
    ax.set_ylim(reach, -reach)


def _colors(predictions: Mapping[str, Any]) -> list[str]:
    """Colour of each model; of the only one the usual colour of predictions."""
    return [PREDICTION] if len(predictions) == 1 else [SERIES[i % len(SERIES)] for i in range(len(predictions))]
