"""Arcsec per pixel from a header without a celestial WCS."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from p2p_keras.core.errors import MissingCalibrationError

__all__ = ["PIXEL_SCALE_KEYWORDS", "header_number", "find_pixel_scale"]

PIXEL_SCALE_KEYWORDS = (
    "PIXSCALE",
    "PIXSCAL1",
    "PIXSCALX",
    "PIXELSCL",
    "PIXSCL",
    "PXSCALE",
    "PIXEL_SCALE",
    "PIXELSCALE",
    "PIX_SCALE",
    "CCDSCALE",
    "SECPIX",
    "SECPIX1",
    "PLATESC",
    "PIXSIZE",
    "PIXSIZE1",
    "XPIXSIZE",
    "PIXELSIZ",
    "SCALE",
    "D001SCAL",
)
"""Keywords of the side of a pixel, the first one that can be a scale counts."""

_SECOND_AXIS = {
    "PIXSCAL1": "PIXSCAL2",
    "SECPIX1": "SECPIX2",
    "PIXSCALX": "PIXSCALY",
    "PIXSIZE1": "PIXSIZE2",
    "XPIXSIZE": "YPIXSIZE",
}
_MAY_BE_LENGTHS = ("PIXSIZE", "PIXSIZE1", "XPIXSIZE", "PIXELSIZ", "SCALE")
_LENGTH = re.compile(r"micron|\bum\b|\[um\]|\bmm\b|\bmicro", re.IGNORECASE)
_DEGREES = re.compile(r"\bdeg", re.IGNORECASE)
_ARCSEC = re.compile(r"arcs|asec|\"|''|sec.{0,4}pix", re.IGNORECASE)
_LARGEST_WITHOUT_UNIT = 5.0
"""A pixel size above (no unit said) is as likely one of a detector in micrometres."""


def header_number(header: Mapping[str, Any], keyword: str) -> float:
    """Read a keyword's value as a float, also where it was written as text; NaN where absent or not a number."""
    value = header.get(keyword)
    if value is None or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def find_pixel_scale(header: Mapping[str, Any], wcs_scale: float, source: object) -> tuple[float, str]:
    """Arcsec per pixel and where it is from.

    Parameters
    ----------
    header : mapping
    wcs_scale : float
        Scale of the image's WCS, NaN where it has none.
    source : str or path, for the error

    Raises
    ------
    MissingCalibrationError
        Neither WCS nor keyword says.
    """
    if math.isfinite(wcs_scale):
        return wcs_scale, "WCS"
    for keyword in PIXEL_SCALE_KEYWORDS:
        first = _scale(header, keyword)
        if math.isfinite(first):
            second = _scale(header, _SECOND_AXIS.get(keyword, ""))
            if math.isfinite(second) and abs(second / first - 1.0) > 0.02:
                raise MissingCalibrationError(
                    source,
                    f"the pixels aren't square ({keyword} = {first:g}, {_SECOND_AXIS[keyword]} = {second:g}) "
                    "and there is no celestial WCS, by which they could be resampled: resample the image to "
                    "square pixels first",
                )
            return first, keyword
    area = header_number(header, "PIXAR_A2")
    if 1e-6 < area < 9e4:
        return math.sqrt(area), "PIXAR_A2"
    steradian = header_number(header, "PIXAR_SR")
    if steradian > 0:
        scale = math.degrees(math.sqrt(steradian)) * 3600.0
        if 1e-3 < scale < 300.0:
            return scale, "PIXAR_SR"
    raise MissingCalibrationError(
        source,
        "the pixel scale is unknown: looked for a celestial WCS (CTYPE, CRVAL with CD, PC or CDELT) and "
        "PIXSCALE, PIXSCAL1, SECPIX, PIXSIZE, SCALE, PIXAR_A2, PIXAR_SR and similar keywords; set it with "
        "--pixel-scale (pixel_scale= in Python)",
    )


def _scale(header: Any, keyword: str) -> float:
    """A keyword's scale in arcsec; NaN where it is none (a detector's micrometres, a placeholder)."""
    scale = abs(header_number(header, keyword))
    if not math.isfinite(scale):
        return math.nan
    comment = str(header.comments[keyword] or "") if hasattr(header, "comments") else ""
    if _LENGTH.search(comment):
        return math.nan
    if _DEGREES.search(comment) and not _ARCSEC.search(comment) and scale < 0.1:
        scale *= 3600.0
    elif keyword in _MAY_BE_LENGTHS and scale > _LARGEST_WITHOUT_UNIT and not _ARCSEC.search(comment):
        return math.nan
    return scale if 1e-3 < scale < 300.0 else math.nan
