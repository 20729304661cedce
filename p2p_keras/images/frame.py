"""An opened FITS file, from which the images of any number of galaxies are cut."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.images.bands import band_from_header, band_from_name
from p2p_keras.images.choosing import ImageChoice, band_hdus, choose_image, images_of_sky
from p2p_keras.images.companions import section_of
from p2p_keras.images.cutout import check_size
from p2p_keras.images.flux_units import read_unit, unit_text
from p2p_keras.images.frame_plane import FramePlane
from p2p_keras.images.galaxy_image import GalaxyImage, check_calibration
from p2p_keras.images.hdus import full_header, hdu_label, naming_hdu, open_fits, reading_errors
from p2p_keras.images.image_companions import CompanionsOfImage, asked_companions
from p2p_keras.images.inputs import stem_of
from p2p_keras.images.noise import electrons
from p2p_keras.images.photo_calib import photo_calib_of
from p2p_keras.images.photometric_system import ab_offset
from p2p_keras.images.photometric_system import to_ab as convert_to_ab
from p2p_keras.images.pixel_scale import find_pixel_scale
from p2p_keras.images.pixels import linear_flux
from p2p_keras.images.planes import plane_bands
from p2p_keras.images.roles import MASK, NOISE_ROLES, SCIENCE, role_of_file
from p2p_keras.images.sky_geometry import celestial_wcs, icrs_to_pixel
from p2p_keras.images.stamp import Stamp, cut_stamp
from p2p_keras.images.survey_grids import scale_notes
from p2p_keras.images.targets import Target, sky_position
from p2p_keras.images.zero_point_value import ZeroPoint, exposure_time

__all__ = ["Frame", "open_frame", "named_as_companion"]


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
        self._planes: dict[tuple[int, int | None], FramePlane] = {}
        self._opened: dict[str, Any] = {}
        self._stack = ExitStack()
        # Sections are read by seeking in one file, and astropy's lazy headers aren't made for threads.
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the companions that were opened beside the file."""
        self._opened.clear()
        self._stack.close()

    def image(
        self,
        *,
        zero_point: float | None = None,
        pixel_scale: float | None = None,
        band: str | None = None,
        hdu: int | str | None = None,
        plane: int | str | None = None,
        ra: float | str | None = None,
        dec: float | str | None = None,
        x: float | None = None,
        y: float | None = None,
        size: int | None = None,
        mask: Any = None,
        mask_bits: int | str | None = None,
        sigma: Any = None,
        variance: Any = None,
        weight: Any = None,
        companions: bool | None = None,
        to_ab: bool | None = None,
        name: str | None = None,
    ) -> GalaxyImage:
        """Cut out one galaxy; arguments, result and errors are those of `p2p_keras.images.read_image`."""
        check_calibration(zero_point, pixel_scale)
        check_size(size)
        source = self.source
        sky_target = sky_position(ra, dec, x, y)
        asked = asked_companions(mask, mask_bits, sigma, variance, weight)
        with self._lock, reading_errors(source):
            image = self.plane(hdu, sky_target, plane=plane, band=band)
            if sky_target is not None:
                if image.wcs is None:
                    raise InputError(
                        source, "a target by RA and Dec needs a celestial WCS, and the image has none: use x, y"
                    )
                x, y = icrs_to_pixel(image.wcs, *sky_target)
            beside = CompanionsOfImage(self, asked, image, look_around=companions is not False, plane=plane, band=band)
            return self.cut(
                image, beside, x=x, y=y, size=size,
                zero_point=zero_point, pixel_scale=pixel_scale, band=band, name=name, to_ab=bool(to_ab),
            )  # fmt: skip

    def plane(
        self,
        hdu: int | str | None = None,
        sky_target: tuple[float, float] | None = None,
        *,
        plane: int | str | None = None,
        band: str | None = None,
    ) -> FramePlane:
        """The image to read; arguments and errors are those of `p2p_keras.images.choosing.choose_image`."""
        wcs_of = lambda number: self._plane(ImageChoice(number)).wcs  # noqa: E731
        return self._plane(
            choose_image(self._file, hdu, sky_target, self.source, plane=plane, band=band, wcs_of=wcs_of)
        )

    def cut(
        self,
        image: FramePlane,
        companions: CompanionsOfImage,
        *,
        x: float | None = None,
        y: float | None = None,
        size: int | None = None,
        wcs_scale: float | None = None,
        zero_point: float | None = None,
        pixel_scale: float | None = None,
        band: str | None = None,
        name: str | None = None,
        to_ab: bool = False,
    ) -> GalaxyImage:
        """Cut one galaxy out of an image of the file: what `image` and a survey's cutouts have in common.

        Parameters
        ----------
        image : FramePlane
        companions : CompanionsOfImage
            Its masks and noise maps.
        x, y, size : optional
            The target and the side, px of the frame.
        wcs_scale : float, optional
            Arcsec per pixel there, where the caller found it (NaN: unknown) for thousands of galaxies at once. Then
            the result has no WCS of its own, and its pixels stay as they are.
        zero_point, pixel_scale, band, name, to_ab : optional
            As `image` takes them.

        Raises
        ------
        InputError
            The target isn't on the image, no pixel is left, or the calibration isn't known.
        """
        source = self.source
        stamp = cut_stamp(
            image.pixels,
            wcs=image.wcs if wcs_scale is None else None,
            source=source,
            x=x,
            y=y,
            size=size,
            linear=lambda pixels: linear_flux(pixels, image.header, source),
            companions=companions.cut,
        )
        if wcs_scale is not None:
            stamp.wcs_scale = wcs_scale
        notes = image.choice.notes + named_as_companion(source) + stamp.notes
        several = image.choice.plane is not None or image.choice.number > 0
        with naming_hdu(image.label if several else ""):
            return self._calibrated(
                image, stamp, notes, companions,
                zero_point=zero_point, pixel_scale=pixel_scale, band=band, name=name, to_ab=to_ab,
            )  # fmt: skip

    def _calibrated(
        self,
        image: FramePlane,
        stamp: Stamp,
        notes: list[str],
        companions: CompanionsOfImage,
        *,
        zero_point: float | None,
        pixel_scale: float | None,
        band: str | None,
        name: str | None,
        to_ab: bool,
    ) -> GalaxyImage:
        header, source = image.header, self.source
        own_band = image.band if band is None else band
        if pixel_scale is None:
            scale, scale_origin = find_pixel_scale(header, stamp.wcs_scale, source)
        else:
            scale, scale_origin = float(pixel_scale), "given"
        if zero_point is None:
            zero = image.zero_point_for(stamp.pixels, scale, own_band or band_from_name(source), source)
        else:
            zero = ZeroPoint(float(zero_point), "given")
        own_band = own_band or zero.band
        notes = [*notes, *zero.notes]
        notes += scale_notes(header, zero, scale, stamp.wcs_scale, given=pixel_scale is not None)
        fields = stamp.image_fields() | {"notes": tuple(notes)}
        made = GalaxyImage(
            **fields,
            zero_point=zero.value,
            pixel_scale=scale * stamp.binning,
            band=own_band,
            name=name or stem_of(source),
            source=source,
            zero_point_origin=zero.origin,
            pixel_scale_origin=scale_origin,
            photometric_system=zero.system,
            ab_offset=ab_offset(header, own_band) if zero.system == "Vega" else None,
            hdu=image.label,
            noise_origin=companions.noise_origin,
            **image.electrons,
        )
        if made.noise is None and made.electrons_per_unit > 0:
            made = replace(made, noise_origin="gain")
        return convert_to_ab(made) if to_ab else made

    def _band(self, choice: ImageChoice, header: Any) -> str:
        if choice.plane is not None:
            shape = self._file[choice.number].shape
            bands = plane_bands(header, math.prod(shape[:-2]))
            return bands[choice.plane] if bands else ""
        return band_from_header(header)

    def shape(
        self, hdu: int | str | None = None, plane: int | str | None = None, band: str | None = None
    ) -> tuple[int, int]:
        """Shape of the image that `image` would cut from, without reading a pixel.

        Parameters
        ----------
        hdu, plane, band
            As those of `image`.

        Returns
        -------
        (int, int)
            Height and width in pixels of the file.
        """
        with self._lock, reading_errors(self.source):
            return self._plane(choose_image(self._file, hdu, None, self.source, plane=plane, band=band)).shape

    def bands(self) -> dict[str, dict[str, Any]]:
        """Options ``hdu`` and ``plane`` of each band, in a file of several bands; empty for a file of one image."""
        with self._lock, reading_errors(self.source):
            hdus = band_hdus(self._file)
        return {
            band: {"hdu": number} | ({} if plane is None else {"plane": plane})
            for band, (number, plane) in hdus.items()
        }

    def holds(self, targets: Sequence[Target], hdu: int | str | None = None) -> list[bool]:
        """Which targets lie on the file's image (on any of its science images, where `hdu` names none).

        Parameters
        ----------
        targets : sequence of Target
        hdu : int or str, optional

        Raises
        ------
        InputError
            The file has no image, or no WCS while a target is given by RA and Dec.
        """
        held = np.zeros(len(targets), dtype=bool)
        with self._lock, reading_errors(self.source):
            if hdu is not None:
                numbers = [choose_image(self._file, hdu, None, self.source, plane=0).number]
            else:
                numbers = images_of_sky(self._file, self.source)
            for number in numbers:
                held |= self._plane(ImageChoice(number)).shows(targets, self.source, need_wcs=number == numbers[0])
        return held.tolist()

    def _plane(self, choice: ImageChoice) -> FramePlane:
        key = (choice.number, choice.plane)
        if key not in self._planes:
            hdu = self._file[choice.number]
            header = full_header(self._file, choice.number)
            label = hdu_label(hdu, choice.number)
            label += "" if choice.plane is None else f", plane {choice.plane}"
            section = section_of(self._file, choice.number, choice.plane)
            kind = read_unit(unit_text(header), math.nan).kind
            gain = electrons(header, kind, exposure_time(header)) if kind in ("counts", "rate") else {}
            self._planes[key] = FramePlane(
                section,
                header,
                celestial_wcs(hdu.header, self._file),
                choice,
                label,
                self._band(choice, header),
                gain,
                photo_calib=photo_calib_of(self._file),
            )
        self._planes[key].choice = choice  # its notes are this choice's
        return self._planes[key]

    def opened(self, path: str) -> Any:
        """A companion's file; open until the frame is closed."""
        if os.path.abspath(path) == os.path.abspath(self.source):
            return self._file
        if path not in self._opened:
            self._opened[path] = self._stack.enter_context(open_fits(path))
        return self._opened[path]

    @property
    def file(self) -> Any:
        """The open file."""
        return self._file


@contextmanager
def open_frame(path: str | os.PathLike[str]) -> Iterator[Frame]:
    """Open a FITS file (plain, ``.gz``, ``.bz2``, ``.fz``) to cut galaxies out of it.

    Raises
    ------
    InputError
        It can't be read. This may also be raised within the block, if pixels turn out to be missing.
    """
    source = os.fspath(path)
    with open_fits(source) as file:
        frame = Frame(file, source)
        try:
            yield frame
        finally:
            frame.close()


def named_as_companion(source: str) -> list[str]:
    """Note that a file that was asked for is by its name no image of the sky."""
    role = role_of_file(source)
    if role in ("", SCIENCE):
        return []
    what = "mask" if role == MASK else f"{role} map" if role in NOISE_ROLES else "companion"
    return [f"the file's name says that it is another image's {what}: it was read as an image, as asked"]
