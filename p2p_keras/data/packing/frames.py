"""A catalogue of positions and a heap of frames: which galaxy is on which frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.data.packing.rows import PackRow, find_profile, mark_duplicates, read_catalogue
from p2p_keras.images.bands import band_from_header
from p2p_keras.images.choosing import choose_image
from p2p_keras.images.hdus import full_header, open_fits
from p2p_keras.images.inputs import find_inputs
from p2p_keras.images.sky_geometry import celestial_wcs, icrs_to_pixel

__all__ = ["Frame", "rows_of_frames"]


@dataclass(frozen=True)
class Frame:
    """Where a frame lies: its file, band, WCS and shape (rows, columns)."""

    path: str
    band: str
    wcs: Any
    shape: tuple[int, int]

    def margin(self, ra: float, dec: float) -> float:
        """Pixels from a position to the frame's nearest edge; negative or NaN where it isn't on the frame."""
        x, y = icrs_to_pixel(self.wcs, ra, dec)
        height, width = self.shape
        return float(min(x, y, width - 1 - x, height - 1 - y)) + 0.5


def rows_of_frames(
    inputs: Iterable[str | os.PathLike],
    catalogue: str | os.PathLike,
    *,
    profiles: str | os.PathLike | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[list[PackRow], list[InputError]]:
    """Rows of a catalogue of positions: one for each galaxy and band in which a frame shows it.

    Where several frames of a band show a galaxy, the one on which it lies farthest from the edge is taken.

    Parameters
    ----------
    inputs : iterable of path
        Frames with a celestial WCS: files, folders, patterns, ``@list.txt``.
    catalogue : path
        As in `rows_of_catalogue`, with `ra` and `dec` and without files; a `band` keeps the frames of that band.
    profiles : path, optional
        Folder of profiles, see `rows_of_images`.
    columns : mapping of str to str, optional
        As `rows_of_catalogue` takes it.

    Returns
    -------
    rows : list of PackRow
        A galaxy that no frame shows has a row with its problem.
    errors : list of InputError
        Frames that can't be used.

    Raises
    ------
    UsageError
        When the catalogue can't be read, has no positions, or no frame can be used.
    """
    entries, known = read_catalogue(catalogue, columns=columns)
    if not {"ra", "dec"} <= known.keys():
        raise UsageError(f"{catalogue}: needs the columns ra and dec to find galaxies on frames")
    frames, errors = [], []
    for path in find_inputs(inputs):
        try:
            frames.append(_read_frame(os.fspath(path)))
        except InputError as error:
            errors.append(error)
    if not frames:
        raise UsageError(f"no frame can be used: {errors[0]}")
    rows: list[PackRow] = []
    for entry in entries:
        rows += _rows_of_galaxy(entry, frames, profiles)
    return mark_duplicates(rows), errors


def _read_frame(path: str) -> Frame:
    with open_fits(path) as file:
        number = choose_image(file, None, None, path).number
        wcs = celestial_wcs(file[number].header, file)
        if wcs is None:
            raise InputError(path, "has no celestial WCS: positions can't be found on it")
        height, width = file[number].shape[-2:]
        return Frame(path, band_from_header(full_header(file, number)), wcs, (int(height), int(width)))


def _rows_of_galaxy(entry: PackRow, frames: list[Frame], profiles: str | os.PathLike | None) -> list[PackRow]:
    """The galaxy on the best frame of each band."""
    if entry.problem:
        return [replace(entry, image=entry.name)]
    assert entry.ra is not None
    assert entry.dec is not None
    ra, dec = entry.ra, entry.dec
    best: dict[str, tuple[float, Frame]] = {}
    for frame in frames:
        margin = frame.margin(ra, dec)
        if entry.band not in (None, frame.band) or not margin >= 0.0:
            continue
        if frame.band not in best or margin > best[frame.band][0]:
            best[frame.band] = (margin, frame)
    if not best:
        band = f" in {entry.band}" if entry.band else ""
        return [replace(entry, image=entry.name, problem=f"no frame{band} shows RA {ra:.5f}, Dec {dec:.5f}")]
    return [
        replace(
            entry,
            image=frame.path,
            band=band or entry.band,
            profile=entry.profile or find_profile(profiles, entry.name, band),
        )
        for band, (_, frame) in sorted(best.items())
    ]
