"""AB or Vega: what a header, a survey or a filter says of a zero point, and published offsets between the two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from p2p_keras.core.errors import MissingCalibrationError
from p2p_keras.images.galaxy_image import GalaxyImage

__all__ = ["SYSTEM_KEYWORDS", "AB_MINUS_VEGA", "survey_of_vega", "photometric_system", "ab_offset", "to_ab"]

SYSTEM_KEYWORDS = ("PHOTSYS", "MAGSYS", "ZPSYS", "MAGSYST", "MAGTYPE", "PHOTSYST", "ZPTSYS")

AB_MINUS_VEGA: Mapping[str, Mapping[str, float]] = {
    # Cohen, Wheaton & Megeath (2003, AJ 126, 1090): 1594, 1024 and 666.7 Jy at magnitude 0.
    "2MASS": {"J": 0.894, "H": 1.374, "Ks": 1.840},
    # Jarrett et al. (2011, ApJ 735, 112), with the AB offsets of the Explanatory Supplement IV.4.h.
    "WISE": {"W1": 2.699, "W2": 3.339, "W3": 5.174, "W4": 6.620},
    # Hewett et al. (2006, MNRAS 367, 454), table 7.
    "UKIDSS": {"Z": 0.528, "z": 0.528, "Y": 0.634, "J": 0.938, "H": 1.379, "K": 1.900},
    # Gonzalez-Fernandez et al. (2018, MNRAS 474, 5459), appendix D.
    "VISTA": {"Z": 0.502, "z": 0.502, "Y": 0.600, "J": 0.916, "H": 1.366, "Ks": 1.827},
    # Blanton & Roweis (2007, AJ 133, 734), table 1.
    "Bessell": {"U": 0.79, "B": -0.09, "V": 0.02, "R": 0.21, "I": 0.45},
}
"""Survey or system -> band -> magnitude in AB less that in Vega."""

_NAMES = {
    "2MASS": ("2MASS",),
    "WISE": ("WISE",),
    "UKIDSS": ("UKIDSS", "UKIRT", "WFCAM", "UHS"),
    "VISTA": ("VISTA", "VIRCAM", "VIKING", "VIDEO", "VHS", "VVV", "ULTRAVISTA"),
}
"""Surveys whose magnitudes are Vega's by their own convention, and words for them in headers."""

_WORDS = ("ORIGIN", "TELESCOP", "INSTRUME", "SURVEY", "PROJECT", "PROG_ID")


def survey_of_vega(header: Mapping[str, Any]) -> str:
    """Survey of `AB_MINUS_VEGA` that the header's words name; ``""`` if none."""
    words = " ".join(str(header.get(key) or "") for key in _WORDS).upper()
    return next((survey for survey, names in _NAMES.items() if any(name in words for name in names)), "")


def photometric_system(header: Mapping[str, Any], origin: str, comment: str = "") -> tuple[str, str]:
    """System of a zero point that a header states, and why it isn't AB.

    Parameters
    ----------
    header : mapping
    origin : str
        Keyword or unit that the zero point is from; a physical unit (``BUNIT = ...``) has no system but AB.
    comment : str
        The card's comment.

    Returns
    -------
    (str, str)
        ``"AB"`` or ``"Vega"``; what said Vega, ``""`` for AB.
    """
    if origin.startswith(("BUNIT", "PHOTFLAM", "PHOTFNU", "PHOTMJSR", "SURVEY")):
        return "AB", ""
    for key in SYSTEM_KEYWORDS:
        value = str(header.get(key) or "").strip().upper()
        if "VEGA" in value:
            return "Vega", f"{key} = {header[key].strip()!r}"
        if value.startswith("AB"):
            return "AB", ""
    if "vega" in comment.lower():
        return "Vega", f"the comment of {origin}"
    if "AB" in comment.split() or "(AB)" in comment or "[AB" in comment:
        return "AB", ""
    survey = survey_of_vega(header)
    return ("Vega", f"{survey} images") if survey else ("AB", "")


def ab_offset(header: Mapping[str, Any], band: str) -> tuple[float, str] | None:
    """AB less Vega magnitude of a band and where it is published; None where that isn't known.

    By the survey that the header names; else of the Bessell filters, or of 2MASS for J, H and Ks.

    Returns
    -------
    (float, str) or None
    """
    survey = survey_of_vega(header)
    for system in [survey] if survey else ["Bessell", "WISE", "2MASS"]:
        table = AB_MINUS_VEGA[system]
        for name in (band, {"K": "Ks", "Ks": "K"}.get(band, band)):
            if name in table:
                return table[name], system
    return None


def to_ab(image: GalaxyImage) -> GalaxyImage:
    """The image with its zero point in AB; itself where it is so already.

    Raises
    ------
    MissingCalibrationError
        The offset of its band isn't known.
    """
    if image.photometric_system != "Vega":
        return image
    if image.ab_offset is None:
        raise MissingCalibrationError(
            image.source or image.name,
            f"the zero point is in Vega magnitudes, and no AB offset is known of the band {image.band!r}: "
            "name it with --band, or give an AB zero point with --zero-point",
        )
    offset, system = image.ab_offset
    conversion = f"converted from Vega to AB: {offset:+.3f} mag ({system} {image.band})"
    return replace(
        image,
        zero_point=image.zero_point + offset,
        zero_point_origin=f"{image.zero_point_origin}, Vega to AB {offset:+.3f}",
        photometric_system="AB",
        notes=(*(note for note in image.notes if "Vega" not in note), conversion),
    )
