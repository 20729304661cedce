"""The page to judge a run by: the table, plots of it, cards of galaxies, verdicts."""

from __future__ import annotations

import io
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import panel as pn
from bokeh.events import SelectionGeometry
from bokeh.models import NumberFormatter, TextInput

from p2p_keras.core.errors import P2PError
from p2p_keras.page.judging.cards import PER_PAGE, Cards, grid
from p2p_keras.page.judging.filters import HINT, chosen_rows
from p2p_keras.page.judging.plots import TablePlots
from p2p_keras.page.judging.results import Results
from p2p_keras.page.judging.verdicts import Verdict, Verdicts
from p2p_keras.page.places import Places
from p2p_keras.page.widgets import BUTTON, Acts, column, html

__all__ = ["JudgePage"]

_TABLE_ROWS = 12
_DEGREES = ("ra", "dec", "target_ra", "target_dec")
_WIDTHS = {"name": 160, "band": 80, "quality": 90, "flags": 200, "verdict": 80, "note": 160, "source": 240}


class JudgePage:
    """One reader's page of a table.

    Parameters
    ----------
    results : Results
        Shared by all readers, never changed.
    places : Places
        Where images are looked for.
    """

    def __init__(self, results: Results, places: Places) -> None:
        self.results, self.places = results, places
        self.error = html(visible=False)
        self.verdicts = Verdicts(results.path)
        self.acts = Acts()
        self.cards = Cards(results, self.verdicts, places, self.acts.do)
        self.plots = TablePlots(results)
        self.page = 0
        self._selected: np.ndarray | None = None
        self._busy = False
        self._make_widgets()
        self._choose()

    def close(self) -> None:
        """Draw no more pictures."""
        self.cards.close()

    # ----- rows

    def _choose(self) -> None:
        """Find the rows that filter and selection leave, and show them."""
        try:
            rows = chosen_rows(self.results.frame, self.filter.value)
            self._show_message("")
        except P2PError as error:
            self._show_message(str(error))
            return
        if self.verdict_filter.value != "any verdict":
            rows &= self._with_verdict(self.verdict_filter.value)
        if self._selected is not None:
            rows &= self._selected
        self.rows = np.flatnonzero(rows)
        frame = self.results.frame if rows.all() else self.results.frame.iloc[self.rows]
        self._busy = True
        try:
            self.table.value = frame
            self.table.page = 1
        finally:
            self._busy = False
        total = len(self.results)
        chosen = f"{len(self.rows):,} of {total:,}" if len(self.rows) != total else f"{total:,}"
        self.count.object = f"<span class='count'>{chosen} rows</span>"
        self.everything.disabled = len(self.rows) == total
        self.plots.show_chosen(rows)
        self.turn(0)

    def _with_verdict(self, asked: str) -> np.ndarray:
        keys = list(zip(self._names(), self._bands(), strict=True))
        words = np.array([verdict.word if (verdict := self.verdicts.of.get(key)) else "" for key in keys], dtype=object)
        return words == {"good": "good", "bad": "bad", "none yet": ""}[asked]

    def _names(self) -> pd.Series:
        return self.results.frame["name"].astype(str)

    def _bands(self) -> Any:
        return self.results.frame["band"].astype(str) if "band" in self.results.frame else [""] * len(self.results)

    def order(self) -> np.ndarray:
        """Rows in the order of the table as it is sorted now."""
        return self.table.current_view.index.to_numpy() if len(self.rows) else self.rows

    # ----- cards

    def turn(self, page: int, current: int = 0) -> None:
        """Show another page of cards."""
        order = self.order()
        pages = max(1, -(-len(order) // PER_PAGE))
        self.page = min(max(page, 0), pages - 1)
        shown = [int(row) for row in order[self.page * PER_PAGE : (self.page + 1) * PER_PAGE]]
        self.cards.show(shown, current)
        self.plots.mark(shown)
        self.where.object = f"<span class='count'>page {self.page + 1:,} of {pages:,}</span>"
        self._show_current()

    def step(self, by: int) -> None:
        """Go to the next card, or the one before, over the edges of pages."""
        place = self.cards.current + by
        if place < 0:
            if self.page > 0:
                self.turn(self.page - 1, PER_PAGE - 1)
        elif place >= len(self.cards.shown):
            if (self.page + 1) * PER_PAGE < len(self.rows):
                self.turn(self.page + 1)
        else:
            self.cards.current = place
            self.cards.refresh()
            self._show_current()

    def judge(self, word: str | None = None, note: str | None = None) -> None:
        """Give the current galaxy a verdict, or a note."""
        key = self._current()
        if key is None:
            return
        old = self.verdicts.of.get(key, Verdict())
        new = Verdict(old.word if word is None else word, old.note if note is None else note.strip())
        if new == old:
            return
        try:
            self.verdicts.set(*key, new)
        except P2PError as error:
            self._show_message(str(error))
            return
        self.cards.refresh()
        self._show_current()

    def _current(self) -> tuple[str, str] | None:
        if not self.cards.shown:
            return None
        row = self.results.frame.iloc[self.cards.shown[self.cards.current]]
        return str(row.get("name", "")), str(row.get("band", ""))

    def _show_current(self) -> None:
        key = self._current()
        verdict = self.verdicts.of.get(key, Verdict()) if key else Verdict()
        self._busy = True
        try:
            self.who.object = f"<b>{escape(key[0])}</b> {escape(key[1])}" if key else "no galaxy"
            self.note.value = verdict.note
        finally:
            self._busy = False
        judged = len(self.verdicts.of)
        where = f", kept in {escape(self.verdicts.path.name)}" if self.verdicts.path else ""
        self.judged.object = f"<span class='count'>{judged:,} judged{where}</span>"

    def heard(self, message: str) -> None:
        """A key or a click on a card, as the page's script tells it."""
        what, _, rest = message.partition(":")
        argument = rest.partition(":")[0]
        if what == "card" and argument.isdigit() and int(argument) < len(self.cards.shown):
            self.cards.current = int(argument)
            self.cards.refresh()
            self._show_current()
        elif what == "step":
            self.step(1 if argument == "1" else -1)
        elif what == "page":
            self.turn(self.page + (1 if argument == "1" else -1))
        elif what == "judge" and argument in ("good", "bad", "none"):
            self.judge("" if argument == "none" else argument)
            if argument != "none":
                self.step(1)

    # ----- how it is made

    def _make_widgets(self) -> None:
        frame = self.results.frame
        floats = [name for name in frame if pd.api.types.is_float_dtype(frame[name])]
        self.table = pn.widgets.Tabulator(
            frame, pagination="remote", page_size=_TABLE_ROWS, disabled=True, show_index=False, selectable=1,
            sizing_mode="stretch_width", height=432, layout="fit_data", theme="simple",
            formatters={name: NumberFormatter(format="0.00000" if name in _DEGREES else "0.000") for name in floats},
            widths={name: width for name, width in _WIDTHS.items() if name in frame},
            frozen_columns=["name"] if "name" in frame else [], css_classes=["results"],
        )  # fmt: skip
        self.acts.on(self.table, lambda sorters: self.turn(0), "sorters")
        self.table.on_click(lambda event: self.acts.do(lambda: self._clicked_row(event.row)))
        self.filter = pn.widgets.TextInput(
            name="show rows with", placeholder=HINT, styles={"flex": "3 1 260px"}, css_classes=["filter"]
        )
        self.acts.on(self.filter, lambda text: None if self._busy else self._choose())
        self.verdict_filter = pn.widgets.Select(
            name="verdict", options=["any verdict", "good", "bad", "none yet"], styles={"flex": "0 1 130px"}
        )
        self.acts.on(self.verdict_filter, lambda word: None if self._busy else self._choose())
        self.everything = pn.widgets.Button(
            name="show all", button_type="default", align="end", disabled=True, stylesheets=[BUTTON]
        )
        self.acts.on_click(self.everything, self._show_all)
        self.count, self.where, self.who, self.judged = (html(sizing_mode=None) for _ in range(4))
        columns = self.results.numbers
        self.x = pn.widgets.Select(name="x", options=columns, value=self.plots.x or None, width=150)
        self.y = pn.widgets.Select(name="y", options=columns, value=self.plots.y or None, width=150)
        for axis in (self.x, self.y):
            self.acts.on(axis, lambda name: self.plots.show(self.x.value, self.y.value))
        for fig in self.plots.figures():
            fig.on_event(SelectionGeometry, self._select)

        def button(name: str, act: Callable[[], None], kind: str = "default") -> pn.widgets.Button:
            made = pn.widgets.Button(name=name, button_type=kind, margin=(2, 3), align="center", stylesheets=[BUTTON])
            self.acts.on_click(made, act)
            return made

        self.note = pn.widgets.TextInput(placeholder="note", width=220, align="center", css_classes=["note-text"])
        self.acts.on(self.note, lambda text: self.judge(note=text))
        export = pn.widgets.FileDownload(
            callback=lambda: io.BytesIO(self.verdicts.text().encode("utf-8")),
            filename=self.verdicts.path.name if self.verdicts.path else "verdicts.csv",
            label="verdicts, CSV",
            button_type="default",
            align="center",
            margin=(2, 3),
            css_classes=["verdicts"],
            stylesheets=[BUTTON],
        )
        self.bar = pn.FlexBox(
            button("‹ page", lambda: self.turn(self.page - 1)),
            self.where,
            button("page ›", lambda: self.turn(self.page + 1)),
            button("←", lambda: self.step(-1)),
            button("→", lambda: self.step(1)),
            self.who,
            button("good", lambda: self.judge("good"), "success"),
            button("bad", lambda: self.judge("bad"), "danger"),
            button("no verdict", lambda: self.judge("")),
            self.note,
            self.judged,
            export,
            align_items="center",
            gap="0 8px",
        )
        # Bokeh's own: Panel would hear only the last of some quick keys.
        self.keys = TextInput(name="p2p-keys", visible=False)
        self.keys.on_change("value", lambda attr, old, new: self.heard(new))

    def _select(self, event: Any) -> None:
        """Take the rows that a reader has drawn round in a plot."""
        if event.final:
            self._selected = self.plots.rows_in(event.model, event.geometry)
            self._choose()

    def _show_all(self) -> None:
        self._selected = None
        self._busy = True
        try:
            self.filter.value, self.verdict_filter.value = "", "any verdict"
        finally:
            self._busy = False
        self._choose()

    def _clicked_row(self, row: int | None) -> None:
        """Turn to the card of a row of the table, counted in its present order."""
        if row is not None and row < len(self.rows):
            self.turn(row // PER_PAGE, row % PER_PAGE)

    def _show_message(self, sentence: str) -> None:
        self.error.object = f"<div class='error' role='alert'>{escape(sentence)}</div>" if sentence else ""
        self.error.visible = bool(sentence)

    def layout(self) -> Any:
        """All of it, for a window of any width."""
        left = column(
            pn.FlexBox(self.filter, self.verdict_filter, self.everything, self.count, align_items="end"),
            self.error,
            self.table,
            width="620px",
            grow=1.4,
        )
        plots = [("plot", pn.Column(self.plots.scatter, pn.FlexBox(self.x, self.y), sizing_mode="stretch_width"))]
        if self.plots.sky is not None:
            plots.append(("sky", self.plots.sky))
        right = column(pn.Tabs(*plots, sizing_mode="stretch_width", dynamic=False), width="420px")
        return pn.Column(
            pn.FlexBox(left, right, align_items="flex-start", sizing_mode="stretch_width"),
            self.bar,
            grid(self.cards),
            self.keys,
            sizing_mode="stretch_width",
        )
