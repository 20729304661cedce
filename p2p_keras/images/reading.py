"""Reading a FITS file as a `GalaxyImage`."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from astropy.coordinates import Angle
from astropy.wcs import WCS

from p2p_keras.errors import InputError, UsageError
from p2p_keras.images.bands import band_from_header
from p2p_keras.images.calibration import SURVEY_UNITS, ZeroPoint, find_pixel_scale, find_zero_point
from p2p_keras.images.cutout import Window, check_size, target_window, whole_window
from p2p_keras.images.galaxy_image import GalaxyImage, check_calibration, mask_of_shape
from p2p_keras.images.hdus import choose_hdu, full_header, open_fits
from p2p_keras.images.inputs import stem_of
from p2p_keras.images.pixels import clean_pixels, empty_pixel_note, linear_flux
from p2p_keras.images.sky_geometry import (
    celestial_wcs,
    icrs_to_pixel,
    local_pixel_scale,
    pixel_elongation,
    shifted_wcs,
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
    with open_fits(source) as file:
        number, notes = choose_hdu(file, hdu, sky_target, source)
        image_hdu = file[number]
        frame = image_hdu.section
        frame_shape = (frame.shape[-2], frame.shape[-1])
        header = full_header(file, number)
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


def _read_mask(mask: Any, shape: tuple[int, int], window: Window, source: str) -> np.ndarray:
    if isinstance(mask, str | os.PathLike):
        mask_source = os.fspath(mask)
        with open_fits(mask_source) as file:
            number, _ = choose_hdu(file, None, None, mask_source)
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
