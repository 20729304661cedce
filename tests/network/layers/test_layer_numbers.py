"""What the layers compute is what they say."""

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.core import ellipse
from p2p_keras.core.radii import NUM_RADII as K
from p2p_keras.core.radii import grid_px
from p2p_keras.network import layers as p2p
from p2p_keras.network.layers.geometry import angle_terms


@pytest.fixture
def noise():
    return np.random.default_rng(3).normal(0, 2.5, (2, 256, 256)).astype("float32")


def test_pyramid_reads_white_noise(noise):
    """Uncertainties and everything in noise units would be scaled wrongly."""
    *_, log_noise = p2p.ImagePyramid()(noise)
    # The quiet quarter lies a little below the mean, by design the same way for every image.
    np.testing.assert_allclose(np.exp(log_noise), 2.5, rtol=0.2)


def test_noise_is_not_fooled_by_resampling(noise):
    """Resampled surveys share noise between pixels: a level read off neighbours would come out far too low."""
    smooth = 0.25 * (noise + np.roll(noise, 1, 1) + np.roll(noise, 1, 2) + np.roll(noise, (1, 1), (1, 2)))
    *_, white = p2p.ImagePyramid()(noise)
    *_, correlated = p2p.ImagePyramid()(smooth)
    assert np.all(np.exp(correlated - white) > 0.75)  # neighbours differ by only half as much


def test_masked_pixels_change_nothing(noise):
    """A star under a mask would leak into the profile."""
    bad = noise.copy()
    bad[:, 40:60, 70:90] = np.nan
    worse = noise.copy()
    worse[:, 40:60, 70:90] = np.inf
    for a, b in zip(p2p.ImagePyramid()(bad), p2p.ImagePyramid()(worse), strict=True):
        np.testing.assert_array_equal(a, b)


def test_sampler_interpolates_a_plane():
    """Positions would be off by a fraction of a pixel at some level of the pyramid."""
    y, x = np.mgrid[:128, :192].astype("float32")
    image = (0.5 * x + 0.25 * y)[None]
    pyramid = p2p.ImagePyramid()(image)
    px = np.random.default_rng(0).uniform(40, 90, (1, 6, 5)).astype("float32")
    py = np.random.default_rng(1).uniform(40, 90, (1, 6, 5)).astype("float32")
    width = np.array([[1, 1.9, 3, 6, 11, 16]], "float32")
    value, good, _ = p2p.PyramidSampler()(image, *pyramid, px, py, width)
    np.testing.assert_allclose(value * np.exp(pyramid[2]), 0.5 * px + 0.25 * py, rtol=1e-4)
    np.testing.assert_allclose(good, 1.0, atol=1e-5)


def test_sampler_knows_the_edge():
    """Pixels outside the image would count as sky of level zero."""
    image = np.ones((1, 64, 64), "float32")
    pyramid = p2p.ImagePyramid()(image)
    x = np.array([[[-0.6, 0.0, 63.0, 63.6]]], "float32")
    _, good, _ = p2p.PyramidSampler()(image, *pyramid, x, np.full_like(x, 30.0), np.ones((1, 1), "float32"))
    np.testing.assert_array_equal(np.asarray(good)[0, 0] > 0, [False, True, True, False])


@pytest.mark.parametrize("true", [(0.3, 0.1), (-0.2, 0.25), (0.0, 0.0)])
def test_harmonics_find_the_ellipse(true):
    """The classical correction would drive ellipses away from the isophotes."""
    start = (true[0] * 0.8 + 0.02, true[1] * 0.8 - 0.03)
    sma = grid_px(256).astype("float32")
    cos_t, sin_t = angle_terms(64)
    dx, dy = ellipse.points(sma[:, None], *start, cos_t, sin_t)
    # Elliptical radius of the points in the true ellipse, by the inverse of its stretch.
    det = 1 - true[0] ** 2 - true[1] ** 2
    u = ((1 - true[0]) * dx - true[1] * dy) / det
    v = (-true[1] * dx + (1 + true[0]) * dy) / det
    radius = np.hypot(u, v) * (1 + np.hypot(*true))
    value = (3000 * np.exp(-radius / 20)).astype("float32")[None]
    e = np.broadcast_to(np.float32(start), (1, K, 2))
    for _ in range(3):
        weight = np.full((1, K, 64), 1 / 64, "float32")
        wanted = p2p.IntensityHarmonics(widths=(1,))(value, weight, sma[None])[:, :, 0]
        e = np.asarray(p2p.EllipseCorrection()(e, wanted))
        dx, dy = ellipse.points(sma[:, None], e[0, :, :1], e[0, :, 1:], cos_t, sin_t)
        u = ((1 - true[0]) * dx - true[1] * dy) / det
        v = (-true[1] * dx + (1 + true[0]) * dy) / det
        value = (3000 * np.exp(-np.hypot(u, v) * (1 + np.hypot(*true)) / 20)).astype("float32")[None]
    np.testing.assert_allclose(e[0, 20:58], np.broadcast_to(true, (38, 2)), atol=5e-3)


def test_dipoles_find_the_centre():
    """Rings would push the centre away from the galaxy, or along the wrong axis of an inclined one."""
    e, true = np.float32([0.3, 0.1]), np.array([64.0, 60.0])
    centre = np.float32([[67.0, 62.0]])
    sma = grid_px(128).astype("float32")[None]
    shape = np.broadcast_to(e, (1, K, 2))
    det = 1 - e @ e
    for _ in range(4):
        x, y, _ = p2p.EllipsePoints(64)(centre, sma, shape)
        dx, dy = np.asarray(x) - true[0], np.asarray(y) - true[1]
        u, v = ((1 - e[0]) * dx - e[1] * dy) / det, (-e[1] * dx + (1 + e[0]) * dy) / det
        value = (3000 * np.exp(-np.hypot(u, v) * (1 + np.hypot(*e)) / 15)).astype("float32")
        weight = np.full((1, K, 64), 1 / 64, "float32")
        wanted = p2p.IntensityHarmonics(widths=(7,), harmonic=1)(value, weight, sma)[:, :, 0]
        far = np.where(np.asarray(sma) > 8, 0.0, -1e4)[..., None].astype("float32")  # rings that surround both centres
        centre = np.asarray(p2p.MovedCentre()(centre, sma, shape, wanted, far))
    np.testing.assert_allclose(centre[0], true, atol=0.05)


def test_centres_are_put_off_in_training_only():
    """A measurement would be another each time, or training wouldn't learn to find a centre again."""
    layer = p2p.CentreJitter(share=0.5, largest=0.05)
    centre, image = np.full((4000, 2), 50.0, "float32"), np.zeros((4000, 1, 100), "float32")
    np.testing.assert_array_equal(layer(centre, image), centre)
    distance = np.hypot(*(np.asarray(layer(centre, image, training=True)) - centre).T)
    assert 0.45 < (distance > 0).mean() < 0.55
    assert 4.9 < distance.max() < 5.001 and 0.249 < distance[distance > 1e-3].min() < 0.3


def test_attention_sums_to_one_and_ignores_masked_samples():
    """Stars under a mask would pull the copied intensity."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, K, 32)).astype("float32")
    value = rng.normal(5, 1, size=(1, K, 64)).astype("float32")
    good = (rng.random((1, K, 64)) > 0.3).astype("float32")
    good[0, 5] = 0.0
    weight, intensity, number, covered = p2p.AngularAttention()(logits, value, good)
    sums = np.asarray(weight).sum(-1)[0]
    np.testing.assert_allclose(np.delete(sums, 5), 1.0, atol=1e-5)
    assert np.all(np.asarray(weight)[good == 0] == 0)
    assert number[0, 5] == 0 and intensity[0, 5] == 0 and covered[0, 5] == 0
    wild = np.where(good > 0, value, 1e6).astype("float32")
    np.testing.assert_array_equal(p2p.AngularAttention()(logits, wild, good)[1], intensity)


def test_polar_convolution_is_circular():
    """A feature at angle 0 would be seen differently from one at 180 degrees."""
    x = np.random.default_rng(0).normal(size=(1, 16, 32, 3)).astype("float32")
    layer = p2p.PolarConv2D(4)
    rolled = layer(np.roll(x, 5, axis=2))
    np.testing.assert_allclose(rolled, np.roll(layer(x), 5, axis=2), atol=1e-5)


def test_attention_between_two_angles():
    """Samples between two angles would have another's weight: the profile would follow its neighbour's mask."""
    logits = np.log(np.float32([[[1.0, 4.0, 16.0, 64.0]]]))
    value, good = np.zeros((1, 1, 8), "float32"), np.ones((1, 1, 8), "float32")
    weight = np.asarray(p2p.AngularAttention()(logits, value, good)[0])[0, 0]
    expected = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 8.0])  # the last lies between the fourth and the first
    np.testing.assert_allclose(weight, expected / expected.sum(), rtol=1e-5)
    for samples in (12, 6, 2):
        with pytest.raises(ValueError, match=f"{samples} samples came for 4 angles"):
            p2p.AngularAttention()(logits, np.zeros((1, 1, samples), "float32"), np.ones((1, 1, samples), "float32"))


def _physical_inputs(log_intensity):
    sma = grid_px(256).astype("float32")[None]
    return {
        "log_intensity": log_intensity,
        "log_scale": np.full((1, K), -4.0, "float32"),
        "sma": sma,
        "e": np.zeros((1, K, 2), "float32"),
        "centre": np.array([[127.5, 127.5]], "float32"),
        "sky": np.zeros(1, "float32"),
        "log_noise": np.float32([-4.0]),
        "mag_correction": np.zeros((1, 1), "float32"),
        "zero_point": np.float32([22.5]),
        "pixel_scale": np.float32([0.396]),
    }


def test_physical_growth_is_the_shared_curve():
    """The graph's curve of growth would differ from the tables' and the labels'."""
    from p2p_keras.core.growth import curve_of_growth
    from p2p_keras.core.units import mag_from_flux, mu_from_intensity

    sma = grid_px(256)
    intensity = 500 * np.exp(-sma / 12)
    out = p2p.PhysicalProfile()(_physical_inputs(np.log(intensity)[None].astype("float32")))
    flux = intensity * np.exp(-4.0)
    np.testing.assert_allclose(out["mu"][0], mu_from_intensity(flux, 22.5, 0.396), atol=2e-5)
    np.testing.assert_allclose(out["growth"][0], mag_from_flux(curve_of_growth(sma, flux, 0 * sma), 22.5), atol=1e-3)


def test_valid_ends_by_the_one_rule():
    """Predictions would end elsewhere than labels do."""
    from p2p_keras.core.extent import SNR_MIN, SURE_MIN, annulus_snr, profile_extent
    from p2p_keras.core.units import FILL_MU, MAG_PER_RELATIVE_ERROR

    sma = grid_px(256)
    log_intensity = np.linspace(6, -6, K, dtype="float32")
    # Sure of everything: white noise ends it; unsure from the middle on: that does.
    for log_scale, limit in ((np.full(K, -4.0), 1e9), (np.linspace(-6, 6, K), 1.0)):
        inputs = _physical_inputs(log_intensity[None])
        inputs["log_scale"] = log_scale[None].astype("float32")
        profile = p2p.PhysicalProfile()(inputs)
        out = p2p.ValidProfile()(profile, np.ones((1, K), "float32"))
        white = annulus_snr(np.exp(log_intensity), sma, np.asarray(profile["ellipticity"])[0], 1.0)
        sure = MAG_PER_RELATIVE_ERROR / np.asarray(profile["mu_err"])[0] * SNR_MIN / SURE_MIN
        extent = profile_extent(np.asarray(profile["sma"])[0], np.minimum(np.minimum(white, sure), 1e6))
        assert float(out["extent"][0]) == pytest.approx(extent, rel=1e-5)
        if limit > 1.0:
            assert extent == pytest.approx(profile_extent(np.asarray(profile["sma"])[0], white), rel=1e-5)
        else:
            assert extent < profile_extent(np.asarray(profile["sma"])[0], white)
    valid = np.asarray(out["valid"])[0]
    assert 5 < valid.sum() < K - 5 and np.all(np.diff(valid.astype(int)) <= 0)
    assert np.all(np.asarray(out["mu"])[0][~valid] == FILL_MU)
    tf.debugging.assert_all_finite(out["mu_err"], "fills must be finite")
