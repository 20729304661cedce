"""The widgets of the page to measure on, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import panel as pn

from p2p_keras.page.measuring.downloads import ENDINGS
from p2p_keras.page.measuring.measurement import LAYERS
from p2p_keras.page.measuring.numbers import numbers_html, read_html, read_value
from p2p_keras.page.measuring.profile_plots import ProfilePlots
from p2p_keras.page.measuring.request import FILES, Request
from p2p_keras.page.measuring.sky_image import STRETCHES, SkyImage
from p2p_keras.page.style import COLOUR_MAPS
from p2p_keras.page.widgets import BUTTON, Dropper, column, html

if TYPE_CHECKING:
    from p2p_keras.page.measuring.measurement import Measurement

__all__ = ["Controls"]

_TEXTS = {
    "zero_point": "zero point [AB mag]",
    "pixel_scale": "pixel scale [arcsec]",
    "band": "band",
    "hdu": "HDU",
    "plane": "plane of a cube",
    "x": "target x [px of the file]",
    "y": "target y [px of the file]",
    "sky": "sky: level, or unknown",
    "size": "size of the cutout [px]",
    "mask": "mask: a file",
    "sigma": "noise map, 1 sigma: a file",
    "fixed": "one ellipse: X0,Y0,E,PA",
    "forced": "bands along one's ellipses: g=A.fits r=B.fits",
}
_DROP_HERE = (
    ":host .filepond--root { background: #f3f6f9; outline: 1.5px dashed #9aa4ae; border-radius: 6px; }"
    ":host .filepond--root { max-height: 8.5em; }"  # of what was dropped before
    ".filepond--drop-label, .filepond--drop-label label { font-size: 13px; min-height: 3.2em; }"
)
_SELDOM = ("plane", "sky", "size", "fixed", "mask", "sigma")
_WIDE = ("forced",)
_DOWNLOADS = {
    "ecsv": "ECSV",
    "fits": "FITS",
    "csv": "CSV",
    "prof": ".prof",
    "figure": "figure, PDF",
    "ellipses": "ellipses, DS9",
    "mask": "what was ignored, DS9",
    "model": "model and residual",
    "given mask": "mask",
}


class Controls:
    """Widgets by what they are for; the page says what they do.

    Parameters
    ----------
    images : dict of str to str
        Names and paths of the files to choose from.
    models : tuple of str or None
    percentiles : (float, float)
    """

    def __init__(
        self, images: dict[str, str], models: tuple[str | None, ...], percentiles: tuple[float, float]
    ) -> None:
        self.error = html(visible=False)
        self.path = pn.widgets.TextInput(
            name="image",
            placeholder="path of a FITS file",
            width=180,
            styles={"flex": "1 1 180px"},
            css_classes=["path"],
        )
        self.choice = pn.widgets.Select(name="images", options=images, width=140, styles={"flex": "1 1 140px"})
        self.dropper = Dropper(
            multiple=True, layout="compact", width=190, margin=(5, 0, 0, 0), styles={"flex": "1 1 190px"},
            css_classes=["dropper"], stylesheets=[_DROP_HERE],
        )  # fmt: skip
        self.use_as_mask = _check("the next file that is dropped is a mask (a .reg always is)", "as-mask")

        self.texts = {
            key: pn.widgets.TextInput(
                name=label,
                css_classes=[f"option-{key}"],
                styles={"flex": "1 1 100%" if key in _WIDE else "1 1 130px"},
                width=130,
                margin=(3, 8, 3, 0),
            )
            for key, label in _TEXTS.items()
        }
        self.photometry = _check("photometry along the ellipses, harmonics", "photometry")
        self.hold = _check("hold these ellipses, whatever else changes", "hold")
        self.model = pn.widgets.Select(
            name="model", options={name or "the shipped model": name for name in models}, width=130
        )
        self.several_models, self.several_images = len(models) > 1, len(images) > 1

        self.layer = pn.widgets.RadioButtonGroup(
            options=list(LAYERS), value=LAYERS[0], button_type="default", align="end", css_classes=["layer"]
        )
        self.kind = pn.widgets.Select(name="stretch", options=list(STRETCHES), value=STRETCHES[0], width=80)
        self.colours = pn.widgets.Select(name="colours", options=list(COLOUR_MAPS), width=140)
        self.limits = pn.widgets.RangeSlider(
            name="percentiles", start=0.0, end=100.0, step=0.1, value=percentiles, width=190
        )
        self._first_look: dict[str, str] = {}
        self._first_look = self.look()
        self.middle = _button("the middle galaxy")
        self.attention = _check("attention: which pixels made the radius", "attention")
        self.attention_message = html(visible=False)
        self.band = pn.widgets.Select(name="band shown", width=110, css_classes=["band-shown"])
        self.reference = pn.widgets.Select(name="ellipses of", width=110, css_classes=["reference"])
        self.align = _check("register them by their light", "align")
        self.bands = pn.FlexBox(self.band, self.reference, self.align, gap="0 6px", align_items="end", visible=False)
        self.clear = _button("clear regions")

        self.numbers, self.read, self.line = html(), html(), html()
        self.buttons = {
            kind: pn.widgets.FileDownload(
                filename=f"profile{ENDINGS[kind]}",
                callback=lambda: None,
                label=label,
                button_type="default",
                auto=True,
                embed=False,
                stylesheets=[BUTTON],
                css_classes=[f"download-{kind.replace(' ', '-')}"],
                margin=(2, 4, 2, 0),
            )
            for kind, label in _DOWNLOADS.items()
        }
        self.results = pn.Column(
            html("<h2>Take away</h2>"),
            pn.FlexBox(*self.buttons.values()),
            html("<h2>The same numbers from the command line</h2>", margin=(10, 0, 4, 0)),
            self.line,
            sizing_mode="stretch_width",
            visible=False,
        )

    def look(self) -> dict[str, str]:
        """How the image is shown, as a link holds it; empty for the way in which a page begins."""
        low, high = self.limits.value
        chosen = {key: str(widget.value) for key, widget in self._looks().items()} | {"limits": f"{low:g},{high:g}"}
        return {key: value for key, value in chosen.items() if value != self._first_look.get(key)}

    def set_look(self, asked: Mapping[str, str]) -> None:
        """Take how a link shows the image; what can't be is left as it is."""
        for key, widget in self._looks().items():
            if asked.get(key) in widget.options:
                widget.value = asked[key]
        with suppress(ValueError):
            low, high = map(float, asked.get("limits", "").split(","))
            if 0.0 <= low < high <= 100.0:
                self.limits.value = (low, high)

    def _looks(self) -> dict[str, Any]:
        return {"layer": self.layer, "stretch": self.kind, "colours": self.colours}

    def show_measurement(self, measurement: Measurement) -> None:
        """Show numbers, what was read, and what can be taken away."""
        self.numbers.object, self.read.object = numbers_html(measurement), read_html(measurement)
        line = escape(measurement.request.command_line())
        self.line.object = f"<code class='line'>{line}</code>" if measurement.request.path else ""
        self.results.visible = measurement.profile is not None
        self.buttons["given mask"].visible = measurement.request.mask is not None
        self.buttons["given mask"].filename = Path(measurement.request.mask or "mask.fits").name

    def show_request(self, request: Request, measurement: Measurement) -> None:
        """Fill the fields with what was asked for; where nothing was, they say what was read."""
        for key, widget in self.texts.items():
            value = getattr(request, key)
            value = Path(value).name if key in FILES and value else value
            widget.value = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
            widget.placeholder = read_value(measurement, key)
        self.path.value = request.shown
        if request.path in self.choice.options.values():
            self.choice.value = request.path
        self.bands.visible = bool(request.band_files)
        if request.band_files:
            names = [band for band, _ in request.band_files]
            self.band.param.update(options=names, value=request.band)
            self.reference.param.update(options=[*names, "all"], value=request.reference)
        self.align.value, self.photometry.value = request.align, request.photometry
        self.hold.value = request.ellipses is not None

    def show_attention_message(self, sentence: str) -> None:
        """Say what becomes of the attention that was asked for."""
        self.attention_message.object = f"<p class='small'>{escape(sentence)}</p>" if sentence else ""
        self.attention_message.visible = bool(sentence)

    def layout(self, view: SkyImage, plots: ProfilePlots) -> Any:
        """All of it, for a window of any width."""
        files = [self.choice] if self.several_images else []
        seldom = [self.texts[key] for key in _SELDOM]
        wide = [self.texts[key] for key in _WIDE]
        often = [widget for widget in self.texts.values() if widget not in (*seldom, *wide)]
        more = pn.Card(
            pn.FlexBox(*seldom, *([self.model] if self.several_models else []), *wide),
            self.photometry,
            self.hold,
            self.use_as_mask,
            title="more",
            collapsed=True,
            sizing_mode="stretch_width",
            margin=(6, 0),
            css_classes=["more"],
        )
        left = column(
            pn.FlexBox(*files, self.path, self.dropper, align_items="end"),
            self.error,
            view.figure,
            view.cursor,
            pn.FlexBox(self.layer, self.kind, self.colours, self.limits, align_items="end", gap="0 6px"),
            self.bands,
            pn.FlexBox(self.middle, self.clear, self.attention, gap="0 10px", align_items="center"),
            self.attention_message,
            width="520px",
        )
        middle = column(*plots.figures.values(), plots.words, width="430px")
        right = column(
            self.numbers,
            html("<h2>Read from the file, and what you know better</h2>", margin=(10, 0, 4, 0)),
            self.read,
            pn.FlexBox(*often),
            more,
            self.results,
            width="340px",
            grow=0.6,
        )
        return pn.FlexBox(left, middle, right, align_items="flex-start", sizing_mode="stretch_width")


def _button(words: str) -> pn.widgets.Button:
    return pn.widgets.Button(name=words, button_type="default", align="end", stylesheets=[BUTTON])


def _check(words: str, name: str) -> pn.widgets.Checkbox:
    return pn.widgets.Checkbox(name=words, margin=(6, 0), css_classes=[f"check-{name}"])
