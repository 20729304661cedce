"""The error of a profile and its summary over galaxies, as the paper defines it. Needs numpy only.

The error of one profile is the median over its radii of ``|mu_true - mu_pred|`` (Smith et al. 2021, sec. 4), over all
radii and where ``mu_true <= 26.5``. The prediction is interpolated in ln(sma) onto the truth's radii; those outside the
predicted range don't count, so `completeness` stands beside every error: a profile that stops early must not look good
because of it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from p2p_keras.core.units import FAINT_MU

BAD_ERROR = 0.5
"""mag arcsec^-2; a profile that is off by more counts as lost: `ErrorSummary.share_bad`."""

BAD_PROFILE = 0.1
"""mag arcsec^-2; a profile that is off by more is bad: what `p_bad` is the probability of."""

_RANGE_SLACK = 1e-5
"""Relative slack at both ends of the predicted range, so that a grid kept as float32 isn't outside itself."""


@dataclass(frozen=True)
class Residuals:
    """A prediction minus the truth on those radii of the truth that the prediction reaches.

    Attributes
    ----------
    sma : float array (N,), as the truth's (arcsec)
    mu_true : float array (N,), mag arcsec^-2
    residual : float array (N,)
        mu_pred - mu_true, mag arcsec^-2.
    mu_err : float array (N,)
        Predicted 1-sigma uncertainty there; NaN where the prediction gives none.
    num_true : int
        Usable radii of the truth, N of which are reached.
    """

    sma: np.ndarray
    mu_true: np.ndarray
    residual: np.ndarray
    mu_err: np.ndarray
    num_true: int


def interpolate_log_sma(sma: ArrayLike, sma_pred: ArrayLike, values: ArrayLike) -> np.ndarray:
    """Values of a profile at other radii, linear in ln(sma); NaN outside the profile's range.

    Parameters
    ----------
    sma : array (N,), radii wanted; NaN and values <= 0 give NaN
    sma_pred : array (M,), radii of the profile, same unit
    values : array (M,), radii where it is not finite are left out

    Returns
    -------
    float array (N,)
    """
    wanted = np.asarray(sma, dtype=float)
    have, known = np.asarray(sma_pred, dtype=float), np.asarray(values, dtype=float)
    good = np.isfinite(have) & np.isfinite(known) & (have > 0)
    out = np.full(wanted.shape, np.nan)
    if not good.any():
        return out
    have, known = have[good], known[good]
    order = np.argsort(have, kind="stable")
    have, known = have[order], known[order]
    inside = (wanted >= have[0] * (1 - _RANGE_SLACK)) & (wanted <= have[-1] * (1 + _RANGE_SLACK))
    out[inside] = np.interp(np.log(wanted[inside]), np.log(have), known)
    return out


def profile_residuals(
    sma_true: ArrayLike,
    mu_true: ArrayLike,
    sma_pred: ArrayLike,
    mu_pred: ArrayLike,
    mu_err: ArrayLike | None = None,
    *,
    faintest: float | None = None,
) -> Residuals:
    """Residuals of one profile on the truth's radii.

    Parameters
    ----------
    sma_true, mu_true : array (N,)
        Truth: arcsec and mag arcsec^-2. NaN entries are left out.
    sma_pred, mu_pred : array (M,)
        Prediction, valid radii only. M may be 0.
    mu_err : array (M,), optional
        Its 1-sigma uncertainty.
    faintest : float, optional
        Use only radii where ``mu_true <= faintest``.

    Returns
    -------
    Residuals
    """
    sma, mu = np.asarray(sma_true, dtype=float), np.asarray(mu_true, dtype=float)
    usable = np.isfinite(sma) & np.isfinite(mu) & (sma > 0)
    if faintest is not None:
        usable &= np.nan_to_num(mu, nan=np.inf) <= faintest
    sma, mu = sma[usable], mu[usable]
    predicted = interpolate_log_sma(sma, sma_pred, mu_pred)
    reached = np.isfinite(predicted)
    error = np.full(sma.shape, np.nan) if mu_err is None else interpolate_log_sma(sma, sma_pred, mu_err)
    return Residuals(sma[reached], mu[reached], (predicted - mu)[reached], error[reached], int(sma.size))


def profile_error(
    sma_true: ArrayLike, mu_true: ArrayLike, sma_pred: ArrayLike, mu_pred: ArrayLike, *, faintest: float | None = None
) -> float:
    """Compute the paper's error of one profile: the median over radii of ``|mu_true - mu_pred|``.

    Parameters
    ----------
    sma_true, mu_true : array (N,)
        Truth: arcsec and mag arcsec^-2. NaN entries are left out.
    sma_pred, mu_pred : array (M,)
        Prediction, valid radii only, in the same units. M may be 0.
    faintest : float, optional
        Use only radii where ``mu_true <= faintest``. `units.FAINT_MU` (26.5) gives the paper's second figure.

    Returns
    -------
    float
        In mag arcsec^-2. NaN if truth and prediction have no radius in common.
    """
    common = profile_residuals(sma_true, mu_true, sma_pred, mu_pred, faintest=faintest)
    return float(np.median(np.abs(common.residual))) if common.residual.size else float("nan")


def completeness(sma_true: ArrayLike, mu_true: ArrayLike, sma_pred: ArrayLike, mu_pred: ArrayLike) -> float:
    """Share of the truth's radii that lie in the predicted range; NaN for a truth without radii.

    Parameters
    ----------
    sma_true, mu_true : float array (N,)
        Arcsec, and mag arcsec^-2; NaN is no radius.
    sma_pred, mu_pred : float array (M,)
    """
    common = profile_residuals(sma_true, mu_true, sma_pred, mu_pred)
    return common.residual.size / common.num_true if common.num_true else float("nan")


def coverage(residual: ArrayLike, mu_err: ArrayLike, sigmas: float = 1.0) -> float:
    """Share of truths inside ``sigmas`` times the predicted uncertainty (0.68 when calibrated and sigmas is 1).

    Entries where either is not finite are left out; NaN when none is left.

    Parameters
    ----------
    residual, mu_err : float array (N,)
        mag.
    sigmas : float
    """
    residual, mu_err = np.asarray(residual, dtype=float), np.asarray(mu_err, dtype=float)
    good = np.isfinite(residual) & np.isfinite(mu_err)
    return float(np.mean(np.abs(residual[good]) <= sigmas * mu_err[good])) if good.any() else float("nan")


@dataclass(frozen=True)
class ErrorSummary:
    """Errors of many profiles in a few figures, mag arcsec^-2.

    A missing prediction (NaN) counts as infinitely wrong in the median, the quartiles and the worst tenth, since a
    method that fails on hard galaxies must not gain by it; `mean` and `largest` are over the profiles there are.

    Attributes
    ----------
    count : int
        Galaxies, missing ones included.
    missing : int
        Galaxies without a prediction.
    median, quartile_low, quartile_high : float
    worst_tenth : float
        90th percentile: where the worst tenth begins.
    mean, largest : float
    share_bad : float
        Share of galaxies whose error is above `BAD_ERROR` or missing.
    """

    count: int
    missing: int
    median: float
    quartile_low: float
    quartile_high: float
    worst_tenth: float
    mean: float
    largest: float
    share_bad: float

    def as_dict(self) -> dict[str, float]:
        """Return the figures as a plain dictionary."""
        return asdict(self)


def summarise(errors: ArrayLike) -> ErrorSummary:
    """Summary of the errors of many profiles.

    Parameters
    ----------
    errors : array (G,)
        `profile_error` of each galaxy; NaN where there is no prediction.

    Returns
    -------
    ErrorSummary
        All figures NaN for no galaxies; infinite where missing predictions reach a percentile.
    """
    errors = np.asarray(errors, dtype=float).ravel()
    missing = ~np.isfinite(errors)
    if not errors.size:
        nan = float("nan")
        return ErrorSummary(0, 0, nan, nan, nan, nan, nan, nan, nan)
    present = errors[~missing]
    quartile_low, median, quartile_high, worst_tenth = (
        _percentile_missing_last(present, errors.size, p) for p in (25, 50, 75, 90)
    )
    return ErrorSummary(
        count=int(errors.size),
        missing=int(missing.sum()),
        median=median,
        quartile_low=quartile_low,
        quartile_high=quartile_high,
        worst_tenth=worst_tenth,
        mean=float(present.mean()) if present.size else float("nan"),
        largest=float(present.max()) if present.size else float("nan"),
        share_bad=float(np.mean(missing | (np.nan_to_num(errors, nan=np.inf) > BAD_ERROR))),
    )


def _percentile_missing_last(present: np.ndarray, count: int, percent: float) -> float:
    """Linear percentile of `present` among `count` values, the others being infinite.

    numpy's own gives NaN where it interpolates between two infinities.
    """
    position = percent / 100.0 * (count - 1)
    low, fraction = int(position), position - int(position)
    ordered = np.sort(present)
    high = low + (fraction > 1e-12)
    if high >= ordered.size:
        return float("inf")
    return float(ordered[low] + fraction * (ordered[high] - ordered[low]))


__all__ = [
    "BAD_ERROR",
    "BAD_PROFILE",
    "FAINT_MU",
    "ErrorSummary",
    "Residuals",
    "completeness",
    "coverage",
    "interpolate_log_sma",
    "profile_error",
    "profile_residuals",
    "summarise",
]
