"""How the page looks: the colours and lines of the figures in the documentation."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

from p2p_keras.profile.plots.style import BLUE, GREEN, ORANGE, PURPLE, VERMILION

__all__ = [
    "BLUE",
    "COLOUR_MAPS",
    "GREEN",
    "INK",
    "MASKED",
    "ORANGE",
    "PURPLE",
    "VERMILION",
    "dress",
    "palette",
    "asset",
    "style_sheet",
]

INK, FAINT, MASKED = "#1a1a1a", "#6b7680", "#c9d2da"

COLOUR_MAPS = ("Greys", "Greys, light on dark", "Viridis", "Magma", "Cividis")


def palette(name: str) -> list[str]:
    """Colours of a colour map from faint to bright.

    Parameters
    ----------
    name : str
        One of `COLOUR_MAPS`.
    """
    from bokeh import palettes

    if name.startswith("Greys"):
        grey = list(palettes.grey(255))
        return grey if "light" in name else grey[::-1]
    return list(getattr(palettes, name.lower())(255))


def dress(figure: Any) -> Any:
    """Give a Bokeh figure the page's fonts and lines."""
    figure.background_fill_color = figure.border_fill_color = None
    figure.outline_line_color = INK
    figure.outline_line_width = 0.8
    figure.toolbar.logo = None
    figure.min_border_left, figure.min_border_right = 8, 6
    for axis in figure.axis:
        axis.axis_line_color = None
        axis.major_tick_in, axis.major_tick_out = 6, 0
        axis.minor_tick_in, axis.minor_tick_out = 3, 0
        axis.major_tick_line_color = axis.minor_tick_line_color = INK
        axis.major_label_text_font_size = "12px"
        axis.major_label_text_color = axis.axis_label_text_color = INK
        axis.axis_label_text_font_size = "13px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_standoff = 4
    for grid in figure.grid:
        grid.grid_line_color = None
    return figure


@cache
def asset(name: str) -> str:
    """Text of a file of this package, such as ``page.css`` or ``measuring/link.js``."""
    return resources.files("p2p_keras.page").joinpath(name).read_text(encoding="utf-8")


def style_sheet() -> str:
    """The page's style sheet."""
    return asset("page.css")
