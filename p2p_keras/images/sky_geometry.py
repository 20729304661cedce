"""What a WCS says near one pixel: sky position, pixel scale, directions of east and north.

All of it goes through one small matrix, the change on the sky (east, north) per pixel step (x, y), found by central
differences of unit vectors. So rotation, flips, CD, PC and CDELT forms, SIP and other distortions, Galactic frames and
fields at a pole need no case of their own.
"""

from __future__ import annotations

import copy
import functools
import math
import re
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord, angular_separation
from astropy.wcs import WCS, Sip, Wcsprm
from astropy.wcs.utils import pixel_to_skycoord, skycoord_to_pixel

from p2p_keras.core.ellipse import half_turn
from p2p_keras.images.plain_fits import PlainHeader

__all__ = [
    "PLAUSIBLE_PIXEL_SCALE",
    "celestial_wcs",
    "pixel_to_icrs",
    "icrs_to_pixel",
    "icrs_to_pixels",
    "local_jacobian",
    "cross_at",
    "jacobian_of",
    "pixel_to_icrs_degrees",
    "local_pixel_scale",
    "local_pixel_scales",
    "pixel_elongation",
    "elongation",
    "scale_of",
    "sky_position_angle",
    "turned_to_sky",
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
    if "CRVAL1" not in header or "CRVAL2" not in header:
        return None  # wcslib takes 0, and the galaxy would lie at RA 0, Dec 0
    try:
        # Mended by wcslib itself: astropy's `fix` would warn of each mend, and filters of warnings aren't for threads.
        cards = _plain_cards(header)
        if cards.get("WCSAXES", 2) == 2 and _DISTORTING.isdisjoint(key[:2] for key in cards):
            wcs = _undistorted(cards)
        else:
            plain = isinstance(header, PlainHeader)  # no other HDUs, nothing that isn't in the header
            cards = cards.copy() if isinstance(cards, PlainHeader) else cards
            wcs = WCS(cards, fobj=None if plain else fobj, naxis=2, fix=False)
        wcs.wcs.fix()
        wcs.wcs.set()
        if not (wcs.naxis == 2 and wcs.wcs.lng == 0 and wcs.wcs.lat == 1):
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


_DISTORTING = frozenset(("A_", "B_", "AP", "BP", "CP", "DP", "D2", "AX", "DQ", "PV", "PS"))
"""How keywords begin that are more than wcslib alone reads: where none does, it is asked without astropy."""


def _undistorted(header: Any) -> WCS:
    """A WCS by wcslib alone, at a tenth of the cost: astropy takes the header apart to look for distortions."""
    wcs = WCS(naxis=2, fix=False)
    wcs.wcs = Wcsprm(header.tostring(sep="", endcard=False, padding=False).encode("ascii"), relax=True).sub(2)
    wcs.pixel_shape = header.get("NAXIS1"), header.get("NAXIS2")
    return wcs


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
    if np.ndim(x) == np.ndim(y) == 0 and _rotation(wcs) == ():
        return _jacobian_at(wcs, float(x), float(y))
    return jacobian_of(*(np.deg2rad(angle) for angle in pixel_to_icrs_degrees(wcs, *cross_at(x, y))))


def cross_at(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """The pixel (x, y) and the places half a pixel beside, beyond and behind it, in a last axis of five."""
    steps = np.array([[0.0, 0.5, -0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5, -0.5]])
    return np.asarray(x, dtype=float)[..., None] + steps[0], np.asarray(y, dtype=float)[..., None] + steps[1]


def jacobian_of(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """`local_jacobian` from the sky positions (radians) of `cross_at`, (..., 5) -> (..., 2, 2)."""
    sin_ra, cos_ra, sin_dec, cos_dec = np.sin(ra), np.cos(ra), np.sin(dec), np.cos(dec)
    vectors = np.stack([cos_dec * cos_ra, cos_dec * sin_ra, sin_dec], axis=-1)
    steps = np.stack([vectors[..., 1, :] - vectors[..., 2, :], vectors[..., 3, :] - vectors[..., 4, :]], axis=-1)
    sin_ra, cos_ra, sin_dec, cos_dec = (values[..., 0] for values in (sin_ra, cos_ra, sin_dec, cos_dec))
    east = np.stack([-sin_ra, cos_ra, np.zeros_like(cos_ra)], axis=-1)
    north = np.stack([-sin_dec * cos_ra, -sin_dec * sin_ra, cos_dec], axis=-1)
    return _RAD_TO_ARCSEC * (np.stack([east, north], axis=-2) @ steps)


def _jacobian_at(wcs: WCS, x: float, y: float) -> np.ndarray:
    """`jacobian_of` for one pixel of an ICRS WCS, in plain numbers: arrays take thrice as long."""
    world = _world(wcs, np.array([[x, y], [x + 0.5, y], [x - 0.5, y], [x, y + 0.5], [x, y - 0.5]])).tolist()
    vectors = []
    for ra, dec in world[1:]:
        ra, dec = math.radians(ra), math.radians(dec)
        vectors.append((math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)))
    ra, dec = (math.radians(angle) for angle in world[0])
    sin_ra, cos_ra, sin_dec, cos_dec = math.sin(ra), math.cos(ra), math.sin(dec), math.cos(dec)
    east, north = [], []
    for beyond, behind in (vectors[:2], vectors[2:]):
        u, v, w = (a - b for a, b in zip(beyond, behind, strict=True))
        east.append(_RAD_TO_ARCSEC * (cos_ra * v - sin_ra * u))
        north.append(_RAD_TO_ARCSEC * (cos_dec * w - sin_dec * (cos_ra * u + sin_ra * v)))
    return np.array([east, north])


def pixel_to_icrs_degrees(wcs: WCS, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """ICRS right ascension and declination; without the cost of coordinate objects where the WCS is equatorial."""
    x, y = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    to_icrs = _rotation(wcs)
    if to_icrs is None:
        sky = pixel_to_icrs(wcs, x, y)
        return np.asarray(sky.ra.deg), np.asarray(sky.dec.deg)
    world = _world(wcs, np.stack([x.ravel(), y.ravel()], axis=1))
    ra, dec = world[:, 0], world[:, 1]
    if to_icrs:
        turned = np.array(to_icrs).reshape(3, 3) @ _unit_vectors(ra, dec)
        ra, dec = np.rad2deg(np.arctan2(turned[1], turned[0])), np.rad2deg(np.arctan2(turned[2], np.hypot(*turned[:2])))
    return ra.reshape(x.shape) % 360.0, dec.reshape(x.shape)


def _world(wcs: WCS, pixels: np.ndarray) -> np.ndarray:
    """What ``all_pix2world`` gives of 0-based pixels (N, 2), without its checks where nothing distorts the image."""
    return wcs.all_pix2world(pixels, 0) if _is_distorted(wcs) else wcs.wcs.p2s(pixels, 0)["world"]


def _is_distorted(wcs: WCS) -> bool:
    parts = (wcs.sip, wcs.cpdis1, wcs.cpdis2, wcs.det2im1, wcs.det2im2)
    return any(part is not None for part in parts)


def _unit_vectors(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    ra, dec = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def _rotation(wcs: WCS) -> tuple[float, ...] | None:
    """The rotation from a WCS's own frame to ICRS, row by row: () for ICRS itself, None where it is no rotation."""
    kind = wcs.wcs.ctype[0][:4] + wcs.wcs.ctype[1][:4]
    if kind != "RA--DEC-":
        return None
    system = wcs.wcs.radesys.strip().upper()
    if system == "ICRS":
        return ()
    return _from_fk5(float(wcs.wcs.equinox)) if system == "FK5" and np.isfinite(wcs.wcs.equinox) else None


@functools.lru_cache(maxsize=16)
def _from_fk5(equinox: float) -> tuple[float, ...]:
    from astropy.coordinates import FK5, ICRS, CartesianRepresentation
    from astropy.time import Time

    axes = FK5(CartesianRepresentation(np.eye(3)), equinox=Time(equinox, format="jyear")).transform_to(ICRS())
    return tuple(axes.cartesian.xyz.value.ravel().tolist())


def _is_icrs(wcs: WCS) -> bool:
    return _rotation(wcs) == ()


def local_pixel_scale(wcs: WCS, x: float, y: float) -> float:
    """Arcsec per pixel at (x, y): the square root of the pixel's area on the sky."""
    return scale_of(local_jacobian(wcs, x, y))


def local_pixel_scales(wcs: WCS, x: Any, y: Any) -> np.ndarray:
    """Arcsec per pixel at many pixels at once, see `local_pixel_scale`."""
    return np.sqrt(np.abs(np.linalg.det(local_jacobian(wcs, x, y))))


def pixel_elongation(wcs: WCS, x: float, y: float) -> float:
    """Longer over shorter side of the pixel at (x, y); 1 for a square one."""
    return elongation(local_jacobian(wcs, x, y))


def scale_of(jacobian: np.ndarray) -> float:
    """Square root of a pixel's area on the sky, arcsec, by its `local_jacobian`; NaN where that is."""
    (a, b), (c, d) = jacobian.tolist()
    return math.sqrt(abs(a * d - b * c))


def elongation(jacobian: np.ndarray) -> float:
    """Longer over shorter side of a pixel, by a finite `local_jacobian`; infinite for one without area."""
    (a, b), (c, d) = jacobian.tolist()
    # The singular values' squares have these sum and product.
    total, area = a * a + b * b + c * c + d * d, abs(a * d - b * c)
    return (total + math.sqrt(max(total * total - 4.0 * area * area, 0.0))) / (2.0 * area) if area > 0.0 else math.inf


def sky_position_angle(wcs: WCS, pa_from_x: Any, x: float, y: float) -> np.ndarray:
    """Position angle east of north, in [0, 180), of a direction given in degrees counter-clockwise from +x."""
    return turned_to_sky(local_jacobian(wcs, x, y), pa_from_x)


def turned_to_sky(jacobian: np.ndarray, pa_from_x: Any) -> np.ndarray:
    """`sky_position_angle` by a matrix of `local_jacobian`."""
    angle = np.deg2rad(np.asarray(pa_from_x, dtype=float))
    cos, sin = np.cos(angle), np.sin(angle)
    east = jacobian[0, 0] * cos + jacobian[0, 1] * sin
    north = jacobian[1, 0] * cos + jacobian[1, 1] * sin
    return half_turn(np.rad2deg(np.arctan2(east, north)))


def shifted_wcs(wcs: WCS, x_offset: int, y_offset: int) -> WCS:
    """Shift a WCS to a cutout whose pixel (0, 0) is pixel (x_offset, y_offset) of the image."""
    if x_offset == y_offset == 0:
        return wcs
    offset = np.array([x_offset, y_offset], dtype=float)
    if not _is_distorted(wcs):
        shifted = WCS(naxis=2)
        shifted.wcs = copy.deepcopy(wcs.wcs)
        shifted.pixel_shape = wcs.pixel_shape
        shifted.wcs.crpix = wcs.wcs.crpix - offset
        return shifted
    shifted = wcs.deepcopy()
    shifted.wcs.crpix = shifted.wcs.crpix - offset
    if wcs.sip is not None:
        shifted.sip = Sip(wcs.sip.a, wcs.sip.b, wcs.sip.ap, wcs.sip.bp, wcs.sip.crpix - offset)
    for name in ("cpdis1", "cpdis2", "det2im1", "det2im2"):
        table = getattr(shifted, name)
        if table is not None:
            # CRVAL is the image's pixel under the table's own reference pixel, CRPIX.
            table.crval = tuple(np.asarray(table.crval) - offset)
    return shifted
