"""Scatters that outliers don't change."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.stats import mad_std

from p2p_keras.core.robust import lower_deviation, median, median_below, median_deviation


def test_deviations_are_those_of_the_noise_alone():
    """Stars on a tenth of the pixels would raise the noise by which sources, flags and errors are judged."""
    values = np.random.default_rng(1).normal(5.0, 2.0, 40001)
    assert median_deviation(values) == pytest.approx(mad_std(values), rel=1e-5)
    values[::10] += 1000.0
    assert median_deviation(values) == pytest.approx(2.0, rel=0.15)
    assert lower_deviation(values, 5.0) == pytest.approx(2.0, rel=0.05)


def test_no_values_have_no_scatter():
    """An empty ring would stop a measurement, or count as one without noise."""
    assert np.isnan(
        [median_deviation(np.array([])), lower_deviation(np.array([])), lower_deviation(np.ones(3), 0.0)]
    ).all()


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [1.0, 2.0, 3.0, 5.0], [2.0, 2.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]])
def test_which_side_of_a_limit_the_median_is(values):
    """An image would count as stretched, or not, by how many pixels it has."""
    array = np.array(values, dtype=np.float32)
    for limit in (0.5, 1.0, 1.5, 2.0, 2.25, 2.5, 3.0, 6.0):
        assert median_below(array, limit) == (np.median(array) < limit)


@pytest.mark.parametrize("shape", [(7,), (40, 31), (100, 50), (300, 200), (300, 201), (3, 100, 100)])
def test_median_of_any_shape_is_numpys(rng, shape):
    """The noise of a whole frame would be that of one of its rows, or the program end with an IndexError."""
    values = rng.normal(size=shape).astype(np.float32)
    assert median(values) == np.median(values.astype(float))
    assert median(values.T) == np.median(values.astype(float))
    assert median(values, upper=True) == np.sort(values, axis=None)[values.size // 2]
