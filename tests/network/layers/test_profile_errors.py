"""Uncertainties beside mu's: what they are in physical units, and what their calibration may do."""

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.core.ellipse import angles_from_vector
from p2p_keras.network import layers as p2p
from p2p_keras.network.layers.physical import LAPLACE_ONE_SIGMA
from p2p_keras.network.layers.profile_errors import ERROR_KNOTS, FIRST_GUESS, RANDOM_PA_ERROR
from p2p_keras.network.training.uncertainty import platt_scaling


def _errors(e, log_scale):
    """Outputs for ellipse vectors (N, 2) whose components' scales are exp(log_scale)."""
    of_rings = np.zeros((1, len(e), 2), "float32")
    of_rings[..., 0] = log_scale - FIRST_GUESS[0]
    outputs = p2p.ProfileErrors()(of_rings, np.zeros((1, 3), "float32"), np.asarray(e, "float32")[None])
    return {name: np.asarray(value)[0] for name, value in outputs.items()}


@pytest.mark.parametrize("modulus", [0.1, 0.3, 0.5])
def test_errors_of_the_ellipse_are_those_of_its_vector(modulus):
    """An error bar of the ellipticity or of the angle would be too small or too large, by how flat the galaxy is."""
    rng = np.random.default_rng(3)
    scale = 0.004
    vectors = np.array([modulus, 0.0]) + scale * rng.laplace(size=(200_000, 2))
    ellipticity, pa = angles_from_vector(vectors[:, 0], vectors[:, 1])
    true_ellipticity = 2.0 * modulus / (1.0 + modulus)
    turn = np.minimum(pa, 180.0 - pa)
    outputs = _errors([[modulus, 0.0]], np.log(scale))
    # 68 % of Laplace's errors; along the vector for the ellipticity, across it for the angle.
    assert np.mean(np.abs(ellipticity - true_ellipticity) < outputs["ellipticity_err"]) == pytest.approx(
        0.683, abs=0.02
    )
    assert np.mean(turn < outputs["pa_err"]) == pytest.approx(0.683, abs=0.03)


def test_a_circle_has_no_angle():
    """The angle of a round galaxy would have an error bar of thousands of degrees, or none."""
    outputs = _errors([[0.0, 0.0], [1e-5, 0.0]], np.log(0.01))
    np.testing.assert_allclose(outputs["pa_err"], RANDOM_PA_ERROR, rtol=0.02)


def test_calibration_scales_each_error_alone():
    """The calibration of one uncertainty would change another."""
    layer = p2p.ProfileErrors()
    inputs = (np.zeros((2, 64, 2), "float32"), np.zeros((2, 3), "float32"), np.full((2, 64, 2), 0.1, "float32"))
    before = {name: np.asarray(value) for name, value in layer(*inputs).items()}
    layer.calibration_growth_err.assign(np.full(len(ERROR_KNOTS["growth_err"]), np.log(2.0), "float32"))
    after = {name: np.asarray(value) for name, value in layer(*inputs).items()}
    np.testing.assert_allclose(after.pop("growth_err"), 2.0 * before.pop("growth_err"), rtol=1e-5)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)


def test_first_guess_is_a_sane_uncertainty():
    """Training would start from error bars of a thousand magnitudes."""
    outputs = _errors([[0.2, 0.1]], FIRST_GUESS[0])
    assert 0.005 < outputs["growth_err"] < 0.2
    assert outputs["growth_err"] == pytest.approx(LAPLACE_ONE_SIGMA * np.exp(FIRST_GUESS[1]), rel=1e-5)


def test_log_odds_become_frequencies():
    """Of profiles that are said to be bad in one case of ten, another share would be."""
    rng = np.random.default_rng(7)
    odds = rng.normal(-2.0, 2.0, 40_000)
    bad = rng.random(odds.size) < 1.0 / (1.0 + np.exp(-odds))
    # A network that is too sure of itself: its log-odds are thrice the true ones, and put off.
    slope, offset = platt_scaling(3.0 * odds + 1.0, bad)
    probability = 1.0 / (1.0 + np.exp(-(slope * (3.0 * odds + 1.0) + offset)))
    for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 1.0)):
        part = (probability >= low) & (probability < high)
        assert bad[part].mean() == pytest.approx(probability[part].mean(), rel=0.15)


@pytest.mark.parametrize("bad", [[False] * 20, [True] * 20, []])
def test_few_galaxies_give_no_certainty(bad):
    """A calibration on twenty good galaxies would promise that no profile is ever wrong."""
    scaling = platt_scaling(np.linspace(-3.0, 0.0, len(bad)), np.asarray(bad, bool))
    probability = 1.0 / (1.0 + np.exp(-(scaling[0] * np.array([-3.0, 0.0]) + scaling[1])))
    assert np.all((probability > 1e-4) & (probability < 1.0 - 1e-4))


def _trust(**changed):
    """What `TrustFeatures` makes of a plain galaxy, some inputs changed."""
    batch, radii = 1, 64
    heat = np.full((batch, 1024), -20.0, "float32")
    heat[:, 16 * 32 + 16] = 0.0
    inputs = {
        "image": np.zeros((batch, 128, 128), "float32"),
        "mu": np.linspace(20, 28, radii, dtype="float32")[None],
        "log_scale": np.full((batch, radii), -3.0, "float32"),
        "covered": np.ones((batch, radii), "float32"),
        "copied_features": np.zeros((batch, radii, p2p.CopiedFeatures.NUM_FEATURES), "float32"),
        "e": np.zeros((batch, radii, 2), "float32"),
        "e_first": np.zeros((batch, radii, 2), "float32"),
        "sky": np.zeros(batch, "float32"),
        "centre_heat": heat,
        **{name: np.full((batch, 2), 64.0, "float32") for name in ("centre_nearest", "centre_moved", "centre")},
        **changed,
    }
    layer = p2p.TrustFeatures()
    features = layer({name: tf.constant(value) for name, value in inputs.items()})
    assert tuple(features.shape) == layer.compute_output_shape({name: v.shape for name, v in inputs.items()})
    return np.asarray(features)[0]


def test_trust_sees_a_second_peak():
    """Two galaxies of equal light would look as sure as one."""
    heat = np.full((1, 1024), -20.0, "float32")
    heat[:, 16 * 32 + 16] = 0.0
    alone = _trust()
    heat[:, 16 * 32 + 24] = -0.1
    double = _trust(centre_heat=heat)
    assert abs(double - alone).max() > 0.3


def test_trust_is_finite_without_any_bright_radius():
    """A blank image would give NaN, and with it a refused request."""
    features = _trust(mu=np.full((1, 64), 40.0, "float32"), covered=np.zeros((1, 64), "float32"))
    assert np.isfinite(features).all()
