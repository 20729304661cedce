"""The curve of growth: flux inside each ellipse, one integral for labels, graphs and tables; and the radii of light.

Annuli of similar ellipses hold the mean of their two intensities times the area between them, where the area of an
ellipse is pi sma^2 (1 - ellipticity), and the innermost ellipse holds its own intensity. Ellipses of a real galaxy may
cross by a little, so areas are made monotone first: an annulus never takes light away by its shape.
"""

from __future__ import annotations

import math

import numpy as np

from p2p_keras.core.units import flux_from_mag

__all__ = ["ellipse_area", "curve_of_growth", "radius_of_light", "radii_of_light", "shares_of_light", "radii_of_shares"]


def ellipse_area(sma, ellipticity):
    """Area of ellipses, in the unit of `sma` squared. Any array type."""
    return math.pi * sma * sma * (1.0 - ellipticity)


def curve_of_growth(sma, intensity, ellipticity):
    """Flux inside each ellipse of a profile (numpy).

    ``F_i = I_0 A_0 + sum_{j < i} (I_j + I_{j+1}) / 2 (A_{j+1} - A_j)``

    Parameters
    ----------
    sma : array (..., N), increasing along the last axis
    intensity : array (..., N), flux per unit of area
        May be negative (noise, a residual sky); NaN makes every ellipse from there on NaN.
    ellipticity : array (..., N), 1 - b/a
        `sma` and it may lack the axes before the last: one shape for many draws of a profile.

    Returns
    -------
    float array (..., N), flux
    """
    sma, intensity, ellipticity = (np.asarray(values, dtype=float) for values in (sma, intensity, ellipticity))
    area = np.maximum.accumulate(ellipse_area(sma, ellipticity), axis=-1)
    middle = 0.5 * (intensity[..., 1:] + intensity[..., :-1])
    first = intensity[..., :1] * area[..., :1]
    return np.cumsum(np.concatenate([first, middle * np.diff(area, axis=-1)], axis=-1), axis=-1)


def radius_of_light(sma: np.ndarray, growth: np.ndarray, mag_total: float, fraction: float) -> float:
    """Semi-major axis of the ellipse that holds a fraction of the total light, from the curve of growth.

    Parameters
    ----------
    sma : array (N,), increasing
        A radius of 0, the central pixel of other programs' isophotes, is left out.
    growth : array (N,), magnitude inside each ellipse
    mag_total : float, total magnitude
    fraction : float in (0, 1)

    Returns
    -------
    float
        In the unit of `sma`; NaN where the profile ends before it, or the total magnitude isn't finite. Inside the
        first ellipse the surface brightness is taken as constant.
    """
    sma, growth = np.asarray(sma, dtype=float), np.asarray(growth, dtype=float)
    good = np.isfinite(sma) & np.isfinite(growth) & (sma > 0.0)
    if not good.any() or not np.isfinite(mag_total):
        return float("nan")
    return float(radii_of_light(sma[good], growth[None, good], np.array([mag_total]), fraction)[0])


def radii_of_light(sma: np.ndarray, growth: np.ndarray, mag_total: np.ndarray, fraction: float) -> np.ndarray:
    """`radius_of_light` of many profiles on the same radii.

    Parameters
    ----------
    sma : array (N,), increasing
    growth : array (M, N), finite
    mag_total : array (M,), finite
    fraction : float in (0, 1)

    Returns
    -------
    float array (M,)
    """
    return radii_of_shares(sma, shares_of_light(growth, mag_total), fraction)


def shares_of_light(growth: np.ndarray, mag_total: np.ndarray) -> np.ndarray:
    """Share of the total light inside each ellipse, never falling outward: growth (M, N), mag_total (M,) -> (M, N)."""
    share = flux_from_mag(growth, mag_total[:, None])
    return np.maximum.accumulate(share, axis=1)  # sky noise can make the curve of growth fall in the outskirts


def radii_of_shares(sma: np.ndarray, share: np.ndarray, fraction: float) -> np.ndarray:
    """`radii_of_light` from what `shares_of_light` gives."""
    reached = share >= fraction
    i = np.argmax(reached, axis=1)
    rows, before = np.arange(len(share)), np.maximum(i - 1, 0)
    low, high = share[rows, before], share[rows, i]
    log_r = np.log(sma)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where it isn't reached, nothing of it counts
        part = np.where(high > low, (fraction - low) / (high - low), 1.0)
        crossing = np.exp(log_r[before] + part * (log_r[i] - log_r[before]))
        inside = sma[0] * np.sqrt(fraction / share[:, 0])
    return np.where(reached.any(axis=1), np.where(i == 0, inside, crossing), np.nan)
