"""A small sky: three frames with galaxies on noise, a broken frame, and their catalogue."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray")
pytest.importorskip("cdshealpix")
pytest.importorskip("fsspec")

from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from p2p_keras.sky_survey.run import run_survey
from p2p_keras.sky_survey.settings import SurveySettings

sys.path.insert(0, str(Path(__file__).parent))

from inline_engine import InlineEngine

MODEL = str(Path(__file__).resolve().parents[2] / "saved_models" / "isophote" / "model.onnx")
SIDE = 420
STEP = 100
POINTINGS = {"east": (150.0, 2.0), "west": (149.96, 2.0), "south": (10.0, -60.0)}
"""The first two overlap."""


def wcs_at(ra: float, dec: float) -> WCS:
    """Of a frame of SIDE px with pixels of 0.4 arcsec, turned by 20 degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.crpix = [SIDE / 2 + 0.5] * 2
    wcs.wcs.crval = [ra, dec]
    c, s = 0.4 / 3600 * np.cos(np.deg2rad(20)), 0.4 / 3600 * np.sin(np.deg2rad(20))
    wcs.wcs.cd = [[-c, s], [s, c]]
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.radesys = "ICRS"
    return wcs


def galaxy(x: float, y: float, flux: float) -> np.ndarray:
    """An exponential disc of 4 px on a frame."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    radius = np.hypot(columns - x, (rows - y) / 0.7)
    return flux * np.exp(-radius / 4.0)


@dataclass(frozen=True)
class Sky:
    """Where things are, and the catalogue as a table."""

    folder: Path
    frames: Path
    catalogue: Path
    table: Table
    model: str = MODEL
    side: int = SIDE

    @staticmethod
    def wcs_of(pointing: str) -> WCS:
        """WCS of a frame."""
        return wcs_at(*POINTINGS[pointing])

    @staticmethod
    def centre_of(pointing: str) -> tuple[float, float]:
        """RA and Dec of a frame."""
        return POINTINGS[pointing]

    @staticmethod
    def result_of(output: Path) -> dict[str, bytes]:
        """All bytes of a result; reports tell times, survey.toml how the program was called: no part of it."""
        return {
            str(path.relative_to(output)): path.read_bytes()
            for path in sorted(output.rglob("*"))
            if path.is_file() and path.relative_to(output).parts[0] not in ("report", "survey.toml")
        }

    def settings(self, output: Path, **changes: object) -> SurveySettings:
        """Settings of a run with small parts and partitions, so that there are several of each."""
        plain = SurveySettings(
            catalogue=str(self.catalogue),
            images=str(self.frames),
            output=str(output),
            model=MODEL,
            rows_per_part=7,
            rows_per_partition=15,
            batch_size=4,
        )
        return replace(plain, **changes)


@pytest.fixture(scope="session")
def sky(made_once) -> Sky:
    """Frames ``east.fits``, ``west.fits``, ``south.fits.gz`` and the broken ``zz.fits`` with a catalogue of them."""
    folder = made_once("sky", _write_sky)
    return Sky(folder, folder / "frames", folder / "sky.parquet", Table.read(folder / "sky.parquet"))


def _write_sky(folder: Path) -> None:
    frames = folder / "frames"
    frames.mkdir()
    rng = np.random.default_rng(7)
    rows = []
    for name, (ra, dec) in POINTINGS.items():
        wcs = wcs_at(ra, dec)
        image = rng.normal(0.0, 0.02, (SIDE, SIDE))
        for i, x in enumerate(range(60, SIDE, STEP)):
            for j, y in enumerate(range(60, SIDE, STEP)):
                image += galaxy(x + 0.3, y - 0.2, 1.0 + 0.1 * (i + j))
                sky = wcs.pixel_to_world(x, y)
                rows.append((f"{name}-{i}{j}", sky.ra.deg, sky.dec.deg, 0.05 + 0.01 * i, 96 if i else 64))
        header = wcs.to_header()
        header["MAGZERO"], header["FILTER"] = 22.5, "r"
        ending = ".fits.gz" if name == "south" else ".fits"
        fits.writeto(frames / f"{name}{ending}", image.astype(np.float32), header)
    (frames / "zz.fits").write_bytes(b"SIMPLE  = junk")
    rows += [("lost", 200.0, 50.0, 0.1, 96), ("unplaced", np.nan, np.nan, 0.1, 96)]
    table = Table(rows=rows, names=["objid", "ra", "dec", "redshift", "size"])
    table.write(folder / "sky.parquet")


@pytest.fixture(scope="session")
def survey(sky: Sky, made_once) -> Path:
    """The unbroken result, made in this process or in that of another worker."""
    folder = made_once("survey", lambda folder: run_survey(sky.settings(folder / "result"), engine=InlineEngine()))
    return folder / "result"
