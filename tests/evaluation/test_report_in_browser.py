"""The HTML report in a browser: no error in its console, every picture shown, nothing fetched, nothing cut off."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.evaluation import Evaluation, compare_with_truth, summarise_evaluation
from p2p_keras.evaluation.drawings import DrawnGalaxy, measured_profile
from p2p_keras.evaluation.html import write_report
from p2p_keras.evaluation.run import image_of_label

CHROMIUM = next(
    (browser for name in ("chromium", "chromium-browser", "google-chrome") if (browser := shutil.which(name))), ""
)

PROBE = """
<script>
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(each => each.open = true);
  const pictures = [...document.images];
  const found = {
    pictures: pictures.length,
    shown: pictures.filter(each => each.naturalWidth > 50 && each.getBoundingClientRect().width > 100).length,
    width: document.documentElement.scrollWidth,
    window: innerWidth,
  };
  parent.postMessage(JSON.stringify(found), "*");
});
</script>
"""


def label_of(seed: int, band: str) -> LabelledGalaxy:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64] - 31.5
    pixels = 5.0 * np.exp(-np.hypot(x, y) / 5) + rng.normal(0, 0.02, x.shape)
    sma = np.geomspace(0.5, 25, 30)
    mu = 22.5 - 2.5 * np.log10(5.0 * np.exp(-sma / 5) / 0.4**2)
    fill = np.ones(30)
    return LabelledGalaxy(
        f"mock <{seed}> & co", band, pixels.astype(np.float32), 22.5, 0.4, sma * 0.4, mu, 0.1 * fill, 30 * fill,
        x0=31.5, y0=31.5, extent=8.0, mag_total=15.0, noise=0.02, sky=0.0,
    )  # fmt: skip


def outputs_of(label: LabelledGalaxy, rng: np.random.Generator, *, last: int = 24) -> dict:
    return {
        "sma": label.sma, "mu": label.mu + rng.normal(0, 0.05, 30), "mu_err": np.full(30, 0.05),
        "ellipticity": label.ellipticity, "pa": label.pa, "growth": 18.0 - label.sma / 4,
        "valid": np.arange(30) <= last, "x0": 31.0, "y0": 31.5, "extent": 7.0, "mag_total": 15.1, "sky": 0.0,
    }  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """A report of two models on six galaxies, one of which the second can't measure."""
    rng = np.random.default_rng(0)
    labels = [label_of(seed, "gri"[seed % 3]) for seed in range(6)]
    one = Evaluation("isophote 1", [compare_with_truth(label, outputs_of(label, rng)) for label in labels], 0.1)
    other = Evaluation("a model of a rather long name 12", [replace(r) for r in one.results], 3.0)
    other.results[2] = compare_with_truth(labels[2], outputs_of(labels[2], rng, last=-1))
    evaluations = [one, other]
    drawn = {}
    for place in (0, 2):
        image = image_of_label(labels[place])
        profiles = {e.model: measured_profile(e.results[place], image) for e in evaluations}
        drawn[place] = DrawnGalaxy(image, labels[place], profiles)
    summaries = [summarise_evaluation(e) for e in evaluations]
    path = tmp_path_factory.mktemp("report") / "report.html"
    about = {"data": "mocks <test>", "split": "test"}
    return write_report(evaluations, summaries, drawn, path, examples=[0], worst=3, about=about)


def test_report_needs_nothing_else(report):
    """A report that is mailed to a colleague would come without its pictures, or call home."""
    text = report.read_text(encoding="utf-8")
    page = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "data:", text)
    assert not re.search(r"https?://|//[a-z]|<script|<link(?! rel=\"icon\" href=\"data:,\")|@import|url\(", page)
    assert "mock &lt;2&gt; &amp; co" in page
    assert "mock <2>" not in page


def test_figures_are_in_the_report(report):
    """A table of the report would lack a model, a band or a tenth."""
    text = report.read_text(encoding="utf-8")
    for words in ("isophote 1", "a model of a rather long name 12", "by signal-to-noise", "no radius is valid", "0.34"):
        assert words in text
    assert text.count("<img ") >= 10


def browse(page: Path, *options: str, folder: Path) -> subprocess.CompletedProcess:
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder}", "--enable-logging=stderr", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=240)


@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here")
def test_console_is_quiet_and_picture_not_blank(report, tmp_path):
    """A reader would see an empty page, or an error in the browser's console."""
    from PIL import Image

    picture = tmp_path / "report.png"
    done = browse(report, "--window-size=1400,1600", f"--screenshot={picture}", folder=tmp_path / "browser")
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line for line in done.stderr.splitlines() if ":CONSOLE" in line] == []
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert 0.02 < np.mean(pixels < 200) < 0.5


@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here")
@pytest.mark.parametrize("width", [1400, 420])
def test_pictures_are_shown_on_every_window(report, width, tmp_path):
    """Pictures would be broken, or the page be wider than a telephone's window."""
    # The probe is a script, which the report's own policy forbids; a frame has any width, a window has a least one.
    text = re.sub(r"<meta http-equiv=[^>]*>", "", report.read_text(encoding="utf-8"))
    probed = tmp_path / "probed.html"
    probed.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    listen = "<script>addEventListener('message', event => { document.title = event.data; });</script>"
    size = f"width='{width}' height='3000' style='border:0'"
    frame = tmp_path / "frame.html"
    frame.write_text(f"<title>none</title>{listen}<iframe {size} src='probed.html'></iframe>", encoding="utf-8")
    options = ("--window-size=1600,3000", "--virtual-time-budget=20000", "--dump-dom")
    done = browse(frame, *options, folder=tmp_path / "browser")
    title = re.search(r"<title>({.*?})</title>", done.stdout)
    assert title, done.stdout[-500:] + done.stderr[-2000:]
    widths = json.loads(title[1])
    assert widths["window"] == width
    assert widths["shown"] == widths["pictures"] >= 10
    assert widths["width"] <= width
