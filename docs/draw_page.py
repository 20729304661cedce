"""Take the documentation's pictures of the page that `view` serves: python docs/draw_page.py [--real FOLDER].

Needs Chromium and Playwright for Python. Also says how long a user waits, in seconds of the wall clock.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from PIL import Image

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
COLOURS = 255
WAIT = 600_000
"""Milliseconds that the script waits at most."""


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Address of a page."""
    command = [sys.executable, "-m", "p2p_keras.view", *arguments, "--no-browser"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    address = re.search(r"the page is at (\S+)", process.stderr.readline())
    assert address
    try:
        yield address[1]
    finally:
        process.terminate()


def take(page: Any, name: str, *, height: int) -> None:
    """Take a picture of a page's upper part, in few colours."""
    path = IMAGES / name
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    page.screenshot(path=path, clip={"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height})
    picture = Image.open(path).convert("RGB")
    picture = picture.resize((1200, round(1200 * picture.height / picture.width)), Image.Resampling.LANCZOS)
    # The method that keeps greys grey and rare colours alive.
    picture = picture.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
    click.echo(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", err=True)


def point_at(page: Any, x: float, y: float) -> None:
    """Move the pointer to a place of the image, in parts of its width and height, until its ellipse lights up."""
    page.evaluate("scrollTo(0, 0)")
    words = page.get_by_text("μ = ")
    for _ in range(60):
        box = page.locator(".bk-Canvas").first.bounding_box()
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(500)
        if words.count():
            return
        page.mouse.move(box["x"] + 5, box["y"] + 5)


def bands_of(image: Path) -> dict[str, Path]:
    """Files of the same galaxy, ``NAME-BAND.fits``, from blue to red."""
    name = image.name.rpartition("-")[0]
    return {band: path for band in "griz" if (path := image.with_name(f"{name}-{band}.fits")).exists()}


def measure_pictures(browser: Any, image: Path) -> None:
    """Pictures of the page to measure on."""
    start = time.perf_counter()
    with served(str(image)) as address:
        page = browser.new_page(viewport={"width": 1500, "height": 1300})
        page.set_default_timeout(WAIT)
        page.goto(address)
        page.get_by_text("total magnitude").wait_for()
        click.echo(f"from the command to the first profile: {time.perf_counter() - start:.1f} s", err=True)
        point_at(page, 0.62, 0.55)
        take(page, "view-measure.png", height=920)
        box = page.locator(".bk-Canvas").first.bounding_box()
        start = time.perf_counter()
        page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        page.get_by_text("--x ").wait_for()
        click.echo(f"from a click to the new profile: {time.perf_counter() - start:.2f} s", err=True)

        files = bands_of(image)
        if len(files) > 1:
            page.get_by_text("more", exact=True).click()
            typed = page.locator(".option-forced input")
            typed.fill(" ".join(f"{band}={path.name}" for band, path in files.items()))
            page.keyboard.press("Enter")
            page.get_by_text("--forced").wait_for()
            page.locator(".check-align input").check()
            page.get_by_text("--align").wait_for()
            page.get_by_text("more", exact=True).click()
            point_at(page, 0.62, 0.55)
            take(page, "view-bands.png", height=1000)
            page.get_by_text("more", exact=True).click()
            typed.fill("")
            page.keyboard.press("Enter")
            page.get_by_text("--forced").wait_for(state="detached")
            page.get_by_text("more", exact=True).click()
        page.locator(".check-attention input").check()
        page.wait_for_function(
            """() => { for (const m of Bokeh.documents[0].all_models) {
            if (m.name === "attention-every") { return m.data.x.length > 0; } } }""",
            timeout=WAIT,
        )
        point_at(page, 0.75, 0.5)
        take(page, "view-attention.png", height=920)


def judge_pictures(browser: Any, mocks: Path) -> None:
    """Picture of the page to judge by, of a folder of galaxies."""
    table = mocks.with_name("run.fits")
    words = [sys.executable, "-m", "p2p_keras.predict", str(mocks), "--output", str(table), "--quiet"]
    subprocess.run(words, check=True)
    with served(str(table)) as address:
        page = browser.new_page(viewport={"width": 1500, "height": 1300})
        page.set_default_timeout(WAIT)
        page.goto(address)
        page.locator(".galaxy svg image").nth(11).wait_for()
        for key in "gggb":
            page.keyboard.press(key)
        page.get_by_text("4 judged").wait_for()
        take(page, "view-judge.png", height=1000)


@click.command()
@click.option("--real", type=click.Path(path_type=Path, exists=True), help="Folder of real galaxies, for the pictures.")
@click.option("--only", type=click.Choice(["measure", "judge"]), help="Only the pictures of one page.")
def main(real: Path | None, only: str | None) -> None:
    """Take the pictures."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        mocks = Path(folder) / "mocks"
        mocks.mkdir()
        for number in (1, 2, 3, 4, 5, 7, 9, 12, 13, 16, 20, 23) if real is None or only != "measure" else ():
            mock = [
                sys.executable,
                str(DOCS.parent / "examples" / "mock_galaxy.py"),
                str(mocks / f"galaxy-{number:02}.fits"),
            ]
            subprocess.run([*mock, "--number", str(number)], check=True, stdout=subprocess.DEVNULL)
        if only != "judge":
            measure_pictures(browser, mocks / "galaxy-23.fits" if real is None else min(real.glob("spiral*-r.fits")))
        if only != "measure":
            judge_pictures(browser, mocks)
        browser.close()


if __name__ == "__main__":
    main()
