"""The test bed of troubles: every galaxy has the one trouble that its name says, and its truth is the galaxy's own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.troubles import TROUBLES, simulate_trouble, trouble_of
from p2p_keras.data.shards import check_galaxy, find_shards, read_shards

SIZE = 128


@pytest.mark.parametrize("kind", list(TROUBLES))
def test_every_trouble_can_be_made(kind):
    """A kind of trouble would be missing from the test bed, or stop it."""
    for index in range(2):
        galaxy = simulate_trouble("sdss", 3, index, size=SIZE, kind=kind)
        check_galaxy(galaxy)
        assert trouble_of(galaxy.origin) == kind
        assert galaxy.image.dtype == np.float32 and np.isfinite(galaxy.image).mean() > 0.4
        if TROUBLES[kind].measurable:
            assert galaxy.extent > 2.0 * galaxy.pixel_scale


def both(kind, index=4):
    """A galaxy with a trouble, and the same without."""
    return simulate_trouble("sdss", 3, index, size=SIZE, kind=kind), simulate_trouble(
        "sdss", 3, index, size=SIZE, kind="clean"
    )


@pytest.mark.parametrize("kind", ["sky 300", "grid", "random 40 %", "equal companion", "cosmic rays", "quantised"])
def test_trouble_is_in_the_image_and_not_in_the_truth(kind):
    """Troubled and clean galaxies couldn't be compared, and a model would be blamed for a wrong truth."""
    troubled, clean = both(kind)
    np.testing.assert_array_equal(troubled.mu, clean.mu)
    assert (troubled.mag_total, troubled.x0, troubled.extent) == (clean.mag_total, clean.x0, clean.extent)
    assert not np.array_equal(troubled.image, clean.image, equal_nan=True)
    assert clean.sky / clean.noise < 1.0 and np.isfinite(clean.image).all()


def test_numbers_in_the_names_are_true():
    """A table would speak of 300 noise units or of a tenth of the pixels where there are others."""
    troubled, clean = both("sky 300")
    assert (troubled.sky - clean.sky) / clean.noise == pytest.approx(300.0, rel=1e-5)
    assert np.isnan(both("random 10 %")[0].image).mean() == pytest.approx(0.1, abs=0.02)
    assert np.isnan(both("columns")[0].image).mean() == pytest.approx(1 / 16)
    assert np.isnan(both("grid")[0].image).mean() == pytest.approx(1 - (6 / 7) * (10 / 11), abs=0.02)
    steps = np.unique(both("quantised")[0].image)
    assert np.diff(steps).min() == pytest.approx(2.5 * clean.noise, rel=1e-3)
    edge = both("at the edge")[0]
    assert min(edge.x0, edge.y0, SIZE - 1 - edge.x0, SIZE - 1 - edge.y0) == pytest.approx(20.0)
    off = both("off centre")[0]
    assert np.hypot(off.x0 - 63.5, off.y0 - 63.5) == pytest.approx(15.0)


def test_no_galaxy_is_none():
    """A detection of nothing would count as right."""
    galaxy, clean = both("no galaxy")
    rows, columns = (slice(round(v) - 5, round(v) + 6) for v in (clean.y0, clean.x0))
    assert clean.image[rows, columns].mean() > 3 * clean.noise
    assert abs(np.median(galaxy.image[rows, columns])) < clean.noise
    assert galaxy.extent == 0.0


def test_program_makes_all_kinds_in_order(tmp_path):
    """The test bed couldn't be made from the command line, or its kinds not be told apart in the shards."""
    number = len(TROUBLES) + 1
    command = [sys.executable, "-m", "p2p_keras.simulate", "--troubles", "--count", str(number), "--size", "96"]
    subprocess.run([*command, "--workers", "1", "--output", str(tmp_path / "bed")], check=True, capture_output=True)
    galaxies = list(read_shards(find_shards(tmp_path / "bed", "test")))
    assert [trouble_of(galaxy.origin) for galaxy in galaxies] == [*TROUBLES, "clean"]


def test_unknown_front_is_named():
    """A typing error would leave nothing in front of the galaxy."""
    with pytest.raises(UsageError, match=r"front 'ufo' is unknown; known are survey, any, none, companion"):
        Extras(front="ufo")
