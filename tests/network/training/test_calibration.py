"""Honest uncertainties: what they may depend on."""

import numpy as np
import tensorflow as tf

from p2p_keras.network import layers as p2p
from p2p_keras.network.layers.physical import CALIBRATION_KNOTS, SCALE_KNOTS, SNR_KNOTS
from p2p_keras.network.training.uncertainty import calibrate


class _Network:
    """Answers a surface brightness of 20 everywhere, with the uncertainty and signal-to-noise ratio that it is told."""

    def __init__(self):
        self.layer = p2p.PhysicalProfile(by_snr=True, by_scale=True)
        self.layer.build(None)

    def get_layer(self, name):
        assert name == "physical"
        return self.layer

    def __call__(self, inputs, training):
        assert training is False
        return {"mu": tf.fill(inputs["raw"].shape, 20.0), "mu_err": inputs["raw"], "snr": inputs["snr"]}


def test_uncertainties_are_honest_at_every_pixel_scale():
    """Error bars of deep surveys would be too large, and those of shallow ones too small."""
    rng = np.random.default_rng(0)
    shape = (4000, 64)
    raw = np.exp(rng.uniform(np.log(0.005), np.log(0.2), shape)).astype("float32")
    snr = np.exp(rng.uniform(np.log(4.0), np.log(1000.0), shape)).astype("float32")
    scale = rng.choice([0.17, 0.26, 0.396], shape[0]).astype("float32")
    # Of rings surer than 100 the error is half of what the network says, and at 0.396 arcsec twice.
    true = raw * np.where(snr > 100, 0.5, 1.0) * np.where(scale > 0.3, 2.0, 1.0)[:, None]
    inputs = {"raw": tf.constant(raw), "snr": tf.constant(snr), "pixel_scale": tf.constant(scale)}
    everywhere = tf.ones(shape, bool)
    targets = {
        "mu": tf.constant((20.0 + true * rng.standard_normal(shape)).astype("float32")),
        "known": everywhere,
        "within": everywhere,
    }
    network = _Network()
    calibrate(network, [(inputs, targets)])
    factor = sum(
        np.interp(np.log(position), knots, np.asarray(getattr(network.layer, name)))
        for name, knots, position in (
            ("calibration", CALIBRATION_KNOTS, raw),
            ("calibration_by_snr", SNR_KNOTS, snr),
            ("calibration_by_scale", SCALE_KNOTS, np.broadcast_to(scale[:, None], shape)),
        )
    )
    inside = np.abs(targets["mu"] - 20.0) <= raw * np.exp(factor)
    for part in (scale < 0.2, scale > 0.3):
        assert abs(inside[part].mean() - 0.683) < 0.03
