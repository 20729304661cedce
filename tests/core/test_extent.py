"""Where a profile ends."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.extent import profile_extent
from p2p_keras.core.growth import radius_of_light
from p2p_keras.profile.columns import isophotal_radius

SMA = np.array([0.0, 1.0, 2.0, 4.0, 8.0, 16.0])


@pytest.mark.parametrize("first", [1.0, 100.0, np.nan])
def test_a_dim_core_or_a_central_pixel_ends_no_profile(first):
    """Isophotes that begin at a radius of 0, as photutils' do, would have no extent, or one of NaN."""
    with np.errstate(all="raise"):
        assert profile_extent(SMA, [first, 2.0, 10.0, 12.0, 9.0, 1.0]) == 8.0
        assert profile_extent(SMA, [first, 20.0, 10.0, 12.0, 9.0, 8.0]) == 16.0
        assert profile_extent(SMA[1:], [2.0, 10.0, 12.0, 9.0, 1.0]) == 8.0


def test_a_bright_central_pixel_is_not_the_whole_galaxy():
    """One pixel, whose ratio is the greatest by far, would be all of a galaxy whose next ellipse holds few pixels."""
    assert profile_extent(SMA, [100.0, 30.0, 10.0, 2.0, 1.0, 1.0]) == 2.0
    assert profile_extent(SMA, [100.0, 1.0, 1.0, 1.0, 1.0, 1.0]) == 0.0
    assert profile_extent([0.0], [9.0]) == 0.0
    assert profile_extent([], []) == 0.0


def test_radii_of_light_with_a_central_pixel():
    """Half-light and isophotal radii of such a profile would be NaN, or that of its first ellipse."""
    share = 1 - np.exp(-SMA / 3.0) * (1 + SMA / 3.0)
    with np.errstate(divide="ignore"):
        growth = 15.0 - 2.5 * np.log10(share)
    mu = 18.0 + SMA
    with np.errstate(all="raise"):
        assert radius_of_light(SMA, growth, 15.0, 0.1) == radius_of_light(SMA[1:], growth[1:], 15.0, 0.1)
        assert radius_of_light(SMA, np.r_[16.0, growth[1:]], 15.0, 0.5) == radius_of_light(
            SMA[1:], growth[1:], 15.0, 0.5
        )
        assert isophotal_radius(SMA, mu, 18.5) == pytest.approx(isophotal_radius(SMA[1:], mu[1:], 18.5), nan_ok=True)
        assert isophotal_radius(SMA, mu, 21.0) == isophotal_radius(SMA[1:], mu[1:], 21.0)
