"""Honest uncertainties: factors on mu_err, fitted on galaxies held out of the training."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from p2p_keras.core.ellipse import angles_from_vector
from p2p_keras.network.layers.physical import CALIBRATION_KNOTS, ONE_SIGMA_SHARE
from p2p_keras.network.layers.profile_errors import ERROR_KNOTS, ProfileErrors
from p2p_keras.network.training.losses import growth_errors, is_bad

MIN_ELLIPTICITY = 0.05
"""Rounder ellipses have no angle to calibrate on."""

__all__ = ["calibration_factors", "reset_calibration", "calibrate"]

_PRIOR_RADII = 2000.0  # so many radii of the overall factor are mixed into each knot's own
_ROUNDS = 8


def calibration_factors(
    raw_error: np.ndarray, residual: np.ndarray, knots: np.ndarray = CALIBRATION_KNOTS
) -> np.ndarray:
    """ln factor at every knot that makes 68.27 % of residuals fall inside the uncertainty.

    Parameters
    ----------
    raw_error, residual : float arrays (N,)
        Uncalibrated mu_err and mu_pred - mu_true, mag; those that aren't finite are left out. (Or any other quantity,
        and the residual in units of its uncertainty times that quantity.)
    knots : float array (M,)
        ln of the raw uncertainty, or of that quantity.

    Returns
    -------
    float32 array (M,)
        The quantile of abs(residual) / raw_error among radii near each knot (hat weights), drawn towards the overall
        one where there are few. Zeros without data.
    """
    use = np.isfinite(raw_error) & np.isfinite(residual) & (raw_error > 0)
    position = np.clip(np.log(raw_error[use]), knots[0], knots[-1])
    ratio = np.abs(residual[use]) / raw_error[use]
    if ratio.size == 0:
        return np.zeros(len(knots), "float32")
    order = np.argsort(ratio)
    position, ratio = position[order], ratio[order]
    overall = np.log(max(_weighted_quantile(ratio, np.ones_like(ratio)), 1e-2))
    factors = []
    for i in range(len(knots)):
        hat = np.interp(position, knots, np.eye(len(knots))[i])
        own = np.log(max(_weighted_quantile(ratio, hat), 1e-2)) if hat.sum() > 0 else overall
        share = hat.sum() / (hat.sum() + _PRIOR_RADII)
        factors.append(share * own + (1.0 - share) * overall)
    return np.asarray(factors, "float32")


def _weighted_quantile(ranked: np.ndarray, weight: np.ndarray) -> float:
    cumulative = np.cumsum(weight)
    return float(ranked[min(np.searchsorted(cumulative, ONE_SIGMA_SHARE * cumulative[-1]), ranked.size - 1)])


def reset_calibration(network: keras.Model) -> None:
    """Set every factor to 1."""
    for weight in network.get_layer("physical").weights:
        weight.assign(np.zeros(weight.shape, "float32"))
    if layer := _errors_layer(network):
        for name in ERROR_KNOTS:
            weight = getattr(layer, f"calibration_{name}")
            weight.assign(np.zeros(weight.shape, "float32"))
        layer.calibration_bad.assign([1.0, 0.0])


def _errors_layer(network: keras.Model) -> keras.layers.Layer | None:
    """The layer of all other uncertainties and of `p_bad`; None for a network without it."""
    return next((layer for layer in network.layers if isinstance(layer, ProfileErrors)), None)


def _outputs(network: keras.Model, inputs: dict) -> dict[str, np.ndarray]:
    """What a network says of a batch."""
    arrays = {name: np.asarray(value) for name, value in inputs.items()}
    # One by one, JAX compiles each of a thousand operations; TensorFlow takes longer for a graph than it saves.
    jax = keras.config.backend() == "jax"
    outputs = network.predict_on_batch(arrays) if jax else network(arrays, training=False)
    return {name: ops.convert_to_numpy(value) for name, value in outputs.items()}


def calibrate_errors(network: keras.Model, batches: Iterable) -> None:
    """Fit the calibration of ellipticity, angle, curve of growth, centre, total magnitude and `p_bad`, in place.

    Does nothing for a network that has none of them. Each uncertainty gets factors by its own raw value. `p_bad` gets
    the slope and offset of the log-odds that make it most likely (Platt 1999), with his prior against certainty.
    """
    layer = _errors_layer(network)
    if layer is None:
        return
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in ERROR_KNOTS}
    logits: list[np.ndarray] = []
    bad: list[np.ndarray] = []
    for inputs, targets in batches:
        outputs = _outputs(network, inputs)
        true = {name: np.asarray(value) for name, value in targets.items()}
        within = true["known"] & true["within"]
        shaped = within & true["geometry_known"]
        ellipticity, pa = angles_from_vector(true["e1"], true["e2"])
        turn = np.abs(outputs["pa"] - pa)
        label, answer = ({name: ops.convert_to_tensor(v) for name, v in values.items()} for values in (true, outputs))
        growth_error, growth_known = (ops.convert_to_numpy(value) for value in growth_errors(label, answer))
        for name, residual, use in (
            ("ellipticity_err", outputs["ellipticity"] - ellipticity, shaped),
            ("pa_err", np.minimum(turn, 180.0 - turn), shaped & (ellipticity > MIN_ELLIPTICITY)),
            ("growth_err", growth_error, growth_known > 0),
            ("mag_total_err", outputs["mag_total"] - true["mag_total"], true["mag_known"]),
        ):
            pairs[name].append((outputs[name][use], residual[use]))
        for axis in ("x0", "y0"):
            use = true["centre_known"]
            pairs["centre_err"].append((outputs[f"{axis}_err"][use], (outputs[axis] - true[axis])[use]))
        known = true["known"].any(axis=1)
        logits.append(outputs["bad_logit"][known])
        bad.append(ops.convert_to_numpy(is_bad(label, ops.abs(answer["mu"] - label["mu"])))[known])
    for name, knots in ERROR_KNOTS.items():
        raw, residual = (np.concatenate(values) for values in zip(*pairs[name], strict=True))
        getattr(layer, f"calibration_{name}").assign(calibration_factors(raw, residual, knots))
    layer.calibration_bad.assign(platt_scaling(np.concatenate(logits), np.concatenate(bad)))


def platt_scaling(logits: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Slope and offset of the log-odds (N,) that make what happened, `bad` (N,), most likely; float32 (2,).

    Platt (1999), Probabilistic outputs for support vector machines, with his targets (N+ + 1) / (N+ + 2) and
    1 / (N- + 2), so that few galaxies, or none bad, give no certainty. The slope isn't negative.
    """
    from scipy.optimize import minimize

    logits = np.asarray(logits, float)
    number_bad, number_good = np.count_nonzero(bad), np.count_nonzero(~bad)
    if number_bad + number_good == 0:
        return np.array([1.0, 0.0], "float32")
    target = np.where(bad, (number_bad + 1.0) / (number_bad + 2.0), 1.0 / (number_good + 2.0))

    def unlikeliness(scaling: np.ndarray) -> float:
        odds = scaling[0] * logits + scaling[1]
        # A weak prior of slope 1 decides where the sample can't.
        return float(np.sum(np.logaddexp(0.0, odds) - target * odds) + 0.5 * (scaling[0] - 1.0) ** 2)

    best = minimize(unlikeliness, np.array([1.0, 0.0]), bounds=((0.0, 10.0), (-20.0, 20.0)), method="L-BFGS-B")
    return best.x.astype("float32")


def calibrate(network: keras.Model, batches: Iterable) -> None:
    """Fit a trained network's calibration, in place, on held-out batches of (inputs, targets).

    Factors by the raw uncertainty, the signal-to-noise ratio and the pixel scale are fitted in turn, each with the
    others taken out, until all stand (backfitting: Hastie & Tibshirani 1990, Generalized Additive Models).
    """
    layer = network.get_layer("physical")
    reset_calibration(network)
    parts: list[tuple[np.ndarray, ...]] = []
    for inputs, targets in batches:
        outputs = _outputs(network, inputs)
        true = {name: np.asarray(value) for name, value in targets.items()}
        mu, mu_err, snr = (outputs[name] for name in ("mu", "mu_err", "snr"))
        use = true["known"] & true["within"]
        scale = np.broadcast_to(np.asarray(inputs["pixel_scale"])[:, None], use.shape)
        parts.append(tuple(a[use] for a in (mu - true["mu"], mu_err, np.maximum(snr, 1e-6), scale)))
    residual, raw, snr, scale = (np.concatenate(values) for values in zip(*parts, strict=True))
    by = {"calibration": raw, "calibration_by_snr": snr, "calibration_by_scale": scale}
    factors = {name: np.zeros(len(knots), "float32") for name, knots in layer.knots.items()}
    for _ in range(_ROUNDS if len(factors) > 1 else 1):
        for name, knots in layer.knots.items():
            others = [np.interp(np.log(by[n]), layer.knots[n], f) for n, f in factors.items() if n != name]
            expected = raw * np.exp(np.sum(others, axis=0))
            factors[name] = calibration_factors(by[name], residual / expected * by[name], knots)
    for name, values in factors.items():
        getattr(layer, name).assign(values)
    calibrate_errors(network, batches)
