"""Figures of a training epoch: quantiles over galaxies from a histogram."""

import numpy as np
import pytest

from p2p_keras.network.training.metrics import GalaxyQuantile


def quantile_of(values, quantile=0.5):
    metric = GalaxyQuantile(quantile)
    for batch in np.array_split(np.asarray(values, "float32"), 3):
        metric.update_state(batch)
    return float(metric.result())


@pytest.mark.parametrize("quantile", [0.5, 0.9])
def test_quantile_is_not_rounded_to_bins(quantile, rng):
    """A network better by 1 % would show the same figure, or one that is 2 % better."""
    errors = rng.lognormal(-3.5, 0.3, 100_000)
    for scale in (1.0, 1.004, 1.008, 1.012, 1.016, 1.02):
        expected = np.quantile(scale * errors, quantile)
        assert quantile_of(scale * errors, quantile) == pytest.approx(expected, rel=2e-3)


def test_quantile_of_few_and_of_none():
    """A figure would lie outside of its galaxies' own by more than a bin, or stand where there is none."""
    assert quantile_of([0.02]) == pytest.approx(0.02, rel=0.024)
    assert quantile_of([0.01, 0.02, 0.04]) == pytest.approx(0.02, rel=0.024)
    assert 0.0 <= quantile_of([0.0, 0.0, 1.0]) < 4e-4
    assert quantile_of([50.0, 60.0, 70.0]) == 10.0
    assert np.isnan(quantile_of([np.nan, np.inf]))
