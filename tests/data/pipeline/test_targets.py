"""Profiles of any length on the one radial grid."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.core import ellipse, radii, units
from p2p_keras.core.accuracy import interpolate_log_sma
from p2p_keras.data.pipeline import labels
from p2p_keras.data.pipeline.parsing import parse_galaxy
from p2p_keras.data.shards import encode_example


def targets(galaxy, size=64) -> dict[str, np.ndarray]:
    """Targets of a galaxy that went through the schema."""
    values = labels.targets_on_grid(parse_galaxy(tf.constant(encode_example(galaxy))), tf.constant(size))
    return {key: value.numpy() for key, value in values.items()}


def test_label_is_interpolated_and_never_extrapolated(make_spot):
    """The network would learn made-up values at the centre and in the outskirts."""
    sma = np.geomspace(0.5, 9.0, 15)
    galaxy = make_spot(sma=sma, mu=20 + 2 * np.log(sma))
    target, grid = targets(galaxy), radii.grid_px(64) * 0.4
    np.testing.assert_array_equal(target["known"], (grid >= 0.5) & (grid <= 9.0))
    np.testing.assert_allclose(target["mu"][target["known"]], 20 + 2 * np.log(grid[target["known"]]), atol=2e-4)
    assert (target["mu"][~target["known"]] == units.FILL_MU).all()
    np.testing.assert_array_equal(target["within"], grid <= 5.0)


def test_interpolation_is_that_of_the_evaluation(make_spot, rng):
    """Training would aim at another profile than the one that the error is measured against."""
    sma = np.sort(rng.uniform(0.1, 15, 40))
    galaxy = make_spot(sma=sma, mu=rng.uniform(18, 28, 40), ellipticity=None, pa=None)
    target, grid = targets(galaxy), radii.grid_px(64) * 0.4
    expected = interpolate_log_sma(grid, sma, galaxy.mu)
    np.testing.assert_array_equal(target["known"], np.isfinite(expected))
    np.testing.assert_allclose(target["mu"][target["known"]], expected[target["known"]], atol=2e-3)
    assert not target["geometry_known"].any()


def test_label_on_the_grid_stays_exact(make_spot, rng):
    """Rounding would take the first and last radius of every mock away."""
    sma = radii.grid_px(64) * 0.4
    mu = rng.uniform(18, 28, radii.NUM_RADII)
    target = targets(make_spot(sma=sma, mu=mu, ellipticity=None, pa=None, extent=float(sma[40])))
    assert target["known"].all()
    np.testing.assert_array_equal(target["mu"], mu.astype(np.float32))
    assert target["within"].sum() == 41


def test_nan_in_a_label_is_not_known(make_spot):
    """A gap in a measured profile would be filled with a guess, or poison the loss with NaN."""
    sma = radii.grid_px(64) * 0.4
    mu = np.full(radii.NUM_RADII, 22.0)
    mu[[10, 11, 63]] = np.nan
    target = targets(make_spot(sma=sma, mu=mu, ellipticity=np.full(64, 0.2), pa=np.full(64, 10.0)))
    assert np.flatnonzero(~target["known"]).tolist() == [10, 11, 63]
    assert np.isfinite(target["mu"]).all()
    assert target["geometry_known"].all()


def test_extent_unknown_means_the_labels_end(make_spot):
    """Real profiles without an extent would have no radius within it."""
    sma = np.geomspace(0.1, 6.0, 15)
    target = targets(make_spot(sma=sma, extent=np.nan))
    np.testing.assert_array_equal(target["within"], radii.grid_px(64) * 0.4 <= 6.0)


@pytest.mark.parametrize("ellipticity", [0.0, 0.3, 0.8, np.nan])
def test_ellipse_vectors_are_the_one_definition(ellipticity):
    """Labels and network would speak of different ellipses."""
    pa = np.linspace(0, 179, 9).astype(np.float32)
    vectors = labels.ellipse_vectors(tf.fill([9], np.float32(ellipticity)), tf.constant(pa))
    np.testing.assert_allclose(vectors, ellipse.vector_from_angles(np.full(9, ellipticity), pa), atol=1e-6)
