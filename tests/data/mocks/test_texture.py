"""The random patches of arms, irregular galaxies and dust lanes."""

import numpy as np
import pytest

from p2p_keras.data.mocks.texture import Texture


def polar(texture: Texture, radius: float, angle: np.ndarray) -> np.ndarray:
    """Values on a circle."""
    x, y = (radius * f(angle).astype(np.float32) for f in (np.cos, np.sin))
    return texture.values(x, y, np.full_like(x, radius))


@pytest.mark.parametrize("period", [0.0, 6.0])
def test_field_has_mean_zero_and_unit_scatter(period):
    """`strength` would mean another contrast than it says, and discs would gain or lose light by their patches."""
    y, x = np.mgrid[-6:6:0.02, -6:6:0.02].astype(np.float32)
    fields = [Texture(seed, 0.5, period=period).values(x, y, np.hypot(x, y)) for seed in range(6)]
    assert np.mean(fields) == pytest.approx(0.0, abs=0.15)
    assert np.std(fields) == pytest.approx(1.0, abs=0.15)


def test_no_seam_where_the_angle_jumps():
    """A straight edge from the centre to the left would run through every spiral."""
    step = 1e-4
    angle = np.array([np.pi - step, -np.pi + step])
    for seed in range(5):
        left, right = polar(Texture(seed, 0.5), 1.7, angle)
        assert left == pytest.approx(right, abs=0.01)


def test_patches_lie_along_the_arms():
    """Patches across the arms would look like noise laid over them: along their spiral the field changes least."""
    along, across = [], []
    angle = np.linspace(-3.0, 3.0, 400)
    for seed in range(12):
        texture = Texture(seed, 0.5, stretch=6.0, tan_pitch=0.4)
        for sign, kept in ((1.0, along), (-1.0, across)):
            radius = np.exp(0.4 * sign * angle).astype(np.float32)
            values = texture.values(radius * np.cos(angle), radius * np.sin(angle), radius)
            kept.append(np.mean(np.diff(values) ** 2))
    assert np.mean(along) < 0.4 * np.mean(across)


def test_same_seed_same_field():
    """The bands of one galaxy would have other patches each."""
    angle = np.linspace(0.0, 6.0, 50)
    np.testing.assert_array_equal(polar(Texture(7, 0.5), 2.0, angle), polar(Texture(7, 0.9), 2.0, angle))
    assert not np.array_equal(polar(Texture(7, 0.5), 2.0, angle), polar(Texture(8, 0.5), 2.0, angle))
