"""The image on the page: stretched pixels, ellipses, what the pointer is on, and regions to draw."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    CustomJS,
    Div,
    FreehandDrawTool,
    Image,
    LinearColorMapper,
    MultiLine,
    Range1d,
    Scatter,
)
from bokeh.plotting import figure

from p2p_keras.page.measuring.attention_overlay import AttentionOverlay
from p2p_keras.page.measuring.measurement import Measurement
from p2p_keras.page.style import BLUE, GREEN, INK, MASKED, ORANGE, VERMILION, asset, dress, palette
from p2p_keras.profile.painting import Isophotes
from p2p_keras.profile.plots.image_panel import SMALLEST_SHOWN, marked_ellipses, pixel_geometry

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["STRETCHES", "Stretch", "SkyImage"]

STRETCHES = ("asinh", "log", "linear")
_SKY_GRID = 9
_RING_GRID = 200
_VIEW_EXTENTS = 1.6


class Stretch:
    """How flux becomes grey: limits by percentile and a curve between them.

    Parameters
    ----------
    kind : {"asinh", "log", "linear"}
    percentiles : (float, float)
    """

    def __init__(self, kind: str = "asinh", percentiles: tuple[float, float] = (2.0, 99.8)) -> None:
        self.kind, self.percentiles = kind, percentiles

    def levels(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels as 1 (faint) to 255 (bright), 0 where there is none; uint8 of the same shape."""
        from astropy.visualization import AsinhStretch, LinearStretch, LogStretch

        good = np.isfinite(pixels)
        levels = np.zeros(pixels.shape, np.uint8)
        if not good.any():
            return levels
        values = np.asarray(pixels[good], dtype=float)
        low, high = np.percentile(values, self.percentiles)
        span = max(float(high - low), 1e-12 * max(abs(float(high)), 1e-30))
        scaled = np.clip((values - low) / span, 0.0, 1.0)
        # Half of the lower half is about the noise of the sky: the asinh is straight up to twice that.
        noise = float(np.median(values) - np.percentile(values, 16)) / span
        curve = {
            "asinh": AsinhStretch(float(np.clip(2.0 * noise, 1e-3, 0.9))),
            "log": LogStretch(float(np.clip(1.0 / max(noise, 1e-4), 10.0, 1e4))),
            "linear": LinearStretch(),
        }[self.kind]
        levels[good] = 1 + np.rint(254.0 * curve(scaled, clip=True)).astype(np.uint8)
        return levels


class SkyImage:
    """A figure of a `Measurement`.

    Attributes
    ----------
    figure : bokeh figure
        In pixels of the measurement's field.
    masked, unmasked : ColumnDataSource
        Regions drawn by the user, ``xs`` and ``ys``, pixels of the field.
    cursor : Div
        Place and value under the pointer.
    """

    def __init__(self) -> None:
        self.figure = figure(
            x_range=Range1d(0, 1),
            y_range=Range1d(0, 1),
            match_aspect=True,
            tools="pan,wheel_zoom,box_zoom,reset,save",
            active_scroll="wheel_zoom",
            toolbar_location="above",
            aspect_ratio=1.0,
            sizing_mode="scale_width",
            min_width=300,
            name="sky-image",
        )
        dress(self.figure)
        self.figure.axis.visible = False
        self.figure.min_border_left = self.figure.min_border_right = 2
        none: dict[str, list[Any]] = {"xs": [], "ys": []}
        self.base = ColumnDataSource({k: [] for k in ("image", "raw", "rows", "columns", "x", "y", "dw", "dh")})
        self.rings = ColumnDataSource(none)
        self.marks = ColumnDataSource(none | {"color": [], "width": [], "dash": []})
        self.lit = ColumnDataSource(none, name="lit-ellipse")
        self.centre = ColumnDataSource({"x": [], "y": []})
        self.cutout = ColumnDataSource(none)
        self.masked, self.unmasked = ColumnDataSource(none), ColumnDataSource(none)
        self.map = ColumnDataSource({k: [] for k in ("index", "shape", "window")})
        self.grid = ColumnDataSource({"file": []})
        self.scale_bar = ColumnDataSource({k: [] for k in ("xs", "ys", "x", "y", "text", "scale")})
        self.attention = AttentionOverlay()
        self.sky = ColumnDataSource({k: [] for k in ("ra", "dec", "size", "window")})
        self.cursor = Div(text="&nbsp;", css_classes=["cursor"], sizing_mode="stretch_width")
        self.mapper = LinearColorMapper(palette=[MASKED, *palette("Greys")], low=-0.5, high=255.5)
        self._draw()
        self._field: GalaxyImage | None = None
        self._target: tuple[Any, ...] = ()

    def _draw(self) -> None:
        fig = self.figure

        def lines(source: ColumnDataSource, colour: str, **look: Any) -> None:
            fig.add_glyph(source, MultiLine(xs="xs", ys="ys", line_color=colour, **look))

        fig.add_glyph(self.base, Image(image="image", x="x", y="y", dw="dw", dh="dh", color_mapper=self.mapper))
        lines(self.cutout, "#888888", line_dash="dotted")
        lines(self.marks, "color", line_width="width", line_dash="dash")
        lines(self.lit, "white", line_width=5, line_alpha=0.5)
        lines(self.lit, VERMILION, line_width=2.4)
        self.attention.draw_on(fig)  # above the lit ellipse, which it lies along
        fig.add_glyph(self.centre, Scatter(x="x", y="y", marker="cross", size=11, line_color=VERMILION))
        look: dict[str, Any] = {"fill_alpha": 0.25, "line_width": 1.5}
        masked = fig.patches("xs", "ys", color=VERMILION, source=self.masked, **look)
        unmasked = fig.patches("xs", "ys", color=GREEN, source=self.unmasked, **look)
        for regions, colour, sign, words in (
            (masked, VERMILION, "M8 12h8", "Mask: drag round what isn't the galaxy"),
            (unmasked, GREEN, "M8 12h8M12 8v8", "Unmask: drag round what is to count"),
        ):
            fig.add_tools(FreehandDrawTool(renderers=[regions], description=words, icon=_outline(colour, sign)))
        self._draw_scale_bar()

    def _draw_scale_bar(self) -> None:
        """A bar of a round number of arcsec that follows the zoom."""
        fig, bar = self.figure, self.scale_bar
        fig.add_glyph(bar, MultiLine(xs="xs", ys="ys", line_color="white", line_width=6, line_alpha=0.7))
        fig.add_glyph(bar, MultiLine(xs="xs", ys="ys", line_color=INK, line_width=2.4))
        fig.text(
            "x", "y", "text", source=bar, text_align="center", text_baseline="bottom", text_font_size="13px",
            background_fill_color="white", background_fill_alpha=0.6, y_offset=-4, text_color=INK,
        )  # fmt: skip
        args = {"bar": bar, "x": fig.x_range, "y": fig.y_range}
        follow = CustomJS(args=args, code=asset("measuring/scale_bar.js"))
        fig.x_range.js_on_change("start", follow)
        fig.x_range.js_on_change("end", follow)
        bar.js_on_change("data", follow)
        fig.js_on_change("inner_width", follow)

    def forget(self) -> None:
        """Another file comes: regions and the look at the sky are of no more use."""
        self._field = None

    def forget_regions(self) -> None:
        """Take the drawn regions away."""
        self.masked.data, self.unmasked.data = {"xs": [], "ys": []}, {"xs": [], "ys": []}

    def has_region_at(self, x: float, y: float) -> bool:
        """Whether a pixel of the field lies in a drawn region."""
        sides = (source.data for source in (self.masked, self.unmasked))
        drawn = [pair for data in sides for pair in zip(data["xs"], data["ys"], strict=True)]
        if not drawn:
            return False
        from matplotlib.path import Path as Outline

        return any(len(xs) > 2 and Outline(np.column_stack([xs, ys])).contains_point((x, y)) for xs, ys in drawn)

    def colours(self, name: str) -> None:
        """Take another colour map."""
        self.mapper.palette = [MASKED, *palette(name)]

    def show(self, measurement: Measurement, stretch: Stretch, layer: np.ndarray | None = None) -> None:
        """Show a measurement.

        Parameters
        ----------
        measurement : Measurement
        stretch : Stretch
        layer : float array, optional
            An image on the grid of what was measured, in place of the file's own.
        """
        field = measurement.field
        self.attention.clear()
        if field is None:
            for source in (
                self.base,
                self.rings,
                self.marks,
                self.lit,
                self.centre,
                self.cutout,
                self.map,
                self.sky,
                self.grid,
            ):
                source.data = {key: [] for key in source.data}
            return
        new = self._field is None or field.source != self._field.source or field.shape != self._field.shape
        self._field = field
        self.show_layer(measurement, stretch, layer)
        self._show_ellipses(measurement)
        if new:
            self._show_sky(field)
            self.forget_regions()
        target = (
            measurement.request.path,
            measurement.request.x,
            measurement.request.y,
            measurement.request.hdu,
            measurement.profile is None,
        )
        if target != self._target:
            self._look_at(measurement)
        self._target = target

    def show_layer(self, measurement: Measurement, stretch: Stretch, layer: np.ndarray | None = None) -> None:
        """Show the file's image, or another one on the grid of what was measured."""
        field = measurement.field
        assert field is not None
        pixels = np.asarray(field.pixels if layer is None else layer, dtype=np.float32)
        x, y, width, height = (
            (-0.5, -0.5, field.shape[1], field.shape[0]) if layer is None else _window(measurement.image, field)
        )
        self.base.data = {
            "image": [stretch.levels(pixels)], "raw": [pixels], "rows": [pixels.shape[0]],
            "columns": [pixels.shape[1]], "x": [x], "y": [y], "dw": [width], "dh": [height],
        }  # fmt: skip

    def _show_ellipses(self, measurement: Measurement) -> None:
        field, image, profile = measurement.field, measurement.image, measurement.profile
        assert field is not None
        none: dict[str, list[Any]] = {"xs": [], "ys": []}
        self.lit.data = none
        self.cutout.data = none
        matrix = [*(field.file_matrix or (float(field.binning), 0.0, 0.0, float(field.binning)))]
        self.grid.data = {"file": [[*matrix, field.x_offset, field.y_offset]]}
        self.map.data = {"index": [], "shape": [], "window": []}
        if image is not None and image is not field:
            x, y, width, height = _window(image, field)
            self.cutout.data = {"xs": [[x, x + width, x + width, x, x]], "ys": [[y, y, y + height, y + height, y]]}
        if image is None or profile is None or not len(profile):
            self.rings.data = none
            self.marks.data = none | {"color": [], "width": [], "dash": []}
            self.centre.data = {"x": [], "y": []}
            return
        geometry = pixel_geometry(profile, image)

        def outline(sma: float) -> tuple[np.ndarray, np.ndarray]:
            x, y = geometry.outline(sma)
            return field.from_file(*image.to_file(x, y))

        rings = [outline(sma) for sma in geometry.sma]
        self.rings.data = {"xs": [x for x, _ in rings], "ys": [y for _, y in rings]}
        marks: dict[str, list[Any]] = none | {"color": [], "width": [], "dash": []}
        marks = {key: [] for key in marks}
        look = {"isophotes": (BLUE, 0.9, "solid"), "extent": (VERMILION, 1.6, "solid"), "r50": (ORANGE, 1.8, "dashed")}
        for kind, radii in marked_ellipses(profile).items():
            for sma in radii:
                if kind == "isophotes" and not sma / image.pixel_scale > SMALLEST_SHOWN:
                    continue
                for key, value in zip(marks, (*outline(sma / image.pixel_scale), *look[kind]), strict=True):
                    marks[key].append(value)
        self.marks.data = marks
        x0, y0 = field.from_file(*image.to_file(geometry.x0, geometry.y0))
        self.centre.data = {"x": [x0], "y": [y0]}
        if len(profile) > 1:
            self.map.data = _ring_map(measurement)

    def _show_sky(self, field: GalaxyImage) -> None:
        width, height = field.shape[1] - 1, field.shape[0] - 1
        nothing = [float("nan")]
        self.scale_bar.data = {
            "xs": [nothing], "ys": [nothing], "x": nothing, "y": nothing, "text": [""], "scale": [field.pixel_scale],
        }  # fmt: skip
        if field.wcs is None:
            self.sky.data = {key: [] for key in self.sky.data}
            return
        steps = np.linspace(0.0, 1.0, _SKY_GRID)
        x, y = np.meshgrid(steps * width, steps * height)
        ra, dec = field.pixel_to_sky(x.ravel(), y.ravel())
        ra = np.rad2deg(np.unwrap(np.deg2rad(ra.reshape(x.shape)), axis=1)).ravel()
        window = [0.0, 0.0, float(width), float(height)]
        self.sky.data = {"ra": [ra], "dec": [dec], "size": [_SKY_GRID], "window": [window]}

    def _look_at(self, measurement: Measurement) -> None:
        """Turn to the galaxy, with some of its surroundings."""
        field, image, profile = measurement.field, measurement.image, measurement.profile
        assert field is not None
        half = max(field.shape) / 2.0
        x, y = (field.shape[1] - 1) / 2.0, (field.shape[0] - 1) / 2.0
        if image is not None and profile is not None and len(profile):
            x, y = self.centre.data["x"][0], self.centre.data["y"][0]
            ring = np.ptp(np.asarray(self.rings.data["xs"][-1])), np.ptp(np.asarray(self.rings.data["ys"][-1]))
            half = min(half, max(_VIEW_EXTENTS * max(ring) / 2.0, 24.0))
            # Moved to lie on the image where it fits.
            x = float(np.clip(x, half - 0.5, max(half - 0.5, field.shape[1] - 0.5 - half)))
            y = float(np.clip(y, half - 0.5, max(half - 0.5, field.shape[0] - 0.5 - half)))
        for axis, middle in ((self.figure.x_range, x), (self.figure.y_range, y)):
            axis.start, axis.end = middle - half, middle + half
            axis.reset_start, axis.reset_end = middle - half, middle + half


def _outline(colour: str, sign: str) -> str:
    """An icon: a round outline with a sign in it."""
    shape = "M12 3c6 0 9 4 9 9s-4 9-9 9-9-3-9-8 3-10 9-10z"
    lines = f"<path d='{shape}{sign}' fill='none' stroke='{colour}' stroke-width='2'/>"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' width='24' height='24'>{lines}</svg>"
    return "data:image/svg+xml;base64," + b64encode(svg.encode("utf-8")).decode("ascii")


def _window(image: GalaxyImage | None, field: GalaxyImage) -> tuple[float, float, float, float]:
    """Lower left corner and size of an image on the field it was cut from."""
    assert image is not None
    (x, right), (y, top) = field.from_file(
        *image.to_file(np.array([-0.5, image.shape[1] - 0.5]), np.array([-0.5, image.shape[0] - 0.5]))
    )
    return float(x), float(y), float(right - x), float(top - y)


def _ring_map(measurement: Measurement) -> dict[str, list[Any]]:
    """Which radius of the profile is the nearest, over what was measured: a coarse map for the pointer."""
    image, field, profile = measurement.image, measurement.field, measurement.profile
    assert image is not None and field is not None and profile is not None
    isophotes = Isophotes.of(profile, image)
    rows, columns = (min(_RING_GRID, side) for side in image.shape)
    y, x = np.meshgrid(
        (np.arange(rows) + 0.5) / rows * image.shape[0] - 0.5,
        (np.arange(columns) + 0.5) / columns * image.shape[1] - 0.5,
        indexing="ij",
    )
    radius = isophotes.radius_of(x, y)
    middle = np.sqrt(isophotes.sma[1:] * isophotes.sma[:-1])
    index = np.searchsorted(middle, radius).astype(np.int32)
    index[radius > 1.1 * isophotes.sma[-1]] = -1
    return {"index": [index], "shape": [[rows, columns]], "window": [list(_window(image, field))]}
