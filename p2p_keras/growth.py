"""The curve of growth: flux inside each ellipse, one integral for labels, graphs and tables.

Annuli of similar ellipses hold the mean of their two intensities times the area between them, where the area of an
ellipse is pi sma^2 (1 - ellipticity), and the innermost ellipse holds its own intensity. Ellipses of a real galaxy may
cross by a little, so areas are made monotone first: an annulus never takes light away by its shape.
"""

from __future__ import annotations

import math

import numpy as np


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

    Returns
    -------
    float array (..., N), flux
    """
    sma, intensity, ellipticity = (np.asarray(values, dtype=float) for values in (sma, intensity, ellipticity))
    area = np.maximum.accumulate(ellipse_area(sma, ellipticity), axis=-1)
    middle = 0.5 * (intensity[..., 1:] + intensity[..., :-1])
    first = intensity[..., :1] * area[..., :1]
    return np.cumsum(np.concatenate([first, middle * np.diff(area, axis=-1)], axis=-1), axis=-1)
