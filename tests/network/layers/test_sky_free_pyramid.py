"""A constant sky and holes are dealt with before anything else sees the image."""

import numpy as np
import pytest

from p2p_keras.network import layers as p2p
from p2p_keras.network.layers.filling import SHOWN_WEIGHT
from p2p_keras.network.layers.sky_free_pyramid import share_taken_off

RNG_SEED = 5


def _pyramid(image):
    names = ("flux", "good", "log_noise", "offset", "level")
    return dict(zip(names, (np.asarray(x) for x in p2p.SkyFreePyramid()(image)), strict=True))


@pytest.fixture
def image():
    """Two images of unit noise with a galaxy, on a sky of 0."""
    y, x = np.mgrid[:128, :160]
    galaxy = 200 * np.exp(-np.hypot(x - 79, y - 64) / 6)
    return (galaxy + np.random.default_rng(RNG_SEED).normal(0, 1, (2, 128, 160))).astype("float32")


def _finest(pyramid, shape):
    """The image that the pyramid's samples see, in its own unit, and its good share."""
    h, w = (-(-side // 64) * 64 for side in shape)
    good = pyramid["good"][:, : h * w].reshape(-1, h, w)[:, : shape[0], : shape[1]]
    image = np.empty((len(good), *shape), "float32")
    seen, measured = p2p.SkyFreeImage()(image, *(pyramid[n] for n in ("flux", "good", "offset")))
    np.testing.assert_array_equal(np.where(good > 0.5, seen, np.nan), measured)
    return np.asarray(seen), good


def test_a_small_level_stays(image):
    """The zero of a sky-subtracted frame would be thrown away, and with it the light of galaxies that fill it."""
    value, good = _finest(_pyramid(image), image.shape[1:])
    np.testing.assert_allclose(value, image, atol=1e-4)
    assert (good == 1).all()
    assert (_pyramid(image)["level"] == 0).all()


@pytest.mark.parametrize("constant", [5, -8, 300, 1e4, -1e4])
def test_a_large_level_goes_exactly(image, constant):
    """A sky left in the image would reach the network, or take the faint light's digits with it."""
    first, moved = _pyramid(image + np.float32(-40)), _pyramid(image + np.float32(constant))
    one, other = (_finest(pyramid, image.shape[1:])[0] for pyramid in (first, moved))
    np.testing.assert_allclose(other, one, atol=2e-7 * abs(constant) + 5e-5)
    np.testing.assert_allclose(moved["level"] - first["level"], constant + 40, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(moved["log_noise"], first["log_noise"], atol=1e-3)


def test_between_small_and_large_is_smooth():
    """A profile would jump where a sky level crosses a limit."""
    levels = np.linspace(0, 6, 601).astype("float32")
    share = np.asarray(share_taken_off(levels))
    assert share[levels <= 1].max() == 0
    assert share[levels >= 3].min() == 1
    assert np.abs(np.diff(share)).max() < 0.01


def _masked(shape, pattern):
    y, x = np.mgrid[: shape[0], : shape[1]]
    rng = np.random.default_rng(1)
    return {
        "grid": (x % 7 == 0) | (y % 11 == 0),
        "column in 16": x % 16 == 3,
        "a tenth": rng.random(shape) < 0.1,
        "half": rng.random(shape) < 0.5,
        "chip": x < 50,
        "checkerboard": (x + y) % 2 == 0,
    }[pattern]


@pytest.mark.parametrize("pattern", ["grid", "column in 16", "a tenth", "half", "chip", "checkerboard"])
def test_noise_under_masks(image, pattern):
    """The unit of everything inside would be that of a few pixels, or none: no profile at all."""
    masked = np.where(_masked(image.shape[1:], pattern), np.nan, image)
    whole, half = _pyramid(image), _pyramid(masked)
    np.testing.assert_allclose(half["log_noise"], whole["log_noise"], atol=0.15)


@pytest.mark.parametrize("pattern", ["grid", "column in 16", "a tenth", "half", "chip", "checkerboard"])
def test_holes_are_filled_from_around(image, pattern):
    """Convolutions would see zeros where a user masked something on top of a bright galaxy."""
    smooth = np.zeros_like(image) + 50 + np.linspace(0, 40, image.shape[2], dtype="float32")
    smooth += np.random.default_rng(2).normal(0, 0.1, smooth.shape).astype("float32")
    hidden = _masked(image.shape[1:], pattern)
    value, good = _finest(_pyramid(np.where(hidden, np.nan, smooth)), image.shape[1:])
    level = _pyramid(np.where(hidden, np.nan, smooth))["level"]
    filled = value + level[:, None, None]
    assert (filled > smooth.min() - 1).all() and (filled < smooth.max() + 1).all()
    inner = hidden.copy()  # at the edge a fill comes from one side
    inner[:8], inner[-8:], inner[:, :8], inner[:, -8:] = False, False, False, False
    if pattern != "chip":
        assert np.abs(filled - smooth)[:, inner].max() < 2
    np.testing.assert_allclose(value[:, ~hidden] + level[:, None], smooth[:, ~hidden], atol=1e-3)
    assert (good[:, ~hidden] == 1).all()
    assert good[:, hidden].max() < 2e-3  # the share still says what is measured
    if pattern != "chip":
        assert good.min() > SHOWN_WEIGHT
    else:
        assert good[:, :, :20].max() < SHOWN_WEIGHT  # a missing part of the image isn't shown as sky


def test_what_is_masked_does_not_matter(image):
    """A value under a mask would leak into the profile."""
    bad, worse = image.copy(), image.copy()
    bad[:, 20:40, 30:50], worse[:, 20:40, 30:50] = np.nan, np.inf
    for one, other in zip(_pyramid(bad).values(), _pyramid(worse).values(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sky", [7, -7, 300])
def test_empty_corners_are_no_data(image, sky):
    """Corners of exactly 0 in an image with its background would be taken for a deep hole in the sky."""
    y, x = np.mgrid[: image.shape[1], : image.shape[2]]
    corner = (x + y < 60) | (x + y > 240)
    pyramid = _pyramid(np.where(corner, 0, image + np.float32(sky)))
    value, good = _finest(pyramid, image.shape[1:])
    assert good[:, corner].max() < 2e-3
    assert (good[:, ~corner] == 1).all()
    assert np.abs(value[:, corner]).max() < 5
    np.testing.assert_allclose(pyramid["level"], sky, atol=0.3)


def test_photons_on_zeros_are_data():
    """Images of few photons are full of exact zeros, which are measurements."""
    counts = np.random.default_rng(3).poisson(0.02, (1, 128, 128)).astype("float32")
    _, good = _finest(_pyramid(counts), (128, 128))
    assert (good == 1).all()


def test_a_saturated_plateau_is_data(image):
    """The core of a saturated galaxy would be masked, and its centre lost."""
    image = image + 20
    image[:, 56:76, 70:92] = 5000
    _, good = _finest(_pyramid(image), image.shape[1:])
    assert (good == 1).all()


@pytest.mark.parametrize("other", ["rows masked", "corners of 0 beside a sky"])
def test_others_of_the_batch_do_not_matter(image, other):
    """One image with holes would change its neighbour in a server's batch."""
    holed = image.copy()
    if other == "rows masked":
        holed[1, ::5] = np.nan
    else:
        holed[1] += 50
        holed[1, :50, :50] = 0
    alone, together = _pyramid(image[:1]), _pyramid(holed)
    assert together["good"][1].min() < 0.01
    for name in alone:
        np.testing.assert_allclose(together[name][0], alone[name][0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, 0.0, 3.0, 1e30])
def test_hopeless_images_stay_finite(value):
    """An image without data would poison its batch."""
    pyramid = _pyramid(np.full((2, 64, 64), value, "float32"))
    for name, array in pyramid.items():
        assert np.isfinite(array).all(), name
