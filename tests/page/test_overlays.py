"""What the page lays over an image or beside a profile: the attention of a radius, other bands. Without a browser."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl

import numpy as np
import pytest
from click.testing import CliRunner

from p2p_keras.core.errors import UsageError
from p2p_keras.page.measuring.measure_page import MeasurePage
from p2p_keras.page.measuring.models import Models
from p2p_keras.page.places import Places

from .conftest import GALAXIES
from .served import CircleReader


@pytest.fixture(scope="module")
def models():
    models = Models((None,), threads=1)
    models.load(None)
    return models


def shown_at_last(page, what):
    """Wait for the thread that reads the attention."""
    for _ in range(1200):  # a busy machine takes its time
        if what():
            return
        time.sleep(0.05)
    pytest.fail(page.controls.attention_message.object)


def test_attention_lies_where_the_model_looked(images, models, monkeypatch):
    """The overlay would be of another radius, beside its pixels, or of the galaxy that was shown before."""
    monkeypatch.setattr(models, "attention", lambda name: CircleReader())
    page = MeasurePage(Places([images]), models)
    x, y = GALAXIES["two"]
    page.open("field.fits", {"x": x, "y": y, "size": 96})
    every = page.sky_image.attention.every
    assert every.data["x"] == []
    page.controls.attention.value = True
    shown_at_last(page, lambda: every.data["x"])
    sma = np.asarray(page.measurement.profile["sma"].value)
    assert len(every.data["x"]) == len(sma)
    k = int(np.abs(sma - 2.0).argmin())  # pixels are 0.4 arcsec
    cut = page.measurement.image
    middle = np.array(cut.to_file((cut.shape[1] - 1) / 2, (cut.shape[0] - 1) / 2))
    away = np.hypot(every.data["x"][k] - middle[0], every.data["y"][k] - middle[1])
    np.testing.assert_allclose(away, 5.0, rtol=1e-5)
    assert len(away) == 7  # a place of no weight isn't drawn
    assert every.data["alpha"][k].argmax() == 0
    assert every.data["side"][k] == pytest.approx(1.0)
    shown_at_last(page, lambda: len(page.sky_image.attention.shown.data["x"]) == 7)
    page.set_options(fixed=f"{x},{y},0.2,30")
    shown_at_last(page, lambda: every.data["x"] == [])
    shown_at_last(page, lambda: "no network measured" in page.controls.attention_message.object)
    page.set_options(fixed=None)
    shown_at_last(page, lambda: every.data["x"])
    page.controls.attention.value = False
    assert every.data["x"] == [] and not page.controls.attention_message.visible
    page.close()


def test_no_attention_is_one_sentence(images, models, monkeypatch):
    """A model without its Keras file, or an installation without TensorFlow, would leave a tick without an effect."""

    def refuse(name):
        raise UsageError("--attention needs the Keras file, and there is no <b>model.keras</b>")

    monkeypatch.setattr(models, "attention", refuse)
    page = MeasurePage(Places([images]), models)
    page.open("field.fits", {"x": 64.0, "y": 63.0})
    page.controls.attention.value = True
    shown_at_last(page, lambda: "&lt;b&gt;model.keras" in page.controls.attention_message.object)

    def lacking(name):
        raise ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow")

    monkeypatch.setattr(models, "attention", lacking)
    page.controls.attention.value = False
    page.controls.attention.value = True
    shown_at_last(page, lambda: "this needs TensorFlow" in page.controls.attention_message.object)
    page.close()


def test_bands_are_those_of_predict(bands, models, tmp_path, monkeypatch):
    """Colours on the page would be others than those of `predict --forced`, or its command line would fail."""
    from astropy.table import QTable

    from p2p_keras.cli import main

    page = MeasurePage(Places([bands]), models)
    page._typed("forced", "g=g.fits r=r.fits")
    assert (page.request.reference, page.request.band) == ("r", "r")
    assert "r.fits: no profile in the reference band" in page.measurement.error  # there is no galaxy in the middle
    page.click(*GALAXIES["two"])
    assert page.measurement.error == ""
    assert page.plots.figures["colour"].visible
    colour = np.asarray(page.plots.colours.data["ys"][0])
    assert page.plots.colours.data["band"] == ["g-r"]
    assert np.nanmedian(colour) == pytest.approx(-2.5 * np.log10(0.6), abs=0.05)
    assert page.plots.bands.data["band"] == ["g", "r"]

    assert "g-r = " in page.controls.numbers.object
    page.set_options(align=True)
    monkeypatch.chdir(bands)
    words = shlex.split(page.request.command_line(str(tmp_path / "out")))
    done = CliRunner().invoke(main, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for band in ("g", "r"):
        page.see_band(band)
        [written] = (tmp_path / "out").glob(f"*_{band}.ecsv")
        program, profile = QTable.read(written), page.measurement.profile
        assert page.request.shown == f"{band}.fits"
        colour = dict(zip(page.plots.bands.data["band"], page.plots.bands.data["color"], strict=True))[band]
        assert page.plots._mu[1].line_color == colour
        assert profile.meta["mag_total"] == pytest.approx(program.meta["mag_total"], abs=1e-6)
        np.testing.assert_allclose(profile["mu"].value, program["mu"].value, rtol=1e-6)

    link = page.request.link()  # a colleague's page, from the address alone
    other = MeasurePage(Places([bands]), models)
    from p2p_keras.page.measuring.request import options_of_text

    options = options_of_text(link)
    other.open_bands(options.pop("forced"), options)
    assert replace(other.request, own="") == replace(page.request, own="")
    page._typed("band", "z")
    assert "the bands are g, r" in page.controls.error.object
    page._typed("forced", "")
    assert page.request.path.endswith("r.fits") and not page.measurement.bands
    assert not page.plots.figures["colour"].visible
    assert "--forced" not in page.request.command_line()


def test_files_dropped_together_are_bands(bands, models):
    """Who drops the files of two bands would see the last of them alone, or an old file in the place of the new one."""
    page = MeasurePage(Places([bands]), models)
    content = {band: (bands / f"{band}.fits").read_bytes() for band in "gr"}
    files = {f"{band}.fits": content[band] for band in "rg"}
    for _ in range(2):  # as often as the page is told
        page._take_dropped(files)
    assert page.request.forced == "g=g.fits r=r.fits"
    assert (page.request.reference, page.controls.reference.value) == ("r", "r")
    assert all(page.own.holds(Path(path)) for _, path in page.request.band_files)
    page.click(*GALAXIES["two"])
    assert page.measurement.error == ""
    assert page.plots.colours.data["band"] == ["g-r"]
    assert "predict g=g.fits r=r.fits --forced" in page.request.command_line()
    page.together._last -= 10  # later
    page.dropped("one.fits", content["r"])
    assert page.request.forced is None
    page.dropped("other.fits", content["r"])
    assert "one.fits and other.fits are both r; type the bands" in page.controls.error.object
    assert page.request.shown == "other.fits"
    page.together._last -= 10
    page.dropped("mask.reg", "image\ncircle(100,100,5)\n")
    page.dropped("one.fits", content["r"])
    assert page.request.mask.endswith("mask.reg")
    page.close()


def test_noise_map_and_mask_can_be_named(bands, models):
    """The noise, which the page tells with its origin, could not be corrected; or any file could be read as a mask."""
    page = MeasurePage(Places([bands]), models)
    page.open("r.fits", {"x": 64.0, "y": 63.0})
    before = page.measurement.image
    page._typed("sigma", "sigma.fits")
    assert page.measurement.error == ""
    assert (before.noise_origin, page.measurement.image.noise_origin) != (before.noise_origin,) * 2
    assert f"--sigma {bands / 'sigma.fits'}" in page.request.command_line()
    page._typed("mask", "/etc/passwd")
    assert "no such file in the folders" in page.controls.error.object
    assert page.request.mask is None
    page._typed("sigma", "")
    assert page.request.sigma is None
    page.close()


def test_link_opens_the_same_view(bands, models):
    """A colleague would see another picture, or numbers without the noise map; or a link would open any file."""
    page = MeasurePage(Places([bands]), models)
    page._location = SimpleNamespace(query_params={}, search="")
    asked = {"x": "64", "y": "63", "sigma": "sigma.fits", "layer": "residual", "stretch": "log", "colours": "Viridis"}
    page.open_link(asked | {"limits": "1,99"}, "r.fits")
    assert page.stretch.percentiles == (1.0, 99.0)
    link = dict(parse_qsl(page._location.search[1:]))
    assert link == asked | {"image": "r.fits", "limits": "1,99"}
    other = MeasurePage(Places([bands]), models)
    other.open_link(link)
    assert replace(other.request, own="") == replace(page.request, own="")
    assert other.measurement.profile.meta["mag_total"] == page.measurement.profile.meta["mag_total"]
    assert other.sky_image.mapper.palette == page.sky_image.mapper.palette
    assert (other.stretch.kind, other.controls.layer.value) == ("log", "residual")
    other.open_link({"image": "r.fits", "sigma": "/etc/passwd", "layer": "<b>", "limits": "9,1"})
    assert other.request.sigma is None
    assert (other.controls.layer.value, other.controls.limits.value) == ("residual", (1.0, 99.0))
    page.close()
    other.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("g=g.fits", "two bands"),
        ("g.fits r.fits", "BAND=FILE"),
        ("g=g.fits r=../../../etc/passwd", "no such file in the folders"),
        ("g='g.fits r=r.fits", "No closing quotation"),
    ],
)
def test_wrong_bands_are_one_sentence(bands, models, text, words):
    """A slip in the field of bands would end in a traceback, or open any file of the machine."""
    page = MeasurePage(Places([bands]), models)
    page.open("r.fits", {"x": 64.0, "y": 63.0})
    page._typed("forced", text)
    assert words in page.controls.error.object
    assert page.measurement.profile is not None
    page.close()
