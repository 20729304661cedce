"""One server for all tests of the page, a browser, small images, and a table of 100,000 rows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("panel")

ROWS = 100_000
CHROMIUM = next(
    (executable for name in ("chromium", "chromium-browser", "google-chrome") if (executable := shutil.which(name))), ""
)
GALAXIES = {"one": (64.0, 63.0), "two": (170.0, 150.0)}
"""Where the galaxies of ``field.fits`` are, px."""


def field_pixels(noise: float = 0.02) -> np.ndarray:
    """Two exponential discs of different size on noise, and a star beside the first."""
    y, x = np.mgrid[:200, :240]
    pixels = noise * np.random.default_rng(3).normal(size=x.shape)
    for (x0, y0), scale, flux in zip(GALAXIES.values(), (6.0, 4.0), (10.0, 6.0), strict=True):
        pixels += flux * np.exp(-np.hypot(x - x0, (y - y0) / 0.7) / scale)
    return (pixels + 30.0 * np.exp(-((x - 88) ** 2 + (y - 63) ** 2) / 3.0)).astype(np.float32)


def write_fits(path: Path, pixels: np.ndarray, *, zero_point: bool = True, band: str = "r") -> Path:
    from astropy.io import fits
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [150.0, 2.0], [100.5, 100.5]
    wcs.wcs.cdelt = [-0.4 / 3600, 0.4 / 3600]
    header = wcs.to_header()
    header["FILTER"] = band
    header["BUNIT"] = "nanomaggy" if zero_point else "adu"
    fits.PrimaryHDU(pixels, header).writeto(path)
    return path


@pytest.fixture(scope="session")
def images(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A folder: ``field.fits``, ``adu.fits`` without a zero point, ``broken.fits``."""

    def fill(folder: Path) -> None:
        write_fits(folder / "field.fits", field_pixels())
        write_fits(folder / "adu.fits", field_pixels()[:128, :128], zero_point=False)
        (folder / "broken.fits").write_bytes((folder / "field.fits").read_bytes()[:7000])

    return made_once("page-images", fill)


@pytest.fixture(scope="session")
def bands(made_once: Callable[[str, Callable[[Path], object]], Path]) -> Path:
    """A folder: ``g.fits`` and ``r.fits``, of which g has six tenths of the light, and a noise map."""

    def fill(folder: Path) -> None:
        write_fits(folder / "r.fits", field_pixels())
        write_fits(folder / "g.fits", 0.6 * field_pixels(0.05), band="g")
        write_fits(folder / "sigma.fits", np.full_like(field_pixels(), 0.03))

    return made_once("page-bands", fill)


@pytest.fixture(scope="session")
def table(made_once: Callable[[str, Callable[[Path], object]], Path], images: Path) -> Path:
    """A summary of 100,000 galaxies, all of them on ``field.fits``."""

    def fill(folder: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        rng = np.random.default_rng(0)
        two = rng.random(ROWS) < 0.5
        x0, y0 = (np.where(two, GALAXIES["two"][i], GALAXIES["one"][i]) for i in (0, 1))
        columns = {
            "name": [f"gal-{i:06d}" for i in range(ROWS)],
            "band": ["r"] * ROWS,
            "mag_total": rng.uniform(14.0, 22.0, ROWS),
            "r50": rng.uniform(1.0, 30.0, ROWS),
            "quality": rng.integers(0, 2, ROWS),
            "p_bad": rng.beta(0.5, 5.0, ROWS),
            "flags": np.where(two, "near_edge low_snr", "").tolist(),
            "ra": rng.uniform(0.0, 360.0, ROWS),
            "dec": rng.uniform(-90.0, 90.0, ROWS),
            "x0": x0,
            "y0": y0,
            "extent": np.full(ROWS, 12.0),
            "pixel_scale": np.full(ROWS, 0.4),
            "zero_point": np.full(ROWS, 22.5),
            "source": [str(images / "field.fits")] * ROWS,
        }
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / "survey.parquet")

    return made_once("page-table", fill) / "survey.parquet"


class Server:
    """The program `view`, running.

    Attributes
    ----------
    address : str
    table : Path
    """

    galaxies = GALAXIES

    def __init__(self, address: str, table: Path) -> None:
        self.address, self.table = address, table

    def measure(self, image: str = "", **options: Any) -> str:
        """Address of the page to measure on."""
        from urllib.parse import urlencode

        return f"{self.address}measure?" + urlencode(({"image": image} if image else {}) | options)


@pytest.fixture(scope="session")
def server(table: Path, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``view TABLE IMAGES``: the table at the root of the address, the page to measure on below it."""
    folder = tmp_path_factory.mktemp("view")
    own = folder / table.name  # verdicts are written beside it
    os.link(table, own)
    program = str(Path(__file__).with_name("served.py"))
    command = [sys.executable, program, str(own), str(images), "--no-browser", "--threads", "1"]
    output = folder / "server.txt"
    with open(output, "w") as file:
        process = subprocess.Popen(command, stderr=file, stdout=file)
    try:
        for _ in range(600):
            if address := re.search(r"the page is at (\S+)", output.read_text()):
                break
            assert process.poll() is None, output.read_text()
            time.sleep(0.2)
        assert address, output.read_text()
        yield Server(address[1], own)
        assert "Traceback" not in output.read_text(), output.read_text()
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, by Playwright; ended with the module, since its event loop is in the way of asyncio's."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as tool:
        chromium = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Function of an address: a page of a user of its own. At the end no page may have had an error, or gone online."""
    contexts, wrong = [], []

    def open_one(address: str, *, width: int = 1500) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 1000}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(300_000)  # a machine may be busy
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        own = ("http://127.0.0.1", "http://localhost", "data:", "blob:")
        page.on("request", lambda asked: None if asked.url.startswith(own) else wrong.append(asked.url))
        page.goto(address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert wrong == []
