"""Mocks drawn by GalSim: their truth is the galaxy's own, and they are shards that `evaluate` can read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.data.shards import find_shards, read_manifest, read_shards, verify_checksums

galsim = pytest.importorskip("galsim")
SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "galsim_mocks.py"


@pytest.fixture
def mocks(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return pytest.importorskip("galsim_mocks")


@pytest.mark.parametrize(("n", "q", "mag"), [(1.0, 0.6, 14.0), (4.0, 0.7, 14.0), (6.0, 0.9, 13.0)])
def test_profile_of_a_lone_galaxy_is_the_analytic_one(mocks, n, q, mag):
    """A model would be compared with a truth that is not the galaxy's."""
    from galsim_truth import true_profile

    scene = mocks.Scene(mocks.SURVEYS["sdss"], seed=5, index=0)
    scene.psf = galsim.Moffat(beta=4.5, fwhm=0.9)
    pa = 40.0 * galsim.degrees
    galaxy = scene.sersic(scene.flux(mag), n, 8.0, q, pa)
    x0, y0 = scene.middle + 0.7, scene.middle - 1.2
    sma, intensity, ellipticity, angle, extent = true_profile(
        scene.draw([galaxy], x0, y0), x0, y0, scene.noise, "project"
    )
    outside = (sma * scene.survey.scale > 8.0) & (sma <= extent)  # nine FWHM
    assert outside.sum() > 10
    on_axis = [galaxy.xValue(a * np.cos(pa), a * np.sin(pa)) for a in sma[outside] * scene.survey.scale]
    expected = np.array(on_axis) * scene.survey.scale**2
    assert np.abs(2.5 * np.log10(intensity[outside] / expected)).max() < 0.01
    assert np.abs(1.0 - ellipticity[outside] - q).max() < 0.01
    assert np.abs(angle[outside] - 40.0).max() < 1.0


def test_shards_can_be_read_and_made_again(tmp_path):
    """The figures in the docs couldn't be had again."""
    for folder in ("one", "again"):
        command = [sys.executable, SCRIPT, "--count", "2", "--seed", "5", "--output", tmp_path / folder]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    galaxies = list(read_shards(find_shards(tmp_path / "one", "test")))
    assert len(galaxies) == 2
    assert not verify_checksums(tmp_path / "one")
    assert read_manifest(tmp_path / "one").shards == read_manifest(tmp_path / "again").shards
    for galaxy in galaxies:
        assert galaxy.image.shape == (256, 256)
        assert np.isfinite(galaxy.image).all()
        assert galaxy.extent > 5.0 * galaxy.pixel_scale
        assert np.hypot(galaxy.x0 - 127.5, galaxy.y0 - 127.5) < 6.0


def test_galaxies_are_put_into_frames(mocks):
    """Galaxies in real frames would have another brightness than their labels."""
    frame = np.random.default_rng(1).normal(0.0, 0.025, (300, 400))
    galaxy = mocks.make_galaxy("sdss", 5, 1, [("r", frame, 900.0)])
    assert galaxy.band == "r"
    assert galaxy.noise == pytest.approx(0.025, rel=0.1)
    y, x = np.mgrid[:256, :256]
    near = np.hypot(x - galaxy.x0, y - galaxy.y0) < 2.0
    inner = galaxy.mu[np.argmin(np.abs(galaxy.sma - 1.4 * galaxy.pixel_scale))]
    measured = 22.5 - 2.5 * np.log10(galaxy.image[near].mean() / galaxy.pixel_scale**2)
    assert measured == pytest.approx(inner, abs=0.3)
