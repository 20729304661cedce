"""The page's own make of Panel's pieces: one style, labels that say what a thing is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import panel as pn

from p2p_keras.page.style import asset, style_sheet

__all__ = ["BUTTON", "MAX_UPLOAD", "Acts", "html", "column", "whole_page", "Dropper"]

MAX_UPLOAD = 64 * 2**20
"""Bytes that a session may drop on its page, all files together at a time."""

BUTTON = ":host(.solid) .bk-btn.bk-btn-default { border: 1px solid #b6c0ca; border-radius: 5px; background: #fff; }"
"""Style sheet of buttons: Panel's own look like words."""


class Acts:
    """Does what a user asks for with the page's document locked, as Bokeh's own models need it.

    Panel calls its watchers without the lock. To be made in the session whose page it is.
    """

    def __init__(self) -> None:
        self._document = pn.state.curdoc

    def do(self, act: Callable[[], object]) -> None:
        """Call a function in the page's turn; may be called from any thread."""
        if self._document is None or self._document.session_context is None:  # a notebook, or no page at all
            act()
        else:

            def locked() -> None:
                act()

            self._document.add_next_tick_callback(locked)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within, pieces of the page may come and go; Bokeh goes through all of them once, at the end."""
        if self._document is None:
            yield
        else:
            with self._document.models.freeze():
                yield

    def on(self, widget: Any, act: Callable[[Any], object], what: str = "value") -> None:
        """Call a function with a widget's new value."""
        widget.param.watch(lambda event: self.do(lambda: act(event.new)), what)

    def on_click(self, button: Any, act: Callable[[], object]) -> None:
        """Call a function when a button is pressed."""
        button.on_click(lambda event: self.do(act))


def html(text: str = "", **options: Any) -> pn.pane.HTML:
    """HTML of our own making in the page's style; whatever a user or a file says must be escaped before."""
    settings: dict[str, Any] = {"stylesheets": [style_sheet()], "sizing_mode": "stretch_width", "margin": (0, 0, 6, 0)}
    return pn.pane.HTML(text, **(settings | options))


def column(*parts: Any, width: str = "420px", grow: float = 1, **options: Any) -> pn.Column:
    """A column that is as wide as its neighbours leave it, and the whole window's width where that is narrow."""
    styles = {"flex": f"{grow} 1 {width}", "min-width": "min(100%, 300px)", "max-width": "100%"}
    return pn.Column(*parts, styles=styles, sizing_mode="stretch_width", margin=(0, 10), **options)


class _Page(pn.Template):
    def __repr__(self, depth: int = 0) -> str:
        """A word: Panel asks for it whenever a part is added, and its own tells every widget."""
        return "page"


def whole_page(parts: Any, heading: str, subtitle: str, page_script: str = "") -> pn.Template:
    """Put a layout into a page of its own, that fits a telephone too."""
    page = _Page(asset("template.html"), location=True)
    page.add_variable("heading", heading)
    page.add_variable("subtitle", subtitle)
    page.add_variable("page_script", page_script)
    page.add_panel("page", parts)
    return page


class Dropper(pn.widgets.FileDropper):
    """A place to drop files on, that holds no more than `MAX_UPLOAD` bytes whatever a browser sends."""

    def __init__(self, **params: Any) -> None:
        super().__init__(**params)
        self._refused: Callable[[str], object] = lambda name: None

    def when_refused(self, show_name: Callable[[str], object]) -> None:
        """Call a function with the name of a file that is too large."""
        self._refused = show_name

    def _process_event(self, event: Any) -> None:
        data = event.data
        if event.event_name != "delete_event":
            name = data["name"]
            waiting = sum(len(part) for parts in self._file_buffer.values() for part in parts)
            waiting += sum(len(kept) for kept in self.value.values())
            if waiting + len(data["data"]) > MAX_UPLOAD:
                self._file_buffer.pop(name, None)
                self._refused(name)
                return
            if data["chunk"] != 1 and name not in self._file_buffer:  # the rest of a refused file
                return
        super()._process_event(event)
