"""The cutouts of a part's rows: every frame opened once, all its galaxies' places found at once.

What a cutout is (place, padding, mask, calibration) is that of `p2p_keras.images.read_image`; here it is done for
thousands of galaxies of a frame, which share its WCS and zero point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError, OutsideImageError, P2PError
from p2p_keras.images import GalaxyImage
from p2p_keras.images.bands import band_from_header
from p2p_keras.images.choosing import choose_hdu
from p2p_keras.images.cutout import MIN_SIDE, target_window, whole_window
from p2p_keras.images.first_look import side_from_light
from p2p_keras.images.galaxy_image import mask_of_shape
from p2p_keras.images.hdus import full_header, hdu_label, open_fits, reading_errors
from p2p_keras.images.pixel_scale import find_pixel_scale
from p2p_keras.images.pixels import clean_pixels, linear_flux
from p2p_keras.images.sky_geometry import (
    celestial_wcs,
    icrs_to_pixels,
    local_pixel_scales,
    pixel_elongation,
)
from p2p_keras.images.square_pixels import LARGEST_ELONGATION
from p2p_keras.images.zero_point import find_zero_point
from p2p_keras.images.zero_point_value import ZeroPoint
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.row_frames import ON_NO_FRAME
from p2p_keras.sky_survey.settings import SurveySettings, side_for

__all__ = ["Row", "FrameCutout", "Failure", "CutoutReader"]

Row = Mapping[str, Any]

_WHOLE_SHARE = 0.3
"""A frame of whose pixels cutouts take so large a share is read as a whole, else only what they need."""


@dataclass(frozen=True, eq=False)
class FrameCutout(GalaxyImage):
    """A `GalaxyImage` whose place on the sky is that of its frame: thousands share one WCS, and `wcs` is None.

    Attributes
    ----------
    frame_wcs : astropy.wcs.WCS or None
        Of the frame, not of the cutout.
    """

    frame_wcs: WCS | None = None

    @property
    def sky_wcs(self) -> tuple[WCS | None, float, float]:
        """The WCS of the frame, and where the cutout begins on it."""
        return self.frame_wcs, self.x_offset, self.y_offset


@dataclass(frozen=True)
class Failure:
    """Why a row has no image: a flag word (`rows.FAILURE_FLAGS`) and a sentence."""

    flag: str
    cause: str


class CutoutReader:
    """Reads parts one after the other; a frame stays open as long as its rows follow each other.

    Parameters
    ----------
    images : Place
        Where the frames are.
    settings : SurveySettings
    """

    def __init__(self, images: Place, settings: SurveySettings) -> None:
        self._images = images
        self._settings = settings
        self._open: _OpenFrame | None = None
        self._stack = ExitStack()

    def __enter__(self) -> CutoutReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def read(self, rows: Sequence[Row]) -> list[FrameCutout | Failure]:
        """Cutouts of rows, in their order; what can't be cut out says why."""
        results: list[FrameCutout | Failure] = []
        start = 0
        while start < len(rows):
            end = start
            while end < len(rows) and rows[end]["file"] == rows[start]["file"]:
                end += 1
            results += self._of_file(rows[start]["file"], rows[start:end])
            start = end
        return results

    def _of_file(self, name: str, rows: Sequence[Row]) -> list[FrameCutout | Failure]:
        results: list[FrameCutout | Failure | None] = [
            Failure("no_image" if row["problem"] == ON_NO_FRAME else "bad_row", row["problem"])
            if row["problem"]
            else None
            for row in rows
        ]
        left = [i for i, failure in enumerate(results) if failure is None]
        if left:
            try:
                frame = self._frame(name)
                cut: Iterable[FrameCutout | Failure] = frame.cut([rows[i] for i in left])
            except MemoryError:
                cut = [Failure("bad_image", "not enough memory to read the frame")] * len(left)
            except (P2PError, OSError) as error:
                cut = [Failure("bad_image", self._sentence(name, error))] * len(left)
            except Exception as error:  # one odd frame must not cost the others
                cut = [Failure("bad_image", f"{type(error).__name__}: {error}")] * len(left)
            for i, result in zip(left, cut, strict=True):
                results[i] = result
        return [result for result in results if result is not None]

    def _sentence(self, name: str, error: Exception) -> str:
        # Without the folder: the same bytes wherever the frames are.
        return error.cause if isinstance(error, InputError) else f"{type(error).__name__}: {error}"

    def _frame(self, name: str) -> _OpenFrame:
        if self._open is None or self._open.name != name:
            self._close()
            local = self._stack.enter_context(self._images.local_file(name))
            file = self._stack.enter_context(open_fits(local))
            self._open = _OpenFrame(file, name, self._settings)
        return self._open

    def _close(self) -> None:
        self._open = None
        self._stack.close()


class _OpenFrame:
    """An open file and what was found out about its images."""

    def __init__(self, file: Any, name: str, settings: SurveySettings) -> None:
        self.name = name
        self._file = file
        self._settings = settings
        self._planes: dict[int, _Plane] = {}

    def cut(self, rows: Sequence[Row]) -> Iterator[FrameCutout | Failure]:
        """Cut out rows; whatever is wrong with the file as a whole is raised."""
        with reading_errors(self.name):
            numbers = [self._number(row) for row in rows]
            cut: dict[int, FrameCutout | Failure] = {}
            for number in dict.fromkeys(numbers):
                here = [i for i, n in enumerate(numbers) if n == number]
                for i, result in zip(here, self._plane(number).cut([rows[i] for i in here]), strict=True):
                    cut[i] = result
        return iter([cut[i] for i in range(len(rows))])

    def _number(self, row: Row) -> int:
        wanted = row["hdu"] or self._settings.hdu
        target = (row["ra"], row["dec"]) if np.isfinite(row["ra"]) and not np.isfinite(row["x"]) else None
        number, _ = choose_hdu(self._file, wanted or None, target, self.name, lambda n: self._plane(n).wcs)
        return number

    def _plane(self, number: int) -> _Plane:
        if number not in self._planes:
            self._planes[number] = _Plane(self._file, number, self.name, self._settings)
        return self._planes[number]


class _Plane:
    """One image of a frame."""

    def __init__(self, file: Any, number: int, name: str, settings: SurveySettings) -> None:
        self.name = name
        self.settings = settings
        self.pixels = file[number].section
        self.header = full_header(file, number)
        self.label = hdu_label(file[number], number)
        self.wcs = celestial_wcs(file[number].header, file)
        self.band = band_from_header(self.header)
        self.shape = (self.pixels.shape[-2], self.pixels.shape[-1])
        if self.wcs is not None:
            middle = (self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2
            elongation = pixel_elongation(self.wcs, *middle)
            if elongation > LARGEST_ELONGATION:
                raise InputError(
                    name, f"the pixels are {elongation:.2f} times longer than wide: `predict` measures such images"
                )
        self._masks: dict[str, np.ndarray] = {}
        self._zero_points: dict[float | None, ZeroPoint] = {}
        self._whole = False

    def cut(self, rows: Sequence[Row]) -> Iterator[FrameCutout | Failure]:
        x, y = self._places(rows)
        sides = [row["size"] if row["size"] > 0 else None for row in rows]
        wanted = sum((side or self.settings.max_size) ** 2 for side in sides)
        if not self._whole and wanted > _WHOLE_SHARE * self.shape[0] * self.shape[1]:
            full = np.asarray(self.pixels[(0,) * (len(self.pixels.shape) - 2) + (slice(None), slice(None))])
            self.pixels, self._whole = full, True
        scales = self._scales(x, y)
        for i, row in enumerate(rows):
            try:
                yield self._cut_one(row, float(x[i]), float(y[i]), sides[i], float(scales[i]))
            except InputError as error:
                yield Failure("no_image" if isinstance(error, OutsideImageError) else "bad_image", error.cause)

    def _cut_one(self, row: Row, x: float, y: float, side: float | None, wcs_scale: float) -> FrameCutout:
        if not (np.isfinite(x) and np.isfinite(y)) and not self._placed(row):
            window, _ = whole_window(self.shape, int(side) if side and self.settings.size else None)
        else:
            if side is None:
                target_window(self.shape, x, y, MIN_SIDE, self.name)  # says where the target is outside
                side = side_for(side_from_light(self.pixels, x, y, self.settings.max_size), self.settings.max_size)
            window = target_window(self.shape, x, y, int(side), self.name)
        raw = linear_flux(window.cut(self.pixels), self.header, self.name)
        hidden = None if not row["mask"] else window.cut(self._mask(row["mask"]).astype(np.float32))
        scale, scale_origin = self._given(row, "pixel_scale"), "given"
        if scale is None:
            scale, scale_origin = find_pixel_scale(self.header, wcs_scale, self.name)
        given = self._given(row, "zero_point")
        zero = self._zero_point(scale) if given is None else ZeroPoint(given, "given")
        return FrameCutout(
            pixels=clean_pixels(raw, hidden, self.name),
            zero_point=zero.value,
            zero_point_origin=zero.origin,
            photometric_system=zero.system,
            notes=tuple(zero.notes),
            pixel_scale=scale,
            band=row["band"] or self.band,
            name=row["name"],
            source=self.name,
            x_offset=window.x_start,
            y_offset=window.y_start,
            pixel_scale_origin=scale_origin,
            hdu=self.label,
            frame_wcs=self.wcs,
        ).without_empty_margins()

    def _given(self, row: Row, key: str) -> float | None:
        value = row[key]
        return float(value) if np.isfinite(value) else getattr(self.settings, key)

    def _placed(self, row: Row) -> bool:
        return bool(np.isfinite(row["x"]) or np.isfinite(row["ra"]))

    def _places(self, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of rows: as given, or of their sky positions; NaN where a position isn't to be found."""
        x, y = (np.array([row[key] for row in rows], dtype=float) for key in ("x", "y"))
        ra, dec = (np.array([row[key] for row in rows], dtype=float) for key in ("ra", "dec"))
        by_sky = np.flatnonzero(~np.isfinite(x) & np.isfinite(ra) & np.isfinite(dec))
        if by_sky.size:
            if self.wcs is None:
                raise InputError(self.name, "a target by RA and Dec needs a celestial WCS, and the image has none")
            x[by_sky], y[by_sky] = icrs_to_pixels(self.wcs, ra[by_sky], dec[by_sky])
        return x, y

    def _scales(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if self.wcs is None:
            return np.full(len(x), np.nan)
        middle = (self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2
        x, y = np.where(np.isfinite(x), x, middle[0]), np.where(np.isfinite(y), y, middle[1])
        try:
            return local_pixel_scales(self.wcs, x, y)
        except Exception:  # the projection has no sky there
            return np.full(len(x), np.nan)

    def _zero_point(self, scale: float) -> ZeroPoint:
        """The frame's zero point; per galaxy only where the flux is per solid angle."""
        if None not in self._zero_points:
            first, second = (find_zero_point(self.header, s, self.name) for s in (scale, 2.0 * scale))
            if first.value == second.value:
                self._zero_points[None] = first
            else:
                return first
        return self._zero_points[None]

    def _mask(self, name: str) -> np.ndarray:
        if name not in self._masks:
            place = Place(name.rpartition("/")[0] or ".")
            with place.local_file(name.rpartition("/")[2]) as local, open_fits(local) as file:
                number, _ = choose_hdu(file, None, None, name)
                self._masks = {name: mask_of_shape(np.asarray(file[number].data), self.shape, name)}
        return self._masks[name]
