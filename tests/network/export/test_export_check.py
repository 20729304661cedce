"""The check after an export, on numbers that are wrong on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.contract import OUTPUTS
from p2p_keras.core.radii import NUM_RADII
from p2p_keras.network.export.check import MU_TOLERANCE, CheckError, compare


@pytest.fixture
def answer():
    """Outputs of two images; the outer half of the radii isn't valid."""
    outputs = {
        name: np.full((2, NUM_RADII) if output.radial else 2, 10.0, np.float32) for name, output in OUTPUTS.items()
    }
    outputs["ellipticity"][:], outputs["mu_err"][:] = 0.4, 0.05
    outputs["valid"] = np.broadcast_to(np.arange(NUM_RADII) < NUM_RADII // 2, (2, NUM_RADII)).copy()
    return outputs


def changed(answer, name, index, value):
    """A copy with one entry changed."""
    other = {key: array.copy() for key, array in answer.items()}
    other[name][index] = value
    return other


def test_equal_answers_pass(answer):
    """Every export would fail."""
    assert compare({"a": answer}, {"a": answer}, "x")["mu"] == 0.0


@pytest.mark.parametrize(
    ("name", "index", "value", "sentence"),
    [
        ("mu", (1, 3), 10.0 + 2 * MU_TOLERANCE, "mu by"),
        ("growth", (0, 0), 10.1, "growth by"),
        ("x0", 0, 10.5, "x0 by"),
        ("pa", (0, 1), 20.0, "pa by"),
        ("mu", (0, 60), np.nan, "mu is not finite"),
        ("sky", 1, np.inf, "sky is not finite"),
    ],
)
def test_a_difference_is_found(answer, name, index, value, sentence):
    """A converter's mistake would be shipped."""
    with pytest.raises(CheckError, match=sentence):
        compare({"a": answer}, {"a": changed(answer, name, index, value)}, "x")


def test_fill_values_may_differ(answer):
    """Noise under the sky, where nothing is claimed, would stop an export, or be told as a difference."""
    largest = compare({"a": answer}, {"a": changed(answer, "mu", (0, 60), 17.0)}, "x")
    assert set(largest.values()) == {0.0}
    # Of a radius that both call valid the same change is refused.
    with pytest.raises(CheckError, match="mu by 7"):
        compare({"a": answer}, {"a": changed(answer, "mu", (0, 6), 17.0)}, "x")


def test_position_angles_wrap(answer):
    """179.9999 and 0 degrees are the same axis."""
    first, second = changed(answer, "pa", (0, 0), 179.999), changed(answer, "pa", (0, 0), 0.001)
    assert compare({"a": first}, {"a": second}, "x")["pa"] < 0.01


def test_validity_is_compared(answer):
    """A form that calls nothing valid would agree with everything."""
    other = {**answer, "valid": np.zeros_like(answer["valid"])}
    with pytest.raises(CheckError, match="valid by"):
        compare({"a": answer}, {"a": other}, "x")


def test_nothing_valid_is_compared_everywhere(answer):
    """An untrained model, valid nowhere, would be compared with nothing."""
    blind = {**answer, "valid": np.zeros_like(answer["valid"])}
    with pytest.raises(CheckError, match="mu by"):
        compare({"a": blind}, {"a": changed(blind, "mu", (0, 60), 17.0)}, "x")


def test_a_missing_output_is_found(answer):
    """Clients would look for an output in vain."""
    with pytest.raises(CheckError, match="outputs are"):
        compare({"a": answer}, {"a": {key: value for key, value in answer.items() if key != "growth"}}, "x")
