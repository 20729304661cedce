"""Two laws fitted to a measured profile: Sersic's, and an exponential disc.

Both are fits to mu(sma), not to pixels: they describe the profile as seen, after the PSF. Radii inside the PSF are left
out, since its core is no part of either law: `inner_limit` says where the fit begins. A radius weighs 1 / (mu_err^2 +
STRUCTURE^2), since real galaxies follow neither law to better than that and the surest radii would decide alone; and
less where several radii share one width of the PSF, since they are then no measurements of their own.
The uncertainties of the parameters are those that the draws of the profile have (`p2p_keras.profile.derived.draws`),
each fitted by one Gauss-Newton step from the best fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from p2p_keras.core.units import MAG_PER_RELATIVE_ERROR
from p2p_keras.profile.derived.draws import draw_profiles

STRUCTURE = 0.05
"""Scatter (mag) of real profiles about any smooth law."""

MIN_RADII = 6
DEFAULT_INNER_PX = 3.0
"""Where the PSF's width isn't known: first radius of the fits in pixels. Ground-based PSFs have an FWHM of 2.5 to 5."""

_NAN = float("nan")
N_LIMITS = (0.4, 10.0)
SERSIC_KEYS = ("sersic_n", "sersic_re", "sersic_mu_e")
DISC_KEYS = ("disc_h", "disc_mu0")


def inner_limit(pixel_scale: float, psf_fwhm: float | None = None) -> float:
    """First radius of the fits, arcsec: the PSF's FWHM, or `DEFAULT_INNER_PX` pixels where it isn't known."""
    return float(psf_fwhm) if psf_fwhm is not None else DEFAULT_INNER_PX * pixel_scale


def fit_laws(arrays: Mapping[str, np.ndarray], r50: float, inner: float, *, seed: int = 0) -> dict[str, float]:
    """Sersic and exponential fits of one profile.

    Parameters
    ----------
    arrays : mapping of arrays
        ``sma`` (arcsec), ``mu``, ``mu_err``.
    r50 : float
        Half-light radius (arcsec): the disc is fitted from there outward. NaN: no disc fit.
    inner : float
        Radii inside (arcsec) are left out.

    Returns
    -------
    dict
        ``sersic_n``, ``sersic_re`` (arcsec, along the major axis), ``sersic_mu_e`` (mag arcsec^-2 at re), ``disc_h``
        (scale length, arcsec), ``disc_mu0`` (central), all with ``_err``; ``sersic_rms``, ``disc_rms`` (mag): scatter
        about the law; ``fit_sma_min`` (arcsec). NaN where there are fewer than `MIN_RADII` radii, or the fit ends at a
        limit (n of 0.4 to 10, re of more than ten times the last radius).
    """
    usable = np.isfinite(arrays["mu"]) & (arrays["sma"] >= inner)
    sma, mu = arrays["sma"][usable], arrays["mu"][usable]
    mu_err = np.nan_to_num(arrays["mu_err"][usable], nan=1.0)
    keys = [key + end for key in (*SERSIC_KEYS, *DISC_KEYS) for end in ("", "_err")] + ["sersic_rms", "disc_rms"]
    found = dict.fromkeys(keys, _NAN) | {"fit_sma_min": float(inner)}
    if sma.size < MIN_RADII:
        return found
    draws = draw_profiles(sma, mu, mu_err, seed=seed)
    weight = np.sqrt(np.minimum(np.gradient(sma) / max(inner, 1e-9), 1.0)) / np.hypot(mu_err, STRUCTURE)
    found |= _fit_sersic(sma, mu, weight, draws, r50)
    if np.isfinite(r50):
        outer = sma >= r50
        if outer.sum() >= MIN_RADII:
            found |= _fit_disc(sma[outer], mu[outer], weight[outer], draws[:, outer])
    return found


def sersic_mu(sma: np.ndarray, n: float, re: float, mu_e: float) -> np.ndarray:
    """Sersic's law (Sersic 1963), mag arcsec^-2; `re` along the major axis, in the unit of `sma`."""
    return mu_e + MAG_PER_RELATIVE_ERROR * _b(n) * ((sma / re) ** (1.0 / n) - 1.0)


def _b(n: float) -> float:
    """b_n, by which half of the light is inside re: where the incomplete gamma function of 2 n reaches a half.

    Ciotti & Bertin (1999, A&A 352, 447), eq. 1; their series is off by 1e-3 at n = 0.4.
    """
    from scipy.special import gammaincinv

    return float(gammaincinv(2.0 * n, 0.5))


def _sersic_slopes(sma: np.ndarray, n: float, re: float) -> np.ndarray:
    """Derivatives of `sersic_mu` by mu_e, ln re and ln n, (N, 3)."""
    step = 1e-4 * n
    b, db = _b(n), (_b(n + step) - _b(n - step)) / (2.0 * step)
    log_r = np.log(sma / re)
    power = np.exp(log_r / n)
    slopes = np.ones((sma.size, 3))
    slopes[:, 1] = -MAG_PER_RELATIVE_ERROR * b / n * power
    slopes[:, 2] = MAG_PER_RELATIVE_ERROR * n * db * (power - 1.0) + slopes[:, 1] * log_r
    return slopes


def _fit_sersic(sma: np.ndarray, mu: np.ndarray, weight: np.ndarray, draws: np.ndarray, r50: float) -> dict[str, float]:
    from scipy.optimize import leastsq

    def laws(p: np.ndarray) -> tuple[float, float]:
        # Kept where numbers stay finite; a fit that ends there is refused below.
        return math.exp(min(max(p[2], math.log(0.3)), math.log(20.0))), math.exp(min(max(p[1], -20.0), 20.0))

    def residual(p: np.ndarray) -> np.ndarray:
        n, re = laws(p)
        return weight * (sersic_mu(sma, n, re, p[0]) - mu)

    def jacobian(p: np.ndarray) -> np.ndarray:
        return weight[:, None] * _sersic_slopes(sma, *laws(p))

    re = r50 if np.isfinite(r50) and sma[0] < r50 < sma[-1] else float(sma[sma.size // 2])
    start = np.array([np.interp(np.log(re), np.log(sma), mu), np.log(re), np.log(1.5)])
    # The steps of scipy's least_squares(method="lm") and its tolerances, without what it does round each of them.
    x, _, info, _, status = leastsq(
        residual, start, Dfun=jacobian, full_output=True, ftol=1e-8, xtol=1e-8, gtol=1e-8, maxfev=200
    )
    mu_e, (n, re) = float(x[0]), laws(x)
    if status not in (1, 2, 3, 4) or not N_LIMITS[0] <= n <= N_LIMITS[1] or not re < 10.0 * sma[-1]:
        return {}
    steps = one_step(jacobian(x), weight, draws - mu)
    errors = np.std(steps, axis=0)
    return {
        "sersic_n": n,
        "sersic_n_err": float(n * errors[2]),
        "sersic_re": re,
        "sersic_re_err": float(re * errors[1]),
        "sersic_mu_e": mu_e,
        "sersic_mu_e_err": float(errors[0]),
        "sersic_rms": float(np.sqrt(np.mean((info["fvec"] / weight) ** 2))),
    }


def _fit_disc(sma: np.ndarray, mu: np.ndarray, weight: np.ndarray, draws: np.ndarray) -> dict[str, float]:
    """mu = mu0 + 1.086 sma / h: a straight line."""
    jacobian = weight[:, None] * np.stack([np.ones_like(sma), MAG_PER_RELATIVE_ERROR * sma], axis=1)
    mu0, slope = np.linalg.lstsq(jacobian, weight * mu, rcond=None)[0]
    if not slope > 0:
        return {}
    errors = np.std(one_step(jacobian, weight, draws - mu), axis=0)
    rms = np.sqrt(np.mean((mu0 + MAG_PER_RELATIVE_ERROR * slope * sma - mu) ** 2))
    return {
        "disc_h": float(1.0 / slope),
        "disc_h_err": float(errors[1] / slope**2),
        "disc_mu0": float(mu0),
        "disc_mu0_err": float(errors[0]),
        "disc_rms": float(rms),
    }


def one_step(jacobian: np.ndarray, weight: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """How the parameters move with changes of mu (draws, N): one Gauss-Newton step each."""
    return np.einsum("pn,dn->dp", np.linalg.pinv(jacobian), weight * changes)
