"""A scratch folder as a reader of the documentation has it, and one load of the model for all pages."""

from __future__ import annotations

import bz2
import functools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.measure import backends

ROOT = Path(__file__).resolve().parents[2]
FRAME_POSITION = (150.1, 2.2)
"""Where the target of the frames is (RA, Dec in degrees): the position of the README's example."""


@pytest.fixture(scope="session")
def galaxy_files(made_once) -> Path:
    """A folder with galaxy.fits, g.fits, r.fits, i.fits and frames/*.fits.bz2 of one mock galaxy."""
    return made_once("documented-galaxies", _write_galaxies)


def _write_galaxies(folder: Path) -> None:
    from astropy.io import fits
    from astropy.wcs import WCS

    from p2p_keras.data.mocks.scene import simulate_galaxy

    (folder / "frames").mkdir()
    for band in "gri":
        galaxy = simulate_galaxy("sdss", seed=1, index=23, band=band)
        wcs = WCS(naxis=2)
        wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
        wcs.wcs.crval = FRAME_POSITION
        wcs.wcs.crpix = (galaxy.image.shape[1] + 1) / 2, (galaxy.image.shape[0] + 1) / 2
        wcs.wcs.cdelt = -galaxy.pixel_scale / 3600.0, galaxy.pixel_scale / 3600.0
        header = wcs.to_header()
        header["BUNIT"], header["FILTER"] = "nanomaggy", band
        path = folder / f"{band}.fits"
        fits.writeto(path, galaxy.image.astype(np.float32), header)
        (folder / "frames" / f"frame-{band}.fits.bz2").write_bytes(bz2.compress(path.read_bytes(), 1))
    (folder / "galaxy.fits").write_bytes((folder / "r.fits").read_bytes())


@functools.cache
def _load_once(path: str, options: tuple):
    return backends.load_backend(path, **dict(options))


@pytest.fixture
def shared_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each model is loaded once, however often a page loads it; the shipped one from its ONNX file, which starts in a
    second (``tests/serving`` holds it against the SavedModel). Only while a page runs: other tests load for themselves.
    """
    from p2p_keras.measure import predictor

    def load(model=None, **options):
        path = ROOT / "saved_models" / "isophote" / "model.onnx" if model is None else Path(model)
        return _load_once(str(path.resolve() if path.exists() else model), tuple(sorted(options.items())))

    monkeypatch.setattr(predictor, "load_backend", load)
    monkeypatch.setattr(backends, "begin_loading", lambda model=None, **options: functools.partial(load, model))


@pytest.fixture
def scratch(tmp_path: Path, galaxy_files: Path, shared_model: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a page: the clone's folders, and files of galaxies under the names that pages use."""
    import shutil

    shutil.copytree(galaxy_files, tmp_path, dirs_exist_ok=True)
    for name in ("benchmarks", "docs", "examples", "saved_models", "tfrecords"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "list.txt").write_text("g.fits\nr.fits\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.fixture(scope="session")
def server_address(request: pytest.FixtureRequest) -> str:
    """HOST:PORT of a model server that has the shipped model: the one that the environment names, else ours."""
    return os.environ.get("P2P_SERVING_ADDRESS") or request.getfixturevalue("shipped_server").address
