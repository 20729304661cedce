"""Zero point from an image's header, as real surveys write it; never a silent default.

The order of trust for the zero point, the magnitude of a pixel value of one (AB, or Vega where
`p2p_keras.images.photometric_system` says so):

1. The unit (BUNIT, or its like in `UNIT_KEYWORDS`) is a physical flux: nanomaggy, maggy, Jy and its fractions, MJy/sr,
   erg/s/cm2/Hz or, with a pivot wavelength, per Angstrom. A zero-point keyword that says otherwise is an error, not a
   choice made here.
2. Keywords that state a zero point, `ZERO_POINT_KEYWORDS`: the magnitude of one unit of the pixel values as they are
   stored (the convention of SExtractor, SCAMP, DES, ZTF, Euclid MER). Where the card's comment says "per second" and
   the values are counts, 2.5 log10(EXPTIME) is added. FLUXMAG0 (HSC: counts of magnitude 0) and FLUX20 (SDSS DR7:
   counts of magnitude 20) are the same said as a flux; JMAGZP, HMAGZP, KMAGZP (2MASS Large Galaxy Atlas) are of a
   band each. The same is said by a PhotoCalib table of the Rubin pipelines (`p2p_keras.images.photo_calib`).
3. Pan-STARRS FPA.ZP: magnitude of one count per second, while stacks and warps hold counts: EXPTIME is needed.
4. JWST PHOTMJSR: MJy/sr of one count per second.
5. HST PHOTFLAM with PHOTPLAM: erg/s/cm2/Angstrom of one count per second; the unit must say if values are counts.
6. A SURVEY keyword of a viewer whose cutouts are always nanomaggies (the Legacy Surveys' family, SDSS).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from p2p_keras.core.errors import InputError, MissingCalibrationError
from p2p_keras.images.flux_units import AB_ZERO_POINT_JY, PixelUnit, pivot_wavelength, read_unit, unit_text
from p2p_keras.images.photo_calib import PhotoCalib
from p2p_keras.images.photometric_system import photometric_system
from p2p_keras.images.pixel_scale import header_number
from p2p_keras.images.survey_grids import SURVEY_UNITS, survey_of_nanomaggies
from p2p_keras.images.zero_point_value import (
    OPTION,
    PLAUSIBLE_ZERO_POINT,
    ZeroPoint,
    both_values,
    needed_exposure,
    vega_note,
)
from p2p_keras.images.zero_points_by_band import galex, large_galaxy_atlas

__all__ = ["ZERO_POINT_KEYWORDS", "FLUX_KEYWORDS", "find_zero_point"]

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
    "SEXMGZPT",
    "SEXMAGZP",
    "MAG0",
    "MAGZPAB",
    "MAGZERPT",
    "MAGZEROPOINT",
    "MAG_ZEROPOINT",
    "ZPAB",
    "ZPTAB",
    "ABZEROPT",
    "ZEROPOINT",
    "ZPMAG",
    "ZEROMAG",
    "PHOT_ZP",
    "PHOTZERO",
    "ZPOINT",
    "ABZPT",
)
"""Keywords of a zero point, all of them compared."""

FLUX_KEYWORDS = {"FLUXMAG0": 0.0, "FLUX20": 20.0}
"""Keywords that hold the counts of a source of a given magnitude."""

_AGREE = 0.02
_PHOTO_CALIB = "PhotoCalib"
_PER_SECOND = re.compile(
    r"(/ ?s\b|/ ?sec|per sec|per s\b|s-1|s\^-1|(?<!\d)1[ -]?s(ec(ond)?)?\b|count rate|cps)", re.IGNORECASE
)
_CASU = ("CASUVERS", "APCOR3", "APCORPK")
_LOOKED_FOR = (
    f"BUNIT, {', '.join(ZERO_POINT_KEYWORDS[:8])} and similar keywords (docs/surveys.md), {', '.join(FLUX_KEYWORDS)}, "
    "PhotoCalib, JMAGZP (HMAGZP, KMAGZP), FPA.ZP with EXPTIME, PHOTMJSR, PHOTFLAM with PHOTPLAM, SURVEY"
)


def find_zero_point(
    header: Any,
    pixel_scale: float,
    source: object,
    *,
    band: str | None = None,
    noise: Callable[[], float] | None = None,
    photo_calib: PhotoCalib | None = None,
) -> ZeroPoint:
    """Find the zero point of an image, by the rules in this module's head.

    Parameters
    ----------
    header : astropy.io.fits.Header
        With the primary header's cards where the image is in an extension.
    pixel_scale : float
        Arcsec per pixel, for values per solid angle.
    source : str or path, for errors
    band : str, optional
        The image's band as the caller knows it, where zero points of several bands are in one header.
    noise : callable, optional
        Gives the scatter of the pixels, which tells the band where nothing else does (2MASS Large Galaxy Atlas).

    photo_calib : PhotoCalib, optional
        The calibration in a table of the file.

    Raises
    ------
    MissingCalibrationError
        The header doesn't say, contradicts itself, or lacks what its own convention needs (EXPTIME, BUNIT).
    InputError
        The values are magnitudes.
    """
    text = unit_text(header)
    per_wavelength = "erg" in text.lower() or text.upper().startswith("W")
    unit = read_unit(text, pixel_scale, pivot_wavelength(header) if per_wavelength else math.nan)
    if unit.kind == "magnitude":
        raise InputError(
            source, f"the pixels are magnitudes (BUNIT = {unit.text!r}): an image of linear flux is needed"
        )
    if unit.kind == "beam":
        raise MissingCalibrationError(
            source, f"BUNIT = {unit.text!r}: a flux per beam can't be given a zero point; {OPTION}"
        )
    if unit.kind == "flux" and math.isnan(unit.zero_point):
        raise MissingCalibrationError(
            source, f"BUNIT = {unit.text!r} needs PHOTPLAM or a known filter, and the header has neither; {OPTION}"
        )
    _refuse_casu(header, unit, source)
    stated = _stated(header, unit, source)
    if photo_calib is not None:
        stated = {_PHOTO_CALIB: AB_ZERO_POINT_JY + 22.5 - 2.5 * math.log10(photo_calib.nanojansky), **stated}
    if unit.kind == "flux":
        stated = {f"BUNIT = {unit.text!r}": unit.zero_point, **stated}
    values = list(stated.values())
    if values and max(values) - min(values) > _AGREE:
        values_by_keyword = ", ".join(f"{keyword} gives {value:.3f}" for keyword, value in stated.items())
        raise MissingCalibrationError(
            source, f"the header contradicts itself on the zero point ({values_by_keyword}); {OPTION}"
        )
    if stated:
        origin, value = next(iter(stated.items()))
        known = ZeroPoint(value, origin) if origin == _PHOTO_CALIB else _in_its_system(header, value, origin)
        if photo_calib is not None and not photo_calib.constant and unit.kind != "flux":
            known.notes.append("the calibration varies over the image: its mean was taken (PhotoCalib)")
        return known
    atlas = large_galaxy_atlas(header, band, noise, source)
    if atlas is not None:
        return atlas
    for convention in (_pan_starrs, _webb, _hubble, galex, _survey):
        zero_point = convention(header, unit, source)
        if zero_point is not None:
            return zero_point
    has_unit = f"BUNIT = {unit.text!r} has none" if unit.text else "there is no BUNIT"
    useless = [f"{key} = {header[key]}" for key in (*ZERO_POINT_KEYWORDS, *FLUX_KEYWORDS) if key in header]
    placeholder = f" ({', '.join(useless)} is no zero point)" if useless else ""
    raise MissingCalibrationError(
        source, f"the zero point is unknown: {has_unit}{placeholder}; looked for {_LOOKED_FOR}; {OPTION}"
    )


def _in_its_system(header: Any, value: float, origin: str, band: str = "") -> ZeroPoint:
    keyword = origin.split(" ")[0]
    comment = str(header.comments[keyword] or "") if keyword in header else ""
    system, why = photometric_system(header, origin, comment)
    return ZeroPoint(value, origin, system, band, [vega_note(why)] if why else [])


def _stated(header: Any, unit: PixelUnit, source: object) -> dict[str, float]:
    """Zero points that the header's keywords state for the values as stored, by keyword; placeholders left out."""
    stated = {}
    present = {str(key).upper() for key in header}  # to ask a header for a card that it lacks is slow
    for keyword in (key for key in ZERO_POINT_KEYWORDS if key in present):
        value = header_number(header, keyword)
        # ESO's science products in maggies (KiDS) say PHOTZP = 0 and mean it.
        absolute = keyword == "PHOTZP" and value == 0.0 and str(header.get("FLUXCAL", "")).strip() == "ABSOLUTE"
        if not (PLAUSIBLE_ZERO_POINT[0] < value < PLAUSIBLE_ZERO_POINT[1] or absolute):
            continue  # 0, -99, 99 stand for "not measured"; -21.1 in PHOTZPT is the constant of HST's ST magnitudes
        origin = keyword
        if unit.kind != "rate" and _PER_SECOND.search(header.comments[keyword] or ""):
            if unit.kind != "counts":
                raise MissingCalibrationError(source, both_values(header, keyword, value, unit))
            value += 2.5 * math.log10(needed_exposure(header, source, f"{keyword} (per second, the pixels are counts)"))
            origin = f"{keyword} + 2.5 log10(EXPTIME)"
        stated[origin] = value
    for keyword, magnitude in ((key, value) for key, value in FLUX_KEYWORDS.items() if key in present):
        flux = header_number(header, keyword)
        if 0 < flux < math.inf:
            stated[keyword] = magnitude + 2.5 * math.log10(flux)
    return stated


def _refuse_casu(header: Any, unit: PixelUnit, source: object) -> None:
    """CASU's MAGZPT (VISTA, UKIDSS, VST, INT) is a Vega magnitude of one count per second at airmass 1: say so."""
    value = header_number(header, "MAGZPT")
    if not (math.isfinite(value) and any(keyword in header for keyword in _CASU)):
        return
    raise MissingCalibrationError(
        source,
        f"MAGZPT = {value:g} follows CASU's convention (VISTA, UKIDSS, VST): for one count per second, before "
        "extinction (EXTINCT, AIRMASS) and in the survey's own magnitude system; work out "
        f"MAGZPT - EXTINCT (AIRMASS - 1) + 2.5 log10(EXPTIME) plus the AB offset of the band and {OPTION}",
    )


def _pan_starrs(header: Any, unit: PixelUnit, source: object) -> ZeroPoint | None:
    """Stacks: 25 + 2.5 log10(EXPTIME); warps alike with their own FPA.ZP."""
    value = header_number(header, "FPA.ZP" if "FPA.ZP" in header else "HIERARCH FPA.ZP")
    if not PLAUSIBLE_ZERO_POINT[0] < value < PLAUSIBLE_ZERO_POINT[1]:
        return None
    if unit.kind == "rate":
        return ZeroPoint(value, "FPA.ZP")
    return ZeroPoint(value + 2.5 * math.log10(needed_exposure(header, source, "FPA.ZP")), "FPA.ZP + 2.5 log10(EXPTIME)")


def _webb(header: Any, unit: PixelUnit, source: object) -> ZeroPoint | None:
    """JWST images left in DN/s: PHOTMJSR makes MJy/sr of them."""
    per_sr, scale = (
        header_number(header, "PHOTMJSR"),
        math.degrees(math.sqrt(max(header_number(header, "PIXAR_SR"), 0.0))),
    )
    if unit.kind != "rate" or not (per_sr > 0 and scale > 0):
        return None
    value = read_unit("MJy/sr", 3600.0 * scale).zero_point - 2.5 * math.log10(per_sr)
    return ZeroPoint(value, "PHOTMJSR and PIXAR_SR")


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
            source, f"the header has PHOTFLAM, but not PHOTPLAM, which is needed for an AB magnitude; {OPTION}"
        )
    else:
        return None
    if unit.kind == "rate":
        return ZeroPoint(value, origin)
    if unit.kind == "counts":
        seconds = needed_exposure(header, source, f"{origin} with BUNIT = {unit.text!r}")
        return ZeroPoint(value + 2.5 * math.log10(seconds), f"{origin} + 2.5 log10(EXPTIME)")
    raise MissingCalibrationError(source, both_values(header, origin, value, unit))


def _survey(header: Any, unit: PixelUnit, source: object) -> ZeroPoint | None:
    known = SURVEY_UNITS.get(survey_of_nanomaggies(header))
    if known is None or unit.kind in ("counts", "rate"):
        return None
    return ZeroPoint(
        read_unit(known[0]).zero_point, f"SURVEY = {header['SURVEY'].strip()!r} (its images are in {known[0]})"
    )
