"""Zero points that hang on the band: GALEX, whose headers have none, and 2MASS's atlas, with those of all."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from p2p_keras.core.errors import MissingCalibrationError
from p2p_keras.images.bands import band_from_header, is_galex, short_band
from p2p_keras.images.flux_units import PixelUnit
from p2p_keras.images.pixel_scale import header_number
from p2p_keras.images.zero_point_value import PLAUSIBLE_ZERO_POINT, ZeroPoint, both_values, needed_exposure, vega_note

__all__ = ["BAND_KEYWORDS_2MASS", "GALEX_ZERO_POINTS", "large_galaxy_atlas", "galex"]

BAND_KEYWORDS_2MASS = {"J": "JMAGZP", "H": "HMAGZP", "Ks": "KMAGZP"}
"""Zero points of the 2MASS Large Galaxy Atlas, whose headers hold all three in the image of each band."""

_NOISE_2MASS = {"J": "JSKYSIG", "H": "HSKYSIG", "Ks": "KSKYSIG"}

GALEX_ZERO_POINTS = {"FUV": 18.82, "NUV": 20.08}
"""AB magnitude of one photon per second (Morrissey et al. 2007, ApJS 173, 682)."""


def large_galaxy_atlas(
    header: Any, band: str | None, noise: Callable[[], float] | None, source: object
) -> ZeroPoint | None:
    """2MASS images whose header has the zero point of every band: by the band's name, or by the noise of each band.

    Parameters
    ----------
    header : mapping
    band : str or None
    noise : callable or None
        Gives the scatter of the pixels.
    source : str or path, for errors

    Returns
    -------
    ZeroPoint or None
        None for other images.

    Raises
    ------
    MissingCalibrationError
        Neither the name nor the noise says which band it is.
    """
    stated = {b: header_number(header, key) for b, key in BAND_KEYWORDS_2MASS.items()}
    stated = {b: v for b, v in stated.items() if PLAUSIBLE_ZERO_POINT[0] < v < PLAUSIBLE_ZERO_POINT[1]}
    if not stated:
        return None
    named = {"K": "Ks"}.get(short_band(band), short_band(band)) if band else band_from_header(header)
    note = []
    if not named and len(stated) == 1:
        named = next(iter(stated))
    elif not named and noise is not None:
        named = _band_of_noise(header, noise())
        note = [
            f"the band was taken to be {named}, since its noise in the header ({_NOISE_2MASS.get(named)}) is "
            "that of the "
            "pixels; --band overrides this"
        ]
    if named not in stated:
        by_band = ", ".join(f"{BAND_KEYWORDS_2MASS[b]} = {v:.3f}" for b, v in stated.items())
        raise MissingCalibrationError(
            source,
            f"the zero point depends on the band, which the header doesn't name ({by_band}): give --band J, H or Ks",
        )
    value, keyword = stated[named], BAND_KEYWORDS_2MASS[named]
    return ZeroPoint(value, keyword, "Vega", named, [vega_note("2MASS images"), *note])


def _band_of_noise(header: Any, scatter: float) -> str:
    """Band whose noise by the header is the pixels' own within 15 %, and no other's within 40 %; ``""`` if none is."""
    levels = {band: header_number(header, key) for band, key in _NOISE_2MASS.items()}
    off = sorted((abs(math.log(scatter / level)), band) for band, level in levels.items() if level > 0 and scatter > 0)
    if len(off) < 2 or off[0][0] > 0.15 or off[1][0] < 0.35:
        return ""
    return off[0][1]


def galex(header: Any, unit: PixelUnit, source: object) -> ZeroPoint | None:
    """GALEX: its intensity maps (-int) are photons per second, its count maps (-cnt) photons; BUNIT is mostly empty.

    Parameters
    ----------
    header : mapping
    unit : PixelUnit
    source : str or path, for errors

    Returns
    -------
    ZeroPoint or None
        None for other images.

    Raises
    ------
    MissingCalibrationError
        Neither unit nor file name says whether these are rates or counts.
    """
    band = band_from_header(header)
    if not is_galex(header) or band not in GALEX_ZERO_POINTS:
        return None
    value, origin = GALEX_ZERO_POINTS[band], f"GALEX {band}"
    stem = os.path.basename(str(source)).lower()
    if unit.kind == "rate" or "-int" in stem or "_int" in stem:
        return ZeroPoint(value, origin, band=band)
    if unit.kind == "counts" or "-cnt" in stem or "_cnt" in stem:
        seconds = needed_exposure(header, source, f"{origin} (photons)")
        return ZeroPoint(value + 2.5 * math.log10(seconds), f"{origin} + 2.5 log10(EXPTIME)", band=band)
    raise MissingCalibrationError(source, both_values(header, origin, value, unit))
