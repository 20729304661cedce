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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from p2p_keras.core.padded import at_index, interpolated, packed
from p2p_keras.core.units import MAG_PER_RELATIVE_ERROR
from p2p_keras.profile.derived.draws import bounded, unit_draws

__all__ = ["STRUCTURE", "MIN_RADII", "N_LIMITS", "inner_limit", "laws_of_many", "sersic_mu", "one_step"]

STRUCTURE = 0.05
"""Scatter (mag) of real profiles about any smooth law."""

MIN_RADII = 6
DEFAULT_INNER_PX = 3.0
"""Where the PSF's width isn't known: first radius of the fits in pixels. Ground-based PSFs have an FWHM of 2.5 to 5."""

_NAN = float("nan")
N_LIMITS = (0.4, 10.0)
SERSIC_KEYS = ("sersic_n", "sersic_re", "sersic_mu_e")
DISC_KEYS = ("disc_h", "disc_mu0")
_STEP_TOLERANCE = 1e-7
"""Of mu_e (mag), ln re and ln n: what a last step may change."""
_COST_TOLERANCE = 1e-13
_MOST_STEPS = 40
_FAR = 100.0
"""Of the last radius: a re beyond is on its way to nowhere."""
_MOST_DAMPING = 1e4
_OTHER_STARTS = (0.8, 0.5)
_MIDDLE_LOG_N, _WIDTH_LOG_N = 0.5 * math.log(0.3 * 20.0), 0.5 * math.log(20.0 / 0.3)


def inner_limit(pixel_scale: float, psf_fwhm: float | None = None) -> float:
    """First radius of the fits, arcsec: the PSF's FWHM, or `DEFAULT_INNER_PX` pixels where it isn't known."""
    return float(psf_fwhm) if psf_fwhm is not None else DEFAULT_INNER_PX * pixel_scale


def laws_of_many(
    columns: Mapping[str, np.ndarray], r50: np.ndarray, inner: np.ndarray, *, seed: int = 0
) -> list[dict[str, float]]:
    """Sersic and exponential fits of several profiles.

    Parameters
    ----------
    columns : mapping of arrays (B, K)
        ``sma`` (arcsec), ``mu`` and ``mu_err`` (mag arcsec^-2), NaN behind the end of each profile.
    r50 : array (B,)
        Half-light radii (arcsec): discs are fitted from there outward. NaN: no disc fit.
    inner : array (B,)
        Radii inside (arcsec) are left out.
    seed : int
        Seed of the random draws that give the uncertainties.

    Returns
    -------
    list of dict
        One for each profile: ``sersic_n``, ``sersic_re`` (arcsec, along the major axis), ``sersic_mu_e`` (mag arcsec^-2
        at re), ``disc_h`` (scale length, arcsec), ``disc_mu0`` (central), all with ``_err``; ``sersic_rms``,
        ``disc_rms`` (mag): scatter about the law; ``fit_sma_min`` (arcsec). NaN where there are fewer than `MIN_RADII`
        radii, or the fit ends at a limit (n of 0.4 to 10, re of more than ten times the last radius).
    """
    keys = [key + end for key in (*SERSIC_KEYS, *DISC_KEYS) for end in ("", "_err")] + ["sersic_rms", "disc_rms"]
    laws = [dict.fromkeys(keys, _NAN) | {"fit_sma_min": limit} for limit in inner.tolist()]
    with np.errstate(invalid="ignore"):
        usable = np.isfinite(columns["mu"]) & (columns["sma"] >= inner[:, None])
    rows, count = packed({key: columns[key] for key in ("sma", "mu", "mu_err")}, usable)
    enough = np.flatnonzero(count >= MIN_RADII)
    if not enough.size:
        return laws
    points = _Points.of({key: values[enough] for key, values in rows.items()}, count[enough], inner[enough], seed)
    fits = _fit_sersic(points, r50[enough])
    with np.errstate(invalid="ignore"):
        outer = points.used & (points.sma >= r50[enough][:, None])
    for i, sersic, disc in zip(enough.tolist(), fits, _fit_disc(points, outer), strict=True):
        laws[i] |= sersic | disc
    return laws


@dataclass(frozen=True)
class _Points:
    """What the laws are fitted to, arrays (B, N): 0 and a weight of 0 behind the end of each profile.

    ``sma`` is 1 there, so that every law is finite; ``errors`` are the draws' of each profile, (N_b, draws), in mag.
    """

    sma: np.ndarray
    mu: np.ndarray
    weight: np.ndarray
    used: np.ndarray
    count: np.ndarray
    errors: list[np.ndarray]

    @classmethod
    def of(cls, rows: Mapping[str, np.ndarray], count: np.ndarray, inner: np.ndarray, seed: int) -> _Points:
        width = int(count.max())
        sma, mu, mu_err = (rows[key][:, :width] for key in ("sma", "mu", "mu_err"))
        used = np.arange(width) < count[:, None]
        mu_err = np.where(np.isnan(mu_err), 1.0, mu_err)
        ends = np.maximum(np.arange(width) - 1, 0), np.minimum(np.arange(width) + 1, count[:, None] - 1)
        with np.errstate(invalid="ignore"):
            step = np.take_along_axis(sma, ends[1], axis=1) - sma[:, ends[0]]
            step /= np.maximum(ends[1] - ends[0], 1)
        weight = np.sqrt(np.minimum(step / np.maximum(inner, 1e-9)[:, None], 1.0)) / np.hypot(mu_err, STRUCTURE)
        draws = unit_draws(sma, seed=seed)
        errors = [bounded(row[: len(drawn)])[:, None] * drawn for row, drawn in zip(mu_err, draws, strict=True)]
        return cls(np.where(used, sma, 1.0), np.where(used, mu, 0.0), np.where(used, weight, 0.0), used, count, errors)

    def spread(self, jacobian: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Standard deviation (B, P) over the draws of what `one_step` makes of each; jacobian (B, N, P) as weighted."""
        normal = np.swapaxes(jacobian, 1, 2) @ jacobian
        moves = np.linalg.solve(normal, np.swapaxes(jacobian * weight[..., None], 1, 2))
        steps = [move[:, : len(errors)] @ errors for move, errors in zip(moves, self.errors, strict=True)]
        return np.std(np.stack(steps), axis=2)


def sersic_mu(sma: np.ndarray, n: Any, re: Any, mu_e: Any) -> np.ndarray:
    """Sersic's law (Sersic 1963), mag arcsec^-2; `re` along the major axis, in the unit of `sma`."""
    return mu_e + MAG_PER_RELATIVE_ERROR * _b(n) * ((sma / re) ** (1.0 / n) - 1.0)


def _b(n: Any) -> Any:
    """b_n, by which half of the light is inside re: where the incomplete gamma function of 2 n reaches a half.

    Ciotti & Bertin (1999, A&A 352, 447), eq. 1; their series is off by 1e-3 at n = 0.4.
    """
    from scipy.special import gammaincinv

    return gammaincinv(2.0 * n, 0.5)


def _law_and_slopes(sma: np.ndarray, n: Any, re: Any) -> tuple[np.ndarray, np.ndarray]:
    """`sersic_mu` for a mu_e of 0, (..., N), and its derivatives by mu_e, ln re and ln n, (..., 3, N)."""
    step = 1e-4 * n
    b, above, below = _b(np.stack([n, n + step, n - step]))
    log_r = np.log(sma / re)
    power = np.exp(log_r / n)
    slopes = np.ones((*sma.shape[:-1], 3, sma.shape[-1]))
    slopes[..., 1, :] = -MAG_PER_RELATIVE_ERROR * b / n * power
    law = MAG_PER_RELATIVE_ERROR * (power - 1.0)
    slopes[..., 2, :] = law * n * (above - below) / (2.0 * step) + slopes[..., 1, :] * log_r
    return b * law, slopes


def _sersic_slopes(sma: np.ndarray, n: Any, re: Any) -> np.ndarray:
    """Derivatives of `sersic_mu` by mu_e, ln re and ln n, (..., N, 3)."""
    return np.swapaxes(_law_and_slopes(sma, n, re)[1], -1, -2)


def _laws(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """n and re of parameters (..., 3), kept where numbers stay finite; a fit that ends there is refused."""
    # Not np.clip, which takes several times as long for so few numbers.
    n = np.minimum(np.maximum(p[..., 2:3], math.log(0.3)), math.log(20.0))
    return np.exp(n), np.exp(np.minimum(np.maximum(p[..., 1:2], -20.0), 20.0))


def _fit_sersic(points: _Points, r50: np.ndarray) -> list[dict[str, float]]:
    sma, mu, weight, used, last = points.sma, points.mu, points.weight, points.used, points.count - 1
    first, end, middle = sma[:, 0], at_index(sma, last), at_index(sma, points.count // 2)
    with np.errstate(invalid="ignore"):
        start = np.where((first < r50) & (r50 < end), r50, middle)
    log_r = np.where(used, np.log(sma), np.nan)
    [mu_e] = interpolated(np.log(start)[:, None], log_r, np.where(used, mu, np.nan))
    x = np.stack([mu_e[:, 0], np.log(start), np.full(start.shape, math.log(1.5))], axis=1)
    begin = x
    x, converged = _levenberg_marquardt(sma, mu, weight, begin)
    good = converged & _within_limits(x, end)
    for smaller in _OTHER_STARTS:
        # From there some fits go to a limit, though there is a law that fits: it is looked for from smaller n.
        lost = np.flatnonzero(~good)
        if lost.size:
            begin[lost, 2] = math.log(smaller)
            x[lost], converged[lost] = _levenberg_marquardt(sma[lost], mu[lost], weight[lost], begin[lost])
            good[lost] = converged[lost] & _within_limits(x[lost], end[lost])
    for i in np.flatnonzero(~converged & _within_limits(x, end)):
        # Whether such a profile has an answer at all is for the reference to say.
        count = points.count[i]
        x[i], good[i] = _by_minpack(sma[i, :count], mu[i, :count], weight[i, :count], start[i])
        good[i] &= _within_limits(x[i : i + 1], end[i : i + 1])[0]
    n, re = _laws(x)
    laws: list[dict[str, float]] = [{} for _ in good]
    index = np.flatnonzero(good)
    if not index.size:
        return laws
    x, n, re, mu, sma, weight, used = (values[index] for values in (x, n, re, mu, sma, weight, used))
    slopes = weight[..., None] * _sersic_slopes(sma, n, re)
    some = replace(points, errors=[points.errors[i] for i in index])
    errors = some.spread(slopes, weight)
    scatter = np.where(used, sersic_mu(sma, n, re, x[:, :1]) - mu, 0.0)
    rms = np.sqrt((scatter * scatter).sum(axis=1) / used.sum(axis=1))
    n, re = n[:, 0], re[:, 0]
    values = (n, n * errors[:, 2], re, re * errors[:, 1], x[:, 0], errors[:, 0], rms)
    names = [f"{key}{what}" for key in SERSIC_KEYS for what in ("", "_err")] + ["sersic_rms"]
    for i, numbers in zip(index, np.stack(values, axis=1).tolist(), strict=True):
        laws[i] = dict(zip(names, numbers, strict=True))
    return laws


def _within_limits(x: np.ndarray, last: np.ndarray) -> np.ndarray:
    n, re = _laws(x)
    return (n[:, 0] >= N_LIMITS[0]) & (n[:, 0] <= N_LIMITS[1]) & (re[:, 0] < 10.0 * last)


def _levenberg_marquardt(
    sma: np.ndarray, mu: np.ndarray, weight: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of Sersic's law for several profiles at once: parameters (B, 3), and which fits have converged.

    Marquardt's (1963) damping by the diagonal, raised and lowered for each profile by itself; a profile whose steps
    have become smaller than `_STEP_TOLERANCE` takes no part in the others' steps.
    """
    x, damping = x.copy(), np.full(len(x), 1e-3)
    residual, slopes = _seen(sma, mu, weight, x)
    cost = (residual * residual).sum(axis=1)
    converged = np.zeros(len(x), dtype=bool)
    farthest = np.log(_FAR * sma.max(axis=1))
    left = np.arange(len(x))
    for _ in range(_MOST_STEPS):
        turned = slopes[left]
        normal, gradient = turned @ np.swapaxes(turned, 1, 2), turned @ residual[left, :, None]
        diagonal = np.einsum("bii->bi", normal)
        diagonal *= 1.0 + damping[left, None]
        diagonal += 1e-30
        step = np.linalg.solve(normal, gradient)[..., 0]
        moved = x[left] - step
        tried, its_slopes = _seen(sma[left], mu[left], weight[left], moved)
        new = (tried * tried).sum(axis=1)
        # A step far beyond any galaxy's n is taken back and made smaller, as one that fits worse.
        better = (new <= cost[left]) & (np.abs(moved[:, 2] - _MIDDLE_LOG_N) < _WIDTH_LOG_N)
        kept = left[better]
        small = np.abs(step).max(axis=1) < _STEP_TOLERANCE
        small |= better & (cost[left] - new < _COST_TOLERANCE * new) & (damping[left] < 1.0)
        x[kept], residual[kept], slopes[kept], cost[kept] = (
            moved[better],
            tried[better],
            its_slopes[better],
            new[better],
        )
        damping[left] *= np.where(better, 0.1, 10.0)
        converged[left[small]] = True
        left = left[~small & (x[left, 1] < farthest[left]) & (damping[left] < _MOST_DAMPING)]
        if not left.size:
            break
    return x, converged


def _seen(sma: np.ndarray, mu: np.ndarray, weight: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted residuals (B, N) of Sersic's law and their derivatives (B, 3, N) by mu_e, ln re and ln n."""
    n, re = _laws(x)
    law, slopes = _law_and_slopes(sma, n, re)
    return weight * (x[:, :1] + law - mu), weight[:, None] * slopes


def _by_minpack(sma: np.ndarray, mu: np.ndarray, weight: np.ndarray, start: float) -> tuple[np.ndarray, bool]:
    """The same fit of one profile by MINPACK, with the steps and tolerances of scipy's least_squares(method="lm")."""
    from scipy.optimize import leastsq

    def residual(p: np.ndarray) -> np.ndarray:
        return weight * (sersic_mu(sma, *_laws(p), p[0]) - mu)

    def jacobian(p: np.ndarray) -> np.ndarray:
        return weight[:, None] * _sersic_slopes(sma, *_laws(p))

    begin = np.array([np.interp(np.log(start), np.log(sma), mu), np.log(start), np.log(1.5)])
    x, _, _, _, status = leastsq(
        residual, begin, Dfun=jacobian, full_output=True, ftol=1e-8, xtol=1e-8, gtol=1e-8, maxfev=200
    )
    return x, status in (1, 2, 3, 4)


def _fit_disc(points: _Points, outer: np.ndarray) -> list[dict[str, float]]:
    """mu = mu0 + 1.086 sma / h: a straight line through the radii of `outer` (B, N), where there are `MIN_RADII`."""
    laws: list[dict[str, float]] = [{} for _ in outer]
    weight = np.where(outer, points.weight, 0.0)
    square = weight * weight
    enough = outer.sum(axis=1) >= MIN_RADII
    total = np.where(enough, square.sum(axis=1), 1.0)[:, None]
    r, mu = MAG_PER_RELATIVE_ERROR * points.sma, points.mu
    middle = (square * r).sum(axis=1, keepdims=True) / total, (square * mu).sum(axis=1, keepdims=True) / total
    beside = r - middle[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (square * beside * (mu - middle[1])).sum(axis=1) / (square * beside * beside).sum(axis=1)
    index = np.flatnonzero(enough & (slope > 0))
    if not index.size:
        return laws
    slope, mu0 = slope[index], middle[1][index, 0] - slope[index] * middle[0][index, 0]
    line = np.stack([np.ones_like(r[index]), r[index]], axis=2)
    some = replace(points, errors=[points.errors[i] for i in index])
    errors = some.spread(weight[index, :, None] * line, weight[index])
    scatter = np.where(outer[index], mu0[:, None] + slope[:, None] * r[index] - mu[index], 0.0)
    rms = np.sqrt((scatter * scatter).sum(axis=1) / outer[index].sum(axis=1))
    values = (1.0 / slope, errors[:, 1] / slope**2, mu0, errors[:, 0], rms)
    names = [f"{key}{what}" for key in DISC_KEYS for what in ("", "_err")] + ["disc_rms"]
    for i, numbers in zip(index, np.stack(values, axis=1).tolist(), strict=True):
        laws[i] = dict(zip(names, numbers, strict=True))
    return laws


def one_step(jacobian: np.ndarray, weight: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """How the parameters move with changes of mu (draws, N): one Gauss-Newton step each."""
    return np.einsum("pn,dn->dp", np.linalg.pinv(jacobian), weight * changes)
