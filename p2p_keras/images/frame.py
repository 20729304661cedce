"""An opened FITS file, from which the images of any number of galaxies are cut."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError
from p2p_keras.images.bands import band_from_header, band_from_name
from p2p_keras.images.choosing import ImageChoice, band_hdus, choose_image, images_of_sky
from p2p_keras.images.companions import section_of
from p2p_keras.images.cutout import check_size
from p2p_keras.images.flux_units import read_unit, unit_text
from p2p_keras.images.galaxy_image import GalaxyImage, check_calibration
from p2p_keras.images.hdus import full_header, hdu_label, naming_hdu, open_fits, reading_errors
from p2p_keras.images.image_companions import CompanionsOfImage, asked_companions
from p2p_keras.images.inputs import stem_of
from p2p_keras.images.noise import electrons, scatter
from p2p_keras.images.photometric_system import ab_offset
from p2p_keras.images.photometric_system import to_ab as convert_to_ab
from p2p_keras.images.pixel_scale import find_pixel_scale
from p2p_keras.images.pixels import linear_flux
from p2p_keras.images.planes import plane_bands
from p2p_keras.images.roles import MASK, NOISE_ROLES, SCIENCE, role_of_file
from p2p_keras.images.sky_geometry import celestial_wcs, icrs_to_pixel, pixel_to_icrs
from p2p_keras.images.stamp import Stamp, cut_stamp
from p2p_keras.images.survey_grids import scale_notes
from p2p_keras.images.targets import Target, sky_position
from p2p_keras.images.zero_point import find_zero_point
from p2p_keras.images.zero_point_value import ZeroPoint, exposure_time


@dataclass(frozen=True)
class _Plane:
    """One array's image: what needs to be read once for all its galaxies."""

    pixels: Any
    header: Any
    wcs: WCS | None
    choice: ImageChoice
    label: str

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
        self._planes: dict[tuple[int, int | None], _Plane] = {}
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
            choice = choose_image(
                self._file, hdu, sky_target, source, plane=plane, band=band, wcs_of=lambda n: self._wcs(n)
            )
            image = self._plane(choice)
            if sky_target is not None:
                if image.wcs is None:
                    raise InputError(
                        source, "a target by RA and Dec needs a celestial WCS, and the image has none: use x, y"
                    )
                x, y = icrs_to_pixel(image.wcs, *sky_target)
            found = CompanionsOfImage(self, asked, image, use_found=companions is not False, plane=plane, band=band)
            stamp = cut_stamp(
                image.pixels,
                wcs=image.wcs,
                source=source,
                x=x,
                y=y,
                size=size,
                linear=lambda pixels: linear_flux(pixels, image.header, source),
                companions=found.cut if found.needed else None,
            )
            notes = choice.notes + named_as_companion(source) + stamp.notes
            several = choice.plane is not None or choice.number > 0
            with naming_hdu(image.label if several else ""):
                return self._calibrated(
                    image, stamp, notes, found,
                    zero_point=zero_point, pixel_scale=pixel_scale, band=band, name=name, to_ab=bool(to_ab),
                )  # fmt: skip

    def _calibrated(
        self,
        image: _Plane,
        stamp: Stamp,
        notes: list[str],
        found: CompanionsOfImage,
        *,
        zero_point: float | None,
        pixel_scale: float | None,
        band: str | None,
        name: str | None,
        to_ab: bool,
    ) -> GalaxyImage:
        header, source = image.header, self.source
        own_band = self._band(image) if band is None else band
        if pixel_scale is None:
            scale, scale_origin = find_pixel_scale(header, stamp.wcs_scale, source)
        else:
            scale, scale_origin = float(pixel_scale), "given"
        if zero_point is None:
            zero = find_zero_point(
                header, scale, source, band=own_band or band_from_name(source), noise=lambda: scatter(stamp.pixels)
            )
        else:
            zero = ZeroPoint(float(zero_point), "given")
        own_band = own_band or zero.band
        notes = [*notes, *zero.notes]
        notes += scale_notes(header, zero, scale, stamp.wcs_scale, given=pixel_scale is not None)
        fields = stamp.image_fields() | {"notes": tuple(notes)}
        unit = read_unit(unit_text(header), scale)
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
            noise_origin=found.noise_origin,
            **(electrons(header, unit.kind, exposure_time(header)) if unit.kind in ("counts", "rate") else {}),
        )
        if made.noise is None and made.electrons_per_unit > 0:
            made = replace(made, noise_origin="gain")
        return convert_to_ab(made) if to_ab else made

    def _band(self, image: _Plane) -> str:
        choice = image.choice
        if choice.plane is not None:
            shape = self._file[choice.number].shape
            bands = plane_bands(image.header, math.prod(shape[:-2]))
            return bands[choice.plane] if bands else ""
        return band_from_header(image.header)

    def shape(
        self, hdu: int | str | None = None, plane: int | str | None = None, band: str | None = None
    ) -> tuple[int, int]:
        """(H, W) of the image that `image` would cut from, in pixels of the file, without reading any."""
        with self._lock, reading_errors(self.source):
            return self._plane(choose_image(self._file, hdu, None, self.source, plane=plane, band=band)).shape

    def bands(self) -> dict[str, dict[str, Any]]:
        """Options ``hdu`` and ``plane`` of each band, in a file of several bands; empty for a file of one image."""
        with self._lock, reading_errors(self.source):
            found = band_hdus(self._file)
        return {
            band: {"hdu": number} | ({} if plane is None else {"plane": plane})
            for band, (number, plane) in found.items()
        }

    def holds(self, targets: Sequence[Target], hdu: int | str | None = None) -> list[bool]:
        """Which targets lie on the file's image (on any of its science images, where `hdu` names none).

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
                held |= self._on_plane(self._plane(ImageChoice(number)), targets, need_wcs=number == numbers[0])
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

    def _wcs(self, number: int) -> WCS | None:
        return self._plane(ImageChoice(number)).wcs

    def _plane(self, choice: ImageChoice) -> _Plane:
        key = (choice.number, choice.plane)
        if key not in self._planes:
            hdu = self._file[choice.number]
            header = full_header(self._file, choice.number)
            label = hdu_label(hdu, choice.number)
            label += "" if choice.plane is None else f", plane {choice.plane}"
            section = section_of(self._file, choice.number, choice.plane)
            self._planes[key] = _Plane(section, header, celestial_wcs(hdu.header, self._file), choice, label)
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
        It can't be read; also from within the block, where pixels turn out to be missing.
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


def _number(value: Any) -> float:
    return float(value) if isinstance(value, float | int) else math.nan
