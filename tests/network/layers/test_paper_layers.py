"""What the paper's networks are shown, and their captions on the contract's radii."""

import numpy as np
import pytest

from p2p_keras.core import radii, units
from p2p_keras.network import layers as p2p
from p2p_keras.network.training.captions import SKY_STEPS, caption_targets

SIDE = 128
IMAGE = np.zeros((1, SIDE, SIDE), "float32")


def profile(radius):
    """A core under the PSF and a disc, mag arcsec^-2."""
    return -2.5 * np.log10((1 + (radius / 3.0) ** 2) ** -2.5 * 400 + 30 * np.exp(-np.hypot(radius, 1.2) / 9)) + 24


def targets(extent=50.0):
    grid = radii.grid_px(SIDE)
    return {
        "mu": profile(grid)[None].astype("float32"),
        "known": np.ones((1, radii.NUM_RADII), bool),
        "within": (grid <= extent)[None],
    }


def test_caption_and_grid_agree():
    """Labels would be taught at wrong radii, or answers put at others than they are of."""
    grid = radii.grid_px(SIDE)
    caption, known = (np.asarray(v) for v in caption_targets(targets(), IMAGE))
    last = grid[grid <= 50].max()
    steps = np.arange(caption.shape[1], dtype="float32") + radii.SMA_MIN_PX
    assert caption.shape[1] == radii.caption_length(SIDE) + SKY_STEPS and known.all()
    np.testing.assert_allclose(
        units.mu_from_caption(caption[0][steps <= last]), profile(steps[steps <= last]), atol=0.01
    )
    np.testing.assert_allclose(units.mu_from_caption(caption[0][steps > last]), units.SKY_MU, atol=1e-5)

    exact = units.caption_from_mu(profile(steps))[None].astype("float32")
    mu, inside = p2p.CaptionToGrid()(exact, np.float32([51]), grid[None].astype("float32"))
    np.testing.assert_allclose(mu[0], profile(grid), atol=0.03)
    np.testing.assert_array_equal(inside[0], grid <= 50.5)


def test_unknown_labels_are_not_taught():
    """Radii that a label doesn't reach would be taught as its fill value."""
    given = targets()
    given["known"][0, :30] = False
    caption, known = (np.asarray(v) for v in caption_targets(given, IMAGE))
    steps = np.arange(caption.shape[1], dtype="float32") + radii.SMA_MIN_PX
    np.testing.assert_array_equal(known[0], steps >= radii.grid_px(SIDE)[30])


def test_image_is_clipped_like_numpys_percentile(rng):
    """The paper's pre-processing: clip at the 99.9th percentile, here of the pixels that aren't masked."""
    image = np.exp(rng.normal(0, 1, (3, 70, 50))).astype("float32")
    image[1, 10:40] = np.nan
    image[2] = np.inf
    shown = np.asarray(p2p.PaperImage()(image, np.float32([22.5] * 3), np.float32([0.396] * 3)))[..., 0]
    for i in range(2):
        good = np.isfinite(image[i])
        limit = np.percentile(image[i][good], 99.9)
        np.testing.assert_allclose(shown[i][good], np.minimum(image[i][good], limit), rtol=1e-5)
        assert np.all(shown[i][~good] == 0)
    assert np.all(shown[2] == 0)


@pytest.mark.parametrize("layer", [p2p.PaperImage, p2p.AsinhImage])
@pytest.mark.parametrize(("zero_point", "pixel_scale"), [(25.0, 0.396), (22.5, 0.2), (27.0, 0.168)])
def test_surveys_are_shown_alike(zero_point, pixel_scale, layer, rng):
    """Equal surface brightness would be another input in another survey."""
    mu = rng.uniform(18, 26, (1, 64, 64))
    numbers = [
        np.asarray(layer()(units.intensity_from_mu(mu, zp, ps).astype("float32"), np.float32([zp]), np.float32([ps])))
        for zp, ps in ((22.5, 0.396), (zero_point, pixel_scale))
    ]
    np.testing.assert_allclose(*numbers, rtol=1e-4)


def test_cross_attention_gives_nothing_to_masked_positions(rng):
    """Masked pixels would be looked at, or an image that is all masked give NaN."""
    layer = p2p.CrossAttention(8, 2)
    queries, tokens = rng.normal(size=(2, 5, 8)).astype("float32"), rng.normal(size=(2, 7, 8)).astype("float32")
    mask = np.ones((2, 7), "float32")
    mask[0, 2:4], mask[1] = 0, 0
    out, attention = layer(queries, tokens, mask)
    np.testing.assert_allclose(np.asarray(attention).sum(-1), [[1] * 5, [0] * 5], atol=1e-6)
    assert np.all(np.asarray(attention)[0, :, 2:4] == 0)
    wild = np.where(mask[..., None] > 0, tokens, 1e6).astype("float32")
    np.testing.assert_array_equal(layer(queries, wild, mask)[0], out)


def test_tokens_lie_where_their_pixels_are():
    """Attention would be drawn beside the pixels that had it."""
    image = np.zeros((1, 40, 70), "float32")
    image[0, 16:32, 32:48] = np.nan
    image[0, :8, :16] = np.inf
    maps = np.arange(3 * 5, dtype="float32").reshape(1, 3, 5, 1)
    tokens, mask, _, x, y = p2p.ImageTokens(16)(image, maps)
    np.testing.assert_array_equal(tokens[0, :, 0], np.arange(15))
    np.testing.assert_allclose(x[0, :5], [7.5, 23.5, 39.5, 55.5, 71.5])
    np.testing.assert_allclose(y[0, ::5], [7.5, 23.5, 39.5])
    assert mask[0, 7] == 0 and mask[0, 0] == 0.5 and mask[0, 6] == 1
    np.testing.assert_allclose(mask[0, 14], (8 * 6) / 256)
