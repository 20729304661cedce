"""Reading a FITS file as a `GalaxyImage`."""

from __future__ import annotations

import bz2
import gzip
import io
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.wcs import WCS

from p2p_keras.errors import InputError, P2PError, UsageError
from p2p_keras.images.bands import band_from_header
from p2p_keras.images.calibration import SURVEY_UNITS, ZeroPoint, find_pixel_scale, find_zero_point
from p2p_keras.images.cutout import Window, check_size, target_window, whole_window
from p2p_keras.images.galaxy_image import GalaxyImage, check_calibration, mask_of_shape
from p2p_keras.images.inputs import stem_of
from p2p_keras.images.pixels import clean_pixels, empty_pixel_note, linear_flux
from p2p_keras.images.sky_geometry import (
    celestial_wcs,
    icrs_to_pixel,
    local_pixel_scale,
    pixel_elongation,
    shifted_wcs,
)

_NOT_SCIENCE = (
    "ERR",
    "DQ",
    "WHT",
    "WT",
    "WGT",
    "CTX",
    "MASK",
    "MSK",
    "VAR",
    "VARIANCE",
    "RMS",
    "IVAR",
    "CON",
    "BKG",
    "SKY",
)


def read_image(
    path: str | os.PathLike[str],
    *,
    zero_point: float | None = None,
    pixel_scale: float | None = None,
    band: str | None = None,
    hdu: int | str | None = None,
    ra: float | str | None = None,
    dec: float | str | None = None,
    x: float | None = None,
    y: float | None = None,
    size: int | None = None,
    mask: Any = None,
    name: str | None = None,
) -> GalaxyImage:
    """Read a galaxy's image, cut out its target and find its calibration.

    Parameters
    ----------
    path : str or path
        FITS: plain, ``.gz``, ``.bz2`` or tile-compressed (``.fz``), any number type, BSCALE, BZERO and BLANK applied.
    zero_point : float, optional
        AB magnitude of a pixel value of one; overrides the header.
    pixel_scale : float, optional
        Arcsec per pixel; overrides WCS and header, for areas and lengths (see `GalaxyImage`).
    band : str, optional
        Filter; overrides the header.
    hdu : int or str, optional
        Number (0 = primary) or EXTNAME of the image's HDU. Default: the first HDU that has an image; with `ra` and
        `dec` the first science image that contains the target.
    ra, dec : float or str, optional
        The target's ICRS position in degrees, or as text such as ``"13:22:02.4"`` (hours) and ``"+36:43:51"``.
    x, y : float, optional
        The target's pixel in the file, 0-based (pixel (0, 0) is the centre of the first pixel).
    size : int, optional
        Side of the square to cut, 48 to 2048 px. Default: 256 with a target; without one the whole image, of which the
        middle 2048 px are kept where it is larger and to which NaN is added up to 48 px where it is smaller.
    mask : path or array (H, W), optional
        Pixels to ignore, of the file's image shape: non-zero is ignored.
    name : str, optional
        Default: the file's name without its endings.

    Returns
    -------
    GalaxyImage
        With what was cut, padded or found odd in `notes`.

    Raises
    ------
    MissingCalibrationError
        The zero point or pixel scale can't be known; the message names the keywords looked for and the option to set.
    InputError
        The file can't be read as an image, or the target isn't on it.
    UsageError
        The arguments contradict each other (half a position, both positions, an impossible size).
    """
    source = os.fspath(path)
    check_calibration(zero_point, pixel_scale)
    check_size(size)
    sky_target = _sky_target(ra, dec, x, y)
    with _open(source) as file:
        number, notes = _choose_hdu(file, hdu, sky_target, source)
        image_hdu = file[number]
        frame = image_hdu.section
        frame_shape = (frame.shape[-2], frame.shape[-1])
        header = _full_header(file, number)
        wcs = celestial_wcs(image_hdu.header, file)
        if sky_target is not None:
            if wcs is None:
                raise InputError(
                    source, "a target by RA and Dec needs a celestial WCS, and the image has none: use x, y"
                )
            x, y = icrs_to_pixel(wcs, *sky_target)
        if x is not None and y is not None:
            window = target_window(frame_shape, x, y, size, source)
        else:
            window, cut_notes = whole_window(frame_shape, size)
            notes += cut_notes
        raw = linear_flux(window.cut(frame), header, source)
    hidden = None if mask is None else _read_mask(mask, frame_shape, window, source)
    pixels = clean_pixels(raw, hidden, source)
    notes += empty_pixel_note(pixels)
    cut_wcs, wcs_scale = None, math.nan
    if wcs is not None:
        cut_wcs = shifted_wcs(wcs, window.x_start, window.y_start)
        wcs_scale, wcs_notes = _scale_and_shape(cut_wcs, window)
        notes += wcs_notes
    if pixel_scale is None:
        scale, scale_origin = find_pixel_scale(header, wcs_scale, source)
    else:
        scale, scale_origin = float(pixel_scale), "given"
    zero = find_zero_point(header, scale, source) if zero_point is None else ZeroPoint(float(zero_point), "given")
    notes += zero.notes + _scale_notes(header, zero, scale, wcs_scale, given=pixel_scale is not None)
    return GalaxyImage(
        pixels=pixels,
        zero_point=zero.value,
        pixel_scale=scale,
        band=band_from_header(header) if band is None else band,
        name=name or stem_of(source),
        source=source,
        x_offset=window.x_start,
        y_offset=window.y_start,
        wcs=cut_wcs,
        wcs_pixel_scale=wcs_scale,
        zero_point_origin=zero.origin,
        pixel_scale_origin=scale_origin,
        notes=tuple(notes),
    )


@contextmanager
def _open(source: str) -> Iterator[fits.HDUList]:
    """Open a FITS file; whatever goes wrong with its bytes, then or later, becomes an `InputError` with a cause."""
    if not os.path.exists(source):
        raise InputError(source, "no such file")
    if os.path.isdir(source):
        raise InputError(source, "a folder without FITS images")
    if os.path.getsize(source) == 0:
        raise InputError(source, "the file is empty")
    with warnings.catch_warnings():
        # Odd but readable headers are the rule in archives; what matters is raised here as an error.
        warnings.simplefilter("ignore")
        try:
            # uint=False: unsigned integers come as floats, so that BLANK can become NaN in them.
            with fits.open(_unpacked(source), uint=False) as file:
                yield file
        except P2PError:
            raise
        except PermissionError as error:
            raise InputError(source, "no permission to read the file") from error
        except Exception as error:  # astropy, zlib, bz2 and numpy each raise their own kinds on broken bytes
            raise InputError(source, _cause(error)) from error


def _unpacked(source: str) -> str | io.BytesIO:
    """Unpack a gzip or bzip2 file into memory; leave others to astropy.

    astropy reads sections of a packed file by seeking in it, which unpacks it anew for every row.
    """
    with open(source, "rb") as file:
        magic = file.read(3)
    if magic[:2] == b"\x1f\x8b":
        with gzip.open(source) as packed:
            return io.BytesIO(packed.read())
    if magic == b"BZh":
        with bz2.open(source) as packed:
            return io.BytesIO(packed.read())
    return source


def _cause(error: Exception) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    lower = text.lower()
    if isinstance(error, EOFError) or any(
        word in lower for word in ("buffer is too small", "mmap length", "end-of-stream", "truncated", "cannot reshape")
    ):
        return f"the file is truncated: its image isn't all there ({text})"
    if "simple" in lower or "empty or corrupt" in lower or "header missing end" in lower:
        return f"not a FITS file, or its header is damaged ({text})"
    return f"can't be read as FITS ({text})"


def _sky_target(ra: Any, dec: Any, x: Any, y: Any) -> tuple[float, float] | None:
    """Check the target and return its (ra, dec) in degrees; None where it is given in pixels or not at all."""
    if (ra is None) != (dec is None) or (x is None) != (y is None):
        raise UsageError("a target needs both coordinates: RA and Dec, or x and y")
    if ra is None:
        return None
    if x is not None:
        raise UsageError("give the target by RA and Dec or by x and y, not by both")
    try:
        ra_deg = Angle(ra, unit="hourangle").deg if isinstance(ra, str) and not _is_number(ra) else float(ra)
        dec_deg = Angle(dec, unit="deg").deg if isinstance(dec, str) and not _is_number(dec) else float(dec)
    except ValueError as error:
        raise UsageError(f"RA {ra!r}, Dec {dec!r}: not a position") from error
    if not (-360.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0):
        raise UsageError(f"RA {ra}, Dec {dec}: not a position (degrees are expected)")
    return float(ra_deg), float(dec_deg)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _axes(hdu: Any) -> tuple[int, ...]:
    """Shape of an HDU's image in numpy order, () where it has none."""
    if not isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU):
        return ()
    return tuple(hdu.shape or ())


def _choose_hdu(
    file: fits.HDUList, wanted: int | str | None, sky_target: tuple[float, float] | None, source: str
) -> tuple[int, list[str]]:
    """Find the HDU to read and what to note about it; `InputError` where there is no image."""
    if wanted is not None:
        number = _named_hdu(file, wanted, source)
        _check_plane(_axes(file[number]), source, f"HDU {number}")
        return number, []
    with_data = [number for number, hdu in enumerate(file) if math.prod(_axes(hdu)) > 0 and _axes(hdu)]
    if not with_data:
        raise InputError(source, f"no HDU has an image ({_list(file)})")
    flat = [number for number in with_data if len(_axes(file[number])) > 1]
    number = flat[0] if flat else with_data[0]
    _check_plane(_axes(file[number]), source, f"HDU {number}")
    science = [n for n in flat if file[n].name.upper() not in _NOT_SCIENCE and _is_plane(_axes(file[n]))]
    alike = [
        n for n in science if file[n].name.upper() == file[number].name.upper() or "CCD" in str(file[n].name).upper()
    ]
    if sky_target is not None:
        for candidate in science:
            if _contains(file, candidate, sky_target):
                return candidate, []
    elif number in science and len(alike) > 1:
        return number, [f"{len(alike)} HDUs have an image: HDU {number} was read (choose with --hdu)"]
    return number, []


def _contains(file: fits.HDUList, number: int, sky_target: tuple[float, float]) -> bool:
    wcs = celestial_wcs(file[number].header, file)
    if wcs is None:
        return False
    x, y = icrs_to_pixel(wcs, *sky_target)
    height, width = _axes(file[number])[-2:]
    return -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5


def _named_hdu(file: fits.HDUList, wanted: int | str, source: str) -> int:
    key: Any = wanted
    if isinstance(wanted, str):
        text = wanted.strip()
        extname, _, version = text.partition(",")
        key = int(text) if text.isdigit() else (extname.strip(), int(version)) if version.strip().isdigit() else text
    try:
        number = key if isinstance(key, int) else file.index_of(key)
        file[number]
    except (KeyError, IndexError) as error:
        raise InputError(source, f"there is no HDU {wanted!r} (it has {_list(file)})") from error
    return number


def _is_plane(axes: tuple[int, ...]) -> bool:
    return len(axes) >= 2 and min(axes[-2:]) >= 2 and all(n == 1 for n in axes[:-2])


def _check_plane(axes: tuple[int, ...], source: str, where: str) -> None:
    if _is_plane(axes):
        return
    if not axes:
        raise InputError(source, f"{where} has no image")
    size = " x ".join(str(n) for n in reversed(axes))
    if len(axes) == 1 or (len(axes) == 2 and min(axes) < 2):
        raise InputError(source, f"{where} is one-dimensional ({size}): an image of two dimensions is needed")
    raise InputError(
        source, f"{where} is a cube of {math.prod(axes[:-2])} planes ({size}): give one plane (one band) a file"
    )


def _list(file: fits.HDUList) -> str:
    kinds = []
    for number, hdu in enumerate(file):
        axes = " x ".join(str(n) for n in reversed(_axes(hdu)))
        kinds.append(f"{number}: {hdu.name or 'unnamed'} {axes or 'no image'}")
    return "; ".join(kinds)


def _full_header(file: fits.HDUList, number: int) -> fits.Header:
    """Join the image's header with the primary header's cards that it lacks (often exposure time, filter)."""
    header = file[number].header.copy()
    if number != 0:
        header.extend((card for card in file[0].header.cards if card.keyword), unique=True, strip=True)
    return header


def _read_mask(mask: Any, shape: tuple[int, int], window: Window, source: str) -> np.ndarray:
    if isinstance(mask, str | os.PathLike):
        mask_source = os.fspath(mask)
        with _open(mask_source) as file:
            number, _ = _choose_hdu(file, None, None, mask_source)
            array = np.asarray(file[number].data)
    else:
        mask_source, array = source, mask
    return window.cut(mask_of_shape(array, shape, mask_source).astype(np.float32))


def _scale_and_shape(wcs: WCS, window: Window) -> tuple[float, list[str]]:
    """Pixel scale at the window's centre, and a note where pixels aren't square."""
    centre = (window.width - 1) / 2, (window.height - 1) / 2
    try:
        scale, elongation = local_pixel_scale(wcs, *centre), pixel_elongation(wcs, *centre)
    except Exception:  # the projection has no sky there
        return math.nan, []
    if elongation > 1.02:
        return scale, [f"the pixels are {elongation:.2f} times longer than wide: ellipticities and radii suffer"]
    return scale, []


def _scale_notes(header: Any, zero: ZeroPoint, scale: float, wcs_scale: float, *, given: bool) -> list[str]:
    """Note what follows from a pixel scale that isn't the grid's, and the zero point that makes all of it right."""
    if given and math.isfinite(wcs_scale) and abs(scale / wcs_scale - 1.0) > 0.02:
        better = zero.value + 5.0 * math.log10(scale / wcs_scale)
        return [
            f"the given pixel scale {scale:.4g} overrides the WCS's {wcs_scale:.4g} arcsec, for areas and for radii; "
            f"if the flux is per pixel of {scale:.4g} arcsec on a grid of {wcs_scale:.4g}, mu is right but radii, "
            f"growth and mag_total are not: all are with --zero-point {better:.3f} and no --pixel-scale"
        ]
    survey = header.get("SURVEY")
    known = SURVEY_UNITS.get(survey.strip().upper()) if isinstance(survey, str) else None
    if not given and known is not None and math.isfinite(scale) and abs(scale / known[1] - 1.0) > 0.02:
        better = zero.value + 5.0 * math.log10(known[1] / scale)
        return [
            f"the grid of {scale:.4g} arcsec isn't the survey's own ({known[1]} arcsec): if the image was interpolated "
            f"without rescaling its flux, mu is off by {better - zero.value:+.2f} mag; "
            f"then use --zero-point {better:.3f}"
        ]
    return []
