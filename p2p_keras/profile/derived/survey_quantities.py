"""Numbers that surveys quote of a galaxy, from its profile: Petrosian, Kron, concentrations, bar, inclination.

All apertures are the profile's own ellipses, radii their semi-major axes; surveys that use circles (SDSS) have smaller
radii for inclined galaxies, and nearly the same magnitudes. Beyond its last radius a profile is continued
exponentially, as `p2p_keras.profile.painting` continues it, so that apertures that reach beyond have the light that is
likely there; their errors, by draws of the profile, hold what the measured part says alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from p2p_keras.core.growth import curve_of_growth, ellipse_area, radii_of_shares
from p2p_keras.core.robust import median_deviation
from p2p_keras.core.units import MAG_PER_RELATIVE_ERROR
from p2p_keras.profile.derived.draws import draw_profiles
from p2p_keras.profile.painting import outer_slope

__all__ = ["KEYS", "survey_quantities", "bar_of", "inclination_of", "more_quantities"]

PETROSIAN_RATIO = 0.2
PETROSIAN_APERTURE = 2.0
KRON_APERTURE = 2.5
BAR_MIN_ELLIPTICITY = 0.25
BAR_MAX_TWIST = 10.0
BAR_MIN_DROP = 0.1
DISC_THICKNESS = 0.2
"""Intrinsic axis ratio of a disc seen from the edge (Hubble 1926, ApJ 64, 321; Tully & Fisher 1977, A&A 54, 661)."""

_PER_STEP = 4  # steps of the grid in a factor of 1.25
_STEP = math.log(1.25) / _PER_STEP
_REACH = 4.0  # the continued profile ends at so many last radii
_NAN = float("nan")

KEYS = (
    "petro_radius", "petro_mag", "petro_r50", "petro_r90", "petro_concentration", "kron_radius", "kron_mag", "c42",
    "mu_mean_r50",
)  # fmt: skip


def survey_quantities(
    arrays: Mapping[str, np.ndarray], mag_total: float, r50: float, *, seed: int = 0
) -> dict[str, float]:
    """Numbers of one profile with their 1-sigma uncertainties (``..._err``).

    Parameters
    ----------
    arrays : mapping of arrays
        ``sma`` (arcsec), ``mu``, ``mu_err``, ``ellipticity``.
    mag_total, r50 : float
        Total magnitude and half-light radius (arcsec), for ``mu_mean_r50``.
    seed : int
        Of the draws.

    Returns
    -------
    dict
        ``petro_radius`` (arcsec): where the mean surface brightness between 0.8 and 1.25 radii falls to 0.2 of that
        inside, outermost (SDSS: Blanton et al. 2001, AJ 121, 2358; Strauss et al. 2002, AJ 124, 1810); ``petro_mag``
        inside two of them; ``petro_r50``, ``petro_r90`` hold half and nine tenths of that light, and
        ``petro_concentration`` is their ratio. ``kron_radius`` (arcsec): the light-weighted mean radius (Kron 1980,
        ApJS 43, 305); ``kron_mag`` inside 2.5 of them. ``c42``: 5 log10(r80 / r20) of the Petrosian light (Bershady
        et al. 2000, AJ 119, 2645). ``mu_mean_r50`` (mag arcsec^-2): half of the total light over the area of its
        ellipse. NaN where it can't be had.
    """
    quantities = {f"{key}{end}": _NAN for key in KEYS for end in ("", "_err")}
    usable = np.isfinite(arrays["mu"]) & np.isfinite(arrays["ellipticity"]) & (arrays["sma"] > 0)
    sma, mu, shapes = arrays["sma"][usable], arrays["mu"][usable], arrays["ellipticity"][usable]
    if sma.size < 3:
        return quantities
    mu_err = np.nan_to_num(arrays["mu_err"][usable], nan=1.0)
    drawn = np.concatenate([mu[None], draw_profiles(sma, mu, mu_err, seed=seed)])
    samples = _quantities(sma, drawn, shapes)
    for key, values in samples.items():
        quantities[key] = float(values[0])
        known = values[1:][np.isfinite(values[1:])]
        if np.isfinite(values[0]) and known.size >= 0.5 * (len(values) - 1):
            low, high = np.percentile(known, [15.87, 84.13])
            quantities[f"{key}_err"] = float(0.5 * (high - low))
    if np.isfinite(mag_total) and np.isfinite(r50):
        q = 1.0 - float(np.interp(np.log(r50), np.log(sma), shapes))
        quantities["mu_mean_r50"] = mag_total + 2.5 * math.log10(2.0 * math.pi * r50 * r50 * q)
        quantities["mu_mean_r50_err"] = float(np.median(mu_err[sma <= max(r50, sma[0])]))
    return quantities


def _quantities(sma: np.ndarray, mu: np.ndarray, shapes: np.ndarray) -> dict[str, np.ndarray]:
    """Quantities (M,) of M profiles mu (M, N) on the same radii and ellipses."""
    grid, intensity, ellipticity = _continued(sma, mu, shapes)
    flux = curve_of_growth(grid, intensity, ellipticity)
    area = np.maximum.accumulate(ellipse_area(grid, ellipticity))
    k = _PER_STEP
    around = (flux[:, 2 * k :] - flux[:, : -2 * k]) / (area[2 * k :] - area[: -2 * k])
    ratio = around / (flux[:, k:-k] / area[k:-k])
    radius = _last_crossing(grid[k:-k], ratio, PETROSIAN_RATIO)
    inside = _at(grid, flux, PETROSIAN_APERTURE * radius)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(np.isfinite(inside)[:, None], np.maximum.accumulate(flux, axis=1) / inside[:, None], 0.0)
        r20, half, r80, r90 = (radii_of_shares(grid, share, part) for part in (0.2, 0.5, 0.8, 0.9))
        rings = np.diff(flux, axis=1)
        middle = np.sqrt(grid[1:] * grid[:-1])
        # Kron's sum over what the galaxy has inside its Petrosian aperture: noise beyond would add lever arms.
        within = middle[None, :] <= PETROSIAN_APERTURE * radius[:, None]
        moment = (rings * middle * within).sum(axis=1) + flux[:, 0] * grid[0] * 2.0 / 3.0
        kron = moment / ((rings * within).sum(axis=1) + flux[:, 0])
        kron = np.where(np.isfinite(radius), kron, np.nan)
        return {
            "petro_radius": radius,
            "petro_mag": -2.5 * np.log10(inside),
            "petro_r50": half,
            "petro_r90": r90,
            "petro_concentration": r90 / half,
            "kron_radius": kron,
            "kron_mag": -2.5 * np.log10(_at(grid, flux, KRON_APERTURE * kron)),
            "c42": 5.0 * np.log10(r80 / r20),
        }


def _continued(sma: np.ndarray, mu: np.ndarray, shapes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid of radii by equal factors, intensities (M, G) on it (zero point 0) and ellipticities (G,)."""
    count = int(np.ceil(np.log(_REACH * sma[-1] / sma[0]) / _STEP)) + 1
    grid = sma[0] * np.exp(_STEP * np.arange(count))
    log_i = -mu / MAG_PER_RELATIVE_ERROR
    at, known = np.log(np.minimum(grid, sma[-1])), np.log(sma)
    i = np.clip(np.searchsorted(known, at, side="right") - 1, 0, sma.size - 2)
    part = (at - known[i]) / (known[i + 1] - known[i])
    log_intensity = (1.0 - part) * log_i[:, i] + part * log_i[:, i + 1]
    slopes = np.array([outer_slope(sma, one) for one in log_i[:1]])
    # Draws are continued as the profile is: their noise would decide a slope of their own.
    log_intensity += slopes[0] * np.maximum(grid - sma[-1], 0.0)
    return grid, np.exp(log_intensity), np.interp(np.log(grid), known, shapes)


def _last_crossing(radius: np.ndarray, ratio: np.ndarray, level: float) -> np.ndarray:
    """Outermost radius where each ratio (M, G) falls through a level, (M,); NaN where none does."""
    falls = (ratio[:, :-1] > level) & (ratio[:, 1:] <= level)
    i = falls.shape[1] - 1 - np.argmax(falls[:, ::-1], axis=1)
    rows = np.arange(len(ratio))
    low, high = ratio[rows, i], ratio[rows, i + 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = (low - level) / (low - high)
        crossing = np.exp(np.log(radius[i]) + part * (np.log(radius[i + 1]) - np.log(radius[i])))
    return np.where(falls.any(axis=1), crossing, np.nan)


def _at(radius: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values (M, G) at a radius of each (M,), linear in ln(radius); NaN beyond the grid."""
    log_r = np.log(radius)
    with np.errstate(divide="ignore", invalid="ignore"):
        at = np.log(wanted)
    known = np.isfinite(at) & (at <= log_r[-1]) & (at >= log_r[0])
    i = np.clip(np.searchsorted(log_r, np.where(known, at, log_r[0])) - 1, 0, radius.size - 2)
    part = (np.where(known, at, log_r[0]) - log_r[i]) / (log_r[i + 1] - log_r[i])
    rows = np.arange(len(values))
    return np.where(known, (1.0 - part) * values[rows, i] + part * values[rows, i + 1], np.nan)


def bar_of(arrays: Mapping[str, np.ndarray], inner: float) -> dict[str, float]:
    """A bar by the ellipses' shapes: its radius, ellipticity, position angle and strength; NaN where there is none.

    The rule of Marinova & Jogee (2007, ApJ 659, 1176) and Menendez-Delmestre et al. (2007, ApJ 657, 790): inside the
    bar ellipticity rises to a maximum of 0.25 at least while the position angle stays within 10 degrees; beyond it the
    ellipticity falls by 0.1 at least, into the disc. The radius is that of the maximum, which Erwin (2005, MNRAS 364,
    283) finds to be a lower limit of a bar's. Strength: f_bar of Abraham & Merrifield (2000, AJ 120, 2835), 0 for a
    round one to 1.

    Parameters
    ----------
    arrays : mapping of arrays
        ``sma`` (arcsec), ``ellipticity``, ``pa`` (degrees).
    inner : float
        Radii inside (arcsec) are left out: the PSF rounds them.
    """
    bar = dict.fromkeys(("bar_radius", "bar_ellipticity", "bar_pa", "bar_strength"), _NAN)
    usable = np.isfinite(arrays["ellipticity"]) & np.isfinite(arrays["pa"]) & (arrays["sma"] >= inner)
    sma, shapes, pa = arrays["sma"][usable], arrays["ellipticity"][usable], arrays["pa"][usable]
    for i in range(1, sma.size - 1):
        e = float(shapes[i])
        if e < BAR_MIN_ELLIPTICITY or e < shapes[i - 1] or e < shapes[i + 1]:
            continue
        # As far in as the ellipses are half as thin they belong to the bar, and share its direction.
        first = i
        while first > 0 and shapes[first - 1] >= 0.5 * e and shapes[first - 1] <= e:
            first -= 1
        twist = np.abs((pa[first : i + 1] - pa[i] + 90.0) % 180.0 - 90.0)
        beyond = shapes[i + 1 :][sma[i + 1 :] <= 3.0 * sma[i]]
        if beyond.size and e - beyond.min() >= BAR_MIN_DROP and np.all(twist <= BAR_MAX_TWIST) and i > first:
            q = 1.0 - e
            strength = 2.0 / math.pi * (math.atan(q**-0.5) - math.atan(q**0.5))
            return {"bar_radius": float(sma[i]), "bar_ellipticity": e, "bar_pa": float(pa[i]), "bar_strength": strength}
    return bar


def inclination_of(ellipticity: float, thickness: float = DISC_THICKNESS) -> float:
    """Inclination (degrees) of an oblate disc of this axis ratio from the edge; 90 where it is seen thinner."""
    q = 1.0 - ellipticity
    cosine2 = (q * q - thickness * thickness) / (1.0 - thickness * thickness)
    return float(np.rad2deg(np.arccos(np.sqrt(np.clip(cosine2, 0.0, 1.0))))) if np.isfinite(ellipticity) else _NAN


def more_quantities(
    arrays: Mapping[str, np.ndarray], meta: Mapping[str, float], inner: float, thickness: float | None = None
) -> dict[str, float]:
    """All of this module for a profile and its meta: `survey_quantities`, `bar_of` and, with a thickness, inclination.

    The inclination is that of the outer disc: the median ellipticity of the outer third of the radii.
    """
    quantities = survey_quantities(arrays, float(meta["mag_total"]), float(meta["r50"])) | bar_of(arrays, inner)
    if thickness is not None:
        sma, shapes = arrays["sma"], arrays["ellipticity"]
        outer = shapes[sma >= sma[-1] * 2.0 / 3.0] if sma.size else shapes
        outer = outer[np.isfinite(outer)]
        middle = float(np.median(outer)) if outer.size else _NAN
        spread = median_deviation(outer, middle) / np.sqrt(outer.size) if outer.size else _NAN
        quantities["inclination"] = inclination_of(middle, thickness)
        # A disc that isn't round by a few per cent, and the scatter of its ellipses.
        error = float(np.hypot(spread, 0.03))
        ends = [inclination_of(min(max(middle + sign * error, 0.0), 0.999), thickness) for sign in (-1, 1)]
        quantities["inclination_err"] = 0.5 * abs(ends[1] - ends[0])
    return quantities
