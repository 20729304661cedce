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

__all__ = ["CORRELATION_LENGTH", "SHARED", "NUM_DRAWS", "correlation", "draw_profiles", "bounded", "unit_draws"]

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
    [drawn] = unit_draws(np.asarray(sma, dtype=float)[None], seed=seed)
    return mu + bounded(mu_err) * drawn.T


def bounded(mu_err: np.ndarray) -> np.ndarray:
    """Uncertainties as draws take them: 1 mag at most."""
    return np.clip(mu_err, 0.0, 1.0)


def unit_draws(sma: np.ndarray, *, seed: int = 0) -> list[np.ndarray]:
    """Draws of errors in units of `mu_err` for the radii of each of several galaxies.

    Parameters
    ----------
    sma : float array (B, K)
        NaN behind the end of each row.

    Returns
    -------
    list of arrays (N_b, `NUM_DRAWS`)
        Not to be changed: galaxies whose radii grow by one factor share them.
    """
    steps = np.diff(np.log(sma), axis=1)
    count = np.isfinite(sma).sum(axis=1)
    mean = np.where(np.isfinite(steps), steps, 0.0).sum(axis=1) / np.maximum(count - 1, 1)
    # The rounding of single precision is no other grid.
    even = ~(np.abs(steps - mean[:, None]) > 4e-6).any(axis=1)
    return [
        _even_draws(seed, n, round(step, 6)) if is_even else _chain(seed, row[: n - 1])
        for n, step, is_even, row in zip(count.tolist(), mean.tolist(), even.tolist(), steps, strict=True)
    ]


@functools.lru_cache(maxsize=128)
def _even_draws(seed: int, size: int, step: float) -> np.ndarray:
    return _chain(seed, np.full(max(size - 1, 0), step))


def _chain(seed: int, steps: np.ndarray) -> np.ndarray:
    """Draws (N, `NUM_DRAWS`) for N radii at these steps in ln(sma)."""
    deviates = _deviates(seed, steps.size + 2)
    # An exponential correlation is a Markov chain along the radius: no matrix is needed.
    kept = np.exp(-steps / CORRELATION_LENGTH)
    chain = np.empty((steps.size + 1, NUM_DRAWS))
    chain[0] = deviates[1]
    np.multiply(np.sqrt(1.0 - kept * kept)[:, None], deviates[2:], out=chain[1:])
    for before, now, share in zip(chain, chain[1:], kept.tolist(), strict=False):
        now += share * before
    return np.sqrt(SHARED) * deviates[0] + np.sqrt(1.0 - SHARED) * chain


@functools.lru_cache(maxsize=256)
def _deviates(seed: int, size: int) -> np.ndarray:
    """Standard normal numbers (size, `NUM_DRAWS`), in pairs of opposite sign so that their mean is exactly zero."""
    half = np.random.default_rng(seed).standard_normal((NUM_DRAWS // 2, size)).T
    return np.concatenate([half, -half], axis=1)
