"""The page to measure on: an image, what was read of it, its profile, and what can be taken away."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import panel as pn
from bokeh.events import MouseMove, Tap
from bokeh.models import CustomJS

from p2p_keras.core.atomic_files import safe_name
from p2p_keras.core.errors import P2PError
from p2p_keras.page.assets import asset
from p2p_keras.page.measuring.downloads import ENDINGS, download, file_name
from p2p_keras.page.measuring.drawn_mask import Drawn
from p2p_keras.page.measuring.layers import LAYERS, layer_of
from p2p_keras.page.measuring.measurement import Measurement, Models, measure
from p2p_keras.page.measuring.numbers import numbers_html, read_html
from p2p_keras.page.measuring.profile_plots import ProfilePlots
from p2p_keras.page.measuring.request import Request, options_of_text
from p2p_keras.page.measuring.sky_image import STRETCHES, SkyImage, Stretch
from p2p_keras.page.places import Places
from p2p_keras.page.style import COLOUR_MAPS
from p2p_keras.page.widgets import MAX_UPLOAD, Acts, Dropper, column, html

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

_TEXTS = {
    "zero_point": "zero point [AB mag]",
    "pixel_scale": "pixel scale [arcsec]",
    "band": "band",
    "hdu": "HDU",
    "plane": "plane of a cube",
    "x": "target x [px of the file]",
    "y": "target y [px of the file]",
    "size": "size of the cutout [px]",
    "sky": "sky: level, or unknown",
    "fixed": "one ellipse: X0,Y0,E,PA",
}
_DOWNLOADS = {
    "ecsv": "ECSV",
    "fits": "FITS",
    "csv": "CSV",
    "prof": ".prof",
    "figure": "figure, PDF",
    "ellipses": "ellipses, DS9",
    "mask": "what was ignored, DS9",
    "model": "model and residual",
}


class MeasurePage:
    """One user's page; nothing of it is shared with another session but the models.

    Parameters
    ----------
    places : Places
        What may be opened.
    models : Models
    images : sequence of path
        Files to choose from, the first one is opened.
    """

    def __init__(self, places: Places, models: Models, images: tuple[Path, ...] = ()) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="p2p-keras-view-")
        self.folder = Path(self._folder.name)
        self.own = Places([self.folder])
        self.places, self.models, self.images = places, models, images
        self.request = Request()
        self.found = Measurement(self.request)
        self.stretch = Stretch()
        self.sky_image, self.plots = SkyImage(), ProfilePlots()
        self._busy = False
        self.acts = Acts()
        self._make_widgets()
        self._link_pointer()

    def close(self) -> None:
        """Remove what was dropped on the page."""
        self._folder.cleanup()

    # ----- what the user does

    def open(self, text: str, options: Mapping[str, Any] | None = None) -> None:
        """Open a file by its path and measure."""
        try:
            path = self.places.path_of(text)
        except P2PError as error:
            self._say(str(error))
            return
        self._open_path(path, self.places.short_name(path), options)

    def show_profile(self, image: GalaxyImage, profile: QTable) -> None:
        """Show a profile that is there already, on its image."""
        on_disk = Path(image.source).is_file()
        self.request = Request(path=image.source if on_disk else "", shown=image.source)
        self.found = Measurement(self.request, image, image, profile)
        self._show()

    def dropped(self, name: str, content: bytes | str) -> None:
        """Take a file that was dropped on the page: an image, or a mask for the one that is shown."""
        kept = self.folder / (safe_name(Path(name).name) or "dropped.fits")
        kept.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        if kept.suffix.lower() == ".reg" or self.use_as_mask.value:
            self.request = replace(self.request, mask=str(kept))
            self.measure()
        else:
            self._open_path(kept, name)

    def set_options(self, **options: Any) -> None:
        """Change options of the request and measure anew."""
        self.request = replace(self.request, **options)
        self.measure(same_field=not {"hdu", "plane", "band"} & options.keys())

    def click(self, x: float, y: float) -> None:
        """Measure the galaxy at a pixel of the field that is shown."""
        field = self.found.field
        if field is None or not (-0.5 <= x < field.shape[1] - 0.5 and -0.5 <= y < field.shape[0] - 0.5):
            return
        if _inside_any(self.sky_image.masked.data, x, y) or _inside_any(self.sky_image.unmasked.data, x, y):
            return  # a region is chosen, to be deleted
        x_file, y_file = field.to_file(x, y)
        self.request = self.request.at(round(float(x_file), 1), round(float(y_file), 1))
        self.measure()

    # ----- what follows

    def _open_path(self, path: Path, shown: str, options: Mapping[str, Any] | None = None) -> None:
        self.request = replace(self.request.of_file(str(path), shown), **(options or {}))
        self.sky_image.forget()
        self.measure(same_field=False)

    def measure(self, *, same_field: bool = True) -> None:
        """Measure the request and show what comes of it."""
        if not self.request.path:
            return
        field = self.found.field if same_field and self.found.request.path == self.request.path else None
        drawn = Drawn()
        if field is not None:
            drawn = Drawn.on(field, self.sky_image.masked.data, self.sky_image.unmasked.data)
        self.found = measure(self.request, self.models, field, drawn=drawn, folder=self.folder)
        self._show()

    def _show(self) -> None:
        found = self.found
        self._busy = True  # what is set below mustn't measure again
        try:
            self._say(found.error)
            if found.profile is None and self.layer.value != LAYERS[0]:
                self.layer.value = LAYERS[0]
            self.sky_image.show(found, self.stretch, layer_of(self.layer.value, found))
            self.plots.show(found.profile)
            self.numbers.object = numbers_html(found)
            self.read.object = read_html(found)
            line = escape(found.request.command_line())
            self.line.object = f"<code class='line'>{line}</code>" if found.request.path else ""
            self.results.visible = found.profile is not None
            for key, widget in self.texts.items():
                value = getattr(self.request, key)
                widget.value = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
                widget.placeholder = _read_value(found, key)
            self.texts[found.missing or "band"].css_classes = ["missing"] if found.missing else []
            self.path.value = self.request.shown
            self.photometry.value = self.request.photometry
        finally:
            self._busy = False
        self._remember_in_link()

    def _say(self, sentence: str) -> None:
        self.error.object = f"<div class='error' role='alert'>{escape(sentence)}</div>" if sentence else ""
        self.error.visible = bool(sentence)

    def _remember_in_link(self) -> None:
        location = pn.state.location
        if location is None or not self.request.path:
            return
        on_disk = not self.own.holds(Path(self.request.path))
        location.update_query(**({"image": self.request.shown} | self.request.link() if on_disk else {}))

    # ----- how it is made

    def _make_widgets(self) -> None:
        self.error = html(visible=False)
        self.path = pn.widgets.TextInput(
            name="image", placeholder="path of a FITS file", styles={"flex": "2 1 180px"}, css_classes=["path"]
        )
        self._watch(self.path, lambda text: self.open(text) if text else None)
        self.choice = pn.widgets.Select(
            name="images",
            options={self.places.short_name(p): str(p) for p in self.images},
            styles={"flex": "1 1 140px"},
        )
        self._watch(self.choice, self.open)
        self.dropper = Dropper(multiple=False, layout="compact", styles={"flex": "2 1 200px"}, css_classes=["dropper"])
        self.dropper.refused = lambda name: self._say(f"{name}: larger than {MAX_UPLOAD >> 20} MB: open it by its path")
        self._watch(self.dropper, self._take_dropped)
        self.use_as_mask = pn.widgets.Checkbox(name="the dropped file is a mask")

        self.texts = {
            key: pn.widgets.TextInput(name=label, width=150, css_classes=[f"option-{key}"])
            for key, label in _TEXTS.items()
        }
        for key, widget in self.texts.items():
            self._watch(widget, lambda text, key=key: self._typed(key, text))
        self.photometry = pn.widgets.Checkbox(name="photometry along the ellipses, harmonics")
        self._watch(self.photometry, lambda on: self.set_options(photometry=on))
        self.model = pn.widgets.Select(
            name="model", options={name or "the shipped model": name for name in self.models.names}, width=150
        )
        self._watch(self.model, lambda name: self.set_options(model=name))

        self.layer = pn.widgets.RadioButtonGroup(options=list(LAYERS), value=LAYERS[0], button_type="default")
        self.kind = pn.widgets.Select(options=list(STRETCHES), value="asinh", width=90, align="center")
        self.colours = pn.widgets.Select(options=list(COLOUR_MAPS), width=150, align="center")
        self.limits = pn.widgets.RangeSlider(
            name="percentiles", start=0.0, end=100.0, step=0.1, value=self.stretch.percentiles, width=220
        )
        for widget, what in ((self.layer, "value"), (self.kind, "value"), (self.limits, "value_throttled")):
            self._watch(widget, lambda value: self._restretch(), what)
        self._watch(self.colours, self.sky_image.colours)
        self.middle = pn.widgets.Button(name="the middle galaxy", button_type="default")
        self.acts.on_click(self.middle, self._to_middle)
        self.clear = pn.widgets.Button(name="clear regions", button_type="default")
        self.acts.on_click(self.clear, self._clear_regions)

        self.numbers, self.read, self.line = html(), html(), html()
        self.buttons = {
            kind: pn.widgets.FileDownload(
                callback=lambda kind=kind: self._download(kind),
                filename=f"profile{ENDINGS[kind]}",
                label=label,
                button_type="default",
                auto=True,
                embed=False,
                css_classes=[f"download-{kind}"],
                margin=(2, 4, 2, 0),
            )
            for kind, label in _DOWNLOADS.items()
        }
        self.results = pn.Column(
            html("<h2>Take away</h2>"),
            pn.FlexBox(*self.buttons.values()),
            html("<h2>The same numbers from the command line</h2>"),
            self.line,
            sizing_mode="stretch_width",
            visible=False,
        )
        for source in (self.sky_image.masked, self.sky_image.unmasked):
            source.on_change("data", lambda attr, old, new: None if self._busy else self.measure())
        self.sky_image.figure.on_event(Tap, lambda event: self.click(event.x, event.y))

    def _watch(self, widget: Any, act: Callable[[Any], object], what: str = "value") -> None:
        """Do something when the user, not the page, changes a widget."""
        widget.param.watch(lambda event: None if self._busy else self.acts.do(lambda: act(event.new)), what)

    def _typed(self, key: str, text: str) -> None:
        try:
            value = options_of_text({key: text}).get(key)
        except P2PError as error:
            self._say(str(error))
            return
        if key in ("x", "y"):
            self.request = replace(self.request, ra=None, dec=None, **{key: value})
            if (self.request.x is None) == (self.request.y is None):
                self.measure()
            return
        self.set_options(**{key: value})

    def _take_dropped(self, files: Mapping[str, bytes | str]) -> None:
        for name, content in dict(files).items():
            self.dropped(name, content)
        if files:
            self.dropper.value = {}

    def _restretch(self) -> None:
        self.stretch = Stretch(self.kind.value, self.limits.value)
        if self.found.field is not None:
            self.sky_image.show_layer(self.found, self.stretch, layer_of(self.layer.value, self.found))

    def _to_middle(self) -> None:
        self.request = self.request.at(None, None)
        self.measure()

    def _clear_regions(self) -> None:
        self._busy = True
        try:
            self.sky_image.forget_regions()
        finally:
            self._busy = False
        self.request = replace(self.request, mask=None)
        self.measure()

    def _download(self, kind: str) -> io.BytesIO | None:
        image, profile = self.found.image, self.found.profile
        if image is None or profile is None:
            return None
        self.buttons[kind].filename = file_name(profile, kind)
        try:
            return io.BytesIO(download(image, profile, kind))
        except P2PError as error:
            self._say(str(error))
            return None

    def _link_pointer(self) -> None:
        view, plots = self.sky_image, self.plots
        sources = {
            "profile": plots.profile, "row": plots.row, "words": plots.words, "rings": view.rings, "lit": view.lit,
            "base": view.base, "map": view.map, "grid": view.grid, "sky": view.sky, "cursor": view.cursor,
        }  # fmt: skip
        code = asset("measuring/link.js")
        on_image = CustomJS(args=sources, code=code + "\nplace(cb_obj.x, cb_obj.y);")
        view.figure.js_on_event(MouseMove, on_image)
        on_profile = CustomJS(args=sources, code=code + "\nlight(nearest(cb_obj.x));")
        for figure in plots.figures.values():
            figure.js_on_event(MouseMove, on_profile)

    def layout(self) -> Any:
        """All of it, for a window of any width."""
        file_row = [self.choice] if len(self.images) > 1 else []
        looks = pn.FlexBox(self.layer, self.kind, self.colours, self.limits, align_items="end", gap="4px 10px")
        targets = pn.FlexBox(self.middle, self.clear, gap="4px 8px")
        form = pn.FlexBox(*self.texts.values(), *([self.model] if len(self.models.names) > 1 else []))
        left = column(
            pn.FlexBox(*file_row, self.path, self.dropper, align_items="end"), self.error, self.sky_image.figure, self.sky_image.cursor, looks, targets, width="520px"
        )
        middle = column(*self.plots.figures.values(), self.plots.words, width="430px")
        right = column(
            self.numbers,
            self.results,
            html("<h2>Read from the header, and what you know better</h2>"),
            self.read,
            form,
            self.photometry,
            self.use_as_mask,
            width="340px",
            grow=0.6,
        )
        return pn.FlexBox(left, middle, right, align_items="flex-start", sizing_mode="stretch_width")


def _inside_any(regions: Mapping[str, Any], x: float, y: float) -> bool:
    from matplotlib.path import Path as Outline

    pairs = zip(regions["xs"], regions["ys"], strict=True)
    return any(len(xs) > 2 and Outline(np.column_stack([xs, ys])).contains_point((x, y)) for xs, ys in pairs)


def _read_value(found: Measurement, key: str) -> str:
    """What the file says of an option, for the field's placeholder."""
    image = found.image
    if image is None:
        return "needed" if found.missing == key else ""
    value = {
        "zero_point": f"{image.zero_point:.4f}",
        "pixel_scale": f"{image.pixel_scale:.4g}",
        "band": image.band,
        "hdu": image.hdu,
        "x": "middle",
        "y": "middle",
    }.get(key, "")
    return str(value)
