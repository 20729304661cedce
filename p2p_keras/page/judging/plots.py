"""Plots of a whole table: any column against any other, and the sky; what is selected in one is selected in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import ColumnDataSource, DataRange1d
from bokeh.plotting import figure

from p2p_keras.page.style import BLUE, FAINT, GREEN, ORANGE, VERMILION, dress

if TYPE_CHECKING:
    from p2p_keras.page.judging.results import Results

__all__ = ["TablePlots"]

_COLOURS = {0: GREEN, 1: ORANGE, 2: VERMILION, 4: FAINT}
_DOWNWARD = ("mag", "mu_", "sersic_mu", "disc_mu", "central_mu")
_TOOLS = "pan,wheel_zoom,box_select,lasso_select,tap,reset,save"
_MOST_POINTS = 20_000
"""A browser without a graphics card draws no more in a moment; of a larger table a sample is drawn."""
_PAIRS = (("r50", "mag_total"), ("mag_total", "p_bad"), ("extent", "mag_total"))


class TablePlots:
    """Two figures of a table.

    Attributes
    ----------
    drawn : int array
        Rows that are drawn as points: all, or a sample of a large table.
    scatter, sky : bokeh figure
        `sky` is None for a table without positions.
    x, y : str
        Columns shown.
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        columns = results.numbers
        self.x, self.y = next(
            (pair for pair in _PAIRS if set(pair) <= set(columns)), ((columns or [""])[0], (columns or [""])[-1])
        )
        self.positions = next(
            ((ra, dec) for ra, dec in (("ra", "dec"), ("target_ra", "target_dec")) if ra in columns and dec in columns),
            None,
        )
        quality = results.frame.get("quality")
        colours = np.full(len(results), BLUE, dtype=object)
        if quality is not None:
            colours = np.array([_COLOURS.get(int(q) if np.isfinite(q) else -1, BLUE) for q in quality], dtype=object)
        self._colours = colours
        self.drawn = np.arange(len(results))
        if len(results) > _MOST_POINTS:
            self.drawn = np.sort(np.random.default_rng(0).choice(len(results), _MOST_POINTS, replace=False))
        self._chosen = np.ones(len(results), dtype=bool)
        self._columns: dict[str, np.ndarray] = {}
        self.source = ColumnDataSource({key: [] for key in ("x", "y", "ra", "dec", "color", "alpha")})
        self.here = ColumnDataSource({"x": [], "y": [], "ra": [], "dec": []})
        self.scatter = self._figure("x", "y", "scatter")
        self.scatter.x_range, self.scatter.y_range = DataRange1d(), DataRange1d()
        self.sky = None
        if self.positions:
            self.sky = self._figure("ra", "dec", "sky")
            self.sky.x_range = DataRange1d(flipped=True)
            self.sky.xaxis.axis_label, self.sky.yaxis.axis_label = "RA  [°]", "Dec  [°]"
        self.show(self.x, self.y)

    def _figure(self, x: str, y: str, name: str) -> Any:
        fig = figure(
            height=330, sizing_mode="stretch_width", min_width=280, tools=_TOOLS, active_drag="box_select",
            active_scroll="wheel_zoom", output_backend="canvas", toolbar_location="above", name=f"table-{name}",
        )  # fmt: skip
        dress(fig)
        size = 7 if len(self.results) < 2000 else 4
        fig.scatter(
            x, y, source=self.source, color="color", size=size, line_color=None, fill_alpha="alpha",
            nonselection_fill_alpha="alpha", nonselection_fill_color="color",
        )  # fmt: skip
        fig.scatter(x, y, source=self.here, size=size + 6, fill_color=None, line_color="#111", line_width=1.3)
        return fig

    def show(self, x: str, y: str) -> None:
        """Show two columns."""
        self.x, self.y = x, y
        columns = {"x": x, "y": y}
        if self.positions:
            columns |= {"ra": self.positions[0], "dec": self.positions[1]}
        for key in ("x", "y", "ra", "dec"):
            values = np.full(len(self.results), np.nan, np.float32)
            if columns.get(key) in self.results.frame:
                values = self.results.frame[columns[key]].to_numpy(dtype=np.float32, na_value=np.nan)
            self._columns[key] = values
        self._draw()
        self.scatter.xaxis.axis_label, self.scatter.yaxis.axis_label = x, y
        for axis, name in ((self.scatter.x_range, x), (self.scatter.y_range, y)):
            axis.flipped = name.startswith(_DOWNWARD) and not name.endswith("_err")

    def figures(self) -> list[Any]:
        """The figures that there are."""
        return [self.scatter] if self.sky is None else [self.scatter, self.sky]

    def _draw(self) -> None:
        data: dict[str, Any] = {key: values[self.drawn] for key, values in self._columns.items()}
        data["color"] = list(self._colours[self.drawn])
        data["alpha"] = np.where(self._chosen[self.drawn], 0.65, 0.08).astype(np.float32)
        self.source.data = data

    def show_chosen(self, chosen: np.ndarray) -> None:
        """Let the rows that aren't chosen fade."""
        if not np.array_equal(chosen, self._chosen):
            self._chosen = chosen.copy()
            self.source.data["alpha"] = np.where(chosen[self.drawn], 0.65, 0.08).astype(np.float32)

    def mark(self, rows: list[int]) -> None:
        """Put rings round the rows whose cards are shown."""
        self.here.data = {key: self._columns[key][rows] for key in self.here.data}

    def rows_in(self, figure_: Any, geometry: Mapping[str, Any]) -> np.ndarray | None:
        """Rows in a rectangle or outline that was drawn in one of the figures, those that aren't drawn too.

        Parameters
        ----------
        figure_ : bokeh figure
        geometry : mapping
            Of Bokeh's event: ``rect``, ``poly`` or ``point``, which takes the nearest row.

        Returns
        -------
        bool array (N,) or None
            None where there is nothing to choose.
        """
        from matplotlib.path import Path

        names = ("ra", "dec") if figure_ is self.sky else ("x", "y")
        x, y = (self._columns[name] for name in names)
        if geometry["type"] == "rect":
            (left, right), (low, high) = (sorted((geometry[f"{k}0"], geometry[f"{k}1"])) for k in "xy")
            inside = (x >= left) & (x <= right) & (y >= low) & (y <= high)
        elif geometry["type"] == "poly":
            outline = np.column_stack([list(_values(geometry["x"])), list(_values(geometry["y"]))])
            inside = (
                Path(outline).contains_points(np.column_stack([x, y])) if len(outline) > 2 else np.zeros(len(x), bool)
            )
        else:
            spans = [max(float(np.nanmax(v) - np.nanmin(v)), 1e-9) for v in (x, y)]
            off = np.hypot((x - geometry["x"]) / spans[0], (y - geometry["y"]) / spans[1])
            inside = off <= np.nanmin(off) if np.nanmin(off, initial=np.inf) < 0.02 else np.zeros(len(x), bool)
        return inside if inside.any() else None


def _values(sent: Any) -> Any:
    """Numbers of an outline, which a browser sends as a list or as a mapping of places to numbers."""
    return sent.values() if isinstance(sent, dict) else sent
