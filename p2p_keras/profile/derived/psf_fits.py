"""Sersic and exponential fits of a profile seen through a known PSF; its half-light radius without it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from p2p_keras.core.growth import curve_of_growth
from p2p_keras.profile.derived.draws import draw_profiles
from p2p_keras.profile.derived.fits import MIN_RADII, N_LIMITS, STRUCTURE, one_step, sersic_mu
from p2p_keras.profile.derived.psf import REACH_FWHM, Psf, dimming, seen_through

__all__ = ["fit_with_psf"]

_NAN = float("nan")
_SHAPE_SCATTER = 0.02
"""Of the second harmonics of real isophotes about those of one shape."""

_STEP = 1e-3
PSF_KEYS = ("sersic_n", "sersic_re", "sersic_mu_e")


def fit_with_psf(arrays: Mapping[str, np.ndarray], r50: float, psf: Psf, *, seed: int = 0) -> dict[str, float]:
    """Laws fitted to all radii of a profile, convolved with the PSF before they are compared.

    Parameters
    ----------
    arrays : mapping of arrays
        ``sma`` (arcsec), ``mu``, ``mu_err``, ``ellipticity``.
    r50 : float
        Half-light radius as seen, arcsec.
    psf : Psf
    seed : int
        Of the draws that make the errors.

    Returns
    -------
    dict
        ``sersic_n``, ``sersic_re``, ``sersic_mu_e``, ``sersic_rms``, ``disc_h``, ``disc_mu0``, ``disc_rms`` and errors,
        as `p2p_keras.profile.derived.fits.laws_of_many` gives them, of the galaxy before the PSF; its
        ``sersic_ellipticity``; ``r50_psf_free`` (arcsec), the half-light radius times what the PSF does to that of the
        fitted law; ``psf_fwhm`` (arcsec) and ``fit_sma_min``. NaN where there are too few radii or a fit ends at a
        limit.
    """
    usable = np.isfinite(arrays["mu"]) & (arrays["sma"] >= 0.2 * psf.fwhm)
    sma, mu, shapes = arrays["sma"][usable], arrays["mu"][usable], arrays["ellipticity"][usable]
    mu_err = np.nan_to_num(arrays["mu_err"][usable], nan=1.0)
    quantities = {f"{key}{end}": _NAN for key in (*PSF_KEYS, "disc_h", "disc_mu0") for end in ("", "_err")}
    quantities |= {
        "sersic_rms": _NAN,
        "disc_rms": _NAN,
        "r50_psf_free": _NAN,
        "sersic_ellipticity": _NAN,
        "psf_fwhm": psf.fwhm,
    }
    quantities["fit_sma_min"] = float(sma[0]) if sma.size else _NAN
    if sma.size < MIN_RADII:
        return quantities
    # The shape before the PSF is that of where the PSF no longer rounds it.
    shape_at = min(max(2.0 * np.nan_to_num(r50, nan=sma[-1]), 3.0 * psf.fwhm), float(sma[-1]))
    ellipticity = float(np.interp(shape_at, sma, shapes))
    weight = np.sqrt(np.minimum(np.gradient(sma) / psf.fwhm, 1.0)) / np.hypot(mu_err, STRUCTURE)
    draws = draw_profiles(sma, mu, mu_err, seed=seed)

    quantities |= _fit(sma, mu, weight, draws, r50, psf, shapes, ellipticity)
    ellipticity = float(np.nan_to_num(quantities["sersic_ellipticity"], nan=ellipticity))
    if np.isfinite(quantities["sersic_n"]) and np.isfinite(r50):
        quantities["r50_psf_free"] = r50 * _shrinking(sma, shapes, ellipticity, psf, quantities)
    outer = sma >= np.nan_to_num(r50, nan=np.inf)
    if outer.sum() >= MIN_RADII:
        quantities |= _fit_disc(sma, mu, weight, draws, outer, psf, ellipticity, shapes)
    return quantities


def _fit(
    sma: np.ndarray,
    mu: np.ndarray,
    weight: np.ndarray,
    draws: np.ndarray,
    r50: float,
    psf: Psf,
    shapes: np.ndarray,
    ellipticity: float,
) -> dict[str, float]:
    """Sersic's law and its ellipticity: mu at every radius, and isophotes of the shapes that were measured."""
    from scipy.optimize import leastsq

    def laws(p: np.ndarray) -> tuple[float, float]:
        n = math.exp(min(max(p[2], math.log(0.3)), math.log(12.0)))
        return n, math.exp(min(max(p[1], math.log(0.05 * psf.fwhm)), math.log(20.0 * sma[-1])))

    # Shapes count from where ellipses have more than the PSF's core in them to where they are lost.
    shaped = ((sma > 0.7 * psf.fwhm) & (sma < 0.7 * REACH_FWHM * psf.fwhm)) * weight / weight.max() / _SHAPE_SCATTER

    def thinness(p: np.ndarray) -> float:
        return min(max(float(p[3]), 0.0), 0.95)

    def residual(p: np.ndarray) -> np.ndarray:
        n, re = laws(p)
        dimmed, thinner = seen_through(psf, n, re, thinness(p), sma, shapes)
        return np.concatenate([weight * (sersic_mu(sma, n, re, p[0]) + dimmed - mu), shaped * thinner])

    re = r50 if np.isfinite(r50) and sma[0] < r50 < sma[-1] else float(sma[sma.size // 2])
    re = max(math.sqrt(max(re * re - (0.4 * psf.fwhm) ** 2, 0.0)), 0.3 * psf.fwhm)
    start = np.array([np.interp(np.log(re), np.log(sma), mu), math.log(re), math.log(1.5), ellipticity])
    x, _, info, _, status = leastsq(residual, start, full_output=True, ftol=1e-5, xtol=1e-5, epsfcn=1e-6, maxfev=120)
    n, re = laws(x)
    if status not in (1, 2, 3, 4) or not N_LIMITS[0] <= n <= N_LIMITS[1] or not re < 10.0 * sma[-1]:
        return {}
    residuals = info["fvec"][: sma.size]
    jacobian = np.empty((sma.size, 3))
    for i in range(3):
        moved = x.copy()
        moved[i] += _STEP
        jacobian[:, i] = (residual(moved)[: sma.size] - residuals) / _STEP
    errors = np.std(one_step(jacobian, weight, draws - mu), axis=0)
    return {
        "sersic_n": n,
        "sersic_n_err": float(n * errors[2]),
        "sersic_re": re,
        "sersic_re_err": float(re * errors[1]),
        "sersic_ellipticity": thinness(x),
        "sersic_mu_e": float(x[0]),
        "sersic_mu_e_err": float(errors[0]),
        "sersic_rms": float(np.sqrt(np.mean((residuals / weight) ** 2))),
    }


def _fit_disc(
    sma: np.ndarray,
    mu: np.ndarray,
    weight: np.ndarray,
    draws: np.ndarray,
    outer: np.ndarray,
    psf: Psf,
    ellipticity: float,
    shapes: np.ndarray,
) -> dict[str, float]:
    """mu = mu0 + 1.086 sma / h + what the PSF does to such a disc: a straight line, thrice corrected."""
    from p2p_keras.core.units import MAG_PER_RELATIVE_ERROR

    line = np.stack([np.ones_like(sma), MAG_PER_RELATIVE_ERROR * sma], axis=1)[outer]
    jacobian = weight[outer][:, None] * line
    dimmed = np.zeros(sma.shape)
    for _ in range(3):
        mu0, slope = np.linalg.lstsq(jacobian, weight[outer] * (mu - dimmed)[outer], rcond=None)[0]
        if not slope > 0:
            return {}
        # An exponential of scale h is Sersic's law of n = 1 with re = 1.678 h.
        dimmed = dimming(psf, 1.0, 1.67835 / slope, ellipticity, sma, shapes)
    errors = np.std(one_step(jacobian, weight[outer], (draws - mu)[:, outer]), axis=0)
    rms = np.sqrt(np.mean((line @ np.array([mu0, slope]) + (dimmed - mu)[outer]) ** 2))
    return {
        "disc_h": float(1.0 / slope),
        "disc_h_err": float(errors[1] / slope**2),
        "disc_mu0": float(mu0),
        "disc_mu0_err": float(errors[0]),
        "disc_rms": float(rms),
    }


def _shrinking(sma: np.ndarray, shapes: np.ndarray, ellipticity: float, psf: Psf, fit: Mapping[str, float]) -> float:
    """Half-light radius of the fitted law before the PSF over that after it, both inside the last radius."""
    n, re = fit["sersic_n"], fit["sersic_re"]
    radius = np.geomspace(min(0.02 * re, 0.1 * psf.fwhm), max(sma[-1], 3.0 * re), 200)
    bare = sersic_mu(radius, n, re, 0.0)
    shape_seen = np.interp(radius, sma, shapes)
    seen = bare + dimming(psf, n, re, ellipticity, radius, shape_seen)
    halves = []
    for mu, shape in ((bare, np.full(radius.shape, ellipticity)), (seen, shape_seen)):
        grown = curve_of_growth(radius, 10.0 ** (-0.4 * mu), shape)
        halves.append(float(np.interp(0.5 * grown[-1], grown, radius)))
    return halves[0] / halves[1]
