"""Total magnitude, radii of light, isophotal radii and magnitudes, central surface brightness, with uncertainties.

Each quantity is computed from the profile and again from each of its draws (`p2p_keras.profile.derived.draws`); its
uncertainty is half the range between the 15.9th and 84.1th percentile of the draws, which is one sigma for a Gaussian.
NaN stands where a quantity, or more than half of its draws, can't be had.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from p2p_keras.core.growth import curve_of_growth, radii_of_shares, shares_of_light
from p2p_keras.core.padded import accumulate, at_index, packed, radius_first
from p2p_keras.core.units import MAG_PER_RELATIVE_ERROR, flux_from_mag, mag_from_flux
from p2p_keras.profile.columns import isophotal_radii
from p2p_keras.profile.derived.draws import NUM_DRAWS, bounded, unit_draws
from p2p_keras.profile.painting import outer_slope

__all__ = ["derived_quantities", "quantities_of_many", "quantity_units"]

EXTRAPOLATION_ERROR = 1.2
"""1-sigma of the light beyond the last radius, as a share of it or of what an exponential continuation of the profile
holds, whichever is more ..."""

LEAST_EXTRAPOLATION_ERROR = 0.03
"""... and at least this share of the total: so that 68 % of total magnitudes of mocks are right within their errors."""

_NAN = float("nan")
_COLUMNS = ("sma", "mu", "mu_err", "ellipticity", "growth")
_AT_ONCE = 16
"""Profiles whose draws are worked on together: 16 x 200 x 64 numbers are 1.6 MiB."""


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
    columns = {key: np.asarray(arrays[key], dtype=float)[None] for key in _COLUMNS}
    return quantities_of_many(columns, np.array([mag_total], dtype=float), isophotes, seed=seed)[0]


def quantities_of_many(
    columns: Mapping[str, np.ndarray], mag_total: np.ndarray, isophotes: Sequence[float] = (), *, seed: int = 0
) -> list[dict[str, float]]:
    """`derived_quantities` of several profiles: columns (B, K), NaN behind the end of each, and mag_total (B,)."""
    keys = ["mag_total_err", "r50_err", "r90_err", "concentration_err", "mu_central", "mu_central_err"]
    for level in isophotes:
        keys += [f"{kind}_iso{level:g}{end}" for kind in ("r", "mag") for end in ("", "_err")]
    usable = np.isfinite(columns["mu"]) & np.isfinite(columns["growth"])
    rows, count = packed({key: columns[key] for key in _COLUMNS}, usable)
    quantities: list[dict[str, float]] = [dict.fromkeys(keys, _NAN) for _ in range(len(count))]
    for part in _parts(np.flatnonzero(count >= 3)):
        width = int(count[part].max())
        some = {key: values[part, :width] for key, values in rows.items()}
        values = _quantities(some, count[part], mag_total[part], isophotes, seed)
        plain = [column.tolist() for column in values.values()]
        for i, numbers in zip(part, zip(*plain, strict=True), strict=True):
            quantities[i].update(zip(values, numbers, strict=True))
    return quantities


def _parts(index: np.ndarray) -> list[np.ndarray]:
    """Some galaxies at a time: so many that calls cost little, so few that their draws fit into a core's cache."""
    return [index[i : i + _AT_ONCE] for i in range(0, index.size, _AT_ONCE)]


def _quantities(
    rows: Mapping[str, np.ndarray], count: np.ndarray, mag_total: np.ndarray, isophotes: Sequence[float], seed: int
) -> dict[str, np.ndarray]:
    """Quantities (B,) of profiles of three radii or more, by `derived_quantities`'s names."""
    sma, mu, growth, ellipticity = (rows[key] for key in ("sma", "mu", "growth", "ellipticity"))
    mu_err = np.where(np.isnan(rows["mu_err"]), 1.0, rows["mu_err"])
    # The first is the profile itself, the others are its draws.
    draws = radius_first((len(count), 1 + NUM_DRAWS, mu.shape[1]))
    error = bounded(mu_err)
    for one, drawn, own, sigma in zip(draws, unit_draws(sma, seed=seed), mu, error, strict=True):
        one.T[len(drawn) :] = np.nan
        one.T[: len(drawn), 0] = own[: len(drawn)]
        np.multiply(drawn, sigma[: len(drawn), None], out=one.T[: len(drawn), 1:])
        one.T[: len(drawn), 1:] += own[: len(drawn), None]
    known, values = {}, {"mu_central": mu[:, 0], "mu_central_err": mu_err[:, 0]}
    radii = {level: isophotal_radii(sma, draws, level) for level in isophotes}
    # From here on in place: an array of this size that is freed and made anew costs more than what is done with it.
    draws *= -1.0 / MAG_PER_RELATIVE_ERROR
    inside = curve_of_growth(sma[:, None], np.exp(draws, out=draws), ellipticity[:, None])
    # The profile's own curve of growth is kept, and moved by what a draw changes of it.
    changed = np.divide(inside[:, 1:], inside[:, :1], out=inside[:, 1:])
    np.maximum(changed, 1e-6, out=changed)
    drawn_values: dict[str, np.ndarray] = {}
    for level, radius in radii.items():
        for kind, quantity in (("r", radius), ("mag", _growth_at(sma, growth, changed, radius))):
            key = f"{kind}_iso{level:g}"
            values[key], drawn_values[f"{key}_err"] = quantity[:, 0], quantity[:, 1:]
            known[f"{key}_err"] = np.isfinite(radius[:, 0])
    flux, last = flux_from_mag(growth, 0.0), np.maximum(count - 1, 0)
    at_last = np.take_along_axis(changed, last[:, None, None], axis=2)[..., 0] * at_index(flux, last)[:, None]
    beyond = exponential_beyond(sma, flux_from_mag(mu, 0.0), at_index(ellipticity, last))
    totals = _drawn_totals(at_index(flux, last), at_last, flux_from_mag(mag_total, 0.0), beyond, seed)
    changed *= flux[:, None]
    shares = np.divide(accumulate(np.maximum, changed), totals[..., None], out=changed)
    r50, r90 = radii_of_shares(sma, shares, 0.5), radii_of_shares(sma, shares, 0.9)
    drawn_values |= {"mag_total_err": mag_from_flux(totals, 0.0)}
    drawn_values |= {"r50_err": r50, "r90_err": r90, "concentration_err": r90 / r50}
    own = shares_of_light(growth[:, None], mag_total[:, None])
    known["r50_err"] = np.isfinite(radii_of_shares(sma, own, 0.5)[:, 0])
    known["r90_err"] = known["concentration_err"] = np.isfinite(radii_of_shares(sma, own, 0.9)[:, 0])
    errors = _half_ranges(np.stack(list(drawn_values.values()), axis=1))
    for i, key in enumerate(drawn_values):
        values[key] = np.where(known[key], errors[:, i], _NAN) if key in known else errors[:, i]
    return values


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


def exponential_beyond(sma: np.ndarray, intensity: np.ndarray, ellipticity: Any) -> Any:
    """Flux beyond the last radius if the profile goes on as an exponential, as `painting.outer_slope` continues it.

    Parameters
    ----------
    sma, intensity : array (..., N)
        With leading axes both may end in NaN.
    ellipticity : float (...)
        Of the last radius.
    """
    last = np.isfinite(sma).sum(axis=-1) - 1
    h = -1.0 / outer_slope(sma, np.log(np.maximum(intensity, 1e-30)))
    return 2.0 * np.pi * (1.0 - ellipticity) * at_index(intensity, last) * h * (at_index(sma, last) + h)


def _drawn_totals(last: np.ndarray, drawn: np.ndarray, total: np.ndarray, continued: np.ndarray, seed: int) -> Any:
    """Total flux of each draw: what is inside, and the light beyond, uncertain by `EXTRAPOLATION_ERROR`; (B, M)."""
    beyond = np.maximum(total - last, 0.0)
    sigma = np.hypot(EXTRAPOLATION_ERROR * np.maximum(beyond, continued), LEAST_EXTRAPOLATION_ERROR * total)
    error = sigma[:, None] * _normal(seed + 1)
    return drawn + np.maximum(beyond[:, None] + error, 0.0)


@functools.cache
def _normal(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(NUM_DRAWS)


def _growth_at(sma: np.ndarray, growth: np.ndarray, changed: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Growth of each profile and of its draws at their own radii (B, 1 + M), linear in ln(sma)."""
    log_r, wanted = np.log(sma), np.log(np.where(np.isfinite(radius), radius, sma[:, :1]))
    last = np.isfinite(sma).sum(axis=1)[:, None] - 1
    i = np.clip((log_r[:, None] < wanted[..., None]).sum(axis=2, dtype=np.int16).astype(int) - 1, 0, last - 1)
    low, high = np.take_along_axis(log_r, i, axis=1), np.take_along_axis(log_r, i + 1, axis=1)
    part = np.clip((wanted - low) / (high - low), 0.0, 1.0)
    ends = []
    for j in (i, i + 1):
        ends.append(np.take_along_axis(growth, j, axis=1))
        ends[-1][:, 1:] += mag_from_flux(at_index(changed, j[:, 1:]), 0.0)
    return np.where(np.isfinite(radius), (1.0 - part) * ends[0] + part * ends[1], np.nan)


def _half_ranges(values: np.ndarray) -> np.ndarray:
    """Half the range between the 15.87th and 84.13th percentile of each row (..., M); NaN with fewer than half."""
    ordered = np.sort(np.where(np.isfinite(values), values, np.nan), axis=-1)  # NaN comes last
    count = np.isfinite(ordered).sum(axis=-1)
    last = np.maximum(count - 1, 0)
    ends = []
    for share in (0.1587, 0.8413):  # as np.percentile, which takes a row without gaps at a time
        place = share * last
        i = place.astype(int)
        low, high = at_index(ordered, i), at_index(ordered, np.minimum(i + 1, last))
        ends.append(low + (place - i) * (high - low))
    return np.where(count >= values.shape[-1] // 2, 0.5 * (ends[1] - ends[0]), _NAN)
