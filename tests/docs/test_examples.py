"""The examples that the documentation shows: they run on mock galaxies, tell the truth and draw what they promise."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
from astropy.io import fits

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(monkeypatch, capsys, scratch):
    """Run an example in the scratch folder; returns what it prints."""

    def example(name: str, *arguments: str) -> str:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
        return capsys.readouterr().out

    return example


def test_one_galaxy_measured_and_drawn(run, scratch):
    """The tutorial's galaxy would be measured wrongly, or its figure not be there."""
    run("mock_galaxy.py", "mock.fits")
    truth = fits.getheader("mock.fits")["TRUEMAG"]
    printed = run("measure_and_plot.py", "mock.fits", "figure.pdf")
    measured = float(re.search(r"(\d+\.\d+) mag", printed)[1])
    assert measured == pytest.approx(truth, abs=0.15)
    assert "quality 0" in printed
    assert (scratch / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_mocks_compared_with_their_truth(run, scratch):
    """The figure that shows how honest the uncertainties are would be empty or show something else."""
    printed = run("compare_with_truth.py", "figure.png", "12")
    median, inside = (
        float(re.search(r"median error (\S+) mag", printed)[1]),
        float(re.search(r"(\d+)% of truths", printed)[1]),
    )
    assert median < 0.05
    assert 50 < inside < 90
    assert (scratch / "figure.png").stat().st_size > 20_000


@pytest.mark.parametrize("name", ["measure-and-plot.png", "compare-with-truth.png"])
def test_pictures_are_small(name):
    """A clone would carry large pictures for ever."""
    assert 10_000 < (ROOT / "docs" / "images" / name).stat().st_size < 150_000
