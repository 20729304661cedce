"""The picture of which pixels made which radius: where weights lie, and what is said where there are none."""

import numpy as np
import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.core.model_files import keras_file
from p2p_keras.measure.attention import Attention
from p2p_keras.measure.outputs.attention_drawing import attention_drawer


def attention(width=4.0, samples=16, radius=12.0):
    """Two radii on circles about (20, 15)."""
    t = 2 * np.pi * np.arange(samples) / samples
    sma = np.array([radius / 2, radius])
    weight = np.full((2, samples), 1.0 / samples)
    return Attention(
        sma=sma,
        valid=np.ones(2, bool),
        weight=weight,
        x=20 + sma[:, None] * np.cos(t),
        y=15 + sma[:, None] * np.sin(t),
        width=np.full(2, width),
    )


def test_weights_lie_on_their_pixels():
    """A picture would show other pixels than those that made the radius."""
    good = np.ones((32, 40), bool)
    maps = attention(width=1.0).on_pixels(good)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1.0)
    y, x = np.nonzero(maps[0])
    assert np.abs(np.hypot(x - 20, y - 15) - 6).max() < 1.6
    np.testing.assert_allclose([(maps[0] * v).sum() for v in np.mgrid[:32, :40]], [15, 20], atol=0.3)


def test_masked_pixels_are_never_shown():
    """Masked stars would seem to have been looked at."""
    good = np.ones((32, 40), bool)
    good[10:20, 24:] = False
    maps = attention().on_pixels(good)
    assert np.all(maps[:, ~good] == 0)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), 1.0)


def test_models_without_attention_say_so(tmp_path):
    """--attention would end in a traceback, or draw the attention of another version."""
    for version in ("1", "2"):
        (tmp_path / "name" / version).mkdir(parents=True)
        (tmp_path / "name" / version / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UsageError, match=r"needs the Keras file.*model\.keras"):
        keras_file(tmp_path / "name")
    (tmp_path / "name" / "model.keras").write_bytes(b"")
    assert keras_file(tmp_path / "name" / "2") == tmp_path / "name" / "model.keras"
    with pytest.raises(UsageError, match="belongs to version 2"):
        keras_file(tmp_path / "name" / "1")
    with pytest.raises(UsageError, match="can't be loaded"):
        attention_drawer(tmp_path / "pictures", str(tmp_path / "name"), "png")
    with pytest.raises(UsageError, match="--server"):
        attention_drawer(tmp_path / "pictures", None, "png", server="localhost:8500")
