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
    residual : float array (P,)
        Values less their fit; 0 where a point doesn't count.
    single, single_inverse : float arrays (K, 9), (K, 9)
        A_n and B_n of the third and fourth order, each fitted alone with a constant as photutils does, and the diagonal
        of that fit's inverse; the lower orders' aren't meant to be used.
    """

    coefficients: np.ndarray
    inverse: np.ndarray
    residual: np.ndarray
    single: np.ndarray
    single_inverse: np.ndarray


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
    weight = np.where(good, points.weight, 0.0)
    total = np.maximum(points.sums(weight), 1e-300)
    powers = np.ones((ORDERS + 1, values.size), dtype=complex)
    for n in range(1, ORDERS + 1):
        np.multiply(powers[n - 1], points.phase, out=powers[n])
    weighted = powers * weight
    moments = np.empty((2 * ORDERS + 1, total.size), dtype=complex)
    np.add.reduceat(weighted, points.starts, axis=1, out=moments[: ORDERS + 1])
    np.add.reduceat(weighted[1:] * powers[ORDERS], points.starts, axis=1, out=moments[ORDERS + 1 :])
    moments = moments.T / total[:, None]
    products = np.add.reduceat(weighted * values, points.starts, axis=1).T / total[:, None]
    normal = _normal_matrices(moments)
    right = np.empty((total.size, 2 * ORDERS + 1))
    right[:, 0] = products[:, 0].real
    right[:, 1::2], right[:, 2::2] = products[:, 1:].imag, products[:, 1:].real
    share = total / np.maximum(points.sums(points.weight), 1e-300)
    known = share > 0.5
    normal[~known] = np.eye(2 * ORDERS + 1)
    # Long gaps make high harmonics unknowable: a little of the identity keeps the numbers finite.
    inverse = np.linalg.inv(normal + 1e-9 * np.eye(2 * ORDERS + 1))
    coefficients = np.einsum("kij,kj->ki", inverse, right)
    # Re(z^n conj(B + i A)) is A sin + B cos.
    amplitudes = coefficients[:, 2::2] - 1j * coefficients[:, 1::2]
    model = np.repeat(coefficients[:, 0], points.counts)
    for n in range(1, ORDERS + 1):
        model += (powers[n] * np.repeat(amplitudes[:, n - 1], points.counts)).real
    coefficients[~known] = np.nan
    inverse[~known] = np.nan
    single, spread = _fitted_alone(normal, right)
    single[~known] = np.nan
    return Harmonics(coefficients, inverse, np.where(good, values - model, 0.0), single, spread)


def _fitted_alone(normal: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (K, 9) of the third and fourth order with a constant alone, and the diagonal of the inverse."""
    single, spread = right.copy(), np.ones_like(right)
    chosen = np.array([[0, 2 * n - 1, 2 * n] for n in (3, 4)])
    inverse = np.linalg.inv(normal[:, chosen[:, :, None], chosen[:, None, :]] + 1e-9 * np.eye(3))  # (K, 2, 3, 3)
    single[:, chosen] = (inverse @ right[:, chosen][..., None])[..., 0]
    spread[:, chosen] = np.diagonal(inverse, axis1=2, axis2=3)
    return single, spread


def _normal_matrices(moments: np.ndarray) -> np.ndarray:
    """Means of the products of 1, sin phi, cos phi, sin 2 phi, ... from the means of exp(i n phi), n up to 8."""
    c, s = moments.real, moments.imag
    number = moments.shape[0]
    normal = np.empty((number, 2 * ORDERS + 1, 2 * ORDERS + 1))
    normal[:, 0, 0] = c[:, 0]
    for m in range(1, ORDERS + 1):
        normal[:, 0, 2 * m - 1] = normal[:, 2 * m - 1, 0] = s[:, m]
        normal[:, 0, 2 * m] = normal[:, 2 * m, 0] = c[:, m]
        for n in range(1, ORDERS + 1):
            less = abs(m - n)
            sign = 1.0 if n >= m else -1.0
            normal[:, 2 * m - 1, 2 * n - 1] = 0.5 * (c[:, less] - c[:, m + n])
            normal[:, 2 * m, 2 * n] = 0.5 * (c[:, less] + c[:, m + n])
            # cos m sin n = (sin (n + m) + sin (n - m)) / 2
            normal[:, 2 * m, 2 * n - 1] = 0.5 * (s[:, m + n] + sign * s[:, less])
            normal[:, 2 * n - 1, 2 * m] = normal[:, 2 * m, 2 * n - 1]
    return normal


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
