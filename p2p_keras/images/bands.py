"""The band of an image from its header, by one short name for each filter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "BAND_KEYWORDS",
    "BROAD_BANDS",
    "band_from_header",
    "is_galex",
    "short_band",
    "band_from_name",
    "sorted_bands",
]

BAND_KEYWORDS = (
    "FILTER",
    "BAND",
    "FILTNAM",
    "FILTNAM1",
    "FILTERS",
    "BANDS",
    "FPA.FILTERID",
    "FILTER1",
    "FILTER2",
    "FILTERID",
    "INSFLNAM",
    "INSFILTE",
    "ESO INS FILT1 NAME",
    "FILTNAM2",
)
"""Header keywords that name the filter, first one first."""

_OPEN_SLOT = re.compile(r"^(CLEAR|OPEN|EMPTY|NONE|N/A|CLEAR\d?[A-Z]?)\b", re.IGNORECASE)
_BROAD = "ugrizyUBVRIJHKY"
BROAD_BANDS = (
    "FUV",
    "NUV",
    *_BROAD[:6],
    "VIS",
    "U",
    "B",
    "V",
    "R",
    "I",
    "Y",
    "J",
    "H",
    "K",
    "Ks",
    "W1",
    "W2",
    "W3",
    "W4",
)
"""Short names of broad-band filters in the order of their wavelengths within a system."""
_SYSTEMS = (
    "HSC|SDSS|SLOAN|DECAM|DES|PS1|PANSTARRS|PAN-STARRS|MEGACAM|CFHT|LSST|RUBIN|OMEGACAM|OCAM|VST|ZTF|DES_SDSS|BASS|"
    "MZLS|GMOS|SPLUS|JPLUS|SKYMAPPER|2MASS|UKIDSS|VISTA|WFCAM|VIRCAM|BESSELL?|JOHNSON|COUSINS|FILTER|WISE|GALEX"
)
_WITH_SYSTEM = re.compile(rf"(?:{_SYSTEMS})[-_ .]?([A-Za-z]{{1,3}}\d?)['+]?$", re.IGNORECASE)
_SUFFIXED = re.compile(
    r"([ugrizyUBVRIJHKY]|Ks|FUV|NUV|W[1-4])[-_ ](?:SDSS|SLOAN|PS1|DECAM|BAND|SHORT|2MASS)$", re.IGNORECASE
)
_INFRARED = {"j": "J", "h": "H", "k": "K", "ks": "Ks", "k_s": "Ks", "kshort": "Ks", "k short": "Ks"}
_WHOLE = {
    **_INFRARED,
    **{f"w{i}": f"W{i}" for i in range(1, 5)},
    "fuv": "FUV",
    "nuv": "NUV",
    "vis": "VIS",
    "y": "y",
    "zd": "z",
    "vr": "VR",
    **{f"{band}p": band for band in "ugriz"},  # SBIG and LCO: u prime, g prime ...
    "zs": "z",
}
_WISE_BANDS = {1: "W1", 2: "W2", 3: "W3", 4: "W4"}
_GALEX_BANDS = {1: "NUV", 2: "FUV"}


def band_from_header(header: Mapping[str, Any]) -> str:
    """Find the filter's name; ``""`` where the header doesn't say.

    Long names of the broad-band filters come back short: ``"r DECam SDSS c0002 6415.0 1480.0"``, ``"r.00000"``
    (Pan-STARRS), ``"r.MP9601"`` (MegaCam), ``"sdss_r"`` and ``"HSC-R2"`` are all ``"r"``. Others stay as written
    (``"F814W"``, ``"VIS"``). 2MASS's ``"k"`` is ``"Ks"``; WISE's and GALEX's bands have numbers there.
    """
    present = set(header)  # to ask a header for a card that it lacks is slow
    words = " ".join(str(header[key]) for key in ("ORIGIN", "TELESCOP", "INSTRUME", "SURVEY") if key in present).upper()
    for keyword in (key for key in BAND_KEYWORDS if key in present):
        value = header.get(keyword)
        if isinstance(value, int) and not isinstance(value, bool) and keyword == "BAND":
            if "WISE" in words and value in _WISE_BANDS:
                return _WISE_BANDS[value]
            if is_galex(header) and value in _GALEX_BANDS:
                return _GALEX_BANDS[value]
        if not isinstance(value, str):
            continue  # filter wheels also count their slots in these keywords
        name = value.strip()
        if not name or _OPEN_SLOT.match(name):
            continue
        short = short_band(name)
        return "Ks" if short == "K" and "2MASS" in words else short
    return ""


def is_galex(header: Mapping[str, Any]) -> bool:
    """Whether an image is GALEX's: its pipeline writes MPSTYPE and GRELEASE, and often no TELESCOP."""
    return "GALEX" in str(header.get("TELESCOP") or "").upper() or ("GRELEASE" in header and "MPSTYPE" in header)


def short_band(name: str) -> str:
    """Short name of a broad-band filter; any other name unchanged.

    ``"j"`` -> ``"J"``, ``"Ks"`` -> ``"Ks"``, ``"zd DECam k1038"`` -> ``"z"``, ``"SDSS-r"``, ``"sloan_r"``, ``"r'"`` ->
    ``"r"``, ``"HSC-I2"`` -> ``"i"``, ``"F160W"`` and ``"VIS"`` as they are.
    """
    name = name.strip()
    first = re.split(r"[\s.,]", name)[0].rstrip("'")
    if len(first) == 1 and first in _BROAD:
        return first
    for text in (name, first):
        if text.lower() in _WHOLE:
            return _WHOLE[text.lower()]
    match = _WITH_SYSTEM.match(name) or _SUFFIXED.match(name)
    if match:
        return _of_system(match[1], name)
    return name


def _of_system(letters: str, name: str) -> str:
    """Band of a name such as ``HSC-R2``: its letter, in lower case for systems that write u, g, r, i, z, y."""
    letters = letters if letters.lower() in _WHOLE else letters.rstrip("2'")
    lower = letters.lower()
    if lower in _WHOLE and lower != "y":
        return _WHOLE[lower]
    classic = re.match(r"(BESSELL?|JOHNSON|COUSINS)", name, re.IGNORECASE)
    if classic and len(letters) == 1:
        return letters.upper()
    if len(letters) == 1 and lower in "ugrizy":
        return lower if letters != "Y" else "Y"
    return name


def band_from_name(path: str | os.PathLike[str]) -> str:
    """Band that a file's name holds as a word of its own (``m31_mosaic_j.fits``); ``""`` if none or several."""
    stem = re.sub(r"\.(fits|fit|fts)(\.(gz|bz2|fz))?$", "", os.path.basename(os.fspath(path)), flags=re.IGNORECASE)
    words = {short_band(word) for word in re.split(r"[-_. ]+", stem) if word}
    bands = sorted(words & set(BROAD_BANDS))
    return bands[0] if len(bands) == 1 else ""


def sorted_bands(bands: Iterable[str]) -> list[str]:
    """Different bands in the order of their wavelengths within a system (u, g, r, ...), others behind by name."""
    return sorted(
        set(bands), key=lambda band: (BROAD_BANDS.index(band) if band in BROAD_BANDS else len(BROAD_BANDS), band)
    )
