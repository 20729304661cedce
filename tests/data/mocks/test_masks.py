"""Masks: each pattern is what its name says, never more than half of an image, and the target's centre stays."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.masks import MAX_SHARE, PATTERNS, SHARES, draw_mask
from p2p_keras.data.mocks.scene import simulate_galaxy

SIDE = 96


def masks_of(kind, count=60):
    """Masks of one pattern."""
    return [draw_mask(SIDE, 47.1, 49.8, 3.0, np.random.default_rng(i), kind) for i in range(count)]


@pytest.mark.parametrize("kind", list(PATTERNS))
def test_share_and_centre(kind):
    """Images would be masked beyond use, or a target be asked for that isn't there."""
    shares = []
    for masked in masks_of(kind):
        assert masked is not None and masked.shape == (SIDE, SIDE) and masked.dtype == bool
        shares.append(masked.mean())
        if kind in ("gaps", "discs", "border", "corners", "third"):
            assert not masked[49:51, 46:49].any()
    assert max(shares) <= MAX_SHARE + 0.03
    assert np.mean(shares) > 0.01, "the pattern hardly masks anything"
    assert len({round(share, 4) for share in shares}) > 5, "always the same mask"


def test_patterns_are_what_they_are_called():
    """A pattern that breaks models, such as every seventh column, would never be trained on."""
    for masked in masks_of("columns", 20):
        assert np.all(masked == masked[:1])
    for masked in masks_of("rows", 20):
        assert np.all(masked == masked[:, :1])
    for masked in masks_of("grid", 20):
        lines = np.flatnonzero(masked.all(axis=0))
        assert lines.size >= 3 and len(set(np.diff(lines))) == 1 and masked.all(axis=1).any()
    shares = [masked.mean() for masked in masks_of("random", 100)]
    assert min(shares) < 0.01 and max(shares) > 0.3


def test_none_and_any():
    """`--masks none` would still mask, or `any` never leave an image whole."""
    assert masks_of("none", 1) == [None]
    drawn = masks_of("any", 600)
    assert np.mean([masked is None for masked in drawn]) == pytest.approx(SHARES["none"], abs=0.06)


def test_masks_change_nothing_else():
    """Pixels under a mask would be lost for the truth, or pixels beside it differ."""
    plain = simulate_galaxy("sdss", 4, 5, size=96, band="r", extras=Extras(masks="none"))
    masked = simulate_galaxy("sdss", 4, 5, size=96, band="r", extras=Extras(masks="grid"))
    seen = np.isfinite(masked.image) & np.isfinite(plain.image)
    assert 0.4 < seen.mean() < 0.95
    np.testing.assert_array_equal(masked.image[seen], plain.image[seen])
    np.testing.assert_array_equal(masked.mu, plain.mu)


def test_unknown_pattern_is_named():
    """A typing error would leave all images without a mask."""
    with pytest.raises(UsageError, match=r"masks 'dots' is unknown; known are survey, any, none, columns"):
        Extras(masks="dots")
