"""One parametrisation of an ellipse, for numpy arrays and Keras tensors alike.

An ellipse's shape is the vector ``e = (e1, e2) = (1 - q) / (1 + q) * (cos 2 pa, sin 2 pa)`` with q = b/a and ``pa``
counter-clockwise from +x. It has no angle in it, so it is smooth everywhere, also for a circle, where ``pa`` is
undefined and the gradient of an arctangent would be infinite.

The point of eccentric angle t on the ellipse of semi-major axis a is ``a / (1 + |e|) * S(e) (cos t, sin t)`` with the
symmetric stretch ``S = [[1 + e1, e2], [e2, 1 - e1]]``. t is counted from +x, not from the major axis: turning the image
by 90 degrees is a shift in t by a quarter for every ellipse alike.

Only arithmetic operators and ``** 0.5`` are used where both kinds of arrays are meant.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["modulus", "axis_ratio", "points", "compose", "vector_from_angles", "angles_from_vector", "half_turn"]

# Keeps square roots differentiable at a circle; changes no ellipticity by more than 1e-6.
_TINY = 1e-12


def modulus(e1, e2):
    """Length of the ellipse vector, (1 - q) / (1 + q), in [0, 1). Any array type.

    Parameters
    ----------
    e1, e2 : array of any shape
        NaN stays NaN.
    """
    return (e1 * e1 + e2 * e2 + _TINY) ** 0.5


def axis_ratio(e1, e2):
    """b/a of the ellipse vector. Any array type.

    Parameters
    ----------
    e1, e2 : array of any shape
        NaN stays NaN.
    """
    e = modulus(e1, e2)
    return (1.0 - e) / (1.0 + e)


def points(sma, e1, e2, cos_t, sin_t):
    """Offsets from the centre of the points of eccentric angle t.

    Parameters
    ----------
    sma, e1, e2, cos_t, sin_t : arrays (numpy or tensors) that broadcast
        Semi-major axis (any length unit), ellipse vector, cosine and sine of the eccentric angle.

    Returns
    -------
    dx, dy : arrays of the broadcast shape, in the unit of `sma`
    """
    scale = sma / (1.0 + modulus(e1, e2))
    dx = scale * ((1.0 + e1) * cos_t + e2 * sin_t)
    dy = scale * (e2 * cos_t + (1.0 - e1) * sin_t)
    return dx, dy


def compose(e1, e2, d1, d2):
    """The ellipse that is seen as `d` after the plane was stretched so that `e` became a circle.

    Used to correct an ellipse: `d` is measured in the stretched frame (e.g. from the second harmonics of the intensity
    along the present ellipse) and the corrected vector comes back. Exact, not first-order: with M = S(e) S(d), the
    ellipse's matrix is A = M M^T = [[p, r], [r, s]] and e' = (p - s, 2 r) / (a + b)^2, (a + b)^2 = p + s + 2 sqrt(det
    A).

    Parameters
    ----------
    e1, e2 : array of any shape
        The present ellipse vector.
    d1, d2 : array of the same shape
        The correction.

    Returns
    -------
    (array, array)
        The corrected vector, shaped as the input.
    """
    m11 = (1.0 + e1) * (1.0 + d1) + e2 * d2
    m12 = (1.0 + e1) * d2 + e2 * (1.0 - d1)
    m21 = e2 * (1.0 + d1) + (1.0 - e1) * d2
    m22 = e2 * d2 + (1.0 - e1) * (1.0 - d1)
    p = m11 * m11 + m12 * m12
    s = m21 * m21 + m22 * m22
    r = m11 * m21 + m12 * m22
    # det A = (det S(e) det S(d))^2, and det S = 1 - |e|^2 > 0.
    root_det = (1.0 - e1 * e1 - e2 * e2) * (1.0 - d1 * d1 - d2 * d2)
    norm = p + s + 2.0 * root_det
    return (p - s) / norm, 2.0 * r / norm


def vector_from_angles(ellipticity, pa_deg):
    """Ellipse vector of an ellipticity 1 - b/a and a position angle in degrees from +x (numpy).

    NaN in either gives NaN.

    Parameters
    ----------
    ellipticity : float array of any shape
    pa_deg : float array of the same shape

    Returns
    -------
    (array, array)
        e1 and e2.
    """
    e = np.asarray(ellipticity, dtype=float)
    modulus_ = e / (2.0 - e)
    two_pa = np.deg2rad(2.0 * np.asarray(pa_deg, dtype=float))
    return modulus_ * np.cos(two_pa), modulus_ * np.sin(two_pa)


def angles_from_vector(e1, e2):
    """Ellipticity 1 - b/a and position angle in degrees from +x, in [0, 180) (numpy).

    Parameters
    ----------
    e1, e2 : float array of any shape
        NaN gives NaN.

    Returns
    -------
    (array, array)
    """
    e = np.hypot(e1, e2)
    ellipticity = 2.0 * e / (1.0 + e)
    pa = np.rad2deg(0.5 * np.arctan2(e2, e1))
    return ellipticity, half_turn(pa)


def half_turn(angle_deg: Any) -> np.ndarray:
    """Bring the angle of an axis to [0, 180).

    Parameters
    ----------
    angle_deg : float or array of any shape
        Degrees. NaN stays NaN.

    Returns
    -------
    float array of the same shape
        Degrees.
    """
    turned = np.asarray(angle_deg, dtype=float) % 180.0
    return np.where(turned >= 180.0, 0.0, turned)  # -1e-17 % 180 is 180 in floating point
