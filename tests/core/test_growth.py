"""The curve of growth."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.growth import curve_of_growth, ellipse_area
from p2p_keras.core.radii import grid_px


def test_exponential_disc_has_its_analytic_growth():
    """Total magnitudes and half-light radii would be wrong for every galaxy."""
    sma, scale, ellipticity = grid_px(1024), 20.0, 0.4
    growth = curve_of_growth(sma, np.exp(-sma / scale), np.full(sma.size, ellipticity))
    exact = 2 * np.pi * scale**2 * (1 - ellipticity) * (1 - (1 + sma / scale) * np.exp(-sma / scale))
    assert growth[-1] == pytest.approx(exact[-1], rel=0.01)
    np.testing.assert_allclose(growth[20:], exact[20:], rtol=0.02)


def test_crossing_ellipses_never_take_light_away():
    """A bar that ends in a rounder disc would make the curve of growth fall, and a radius of half light ambiguous."""
    sma = grid_px(256)
    ellipticity = np.where(sma < 20, 0.1, 0.8)
    growth = curve_of_growth(sma, np.exp(-sma / 20), ellipticity)
    assert (np.diff(growth) >= 0).all()


def test_batches_and_nan():
    """A profile that ends early would spoil the flux of its inner part, or that of its neighbours in a batch."""
    sma = np.tile(grid_px(256), (2, 1))
    intensity = np.exp(-sma / 20)
    intensity[1, 40:] = np.nan
    growth = curve_of_growth(sma, intensity, np.zeros_like(sma))
    np.testing.assert_array_equal(growth[0, :40], growth[1, :40])
    assert np.isnan(growth[1, 40:]).all()
    assert np.isfinite(growth[0]).all()


def test_area_of_an_ellipse():
    """Every flux would be off by the same factor."""
    assert ellipse_area(2.0, 0.5) == pytest.approx(2.0 * np.pi)
