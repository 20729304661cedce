"""What follows the pointer: a radius lights its ellipse, a pixel says where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bokeh.events import MouseMove
from bokeh.models import CustomJS

from p2p_keras.page.assets import asset

if TYPE_CHECKING:
    from p2p_keras.page.measuring.profile_plots import ProfilePlots
    from p2p_keras.page.measuring.sky_image import SkyImage

__all__ = ["link_pointer"]


def link_pointer(view: SkyImage, plots: ProfilePlots) -> None:
    """Link the image and the plots of a profile, in the browser alone."""
    sources = {
        "profile": plots.profile, "row": plots.row, "words": plots.words, "rings": view.rings, "lit": view.lit,
        "base": view.base, "map": view.map, "grid": view.grid, "sky": view.sky, "cursor": view.cursor,
        "every": view.attention.every, "shown": view.attention.shown,
    }  # fmt: skip
    code = asset("measuring/link.js")
    view.figure.js_on_event(MouseMove, CustomJS(args=sources, code=code + "\nplace(cb_obj.x, cb_obj.y);"))
    on_profile = CustomJS(args=sources, code=code + "\nlight(nearest(cb_obj.x));")
    for figure in plots.figures.values():
        figure.js_on_event(MouseMove, on_profile)
