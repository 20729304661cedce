"""The figures of an evaluation: the paper's errors, coverage, geometry, totals, and where it is good or bad."""

from __future__ import annotations

from typing import Any

import numpy as np

from p2p_keras.core.accuracy import coverage, summarise
from p2p_keras.evaluation.galaxy import GalaxyResult
from p2p_keras.evaluation.run import Evaluation
from p2p_keras.images.bands import sorted_bands

__all__ = ["DECILES", "summarise_evaluation", "deciles", "worst_galaxies", "coverage_curve"]

DECILES = {
    "mu": "true surface brightness, mag arcsec^-2",
    "size": "true extent of the galaxy, px",
    "snr": "signal-to-noise ratio of the annulus",
}
"""What radii are sorted by, ten equal parts each, to see where errors and coverage hold."""


def summarise_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """Figures of one model as plain numbers, ready for JSON (`p2p_keras.evaluation.report.plain`).

    Returns
    -------
    dict
        ``model``, ``galaxies``, ``galaxies_per_second``; ``error`` (all radii) and ``error_bright`` (mu_true <= 26.5)
        as `accuracy.ErrorSummary` has them; ``completeness``; ``coverage`` (1 and 2 sigma, all radii together, and
        ``curve``: shares of truths that intervals should hold, ``expected``, and do hold, ``found``);
        ``scalars``: median, quartiles and 90th percentile of the absolute errors of centre (px), ellipticity, pa (deg),
        total magnitude and r50 (relative), with the median of the signed error as ``bias``; ``deciles``; ``bands``
        (``error``, ``error_bright`` and ``coverage`` of each); ``worst`` (the ten worst galaxies); ``failures``.
    """
    results = evaluation.results
    residual, mu_err = (np.concatenate([getattr(r, n) for r in results] or [[]]) for n in ("residual", "mu_err"))
    return {
        "model": evaluation.model,
        "galaxies": len(results),
        "galaxies_per_second": len(results) / evaluation.seconds if evaluation.seconds else float("nan"),
        "error": summarise([r.error for r in results]).as_dict(),
        "error_bright": summarise([r.error_bright for r in results if r.has_bright]).as_dict(),
        "completeness": _mean([r.completeness for r in results]),
        "coverage": {
            "one_sigma": coverage(residual, mu_err),
            "two_sigma": coverage(residual, mu_err, 2.0),
            "curve": coverage_curve(residual, mu_err),
        },
        "scalars": {
            "centre_px": _spread([r.centre_error for r in results]),
            "ellipticity": _spread([r.ellipticity_error for r in results]),
            "pa_deg": _spread([r.pa_error for r in results]),
            "mag_total": _spread([r.mag_error for r in results]),
            "r50_relative": _spread([r.r50_error for r in results]),
            "extent_relative": _spread([r.extent_ratio - 1.0 for r in results]),
        },
        "deciles": {key: deciles(results, key) for key in DECILES},
        "bands": {
            band: _of_band([r for r in results if r.band == band]) for band in sorted_bands(r.band for r in results)
        },
        "worst": [
            {"name": r.name, "band": r.band, "error": r.error, "cause": r.failure}
            for r in (results[i] for i in worst_galaxies(evaluation, 10))
        ],
        "failures": [{"name": r.name, "band": r.band, "cause": r.failure} for r in results if r.failure],
    }


def deciles(results: list[GalaxyResult], key: str) -> list[dict[str, float]]:
    """Error and coverage in ten parts of equal numbers of radii, sorted by one of `DECILES`.

    Returns
    -------
    list of dict
        ``low``, ``high`` (range of the quantity), ``radii``, ``median_error`` (of |residual|), ``bias`` (median
        residual), ``coverage`` (1 sigma). Empty where the quantity is known for no radius.
    """
    values = {
        "mu": [r.mu_true for r in results],
        "size": [np.full(r.mu_true.shape, r.extent_px) for r in results],
        "snr": [r.snr for r in results],
    }[key]
    value = np.concatenate(values or [np.empty(0)])
    residual, mu_err = (np.concatenate([getattr(r, n) for r in results] or [[]]) for n in ("residual", "mu_err"))
    order = np.argsort(value, kind="stable")
    order = order[np.isfinite(value[order])]
    parts = [part for part in np.array_split(order, 10) if part.size]
    return [
        {
            "low": float(value[part[0]]),
            "high": float(value[part[-1]]),
            "radii": int(part.size),
            "median_error": float(np.median(np.abs(residual[part]))),
            "bias": float(np.median(residual[part])),
            "coverage": coverage(residual[part], mu_err[part]),
        }
        for part in parts
    ]


def worst_galaxies(evaluation: Evaluation, count: int) -> list[int]:
    """Places in the set of the galaxies with the largest errors, the worst first; those without a profile lead."""
    errors = np.array([r.error for r in evaluation.results], dtype=float)
    return [int(i) for i in np.argsort(-np.nan_to_num(errors, nan=np.inf), kind="stable")[:count]]


def coverage_curve(residual: np.ndarray, mu_err: np.ndarray) -> list[dict[str, float]]:
    """Shares of truths inside the central intervals of a normal error that should hold 5, 10, ... 95 and 99 %."""
    from scipy.special import erfinv

    expected = [*np.linspace(0.05, 0.95, 19), 0.99]
    return [
        {"expected": round(float(share), 4), "found": coverage(residual, mu_err, float(np.sqrt(2.0) * erfinv(share)))}
        for share in expected
    ]


def _of_band(results: list[GalaxyResult]) -> dict[str, Any]:
    residual, mu_err = (np.concatenate([getattr(r, n) for r in results] or [[]]) for n in ("residual", "mu_err"))
    return {
        "error": summarise([r.error for r in results]).as_dict(),
        "error_bright": summarise([r.error_bright for r in results if r.has_bright]).as_dict(),
        "coverage": coverage(residual, mu_err),
    }


def _spread(errors: list[float]) -> dict[str, float]:
    signed = np.asarray(errors, dtype=float)
    signed = signed[np.isfinite(signed)]
    if not signed.size:
        nan = float("nan")
        return {"count": 0, "median": nan, "quartile_low": nan, "quartile_high": nan, "worst_tenth": nan, "bias": nan}
    low, median, high, worst = np.percentile(np.abs(signed), [25, 50, 75, 90])
    return {
        "count": int(signed.size),
        "median": float(median),
        "quartile_low": float(low),
        "quartile_high": float(high),
        "worst_tenth": float(worst),
        "bias": float(np.median(signed)),
    }


def _mean(values: list[float]) -> float:
    array = np.asarray(values, dtype=float)
    array = array[np.isfinite(array)]
    return float(array.mean()) if array.size else float("nan")
