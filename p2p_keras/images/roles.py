"""What an HDU or a file is by its name and header: the image itself, its noise, its mask, or something else beside it.

One table of words serves names of HDUs and names of files, so that what is never measured as an image in a file isn't
measured in a folder either.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

__all__ = [
    "SCIENCE",
    "SIGMA",
    "VARIANCE",
    "INVERSE_VARIANCE",
    "WEIGHT",
    "MASK",
    "OTHER",
    "NOISE_ROLES",
    "WORDS",
    "role_of_name",
    "is_part_of_noise",
    "role_of_header",
    "role_of_file",
    "image_stem",
]

SCIENCE, SIGMA, VARIANCE, INVERSE_VARIANCE, WEIGHT, MASK, OTHER = (
    "science", "sigma", "variance", "inverse variance", "weight", "mask", "other",
)  # fmt: skip
NOISE_ROLES = (SIGMA, VARIANCE, INVERSE_VARIANCE, WEIGHT)
"""Kinds of noise maps, the one that is trusted most first."""

WORDS = {
    SCIENCE: "SCI SCIENCE IMAGE IMG DATA FLUX INTENSITY SIGNAL OBJECT",
    SIGMA: "SIGMA SIG ERR ERROR ERRORS RMS NOISE NSE UNC UNCERT UNCERTAINTY STD STDEV STDDEV STDERR",
    VARIANCE: "VAR VARIANCE",
    INVERSE_VARIANCE: "INVVAR IVAR IVM INVVARIANCE INVERSEVARIANCE",
    WEIGHT: "WHT WEIGHT WEIGHTS WT WGT",
    MASK: "MASK MASKS MSK DQ FLAG FLAGS BPM BADPIX BADPIXEL BADPIXELS MASKBITS OBJMASK QUALITY",
    OTHER: "EXP EXPMAP EXPOSURE EXPTIME NEXP COV COVERAGE CVG CTX CON CONTEXT SEG SEGM SEGMAP SEGMENTATION PSF PSFSIZE "
    "MODEL MOD RESID RESIDUAL RESIDUALS PREVIEW THUMB THUMBNAIL GALDEPTH PSFDEPTH DEPTH NOBS HITS AREA RRHR",
}
"""Role -> words that stand for it, in a name of an HDU or at the end of a file's name."""

_HDU_ONLY = {
    VARIANCE: "STAT",  # of ESO's MUSE and its like
    OTHER: "BKG BKGD BACKGROUND SKY DARK FLAT BIAS FLATFIELD WAVELENGTH DISPARITY CHI2 CHISQ BLOBMODEL FIBERPSF",
}
"""Words that say so of an HDU; a file may well be named for its sky, or for statistics."""

_PARTS = {"POISSON", "RNOISE", "READNOISE", "FLAT"}
_SQUARED_UNIT = re.compile(
    r"(1/)?\(?(?:nanomagg(?:y|ies)|nmgy|mgy|[munM]?Jy(?:/sr)?|adu|counts?|dn|electrons?|e-)\)?(?:\^|\*\*)?\(?(-?2)\)?\)?",
    re.IGNORECASE,
)
_FITS_NAME = re.compile(r"\.(fits|fit|fts)(\.(gz|bz2|fz))?$", re.IGNORECASE)
_NEUTRAL = re.compile(r"(MAP|IMAGE|IMG|FITS|DRZ|DRC|COADD|STACK|V?\d+|[UGRIZYJHKM]|KS|W\d|F\d{3,4}[A-Z]\d?)$")


def _table(*tables: Mapping[str, str]) -> dict[str, str]:
    return {word: role for table in tables for role, words in table.items() for word in words.split()}


_OF_FILES = _table(WORDS)
_OF_HDUS = _table(WORDS, _HDU_ONLY)
_CARDS = ("IMAGETYP", "IMTYPE", "FILETYPE", "IMGTYPE", "HDUCLAS2", "HDUCLAS3", "DATATYPE", "PRODTYPE", "CONTENT")


def role_of_name(name: str) -> str:
    """Role that an HDU's name gives it, ``""`` where it says nothing.

    ``"SCI"``, ``"IMAGE2"`` -> science; ``"VAR_POISSON"`` -> variance; ``"SCI_ERR"`` -> sigma: a word of a companion
    weighs more than one of an image.
    """
    roles = [_OF_HDUS[token] for token in _tokens(name) if token in _OF_HDUS]
    return next((role for role in roles if role != SCIENCE), roles[0] if roles else "")


def is_part_of_noise(name: str) -> bool:
    """Whether a noise HDU holds one source of noise alone (JWST's VAR_POISSON, VAR_RNOISE)."""
    return bool(_PARTS & set(_tokens(name)))


def role_of_header(name: str, header: Mapping[str, Any]) -> str:
    """Role of an HDU by its name, then by the cards that say what its pixels are (IMAGETYP, HDUCLAS2, BUNIT ...).

    Parameters
    ----------
    name : str
        EXTNAME.
    header : mapping

    Returns
    -------
    str
        One of this module's words; ``""`` where nothing says.
    """
    named = role_of_name(name)
    if named:
        return named
    present = set(header)
    for key in (key for key in _CARDS if key in present):
        value = header[key]
        if isinstance(value, str) and (role := _role_of_card(value)):
            return role
    squared = _SQUARED_UNIT.fullmatch(str(header.get("BUNIT") or "").replace(" ", ""))
    if squared:
        return INVERSE_VARIANCE if squared[1] or squared[2] == "-2" else VARIANCE
    return ""


def _role_of_card(value: str) -> str:
    """Role that a card's words give; INVMSE, MSE and RMSE are those of ESO's data products."""
    text = value.strip().upper()
    known = {"INVMSE": INVERSE_VARIANCE, "MSE": VARIANCE, "RMSE": SIGMA, "MASKZERO": MASK, "MASKONE": MASK}
    return known.get(text) or role_of_name(text)


@functools.lru_cache(maxsize=256)  # asked of a file for itself and for what lies beside it
def role_of_file(path: str) -> str:
    """Role that a file's name gives it by its last word that says something; ``""`` or science: an image.

    ``ngc1-invvar-r.fits``, ``ngc1.wht.fits``, ``ngc1_sigma_map.fits`` are companions, ``psf_ngc1.fits`` and
    ``sigma_map_image.fits`` are images: a word counts only at the end, where pipelines put it.
    """
    tokens = _file_tokens(path)
    for i in range(len(tokens) - 1, -1, -1):
        role = _OF_FILES.get(tokens[i], "")
        if role:
            return role
        if not _NEUTRAL.match(tokens[i]):
            return ""
    return ""


def image_stem(path: str) -> str:
    """A companion's name without its word, and an image's without ``image``: alike for those that belong together."""
    tokens = _file_tokens(path)
    while len(tokens) > 1:
        i = next((i for i in range(len(tokens) - 1, 0, -1) if not _plain(tokens[i])), 0)
        if tokens[i] == "MAP" or tokens[i] in _OF_FILES:
            del tokens[i]
            continue
        break
    return "_".join(token for token in tokens if token not in ("MAP",))


def _plain(token: str) -> bool:
    """A band or number, which may stand behind a companion's word."""
    return token != "MAP" and token not in _OF_FILES and bool(_NEUTRAL.match(token))


def _tokens(name: str) -> list[str]:
    upper = str(name).upper().replace("INVERSE VARIANCE", "INVVAR").replace("INVERSE_VARIANCE", "INVVAR")
    return [re.sub(r"(?<=[A-Z])\d+$", "", token) for token in re.split(r"[^A-Z0-9]+", upper) if token]


def _file_tokens(path: str) -> list[str]:
    stem = _FITS_NAME.sub("", re.split(r"[/\\]", str(path))[-1]).upper()
    return [token for token in re.split(r"[-_. ]+", stem) if token]
