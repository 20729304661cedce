"""Figures, in a publication's style and safe for colour-blind readers.

``plot_...`` functions draw one panel on given axes and return their artists; ``..._figure`` functions put panels
together; `save_figure` writes PNG, PDF or SVG. They are made without pyplot, so they neither need nor disturb a
display, and threads may draw.
"""

from __future__ import annotations

from p2p_keras.profile.plots.bands import bands_figure, plot_bands, plot_colors
from p2p_keras.profile.plots.comparison import comparison_figure
from p2p_keras.profile.plots.galaxy import galaxy_figure
from p2p_keras.profile.plots.image_panel import plot_image
from p2p_keras.profile.plots.panels import (
    plot_ellipticity,
    plot_growth,
    plot_position_angle,
    plot_profile,
    plot_residual,
)
from p2p_keras.profile.plots.style import RADIUS_SCALES, STYLE, save_figure

__all__ = [
    "RADIUS_SCALES",
    "STYLE",
    "bands_figure",
    "comparison_figure",
    "galaxy_figure",
    "plot_bands",
    "plot_colors",
    "plot_ellipticity",
    "plot_growth",
    "plot_image",
    "plot_position_angle",
    "plot_profile",
    "plot_residual",
    "save_figure",
]
