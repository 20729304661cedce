"""Zero point and pixel scale from an image's header, as real surveys write them; never a silent default.

The order of trust for the zero point, the AB magnitude of a pixel value of one:

1. BUNIT is a physical flux (nanomaggy, maggy, Jy and its fractions, MJy/sr, erg/s/cm2/Hz or, with PHOTPLAM, per
   Angstrom). A zero-point keyword that says otherwise is an error, not a choice made here.
2. Keywords that state a zero point, `ZERO_POINT_KEYWORDS`: the magnitude of one unit of the pixel values as they are
   stored (the convention of SExtractor, SCAMP, DES, ZTF, Euclid MER). Where the card's comment says "per second" and
   the values are counts, 2.5 log10(EXPTIME) is added. FLUXMAG0 (HSC: counts of magnitude 0) and FLUX20 (SDSS DR7:
   counts of magnitude 20) are the same said as a flux.
3. Pan-STARRS FPA.ZP: magnitude of one count per second, while stacks and warps hold counts: EXPTIME is needed.
4. HST PHOTFLAM with PHOTPLAM: erg/s/cm2/Angstrom of one count per second; BUNIT must say if values are counts.
5. A SURVEY keyword of a viewer whose cutouts are always nanomaggies.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from p2p_keras.core.errors import InputError, MissingCalibrationError
from p2p_keras.images.flux_units import AB_ZERO_POINT_JY, PixelUnit, read_unit

ZERO_POINT_KEYWORDS = (
    "MAGZERO",
    "MAGZP",
    "MAGZPT",
    "MAGZEROP",
    "MAG_ZERO",
    "MAG_ZP",
    "PHOTZP",
    "PHOTZPT",
    "ZP",
    "ZPT",
    "ZEROPT",
    "ZEROPNT",
    "ZEROPOIN",
    "ZERO_PT",
    "ZP_AB",
    "ABZP",
    "ABMAGZP",
    "IMAGEZPT",
)
FLUX_KEYWORDS = {"FLUXMAG0": 0.0, "FLUX20": 20.0}
"""Keywords that hold the counts of a source of a given magnitude."""

SURVEY_UNITS = {"LEGACYSURVEY": ("nanomaggy", 0.262), "SDSS": ("nanomaggy", 0.396)}
"""SURVEY keyword of the Legacy Surveys viewer's cutouts -> their unit, and the survey's own pixel scale in arcsec."""

PIXEL_SCALE_KEYWORDS = ("PIXSCALE", "PIXSCAL1", "PIXELSCL", "SECPIX", "SECPIX1", "D001SCAL")
EXPOSURE_KEYWORDS = ("EXPTIME", "CELL.EXPOSURE", "TEXPTIME")

_PLAUSIBLE_ZERO_POINT = (5.0, 50.0)
_AGREE = 0.02
_PER_SECOND = re.compile(
    r"(/ ?s\b|/ ?sec|per sec|per s\b|s-1|s\^-1|(?<!\d)1[ -]?s(ec(ond)?)?\b|count rate|cps)", re.IGNORECASE
)
_CASU = ("CASUVERS", "APCOR3", "APCORPK")
_LOOKED_FOR = (
    "BUNIT, "
    + ", ".join((*ZERO_POINT_KEYWORDS, *FLUX_KEYWORDS))
    + ", FPA.ZP with EXPTIME, PHOTFLAM with PHOTPLAM, SURVEY"
)
_OPTION = "set it with --zero-point (zero_point= in Python)"


@dataclass(frozen=True)
class ZeroPoint:
    """A zero point and where it is from.

    Attributes
    ----------
    value : float
        AB magnitude of a pixel value of one.
    origin : str
        Which keywords said so.
    notes : list of str
        What a careful user wants to know about it.
    """

    value: float
    origin: str
    notes: list[str] = field(default_factory=list)


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
        scale = abs(header_number(header, keyword))
        if 1e-3 < scale < 300.0:
            return scale, keyword
    raise MissingCalibrationError(
        source,
        "the pixel scale is unknown: looked for a celestial WCS (CTYPE, CRVAL with CD, PC or CDELT) and "
        f"{', '.join(PIXEL_SCALE_KEYWORDS)}; set it with --pixel-scale (pixel_scale= in Python)",
    )


def find_zero_point(header: Any, pixel_scale: float, source: object) -> ZeroPoint:
    """Find the zero point of an image, by the rules in this module's head.

    Parameters
    ----------
    header : astropy.io.fits.Header
        With the primary header's cards where the image is in an extension.
    pixel_scale : float
        Arcsec per pixel, for values per solid angle.
    source : str or path, for errors

    Raises
    ------
    MissingCalibrationError
        The header doesn't say, contradicts itself, or lacks what its own convention needs (EXPTIME, BUNIT).
    InputError
        The values are magnitudes.
    """
    unit = read_unit(header.get("BUNIT"), pixel_scale, header_number(header, "PHOTPLAM"))
    if unit.kind == "magnitude":
        raise InputError(
            source, f"the pixels are magnitudes (BUNIT = {unit.text!r}): an image of linear flux is needed"
        )
    if unit.kind == "beam":
        raise MissingCalibrationError(source, f"BUNIT = {unit.text!r}: a flux per beam has no zero point; {_OPTION}")
    if unit.kind == "flux" and math.isnan(unit.zero_point):
        raise MissingCalibrationError(source, f"BUNIT = {unit.text!r} needs PHOTPLAM, which isn't there; {_OPTION}")
    _refuse_casu(header, unit, source)
    stated = _stated(header, unit, source)
    if unit.kind == "flux":
        stated = {f"BUNIT = {unit.text!r}": unit.zero_point, **stated}
    values = list(stated.values())
    if values and max(values) - min(values) > _AGREE:
        said = ", ".join(f"{keyword} gives {value:.3f}" for keyword, value in stated.items())
        raise MissingCalibrationError(source, f"the header contradicts itself on the zero point ({said}); {_OPTION}")
    if stated:
        origin, value = next(iter(stated.items()))
        return ZeroPoint(value, origin, _vega_note(header))
    for convention in (_pan_starrs, _hubble, _survey):
        found = convention(header, unit, source)
        if found is not None:
            return found
    has_unit = f"BUNIT = {unit.text!r} has none" if unit.text else "there is no BUNIT"
    useless = [f"{key} = {header[key]}" for key in (*ZERO_POINT_KEYWORDS, *FLUX_KEYWORDS) if key in header]
    placeholder = f" ({', '.join(useless)} is no zero point)" if useless else ""
    raise MissingCalibrationError(
        source, f"the zero point is unknown: {has_unit}{placeholder}; looked for {_LOOKED_FOR}; {_OPTION}"
    )


def _stated(header: Any, unit: PixelUnit, source: object) -> dict[str, float]:
    """Zero points that the header's keywords state for the values as stored, by keyword; placeholders left out."""
    stated = {}
    for keyword in ZERO_POINT_KEYWORDS:
        value = header_number(header, keyword)
        if not _PLAUSIBLE_ZERO_POINT[0] < value < _PLAUSIBLE_ZERO_POINT[1]:
            continue  # 0, -99, 99 stand for "not measured"; -21.1 in PHOTZPT is the constant of HST's ST magnitudes
        origin = keyword
        if unit.kind != "rate" and _PER_SECOND.search(header.comments[keyword] or ""):
            if unit.kind != "counts":
                raise MissingCalibrationError(
                    source,
                    f"{keyword} = {value:g} is for one count per second, but BUNIT "
                    f"({unit.text or 'absent'}) doesn't say if the pixels are counts or counts per second; {_OPTION}",
                )
            value += 2.5 * math.log10(_exposure(header, source, f"{keyword} (per second, the pixels are counts)"))
            origin = f"{keyword} + 2.5 log10(EXPTIME)"
        stated[origin] = value
    for keyword, magnitude in FLUX_KEYWORDS.items():
        flux = header_number(header, keyword)
        if flux > 0:
            stated[keyword] = magnitude + 2.5 * math.log10(flux)
    return stated


def _exposure(header: Any, source: object, needed_by: str) -> float:
    for keyword in EXPOSURE_KEYWORDS:
        seconds = header_number(header, keyword)
        if seconds > 0:
            return seconds
    raise MissingCalibrationError(
        source, f"{needed_by} needs the exposure time, and {', '.join(EXPOSURE_KEYWORDS)} don't give it; {_OPTION}"
    )


def _refuse_casu(header: Any, unit: PixelUnit, source: object) -> None:
    """CASU's MAGZPT (VISTA, UKIDSS, VST, INT) is a Vega magnitude of one count per second at airmass 1: say so."""
    value = header_number(header, "MAGZPT")
    if not (math.isfinite(value) and any(keyword in header for keyword in _CASU)):
        return
    raise MissingCalibrationError(
        source,
        f"MAGZPT = {value:g} follows CASU's convention (VISTA, UKIDSS, VST): for one count per second, before "
        "extinction (EXTINCT, AIRMASS) and in the survey's own magnitude system; work out "
        f"MAGZPT - EXTINCT (AIRMASS - 1) + 2.5 log10(EXPTIME) plus the AB offset of the band and {_OPTION}",
    )


def _pan_starrs(header: Any, unit: PixelUnit, source: object) -> ZeroPoint | None:
    """Stacks: 25 + 2.5 log10(EXPTIME); warps alike with their own FPA.ZP."""
    value = header_number(header, "FPA.ZP")
    if not _PLAUSIBLE_ZERO_POINT[0] < value < _PLAUSIBLE_ZERO_POINT[1]:
        return None
    if unit.kind == "rate":
        return ZeroPoint(value, "FPA.ZP")
    return ZeroPoint(value + 2.5 * math.log10(_exposure(header, source, "FPA.ZP")), "FPA.ZP + 2.5 log10(EXPTIME)")


def _hubble(header: Any, unit: PixelUnit, source: object) -> ZeroPoint | None:
    """AB zero point of PHOTFLAM at the pivot wavelength PHOTPLAM, or of PHOTFNU (Jy s per count)."""
    photflam, pivot = header_number(header, "PHOTFLAM"), header_number(header, "PHOTPLAM")
    photfnu = header_number(header, "PHOTFNU")
    if photflam > 0 and pivot > 0:
        value = read_unit("erg / (s cm2 Angstrom)", pivot_angstrom=pivot).zero_point - 2.5 * math.log10(photflam)
        origin = "PHOTFLAM and PHOTPLAM"
    elif photfnu > 0:
        value, origin = AB_ZERO_POINT_JY - 2.5 * math.log10(photfnu), "PHOTFNU"
    elif photflam > 0:
        raise MissingCalibrationError(
            source, f"PHOTFLAM is there, but no PHOTPLAM to make it an AB magnitude; {_OPTION}"
        )
    else:
        return None
    if unit.kind == "rate":
        return ZeroPoint(value, origin)
    if unit.kind == "counts":
        seconds = _exposure(header, source, f"{origin} with BUNIT = {unit.text!r}")
        return ZeroPoint(value + 2.5 * math.log10(seconds), f"{origin} + 2.5 log10(EXPTIME)")
    raise MissingCalibrationError(
        source,
        f"{origin} give the zero point for counts per second ({value:.3f}), but BUNIT ({unit.text or 'absent'}) "
        f"doesn't say if the pixels are counts or counts per second; {_OPTION}",
    )


def _survey(header: Any, unit: PixelUnit, source: object) -> ZeroPoint | None:
    survey = header.get("SURVEY")
    known = SURVEY_UNITS.get(survey.strip().upper()) if isinstance(survey, str) else None
    if known is None or unit.kind in ("counts", "rate"):
        return None
    return ZeroPoint(read_unit(known[0]).zero_point, f"SURVEY = {survey!r} (its cutouts are in {known[0]})")


def _vega_note(header: Any) -> list[str]:
    words = " ".join(str(header.get(key, "")) for key in ("ORIGIN", "TELESCOP", "SURVEY")).upper()
    if any(name in words for name in ("2MASS", "WISE")):
        return ["the zero point of 2MASS and WISE images is a Vega magnitude: so is mu"]
    return []
