"""What BUNIT says a pixel's value is: a physical flux, a count, a count rate, or nothing that can be used."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass

from astropy import units as u

AB_ZERO_POINT_JY = 2.5 * math.log10(u.AB.to(u.Jy))
"""AB magnitude of 1 Jy: 8.90."""

_NANOMAGGY = re.compile(r"(nano[- ]?(maggy|maggies|maggie|mgy)|nmgy|nmaggy|nmaggies|nanomgys?)(/pix(el)?)?")
_MAGGY = re.compile(r"(maggy|maggies|mgy)(/pix(el)?)?")
_COUNT = (
    r"(adus?|dns?|counts?|cts?|electrons?|e-?|photons?|photoelectrons?|data ?numbers?|digital ?numbers?)(/pix(el)?)?"
)
_RATE = r"( ?/ ?(s|sec|second|seconds)| ?\*{0,2} ?(s|sec)(-1|\^-1|\*\*-1|\*\*\(-1\))| per s(ec(ond)?)?)"
_COUNTS = re.compile(_COUNT)
_COUNT_RATE = re.compile(f"(cps|{_COUNT}{_RATE}(/pix(el)?)?)")
# Spellings that astropy would read as another unit or not at all. "MJY" alone may be mega or milli: left out.
_SPELLINGS = (
    (r"^M(JY|Jansky|JANSKY)(/| )(SR|STER|STERADIAN|sr)(\*\*-1|\^-1)?$", "MJy/sr"),
    (r"^JY\b", "Jy"),
    (r"^NJY\b", "nJy"),
    (r"^(UJY|MICROJY|microJy|micro-?[Jj]ansk(y|ys)|microJanskys)\b", "uJy"),
    (r"^(milli-?[Jj]ansk(y|ys)|milliJy)\b", "mJy"),
    (r"\b(ERGS|ergs|ERG)\b", "erg"),
    (r"\b(ANGSTROMS?|ANG|Ang|angstroms?|A)\b", "Angstrom"),
    (r"\b(CM|SEC|sec|HZ)\b", lambda m: {"CM": "cm", "SEC": "s", "sec": "s", "HZ": "Hz"}[m[1]]),
    (r"\b(pixel|PIXEL|PIX|pixels)\b", "pix"),
    (r"\b(arcsec\^2|arcsec2|ARCSEC\^2|arcsec\*\*2|sqarcsec|asec\^2)", "arcsec2"),
)


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
    text = str(text or "").strip().strip("[]'\"").strip()
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


def _astropy_unit(text: str) -> u.UnitBase | None:
    """Parse the unit by astropy; None where it can't or where it has no dimension."""
    for pattern, spelling in _SPELLINGS:
        text = re.sub(pattern, spelling, text)
    if not text:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for unit_format in (None, "fits", "cds"):
            try:
                unit = u.Unit(text, format=unit_format)
            except (ValueError, TypeError):
                continue
            if isinstance(unit, u.UnitBase) and unit.bases:
                return unit
    return None
