"""Invariances that hold by construction, in an untrained network as in a trained one."""

import keras
import numpy as np
import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.network import layers as p2p
from p2p_keras.network.models import build_model, build_network
from p2p_keras.network.models.isophote import polar_unet

SMALL = {"filters": (8, 12, 12, 12), "centre_filters": (8, 12), "dim": 16, "num_heads": 2, "sky_blocks": 1}
CALIBRATION = {"zero_point": np.float32([22.5, 22.5]), "pixel_scale": np.float32([0.4, 0.4])}


@pytest.fixture(scope="module")
def network():
    model = build_network("isophote", **SMALL)
    rng = np.random.default_rng(0)
    # Weights that start at zero would hide what they multiply.
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.02, variable.shape))
    return model


@pytest.fixture(scope="module")
def images():
    y, x = np.mgrid[:128, :128] - 63.5
    radius = np.hypot(x, y / 0.6)
    galaxy = 500 * np.exp(-radius / 9)
    noise = np.random.default_rng(1).normal(0, 1, (2, 128, 128))
    images = (galaxy + noise).astype("float32")
    images[1] = images[1] + 300 * np.exp(-np.hypot(x - 30, y + 25) / 2)
    return images


def _run(network, images, **changes):
    outputs = network({"image": images, **CALIBRATION, **changes}, training=False)
    return {name: np.asarray(value) for name, value in outputs.items()}


def test_flux_scale_shifts_mu_exactly(network, images):
    """Ten times the flux must be 2.5 mag brighter, and nothing else may change."""
    one, ten = _run(network, images), _run(network, 10 * images)
    np.testing.assert_allclose(one["mu"] - ten["mu"], 2.5, atol=1e-3)
    for name in ("mu_err", "ellipticity", "sma", "x0", "y0"):
        np.testing.assert_allclose(one[name], ten[name], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(one["sky"] * 10, ten["sky"], rtol=1e-3, atol=1e-3)


def test_zero_point_and_pixel_scale_only_convert(network, images):
    """A zero point would change a geometry, or a pixel scale a magnitude."""
    one = _run(network, images)
    other = _run(network, images, zero_point=np.float32([25, 25]), pixel_scale=np.float32([0.2, 0.2]))
    np.testing.assert_allclose(other["mu"] - one["mu"], 2.5 + 5 * np.log10(0.2 / 0.4), atol=1e-4)
    np.testing.assert_allclose(other["sma"], one["sma"] / 2, rtol=1e-6)
    np.testing.assert_allclose(other["mag_total"] - one["mag_total"], 2.5, atol=1e-4)


def test_quarter_turn():
    """A turned image would get another profile: scalars must stay, ellipses and displacements must turn, exactly."""
    looks = keras.Input((64, 32, 6))
    features, half = polar_unet(looks, (8, 12, 12, 12), (0, 1, 1, 1), "test", "float32")
    vectors, displacements = p2p.HarmonicPool()(features), p2p.HarmonicPool(harmonic=1)(features)
    model = keras.Model(looks, [vectors, p2p.RingPool()(half), displacements])
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.05, variable.shape))
    x = rng.normal(size=(1, 64, 32, 6)).astype("float32")
    straight, turned = model(x), model(np.roll(x, 8, axis=2))  # 8 of 32 angles: 90 degrees, so twice that is 180
    np.testing.assert_allclose(turned[0], -straight[0], atol=1e-5)
    np.testing.assert_allclose(turned[1], straight[1], atol=1e-5)
    right, up = straight[2][..., 0], straight[2][..., 1]
    np.testing.assert_allclose(turned[2], np.stack([-up, right], -1), atol=1e-5)


def test_nan_and_inf_pixels_are_the_same(network, images):
    """Masked pixels would leak into the answer."""
    a, b = images.copy(), images.copy()
    a[:, 20:30, 80:100], b[:, 20:30, 80:100] = np.nan, -np.inf
    one, other = _run(network, a), _run(network, b)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize("shape", [(48, 48), (61, 200), (512, 300)])
def test_any_size(network, shape):
    """Some image size would crash or give NaN."""
    image = np.random.default_rng(2).normal(0, 1, (2, *shape)).astype("float32")
    for name, value in _run(network, image).items():
        assert np.isfinite(value.astype("float32")).all(), name


@pytest.mark.parametrize(
    "image",
    [np.full((2, 64, 64), np.nan), np.zeros((2, 64, 64)), np.full((2, 64, 64), 1e30), np.full((2, 64, 64), -5.0)],
    ids=["masked", "zero", "huge", "negative"],
)
def test_hopeless_images_stay_finite(image):
    """A hopeless image would poison the others of its batch, or crash a server."""
    model = build_model("isophote", **SMALL)
    outputs = model({"image": image.astype("float32"), **CALIBRATION}, training=False)
    for name, value in outputs.items():
        assert np.isfinite(np.asarray(value, "float32")).all(), name


def test_unknown_names():
    """A typing error in a setting would train something else silently."""
    with pytest.raises(UsageError, match="isophote"):
        build_network("isophot")
    with pytest.raises(UsageError, match="filters"):
        build_network("isophote", filter=(1, 2))
