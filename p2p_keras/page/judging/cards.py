"""Galaxies of a table on cards: picture, ellipses, profile, numbers; pictures are made when a card is looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import panel as pn

from p2p_keras.core.errors import P2PError
from p2p_keras.measure.outputs.gallery import flags_of, number_in
from p2p_keras.page.measuring.numbers import quality_html
from p2p_keras.page.widgets import html
from p2p_keras.profile.plots.card import picture_svg, profile_svg

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.page.judging.results import Results
    from p2p_keras.page.judging.verdicts import Verdict, Verdicts
    from p2p_keras.page.places import Places

__all__ = ["PER_PAGE", "Cards", "grid"]

PER_PAGE = 12
_KEPT = 600
_SIDE = 176


class Cards:
    """A page of cards.

    Parameters
    ----------
    results : Results
    verdicts : Verdicts
    places : Places
    later : callable
        Takes a function and calls it in the page's own thread.
    """

    def __init__(
        self, results: Results, verdicts: Verdicts, places: Places, later: Callable[[Callable[[], None]], None]
    ) -> None:
        self.results, self.verdicts, self.places = results, verdicts, places
        wide = {"flex": "1 1 370px", "min-width": "min(100%, 300px)", "max-width": "560px"}
        self.panes = [html(visible=False, margin=4, styles=wide) for _ in range(PER_PAGE)]
        self.shown: list[int] = []
        self.current = 0
        self._later = later
        self._drawn: dict[int, str] = {}
        self._lock = threading.Lock()
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="p2p-keras-cards")

    def close(self) -> None:
        """Draw no more."""
        self._reader.shutdown(wait=False, cancel_futures=True)

    def show(self, numbers: Sequence[int], current: int = 0) -> None:
        """Show these rows, `PER_PAGE` of them at most."""
        self.shown = [int(number) for number in numbers[:PER_PAGE]]
        self.current = min(max(current, 0), max(len(self.shown) - 1, 0))
        for place, pane in enumerate(self.panes):
            pane.visible = place < len(self.shown)
            if pane.visible:
                pane.object = self._card(place)
        for number in self.shown:
            if number not in self._drawn:
                self._reader.submit(self._draw, number)

    def refresh(self) -> None:
        """Show verdicts and the mark of the current card anew."""
        for place in range(len(self.shown)):
            self.panes[place].object = self._card(place)

    def _draw(self, number: int) -> None:
        """Make the drawings of a row, in a thread of its own."""
        if number in self._drawn or number not in self.shown:
            return
        drawn = self.drawings(number)
        with self._lock:
            while len(self._drawn) >= _KEPT:
                self._drawn.pop(next(iter(self._drawn)))
            self._drawn[number] = drawn
        self._later(lambda: self._refresh_one(number))

    def _refresh_one(self, number: int) -> None:
        if number in self.shown:
            place = self.shown.index(number)
            self.panes[place].object = self._card(place)

    def drawings(self, number: int) -> str:
        """Picture and profile of a row as HTML; a sentence in the place of what there isn't."""
        try:
            profile = self.results.profile(number)
        except P2PError as error:
            return f"<p class='small'>{escape(str(error))}</p>"
        curve = profile_svg(profile, width=200, height=_SIDE) if len(profile) else ""
        try:
            image = self.results.image(number, self.places)
            picture = picture_svg(image, profile, side=_SIDE)
        except P2PError as error:
            picture = f"<p class='small'>{escape(str(error))}</p>"
        return f"<div class='draw'>{picture}{curve}</div>{_numbers(profile)}"

    def _card(self, place: int) -> str:
        number = self.shown[place]
        row = self.results.frame.iloc[number].to_dict()
        name, band = str(row.get("name", "")), str(row.get("band", ""))
        verdict = self.verdicts.of.get((name, band))
        meta = {**row, "flags": str(row.get("flags", "")).split()}
        words = "".join(
            f"<b class='flag' title='{escape(means)}'>{escape(word)}</b> " for word, means in flags_of(meta)
        )
        mark = " current" if place == self.current else ""
        return (
            f"<article class='galaxy{mark} {verdict.word if verdict else ''}' data-say='card:{place}'>"
            f"<div class='head'><b class='name'>{escape(name)}</b><span>{escape(band)}</span>{quality_html(meta)}"
            f"{_verdict(verdict)}<a href='{escape(self.link(row))}' target='_blank'>measure</a></div>"
            f"{self._drawn.get(number, '<div class=waiting></div>')}<div>{words}</div></article>"
        )

    @staticmethod
    def link(row: dict[str, Any]) -> str:
        """The page to measure a row's galaxy on."""
        asked: dict[str, Any] = {"image": row.get("source", "")}
        if np.isfinite(number_in(row, "x0")) and (number_in(row, "x_offset"), number_in(row, "y_offset")) != (0.0, 0.0):
            asked |= {"x": f"{number_in(row, 'x0'):.1f}", "y": f"{number_in(row, 'y0'):.1f}"}
        if str(row.get("zero_point_origin", "")) == "given":
            asked["zero_point"] = f"{number_in(row, 'zero_point'):.6g}"
        return f"measure?{urlencode(asked)}"


def _numbers(profile: QTable) -> str:
    facts = [
        f"{name} {number_in(profile.meta, key):.{digits}f}{unit}"
        for key, name, unit, digits in (("mag_total", "m =", "", 2), ("r50", "r50 =", "″", 1), ("extent", "to", "″", 1))
        if np.isfinite(number_in(profile.meta, key))
    ]
    return f"<p class='small'>{' &ensp; '.join(facts)}</p>"


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    note = f" <i>{escape(verdict.note)}</i>" if verdict.note else ""
    word = {"good": "✓ good", "bad": "✗ bad"}.get(verdict.word, "")
    return f"<span class='verdict {verdict.word}'>{word}{note}</span>"


def grid(cards: Cards) -> pn.FlexBox:
    """The cards side by side, as many as the window is wide."""
    return pn.FlexBox(*cards.panes, sizing_mode="stretch_width")
