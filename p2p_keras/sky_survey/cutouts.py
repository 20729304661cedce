"""The cutouts of a part's rows: every frame opened once, all its galaxies' places found at once.

What a cutout is (place, padding, masks, noise, calibration) is said by `p2p_keras.images.frame.Frame.cut`, as for
`predict`; here the places of thousands of galaxies of a frame are found at once, and they share its WCS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError, OutsideImageError, P2PError
from p2p_keras.images import GalaxyImage
from p2p_keras.images.choosing import choose_image
from p2p_keras.images.cutout import MIN_SIDE, target_window
from p2p_keras.images.first_look import side_from_light
from p2p_keras.images.frame import Frame, FramePlane, open_frame
from p2p_keras.images.galaxy_image import mask_of_shape
from p2p_keras.images.hdus import open_fits, reading_errors
from p2p_keras.images.image_companions import CompanionsOfImage, asked_companions
from p2p_keras.images.sky_geometry import (
    icrs_to_pixels,
    local_pixel_scales,
    pixel_elongation,
)
from p2p_keras.images.square_pixels import LARGEST_ELONGATION
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
        Of the frame, not of the cutout; None where the cutout has its own `wcs`, or the frame none.
    """

    frame_wcs: WCS | None = None

    @property
    def sky_wcs(self) -> tuple[WCS | None, float, float]:
        """The WCS of the frame, and where the cutout begins on it; the cutout's own where it has one."""
        return super().sky_wcs if self.frame_wcs is None else (self.frame_wcs, self.x_offset, self.y_offset)


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
            self._open = _OpenFrame(self._stack.enter_context(open_frame(local)), name, self._settings)
        return self._open

    def _close(self) -> None:
        self._open = None
        self._stack.close()


class _OpenFrame:
    """An open file and the images in it that rows need."""

    def __init__(self, frame: Frame, name: str, settings: SurveySettings) -> None:
        self.name = name
        self._frame = frame
        self._settings = settings
        self._planes: dict[str, _Plane] = {}

    def cut(self, rows: Sequence[Row]) -> Iterator[FrameCutout | Failure]:
        """Cut out rows; whatever is wrong with the file as a whole is raised."""
        with reading_errors(self.name):
            planes = [self._plane(row) for row in rows]
            cut: dict[int, FrameCutout | Failure] = {}
            for plane in dict.fromkeys(planes):
                here = [i for i, p in enumerate(planes) if p is plane]
                for i, result in zip(here, plane.cut([rows[i] for i in here]), strict=True):
                    cut[i] = result
        return iter([cut[i] for i in range(len(rows))])

    def _plane(self, row: Row) -> _Plane:
        target = (row["ra"], row["dec"]) if np.isfinite(row["ra"]) and not np.isfinite(row["x"]) else None
        image = self._frame.plane(row["hdu"] or self._settings.hdu or None, target, band=row["band"] or None)
        if image.label not in self._planes:
            self._planes[image.label] = _Plane(self._frame, image, self.name, self._settings)
        return self._planes[image.label]


class _Plane:
    """One image of a frame, and the places of many galaxies on it."""

    def __init__(self, frame: Frame, image: FramePlane, name: str, settings: SurveySettings) -> None:
        self.name = name
        self.settings = settings
        self._frame, self._image, self.wcs, self.shape = frame, image, image.wcs, image.shape
        if self.wcs is not None:
            middle = (self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2
            elongation = pixel_elongation(self.wcs, *middle)
            if elongation > LARGEST_ELONGATION:
                raise InputError(
                    name, f"the pixels are {elongation:.2f} times longer than wide: `predict` measures such images"
                )
        self._companions: dict[str, CompanionsOfImage] = {}

    def cut(self, rows: Sequence[Row]) -> Iterator[FrameCutout | Failure]:
        x, y = self._places(rows)
        sides = [row["size"] if row["size"] > 0 else None for row in rows]
        wanted = sum((side or self.settings.max_size) ** 2 for side in sides)
        if wanted > _WHOLE_SHARE * self.shape[0] * self.shape[1]:
            self._image.read_whole()
        scales = self._scales(x, y)
        for i, row in enumerate(rows):
            try:
                yield self._cut_one(row, float(x[i]), float(y[i]), sides[i], float(scales[i]))
            except InputError as error:
                yield Failure("no_image" if isinstance(error, OutsideImageError) else "bad_image", error.cause)

    def _cut_one(self, row: Row, x: float, y: float, side: float | None, wcs_scale: float) -> FrameCutout:
        target: dict[str, Any] = {}
        if self._placed(row) or (np.isfinite(x) and np.isfinite(y)):
            target = {"x": x, "y": y}
            if side is None:
                target_window(self.shape, x, y, MIN_SIDE, self.name)  # says where the target is outside
                light = side_from_light(self._image.pixels, x, y, self.settings.max_size)
                side = side_for(light, self.settings.max_size)
        elif not self.settings.size:
            side = None
        image = self._frame.cut(
            self._image,
            self._companions_of(row["mask"]),
            size=None if side is None else int(side),
            wcs_scale=wcs_scale if target else None,  # a whole image may be binned, and has its own WCS
            zero_point=self._given(row, "zero_point"),
            pixel_scale=self._given(row, "pixel_scale"),
            band=row["band"] or None,
            name=row["name"],
            **target,
        )
        own = {field.name: getattr(image, field.name) for field in fields(image)}
        return FrameCutout(
            **own | {"source": self.name, "frame_wcs": self.wcs if target else None}
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

    def _companions_of(self, mask: str) -> CompanionsOfImage:
        """Masks and noise maps of the image, with a row's own mask."""
        if mask not in self._companions:
            asked = asked_companions(self._mask(mask) if mask else None, None, None, None, None)
            companions = CompanionsOfImage(self._frame, asked, self._image, look_around=True, plane=None, band=None)
            self._companions = {mask: companions}
        return self._companions[mask]

    def _mask(self, name: str) -> np.ndarray:
        place = Place(name.rpartition("/")[0] or ".")
        with place.local_file(name.rpartition("/")[2]) as local, open_fits(local) as file:
            number = choose_image(file, None, None, name).number
            return mask_of_shape(np.asarray(file[number].data), self.shape, name)
