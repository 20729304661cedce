"""The widgets of the page to measure on, and where they stand."""

from __future__ import annotations

from typing import Any

import panel as pn

from p2p_keras.page.measuring.downloads import ENDINGS
from p2p_keras.page.measuring.layers import LAYERS
from p2p_keras.page.measuring.profile_plots import ProfilePlots
from p2p_keras.page.measuring.sky_image import STRETCHES, SkyImage
from p2p_keras.page.style import COLOUR_MAPS
from p2p_keras.page.widgets import Dropper, column, html

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
    "fixed": "one ellipse: X0,Y0,E,PA",
}
_DROP_HERE = (
    ".filepond--panel-root { background: #f3f6f9; border: 1.5px dashed #9aa4ae; }"
    ".filepond--drop-label, .filepond--drop-label label { font-size: 13px; min-height: 3.2em; }"
)
_SELDOM = ("plane", "sky", "size", "fixed")
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
            multiple=False, layout="compact", width=190, margin=(5, 0, 0, 0), styles={"flex": "1 1 190px"},
            css_classes=["dropper"], stylesheets=[_DROP_HERE],
        )  # fmt: skip
        self.use_as_mask = _check("the next file that is dropped is a mask (a .reg always is)", "as-mask")

        self.texts = {
            key: pn.widgets.TextInput(
                name=label, css_classes=[f"option-{key}"], styles={"flex": "1 1 130px"}, width=130, margin=(3, 8, 3, 0)
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
        self.middle = pn.widgets.Button(name="the middle galaxy", button_type="default", align="end")
        self.clear = pn.widgets.Button(name="clear regions", button_type="default", align="end")

        self.numbers, self.read, self.line = html(), html(), html()
        self.buttons = {
            kind: pn.widgets.FileDownload(
                filename=f"profile{ENDINGS[kind]}",
                callback=lambda: None,
                label=label,
                button_type="default",
                auto=True,
                embed=False,
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

    def layout(self, view: SkyImage, plots: ProfilePlots) -> Any:
        """All of it, for a window of any width."""
        files = [self.choice] if self.several_images else []
        seldom = [self.texts[key] for key in _SELDOM]
        often = [widget for widget in self.texts.values() if widget not in seldom]
        more = pn.Card(
            pn.FlexBox(*seldom, *([self.model] if self.several_models else [])),
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
            pn.FlexBox(self.middle, self.clear, gap="0 6px"),
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


def _check(words: str, name: str) -> pn.widgets.Checkbox:
    return pn.widgets.Checkbox(name=words, margin=(6, 0), css_classes=[f"check-{name}"])
