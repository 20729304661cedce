"""A survey's catalogue: `p2p_keras.images.catalogue_table` on any store, and of HATS catalogues."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa

from p2p_keras.core.errors import UsageError
from p2p_keras.images.catalogue_sources import Source, of_dataset, read_source
from p2p_keras.images.catalogue_table import CatalogueTable
from p2p_keras.sky_survey.place import Place

__all__ = ["NUMBERS", "RADIUS", "SCHEMA", "TEXTS", "Catalogue"]

RADIUS = "radius"
TEXTS = ("name", "file", "band", "hdu", "mask")
NUMBERS = ("ra", "dec", "x", "y", "size", "zero_point", "pixel_scale", "redshift", RADIUS)
SCHEMA = pa.schema(
    [("row", pa.int64())]
    + [(key, pa.string()) for key in TEXTS]
    + [(key, pa.float64()) for key in NUMBERS]
    + [("problem", pa.string())]
)
"""What a row says: text is ``""`` and a number NaN where it says nothing; ``row`` counts the catalogue's rows from 0.
``radius`` (arcsec, never guessed from a name) sets the cutout."""


class Catalogue(CatalogueTable):
    """A catalogue of any size on a disk or in an object store.

    Parameters
    ----------
    path : str
        File, folder or URL; a folder of Parquet files may be a HATS catalogue or collection.
    columns : mapping, optional
        Key of `SCHEMA` -> the catalogue's column, where that isn't one of the known names.

    Raises
    ------
    UsageError
        It can't be read, lacks a column that was named, or has neither positions nor files.
    """

    def __init__(self, path: str, columns: Mapping[str, str] | None = None) -> None:
        super().__init__(path, columns, keys=(*TEXTS, *NUMBERS))
        if not self.has("ra") and not self.has("file"):
            raise UsageError(
                f"{path}: it needs the columns ra and dec, or file (--column ra=NAME gives another name); it "
                f"has {', '.join(self._source.names)}"
            )

    def _open(self) -> Source:
        place = Place(self.path)
        if not place.exists():
            raise UsageError(f"{self.path}: no such catalogue")
        if place.files.isdir(place.root) or self.path.lower().endswith((".parquet", ".parq", ".pq")):
            return of_dataset(_parquet(_hats_table(place)))
        return read_source(self.path, self._local_file, lambda: place.open(""))

    def _local_file(self) -> AbstractContextManager[str]:
        return Place(os.path.dirname(self.path) or ".").local_file(os.path.basename(self.path))


def _hats_table(place: Place) -> Place:
    """The folder of a HATS catalogue's or collection's Parquet files; other places as they are."""
    for _ in range(2):
        if place.exists("collection.properties"):
            lines = place.read("collection.properties").decode().splitlines()
            properties = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
            place = Place(f"{place.url}/{properties['hats_primary_table_url'].strip()}")
    return Place(f"{place.url}/dataset") if place.exists("dataset") else place


def _parquet(place: Place) -> Any:
    import pyarrow.dataset
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    # HATS's own names (Norder=1) are no columns of the catalogue: no partitioning.
    return pyarrow.dataset.dataset(place.root, format="parquet", filesystem=PyFileSystem(FSSpecHandler(place.files)))
