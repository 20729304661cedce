"""The page to measure on: an image, what was read of it, its profile, and what can be taken away."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import panel as pn
from bokeh.events import Tap

from p2p_keras.core.atomic_files import safe_name
from p2p_keras.core.errors import P2PError
from p2p_keras.page.measuring.attention_overlay import AttentionFollower
from p2p_keras.page.measuring.controls import Controls
from p2p_keras.page.measuring.downloads import download, file_name
from p2p_keras.page.measuring.drawn_mask import Drawn
from p2p_keras.page.measuring.dropped import Together, bands_of_files
from p2p_keras.page.measuring.measurement import LAYERS, Measurement, layer_of, measure
from p2p_keras.page.measuring.models import Models
from p2p_keras.page.measuring.profile_plots import ProfilePlots, link_pointer
from p2p_keras.page.measuring.request import FILES, Request, file_named, options_of_text
from p2p_keras.page.measuring.sky_image import SkyImage, Stretch
from p2p_keras.page.places import Places
from p2p_keras.page.widgets import MAX_UPLOAD, Acts
from p2p_keras.profile.tables.files import write_table

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["MeasurePage"]


class MeasurePage:
    """One user's page; nothing of it is shared with another session but the models.

    Parameters
    ----------
    places : Places
        What may be opened.
    models : Models
    images : sequence of path
        Files to choose from.
    """

    def __init__(self, places: Places, models: Models, images: tuple[Path, ...] = ()) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="p2p-keras-view-")
        self.folder = Path(self._folder.name).resolve()
        self.own = Places([self.folder])
        self.places, self.models = places, models
        self.request = Request(own=str(self.folder))
        self.measurement = Measurement(self.request)
        self.together = Together()
        self.stretch = Stretch()
        self.sky_image, self.plots = SkyImage(), ProfilePlots()
        names = {places.short_name(path): str(path) for path in images}
        self.controls = Controls(names, models.names, self.stretch.percentiles)
        self.acts = Acts()
        overlay, show_message = self.sky_image.attention, self.controls.show_attention_message
        self.attention = AttentionFollower(overlay, models, show_message, self.acts.do)
        self._location, self._busy = pn.state.location, False
        self._wire()
        link_pointer(self.sky_image, self.plots)

    def close(self) -> None:
        """Remove what was dropped on the page."""
        self._folder.cleanup()

    def layout(self) -> Any:
        """The page."""
        return self.controls.layout(self.sky_image, self.plots)

    # ----- what the user does

    def open(self, text: str, options: Mapping[str, Any] | None = None) -> None:
        """Open a file by its path and measure."""
        try:
            path = self.places.path_of(text)
        except P2PError as error:
            self._show_message(str(error))
            return
        self._open_path(path, self.places.short_name(path), options)

    def open_link(self, asked: Mapping[str, str], image: str = "") -> None:
        """Open what a link to the page asks for, or else an image."""
        asked = dict(asked)
        image = asked.pop("image", "") or image
        options: dict[str, Any] = {}
        with suppress(P2PError):  # a link that was mangled shows the file as it is
            options = options_of_text(asked)
            options |= {key: file_named(asked[key], self._file_of) for key in FILES if asked.get(key)}
        with self._quietly():
            self.controls.set_look(asked)
        self._take_look()
        if "forced" in options:
            self.open_bands(options.pop("forced"), options)
        elif image:
            self.open(image, {key: value for key, value in options.items() if key != "reference"})

    def open_bands(self, text: str, options: Mapping[str, Any] | None = None) -> None:
        """Measure several files, ``g=a.fits r=b.fits``, along the ellipses of one band; none: the image alone again."""
        if not text.strip():
            self._open_path(Path(self.request.path), self.request.shown)
            return
        try:
            self.request = self.request.of_bands(text, self._file_of, options or {})
        except P2PError as error:
            self._show_message(str(error))
            return
        self.sky_image.forget()
        self.measure(same_field=False)

    def see_band(self, band: str) -> None:
        """Show another of the bands that were measured."""
        files = dict(self.request.band_files)
        if band not in files:
            self._show_message(f"{band}: the bands are {', '.join(files)}")
            return
        self.request = replace(self.request, path=files[band], shown=self.request.shown_bands()[band], band=band)
        self.measure(same_field=False)

    def _file_of(self, text: str) -> Path:
        """A file that was dropped, or one of the page's folders."""
        dropped = self.folder / (safe_name(text) or "_")
        if Path(text).name == text and dropped.is_file():
            return dropped
        return self.places.path_of(text)

    def show_profile(self, image: GalaxyImage, profile: QTable) -> None:
        """Show a profile that is there already, on its image."""
        on_disk = Path(image.source).is_file()
        self.request = Request(path=image.source if on_disk else "", shown=image.source, own=str(self.folder))
        self.measurement = Measurement(self.request, image, image, profile)
        self._show()

    def dropped(self, name: str, content: bytes | str) -> None:
        """Take a file that was dropped: an image, a mask for the one that is shown, or one of several bands."""
        self.together.comes()
        kept = self.folder / (safe_name(Path(name).name) or "dropped.fits")
        kept.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        if kept.suffix.lower() == ".reg" or self.controls.use_as_mask.value:
            self.together.mask = str(kept)
            self.set_options(mask=str(kept))
        else:
            self.together.images[name] = kept
            self._measure_together(name)
        self.together.done()

    def _measure_together(self, name: str) -> None:
        """Measure what was dropped, if it is several bands along the ellipses of one."""
        images, sentence = self.together.images, ""
        mask = {"mask": self.together.mask} if self.together.mask else {}
        if len(images) > 1:
            self.request = replace(self.request, reference=None)  # the one that two of three files had
            try:
                return self.open_bands(bands_of_files(images), mask)
            except P2PError as error:
                sentence = str(error)
        self._open_path(images[name], name, mask)
        self._show_message(sentence or self.measurement.error)

    def set_options(self, **options: Any) -> None:
        """Change options of the request and measure anew."""
        self.request = replace(self.request, **options)
        self.measure(same_field=not {"hdu", "plane", "band"} & options.keys())

    def click(self, x: float, y: float) -> None:
        """Measure the galaxy at a pixel of the field that is shown."""
        field = self.measurement.field
        if field is None or not (-0.5 <= x < field.shape[1] - 0.5 and -0.5 <= y < field.shape[0] - 0.5):
            return
        if self.sky_image.has_region_at(x, y):
            return  # a region is chosen, to be deleted
        x_file, y_file = field.to_file(x, y)
        self.request = self.request.at(round(float(x_file), 1), round(float(y_file), 1))
        self.measure()

    def to_middle(self) -> None:
        """Measure the galaxy in the middle of the file again."""
        self.request = self.request.at(None, None)
        self.measure()

    def clear_regions(self) -> None:
        """Forget the regions that were drawn, and a mask that was dropped."""
        with self._quietly():
            self.sky_image.forget_regions()
        self.set_options(mask=None)

    def hold(self, on: bool) -> None:
        """Go on measuring along the ellipses of the present profile, or free them again."""
        profile = self.measurement.profile
        if on and profile is not None and len(profile):
            path = self.folder / file_name(profile, "ecsv")
            write_table(profile, path, "ecsv")
            self.set_options(ellipses=str(path))
        else:
            self.set_options(ellipses=None)

    # ----- what follows

    def _open_path(self, path: Path, shown: str, options: Mapping[str, Any] | None = None) -> None:
        self.request = replace(self.request.of_file(str(path), shown), **(options or {}))
        self.sky_image.forget()
        self.measure(same_field=False)

    def measure(self, *, same_field: bool = True) -> None:
        """Measure the request and show what comes of it."""
        if not self.request.path:
            return
        field = self.measurement.field if same_field and self.measurement.request.path == self.request.path else None
        drawn = Drawn()
        if field is not None:
            drawn = Drawn.on(field, self.sky_image.masked.data, self.sky_image.unmasked.data)
        self.measurement = measure(self.request, self.models, field, drawn=drawn, folder=self.folder)
        self._show()

    def _show(self) -> None:
        measurement, controls = self.measurement, self.controls
        with self._quietly(), self.acts.at_once():
            self._show_message(measurement.error)
            if measurement.profile is None:
                controls.layer.value = LAYERS[0]
            self.sky_image.show(measurement, self.stretch, layer_of(controls.layer.value, measurement))
            self.plots.show(measurement.profile, measurement.bands)
            controls.show_measurement(measurement)
            controls.show_request(self.request, measurement)
        self._remember_in_link()
        self._follow_attention()

    def _follow_attention(self) -> None:
        """Show the attention of what is measured, where it is asked for."""
        self.attention.follow(self.measurement if self.controls.attention.value else None)

    def _show_message(self, sentence: str) -> None:
        self.controls.error.object = f"<div class='error' role='alert'>{escape(sentence)}</div>" if sentence else ""
        self.controls.error.visible = bool(sentence)

    def _remember_in_link(self) -> None:
        location = self._location
        if location is None or not self.request.path:
            return
        on_disk = not any(self.own.holds(Path(path)) for path in self.request.images())
        asked = self.request.link(self.places.short_name) | self.controls.look() if on_disk else {}
        kept = {key: value for key, value in location.query_params.items() if key == "token"}
        location.search = "?" + urlencode(kept | asked) if kept | asked else ""

    def _download(self, kind: str) -> io.BytesIO | None:
        image, profile, mask = self.measurement.image, self.measurement.profile, self.measurement.request.mask
        try:
            if kind == "given mask":
                return None if mask is None else io.BytesIO(Path(mask).read_bytes())
            if image is not None and profile is not None:
                self.controls.buttons[kind].filename = file_name(profile, kind)
                return io.BytesIO(download(image, profile, kind))
        except P2PError as error:
            self._show_message(str(error))
        return None

    # ----- how it hangs together

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        """Within, what the page sets on itself measures nothing."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _watch(self, widget: Any, act: Callable[[Any], object], what: str = "value") -> None:
        """Do something when the user, not the page, changes a widget."""
        widget.param.watch(lambda event: None if self._busy else self.acts.do(lambda: act(event.new)), what)

    def _wire(self) -> None:
        controls = self.controls
        self._watch(controls.path, lambda text: self.open(text) if text else None)
        self._watch(controls.choice, self.open)
        self._watch(controls.dropper, self._take_dropped)
        too_large = f"larger than {MAX_UPLOAD >> 20} MB; open it by its path"
        controls.dropper.when_refused(lambda name: self._show_message(f"{name}: {too_large}"))
        for key, widget in controls.texts.items():
            self._watch(widget, partial(self._typed, key))
        self._watch(controls.photometry, lambda on: self.set_options(photometry=on))
        self._watch(controls.hold, self.hold)
        self._watch(controls.attention, lambda on: self._follow_attention())
        self._watch(controls.band, self.see_band)
        self._watch(controls.align, lambda on: self.set_options(align=on))
        self._watch(controls.reference, lambda band: self.set_options(reference=band))
        self._watch(controls.model, lambda name: self.set_options(model=name))
        self._watch(controls.layer, lambda name: self._restretch())
        self._watch(controls.kind, lambda kind: self._restretch())
        self._watch(controls.limits, lambda limits: self._restretch(), "value_throttled")
        self._watch(controls.colours, lambda name: self._recolour())
        self.acts.on_click(controls.middle, self.to_middle)
        self.acts.on_click(controls.clear, self.clear_regions)
        for kind, button in controls.buttons.items():
            button.callback = partial(self._download, kind)
        for source in (self.sky_image.masked, self.sky_image.unmasked):
            source.on_change("data", lambda attr, old, new: None if self._busy else self.measure())
        self.sky_image.figure.on_event(Tap, lambda event: self.click(event.x, event.y))

    def _typed(self, key: str, text: str) -> None:
        if key == "forced":
            self.open_bands(text)
            return
        try:
            value: Any = file_named(text, self._file_of) if key in FILES else options_of_text({key: text}).get(key)
        except P2PError as error:
            self._show_message(str(error))
            return
        if key == "band" and self.request.band_files:
            self.see_band(str(value))
            return
        if key not in ("x", "y"):
            self.set_options(**{key: value})
            return
        x, y = (value, self.request.y) if key == "x" else (self.request.x, value)
        self.request = self.request.at(x, y)
        if (self.request.x is None) == (self.request.y is None):
            self.measure()

    def _take_dropped(self, files: dict[str, bytes | str]) -> None:
        while files:  # of files that come in one moment the page is told twice
            self.dropped(*files.popitem())

    def _take_look(self) -> None:
        """Take stretch, limits and colours as the widgets have them."""
        self.stretch = Stretch(self.controls.kind.value, self.controls.limits.value)
        self.sky_image.colours(self.controls.colours.value)

    def _recolour(self) -> None:
        self._take_look()
        self._remember_in_link()

    def _restretch(self) -> None:
        self._recolour()
        if self.measurement.field is not None:
            layer = layer_of(self.controls.layer.value, self.measurement)
            self.sky_image.show_layer(self.measurement, self.stretch, layer)
