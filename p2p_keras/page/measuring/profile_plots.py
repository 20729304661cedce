"""The profile on the page: surface brightness, geometry, growth, harmonics, over one logarithmic radius.

What follows the pointer is linked here: a radius lights its ellipse on the image, a pixel says where it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.events import MouseMove
from bokeh.models import ColumnDataSource, CustomJS, Div, FixedTicker, Line, Range1d, Ray, Scatter, Span, VArea
from bokeh.plotting import figure

from p2p_keras.page.style import BLUE, FAINT, ORANGE, VERMILION, asset, dress
from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.plots.bands import band_color
from p2p_keras.profile.plots.panels import CLEAR_ELLIPTICITY, continuous_angle
from p2p_keras.profile.plots.style import SERIES

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.page.measuring.sky_image import SkyImage

__all__ = ["ProfilePlots", "link_pointer"]

_HEIGHTS = {"mu": 300, "colour": 130, "ellipticity": 120, "pa": 120, "growth": 150, "b4": 120}
_LARGEST_ERROR = 1.0
_GROWTH_SHOWN = 6.0
_CLEAR_COLOUR = 0.3
_SHOWN = ("mu", "ellipticity", "pa", "growth", "b4")
_ERRORS = {"mu": "mu_err", "ellipticity": "ellipticity_err", "pa": "pa_err", "growth": "growth_err", "b4": "b4_err"}
_LABELS = {
    "mu": "μ  [mag arcsec⁻²]",
    "ellipticity": "1 − b/a",
    "pa": "PA  [°]",
    "growth": "m(< sma)  [mag]",
    "b4": "b₄, a₄",
    "colour": "colour  [mag]",
}


class ProfilePlots:
    """Figures of a profile; another profile replaces what they show.

    Attributes
    ----------
    figures : dict of str to bokeh figure
        By the name of the column.
    row : ColumnDataSource
        The radius that the pointer is on.
    words : Div
        Its numbers.
    """

    def __init__(self) -> None:
        columns = ("sma", *_SHOWN, "a4", "clear_pa", *(f"{name}_{end}" for name in _SHOWN for end in ("low", "high")))
        self.profile = ColumnDataSource({name: [] for name in (*columns, "mu_err")})
        self.row = ColumnDataSource({name: [] for name in (*columns, "mu_err")})
        self.words = Div(text="&nbsp;", css_classes=["cursor"], sizing_mode="stretch_width")
        self.bands = ColumnDataSource({key: [] for key in ("xs", "ys", "color", "band")})
        self.colours = ColumnDataSource({key: [] for key in ("xs", "ys", "color", "band")})
        self.radius = Range1d(0.5, 50.0)
        self._mu: tuple[VArea, Line] | None = None
        self.ticks = FixedTicker(ticks=[])  # one for all: Bokeh would go through the whole page for each new one
        self.figures = {name: self._figure(name) for name in ("mu", "colour", *_SHOWN[1:])}
        self.spans: dict[str, list[Span]] = {"r50": [], "r90": []}
        for fig in self.figures.values():
            for key, dash in (("r50", "dashed"), ("r90", "dotted")):
                span = Span(dimension="height", line_color=ORANGE, line_dash=dash, line_width=1.2, level="underlay")
                span.visible = False
                fig.add_layout(span)
                self.spans[key].append(span)
        self.total = Span(dimension="width", line_color=FAINT, line_dash="dashed", visible=False, level="underlay")
        self.figures["growth"].add_layout(self.total)

    def _figure(self, name: str) -> Any:
        last = name == "growth"
        fig = figure(
            x_range=self.radius,
            y_range=Range1d(0, 1),
            x_axis_type="log",
            height=_HEIGHTS[name] + (40 if last else 0),
            sizing_mode="stretch_width",
            min_width=280,
            tools="",
            toolbar_location=None,
            name=f"profile-{name}",
        )
        dress(fig)
        fig.min_border_left = 64
        fig.yaxis.axis_label = _LABELS[name]
        fig.xaxis.ticker = self.ticks
        fig.xaxis.axis_label = "semi-major axis  [arcsec]" if last else None
        fig.xaxis.major_label_text_font_size = "12px" if last else "0px"
        fig.min_border_bottom = 40 if last else 6  # room for the halves of the outer labels
        fig.min_border_top = 6
        if name == "colour":
            _lines(fig, self.colours, "bottom_right")
            fig.visible = False
            return fig
        shown = "clear_pa" if name == "pa" else name
        # Not fig.line(...): it makes five glyphs for each that is seen, and Bokeh takes its time for every one.
        band = VArea(x="sma", y1=f"{name}_low", y2=f"{name}_high", fill_alpha=0.22, fill_color=BLUE)
        fig.add_glyph(self.profile, band)
        if name == "mu":
            _lines(fig, self.bands, "bottom_left")
        if name == "pa":
            fig.add_glyph(self.profile, Line(x="sma", y="pa", line_width=0.8, line_alpha=0.5, line_color=BLUE))
        if name == "b4":
            fig.add_glyph(self.profile, Line(x="sma", y="a4", line_width=1.2, line_color=ORANGE))
            fig.add_layout(Span(dimension="width", location=0.0, line_color=FAINT, line_width=0.8))
            fig.visible = False
        line = Line(x="sma", y=shown, line_width=1.8, line_color=BLUE)
        fig.add_glyph(self.profile, line)
        if name == "mu":
            self._mu = band, line
        for angle in (np.pi / 2, -np.pi / 2):
            ray = Ray(x="sma", y=name, angle=angle, length=0, line_color=VERMILION, line_alpha=0.35)
            fig.add_glyph(self.row, ray)
        fig.add_glyph(self.row, Scatter(x="sma", y=name, size=9, fill_color=VERMILION, line_color="white"))
        return fig

    def show(self, profile: QTable | None, bands: Mapping[str, QTable] | None = None) -> None:
        """Show a profile, beside it those of other bands and the colours; nothing for None or for one without radii."""
        self.row.data = {key: [] for key in self.row.data}
        self.words.text = "&nbsp;"
        if profile is None or not len(profile):
            self.profile.data = {key: [] for key in self.profile.data}
            for span in (*self.spans["r50"], *self.spans["r90"], self.total):
                span.visible = False
            self._show_bands({})
            return
        arrays = {name: np.asarray(values) for name, values in plain_arrays(profile).items()}  # no Column for Bokeh
        nothing = np.full(arrays["sma"].shape, np.nan)
        pa = continuous_angle(arrays["pa"])
        shown = {name: arrays.get(name, nothing) for name in _SHOWN} | {"pa": pa, "a4": arrays.get("a4", nothing)}
        data: dict[str, Any] = {"sma": arrays["sma"], "mu_err": arrays.get("mu_err", nothing), **shown}
        data["clear_pa"] = np.where(arrays["ellipticity"] > CLEAR_ELLIPTICITY, pa, np.nan)
        for name, error in _ERRORS.items():
            width = np.nan_to_num(arrays.get(error, nothing), nan=0.0)
            data[f"{name}_low"], data[f"{name}_high"] = shown[name] - width, shown[name] + width
        self.profile.data = data
        self._show_bands(bands or {}, str(profile.meta.get("band", "")))
        self._ranges(profile, data)
        has_harmonics = bool(np.isfinite(shown["b4"]).any())
        self.figures["b4"].visible = has_harmonics
        north = profile.meta.get("pa_reference") == "north"
        self.figures["pa"].yaxis.axis_label = "PA  [°, N to E]" if north else "PA  [° from +x]"
        band = str(profile.meta.get("band", ""))
        self.figures["mu"].yaxis.axis_label = f"μ{f' ({band})' if band else ''}  [mag arcsec⁻²]"
        for key, spans in self.spans.items():
            value = float(profile.meta.get(key, np.nan))
            for span in spans:
                span.visible = bool(np.isfinite(value))
                span.location = value if span.visible else None

    def _show_bands(self, bands: Mapping[str, QTable], shown: str = "") -> None:
        """Show the surface brightness of all bands in their colours, the one that is shown too, and their colours."""
        self.figures["colour"].visible = bool(bands)
        lines = [
            (plain_arrays(profile)["sma"], plain_arrays(profile)["mu"], band_color(band, number), band)
            for number, (band, profile) in enumerate(bands.items())
        ]
        _show_lines(self.bands, lines)
        assert self._mu is not None
        own = {band: colour for *_, colour, band in lines}.get(shown, BLUE)
        self._mu[0].fill_color = self._mu[1].line_color = own
        if not bands:
            _show_lines(self.colours, [])
            return
        from p2p_keras.measure.bands.colours import colour_table

        table = colour_table(bands)
        names = [name for name in table.colnames if f"{name}_err" in table.colnames]
        sma = np.asarray(table["sma"].value)
        clear = {}
        for name in names:
            value, error = (np.asarray(table[column].value) for column in (name, f"{name}_err"))
            clear[name] = np.where(error < _CLEAR_COLOUR, value, np.nan)
        _show_lines(self.colours, [(sma, clear[name], SERIES[i % len(SERIES)], name) for i, name in enumerate(names)])
        _set(self.figures["colour"].y_range, list(clear.values()))

    def _ranges(self, profile: QTable, data: dict[str, Any]) -> None:
        sma = data["sma"]
        low, high = 0.8 * float(sma.min()), 1.3 * float(sma.max())
        self.radius.start, self.radius.end = low, high
        ticks = [m * 10.0**e for e in range(-2, 5) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
        labels = {tick: f"{tick:g}" for tick in ticks}
        minor = [m * 10.0**e for e in range(-2, 5) for m in range(1, 10) if low <= m * 10.0**e <= high]
        self.ticks.update(ticks=ticks, minor_ticks=minor)
        for fig in self.figures.values():
            fig.xaxis.major_label_overrides = labels
        error = np.minimum(np.nan_to_num(data["mu_err"]), _LARGEST_ERROR)
        others = [np.asarray(ys, dtype=float) for ys in self.bands.data["ys"]]
        _set(self.figures["mu"].y_range, [data["mu"] - error, data["mu"] + error, *others], least=1.0, down=True)
        top = float(np.nanmax(data["ellipticity"], initial=0.0))
        self.figures["ellipticity"].y_range.update(start=0.0, end=max(0.32, 1.15 * top))
        clear = data["clear_pa"] if np.isfinite(data["clear_pa"]).any() else data["pa"]
        _set(self.figures["pa"].y_range, [clear], least=30.0)
        growth, total = data["growth"], float(profile.meta.get("mag_total", np.nan))
        if np.isfinite(growth).any():
            # The nucleus holds so little that it would take most of the axis.
            bottom = min(float(np.nanmax(growth)), float(np.nanmin(growth)) + _GROWTH_SHOWN)
            _set(self.figures["growth"].y_range, [np.array([bottom, np.nanmin([np.nanmin(growth), total])])], down=True)
        self.total.visible = bool(np.isfinite(total))
        self.total.location = total if self.total.visible else None
        if np.isfinite(data["b4"]).any():
            outer = sma > 2.0 * float(sma.min())
            reach = float(np.nanpercentile(np.abs(np.r_[data["b4"][outer], data["a4"][outer], 0.02]), 95))
            self.figures["b4"].y_range.update(start=-1.4 * reach, end=1.4 * reach)


def _show_lines(source: ColumnDataSource, lines: Sequence[tuple[np.ndarray, np.ndarray, str, str]]) -> None:
    """Fill a source of lines: x, y, colour and name of each."""
    source.data = {key: [line[i] for line in lines] for i, key in enumerate(("xs", "ys", "color", "band"))}


def _lines(figure: Any, source: ColumnDataSource, place: str) -> None:
    """Draw the lines of a source, with a legend of their names."""
    figure.multi_line("xs", "ys", color="color", line_width=1.6, source=source, legend_field="band")
    legend = figure.legend[0]
    legend.location, legend.orientation = place, "horizontal"
    legend.label_text_font_size, legend.glyph_width, legend.padding = "12px", 14, 2
    legend.border_line_color, legend.background_fill_alpha = None, 0.6


def _set(axis: Range1d, values: list[np.ndarray], *, least: float = 0.2, down: bool = False) -> None:
    """Show all values and a little more; at least so much; magnitudes point down."""
    every = np.concatenate(values)
    every = every[np.isfinite(every)]
    if not every.size:
        return
    low, high = float(every.min()), float(every.max())
    missing = max(least - (high - low), 0.0) / 2.0
    wide = missing + 0.06 * max(high - low, least)
    low, high = low - wide, high + wide
    axis.update(start=high if down else low, end=low if down else high)
    axis.update(reset_start=axis.start, reset_end=axis.end)


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
    for one in plots.figures.values():
        one.js_on_event(MouseMove, on_profile)
