"""What makes the partitions a HATS catalogue: its properties, list of partitions and Parquet metadata.

The Hierarchical Adaptive Tiling Scheme is an IVOA note (https://hats-import.readthedocs.io); `lsdb` and `hats` open it.
No file holds a date: the same rows give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pyarrow.parquet as pq

from p2p_keras.core.version import __version__
from p2p_keras.sky_survey.assembly import Done
from p2p_keras.sky_survey.healpix import COLUMN, ORDER, Partition
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.rows import SCHEMA

__all__ = ["FILES", "write_hats_files"]

FILES = ("hats.properties", "properties", "partition_info.csv", "dataset/_metadata", "dataset/_common_metadata")


def write_hats_files(output: Place, name: str, partitions: Sequence[Partition], done: dict[str, Done]) -> None:
    """Write what stands beside the partitions.

    Parameters
    ----------
    output : Place
    name : str
        The catalogue's.
    partitions : sequence of Partition
        All of them; a file of rows without a position is none of HATS's.
    done : dict of file to Done
    """
    partitions = [p for p in partitions if p.order >= 0]
    lines = ["Norder,Npix,num_rows"] + [f"{p.order},{p.pixel},{done[p.file].rows}" for p in partitions]
    output.write("partition_info.csv", ("\n".join(lines) + "\n").encode())
    buffer = BytesIO()
    pq.write_metadata(SCHEMA, buffer)
    output.write("dataset/_common_metadata", buffer.getvalue())
    footers = []
    for partition in partitions:
        with output.open(partition.file) as file:
            footer = pq.read_metadata(file)
        footer.set_file_path(partition.file.removeprefix("dataset/"))
        footers.append(footer)
    if footers:
        schema = footers[0].schema.to_arrow_schema()
        buffer = BytesIO()
        pq.write_metadata(schema, buffer, metadata_collector=footers)
        output.write("dataset/_metadata", buffer.getvalue())
    sky = float(np.sum([1.0 / (12 * 4**p.order) for p in partitions]))
    properties = {
        "obs_collection": name,
        "dataproduct_type": "object",
        "hats_nrows": sum(done[p.file].rows for p in partitions),
        "hats_col_ra": "target_ra",
        "hats_col_dec": "target_dec",
        "hats_col_healpix": COLUMN,
        "hats_col_healpix_order": ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_order": max((p.order for p in partitions), default=0),
        "hats_max_rows": max((done[p.file].rows for p in partitions), default=0),
        "moc_sky_fraction": f"{sky:.9g}",
        "hats_builder": f"p2p_keras {__version__}",
        "hats_version": "v1.0",
    }
    content = "#HATS catalog\n" + "".join(f"{key}={value}\n" for key, value in properties.items())
    for file in ("hats.properties", "properties"):
        output.write(file, content.encode())
