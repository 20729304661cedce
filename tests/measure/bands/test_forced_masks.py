"""Bands with pixels that are masked, saturated or off the image: their light isn't lost, and they say so."""

from __future__ import annotations

import numpy as np
import pytest
from exact_disc import a_wcs, disc, exact_reference, image_of

from p2p_keras.measure.bands import measure_bands

H = 2.0  # arcsec, 5 px
LAST = 14.0


def compact(*, mag=16.0, seed=0, noise=0.003, shape=(200, 200), shift=(0, 0)):
    return disc(shape, 0.4, h=H, mag=mag, seed=seed, noise=noise, shift=shift)


def distance(shape=(200, 200), e=0.0):
    """Radius of each pixel from the centre; along the galaxy's ellipses for e of 0.4."""
    y, x = np.indices(shape)
    x, y = x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2
    t = np.deg2rad(30.0)
    return np.hypot(x * np.cos(t) + y * np.sin(t), (y * np.cos(t) - x * np.sin(t)) / (1 - e))


def measured(blue, **options):
    red = image_of(compact(), 0.4)
    reference = exact_reference(red, h=H, last=LAST)
    return measure_bands(reference, {"g": image_of(blue, 0.4, band="g"), "r": red}, "r", **options)["g"]


@pytest.mark.parametrize(("inner", "outer", "e"), [(0, 4, 0.0), (0, 8, 0.0), (7, 11, 0.4)])
def test_masked_rings_are_no_lack_of_light(inner, outer, e):
    """A masked core or ring would make the galaxy fainter and larger in that band, and its colour wrong."""
    pixels = compact(mag=16.5, seed=1)
    whole = measured(pixels).meta
    masked = pixels.copy()
    r = distance(e=e)
    masked[(r >= inner) & (r < outer)] = np.nan
    profile = measured(masked)
    assert profile.meta["mag_total"] == pytest.approx(whole["mag_total"], abs=0.01)
    assert profile.meta["r50"] == pytest.approx(whole["r50"], rel=0.01)
    assert "masked_rings" in profile.meta["flags"]
    assert profile.meta["quality"] >= 1
    hidden = ~np.isfinite(profile["mu"].value)
    assert hidden.any() and np.array_equal(hidden, ~np.isfinite(profile["intensity"].value))
    assert np.isfinite(profile["growth"].value).all()
    assert "masked_rings" not in whole["flags"]


def test_a_ring_with_few_pixels_left_is_not_sure():
    """One pixel left of a masked ring would be a measurement without any uncertainty."""
    masked = compact(mag=16.5, seed=1)
    r = distance(e=0.4)
    hidden = (r >= 7) & (r < 14)
    hidden[np.abs(r - 9.0) < 0.15] = False  # some pixels of one ring
    hidden[:, :100] |= (r >= 7)[:, :100] & (r < 14)[:, :100]
    hidden[:100] |= (r >= 7)[:100] & (r < 14)[:100]
    assert 1 <= ((r >= 7) & (r < 14) & ~hidden).sum() <= 3
    masked[hidden] = np.nan
    profile = measured(masked)
    error = profile["intensity_err"].value
    whole = measured(compact(mag=16.5, seed=1))["intensity_err"].value
    assert np.all(~np.isfinite(error) | (error > 0.8 * whole))


def test_masked_pixels_do_not_reach_their_neighbours():
    """Pixels beside a masked core would be read with a dip that the mask itself makes."""
    masked = compact(mag=16.5, seed=1, noise=1e-5)
    masked[distance() < 2.5] = np.nan
    cut, whole = (measured(p)["mu"].value for p in (masked, compact(mag=16.5, seed=1, noise=1e-5)))
    both = np.isfinite(cut)
    assert both.sum() > 20
    np.testing.assert_allclose(cut[both], whole[both], atol=0.02)


def test_bands_find_their_own_flags():
    """A hole, a plateau or an edge in one band alone would go without a word: the reference has none of them."""
    pixels = compact(mag=16.5, seed=1)
    assert measured(pixels).meta["flags"] == []
    hole = pixels.copy()
    hole[distance() < 3] = np.nan
    assert "masked_centre" in measured(hole).meta["flags"]
    assert measured(hole).meta["quality"] >= 2
    plateau = np.minimum(pixels, np.sort(pixels.ravel())[-12])
    assert "saturated" in measured(plateau).meta["flags"]
    faint = compact(mag=24.0, seed=1)
    assert "low_snr" in measured(faint).meta["flags"]


def test_a_band_near_its_images_edge_says_so():
    """Half of a galaxy that is off one band's image would be measured on the other half without a word."""
    red = image_of(compact(), 0.4, a_wcs((200, 200), 0.4))
    shape = (200, 112)
    pixels = compact(mag=16.5, seed=1, shape=shape, shift=(44.0, 0.0))
    blue = image_of(pixels, 0.4, a_wcs(shape, 0.4, shift=(44.0, 0.0)), band="g")
    profile = measure_bands(exact_reference(red, h=H, last=LAST), {"g": blue, "r": red}, "r")["g"]
    assert "near_edge" in profile.meta["flags"]
    assert "misaligned" not in profile.meta["flags"]


def test_a_band_is_as_good_as_its_reference_and_its_own_image():
    """A band would be called suspect for a neighbour that the model says is harmless, or good for its own hole."""
    red = image_of(compact(), 0.4)
    reference = exact_reference(red, h=H, last=LAST)
    reference.meta.update(flags=["bright_neighbour"], p_bad=0.01, quality=0)
    hole = compact(mag=16.5, seed=1)
    hole[(distance(e=0.4) >= 7) & (distance(e=0.4) < 11)] = np.nan
    for pixels, quality in ((compact(mag=16.5, seed=1), 0), (hole, 1)):
        bands = measure_bands(reference, {"g": image_of(pixels, 0.4, band="g"), "r": red}, "r")
        assert bands["g"].meta["quality"] == quality
    reference.meta["p_bad"] = 0.6
    bands = measure_bands(reference, {"g": image_of(compact(mag=16.5, seed=1), 0.4, band="g"), "r": red}, "r")
    assert bands["g"].meta["quality"] == 2
