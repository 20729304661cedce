"""The band of an image from its header."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

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
)
"""Header keywords that name the filter, first one first."""

_OPEN_SLOT = re.compile(r"^(CLEAR|OPEN|EMPTY|NONE|N/A|CLEAR\d?[A-Z]?)\b", re.IGNORECASE)
_BROAD = "ugrizyUBVRIJHKY"


def band_from_header(header: Mapping[str, Any]) -> str:
    """Find the filter's name; ``""`` where the header doesn't say.

    Long names of the broad-band filters come back short: ``"r DECam SDSS c0002 6415.0 1480.0"``, ``"r.00000"``
    (Pan-STARRS), ``"r.MP9601"`` (MegaCam), ``"sdss_r"`` and ``"HSC-R2"`` are all ``"r"``. Others stay as written
    (``"F814W"``, ``"VIS"``, ``"Ks"``).
    """
    for keyword in BAND_KEYWORDS:
        value = header.get(keyword)
        if not isinstance(value, str):
            continue  # filter wheels also count their slots in these keywords
        name = value.strip()
        if not name or _OPEN_SLOT.match(name):
            continue
        return short_band(name)
    return ""


def short_band(name: str) -> str:
    """Short name of a broad-band filter; any other name unchanged."""
    first = re.split(r"[\s.,]", name.strip())[0]
    if len(first) == 1 and first in _BROAD:
        return first
    known = re.fullmatch(
        r"(?:HSC|SDSS|DECAM|DES|PS1|MEGACAM|LSST|DES_SDSS)[-_ ]?([A-Za-z])2?", name.strip(), re.IGNORECASE
    )
    if known and known[1].lower() in "ugrizy":
        return known[1].lower() if known[1] != "Y" else "Y"
    return name.strip()


def sorted_bands(bands: Iterable[str]) -> list[str]:
    """Different bands in the order of their wavelengths within a system (u, g, r, ...), others behind by name."""
    return sorted(set(bands), key=lambda band: (_BROAD.find(band) if band and band in _BROAD else len(_BROAD), band))
