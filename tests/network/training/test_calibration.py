"""Honest uncertainties: what they may depend on."""

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.core import radii
from p2p_keras.core.growth import curve_of_growth
from p2p_keras.core.units import flux_from_mag, mag_from_flux
from p2p_keras.network import layers as p2p
from p2p_keras.network.layers.physical import CALIBRATION_KNOTS, SCALE_KNOTS, SNR_KNOTS
from p2p_keras.network.training.losses import growth_errors
from p2p_keras.network.training.uncertainty import calibrate, calibrate_errors


class _Network:
    """Answers a surface brightness of 20 everywhere, with the uncertainty and signal-to-noise ratio that it is told."""

    def __init__(self):
        self.layer = p2p.PhysicalProfile(by_snr=True, by_scale=True)
        self.layer.build(None)
        self.layers = [self.layer]

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


class _Doubtful:
    """Answers with errors that are twice as large as it says, and is bad twice as often."""

    def __init__(self, answers=()):
        self.answers = dict(answers)
        self.layer = p2p.ProfileErrors()
        self.layers = [self.layer]

    def __call__(self, inputs, training):
        assert training is False
        doubts = self.layer(inputs["of_rings"], inputs["of_galaxy"], inputs["e"])
        return {**doubts, **self.answers}


def test_all_other_uncertainties_become_honest():
    """Error bars of ellipticity, angle, growth, centre and total would hold another share of the truths than 68 %."""
    rng = np.random.default_rng(5)
    count = 1500
    shape = (count, radii.NUM_RADII)
    e = np.zeros((*shape, 2), "float32")
    e[..., 0] = 0.3
    of_galaxy = np.zeros((count, 3), "float32")
    inputs = {"of_rings": np.zeros((*shape, 2), "float32"), "of_galaxy": of_galaxy, "e": e}
    errors = {name: np.asarray(v) for name, v in _Doubtful().layer(*(inputs[n] for n in inputs)).items()}
    true_e = e + 2.0 * errors["e_scale"][..., None] * rng.laplace(size=e.shape)
    sma = np.tile(radii.grid_px(128.0), (count, 1)).astype("float32")
    mu = np.full(shape, 21.0, "float32") + 0.05 * np.arange(radii.NUM_RADII, dtype="float32")
    length = np.hypot(true_e[..., 0], true_e[..., 1])
    true_growth = mag_from_flux(curve_of_growth(sma, flux_from_mag(mu, 0.0), 2 * length / (1 + length)), 0.0)
    everywhere, always = tf.ones(shape, bool), tf.ones(count, bool)
    targets = {
        "mu": tf.constant(mu),
        "known": everywhere,
        "within": everywhere,
        "geometry_known": everywhere,
        "e1": tf.constant(true_e[..., 0], tf.float32),
        "e2": tf.constant(true_e[..., 1], tf.float32),
        "centre_known": always,
        "mag_known": always,
        **{name: tf.zeros(count) for name in ("x0", "y0", "mag_total")},
    }
    answers = {
        "sma": sma,
        "mu": mu + np.where(rng.random(count) < 0.15, 0.5, 0.0)[:, None].astype("float32"),
        "ellipticity": 2.0 * e[..., 0] / (1.0 + e[..., 0]),
        "pa": np.zeros(shape, "float32"),
        "growth": (true_growth + 2.0 * errors["growth_scale"] * rng.laplace(size=shape)).astype("float32"),
        **{name: 2.0 * errors["centre_scale"] * rng.laplace(size=count) for name in ("x0", "y0")},
        "mag_total": 2.0 * errors["mag_scale"] * rng.laplace(size=count),
    }
    error, weight = (np.asarray(v) for v in growth_errors(targets, answers))
    # Of the true curve of growth the graph gives what numpy gives.
    expected = np.abs(answers["growth"] - true_growth)
    np.testing.assert_allclose(error[weight > 0], np.minimum(expected, 3.0)[weight > 0], atol=2e-3)
    network = _Doubtful(answers)
    calibrate_errors(network, [(inputs, targets)])
    after = {name: np.asarray(value) for name, value in network(inputs, training=False).items()}
    residuals = {
        "ellipticity_err": after["ellipticity"] - 2 * length / (1 + length),
        "growth_err": after["growth"] - true_growth,
        "x0_err": after["x0"],
        "mag_total_err": after["mag_total"],
    }
    for name, residual in residuals.items():
        assert np.mean(np.abs(residual) < after[name]) == pytest.approx(0.683, abs=0.04), name
    assert after["p_bad"].mean() == pytest.approx(0.15, abs=0.03)
