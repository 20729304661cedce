"""Images that a program padded at a frame's edge: what was copied isn't measured."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.images import GalaxyImage
from p2p_keras.images.padding import copied_borders


def galaxy(height=96, width=80, *, noise=0.05, seed=1) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(float)
    light = 20 * np.exp(-np.hypot(x - width / 2, (y - height / 2) / 0.7) / 6)
    return (light + np.random.default_rng(seed).normal(0, noise, light.shape)).astype(np.float32)


@pytest.mark.parametrize("mode", ["edge", "mean", "median", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("widths", [((20, 0), (0, 0)), ((0, 0), (0, 24)), ((12, 0), (9, 0)), ((8, 11), (14, 5))])
def test_padding_is_ignored_and_nothing_else_hidden(mode, widths):
    """A galaxy at a frame's edge, its missing part filled with copies, would get their light in its total."""
    image = galaxy()
    padded = np.pad(image, widths, mode=mode)
    hidden = copied_borders(padded)
    inside = np.zeros(padded.shape, dtype=bool)
    inside[
        widths[0][0] : padded.shape[0] - widths[0][1] or None, widths[1][0] : padded.shape[1] - widths[1][1] or None
    ] = True
    assert hidden[~inside].all()
    if mode == "wrap":  # both copies: nothing tells which is the original
        rows, columns = (sum(pair) for pair in widths)
        assert hidden[inside].sum() == inside.sum() - (96 - rows) * (80 - columns)
    else:
        assert hidden[inside].sum() <= (2 * sum(map(sum, widths)) + 4 * 96 if mode == "edge" else 0)


@pytest.mark.parametrize(
    "image",
    [
        galaxy(),
        galaxy(noise=0.0),  # symmetric about its middle
        np.roll(galaxy(95, 79, noise=0.0), (-20, 9), (0, 1)),
        galaxy().repeat(2, axis=0).repeat(2, axis=1),
        galaxy().repeat(4, axis=0).repeat(4, axis=1),
        np.roll(galaxy(), 30, axis=0),
        np.random.default_rng(2).poisson(0.02, (96, 80)).astype(np.float32),
        np.where(np.arange(80) < 20, np.nan, galaxy()),
    ],
    ids=["noise", "model", "model-off-centre", "enlarged-2", "enlarged-4", "rolled", "photons", "nan"],
)
def test_images_without_padding_keep_all_pixels(image):
    """Sky of photon counts, models and enlarged images have equal rows that nobody copied."""
    assert copied_borders(image.astype(np.float32)) is None


def test_the_user_is_told():
    """Pixels that are left out without a word would puzzle whoever compares the mask."""
    padded = np.pad(galaxy(), ((0, 0), (0, 24)), mode="symmetric")
    image = GalaxyImage.from_array(padded, zero_point=22.5, pixel_scale=0.4)
    assert np.isnan(image.pixels[:, 80:]).all()
    assert not np.isnan(image.pixels[:, :80]).any()
    assert any("repeat others exactly" in note for note in image.notes)
