"""Entries of a model's answer where nothing is claimed: one value for each output, wherever it is filled in."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras import Predictor
from p2p_keras.core import units
from p2p_keras.core.contract import OUTPUTS
from p2p_keras.core.errors import P2PError
from p2p_keras.core.radii import NUM_RADII
from p2p_keras.evaluation.classical import stacked_outputs
from p2p_keras.images import GalaxyImage
from p2p_keras.network import layers
from p2p_keras.network.export.signatures import finite_outputs

FLOAT_OUTPUTS = tuple(name for name in OUTPUTS if name != "valid")
FILLED = ("mu", "mu_err", "ellipticity", "pa", "growth")


def test_layers_and_signatures_fill_alike():
    """One client would find 10 mag for an uncertainty that isn't claimed, another 40: neither could test for it."""
    ring, whole = np.ones((1, NUM_RADII), np.float32), np.ones(1, np.float32)
    profile = {name: ring if OUTPUTS[name].radial else whole for name in FLOAT_OUTPUTS} | {"snr": 0.0 * ring}
    by_layer = layers.ValidProfile()(profile, 0.0 * ring)
    assert not np.asarray(by_layer["valid"]).any()
    lost = {name: tf.constant(np.nan * np.asarray(profile[name])) for name in FLOAT_OUTPUTS}
    by_signature = finite_outputs(lost | {"valid": tf.constant(ring > 0)}, tf.zeros((1, 48, 48)))
    for name in FILLED:
        np.testing.assert_array_equal(by_layer[name], by_signature[name], err_msg=name)
        np.testing.assert_array_equal(by_layer[name], OUTPUTS[name].fill, err_msg=name)
    assert OUTPUTS["mu_err"].fill == units.FILL_MU_ERR


def test_padded_profiles_are_filled_alike():
    """A classical fitter's answers would be padded by other values than a model's."""
    short, long = ({name: np.ones(n) for name in (*FILLED, "sma")} | {"valid": np.ones(n, bool)} for n in (2, 3))
    stacked = stacked_outputs([short, long])
    for name in FILLED:
        assert stacked[name][0, 2] == OUTPUTS[name].fill, name


def test_the_shipped_model_has_these_fills():
    """The contract would name fills that the shipped model doesn't give."""
    try:
        predictor = Predictor.load()
    except P2PError as error:
        pytest.skip(str(error))
    noise = np.random.default_rng(1).normal(size=(64, 64)).astype(np.float32)
    raw = predictor.run([GalaxyImage.from_array(noise, zero_point=22.5, pixel_scale=0.4)])
    unclaimed = ~np.asarray(raw["valid"])
    assert unclaimed.any()
    for name in FILLED:
        np.testing.assert_array_equal(np.asarray(raw[name])[unclaimed], OUTPUTS[name].fill, err_msg=name)
