"""What lies in front of a target: where it is said to be, and never in the truth."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.front import COMPANION_PX, DEFECTS, Target, add_defects, draw_companion, draw_front
from p2p_keras.data.mocks.scene import simulate_galaxy

SCALE = 0.4
TARGET = Target(16.0, 4.0, 0.9, -0.5)


def test_companions_are_near_and_the_target_stays_the_one_in_the_middle():
    """The network would be asked for a galaxy that isn't the one the user's cutout is centred on."""
    mags = []
    for seed in range(200):
        other = draw_companion(TARGET, 51.2, SCALE, np.random.default_rng(seed))
        apart = np.hypot(other.x - TARGET.x, other.y - TARGET.y) / SCALE
        assert COMPANION_PX[0] * 0.999 <= apart <= COMPANION_PX[1] * 1.001
        assert np.hypot(other.x, other.y) > np.hypot(TARGET.x, TARGET.y)
        mags.append(other.mag - TARGET.mag)
    assert -1.5 <= min(mags) < -1.0 and 1.5 < max(mags) <= 2.0


def test_stars_lie_on_the_galaxy_and_on_its_nucleus():
    """The hard cases, a star on an arm or on the nucleus, would be missing from training."""
    for seed in range(50):
        rng = np.random.default_rng(seed)
        (arm,) = draw_front(TARGET, 51.2, 1.3, SCALE, rng, ("star",)).stars
        (nucleus,) = draw_front(TARGET, 51.2, 1.3, SCALE, rng, ("nucleus star",)).stars
        assert np.hypot(arm.x - TARGET.x, arm.y - TARGET.y) < 1.2 * 1.3 + 2.5 * TARGET.r50 + 1e-9
        assert np.hypot(nucleus.x - TARGET.x, nucleus.y - TARGET.y) <= 1.5 * 1.3 + 1e-9


@pytest.mark.parametrize("kind", list(DEFECTS))
def test_defects_show_and_leave_the_rest_alone(kind):
    """A kind of defect would not be made, or spoil the whole image."""
    touched = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        image = rng.normal(0.0, 1.0, (96, 96))
        number = np.arange(96) - 48.0
        image += 400.0 * np.exp(-np.hypot(number[:, None], number[None, :]) / 6.0)
        before = image.copy()
        add_defects(image, (kind,), 1.0, 3.0, rng)
        touched.append(np.mean(np.abs(image - before) > 3.0))
        assert np.isfinite(image).all()
    assert np.median(touched) > 5e-5
    assert np.median(touched) < 0.15


def test_the_truth_knows_nothing_of_what_is_in_front():
    """Light of others would be taught as the galaxy's own."""
    changed = 0
    for index in range(12):
        plain = simulate_galaxy("sdss", 5, index, size=96, band="r")
        fronted = simulate_galaxy("sdss", 5, index, size=96, band="r", extras=Extras(front="any"))
        np.testing.assert_array_equal(fronted.mu, plain.mu)
        assert (fronted.x0, fronted.y0, fronted.mag_total) == (plain.x0, plain.y0, plain.mag_total)
        changed += not np.array_equal(fronted.image, plain.image, equal_nan=True)
    assert changed >= 4
