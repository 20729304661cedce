"""Fourier harmonics of the intensity along ellipses, and what they say of an ellipse's errors.

``I(phi) = c + sum_n A_n sin(n phi) + B_n cos(n phi)``, phi the polar angle from the major axis. The fit is one of least
squares over the points that count, for all ellipses at once: every product of two harmonics is a harmonic, so the
normal equations need no more than the sums of exp(i n phi).

``a_n, b_n = A_n, B_n / (sma |dI/dsma|)`` for n = 3 and 4 are photutils' (and IRAF's), of which ``b4 < 0`` is boxy and
``b4 > 0`` discy. Papers after Bender & Moellenhoff (1987) call that cosine a4. Errors of centre, ellipticity and
position angle are those of the first and second harmonics, projected (Busko 1996, ASPC 101, 139), after Jedrzejewski
(1987, MNRAS 226, 747).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from p2p_keras.profile.isophotes.given import Ellipses
from p2p_keras.profile.isophotes.sampling import EllipsePoints

__all__ = ["Harmonics", "fit_harmonics", "shape_errors", "deviations"]

ORDERS = 4
_SUMS = 4 * ORDERS + 1  # 1, and sines and cosines up to twice the highest order: what products of harmonics are
MAX_PA_ERROR = 180.0 / np.sqrt(12.0)
"""Degrees: the scatter of an angle of which nothing is known."""


class Harmonics(NamedTuple):
    """Harmonics of K ellipses.

    Attributes
    ----------
    coefficients : float array (K, 9)
        c, A_1, B_1, A_2, B_2, A_3, B_3, A_4, B_4; NaN where fewer than half of the ellipse counts.
    inverse : float array (K, 9, 9)
        Inverse of the normal matrix per unit of weight: times the variance of a mean it is their covariance.
    single, single_inverse : float arrays (K, 9), (K, 9)
        A_n and B_n of the third and fourth order, each fitted alone with a constant as photutils does, and the diagonal
        of that fit's inverse; the lower orders' aren't meant to be used.
    """

    coefficients: np.ndarray
    inverse: np.ndarray
    single: np.ndarray
    single_inverse: np.ndarray

    def residual(self, points: EllipsePoints, values: np.ndarray) -> np.ndarray:
        """Values (P,) less their fit; NaN along ellipses that have none."""
        coefficients = np.repeat(self.coefficients.T, points.counts, axis=1)
        return values - np.einsum("ij,ij->j", coefficients, _basis(points))


def fit_harmonics(points: EllipsePoints, values: np.ndarray, good: np.ndarray) -> Harmonics:
    """Least squares of all harmonics up to the fourth: together, and each order alone.

    On an ellipse with gaps, or a thin one that isn't the galaxy's own, a second harmonic leaks into a fourth that is
    fitted alone; that is how photutils and IRAF define it.

    Parameters
    ----------
    points : EllipsePoints
    values : float array (P,)
    good : bool array (P,)
    """
    sums = _weighted_sums(points, values, np.where(good, points.weight, 0.0))
    total = np.maximum(sums[:, 0], 1e-300)
    sums /= total[:, None]
    normal = (sums[:, :_SUMS] @ _OF_PRODUCTS).reshape(-1, 2 * ORDERS + 1, 2 * ORDERS + 1)
    right = sums[:, _SUMS:]
    share = total / np.maximum(points.sums(points.weight), 1e-300)
    known = share > 0.5
    normal[~known] = np.eye(2 * ORDERS + 1)
    # Long gaps make high harmonics unknowable: a little of the identity keeps the numbers finite.
    inverse = np.linalg.inv(normal + 1e-9 * np.eye(2 * ORDERS + 1))
    coefficients = (inverse @ right[:, :, None])[:, :, 0]
    coefficients[~known] = np.nan
    inverse[~known] = np.nan
    single, spread = _fitted_alone(normal, right)
    single[~known] = np.nan
    return Harmonics(coefficients, inverse, single, spread)


def _weighted_sums(points: EllipsePoints, values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sums over each ellipse of 1, sin phi, cos phi, ... cos 8 phi, then of the values times those up to cos 4 phi."""
    rows = np.empty((_SUMS + 2 * ORDERS + 1, values.size))
    _fill_basis(rows[:_SUMS], points, weight)
    np.multiply(rows[: 2 * ORDERS + 1], values, out=rows[_SUMS:])
    return np.add.reduceat(rows, points.starts, axis=1).T


def _basis(points: EllipsePoints) -> np.ndarray:
    """1, sin phi, cos phi, sin 2 phi, ... cos 4 phi of each point, (9, P)."""
    rows = np.empty((2 * ORDERS + 1, points.x.size))
    _fill_basis(rows, points, np.ones(points.x.size))
    return rows


def _fill_basis(rows: np.ndarray, points: EllipsePoints, scale: np.ndarray) -> None:
    """1, sin phi, cos phi, sin 2 phi, ... times the `scale` of each point, (P,), into an odd number of rows."""
    rows[0] = scale
    np.multiply(points.sine, scale, out=rows[1])
    np.multiply(points.cosine, scale, out=rows[2])
    twice = 2.0 * points.cosine
    for i in range(3, len(rows)):  # sin (n + 1) phi = 2 cos phi sin n phi - sin (n - 1) phi, and so the cosines
        np.multiply(twice, rows[i - 2], out=rows[i])
        if i == 4:
            rows[4] -= scale
        elif i > 4:
            rows[i] -= rows[i - 4]


def _products_of_sums() -> np.ndarray:
    """The normal matrix, one row after the other, from `_weighted_sums`: (17, 81).

    2 sin m sin n = cos(m - n) - cos(m + n), and so on.
    """
    table = np.zeros((_SUMS, 2 * ORDERS + 1, 2 * ORDERS + 1))

    def add(i: int, j: int, order: int, kind: int, share: float) -> None:
        if order != 0:
            table[2 * abs(order) - 1 + kind, i, j] += share if kind or order > 0 else -share
        elif kind:
            table[0, i, j] += share

    # Row and column 2 n - 1 are sin n, 2 n are cos n; 0 is cos 0.
    for i in range(2 * ORDERS + 1):
        for j in range(2 * ORDERS + 1):
            m, n = (i + 1) // 2, (j + 1) // 2
            cosine_i, cosine_j = i % 2 == 0, j % 2 == 0
            if cosine_i == cosine_j:
                add(i, j, m - n, 1, 0.5)
                add(i, j, m + n, 1, 0.5 if cosine_i else -0.5)
            else:
                add(i, j, m + n, 0, 0.5)
                add(i, j, m - n, 0, 0.5 if cosine_j else -0.5)
    return table.reshape(_SUMS, -1)


_OF_PRODUCTS = _products_of_sums()


def _fitted_alone(normal: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (K, 9) of the third and fourth order with a constant alone, and the diagonal of the inverse."""
    single, spread = right.copy(), np.ones_like(right)
    sines, cosines = slice(5, 9, 2), slice(6, 9, 2)
    # Sums of products less those of the means: the constant, of which the normal matrix has 1, is fitted with them.
    mean_s, mean_c, mean = normal[:, 0, sines], normal[:, 0, cosines], right[:, :1]
    ss = np.diagonal(normal, axis1=1, axis2=2)[:, sines] - mean_s**2 + 1e-9
    cc = np.diagonal(normal, axis1=1, axis2=2)[:, cosines] - mean_c**2 + 1e-9
    sc = np.stack([normal[:, 5, 6], normal[:, 7, 8]], axis=1) - mean_s * mean_c
    s, c = right[:, sines] - mean_s * mean, right[:, cosines] - mean_c * mean
    per_determinant = 1.0 / (ss * cc - sc * sc)
    single[:, sines], single[:, cosines] = (cc * s - sc * c) * per_determinant, (ss * c - sc * s) * per_determinant
    spread[:, sines], spread[:, cosines] = cc * per_determinant, ss * per_determinant
    return single, spread


def shape_errors(ellipses: Ellipses, error: np.ndarray, gradient: np.ndarray) -> dict[str, np.ndarray]:
    """1-sigma errors of centre (px), ellipticity and position angle (degrees).

    Parameters
    ----------
    ellipses : Ellipses
    error : float array (K, 9)
        1-sigma errors of the harmonics.
    gradient : float array (K,)
        dI/dsma; NaN where nothing is known of it, which makes the errors NaN.
    """
    slope, q = np.abs(gradient), ellipses.axis_ratio
    major, minor = error[:, 2] / slope, error[:, 1] * q / slope
    turn = np.deg2rad(ellipses.pa)
    with np.errstate(divide="ignore", invalid="ignore"):
        ellipticity = 2.0 * error[:, 4] * q / ellipses.sma / slope
        pa = np.rad2deg(2.0 * error[:, 3] * q / ellipses.sma / slope / (1.0 - q * q))
    return {
        "x0_err": np.hypot(major * np.cos(turn), minor * np.sin(turn)),
        "y0_err": np.hypot(major * np.sin(turn), minor * np.cos(turn)),
        "ellipticity_err": ellipticity,
        "pa_err": np.where(np.isfinite(slope), np.fmin(pa, MAX_PA_ERROR), np.nan),
    }


def deviations(
    harmonics: Harmonics, error: np.ndarray, sma: np.ndarray, gradient: np.ndarray, gradient_err: np.ndarray
) -> dict[str, np.ndarray]:
    """a3, b3, a4 and b4 with their errors, the gradient's among them; NaN where the gradient isn't."""
    found = {}
    scale = sma * np.abs(gradient)
    relative = gradient_err / np.abs(gradient)
    for n in (3, 4):
        for letter, i in (("a", 2 * n - 1), ("b", 2 * n)):
            value = harmonics.single[:, i] / scale
            found[f"{letter}{n}"] = value
            found[f"{letter}{n}_err"] = np.hypot(error[:, i] / scale, value * relative)
    return found
