"""Photutils as a method beside the models."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.evaluation import ClassicalMethod, evaluate_models, summarise_evaluation

pytest.importorskip("photutils")
pytest.importorskip("sep")


def disc(seed: int, *, size: int = 64, noise: float = 0.02) -> LabelledGalaxy:
    """A bright inclined exponential disc, its truth and white noise."""
    flux, h, e, pa = 1300.0, 3.3, 0.3, 40.0
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    t = np.deg2rad(pa)
    r = np.hypot(x * np.cos(t) + y * np.sin(t), (y * np.cos(t) - x * np.sin(t)) / (1 - e))
    central = flux / (2 * np.pi * h**2 * (1 - e))
    pixels = central * np.exp(-r / h) + np.random.default_rng(seed).normal(0, noise, r.shape)
    sma = np.geomspace(0.5, 23.0, 48)
    mu = 22.5 - 2.5 * np.log10(central * np.exp(-sma / h) / 0.4**2)
    fill = np.ones(48)
    return LabelledGalaxy(
        f"g{seed}", "r", pixels.astype(np.float32), 22.5, 0.4, sma * 0.4, mu, e * fill, pa * fill,
        x0=31.5, y0=31.5, extent=20.0 * 0.4, mag_total=22.5 - 2.5 * np.log10(flux), noise=noise, sky=0.0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def labels():
    """A good galaxy and one without a source."""
    good, empty = disc(1), disc(2)
    empty.image = np.random.default_rng(0).normal(0, 0.02, empty.image.shape).astype(np.float32)
    return [good, empty]


@pytest.fixture(scope="module")
def evaluation(labels):
    """Both by photutils in this process."""
    return evaluate_models([ClassicalMethod()], labels)[0]


def test_disc_is_measured(evaluation):
    """The method that models are compared with would be wrong in brightness, geometry, centre or totals."""
    result = evaluation.results[0]
    assert result.failure == ""
    assert result.error < 0.03
    assert result.ellipticity_error < 0.03
    assert result.pa_error < 3.0
    assert result.centre_error < 0.2
    assert abs(result.mag_error) < 0.1
    assert result.completeness > 0.8


def test_failure_keeps_its_cause(evaluation):
    """One galaxy that photutils can't fit would stop the evaluation, or count as measured."""
    result = evaluation.results[1]
    assert "source" in result.failure
    assert np.isnan(result.error)
    summary = summarise_evaluation(evaluation)
    assert summary["error"]["missing"] == 1
    assert summary["model"].startswith("photutils ")
    assert summary["failures"] == [{"name": "g2", "band": "r", "cause": result.failure}]


def test_processes_give_the_same(labels, evaluation):
    """Two processes would mix up galaxies or lose their causes."""
    with ClassicalMethod(2) as method:
        several = evaluate_models([method], labels[::-1])[0].results[::-1]
    assert [r.failure for r in several] == [r.failure for r in evaluation.results]
    assert several[0].error == evaluation.results[0].error
