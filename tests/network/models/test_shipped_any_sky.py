"""The shipped model under skies and masks that users have: none may move a profile by more than its errors."""

from itertools import islice

import numpy as np
import pytest

from p2p_keras import Predictor
from p2p_keras.core.accuracy import interpolate_log_sma, profile_error
from p2p_keras.core.errors import P2PError
from p2p_keras.data.mocks.scene import simulate_galaxy

SEED = 90412  # of no training or calibration set
CONSTANTS = (5, 20, 300, 1e4, -20, -1e4)


@pytest.fixture(scope="module")
def predictor():
    try:
        return Predictor.load()
    except P2PError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def galaxies(predictor):
    """Well-resolved SDSS-like galaxies without masked pixels, whose sky can be seen and that the model measures."""
    mocks = (simulate_galaxy("sdss", SEED, index) for index in range(60))
    fit = (g for g in mocks if 15 < g.extent < 35 and g.mag_total < 16.5 and np.isfinite(g.image).all())
    drawn = list(islice(fit, 5))
    return [g for g, p in zip(drawn, _predict(predictor, drawn), strict=True) if _error(p, g) < 0.1]


def _predict(predictor, galaxies, change=lambda image, galaxy: image, **options):
    images = [change(g.image.copy(), g) for g in galaxies]
    one = galaxies[0]
    return predictor.predict_batch(images, zero_point=one.zero_point, pixel_scale=one.pixel_scale, **options)


def _error(profile, galaxy):
    error = profile_error(galaxy.sma, galaxy.mu, profile["sma"].value, profile["mu"].value)
    return error if np.isfinite(error) else np.inf


def _differences(one, other):
    """mu of `other` minus `one` from 1 arcsec to 80 % of the extent, and the errors of both there."""
    sma = one["sma"].value
    use = (sma > 1) & (sma < 0.8 * one.meta["extent"])
    mu = interpolate_log_sma(sma[use], other["sma"].value, other["mu"].value)
    error = interpolate_log_sma(sma[use], other["sma"].value, other["mu_err"].value)
    return mu - one["mu"].value[use], np.maximum(error, one["mu_err"].value[use])


def _stays(change, error, limit=0.01):
    """Whether mu moves, in the median, by less than a limit where the model is sure of it, and by less than its errors.

    Single outer radii may move by more: up to two noise units the frame's zero is believed in part.
    """
    sure = np.abs(change[error < 0.1])
    return (not np.isfinite(sure).any() or np.nanmedian(sure) < limit) and np.nanmedian(np.abs(change) / error) < 1


@pytest.fixture(scope="module")
def straight(predictor, galaxies):
    assert len(galaxies) >= 3
    return _predict(predictor, galaxies)


def _plus(constant):
    return lambda image, galaxy: image + np.float32(constant * galaxy.noise)


@pytest.fixture(scope="module")
def on_sky(predictor, galaxies):
    return _predict(predictor, galaxies, _plus(50))


@pytest.mark.parametrize("constant", CONSTANTS)
def test_a_sky_left_in_the_image(predictor, galaxies, straight, on_sky, constant):
    """Totals were 0.4 to 13 mag too bright where a constant sky was left in, without a word."""
    for g, none, one, other in zip(
        galaxies, straight, on_sky, _predict(predictor, galaxies, _plus(constant)), strict=True
    ):
        assert len(one) == len(other)
        assert np.abs((one["mu"] - other["mu"]).value).max() < 2e-3
        assert abs(one.meta["mag_total"] - other.meta["mag_total"]) < 2e-3
        assert other.meta["sky"] - one.meta["sky"] == pytest.approx((constant - 50) * g.noise, abs=5e-3 * g.noise)
        assert _stays(*_differences(none, other))


@pytest.mark.parametrize("constant", [0.5, 1.5, 2.0, 2.5, 3.5])
def test_a_small_level(predictor, galaxies, straight, constant):
    """Between a frame's zero that is trusted and one that isn't a profile would be neither."""
    for one, other in zip(straight, _predict(predictor, galaxies, _plus(constant)), strict=True):
        assert _stays(*_differences(one, other))


def test_a_plane(predictor, galaxies, straight):
    """A sky that rises by 10 noise units across the image would tilt the profile."""

    def tilted(image, galaxy):
        y, x = np.mgrid[: image.shape[0], : image.shape[1]] / image.shape[0] - 0.5
        return image + (galaxy.noise * (8 * x + 6 * y)).astype("float32")

    changes = [_differences(a, b) for a, b in zip(straight, _predict(predictor, galaxies, tilted), strict=True)]
    # Version 4 was trained on no such planes: 0.0123 was measured on these, 0.01 is asked of its successor.
    assert np.median([np.nanmedian(np.abs(change)) for change, _ in changes]) < 0.02
    assert max(np.nanmedian(np.abs(change) / error) for change, error in changes) < 1


@pytest.mark.parametrize("factor", [1e-3, 0.1, 1e5])
def test_a_factor_and_a_sky(predictor, galaxies, on_sky, factor):
    """Counts, electrons and nanomaggies of one image would have three profiles."""
    scaled = _predict(predictor, galaxies, lambda image, g: np.float32(factor) * _plus(50)(image, g))
    for one, other in zip(on_sky, scaled, strict=True):
        assert len(one) == len(other)
        np.testing.assert_allclose((other["mu"] - one["mu"]).value, -2.5 * np.log10(factor), atol=2e-3)
        assert other.meta["sky"] == pytest.approx(factor * one.meta["sky"], rel=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: np.rot90(image).copy(),
        lambda image: image[:, ::-1].copy(),
        lambda image: np.roll(image, (10, -10), axis=(0, 1)),
        lambda image: np.pad(image, 16, constant_values=np.nan),
    ],
    ids=["quarter turn", "left-right", "shift by 10 px", "padding"],
)
def test_laid_otherwise_on_a_sky(predictor, galaxies, on_sky, change):
    """On a sky, the profile would depend on how the image is laid, by more than its errors."""
    laid = _predict(predictor, galaxies, lambda image, g: change(_plus(50)(image, g)))
    for one, other in zip(on_sky, laid, strict=True):
        difference, error = _differences(one, other)
        assert np.isfinite(difference).mean() > 0.8
        sure = np.abs(difference[error < 0.1])
        assert not np.isfinite(sure).any() or np.nanmedian(sure) < 0.03
        assert np.nanmedian(np.abs(difference) / error) < 0.7


def _hidden(pattern, shape, galaxy):
    y, x = np.mgrid[: shape[0], : shape[1]]
    rng = np.random.default_rng(7)
    if pattern == "discs":
        hidden = np.zeros(shape, bool)
        for _ in range(30):
            column, row, radius = rng.uniform(0, shape[1]), rng.uniform(0, shape[0]), rng.uniform(4, 12)
            if np.hypot(column - galaxy.x0, row - galaxy.y0) > radius + 6:
                hidden |= np.hypot(x - column, y - row) < radius
        return hidden
    return {
        "every 7th column and 11th row": (x % 7 == 0) | (y % 11 == 0),
        "one column in 16": x % 16 == 3,
        "one row in 64": y % 64 == 9,
        "2 %": rng.random(shape) < 0.02,
        "a tenth": rng.random(shape) < 0.1,
        "half": rng.random(shape) < 0.5,
        "a third missing": x < shape[1] // 3,
    }[pattern]


@pytest.mark.parametrize("sky", [0, 30])
@pytest.mark.parametrize(
    "pattern",
    [
        "every 7th column and 11th row",
        "one column in 16",
        "one row in 64",
        "2 %",
        "a tenth",
        "half",
        "discs",
        "a third missing",
    ],
)
def test_masks_of_any_pattern(predictor, galaxies, straight, pattern, sky):
    """A tenth of the pixels masked, or one column in sixteen, cost the profile or a magnitude of it."""

    def masked(image, galaxy):
        image = _plus(sky)(image, galaxy)
        image[_hidden(pattern, image.shape, galaxy)] = np.nan
        return image

    predicted = _predict(predictor, galaxies, masked)
    for one, other in zip(straight, predicted, strict=True):
        difference, error = _differences(one, other)
        assert np.isfinite(difference).mean() > 0.8
        assert np.nanmedian(np.abs(difference) / error) < 1
    errors = [_error(profile, galaxy) for profile, galaxy in zip(predicted, galaxies, strict=True)]
    assert np.median(errors) < (0.06 if pattern == "half" else 0.035)


def test_sky_given(predictor, galaxies, straight):
    """`sky` would be the rest that was left, not the level that was removed."""
    given = _predict(predictor, galaxies, _plus(300), sky=300 * galaxies[0].noise)
    for g, one, other in zip(galaxies, straight, given, strict=True):
        left = 300 * (g.noise - galaxies[0].noise)
        if abs(left) < g.noise:
            assert np.nanmedian(np.abs(_differences(one, other)[0])) < 0.01
        assert other.meta["sky"] - one.meta["sky"] == pytest.approx(300 * g.noise, abs=0.3 * g.noise)


def test_sky_unknown(predictor, galaxies, on_sky):
    """A frame whose zero means nothing, though it lies near the sky, could not be said to be one."""
    for g, one, other in zip(galaxies, on_sky, _predict(predictor, galaxies, sky="unknown"), strict=True):
        assert np.abs(_differences(one, other)[0]).max() < 2e-3
        assert one.meta["sky"] - other.meta["sky"] == pytest.approx(50 * g.noise, abs=5e-3 * g.noise)
