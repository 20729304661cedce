"""Skies that are left in images: exactly what was asked for, and the label says it."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.scene import simulate_galaxy
from p2p_keras.data.mocks.skies import LARGE, PLANE, SHARES, SMALL, draw_left_sky


def drawn(kind, count=200, side=64, noise=0.02):
    """Skies and levels of one kind, in units of the noise."""
    pairs = [draw_left_sky(side, 30.2, 33.7, noise, np.random.default_rng(i), kind) for i in range(count)]
    skies = [np.broadcast_to(sky, (side, side)) / noise for sky, _ in pairs]
    return skies, np.array([level for _, level in pairs]) / noise


@pytest.mark.parametrize("value", ["300", "-20", "1e4"])
def test_a_constant_is_added_exactly(value):
    """The same galaxy with and without a constant would differ by more than the constant, and its label lie."""
    plain = simulate_galaxy("sdss", 4, 3, size=96, band="r")
    shifted = simulate_galaxy("sdss", 4, 3, size=96, band="r", extras=Extras(sky=value))
    constant = float(value) * plain.noise
    difference = shifted.image.astype(float) - plain.image
    assert np.array_equal(np.isnan(plain.image), np.isnan(shifted.image))
    scale = np.nanmax(np.abs(shifted.image))
    np.testing.assert_allclose(difference[np.isfinite(difference)], constant, atol=2e-7 * scale)
    assert shifted.sky - plain.sky == pytest.approx(constant, rel=1e-6)
    np.testing.assert_array_equal(shifted.mu, plain.mu)
    assert (shifted.noise, shifted.mag_total, shifted.extent) == (plain.noise, plain.mag_total, plain.extent)


@pytest.mark.parametrize(("kind", "bounds"), [("small", SMALL), ("constant", LARGE)])
def test_constants_have_any_size_and_either_sign(kind, bounds):
    """A network would meet only skies of one sign or one size."""
    skies, levels = drawn(kind)
    assert all(np.ptp(sky) == 0.0 for sky in skies)
    assert np.all((np.abs(levels) >= bounds[0]) & (np.abs(levels) <= bounds[1]))
    assert 0.35 < np.mean(levels > 0) < 0.65
    # Uniform in the logarithm: as many below the middle as above it.
    assert 0.35 < np.mean(np.abs(levels) < np.sqrt(bounds[0] * bounds[1])) < 0.65


def test_planes_are_planes_and_their_level_is_that_at_the_target():
    """A gradient would be none, or the label of the sky would be taken somewhere else than under the galaxy."""
    skies, levels = drawn("plane")
    for sky, level in zip(skies, levels, strict=True):
        assert np.abs(np.diff(sky, 2, axis=0)).max() < 1e-7 * max(np.abs(sky).max(), 1.0)
        assert sky[34, 30] == pytest.approx(level, rel=1e-9, abs=1e-9)
        assert PLANE[0] * 0.99 <= np.ptp(sky) <= PLANE[1] * 1.01


def test_most_images_have_none():
    """The shares of the mixture would not be those documented."""
    _, levels = drawn("any", 1500, 16)
    assert np.mean(levels == 0.0) == pytest.approx(SHARES["none"], abs=0.05)
    assert np.mean(np.abs(levels) > 100.0) > 0.05


def test_unknown_sky_is_named():
    """A typing error would end in a traceback, or in no sky at all."""
    with pytest.raises(UsageError, match="sky 'lots' is unknown; give one of survey, any"):
        Extras(sky="lots")
