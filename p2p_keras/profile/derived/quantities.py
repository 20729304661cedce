"""Total magnitude, radii of light, isophotal radii and magnitudes, central surface brightness, with uncertainties.

Each quantity is computed from the profile and again from each of its draws (`p2p_keras.profile.derived.draws`); its
uncertainty is half the range between the 15.9th and 84.1th percentile of the draws, which is one sigma for a Gaussian.
NaN stands where a quantity, or more than half of its draws, can't be had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from p2p_keras.core.growth import curve_of_growth, radii_of_shares, radius_of_light, shares_of_light
from p2p_keras.core.units import flux_from_mag, mag_from_flux
from p2p_keras.profile.columns import isophotal_radii, isophotal_radius
from p2p_keras.profile.derived.draws import draw_profiles
from p2p_keras.profile.painting import outer_slope

EXTRAPOLATION_ERROR = 1.2
"""1-sigma of the light beyond the last radius, as a share of it or of what an exponential continuation of the profile
holds, whichever is more ..."""

LEAST_EXTRAPOLATION_ERROR = 0.03
"""... and at least this share of the total: so that 68 % of total magnitudes of mocks are right within their errors."""

_NAN = float("nan")
_RADII = ("petro_radius", "petro_r50", "petro_r90", "kron_radius", "bar_radius")


def derived_quantities(
    arrays: Mapping[str, np.ndarray], mag_total: float, isophotes: Sequence[float] = (), *, seed: int = 0
) -> dict[str, float]:
    """Quantities of one profile with their 1-sigma uncertainties (``..._err``).

    Parameters
    ----------
    arrays : mapping of arrays
        ``sma`` (arcsec), ``mu``, ``mu_err``, ``ellipticity``, ``growth``: `p2p_keras.profile.plain_arrays`.
    mag_total : float
        Total magnitude.
    isophotes : sequence of float
        Surface brightnesses (mag arcsec^-2) to give the radius and the magnitude inside for.
    seed : int
        Of the draws.

    Returns
    -------
    dict
        ``mag_total_err``; ``r50_err``, ``r90_err``, ``concentration_err``; ``mu_central`` (the innermost radius, as
        seen through the PSF) with its error; ``r_isoXX``, ``mag_isoXX`` with errors for each isophote (XX = 25, 24.5).
    """
    usable = np.isfinite(arrays["mu"]) & np.isfinite(arrays["growth"])
    sma, mu, ellipticity, growth = (arrays[key][usable] for key in ("sma", "mu", "ellipticity", "growth"))
    mu_err = np.nan_to_num(arrays["mu_err"][usable], nan=1.0)
    keys = ["mag_total_err", "r50_err", "r90_err", "concentration_err", "mu_central", "mu_central_err"]
    for level in isophotes:
        keys += [f"{kind}_iso{level:g}{end}" for kind in ("r", "mag") for end in ("", "_err")]
    found = dict.fromkeys(keys, _NAN)
    if sma.size < 3:
        return found
    draws = draw_profiles(sma, mu, mu_err, seed=seed)
    # The profile's own curve of growth is kept, and moved by what a draw changes of it.
    changed = _flux_inside(sma, draws, ellipticity) / _flux_inside(sma, mu, ellipticity)
    grown = growth + mag_from_flux(np.maximum(changed, 1e-6), 0.0)
    beyond = exponential_beyond(sma, flux_from_mag(mu, 0.0), float(ellipticity[-1]))
    totals = _drawn_totals(growth, grown, mag_total, beyond, seed)
    shares = shares_of_light(grown, totals)
    r50, r90 = radii_of_shares(sma, shares, 0.5), radii_of_shares(sma, shares, 0.9)
    drawn = {"mag_total_err": totals}
    if np.isfinite(radius_of_light(sma, growth, mag_total, 0.5)):
        drawn["r50_err"] = r50
    if np.isfinite(radius_of_light(sma, growth, mag_total, 0.9)):
        drawn |= {"r90_err": r90, "concentration_err": r90 / r50}
    found["mu_central"], found["mu_central_err"] = float(mu[0]), float(mu_err[0])
    for level in isophotes:
        radius = isophotal_radius(sma, mu, level)
        if np.isfinite(radius):
            radii = isophotal_radii(sma, draws, level)
            found[f"r_iso{level:g}"], found[f"mag_iso{level:g}"] = radius, _at(sma, growth, radius)
            drawn |= {f"r_iso{level:g}_err": radii, f"mag_iso{level:g}_err": _each_at(sma, grown, radii)}
    found.update(zip(drawn, _half_ranges(np.stack(list(drawn.values()))), strict=True))
    return found


def quantity_units(keys: Sequence[str]) -> dict[str, str]:
    """Units of meta's numbers, by their names: for tables with a row per galaxy."""
    units: dict[str, str] = {}
    for key in keys:
        base = key.removesuffix("_err")
        if base.endswith("_kpc") or base == "kpc_per_arcsec":
            units[key] = "kpc" if base.endswith("_kpc") else "kpc / arcsec"
        elif base in (
            "r50",
            "r90",
            "extent",
            "disc_h",
            "sersic_re",
            "fit_sma_min",
            "pixel_scale",
            "psf_fwhm",
            "r50_psf_free",
        ) or base.startswith("r_iso"):
            units[key] = "arcsec"
        elif base in (
            "mag_total",
            "petro_mag",
            "kron_mag",
            "zero_point",
            "extinction",
            "distance_modulus",
        ) or base.startswith("mag_iso"):
            units[key] = "mag"
        elif base in ("mu_central", "mu_mean_r50", "sersic_mu_e", "disc_mu0", "sersic_rms", "disc_rms"):
            units[key] = "mag / arcsec2"
        elif base in ("bar_pa", "inclination", "ra", "dec", "pa_of_x"):
            units[key] = "deg"
        elif base in ("x0", "y0", "x_offset", "y_offset"):
            units[key] = "pix"
    return units


def _flux_inside(sma: np.ndarray, mu: np.ndarray, ellipticity: np.ndarray) -> np.ndarray:
    """Flux inside each ellipse of one profile or of many draws, up to a factor."""
    return curve_of_growth(sma, flux_from_mag(mu, 0.0), ellipticity)


def exponential_beyond(sma: np.ndarray, intensity: np.ndarray, ellipticity: float) -> float:
    """Flux beyond the last radius if the profile goes on as an exponential, as `painting.outer_slope` continues it."""
    h = -1.0 / outer_slope(sma, np.log(np.maximum(intensity, 1e-30)))
    return float(2.0 * np.pi * (1.0 - ellipticity) * intensity[-1] * h * (sma[-1] + h))


def _drawn_totals(growth: np.ndarray, grown: np.ndarray, mag_total: float, continued: float, seed: int) -> np.ndarray:
    """Total magnitude of each draw: what is inside, and the light beyond, uncertain by `EXTRAPOLATION_ERROR`."""
    total = float(flux_from_mag(mag_total, 0.0))
    beyond = max(total - float(flux_from_mag(growth[-1], 0.0)), 0.0)
    sigma = np.hypot(EXTRAPOLATION_ERROR * max(beyond, continued), LEAST_EXTRAPOLATION_ERROR * total)
    error = sigma * np.random.default_rng(seed + 1).standard_normal(len(grown))
    return mag_from_flux(flux_from_mag(grown[:, -1], 0.0) + np.maximum(beyond + error, 0.0), 0.0)


def _at(sma: np.ndarray, growth: np.ndarray, radius: float) -> float:
    return float(np.interp(np.log(radius), np.log(sma), growth)) if np.isfinite(radius) else _NAN


def _each_at(sma: np.ndarray, growth: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Growth (M, N) of each draw at its own radius (M,), linear in ln(sma)."""
    log_r, wanted = np.log(sma), np.log(np.nan_to_num(radius, nan=sma[0]))
    i = np.clip(np.searchsorted(log_r, wanted) - 1, 0, sma.size - 2)
    part = np.clip((wanted - log_r[i]) / (log_r[i + 1] - log_r[i]), 0.0, 1.0)
    rows = np.arange(len(growth))
    return np.where(np.isfinite(radius), (1.0 - part) * growth[rows, i] + part * growth[rows, i + 1], np.nan)


def _half_ranges(values: np.ndarray) -> list[float]:
    """Half the range between the 15.87th and 84.13th percentile of each row; NaN with fewer than half of the draws."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=1)
    rows, last = np.arange(len(values)), np.maximum(count - 1, 0)
    ends = []
    for share in (0.1587, 0.8413):  # as np.percentile, which takes a row without gaps at a time
        place = share * last
        i = place.astype(int)
        low, high = ordered[rows, i], ordered[rows, np.minimum(i + 1, last)]
        ends.append(low + (place - i) * (high - low))
    return np.where(count >= values.shape[1] // 2, 0.5 * (ends[1] - ends[0]), _NAN).tolist()


def as_plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Plain floats of numpy ones."""
    return {key: float(value) if isinstance(value, np.floating) else value for key, value in values.items()}
