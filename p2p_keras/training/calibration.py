"""Honest uncertainties: factors on mu_err, fitted on galaxies held out of the training."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from p2p_keras.layers.physical import CALIBRATION_KNOTS, ONE_SIGMA_SHARE, SNR_KNOTS

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


def calibrate(network: keras.Model, batches: Iterable) -> None:
    """Fit a trained network's calibration, in place, on held-out batches of (inputs, targets).

    Factors by the raw uncertainty and factors by the signal-to-noise ratio are fitted in turn, each with the other
    taken out, until both stand (backfitting: Hastie & Tibshirani 1990, Generalized Additive Models).
    """
    layer = network.get_layer("physical")
    reset_calibration(network)
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for inputs, targets in batches:
        outputs = network(inputs, training=False)
        use = targets["known"].numpy() & targets["within"].numpy()
        error = np.asarray(outputs["mu_err"]), np.asarray(outputs["mu"]) - targets["mu"].numpy()
        parts.append((error[0][use], error[1][use], np.log(np.maximum(np.asarray(outputs["snr"]), 1e-6))[use]))
    raw, residual, log_snr = (np.concatenate(values) for values in zip(*parts, strict=True))
    by_snr = np.zeros(len(SNR_KNOTS), "float32")
    for _ in range(_ROUNDS if layer.by_snr else 1):
        other = np.exp(np.interp(log_snr, SNR_KNOTS, by_snr))
        by_error = calibration_factors(raw, residual / other)
        other = np.exp(np.interp(np.log(raw), CALIBRATION_KNOTS, by_error))
        by_snr = calibration_factors(np.exp(log_snr), residual / (raw * other) * np.exp(log_snr), SNR_KNOTS)
    layer.calibration.assign(by_error)
    if layer.by_snr:
        layer.calibration_by_snr.assign(by_snr)
