"""The page's own make of Panel's pieces: one style, labels that say what a thing is."""

from __future__ import annotations

from typing import Any

import panel as pn

from p2p_keras.page.assets import asset, style_sheet

MAX_UPLOAD = 64 * 2**20
"""Bytes that a session may drop on its page, all files together at a time."""


def html(text: str = "", **options: Any) -> pn.pane.HTML:
    """HTML of our own making in the page's style; whatever a user or a file says must be escaped before."""
    settings: dict[str, Any] = {"stylesheets": [style_sheet()], "sizing_mode": "stretch_width", "margin": (0, 0, 6, 0)}
    return pn.pane.HTML(text, **(settings | options))


def column(*parts: Any, width: str = "420px", grow: float = 1, **options: Any) -> pn.Column:
    """A column that is as wide as its neighbours leave it, and the whole window's width where that is narrow."""
    styles = {"flex": f"{grow} 1 {width}", "min-width": "min(100%, 300px)", "max-width": "100%"}
    return pn.Column(*parts, styles=styles, sizing_mode="stretch_width", margin=(0, 10), **options)


def whole_page(parts: Any, heading: str, subtitle: str) -> pn.Template:
    """Put a layout into a page of its own, that fits a telephone too."""
    page = pn.Template(asset("template.html"))
    page.add_variable("heading", heading)
    page.add_variable("subtitle", subtitle)
    page.add_panel("page", parts)
    return page


class Dropper(pn.widgets.FileDropper):
    """A place to drop files on, that holds no more than `MAX_UPLOAD` bytes whatever a browser sends."""

    def _process_event(self, event: Any) -> None:
        data = event.data
        if event.event_name != "delete_event":
            name = data["name"]
            waiting = sum(len(part) for parts in self._file_buffer.values() for part in parts)
            waiting += sum(len(kept) for kept in self.value.values())
            if waiting + len(data["data"]) > MAX_UPLOAD:
                self._file_buffer.pop(name, None)
                self.refused(name)
                return
            if data["chunk"] != 1 and name not in self._file_buffer:  # the rest of a refused file
                return
        super()._process_event(event)

    def refused(self, name: str) -> None:
        """Called for a file that is too large; the page says so."""
