"""Rows of a catalogue with the frame, the band and the cell of each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.wcs import WCS

from p2p_keras.sky_survey.catalogue import RADIUS, Catalogue
from p2p_keras.sky_survey.frame_index import FrameIndex
from p2p_keras.sky_survey.healpix import ORDER, cells_of
from p2p_keras.sky_survey.settings import SurveySettings, side_for

__all__ = ["BUCKET_ORDER", "ON_NO_FRAME", "with_frames"]

BUCKET_ORDER = 5
_BUCKET_SHIFT = 2 * (ORDER - BUCKET_ORDER)
ON_NO_FRAME = "lies on none of the frames"


def with_frames(catalogue: Catalogue, index: FrameIndex | None, settings: SurveySettings) -> Iterator[pa.Table]:
    """Yield the rows of the plan: the catalogue's, one for each galaxy and band, each with its frame.

    ``file`` and ``hdu`` name the frame, ``size`` is the cutout's side (0 where the first look decides). To the columns
    of the catalogue come ``cell``, the galaxy's HEALPix cell of order 29 (-1 without a position), and ``bucket``, the
    cell of its frame, both int64.

    Raises
    ------
    UsageError
        The catalogue can't be read further.
    """
    for columns in catalogue.pieces():
        if not catalogue.has("name"):
            columns["name"] = np.array([f"row-{row}" for row in columns["row"]], dtype=object)
        if catalogue.has("file"):
            columns = _named_files(columns, catalogue, index, settings)
        else:
            assert index is not None
            columns = _in_frames(_each_band(columns, catalogue, index, settings), index)
        columns["size"] = _sides(columns, catalogue, settings)
        columns["cell"] = cells_of(columns["ra"], columns["dec"])
        # What has a frame goes with the frame's other galaxies, what has none with its place on the sky.
        middle = columns.pop("middle", None)
        near = columns["cell"] if middle is None else np.where(middle >= 0, middle, columns["cell"])
        columns["bucket"] = np.where(near >= 0, near >> _BUCKET_SHIFT, -1)
        yield pa.table({name: pa.array(values.tolist(), _TYPES.get(name)) for name, values in columns.items()})


_TYPES = {"cell": pa.int64(), "bucket": pa.int64(), "row": pa.int64()} | {
    name: pa.string() for name in ("name", "file", "band", "hdu", "mask", "problem")
}


def _each_band(
    columns: dict[str, np.ndarray], catalogue: Catalogue, index: FrameIndex, settings: SurveySettings
) -> dict[str, np.ndarray]:
    """A row a galaxy and band, where the catalogue has a row a galaxy."""
    if catalogue.has("band"):
        return columns
    bands = settings.bands or tuple(sorted(set(index.bands.tolist()))) or ("",)
    count = len(columns["row"])
    columns = {name: np.tile(values, len(bands)) for name, values in columns.items()}
    columns["band"] = np.repeat(np.array(bands, dtype=object), count)
    return columns


def _in_frames(columns: dict[str, np.ndarray], index: FrameIndex) -> dict[str, np.ndarray]:
    frame = index.match(columns["ra"], columns["dec"], columns["band"].tolist())
    good = frame >= 0
    columns["file"] = np.where(good, index.files[frame] if len(index) else "", "")
    columns["hdu"] = np.where(good, index.hdus[frame].astype(str).astype(object) if len(index) else "", "")
    columns["frame_scale"] = np.where(good, index.scales[frame] if len(index) else np.nan, np.nan)
    lost = ~good & (columns["problem"] == "")
    columns["problem"] = np.where(lost, ON_NO_FRAME, columns["problem"])
    columns["problem"] = np.where(
        ~good & ~np.isfinite(columns["ra"] + columns["dec"]) & lost, "no position", columns["problem"]
    )
    columns["middle"] = _middles(index, frame)
    return columns


def _middles(index: FrameIndex, frame: np.ndarray) -> np.ndarray:
    """Cell of order 29 of each row's frame's middle, -1 without one."""
    middle = index.middle
    if not len(middle):
        return np.full(len(frame), -1, dtype=np.int64)
    ra, dec = np.rad2deg(np.arctan2(middle[:, 1], middle[:, 0])), np.rad2deg(np.arcsin(middle[:, 2]))
    return np.where(frame >= 0, cells_of(ra, dec)[frame], -1)


def _named_files(
    columns: dict[str, np.ndarray], catalogue: Catalogue, index: FrameIndex | None, settings: SurveySettings
) -> dict[str, np.ndarray]:
    """Rows that name their file; where they give no position, that of the pixel in the file's own WCS."""
    if settings.images is None and "://" not in catalogue.path:
        # Named from the catalogue's own folder.
        base = os.path.dirname(os.path.abspath(os.path.expanduser(catalogue.path)))
        columns["file"] = np.array([os.path.join(base, f) if f else f for f in columns["file"]], dtype=object)
    absent = (columns["file"] == "") & (columns["problem"] == "")
    columns["problem"] = np.where(absent, "names no file", columns["problem"])
    if settings.bands and not catalogue.has("band"):
        columns["band"] = np.full(len(columns["band"]), settings.bands[0], dtype=object)
    columns["frame_scale"] = np.full(len(columns["row"]), np.nan)
    if index is None:
        return columns
    row_of_file: dict[str, int] = {}
    for number, file in enumerate(index.files):
        row_of_file.setdefault(str(file), number)
    frame = np.array([row_of_file.get(file, -1) for file in columns["file"]], dtype=np.int64)
    columns["frame_scale"] = np.where(frame >= 0, index.scales[frame] if len(index) else np.nan, np.nan)
    unplaced = np.flatnonzero((frame >= 0) & ~np.isfinite(columns["ra"] + columns["dec"]))
    for number in np.unique(frame[unplaced]):
        here = unplaced[frame[unplaced] == number]
        columns["ra"][here], columns["dec"][here] = _positions(index, int(number), columns, here)
    columns["middle"] = _middles(index, frame)
    return columns


def _positions(index: FrameIndex, number: int, columns: dict[str, np.ndarray], here: np.ndarray) -> Any:
    from astropy.io import fits

    from p2p_keras.images.sky_geometry import pixel_to_icrs

    frame = index.usable.slice(number, 1).to_pylist()[0]
    x = np.where(np.isfinite(columns["x"][here]), columns["x"][here], (frame["width"] - 1) / 2)
    y = np.where(np.isfinite(columns["y"][here]), columns["y"][here], (frame["height"] - 1) / 2)
    sky = pixel_to_icrs(WCS(fits.Header.fromstring(frame["wcs"])), x, y)
    return sky.ra.deg, sky.dec.deg


def _sides(columns: dict[str, np.ndarray], catalogue: Catalogue, settings: SurveySettings) -> np.ndarray:
    """Side of each cutout in px, 0 where the light decides."""
    scale = columns.pop("frame_scale")
    count = len(columns["row"])
    if settings.size is not None:
        return np.full(count, float(settings.size))
    wanted = np.full(count, np.nan)
    if catalogue.has("size"):
        wanted = columns["size"].astype(float)
    if catalogue.has(RADIUS):
        given = np.where(np.isfinite(columns["pixel_scale"]), columns["pixel_scale"], scale)
        if settings.pixel_scale is not None:
            given = np.full(count, settings.pixel_scale)
        by_radius = settings.radius_factor * columns[RADIUS] / given
        wanted = np.where(np.isfinite(wanted), wanted, by_radius)
    sides = np.array([side_for(value, settings.max_size) for value in wanted], dtype=float)
    if settings.first_look:
        sides = np.where(np.isfinite(wanted), sides, 0.0)
    return sides
