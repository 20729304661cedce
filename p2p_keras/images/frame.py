"""An opened FITS file, from which the images of any number of galaxies are cut."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.images.bands import band_from_header
from p2p_keras.images.cutout import Window, check_size, target_window, whole_window
from p2p_keras.images.galaxy_image import GalaxyImage, check_calibration, mask_of_shape
from p2p_keras.images.hdus import choose_hdu, full_header, open_fits, reading_errors
from p2p_keras.images.inputs import stem_of
from p2p_keras.images.pixels import clean_pixels, empty_pixel_note, linear_flux
from p2p_keras.images.sky_geometry import (
    celestial_wcs,
    icrs_to_pixel,
    local_pixel_scale,
    pixel_elongation,
    pixel_to_icrs,
    shifted_wcs,
)
from p2p_keras.images.targets import Target, check_position
from p2p_keras.images.zero_point import SURVEY_UNITS, ZeroPoint, find_pixel_scale, find_zero_point


@dataclass(frozen=True)
class _Plane:
    """One HDU's image: what needs to be read once for all its galaxies."""

    pixels: Any
    header: Any
    wcs: WCS | None

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[-2], self.pixels.shape[-1]


class Frame:
    """An open FITS file; threads may share it. Made by `open_frame`.

    Parameters
    ----------
    file : astropy.io.fits.HDUList
    source : str
        Its name, for messages.
    """

    def __init__(self, file: Any, source: str) -> None:
        self.source = source
        self._file = file
        self._planes: dict[int, _Plane] = {}
        self._masks: dict[str, np.ndarray] = {}
        # Sections are read by seeking in one file, and astropy's lazy headers aren't made for threads.
        self._lock = threading.RLock()

    def image(
        self,
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
        """Cut out one galaxy; arguments, result and errors are those of `p2p_keras.images.read_image`."""
        check_calibration(zero_point, pixel_scale)
        check_size(size)
        source = self.source
        sky_target = sky_position(ra, dec, x, y)
        with self._lock, reading_errors(source):
            number, notes = choose_hdu(self._file, hdu, sky_target, source, lambda n: self._plane(n).wcs)
            plane = self._plane(number)
            if sky_target is not None:
                if plane.wcs is None:
                    raise InputError(
                        source, "a target by RA and Dec needs a celestial WCS, and the image has none: use x, y"
                    )
                x, y = icrs_to_pixel(plane.wcs, *sky_target)
            if x is not None and y is not None:
                window = target_window(plane.shape, x, y, size, source)
            else:
                window, cut_notes = whole_window(plane.shape, size)
                notes = notes + cut_notes
            raw = linear_flux(window.cut(plane.pixels), plane.header, source)
            hidden = None if mask is None else window.cut(self._mask(mask, plane.shape).astype(np.float32))
        pixels = clean_pixels(raw, hidden, source)
        notes += empty_pixel_note(pixels)
        cut_wcs, wcs_scale = None, math.nan
        if plane.wcs is not None:
            cut_wcs = shifted_wcs(plane.wcs, window.x_start, window.y_start)
            wcs_scale, wcs_notes = _scale_and_shape(cut_wcs, window)
            notes += wcs_notes
        if pixel_scale is None:
            scale, scale_origin = find_pixel_scale(plane.header, wcs_scale, source)
        else:
            scale, scale_origin = float(pixel_scale), "given"
        if zero_point is None:
            zero = find_zero_point(plane.header, scale, source)
        else:
            zero = ZeroPoint(float(zero_point), "given")
        notes += zero.notes + _scale_notes(plane.header, zero, scale, wcs_scale, given=pixel_scale is not None)
        return GalaxyImage(
            pixels=pixels,
            zero_point=zero.value,
            pixel_scale=scale,
            band=band_from_header(plane.header) if band is None else band,
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

    def holds(self, targets: Sequence[Target], hdu: int | str | None = None) -> list[bool]:
        """Which targets lie on the file's image (on any of its science images, where `hdu` names none).

        Raises
        ------
        InputError
            The file has no image, or no WCS while a target is given by RA and Dec.
        """
        held = np.zeros(len(targets), dtype=bool)
        with self._lock, reading_errors(self.source):
            first, _ = choose_hdu(self._file, hdu, None, self.source)
            numbers = [first] if hdu is not None else [first, *range(first + 1, len(self._file))]
            for number in numbers:
                if number != first and len(getattr(self._file[number], "shape", ()) or ()) < 2:
                    continue
                held |= self._on_plane(self._plane(number), targets, need_wcs=number == first)
        return held.tolist()

    def _on_plane(self, plane: _Plane, targets: Sequence[Target], *, need_wcs: bool) -> np.ndarray:
        from astropy.wcs.utils import skycoord_to_pixel

        height, width = plane.shape
        x, y, ra, dec = (np.array([_number(getattr(t, key)) for t in targets]) for key in ("x", "y", "ra", "dec"))
        held = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
        for i in (i for i, target in enumerate(targets) if isinstance(target.ra, str)):
            ra[i], dec[i] = sky_position(targets[i].ra, targets[i].dec, None, None) or (np.nan, np.nan)
        index = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec) & ~np.isfinite(x))
        if not index.size:
            return held
        if plane.wcs is None:
            if need_wcs:
                raise InputError(self.source, "galaxies by RA and Dec need a celestial WCS, and the image has none")
            return held
        sky = SkyCoord(ra[index], dec[index], unit=u.deg)
        # A projection also shows what is on the far side of the sky: only what is near is tried.
        middle = pixel_to_icrs(plane.wcs, (width - 1) / 2, (height - 1) / 2)
        near = sky.separation(middle) < 3.0 * middle.separation(pixel_to_icrs(plane.wcs, 0.0, 0.0))
        if not np.any(near):
            return held
        try:
            x, y = skycoord_to_pixel(sky[near], plane.wcs, origin=0, mode="wcs")
        except Exception:  # wcslib raises where no position at all can be projected
            return held
        held[index[near]] = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
        return held

    def _plane(self, number: int) -> _Plane:
        if number not in self._planes:
            hdu = self._file[number]
            header = full_header(self._file, number)
            self._planes[number] = _Plane(hdu.section, header, celestial_wcs(hdu.header, self._file))
        return self._planes[number]

    def _mask(self, mask: Any, shape: tuple[int, int]) -> np.ndarray:
        if not isinstance(mask, str | os.PathLike):
            return mask_of_shape(mask, shape, self.source)
        source = os.fspath(mask)
        if source not in self._masks:
            with open_fits(source) as file:
                number, _ = choose_hdu(file, None, None, source)
                self._masks[source] = np.asarray(file[number].data) != 0
        return mask_of_shape(self._masks[source], shape, source)


@contextmanager
def open_frame(path: str | os.PathLike[str]) -> Iterator[Frame]:
    """Open a FITS file (plain, ``.gz``, ``.bz2``, ``.fz``) to cut galaxies out of it.

    Raises
    ------
    InputError
        It can't be read; also from within the block, where pixels turn out to be missing.
    """
    source = os.fspath(path)
    with open_fits(source) as file:
        yield Frame(file, source)


def sky_position(ra: Any, dec: Any, x: Any, y: Any) -> tuple[float, float] | None:
    """Check a target's place and return its (ra, dec) in degrees; None where it is given in pixels or not at all.

    Raises
    ------
    UsageError
        It is half a position, two positions, or none at all.
    """
    check_position(ra, dec, x, y)
    if ra is None:
        return None
    try:
        ra_deg = Angle(ra, unit="hourangle").deg if isinstance(ra, str) and not _is_number(ra) else float(ra)
        dec_deg = Angle(dec, unit="deg").deg if isinstance(dec, str) and not _is_number(dec) else float(dec)
    except ValueError as error:
        raise UsageError(f"RA {ra!r}, Dec {dec!r}: not a position") from error
    if not (-360.0 <= ra_deg <= 360.0 and -90.0 <= dec_deg <= 90.0):
        raise UsageError(f"RA {ra}, Dec {dec}: not a position (degrees are expected)")
    return float(ra_deg), float(dec_deg)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, float | int) else math.nan


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
