"""The curve of growth: flux inside each ellipse, one integral for labels, graphs and tables; and the radii of light.

Annuli of similar ellipses hold the mean of their two intensities times the area between them, where the area of an
ellipse is pi sma^2 (1 - ellipticity), and the innermost ellipse holds its own intensity. Ellipses of a real galaxy may
cross by a little, so areas are made monotone first: an annulus never takes light away by its shape.
"""

from __future__ import annotations

import math

import numpy as np

from p2p_keras.core.padded import accumulate, at_index
from p2p_keras.core.units import flux_from_mag

__all__ = ["ellipse_area", "curve_of_growth", "radius_of_light", "radii_of_light", "shares_of_light", "radii_of_shares"]


def ellipse_area(sma, ellipticity):
    """Area of ellipses.

    Parameters
    ----------
    sma, ellipticity : float, array or tensor
        Semi-major axis, and 1 - b/a. NaN stays NaN.

    Returns
    -------
    the same type, in the unit of `sma` squared
    """
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
    shape = np.broadcast_shapes(area.shape, intensity.shape)
    flux = np.empty_like(intensity) if shape == intensity.shape else np.empty(shape)
    flux[..., :1] = intensity[..., :1] * area[..., :1]
    np.add(intensity[..., 1:], intensity[..., :-1], out=flux[..., 1:])
    flux[..., 1:] *= 0.5 * np.diff(area, axis=-1)
    return accumulate(np.add, flux)


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
    """`radius_of_light` of many profiles at once.

    Parameters
    ----------
    sma : array (..., N), increasing
        One row of radii for all M curves; with leading axes, one for each of several galaxies, NaN behind its end.
    growth : array (..., M, N), finite as far as `sma` is
    mag_total : array (..., M)
    fraction : float in (0, 1)

    Returns
    -------
    float array (..., M)
        NaN where the profile ends before it, or the total magnitude isn't finite.
    """
    return radii_of_shares(sma, shares_of_light(growth, mag_total), fraction)


def shares_of_light(growth: np.ndarray, mag_total: np.ndarray) -> np.ndarray:
    """Share of the total light inside each ellipse, which never falls outward.

    Parameters
    ----------
    growth : array (..., N)
        Magnitudes inside the ellipses, from the centre outward.
    mag_total : array (...)
        Total magnitudes.

    Returns
    -------
    float array (..., N)
    """
    share = flux_from_mag(growth, mag_total[..., None])
    return accumulate(np.maximum, share)  # sky noise can make the curve of growth fall in the outskirts


def radii_of_shares(sma: np.ndarray, share: np.ndarray, fraction: float) -> np.ndarray:
    """The same as `radii_of_light`, from the shares that `shares_of_light` gives.

    Parameters
    ----------
    sma : array (..., N), increasing
    share : array (..., M, N)
    fraction : float in (0, 1)

    Returns
    -------
    float array (..., M)
        In the unit of `sma`. NaN where the profile ends before it.
    """
    i = np.argmax(share >= fraction, axis=-1)
    before = np.maximum(i - 1, 0)
    low, high = at_index(share, before), at_index(share, i)
    log_r = np.log(sma)
    inner, outer = np.take_along_axis(log_r, before, axis=-1), np.take_along_axis(log_r, i, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where it isn't reached, nothing of it counts
        part = np.where(high > low, (fraction - low) / (high - low), 1.0)
        crossing = np.exp(inner + part * (outer - inner))
        inside = sma[..., :1] * np.sqrt(fraction / share[..., 0])
    return np.where(high >= fraction, np.where(i == 0, inside, crossing), np.nan)
