"""A sheet of galaxies from shards: each image with the ellipses of its label, beside it the profile."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from p2p_keras.core import ellipse
from p2p_keras.core.errors import UsageError
from p2p_keras.data.labelled import LabelledGalaxy

__all__ = ["draw_sheet"]

_COLUMNS = 4
"""Galaxies side by side; each takes two panels."""


def draw_sheet(galaxies: Sequence[LabelledGalaxy], path: str | os.PathLike) -> None:
    """Draw galaxies with their labels to an image file.

    Parameters
    ----------
    galaxies : sequence of LabelledGalaxy
    path : path
        Its ending is the format.
    """
    from matplotlib.figure import Figure

    if not galaxies:
        raise UsageError("there are no galaxies to draw")
    rows = -(-len(galaxies) // _COLUMNS)
    figure = Figure(figsize=(4.0 * _COLUMNS, 2.0 * rows), layout="constrained")
    axes = figure.subplots(rows, 2 * _COLUMNS, squeeze=False)
    for panel in axes.flat:
        panel.set_axis_off()
    for number, galaxy in enumerate(galaxies):
        row, column = divmod(number, _COLUMNS)
        _draw_image(axes[row, 2 * column], galaxy)
        _draw_profile(axes[row, 2 * column + 1], galaxy)
    try:
        figure.savefig(path, dpi=80)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: the picture can't be written ({error})") from None


def _draw_image(panel, galaxy: LabelledGalaxy) -> None:
    image = galaxy.image
    spread = galaxy.noise if np.isfinite(galaxy.noise) and galaxy.noise > 0 else np.nanstd(image) / 10
    sky = galaxy.sky if np.isfinite(galaxy.sky) else np.nanmedian(image)
    # asinh shows noise and nucleus in one picture (Lupton et al. 2004, PASP 116, 133).
    panel.imshow(np.arcsinh((image - sky) / (3.0 * spread)), origin="lower", cmap="gray_r")
    panel.set_title(f"{galaxy.name} {galaxy.band}", fontsize=7)
    if galaxy.ellipticity is None or galaxy.pa is None or not np.isfinite(galaxy.x0 + galaxy.y0):
        return
    angle = np.linspace(0.0, 2.0 * np.pi, 90)
    inside = np.flatnonzero(~(galaxy.sma > galaxy.extent))
    for i in inside[:: max(1, len(inside) // 6)]:
        e1, e2 = ellipse.vector_from_angles(galaxy.ellipticity[i], galaxy.pa[i])
        dx, dy = ellipse.points(galaxy.sma[i] / galaxy.pixel_scale, e1, e2, np.cos(angle), np.sin(angle))
        panel.plot(galaxy.x0 + dx, galaxy.y0 + dy, lw=0.5, color="tab:red")
    panel.set_xlim(-0.5, image.shape[1] - 0.5)
    panel.set_ylim(-0.5, image.shape[0] - 0.5)


def _draw_profile(panel, galaxy: LabelledGalaxy) -> None:
    panel.set_axis_on()
    panel.plot(galaxy.sma, galaxy.mu, color="0.7", lw=1)
    inside = ~(galaxy.sma > galaxy.extent)
    panel.plot(galaxy.sma[inside], galaxy.mu[inside], color="tab:blue", lw=1)
    panel.set_xscale("log")
    if np.isfinite(galaxy.mu[inside]).any():
        panel.set_ylim(np.nanmax(galaxy.mu[inside]) + 1.0, np.nanmin(galaxy.mu) - 0.5)
    panel.tick_params(labelsize=5)
