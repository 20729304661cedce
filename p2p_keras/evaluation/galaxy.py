"""One galaxy's raw model outputs against its true profile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from p2p_keras.core.accuracy import interpolate_log_sma, profile_error, profile_residuals
from p2p_keras.core.ellipse import angles_from_vector, vector_from_angles
from p2p_keras.core.extent import annulus_snr
from p2p_keras.core.growth import curve_of_growth, radius_of_light
from p2p_keras.core.units import FAINT_MU, intensity_from_mu
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.profile.columns import valid_rows

__all__ = [
    "MIN_PA_ELLIPTICITY",
    "MIN_GEOMETRY_PX",
    "GalaxyResult",
    "compare_with_truth",
    "within_extent",
    "has_bright_radii",
    "half_light_radius",
]

MIN_PA_ELLIPTICITY = 0.25
"""Position angles are compared where the truth is at least this elliptical: that of a circle means nothing."""

MIN_GEOMETRY_PX = 2.0
"""Ellipses are compared from this radius outward; inside it the pixels decide."""

_NAN = float("nan")


@dataclass(frozen=True)
class GalaxyResult:
    """What one model made of one galaxy. Figures are NaN where there is no prediction or no truth.

    Attributes
    ----------
    name, band : str
    error, error_bright : float
        The paper's error over all radii of the truth within its extent, and where mu_true <= 26.5 (mag arcsec^-2).
    completeness : float
        Share of the truth's radii within its extent that the prediction reaches.
    extent_ratio : float
        Predicted extent over the true one.
    centre_error : float, px
    ellipticity_error, pa_error : float
        Medians over radii of the absolute error; degrees for the angle, only where the truth is elliptical.
    mag_error : float
        Predicted minus true total magnitude.
    r50_error : float
        Predicted over true half-light radius, minus 1.
    extent_px, r50_px : float
        True sizes in pixels.
    has_bright : bool
        Whether the truth has radii at mu_true <= 26.5 within its extent: else `error_bright` says nothing.
    sma_px, mu_true, residual, mu_err, snr : float arrays (N,)
        Radii in pixels, truth, predicted minus true, predicted 1-sigma uncertainty, and signal-to-noise ratio of the
        truth's annuli (NaN where the label doesn't know its noise).
    measured : dict
        The prediction itself, as raw outputs of its valid radii, to draw it from; empty where there is none.
    failure : str
        Why there is no prediction, '' where there is one.
    """

    name: str
    band: str
    error: float = _NAN
    error_bright: float = _NAN
    completeness: float = 0.0
    extent_ratio: float = _NAN
    centre_error: float = _NAN
    ellipticity_error: float = _NAN
    pa_error: float = _NAN
    mag_error: float = _NAN
    r50_error: float = _NAN
    extent_px: float = _NAN
    r50_px: float = _NAN
    has_bright: bool = True
    sma_px: np.ndarray = field(default_factory=lambda: np.empty(0))
    mu_true: np.ndarray = field(default_factory=lambda: np.empty(0))
    residual: np.ndarray = field(default_factory=lambda: np.empty(0))
    mu_err: np.ndarray = field(default_factory=lambda: np.empty(0))
    snr: np.ndarray = field(default_factory=lambda: np.empty(0))
    measured: dict[str, Any] = field(default_factory=dict, repr=False)
    failure: str = ""


def compare_with_truth(
    label: LabelledGalaxy, outputs: Mapping[str, Any], *, offset: tuple[float, float] = (0, 0)
) -> GalaxyResult:
    """Compare one galaxy's raw outputs with its label.

    Parameters
    ----------
    label : LabelledGalaxy
    outputs : mapping of arrays
        As `p2p_keras.profile.profile_table` takes them: position angles from +x. ``failure`` may hold why no radius is
        valid.
    offset : (int, int)
        Pixel (x, y) of the label's image under the measured image's pixel (0, 0).

    Returns
    -------
    GalaxyResult
    """
    rows = valid_rows(outputs)
    measured = {
        name: np.asarray(outputs[name], dtype=float)[rows]
        for name in ("sma", "mu", "mu_err", "ellipticity", "pa", "growth")
    }
    sma, mu = within_extent(label)
    residuals = profile_residuals(sma, mu, measured["sma"], measured["mu"], measured["mu_err"])
    true_extent = float(sma[np.isfinite(mu)][-1]) if np.isfinite(mu).any() else _NAN
    ellipticity_error, pa_error = geometry_errors(label, measured)
    x0, y0 = float(outputs["x0"]) + offset[0], float(outputs["y0"]) + offset[1]
    true_r50 = half_light_radius(label)
    r50 = radius_of_light(measured["sma"], measured["growth"], float(outputs["mag_total"]), 0.5)
    scale = label.pixel_scale
    missing = not measured["sma"].size
    return GalaxyResult(
        name=label.name,
        band=label.band,
        error=profile_error(sma, mu, measured["sma"], measured["mu"]),
        error_bright=profile_error(sma, mu, measured["sma"], measured["mu"], faintest=FAINT_MU),
        completeness=residuals.residual.size / residuals.num_true if residuals.num_true else _NAN,
        extent_ratio=_NAN if missing else float(measured["sma"].max()) / true_extent,
        centre_error=_NAN if missing else float(np.hypot(x0 - label.x0, y0 - label.y0)),
        ellipticity_error=ellipticity_error,
        pa_error=pa_error,
        mag_error=_NAN if missing else float(outputs["mag_total"]) - label.mag_total,
        r50_error=r50 / true_r50 - 1.0,
        extent_px=true_extent / scale,
        r50_px=true_r50 / scale,
        has_bright=has_bright_radii(mu),
        sma_px=residuals.sma / scale,
        mu_true=residuals.mu_true,
        residual=residuals.residual,
        mu_err=residuals.mu_err,
        snr=annulus_snr_of(label, residuals.sma, residuals.mu_true),
        measured={} if missing else _kept(outputs, rows),
        failure=(str(outputs.get("failure", "")) or "no radius is valid") if missing else "",
    )


def _kept(outputs: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """Raw outputs of the valid radii only, in single precision: a set may have many thousands of galaxies."""
    columns = ("sma", "mu", "mu_err", "ellipticity", "pa", "growth")
    kept: dict[str, Any] = {name: np.asarray(outputs[name], dtype=np.float32)[rows] for name in columns}
    kept["valid"] = np.ones(int(rows.sum()), dtype=bool)
    return kept | {name: float(outputs[name]) for name in ("x0", "y0", "extent", "mag_total", "sky")}


def within_extent(label: LabelledGalaxy) -> tuple[np.ndarray, np.ndarray]:
    """Radii (arcsec) and surface brightness of a label up to its extent; all of them where that is unknown."""
    sma, mu = np.asarray(label.sma, dtype=float), np.asarray(label.mu, dtype=float)
    if np.isfinite(label.extent):
        keep = sma <= label.extent * (1.0 + 1e-5)
        sma, mu = sma[keep], mu[keep]
    return sma, mu


def has_bright_radii(mu: np.ndarray) -> bool:
    """Whether any radius is as bright as the paper's second figure asks for; NaN is not."""
    return bool(np.any(np.nan_to_num(mu, nan=np.inf) <= FAINT_MU))


def half_light_radius(label: LabelledGalaxy) -> float:
    """True half-light radius in arcsec, from the label's own curve of growth; NaN where it can't be had."""
    if label.ellipticity is None:
        return _NAN
    sma = np.asarray(label.sma, dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):
        intensity = intensity_from_mu(np.asarray(label.mu, dtype=float), label.zero_point, label.pixel_scale)
    good = np.isfinite(intensity) & np.isfinite(label.ellipticity)
    if not good.any():
        return _NAN
    flux = curve_of_growth(sma[good] / label.pixel_scale, intensity[good], np.asarray(label.ellipticity)[good])
    growth = label.zero_point - 2.5 * np.log10(np.maximum(flux, 1e-30))
    total = label.mag_total if np.isfinite(label.mag_total) else float(growth.min())
    return radius_of_light(sma[good], growth, total, 0.5)


def geometry_errors(label: LabelledGalaxy, measured: Mapping[str, np.ndarray]) -> tuple[float, float]:
    """Medians over radii of the errors of ellipticity and position angle (degrees)."""
    if label.ellipticity is None or label.pa is None or not measured["sma"].size:
        return _NAN, _NAN
    e1, e2 = vector_from_angles(measured["ellipticity"], measured["pa"])
    sma, _ = within_extent(label)
    # The vector is interpolated, not the angle, which jumps from 180 to 0.
    e1, e2 = (interpolate_log_sma(sma, measured["sma"], part) for part in (e1, e2))
    ellipticity, pa = angles_from_vector(e1, e2)
    true_ellipticity = np.asarray(label.ellipticity, dtype=float)[: sma.size]
    true_pa = np.asarray(label.pa, dtype=float)[: sma.size]
    outside = (sma >= MIN_GEOMETRY_PX * label.pixel_scale) & np.isfinite(ellipticity) & np.isfinite(true_ellipticity)
    elliptical = outside & (true_ellipticity >= MIN_PA_ELLIPTICITY) & np.isfinite(true_pa)
    turn = np.abs((pa - true_pa + 90.0) % 180.0 - 90.0)
    return _median(np.abs(ellipticity - true_ellipticity)[outside]), _median(turn[elliptical])


def annulus_snr_of(label: LabelledGalaxy, sma: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """Signal-to-noise ratio of annuli of the truth at radii (arcsec) of these mu; NaN where the noise isn't known."""
    if not (np.isfinite(label.noise) and label.noise > 0):
        return np.full(sma.shape, np.nan)
    ellipticity = np.zeros(sma.shape)
    if label.ellipticity is not None:
        ellipticity = np.nan_to_num(interpolate_log_sma(sma, label.sma, label.ellipticity))
    intensity = intensity_from_mu(mu, label.zero_point, label.pixel_scale)
    return annulus_snr(intensity, sma / label.pixel_scale, ellipticity, label.noise)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else _NAN
