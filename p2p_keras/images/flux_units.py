"""What BUNIT says a pixel's value is: a physical flux, a count, a count rate, or nothing that can be used."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from astropy import units as u

from p2p_keras.images.bands import band_from_header
from p2p_keras.images.pixel_scale import header_number

__all__ = ["AB_ZERO_POINT_JY", "UNIT_KEYWORDS", "unit_text", "pivot_wavelength", "PixelUnit", "read_unit"]

AB_ZERO_POINT_JY = 2.5 * math.log10(u.AB.to(u.Jy))
"""AB magnitude of 1 Jy: 8.90."""

_PER_PIXEL = r"( ?(/| per ) ?pix(el)?s?)?"
_NANOMAGGY = re.compile(rf"(nano[- ]?(maggy|maggies|maggie|mgys?|maggys)|nmgys?|nmaggy|nmaggies){_PER_PIXEL}")
_MAGGY = re.compile(rf"(maggy|maggies|maggie|mgys?){_PER_PIXEL}")
_COUNT = (
    r"(adus?|dns?|counts?|cts?|electrons?|elec|els?|e-?|photons?|phot?|photoelectrons?|data ?numbers?|"
    r"digital ?numbers?)"
    r"(/pix(el)?)?"
)
_RATE = (
    r"( ?/ ?(s|secs?|seconds?)| ?[*. ]{0,2} ?(s|sec|seconds?) ?(-1|\^-1|\^\(-1\)|\^\{-1\}|\*\*-1|\*\*\(-1\))"
    r"| per s(ec(ond)?)?)"
)
_COUNTS = re.compile(_COUNT)
_COUNT_RATE = re.compile(f"(cps|{_COUNT}{_RATE}(/pix(el)?)?)")
# Spellings that astropy would read as another unit or not at all. "MJY" alone may be mega or milli: left out.
_SPELLINGS = (
    (
        r"^(M|[Mm]ega-?)(JY|Jy|jy|[Jj]ansk(y|ys)|JANSKY)( ?/ ?| per | )"
        r"(SR|STR|STER|STERADIAN|sr|str|ster|steradian)(\*\*-1|\^-1|-1)?$",
        "MJy/sr",
    ),
    (r"\b[Nn]ano-?([Jj]ansk(ys|y)|[Jj]y)\b|\bNJY\b|\bNANOJ(Y|ANSKY)\b", "nJy"),
    (r"\b[Mm]icro-?([Jj]ansk(ys|y)|[Jj]y)\b|\bUJY\b|\bMICROJ(Y|ANSKY)\b", "uJy"),
    (r"\b[Mm]illi-?([Jj]ansk(ys|y)|[Jj]y)\b|\bMILLIJ(Y|ANSKY)\b", "mJy"),
    (r"\b(JY|[Jj]anskys?|JANSKY)\b", "Jy"),
    (r" per ", "/"),
    (r"\b(SR|STR|STER|STERADIAN|str|ster)\b", "sr"),
    (r"\b(ERGS|ergs|ERG)\b", "erg"),
    (r"\b(ANGSTROMS?|ANG|Ang|angstroms?|A)\b", "Angstrom"),
    (r"\b(CM|SEC|sec|HZ)\b", lambda m: {"CM": "cm", "SEC": "s", "sec": "s", "HZ": "Hz"}[m[1]]),
    (r"\b(pixel|PIXEL|PIX|pixels)\b", "pix"),
    (r"\b(arcsec\^2|arcsec2|ARCSEC\^2|arcsec\*\*2|sqarcsec|asec\^2)", "arcsec2"),
)


UNIT_KEYWORDS = ("BUNIT", "BUNITS", "ZUNITS", "SIGUNIT", "UNITS", "FLUXUNIT", "DATAUNIT", "PIXUNIT")
"""Keywords of the unit of pixel values, the first one that says something counts."""

_PIVOTS: Mapping[str, Mapping[str, float]] = {
    "SDSS": {"u": 3557.0, "g": 4702.0, "r": 6176.0, "i": 7490.0, "z": 8947.0},
    "GALEX": {"FUV": 1535.1, "NUV": 2300.8},
    "2MASS": {"J": 12358.0, "H": 16458.0, "Ks": 21603.0},
}
"""Pivot wavelengths (Angstrom) by survey and band, for images in flux per wavelength without PHOTPLAM: Doi et al.
(2010, AJ 139, 1628) and the profile service of the Spanish Virtual Observatory."""


def unit_text(header: Mapping[str, Any]) -> str:
    """What the header says the pixels' unit is, ``""`` where it doesn't."""
    for key in UNIT_KEYWORDS:
        value = header.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def pivot_wavelength(header: Mapping[str, Any]) -> float:
    """Pivot wavelength in Angstrom by PHOTPLAM, or of a filter that survey and band name; NaN where unknown."""
    pivot = header_number(header, "PHOTPLAM")
    if pivot > 0:
        return pivot
    words = " ".join(str(header.get(key) or "") for key in ("SURVEY", "TELESCOP", "INSTRUME", "ORIGIN")).upper()
    band = band_from_header(header)
    return next((table[band] for name, table in _PIVOTS.items() if name in words and band in table), math.nan)


@dataclass(frozen=True)
class PixelUnit:
    """The meaning of a pixel's value.

    Attributes
    ----------
    kind : str
        ``"flux"``, ``"counts"``, ``"rate"`` (counts per second), ``"magnitude"``, ``"beam"`` (flux per beam) or
        ``"unknown"``.
    text : str
        BUNIT as written; ``""`` where absent.
    zero_point : float
        AB magnitude of a pixel value of one, for ``"flux"``; else NaN.
    """

    kind: str
    text: str
    zero_point: float = math.nan


def read_unit(text: str | None, pixel_scale: float = math.nan, pivot_angstrom: float = math.nan) -> PixelUnit:
    """Understand BUNIT.

    Parameters
    ----------
    text : str or None
        BUNIT as the header has it.
    pixel_scale : float
        Arcsec per pixel, for surface brightnesses (MJy/sr); where it is NaN their zero point is NaN.
    pivot_angstrom : float
        Pivot wavelength (PHOTPLAM), for flux densities per wavelength; where it is NaN their zero point is NaN.
    """
    text = " ".join(str(text or "").strip().strip("[]'\"").split())
    lower = text.lower()
    if _NANOMAGGY.fullmatch(lower):
        return PixelUnit("flux", text, 22.5)
    if _MAGGY.fullmatch(lower):
        return PixelUnit("flux", text, 0.0)
    if _COUNT_RATE.fullmatch(lower):
        return PixelUnit("rate", text)
    if _COUNTS.fullmatch(lower):
        return PixelUnit("counts", text)
    if lower.startswith("mag"):
        return PixelUnit("magnitude", text)
    if "beam" in lower:
        return PixelUnit("beam", text)
    unit = _astropy_unit(text)
    if unit is None:
        return PixelUnit("unknown", text)
    if unit.is_equivalent(u.Jy * u.pix**-1):
        unit = unit * u.pix
    if unit.is_equivalent(u.Jy / u.sr):
        unit = unit * (pixel_scale * u.arcsec) ** 2 if math.isfinite(pixel_scale) else None
    elif unit.is_equivalent(u.erg / u.s / u.cm**2 / u.AA):
        if not pivot_angstrom > 0:
            return PixelUnit("flux", text)
        jansky = (1.0 * unit).to_value(u.Jy, u.spectral_density(pivot_angstrom * u.AA))
        return PixelUnit("flux", text, AB_ZERO_POINT_JY - 2.5 * math.log10(jansky))
    elif not unit.is_equivalent(u.Jy):
        return PixelUnit("unknown", text)
    if unit is None:
        return PixelUnit("flux", text)
    return PixelUnit("flux", text, AB_ZERO_POINT_JY - 2.5 * math.log10((1.0 * unit).to_value(u.Jy)))


@functools.lru_cache(maxsize=256)
def _astropy_unit(text: str) -> u.UnitBase | None:
    """Parse the unit by astropy; None where it can't or where it has no dimension."""
    for pattern, spelling in _SPELLINGS:
        text = re.sub(pattern, spelling, text)
    if not text:
        return None
    head, *below = text.split("/")
    if len(below) > 1 and "(" not in text:
        text = f"{head}/({' '.join(below)})"  # astropy warns of a/b/c, and its filters of warnings aren't for threads
    # Formats that warn of nothing: FITS's own deprecates Angstrom.
    for unit_format in (None, "cds"):
        try:
            unit = u.Unit(text, format=unit_format)
        except (ValueError, TypeError):
            continue
        if isinstance(unit, u.UnitBase) and unit.bases:
            return unit
    return None
