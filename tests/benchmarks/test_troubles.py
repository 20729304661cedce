"""The evaluation by kind of trouble: figures are right on profiles whose errors are known."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.data.mocks.troubles import simulate_trouble

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "troubles.py"


@pytest.fixture
def troubles(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return pytest.importorskip("troubles")


def profile_of(label, shift=0.0, sky=0.0, **meta):
    """A measured profile that is wrong by so many mag, and by so much sky in units of the noise."""
    from astropy.table import Table

    columns = {"sma": label.sma, "mu": label.mu + shift, "mu_err": np.full(label.sma.size, 0.05)}
    columns |= {"ellipticity": label.ellipticity + 0.01, "pa": label.pa}
    facts = {"sky": label.sky + sky * label.noise, "mag_total": label.mag_total + shift, "quality": 0, "flags": []}
    facts |= {"mag_total_err": 0.05, "r50": 1.0}
    return Table(columns, meta=facts | meta)


def test_figures_are_those_of_known_errors(troubles):
    """A model would be praised or blamed for what it hasn't done."""
    label = simulate_trouble("sdss", 3, 0, size=128, kind="sky 20")
    rows = [troubles.compare(label, profile_of(label, shift, 0.02, p_bad=p)) for shift, p in ((0.02, 0.01), (0.2, 0.9))]
    rows.append(troubles.compare(label, None))
    figures = troubles.summarise(rows)["kinds"]["sky 20"]
    assert (figures["count"], figures["missing"], figures["off"], figures["bad"]) == (3, 1, 1, 2)
    assert figures["median"] == pytest.approx(0.2, abs=1e-5) and math.isinf(figures["worst_tenth"])
    assert figures["one_sigma"] == pytest.approx(0.5)
    assert figures["sky"] == pytest.approx(0.02, rel=1e-3)
    covered = troubles.summarise(rows)["coverage"]
    assert covered["mag_total"] == {"count": 2, "one_sigma": 0.5, "two_sigma": 0.5}
    assert covered["mu"]["one_sigma"] == covered["mu"]["two_sigma"] == pytest.approx(0.5)
    fifths = covered["fifths"]["snr"]
    assert [part["count"] for part in fifths] == pytest.approx([covered["mu"]["count"] / 5] * 5, abs=1)
    assert all(low["high"] <= high["low"] for low, high in itertools.pairwise(fifths))
    one = troubles.summarise(rows[:1])["kinds"]["sky 20"]
    assert one["ellipticity"] == pytest.approx(0.01, rel=1e-3)
    assert one["outskirts"] == pytest.approx(10 ** (-0.4 * 0.02) - 1, rel=1e-3)
    assert one["mag_total"] == pytest.approx(0.02, rel=1e-3)


def test_quality_and_p_bad(troubles):
    """The share of failures among profiles of quality 0 would be wrong: the figure that decides whether to trust it."""
    label = simulate_trouble("sdss", 3, 0, size=128, kind="clean")
    rows = [troubles.compare(label, profile_of(label, 0.01, p_bad=0.02)) for _ in range(9)]
    rows += [troubles.compare(label, profile_of(label, 0.4, p_bad=0.8, quality=2)) for _ in range(3)]
    rows.append(troubles.compare(label, profile_of(label, 0.4, p_bad=0.03)))
    summary = troubles.summarise(rows)
    assert summary["quality"]["0"] == {"count": 10, "bad": 1} and summary["quality"]["2"] == {"count": 3, "bad": 3}
    assert summary["good_with_quality_0"] == 1.0
    assert summary["p_bad"]["area"] == 1.0
    assert summary["p_bad"]["bins"][0] == {
        "low": 0.0,
        "high": 0.05,
        "count": 10,
        "p_bad": pytest.approx(0.021),
        "bad": 0.1,
    }


def test_whole_run_on_a_small_bed(troubles, tmp_path):
    """The program would stop on a model without p_bad, on a missing profile, or write nothing."""
    from click.testing import CliRunner

    options = ["--count", "8", "--size", "96", "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(troubles.main, options, catch_exceptions=False)
    assert result.exit_code == 0
    content = json.loads((tmp_path / "out" / "troubles.json").read_text())
    assert list(content["kinds"])[:3] == ["clean", "empty field", "crowded field"]
    assert len(content["galaxies"]) == 8
    assert "all measurable" in (tmp_path / "out" / "troubles.txt").read_text()
