"""The shipped model keeps its answers under changes of the image that change no galaxy."""

from itertools import islice

import numpy as np
import pytest

from p2p_keras import Predictor
from p2p_keras.core.accuracy import BAD_PROFILE, interpolate_log_sma, profile_error
from p2p_keras.core.errors import P2PError
from p2p_keras.data.mocks.scene import simulate_galaxy

SEED = 90210  # of no training set


@pytest.fixture(scope="module")
def predictor():
    try:
        return Predictor.load()
    except P2PError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def drawn():
    """Well-resolved galaxies of an SDSS-like survey whose images have no masked pixels."""
    galaxies = (simulate_galaxy("sdss", SEED, index) for index in range(60))
    return list(islice((g for g in galaxies if g.extent > 15 and g.mag_total < 16.5 and np.isfinite(g.image).all()), 8))


@pytest.fixture(scope="module")
def galaxies(predictor, drawn):
    """Those of them whose profile isn't bad: where a merger's other half is taken for the target, nothing stays."""
    return [g for g, p in zip(drawn, _predict(predictor, drawn), strict=True) if _error(p, g) <= BAD_PROFILE]


def _predict(predictor, galaxies, change=lambda image: image, pixel_scale=None):
    return [
        predictor.predict(change(g.image), zero_point=g.zero_point, pixel_scale=pixel_scale or g.pixel_scale)
        for g in galaxies
    ]


def _error(profile, galaxy):
    """The paper's error of a profile; infinite without one."""
    error = profile_error(galaxy.sma, galaxy.mu, profile["sma"].value, profile["mu"].value)
    return error if np.isfinite(error) else np.inf


def _differences(one, other):
    """mu of `other` minus `one` at radii of both, from 1 arcsec to 80 % of the extent, and the errors there."""
    sma = one["sma"].value
    use = (sma > 1) & (sma < 0.8 * one.meta["extent"])
    mu = interpolate_log_sma(sma[use], other["sma"].value, other["mu"].value)
    return mu - one["mu"].value[use], one["mu_err"].value[use]


@pytest.fixture(scope="module")
def straight(predictor, galaxies):
    return _predict(predictor, galaxies)


def test_truth_is_found(straight, galaxies, drawn):
    """The shipped model would be a wrong file, or its calibration broken."""
    errors = [_error(profile, galaxy) for profile, galaxy in zip(straight, galaxies, strict=True)]
    assert np.median(errors) < 0.04
    assert len(galaxies) >= 0.8 * len(drawn)


def test_flux(predictor, galaxies, straight):
    """Ten times the flux must be 2.5 mag brighter at every radius, and the same galaxy otherwise."""
    for one, ten in zip(straight, _predict(predictor, galaxies, lambda image: 10 * image), strict=True):
        assert len(one) == len(ten)
        np.testing.assert_allclose((one["mu"] - ten["mu"]).value, 2.5, atol=1e-3)
        np.testing.assert_allclose(one["mu_err"].value, ten["mu_err"].value, rtol=2e-3)
        np.testing.assert_allclose(one["ellipticity"], ten["ellipticity"], atol=1e-3)


def test_quarter_turn(predictor, galaxies, straight):
    """A turned image must turn the position angle by 90 degrees and leave mu."""
    turned = _predict(predictor, galaxies, lambda image: np.rot90(image).copy())
    for one, other in zip(straight, turned, strict=True):
        change, error = _differences(one, other)
        assert np.nanmedian(np.abs(change)) < 0.02
        assert np.nanmedian(np.abs(change) / error) < 1
        flat = np.interp(one["sma"].value, other["sma"].value, other["ellipticity"]) > 0.25
        flat &= (one["sma"].value > 2) & (one["sma"].value < 0.8 * other.meta["extent"])
        if flat.any():
            pa = np.interp(one["sma"].value, other["sma"].value, np.unwrap(other["pa"].value, period=180))
            # np.rot90 turns counter-clockwise in array order, in which y runs down: clockwise for an observer of +y.
            apart = (one["pa"].value - 90 - pa + 90) % 180 - 90
            assert np.median(np.abs(apart[flat])) < 3


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image[:, ::-1].copy(),
        lambda image: image[::-1].copy(),
        lambda image: np.roll(image, (10, -10), axis=(0, 1)),
        lambda image: np.pad(image, 16, constant_values=np.nan),
    ],
    ids=["left-right", "up-down", "shift by 10 px", "padding"],
)
def test_profile_stays(predictor, galaxies, straight, change):
    """The profile would depend on how the image is laid, by more than its errors."""
    moved = []
    for one, other in zip(straight, _predict(predictor, galaxies, change), strict=True):
        difference, error = _differences(one, other)
        assert np.isfinite(difference).mean() > 0.8
        # Where the model says that it isn't sure (beside a brighter neighbour), it may move by its error: of 29
        # galaxies of four seeds, and two trainings, the worst moved by 0.98 of it.
        assert np.nanmedian(np.abs(difference[error < 0.1])) < 0.03
        moved.append(np.nanmedian(np.abs(difference) / error))
    assert np.max(moved) < 1.5
    assert np.median(moved) < 0.3


def test_masked_star_changes_nothing(predictor, galaxies, straight):
    """A star that the user masked would still be in the profile."""

    def with_masked_star(image):
        image = image.copy()
        image[60:76, 150:166] = 1e4  # hidden below
        image[60:76, 150:166] = np.nan
        return image

    moved = []
    for one, other in zip(straight, _predict(predictor, galaxies, with_masked_star), strict=True):
        difference, error = _differences(one, other)
        assert np.nanmedian(np.abs(difference) / error) < 1
        assert np.nanmedian(np.abs(difference[error < 0.1])) < 0.02
        moved.append(np.nanmedian(np.abs(difference)))
    assert np.median(moved) < 0.005


def test_pixel_scale_by_binning(predictor, galaxies, straight):
    """The same sky on coarser pixels would have another profile."""

    def binned(image):
        side = image.shape[0] // 2
        return image.reshape(side, 2, side, 2).sum(axis=(1, 3))

    coarse = _predict(predictor, galaxies, binned, pixel_scale=2 * galaxies[0].pixel_scale)
    differences = [_differences(one, other) for one, other in zip(straight, coarse, strict=True)]
    # Half the pixels of the PSF are gone too, so that one galaxy may well move by more than another.
    assert np.median([np.nanmedian(np.abs(difference)) for difference, _ in differences]) < 0.04
    assert np.median([np.nanmedian(np.abs(difference) / error) for difference, error in differences]) < 1.0
