"""What a WCS says near one pixel: sky position, pixel scale, directions of east and north.

All of it goes through one small matrix, the change on the sky (east, north) per pixel step (x, y), found by central
differences of unit vectors. So rotation, flips, CD, PC and CDELT forms, SIP and other distortions, Galactic frames and
fields at a pole need no case of their own.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation
from astropy.wcs import WCS, Sip
from astropy.wcs.utils import pixel_to_skycoord, skycoord_to_pixel

from p2p_keras.core.ellipse import half_turn

__all__ = [
    "PLAUSIBLE_PIXEL_SCALE",
    "celestial_wcs",
    "pixel_to_icrs",
    "icrs_to_pixel",
    "icrs_to_pixels",
    "local_jacobian",
    "pixel_to_icrs_degrees",
    "local_pixel_scale",
    "local_pixel_scales",
    "pixel_elongation",
    "sky_position_angle",
    "shifted_wcs",
]

PLAUSIBLE_PIXEL_SCALE = (1e-3, 300.0)
"""Arcsec per pixel that an image of a galaxy may have; outside, a header's defaults (1 degree) are at work."""

_RAD_TO_ARCSEC = np.rad2deg(1.0) * 3600.0


def celestial_wcs(header: Any, fobj: Any = None) -> WCS | None:
    """Find the celestial part of a header's WCS; None where it has none that can be used.

    Parameters
    ----------
    header : astropy.io.fits.Header
    fobj : astropy.io.fits.HDUList, optional
        The open file, where distortion tables sit in other HDUs.
    """
    if not any(key in header for key in ("CD1_1", "CD1_2", "CDELT1", "PC1_1", "PC001001")):
        return None
    try:
        # Mended by wcslib itself: astropy's `fix` would warn of each mend, and filters of warnings aren't for threads.
        wcs = WCS(_plain_cards(header), fobj=fobj, naxis=2, fix=False)
        wcs.wcs.fix()
        wcs = wcs.celestial
        wcs.wcs.set()
        usable = wcs.has_celestial and bool(np.isfinite(wcs.wcs.crval).all())
        low, high = PLAUSIBLE_PIXEL_SCALE
        centre = ((header.get("NAXIS1", 1) - 1) / 2, (header.get("NAXIS2", 1) - 1) / 2)
        if usable and not low < local_pixel_scale(wcs, *centre) < high:
            usable = False
    except Exception:  # astropy raises many kinds on broken WCS keywords: all mean that there is none to use
        return None
    return wcs if usable else None


_OF_OTHER_AXES = re.compile(r"(CTYPE|CRVAL|CRPIX|CUNIT|CDELT|CROTA)[3-9]|(CD|PC)\d_[3-9]|(CD|PC)[3-9]_\d|WCSAXES")
_OLD_PC = re.compile(r"PC00(\d)00(\d)")


def _plain_cards(header: Any) -> Any:
    """The header without what wcslib would warn of: old spellings, an equinox as text, axes that the image lacks."""
    equinox = header.get("EQUINOX")
    old_pc = "PC001001" in header
    flat = header.get("NAXIS") == 2 and any(key in header for key in ("CTYPE3", "CRVAL3", "CRPIX3", "CDELT3", "CD3_3"))
    if not (old_pc or flat or "RADECSYS" in header or isinstance(equinox, str)):
        return header
    header = header.copy()
    if "RADECSYS" in header:
        header.setdefault("RADESYS", header["RADECSYS"])
        header.remove("RADECSYS", remove_all=True)
    if isinstance(equinox, str):
        try:
            header["EQUINOX"] = float(equinox.strip().lstrip("JBjb"))
        except ValueError:
            header.remove("EQUINOX", remove_all=True)
    if old_pc:
        for key in [key for key in header if _OLD_PC.fullmatch(key)]:
            header.setdefault(_OLD_PC.sub(r"PC\1_\2", key), header[key])
            header.remove(key, remove_all=True)
    if flat:
        for key in [key for key in header if _OF_OTHER_AXES.fullmatch(key)]:
            header.remove(key, ignore_missing=True, remove_all=True)
    return header


def pixel_to_icrs(wcs: WCS, x: Any, y: Any) -> SkyCoord:
    """ICRS positions of pixels (0-based)."""
    return pixel_to_skycoord(x, y, wcs, origin=0).icrs


def icrs_to_pixel(wcs: WCS, ra: float, dec: float) -> tuple[float, float]:
    """Pixel (0-based) of an ICRS position in degrees; NaN where the projection can't show it."""
    x, y = icrs_to_pixels(wcs, np.array([ra], dtype=float), np.array([dec], dtype=float))
    return float(x[0]), float(y[0])


def icrs_to_pixels(wcs: WCS, ra: np.ndarray, dec: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (0-based) of many ICRS positions in degrees; NaN where the projection can't show one."""
    try:
        if _is_icrs(wcs):
            x, y = wcs.all_world2pix(ra, dec, 0)
        else:
            x, y = skycoord_to_pixel(SkyCoord(ra, dec, unit=u.deg, frame="icrs"), wcs, origin=0)
        x, y = np.array(x, dtype=float), np.array(y, dtype=float)
        back = pixel_to_icrs_degrees(wcs, x, y)
        # A gnomonic projection or a distortion polynomial may send a far position to a pixel that isn't its own.
        wrong = ~(angular_separation(*np.deg2rad([ra, dec, *back])) < np.deg2rad(1.0 / 3600.0))
        x[wrong] = y[wrong] = np.nan
        return x, y
    except Exception:  # no convergence: a position is far from the image
        if len(ra) > 1:  # one spoils all: each by itself
            pairs = [icrs_to_pixel(wcs, float(a), float(d)) for a, d in zip(ra, dec, strict=True)]
            return np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
        return np.full(len(ra), np.nan), np.full(len(ra), np.nan)


def local_jacobian(wcs: WCS, x: Any, y: Any) -> np.ndarray:
    """Arcsec on the sky per pixel step at pixels (x, y): [[d east/dx, d east/dy], [d north/dx, d north/dy]].

    Returns
    -------
    array (..., 2, 2), leading axes those of `x` and `y`
    """
    half = 0.5
    xs = np.asarray(x, dtype=float)[..., None] + half * np.array([0.0, 1.0, -1.0, 0.0, 0.0])
    ys = np.asarray(y, dtype=float)[..., None] + half * np.array([0.0, 0.0, 0.0, 1.0, -1.0])
    ra, dec = (np.deg2rad(angle) for angle in pixel_to_icrs_degrees(wcs, xs, ys))
    vectors = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    step_x = (vectors[..., 1, :] - vectors[..., 2, :]) / (2 * half)
    step_y = (vectors[..., 3, :] - vectors[..., 4, :]) / (2 * half)
    ra, dec = ra[..., 0], dec[..., 0]
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
    rows = [[(axis * step).sum(axis=-1) for step in (step_x, step_y)] for axis in (east, north)]
    return _RAD_TO_ARCSEC * np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def pixel_to_icrs_degrees(wcs: WCS, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """ICRS right ascension and declination; without the cost of coordinate objects where the WCS is in ICRS."""
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    if _is_icrs(wcs):
        ra, dec = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
        return ra.reshape(x.shape) % 360.0, dec.reshape(x.shape)
    sky = pixel_to_icrs(wcs, x, y)
    return np.asarray(sky.ra.deg), np.asarray(sky.dec.deg)


def _is_icrs(wcs: WCS) -> bool:
    kind = wcs.wcs.ctype[0][:4] + wcs.wcs.ctype[1][:4]
    return kind == "RA--DEC-" and wcs.wcs.radesys.strip().upper() == "ICRS"


def local_pixel_scale(wcs: WCS, x: float, y: float) -> float:
    """Arcsec per pixel at (x, y): the square root of the pixel's area on the sky."""
    return float(local_pixel_scales(wcs, x, y))


def local_pixel_scales(wcs: WCS, x: Any, y: Any) -> np.ndarray:
    """Arcsec per pixel at many pixels at once, see `local_pixel_scale`."""
    return np.sqrt(np.abs(np.linalg.det(local_jacobian(wcs, x, y))))


def pixel_elongation(wcs: WCS, x: float, y: float) -> float:
    """Longer over shorter side of the pixel at (x, y); 1 for a square one."""
    singular = np.linalg.svd(local_jacobian(wcs, x, y), compute_uv=False)
    return float(singular[0] / singular[1])


def sky_position_angle(wcs: WCS, pa_from_x: Any, x: float, y: float) -> np.ndarray:
    """Position angle east of north, in [0, 180), of a direction given in degrees counter-clockwise from +x."""
    angle = np.deg2rad(np.asarray(pa_from_x, dtype=float))
    jacobian = local_jacobian(wcs, x, y)
    east = jacobian[0, 0] * np.cos(angle) + jacobian[0, 1] * np.sin(angle)
    north = jacobian[1, 0] * np.cos(angle) + jacobian[1, 1] * np.sin(angle)
    return half_turn(np.rad2deg(np.arctan2(east, north)))


def shifted_wcs(wcs: WCS, x_offset: int, y_offset: int) -> WCS:
    """Shift a WCS to a cutout whose pixel (0, 0) is pixel (x_offset, y_offset) of the image."""
    shifted = wcs.deepcopy()
    offset = np.array([x_offset, y_offset], dtype=float)
    shifted.wcs.crpix = shifted.wcs.crpix - offset
    if wcs.sip is not None:
        shifted.sip = Sip(wcs.sip.a, wcs.sip.b, wcs.sip.ap, wcs.sip.bp, wcs.sip.crpix - offset)
    for name in ("cpdis1", "cpdis2", "det2im1", "det2im2"):
        table = getattr(shifted, name)
        if table is not None:
            # CRVAL is the image's pixel under the table's own reference pixel, CRPIX.
            table.crval = tuple(np.asarray(table.crval) - offset)
    return shifted
