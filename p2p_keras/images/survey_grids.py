"""Surveys in nanomaggies: how their images say so, and what follows where an image isn't on the survey's own grid."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from p2p_keras.images.flux_units import read_unit, unit_text
from p2p_keras.images.zero_point_value import ZeroPoint

__all__ = ["SURVEY_UNITS", "survey_of_nanomaggies", "scale_notes"]

SURVEY_UNITS = {
    "LEGACYSURVEY": ("nanomaggy", 0.262),
    "DECALS": ("nanomaggy", 0.262),
    "DECAPS": ("nanomaggy", 0.262),
    "BASS": ("nanomaggy", 0.262),
    "MZLS": ("nanomaggy", 0.262),
    "DELVE": ("nanomaggy", 0.262),
    "SDSS": ("nanomaggy", 0.396),
}
"""Words of the SURVEY keyword of the Legacy Surveys' images and viewer -> their unit, and the pixel scale of the survey
in arcsec."""


def survey_of_nanomaggies(header: Mapping[str, Any]) -> str:
    """Word of `SURVEY_UNITS` that SURVEY, or of an image in nanomaggies ORIGIN or TELESCOP, names; or ``""``."""
    words = set(re.split(r"[^A-Z0-9]+", str(header.get("SURVEY") or "").upper()))
    survey = next((name for name in SURVEY_UNITS if name in words), "")
    if survey or read_unit(unit_text(header)).zero_point != 22.5:
        return survey
    origins = " ".join(str(header.get(key) or "") for key in ("ORIGIN", "TELESCOP", "INSTRUME", "DATASET")).upper()
    if "SDSS" in origins or re.search(r"\b2\.5M\b", origins):
        return "SDSS"
    return "LEGACYSURVEY" if "DECALS" in origins or "LEGACY SURVEY" in origins else ""


def scale_notes(header: Any, zero: ZeroPoint, scale: float, wcs_scale: float, *, given: bool) -> list[str]:
    """Note what follows from a pixel scale that isn't the grid's, and the zero point that makes all of it right.

    Parameters
    ----------
    header : mapping
    zero : ZeroPoint
    scale : float
        Arcsec per pixel that is used.
    wcs_scale : float
        That of the WCS; NaN without one.
    given : bool
        The caller gave `scale`.
    """
    if given and math.isfinite(wcs_scale) and abs(scale / wcs_scale - 1.0) > 0.02:
        better = zero.value + 5.0 * math.log10(scale / wcs_scale)
        return [
            f"the given pixel scale {scale:.4g} overrides the WCS's {wcs_scale:.4g} arcsec, for areas and for radii; "
            f"if the flux is per pixel of {scale:.4g} arcsec on a grid of {wcs_scale:.4g}, mu is right but radii, "
            f"growth and mag_total are not: all are with --zero-point {better:.3f} and no --pixel-scale"
        ]
    known = SURVEY_UNITS.get(survey_of_nanomaggies(header))
    if not given and known is not None and math.isfinite(scale) and abs(scale / known[1] - 1.0) > 0.02:
        better = zero.value + 5.0 * math.log10(known[1] / scale)
        return [
            f"the grid of {scale:.4g} arcsec isn't the survey's own ({known[1]} arcsec): if the image was interpolated "
            f"without rescaling its flux, mu is off by {better - zero.value:+.2f} mag; "
            f"then use --zero-point {better:.3f}"
        ]
    return []
