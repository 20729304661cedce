"""The footprint index: which frame shows a position best, for millions of positions at a time.

A frame's outline is four great circles. A position is on it where it lies on the inner side of all four, and the frame
in whose middle it lies deepest is taken; cells of HEALPix say which frames are tried at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.sky_survey.footprints import SCHEMA
from p2p_keras.sky_survey.healpix import cells_of
from p2p_keras.sky_survey.place import Place

__all__ = ["FrameIndex", "build_index", "open_index"]

_SLACK = 0.01
"""Share of its side by which a frame's outline is widened: edges of distorted frames aren't great circles. When the
pixels are read the frame's own WCS decides."""


class FrameIndex:
    """Footprints of frames, see `p2p_keras.sky_survey.footprints`.

    Parameters
    ----------
    table : pyarrow.Table of `footprints.SCHEMA`
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        usable = np.array([not problem for problem in table["problem"].to_pylist()], dtype=bool)
        self.usable = table.filter(pa.array(usable, pa.bool_()))
        self.files = np.array(self.usable["file"].to_pylist(), dtype=object)
        self.bands = np.array(self.usable["band"].to_pylist(), dtype=object)
        self.hdus = np.asarray(self.usable["hdu"], dtype=np.int64)
        self.scales = np.asarray(self.usable["pixel_scale"], dtype=float)
        corners = [np.array(self.usable[key].to_pylist(), dtype=float).reshape(-1, 4) for key in ("ra", "dec")]
        self._vectors = _unit_vectors(*corners)
        middle = self._vectors.sum(axis=1)
        self.middle = middle / np.maximum(np.linalg.norm(middle, axis=-1, keepdims=True), 1e-12)
        self._depth, self._cells, self._frames = self._coverage()
        normals = np.cross(self._vectors, np.roll(self._vectors, -1, axis=1))
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-300)
        inward = np.sign(np.einsum("fki,fi->fk", normals, self.middle))
        self._normals = normals * inward[..., None]
        self._slack = _SLACK * np.einsum("fki,fi->fk", self._normals, self.middle).min(axis=1, initial=1.0) * 2.0

    def __len__(self) -> int:
        return len(self.usable)

    @property
    def problems(self) -> dict[str, str]:
        """Files that can't be used, and why."""
        rows = self.table.select(["file", "problem"]).to_pylist()
        return {row["file"]: row["problem"] for row in rows if row["problem"]}

    @classmethod
    def load(cls, content: bytes, source: str) -> FrameIndex:
        """Read an index; `UsageError` where it is none."""
        try:
            table = pq.read_table(BytesIO(content))
            return cls(table.select(SCHEMA.names).cast(SCHEMA))
        except (pa.ArrowException, KeyError, ValueError) as error:
            raise UsageError(f"{source}: this is not an index of footprints ({error})") from error

    def to_bytes(self) -> bytes:
        """The index as a Parquet file."""
        buffer = BytesIO()
        pq.write_table(self.table, buffer, compression="zstd")
        return buffer.getvalue()

    def match(self, ra: np.ndarray, dec: np.ndarray, band: Sequence[str]) -> np.ndarray:
        """Number of the frame (of `usable`) that shows each position best in its band; -1 where there is none.

        Parameters
        ----------
        ra, dec : float array (N,), degrees
        band : sequence of str (N,)
            A frame without a band is one of any.

        Returns
        -------
        int64 array (N,)
        """
        chosen = np.full(len(ra), -1, dtype=np.int64)
        cells = cells_of(ra, dec, self._depth)
        first = np.searchsorted(self._cells, cells, side="left")
        count = np.where(cells < 0, 0, np.searchsorted(self._cells, cells, side="right") - first)
        if not count.sum():
            return chosen
        rows = np.repeat(np.arange(len(ra)), count)
        inner = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        frames = self._frames[np.repeat(first, count) + inner]
        names, code = np.unique(
            np.concatenate([self.bands, np.asarray(band, dtype=object)]).astype(str), return_inverse=True
        )
        code_of_frame, code_of_row = code[: len(self.bands)], code[len(self.bands) :]
        anything = np.flatnonzero(names == "")
        fits = code_of_frame[frames] == code_of_row[rows]
        if anything.size:
            fits |= code_of_frame[frames] == anything[0]
        rows, frames = rows[fits], frames[fits]
        vectors = _unit_vectors(np.asarray(ra, float)[rows], np.asarray(dec, float)[rows])
        depth = np.einsum("pki,pi->pk", self._normals[frames], vectors).min(axis=1, initial=np.inf)
        depth[np.einsum("pi,pi->p", self.middle[frames], vectors) <= 0] = -np.inf  # the far side of the sky
        inside = depth > -self._slack[frames]
        rows, frames, depth = rows[inside], frames[inside], depth[inside]
        order = np.lexsort((frames, -depth, rows))
        rows, frames = rows[order], frames[order]
        best = np.ones(len(rows), dtype=bool)
        best[1:] = rows[1:] != rows[:-1]
        chosen[rows[best]] = frames[best]
        return chosen

    def _coverage(self) -> tuple[int, np.ndarray, np.ndarray]:
        """Order of the cells, and pairs of a cell and a frame that may show a part of it, sorted by cell."""
        from astropy import units as u
        from astropy.coordinates import Latitude, Longitude
        from cdshealpix.nested import cone_search

        if not len(self):
            return 0, np.zeros(0, np.int64), np.zeros(0, np.int64)
        cosines = np.einsum("fki,fi->fk", self._vectors, self.middle).min(axis=1)
        radius = np.rad2deg(np.arccos(np.clip(cosines, -1.0, 1.0))) * (1.0 + 2.0 * _SLACK)
        # Some ten cells a frame: finer ones cost memory, coarser ones try frames in vain.
        depth = int(np.clip(np.floor(np.log2(58.6 / max(float(np.median(radius)) * 0.6, 1e-4))), 0, 14))
        ra = np.rad2deg(np.arctan2(self.middle[:, 1], self.middle[:, 0])) % 360.0
        dec = np.rad2deg(np.arcsin(np.clip(self.middle[:, 2], -1.0, 1.0)))
        cells, frames = [], []
        for i in range(len(self)):
            within, _, _ = cone_search(
                Longitude(ra[i], u.deg), Latitude(dec[i], u.deg), radius[i] * u.deg, depth=depth, flat=True
            )
            cells.append(np.asarray(within, dtype=np.int64))
            frames.append(np.full(len(within), i))
        all_cells, all_frames = np.concatenate(cells), np.concatenate(frames)
        order = np.lexsort((all_frames, all_cells))
        return depth, all_cells[order], all_frames[order]


def build_index(
    place: Place,
    files: Sequence[tuple[str, int]],
    mapper: Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]],
    *,
    band: str | None = None,
) -> FrameIndex:
    """Read the footprints of files.

    Parameters
    ----------
    place : Place
    files : sequence of (name, bytes)
    mapper : callable
        As the built-in `map`: where the work is done.
    band : str, optional
        Band of those frames whose header doesn't say.
    """
    from p2p_keras.sky_survey.footprints import footprints_of

    chunks = [list(files[i : i + 32]) for i in range(0, len(files), 32)]

    def read(chunk: list[tuple[str, int]]) -> list[dict[str, Any]]:
        return [row for name, size in chunk for row in footprints_of(place, name, size)]

    rows = [row for part in mapper(read, chunks) for row in part]
    for row in rows:
        if band and not row["band"] and not row["problem"]:
            row["band"] = band
    rows.sort(key=lambda row: (row["file"], row["hdu"]))
    return FrameIndex(pa.Table.from_pylist(rows, schema=SCHEMA))


def open_index(place: Place, name: str) -> FrameIndex:
    """Read an index from a place."""
    try:
        return FrameIndex.load(place.read(name), place.url_of(name))
    except OSError as error:
        raise InputError(place.url_of(name), f"can't be read ({error})") from error


def _unit_vectors(ra: Any, dec: Any) -> np.ndarray:
    ra, dec = np.deg2rad(ra), np.deg2rad(dec)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
