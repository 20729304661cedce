"""The shipped SavedModel in the oldest runtime that is promised: TensorFlow 2.15, the last of tensorflow-addons."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

SIZES = ("64x64", "128x96", "256x256")


@pytest.fixture(scope="module")
def reference():
    """Inputs and outputs of today's TensorFlow (tests/addons/reference.py)."""
    path = os.environ.get("P2P_ADDONS_REFERENCE")
    if not path:
        pytest.fail("P2P_ADDONS_REFERENCE names no file: run this lane by `make test-addons`")
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def serving_default(reference):
    """The signature, loaded by this TensorFlow."""
    model = tf.saved_model.load(str(reference["model"]))
    return model, model.signatures["serving_default"]


def test_lane_is_the_old_one():
    """The lane would test today's TensorFlow against itself."""
    import tensorflow_addons as tfa

    assert tf.__version__.startswith("2.15.")
    assert tfa.__version__.startswith("0.23.")


@pytest.mark.parametrize("size", SIZES)
def test_answers_are_the_same(reference, serving_default, size):
    """Somebody's server of an older TensorFlow would refuse the model, or measure other profiles."""
    _, serve = serving_default
    prefix = f"{size}/in/"
    inputs = {name.removeprefix(prefix): value for name, value in reference.items() if name.startswith(prefix)}
    outputs = serve(**{name: tf.constant(value) for name, value in inputs.items()})
    prefix = f"{size}/out/"
    expected = {name.removeprefix(prefix): value for name, value in reference.items() if name.startswith(prefix)}
    assert set(outputs) == set(expected)
    valid = expected["valid"]
    np.testing.assert_array_equal(outputs["valid"], valid)
    assert valid.any()
    for name, value in expected.items():
        assert np.isfinite(outputs[name]).all(), name
        rows = valid if value.shape == valid.shape else ...
        answer, wanted = outputs[name].numpy()[rows], value[rows]
        if name == "pa":
            # An angle modulo 180 degrees: 1e-4 of its range, wherever zero lies (0.4 and 180.4 are the same axis).
            answer, wanted = (answer - wanted + 90.0) % 180.0 - 90.0 + 180.0, np.full_like(wanted, 180.0)
        np.testing.assert_allclose(answer, wanted, rtol=1e-4, atol=1e-4, err_msg=name)
