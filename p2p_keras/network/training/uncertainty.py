"""Honest uncertainties: factors on mu_err, fitted on galaxies held out of the training."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from p2p_keras.network.layers.physical import CALIBRATION_KNOTS, ONE_SIGMA_SHARE

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

    Factors by the raw uncertainty, the signal-to-noise ratio and the pixel scale are fitted in turn, each with the
    others taken out, until all stand (backfitting: Hastie & Tibshirani 1990, Generalized Additive Models).
    """
    layer = network.get_layer("physical")
    reset_calibration(network)
    parts: list[tuple[np.ndarray, ...]] = []
    for inputs, targets in batches:
        outputs = network(inputs, training=False)
        mu, mu_err, snr = (np.asarray(outputs[name]) for name in ("mu", "mu_err", "snr"))
        use = targets["known"].numpy() & targets["within"].numpy()
        scale = np.broadcast_to(np.asarray(inputs["pixel_scale"])[:, None], use.shape)
        parts.append(tuple(a[use] for a in (mu - targets["mu"].numpy(), mu_err, np.maximum(snr, 1e-6), scale)))
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
