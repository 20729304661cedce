"""From a catalogue of any size to parts: rows that are read, measured and written together.

One pass streams the catalogue, finds each row's frame and puts it into the bucket of sky that the frame lies in; then
each bucket is sorted by frame and cut. So no frame's galaxies are apart, and memory holds a bucket at a time. The order
of the rows is theirs, not that in which they came, and with it every batch of the model: the same rows give the same
bytes whoever measures them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from p2p_keras.images.cutout import DEFAULT_SIDE
from p2p_keras.sky_survey.catalogue import Catalogue
from p2p_keras.sky_survey.frame_index import FrameIndex
from p2p_keras.sky_survey.healpix import (
    FINEST_PARTITION,
    ORDER,
    WITHOUT_POSITION,
    Partition,
    choose_partitions,
    partition_of,
)
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.row_frames import with_frames
from p2p_keras.sky_survey.settings import SurveySettings

__all__ = ["Part", "WORK", "PLAN", "PARTS", "Plan", "make_plan", "load_plan", "rows_of", "bucket_file"]

_ROWS_IN_MEMORY = 2_000_000
_PIXELS_PER_PART = 24_000_000
_BARE_PART = 20_000
"""Rows without an image cost nothing to read: so many share a part."""


@dataclass(frozen=True)
class Part:
    """Rows that are measured together: a row group of a bucket's file.

    Attributes
    ----------
    unit : int
        Parts of one unit are read one after the other by one reader: they share a frame.
    bucket : str
        File with the rows.
    row_group : int
    rows : int
    partitions : tuple of int
        Where its rows belong, by number.
    """

    unit: int
    bucket: str
    row_group: int
    rows: int
    partitions: tuple[int, ...]

    @property
    def file(self) -> str:
        """Where its profiles wait for their partition."""
        return f"{PARTS}/{self.bucket}/{self.row_group:06d}.parquet"


WORK = "work"
PLAN = f"{WORK}/plan"
PARTS = f"{WORK}/parts"


@dataclass(frozen=True)
class Plan:
    """Parts and partitions of a run, in the order of the sky."""

    parts: Sequence[Part]
    partitions: Sequence[Partition]

    @property
    def rows(self) -> int:
        """Rows of the result."""
        return sum(part.rows for part in self.parts)


def make_plan(catalogue: Catalogue, index: FrameIndex | None, settings: SurveySettings, output: Place) -> Plan:
    """Find the frame of every row, and cut the work; leaves the rows in the output's work folder.

    Parameters
    ----------
    catalogue : Catalogue
    index : FrameIndex or None
        None where rows name their files and positions.
    settings : SurveySettings
    output : Place

    Raises
    ------
    InputError
        The output can't be written.
    """
    output.delete(PLAN)
    counts = np.zeros(12 * 4**FINEST_PARTITION, dtype=np.int64)
    nowhere = 0
    spill = _Spill(output)
    for rows in with_frames(catalogue, index, settings):
        cells = np.asarray(rows["cell"])
        placed = cells >= 0
        nowhere += int((~placed).sum())
        coarse = cells[placed] >> (2 * (ORDER - FINEST_PARTITION))
        occupied, many = np.unique(coarse, return_counts=True)
        counts[occupied] += many
        spill.add(rows)
    partitions = choose_partitions(counts, settings.rows_per_partition)
    if nowhere:
        partitions.insert(0, WITHOUT_POSITION)
    parts: list[Part] = []
    for bucket, rows in spill.buckets():
        parts += _cut_bucket(bucket, rows, partitions, settings, output, first_unit=parts[-1].unit + 1 if parts else 0)
    spill.clear()
    plan = Plan(parts, partitions)
    _save(plan, output)
    return plan


def load_plan(output: Place) -> Plan:
    """Read the plan that `make_plan` left."""
    table = pq.read_table(BytesIO(output.read(f"{PLAN}/parts.parquet")))
    parts = [
        Part(row["unit"], row["bucket"], row["row_group"], row["rows"], tuple(row["partitions"]))
        for row in table.to_pylist()
    ]
    pairs = json.loads((table.schema.metadata or {})[b"partitions"])
    return Plan(parts, [Partition(*pair) for pair in pairs])


def rows_of(part: Part, bucket: pq.ParquetFile) -> list[dict[str, Any]]:
    """Rows of a part."""
    return bucket.read_row_group(part.row_group).to_pylist()


def bucket_file(bucket: str) -> str:
    """File of a bucket's rows."""
    return f"{PLAN}/{bucket}.parquet"


class _Spill:
    """Rows by bucket: in memory until they are many, then in files."""

    def __init__(self, output: Place) -> None:
        self._output = output
        self._waiting: list[pa.Table] = []
        self._count = 0
        self._files: dict[int, list[str]] = {}

    def add(self, rows: pa.Table) -> None:
        self._waiting.append(rows)
        self._count += len(rows)
        if self._count >= _ROWS_IN_MEMORY:
            self._flush()

    def _flush(self) -> None:
        for bucket, rows in self._split():
            files = self._files.setdefault(bucket, [])
            name = f"{PLAN}/spill/{bucket}-{len(files)}.parquet"
            self._output.write(name, _parquet([rows]))
            files.append(name)
        self._waiting, self._count = [], 0

    def _split(self) -> Iterator[tuple[int, pa.Table]]:
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting)
        bucket = np.asarray(rows["bucket"])
        order = np.argsort(bucket, kind="stable")
        rows, bucket = rows.take(pa.array(order)), bucket[order]
        starts = np.flatnonzero(np.r_[True, bucket[1:] != bucket[:-1]])
        for start, end in zip(starts, np.r_[starts[1:], len(bucket)], strict=True):
            yield int(bucket[start]), rows.slice(start, end - start)

    def buckets(self) -> Iterator[tuple[str, pa.Table]]:
        """Every bucket with all its rows, in the order of the sky."""
        if self._files:
            self._flush()
            for bucket in sorted(self._files):
                tables = [pq.read_table(BytesIO(self._output.read(name))) for name in self._files[bucket]]
                yield _bucket_name(bucket), pa.concat_tables(tables)
        else:
            for bucket, rows in self._split():
                yield _bucket_name(bucket), rows

    def clear(self) -> None:
        self._output.delete(f"{PLAN}/spill")


def _bucket_name(bucket: int) -> str:
    return f"bucket-{bucket:05d}" if bucket >= 0 else "bucket-nowhere"


def _cut_bucket(
    name: str,
    rows: pa.Table,
    partitions: Sequence[Partition],
    settings: SurveySettings,
    output: Place,
    first_unit: int,
) -> list[Part]:
    """Sort a bucket's rows by frame, cut them into parts and write them, a row group a part."""
    cells = np.asarray(rows["cell"])
    files = np.asarray(rows["file"].to_pylist(), dtype=object)
    hdus = np.asarray(rows["hdu"].to_pylist(), dtype=object)
    # A frame's place in the order is that of its first galaxy, so that neighbours on the sky are neighbours here.
    _, number = np.unique(files.astype(str), return_inverse=True)
    place = np.full(number.max() + 1, np.iinfo(np.int64).max)
    np.minimum.at(place, number, cells)
    bands = np.asarray(rows["band"].to_pylist(), dtype=object).astype(str)
    names = np.asarray(rows["name"].to_pylist(), dtype=object).astype(str)
    order = np.lexsort((np.asarray(rows["row"]), bands, names, cells, hdus.astype(str), number, place[number]))
    rows, files, cells = rows.take(pa.array(order)), files[order], cells[order]
    sides = np.asarray(rows["size"])
    sides = np.where(sides > 0, sides, float(DEFAULT_SIDE))
    members = partition_of(cells, partitions)
    parts: list[Part] = []
    tables = []
    unit = first_unit - 1
    for start, end, same_frame in _cuts(files, sides, settings.rows_per_part):
        unit += 0 if same_frame else 1
        where = tuple(int(i) for i in np.unique(members[start:end]))
        parts.append(Part(unit, name, len(parts), end - start, where))
        tables.append(rows.slice(start, end - start))
    output.write(bucket_file(name), _parquet(tables))
    return parts


def _cuts(files: np.ndarray, sides: np.ndarray, rows_per_part: int) -> Iterator[tuple[int, int, bool]]:
    """First row, last row and whether a part goes on with the frame of the one before it.

    Small frames share a part; a frame that needs more than one shares none.
    """
    edges = np.flatnonzero(np.r_[True, files[1:] != files[:-1], True])
    start = 0
    pixels = 0.0
    for begin, end in itertools.pairwise(edges):
        limit = rows_per_part if files[begin] else _BARE_PART
        area = float((sides[begin:end] ** 2).sum()) if files[begin] else 0.0
        if begin > start and (end - start > limit or pixels + area > _PIXELS_PER_PART or not files[begin]):
            yield start, int(begin), False
            start, pixels = int(begin), 0.0
        pixels += area
        if end - start > limit or pixels > _PIXELS_PER_PART:
            first = True
            total = np.cumsum(sides[begin:end] ** 2) if files[begin] else np.zeros(end - begin)
            while start < end:
                done = total[start - begin - 1] if start > begin else 0.0
                fitting = int(np.searchsorted(total[start - begin :], done + _PIXELS_PER_PART, side="right"))
                stop = min(start + max(1, min(limit, fitting)), int(end))
                yield start, stop, not first
                start, first = stop, False
            pixels = 0.0
    if start < len(files):
        yield start, len(files), False


def _parquet(tables: Sequence[pa.Table]) -> bytes:
    buffer = BytesIO()
    with pq.ParquetWriter(buffer, tables[0].schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(1, len(table)))
    return buffer.getvalue()


def _save(plan: Plan, output: Place) -> None:
    columns = {
        "unit": pa.array([p.unit for p in plan.parts], pa.int64()),
        "bucket": pa.array([p.bucket for p in plan.parts], pa.string()),
        "row_group": pa.array([p.row_group for p in plan.parts], pa.int32()),
        "rows": pa.array([p.rows for p in plan.parts], pa.int64()),
        "partitions": pa.array([list(p.partitions) for p in plan.parts], pa.list_(pa.int32())),
    }
    partitions = json.dumps([list(partition) for partition in plan.partitions])
    table = pa.table(columns).replace_schema_metadata({"partitions": partitions})
    output.write(f"{PLAN}/parts.parquet", _parquet([table]))
