"""Honest uncertainties: factors on mu_err, fitted on galaxies held out of the training."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from p2p_keras.layers.physical import CALIBRATION_KNOTS, ONE_SIGMA_SHARE

_PRIOR_RADII = 2000.0  # so many radii of the overall factor are mixed into each knot's own


def calibration_factors(
    raw_error: np.ndarray, residual: np.ndarray, knots: np.ndarray = CALIBRATION_KNOTS
) -> np.ndarray:
    """ln factor at every knot that makes 68.27 % of residuals fall inside the uncertainty.

    Parameters
    ----------
    raw_error, residual : float arrays (N,)
        Uncalibrated mu_err and mu_pred - mu_true, mag; those that aren't finite are left out.
    knots : float array (M,)
        ln of the raw uncertainty.

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


def calibrate(network: keras.Model, batches: Iterable) -> np.ndarray:
    """Fit a trained network's calibration, in place, on held-out batches of (inputs, targets); returns the factors."""
    table = network.get_layer("physical").calibration
    table.assign(np.zeros(table.shape, "float32"))
    raw, residual = [], []
    for inputs, targets in batches:
        outputs = network(inputs, training=False)
        use = targets["known"].numpy() & targets["within"].numpy()
        raw.append(np.asarray(outputs["mu_err"])[use])
        residual.append((np.asarray(outputs["mu"]) - targets["mu"].numpy())[use])
    factors = calibration_factors(np.concatenate(raw), np.concatenate(residual))
    table.assign(factors)
    return factors
