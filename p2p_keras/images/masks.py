"""Masks of pixels to ignore: FITS images with bits, each survey's own meaning of them, and DS9 region files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError, UsageError

__all__ = ["bad_bits", "parse_bits", "as_mask", "check_sense", "is_region_file", "region_mask"]

_LSST_BAD = ("BAD", "SAT", "CR", "NO_DATA", "UNMASKEDNAN", "EDGE")
"""dp1.lsst.io/products/images/mask_planes.html. SENSOR_EDGE, CLIPPED and INEXACT_PSF say that the PSF jumps there; the
pixels are good."""
_REJECTED_IN_COADDS = "CR"
"""In a coadd: some of the visits had a cosmic ray there, and were left out
(dp1.lsst.io/products/images/deep_coadd_mask_planes.html)."""
_BAD_BITS = {
    # All but unstable (32), warm (64) and repaired pixels, and saturation of the converter alone (2048):
    # stsci.edu/hst/instrumentation/acs/data-analysis/dq-flag-definitions; WFC3's are alike.
    "HST": 1 | 2 | 4 | 8 | 16 | 128 | 256 | 512 | 1024 | 4096 | 8192 | 16384,
    # All but repaired warm pixels (1024): stsci.edu/hst/wfpc2/analysis/WFPC2_flags.html, Data Handbook, table 3.4.
    "WFPC2": 1 | 2 | 4 | 8 | 16 | 32 | 128 | 256 | 512 | 2048,
    "JWST": 1,  # DO_NOT_USE; the others say what happened to a pixel
    # All but interpolated (4), near a bright star (32), crosstalk (256) and fixed (2048):
    # github.com/DarkEnergySurvey/pixcorrect, include/mask_bits.h.
    "DES": 1 | 2 | 8 | 16 | 64 | 128 | 512 | 1024,
    # Saturated, or bad in all exposures of a band (g, r, z; i since DR10); not "near a star" or "in a galaxy":
    # legacysurvey.org/dr10/bitmasks.
    "LEGACY": 4 | 8 | 16 | 32 | 64 | 128 | 1 << 14 | 1 << 15,
    # Detector, flat, dark, blank, CTE, saturated, low, cosmic ray, bad after convolution:
    # outerspace.stsci.edu/display/PANSTARRS/PS1+Pixel+flags+in+Image+Table+Data.
    "PANSTARRS": 1 | 2 | 4 | 8 | 16 | 32 | 64 | 256 | 8192,
    # Bits 1 and 11 are sources that were detected: ZSDS Explanatory Supplement, section 10.3.
    "ZTF": 0xFFFF & ~(1 << 1 | 1 << 11),
    # INVALID, the sum of all that must not be used: euclid.esac.esa.int/msp/dpdd, "VIS Flag Map Product".
    "EUCLID": 1,
}
_MOSTLY = 0.9
_HALF = 0.5
_ALL = 0.995


def bad_bits(header: Mapping[str, Any]) -> tuple[int | None, str]:
    """Bits that make a pixel useless, by the survey that a mask's header names; None: any that is set.

    The Rubin and HSC pipelines name their planes in the header (``MP_SAT = 1``); so detected sources aren't masked.

    Returns
    -------
    (int or None, str)
        The bits and whose they are.
    """
    named = {str(key)[3:].upper(): header[key] for key in header if str(key).upper().startswith("MP_")}
    if named:
        coadd = int(header.get("COADD_INPUTS_ID") or 0) > 0
        wanted = [name for name in _LSST_BAD if not (coadd and name == _REJECTED_IN_COADDS)]
        bits = [int(named[name]) for name in wanted if isinstance(named.get(name), int)]
        return sum(1 << bit for bit in set(bits)), "bits by MP_ cards"
    words = " ".join(
        str(header.get(k) or "") for k in ("TELESCOP", "INSTRUME", "ORIGIN", "SURVEY", "PROJECT", "IMAGETYP")
    )
    upper = words.upper()
    survey = ""
    if "JWST" in upper:
        survey = "JWST"
    elif "WFPC2" in upper:
        survey = "WFPC2"
    elif "HST" in upper.split() or "WFC3" in upper:
        survey = "HST"
    elif "MASKBITS" in upper:
        survey = "LEGACY"
    elif "DESDM" in upper or upper.startswith("DES ") or "DES_" in upper:
        survey = "DES"
    elif "FPA.ZP" in header or "PS1" in upper or "PAN-STARRS" in upper:
        survey = "PANSTARRS"
    elif "ZTF" in upper or "ZWICKY" in upper or ("P48" in upper and "MOSAIC" in upper):
        survey = "ZTF"
    elif "EUCLID" in upper:
        survey = "EUCLID"
    return (_BAD_BITS[survey], f"{survey}'s bad bits") if survey else (None, "")


def parse_bits(text: str | int | None, header: Mapping[str, Any] | None = None) -> int | None:
    """Bits of ``--mask-bits``: a number that holds them, a list of their values (``1,2,16``), or names of MP_ cards.

    Parameters
    ----------
    text : str, int or None
    header : mapping, optional
        Of the mask, for names of planes.

    Returns
    -------
    int or None
        None for None: the caller named none.

    Raises
    ------
    UsageError
        It is none of these.
    """
    if text is None or isinstance(text, int):
        return text
    bits = 0
    for part in filter(None, (p.strip() for p in str(text).replace("+", ",").split(","))):
        try:
            bits |= int(part, 0)
            continue
        except ValueError:
            pass
        number = None if header is None else header.get(f"MP_{part.upper()}")
        if not isinstance(number, int):
            raise UsageError(f"--mask-bits {text}: {part!r} is neither a number nor a mask plane (MP_{part.upper()})")
        bits |= 1 << number
    if bits <= 0:
        raise UsageError(f"--mask-bits {text}: expected bit values such as 1,2,16")
    return bits


def as_mask(values: np.ndarray, bits: int | None) -> np.ndarray:
    """Pixels to ignore of a mask's values: those with one of the bits set, or of any value but 0 (NaN too).

    Parameters
    ----------
    values : array (H, W)
    bits : int or None
        None: any value but 0.

    Returns
    -------
    bool array (H, W)
    """
    if bits is None:
        return ~(np.asarray(values) == 0)
    with np.errstate(invalid="ignore"):
        whole = np.nan_to_num(np.asarray(values), nan=0.0, posinf=0.0, neginf=0.0).astype(np.int64)
    return (whole & bits) != 0


def check_sense(
    mask: np.ndarray, where: str, source: object, centre: tuple[float, float], *, given: bool = True
) -> None:
    """Raise `InputError` for a mask that ignores half of the image or more and the target with it.

    Parameters
    ----------
    mask : bool array (H, W)
        True: ignore.
    where : str
        What the mask is, for the message.
    source : str or path
    centre : (float, float)
        x, y of the target.
    given : bool
        A mask that was only found beside the image must ignore nearly everything: its pixels may be as bad as it says.
    """
    if not mask.size:
        return
    share = float(mask.mean())
    if share < (_HALF if given else _MOSTLY):
        return
    x, y = (round(v) for v in centre)
    middle = mask[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
    if share >= _ALL or (middle.size and middle.mean() > 0.5):
        raise InputError(
            source,
            f"the mask ({where}) hides the target: it is not 0 at {100 * share:.1f} % of the pixels, and "
            "such pixels are ignored; if 1 marks its good pixels, invert it; if its bits mean several things, name the "
            "bad ones with --mask-bits",
        )


def is_region_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one of DS9's regions: by its ending, or by its first line."""
    text = os.fspath(path)
    if text.lower().endswith(".reg"):
        return True
    try:
        with open(text, "rb") as file:
            return file.read(64).startswith(b"# Region file format: DS9")
    except OSError:
        return False


def region_mask(path: str | os.PathLike[str], shape: tuple[int, int], wcs: Any) -> np.ndarray:
    """Pixels inside the regions of a DS9 file, less those inside its excluded ones (``-circle``).

    Parameters
    ----------
    path : str or path
    shape : (int, int)
        Of the image.
    wcs : astropy.wcs.WCS or None
        Needed by regions on the sky.

    Raises
    ------
    InputError
        The file can't be read, or needs a WCS.
    """
    from regions import Regions, SkyRegion

    try:
        regions = Regions.read(os.fspath(path), format="ds9")
    except Exception as error:  # the parser has its own kinds
        raise InputError(
            path, f"can't be read as DS9 regions ({str(error).splitlines()[0] if str(error) else error})"
        ) from error
    if not len(regions):
        raise InputError(path, "has no DS9 region that can be read")
    inside = np.zeros(shape, dtype=bool)
    outside = np.zeros(shape, dtype=bool)
    for region in regions:
        if isinstance(region, SkyRegion):
            if wcs is None:
                raise InputError(
                    path, "has regions in sky coordinates, but the image has no WCS: save them in image coordinates"
                )
            region = region.to_pixel(wcs)
        try:
            cut = region.to_mask(mode="center").to_image(shape)
        except NotImplementedError:
            continue  # a point or a text has no area
        if cut is not None:
            target = outside if str(region.meta.get("include", True)) in ("False", "-", "0") else inside
            target |= cut > 0
    return inside & ~outside
