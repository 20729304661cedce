"""Several galaxies at once: image, true and predicted profile, residual (as in Smith et al. 2021, fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.accuracy import profile_error, profile_residuals
from p2p_keras.plots.image_panel import draw_image
from p2p_keras.plots.style import MU_LABEL, PREDICTION, TRUTH, log_radius_axis, new_figure, styled
from p2p_keras.plots.truth import label_arrays
from p2p_keras.profile import plain_arrays

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    from p2p_keras.images import GalaxyImage

_RESIDUAL_RANGE = 0.5


@styled
def comparison_figure(
    galaxies: Sequence[tuple[GalaxyImage, Any, QTable]], *, columns: int = 4, title: str = ""
) -> Figure:
    """Draw galaxies with their true and predicted profiles.

    Parameters
    ----------
    galaxies : sequence of (image, truth, prediction)
        `GalaxyImage`; a `LabelledGalaxy`, table or mapping with `sma` (arcsec) and `mu`; a profile table.
    columns : int
        Galaxies in a row.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = max(1, min(columns, len(galaxies)))
    rows = max(1, -(-len(galaxies) // columns))
    figure = new_figure(2.75 * columns + 0.4, 5.3 * rows + (0.4 if title else 0.0))
    cells = np.atleast_2d(figure.subfigures(rows, columns, squeeze=False))
    for number, (image, truth, prediction) in enumerate(galaxies):
        row, column = divmod(number, columns)
        _draw_cell(cells[row, column], image, truth, prediction, first=column == 0)
    if title:
        figure.suptitle(title)
    return figure


def _draw_cell(cell: SubFigure, image: GalaxyImage, truth: Any, prediction: QTable, *, first: bool) -> None:
    image_ax, mu_ax, residual_ax = cell.subplots(3, 1, height_ratios=[1.15, 1.0, 0.4], gridspec_kw={"hspace": 0.0})
    draw_image(image_ax, image, prediction)
    sma_true, mu_true = label_arrays(truth)
    arrays = plain_arrays(prediction)
    error = profile_error(sma_true, mu_true, arrays["sma"], arrays["mu"])
    band = f" {prediction.meta['band']}" if prediction.meta.get("band") else ""
    said = f"{error:.3f} mag" if np.isfinite(error) else "no profile"
    image_ax.set_title(f"{prediction.meta.get('name', '')}{band}: {said}", fontsize=9)
    _draw_profiles(mu_ax, sma_true, mu_true, arrays)
    found = profile_residuals(sma_true, mu_true, arrays["sma"], arrays["mu"], arrays["mu_err"])
    residual_ax.axhline(0.0, color=TRUTH, lw=0.8, ls=(0, (4, 2)))
    residual_ax.fill_between(
        found.sma, found.residual - found.mu_err, found.residual + found.mu_err, color=PREDICTION, alpha=0.25, lw=0
    )
    residual_ax.plot(found.sma, found.residual, color=PREDICTION, lw=1.2)
    residual_ax.set_ylim(_RESIDUAL_RANGE, -_RESIDUAL_RANGE)
    residual_ax.set_xlabel("sma [arcsec]")
    radii = np.concatenate([sma_true[np.isfinite(mu_true)], arrays["sma"]])
    radii = radii[radii > 0]
    for ax in (mu_ax, residual_ax):
        if radii.size:
            log_radius_axis(ax, 0.8 * radii.min(), 1.35 * radii.max())
    mu_ax.tick_params(labelbottom=False)
    if first:
        mu_ax.set_ylabel(MU_LABEL)
        residual_ax.set_ylabel(r"$\Delta\mu$")


def _draw_profiles(ax: Axes, sma_true: np.ndarray, mu_true: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    sma, mu, err = arrays["sma"], arrays["mu"], arrays["mu_err"]
    ax.fill_between(sma, mu - err, mu + err, color=PREDICTION, alpha=0.25, lw=0)
    ax.plot(sma, mu, color=PREDICTION, label="predicted")
    ax.plot(sma_true, mu_true, color=TRUTH, ls=(0, (4, 2)), lw=1.2, label="true")
    shown = np.concatenate([mu, mu_true])
    shown = shown[np.isfinite(shown)]
    if shown.size:
        margin = 0.06 * max(float(np.ptp(shown)), 1.0)
        ax.set_ylim(float(shown.max()) + margin, float(shown.min()) - margin)
    ax.legend(loc="lower left", fontsize=8)
