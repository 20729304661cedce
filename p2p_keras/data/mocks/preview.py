"""A contact sheet: galaxies with the truth's ellipses and profiles, to be looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from p2p_keras.core.atomic_files import write_whole
from p2p_keras.data.labelled import LabelledGalaxy

__all__ = ["draw_contact_sheet"]


_COLUMNS = 8
_CELL_INCHES, _CELL_HEIGHT = 1.6, 1.55  # its height in units of its width: the image, and the profile below
_DPI = 100


def draw_contact_sheet(galaxies: Sequence[LabelledGalaxy], path: str | os.PathLike) -> None:
    """Draw galaxies with their true ellipses (at r50-like radii and the extent) and profiles into a PNG file.

    Parameters
    ----------
    galaxies : sequence of LabelledGalaxy
    path : path
        The file, which is replaced once the picture is finished.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(galaxies) // _COLUMNS)
    figure = Figure(figsize=(_COLUMNS * _CELL_INCHES, rows * _CELL_INCHES * _CELL_HEIGHT), dpi=_DPI)
    FigureCanvasAgg(figure)
    width, image_height = 1.0 / _COLUMNS, 1.0 / rows / _CELL_HEIGHT
    for place, galaxy in enumerate(galaxies):
        row, left = place // _COLUMNS, place % _COLUMNS / _COLUMNS
        bottom = 1.0 - (row + 1.0 / _CELL_HEIGHT) / rows
        _draw_image(figure.add_axes((left, bottom, 0.985 * width, 0.985 * image_height)), galaxy)
        lower, profile_height = 1.0 - (row + 0.985) / rows, (1.0 - 1.08 / _CELL_HEIGHT) / rows
        _draw_profile(figure.add_axes((left + 0.012, lower, 0.965 * width - 0.012, profile_height)), galaxy)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda temporary: figure.savefig(temporary, format="png"))


def _draw_image(axes, galaxy: LabelledGalaxy) -> None:
    """Asinh-stretched image, NaN in red, the true ellipses at a third, two thirds and all of the extent."""
    from matplotlib import colormaps
    from matplotlib.patches import Ellipse

    from p2p_keras.data.mocks.troubles import trouble_of

    noise = galaxy.noise if np.isfinite(galaxy.noise) else float(np.nanstd(galaxy.image))
    # A galaxy larger than the image leaves no median of sky.
    level = galaxy.sky if np.isfinite(galaxy.sky) else float(np.nanpercentile(galaxy.image, 20.0))
    top = np.arcsinh(max(float(np.nanpercentile(galaxy.image, 99.8)) - level, 10.0 * noise) / (2.0 * noise))
    shown = np.arcsinh((galaxy.image - level) / (2.0 * noise)) / top
    colours = colormaps["gray_r"].with_extremes(bad=(0.85, 0.55, 0.55))
    axes.imshow(
        np.ma.masked_invalid(shown), origin="lower", cmap=colours, vmin=-0.15, vmax=1.0, interpolation="nearest"
    )
    axes.set_xticks([])
    axes.set_yticks([])
    kind = dict(part.split("=", 1) for part in galaxy.origin.split() if "=" in part)
    text = f"{kind.get('survey', '')} {galaxy.band} {kind.get('kind', galaxy.name)} {galaxy.mag_total:.1f}"
    text = trouble_of(galaxy.origin) or text
    axes.text(0.02, 0.98, text, transform=axes.transAxes, va="top", fontsize=5, color="tab:blue")
    if galaxy.ellipticity is None or galaxy.pa is None:
        return
    for share in (1 / 3, 2 / 3, 1.0):
        row = int(np.argmin(np.abs(galaxy.sma - share * galaxy.extent)))
        a = galaxy.sma[row] / galaxy.pixel_scale
        ellipse = Ellipse(
            (galaxy.x0, galaxy.y0), 2 * a, 2 * a * (1 - galaxy.ellipticity[row]), angle=galaxy.pa[row],
            fill=False, lw=0.5, ec="tab:orange",
        )  # fmt: skip
        axes.add_patch(ellipse)


def _draw_profile(axes, galaxy: LabelledGalaxy) -> None:
    """The true profile over the logarithm of radius; bright to the extent, dim beyond."""
    inside = galaxy.sma <= galaxy.extent
    axes.plot(galaxy.sma, galaxy.mu, lw=0.5, color="0.7")
    axes.plot(galaxy.sma[inside], galaxy.mu[inside], lw=0.9, color="tab:blue")
    axes.set_xscale("log")
    low = float(np.nanmin(galaxy.mu))
    last = float(galaxy.mu[inside][-1]) if inside.any() else low + 5.0
    axes.set_ylim(last + 1.5, low - 0.5)
    axes.tick_params(labelsize=4, length=1.5, pad=1, direction="in", which="both")
    axes.text(0.03, 0.06, f"{low:.1f} to {last:.1f}", transform=axes.transAxes, fontsize=4.5)
    axes.set_xticklabels([], minor=True)
    axes.set_xticklabels([])
    axes.set_yticklabels([])
