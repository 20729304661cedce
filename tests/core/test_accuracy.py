"""The paper's error of a profile and its summary over galaxies."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from p2p_keras.core.accuracy import (
    completeness,
    coverage,
    interpolate_log_sma,
    profile_error,
    profile_residuals,
    summarise,
)

SMA = np.geomspace(0.2, 40, 50)
MU = 18 + 4 * np.log(SMA / 0.2)


def test_error_is_the_median_over_radii():
    """The one figure that all models are compared by would be another."""
    offset = np.linspace(0, 1, 50)
    assert profile_error(SMA, MU, SMA, MU + offset) == pytest.approx(np.median(offset))
    assert profile_error(SMA, MU, SMA, MU - offset) == pytest.approx(np.median(offset))


def test_bright_error_takes_bright_radii():
    """The paper's second figure would include radii fainter than 26.5."""
    offset = np.where(MU > 26.5, 5.0, 0.1)
    assert profile_error(SMA, MU, SMA, MU + offset, faintest=26.5) == pytest.approx(0.1)
    assert profile_error(SMA, MU, SMA, MU + offset) > 0.1


def test_interpolation_is_linear_in_log_radius():
    """A power law on another radial grid would show an error that isn't there."""
    other = np.geomspace(0.1, 60, 17)
    assert profile_error(SMA, MU, other, 18 + 4 * np.log(other / 0.2)) < 1e-12


def test_only_common_radii_count():
    """A prediction would be extrapolated beyond its range, or its end go unnoticed."""
    short = SMA < 10
    assert profile_error(SMA, MU, SMA[short], MU[short] + 0.2) == pytest.approx(0.2)
    assert completeness(SMA, MU, SMA[short], MU[short]) == pytest.approx(short.mean())
    assert np.isnan(interpolate_log_sma([100.0, 0.0, np.nan], SMA, MU)).all()
    assert np.isnan(profile_error(SMA, MU, SMA[:0], MU[:0]))
    assert np.isnan(profile_error(SMA, MU, SMA + 1000, MU))


def test_ends_survive_float32():
    """The first and last radius would drop out since a float32 grid is a hair inside."""
    grid = SMA.astype(np.float32)
    assert profile_residuals(SMA, MU, grid, MU).residual.size == SMA.size


def test_nan_is_left_out():
    """One unknown radius would make the galaxy's error NaN."""
    true, predicted = MU.copy(), MU + 0.3
    true[3], predicted[10] = np.nan, np.nan
    assert profile_error(SMA, true, SMA, predicted) == pytest.approx(0.3)
    residuals = profile_residuals(SMA, true, SMA, predicted, np.full(50, 0.2))
    assert residuals.num_true == 49
    assert np.isfinite(residuals.residual).all()


def test_order_of_the_prediction_is_no_matter():
    """An unsorted table would be interpolated to nonsense without a word."""
    order = np.random.default_rng(0).permutation(50)
    assert profile_error(SMA, MU, SMA[order], MU[order]) < 1e-12


def test_coverage():
    """Uncertainties half as large as they should be would look calibrated."""
    residual = np.random.default_rng(0).normal(0, 1, 20000)
    assert coverage(residual, np.ones(20000)) == pytest.approx(0.683, abs=0.01)
    assert coverage(residual, np.full(20000, 0.5)) == pytest.approx(0.383, abs=0.01)
    assert coverage(residual, np.ones(20000), 2.0) == pytest.approx(0.954, abs=0.01)
    assert np.isnan(coverage([np.nan], [1.0]))


def test_summary_against_numpy():
    """Median, quartiles or the worst tenth would be off."""
    errors = np.random.default_rng(1).lognormal(-3, 1, 101)
    summary = summarise(errors)
    expected = np.percentile(errors, [25, 50, 75, 90])
    np.testing.assert_allclose(
        [summary.quartile_low, summary.median, summary.quartile_high, summary.worst_tenth], expected
    )
    assert (summary.mean, summary.largest) == (pytest.approx(errors.mean()), errors.max())
    assert summary.share_bad == np.mean(errors > 0.5)
    assert (summary.count, summary.missing) == (101, 0)


def test_missing_predictions_count():
    """A model that fails on the hard galaxies would come out ahead."""
    errors = np.array([0.1] * 8 + [np.nan] * 2)
    summary = summarise(errors)
    assert (summary.count, summary.missing, summary.share_bad) == (10, 2, 0.2)
    assert summary.median == pytest.approx(0.1)
    assert summary.worst_tenth == np.inf
    assert summary.mean == pytest.approx(0.1)
    none = summarise([np.nan, np.nan])
    assert (none.median, none.share_bad, none.missing) == (np.inf, 1.0, 2)
    assert summarise([]).count == 0


def test_needs_numpy_alone():
    """Another project's script that compares its profiles would need TensorFlow or astropy."""
    code = (
        "import sys, p2p_keras.core.accuracy; assert not {'astropy', 'tensorflow', 'scipy', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
