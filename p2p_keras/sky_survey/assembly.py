"""Parts -> partitions: each partition is one file that appears under its name only when it is whole."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from p2p_keras.profile.tables.text import text_lengths
from p2p_keras.sky_survey.healpix import COLUMN as CELL
from p2p_keras.sky_survey.healpix import Partition
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.rows import SCHEMA

__all__ = ["ROW_GROUP", "COMPRESSION", "Done", "parquet_bytes", "assemble", "read_done"]

ROW_GROUP = 10_000
COMPRESSION = "zstd"


@dataclass(frozen=True)
class Done:
    """What a partition's file holds.

    Attributes
    ----------
    file : str
    rows, failed : int
        Rows, and those of them without a profile.
    flags : dict of str to int
        Rows with each flag.
    bands : dict of str to int
    bytes : int
    sha256 : str
    """

    file: str
    rows: int
    failed: int
    flags: dict[str, int] = field(default_factory=dict)
    bands: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    sha256: str = ""

    def as_dict(self) -> dict:
        """For the manifest."""
        return asdict(self)


def parquet_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file: the same rows give the same bytes."""
    buffer = BytesIO()
    pq.write_table(table, buffer, compression=COMPRESSION, row_group_size=ROW_GROUP)
    return buffer.getvalue()


def assemble(partition: Partition, part_files: Sequence[str], output: Place) -> Done:
    """Write a partition of the rows that belong to it in parts; its rows are sorted by cell, identifier and band."""
    low, high = partition.cells
    tables = []
    for name in part_files:
        table = pq.read_table(BytesIO(output.read(name)))
        inside = pc.and_(pc.greater_equal(table[CELL], low), pc.less(table[CELL], high))
        tables.append(table.filter(inside))
    rows = pa.concat_tables(tables).combine_chunks()
    order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in (CELL, "id", "band", "source")])
    metadata = {**(SCHEMA.metadata or {}), **text_lengths(rows)}
    content = parquet_bytes(rows.take(order).replace_schema_metadata(metadata))
    output.write(partition.file, content)
    return _description(partition.file, rows, content)


def read_done(partition: Partition, output: Place) -> Done:
    """What a partition's file holds, of one that an earlier run has written."""
    content = output.read(partition.file)
    return _description(partition.file, pq.read_table(BytesIO(content), columns=["flags", "cause", "band"]), content)


def _description(file: str, rows: pa.Table, content: bytes) -> Done:
    flags = Counter(word for text in rows["flags"].to_pylist() if text for word in text.split())
    failed = int(np.sum([cause != "" for cause in rows["cause"].to_pylist()]))
    bands = Counter(rows["band"].to_pylist())
    digest = hashlib.sha256(content).hexdigest()
    return Done(file, len(rows), failed, dict(sorted(flags.items())), dict(sorted(bands.items())), len(content), digest)
