"""Draws of a profile: what it might have been, by its own uncertainties.

`mu_err` is the uncertainty of each radius alone. Errors of neighbouring radii go together: they share pixels, sky and
the network's judgement. Draws assume a Gaussian process in ln(sma) with the correlation

    rho = SHARED + (1 - SHARED) exp(-|ln(sma_1 / sma_2)| / CORRELATION_LENGTH)

whose two numbers were measured on mocks that no training saw (``benchmarks/derived.py`` prints them for any model).
Taken as independent, errors would average out over the radii, and a total magnitude would look several times too sure.
"""

from __future__ import annotations

import functools

import numpy as np

CORRELATION_LENGTH = 0.75
"""In ln(sma): a factor of two in radius."""

SHARED = 0.03
"""Share of the variance that all radii have in common."""

NUM_DRAWS = 200


def correlation(sma: np.ndarray) -> np.ndarray:
    """Correlation of the errors of mu between radii, (N, N); see the module's head."""
    log_r = np.log(np.asarray(sma, dtype=float))
    return SHARED + (1.0 - SHARED) * np.exp(-np.abs(log_r[:, None] - log_r[None, :]) / CORRELATION_LENGTH)


def draw_profiles(sma: np.ndarray, mu: np.ndarray, mu_err: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Draws of mu (`NUM_DRAWS`, N); the same for the same seed.

    Parameters
    ----------
    sma, mu, mu_err : float array (N,)
        Without NaN. An uncertainty of more than 1 mag is taken as 1: beyond it a magnitude has no Gaussian error.
    """
    log_r = np.log(np.asarray(sma, dtype=float))
    deviates = _deviates(seed, log_r.size + 1)
    # An exponential correlation is a Markov chain along the radius: no matrix is needed.
    kept = np.exp(-np.diff(log_r) / CORRELATION_LENGTH)
    chain = np.empty((log_r.size, NUM_DRAWS))
    chain[0] = deviates[1]
    np.multiply(np.sqrt(1.0 - kept * kept)[:, None], deviates[2:], out=chain[1:])
    for before, now, share in zip(chain, chain[1:], kept.tolist(), strict=False):
        now += share * before
    common = np.sqrt(SHARED) * deviates[0] + np.sqrt(1.0 - SHARED) * chain
    return mu + np.clip(mu_err, 0.0, 1.0) * np.ascontiguousarray(common.T)


@functools.lru_cache(maxsize=256)
def _deviates(seed: int, size: int) -> np.ndarray:
    """Standard normal numbers (size, `NUM_DRAWS`), in pairs of opposite sign so that their mean is exactly zero."""
    half = np.random.default_rng(seed).standard_normal((NUM_DRAWS // 2, size)).T
    return np.concatenate([half, -half], axis=1)
