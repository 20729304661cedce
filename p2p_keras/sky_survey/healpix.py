"""HEALPix: the cell of a position, and the cells that a data set is cut into.

Cells are nested and counted as HATS does: order 29 for a row's own cell (``_healpix_29``), and for each partition the
lowest order at which it holds no more rows than wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "ORDER",
    "COLUMN",
    "NOWHERE",
    "FINEST_PARTITION",
    "Partition",
    "WITHOUT_POSITION",
    "cells_of",
    "choose_partitions",
    "partition_of",
]

ORDER = 29
COLUMN = "_healpix_29"
NOWHERE = -1
"""Cell of a row without a position."""

FINEST_PARTITION = 9
"""No partition is smaller than a cell of this order (0.013 square degrees)."""


class Partition(NamedTuple):
    """A cell whose rows share a file."""

    order: int
    pixel: int

    @property
    def file(self) -> str:
        """Its file by HATS's rule; rows without a position have a file beside the catalogue."""
        if self.order < 0:
            return "without_position.parquet"
        folder = self.pixel // 10000 * 10000
        return f"dataset/Norder={self.order}/Dir={folder}/Npix={self.pixel}.parquet"

    @property
    def cells(self) -> tuple[int, int]:
        """First cell of order 29, and the first that is no longer inside."""
        if self.order < 0:
            return NOWHERE, 0
        shift = 2 * (ORDER - self.order)
        return self.pixel << shift, (self.pixel + 1) << shift


WITHOUT_POSITION = Partition(-1, 0)


def cells_of(ra: Any, dec: Any, order: int = ORDER) -> np.ndarray:
    """Nested cells of positions in degrees; `NOWHERE` where a position isn't finite or isn't on the sphere.

    Parameters
    ----------
    ra, dec : float array (N,)
        Degrees; NaN gives -1.
    order : int
        Of the cells.

    Returns
    -------
    int64 array (N,)
    """
    from astropy import units as u
    from astropy.coordinates import Latitude, Longitude
    from cdshealpix.nested import lonlat_to_healpix

    ra, dec = np.atleast_1d(np.asarray(ra, dtype=float)), np.atleast_1d(np.asarray(dec, dtype=float))
    good = np.isfinite(ra) & (np.abs(dec) <= 90.0)
    cells = np.full(ra.shape, NOWHERE, dtype=np.int64)
    if good.any():
        lon, lat = Longitude(ra[good] % 360.0, u.deg), Latitude(dec[good], u.deg)
        cells[good] = lonlat_to_healpix(lon, lat, order, num_threads=1).astype(np.int64)
    return cells


def choose_partitions(counts: np.ndarray, rows: int) -> list[Partition]:
    """Cut the sky so that no partition has more than `rows` rows, with as few partitions as that takes.

    Parameters
    ----------
    counts : int array (12 * 4**FINEST_PARTITION,)
        Rows in each cell of that order.
    rows : int

    Returns
    -------
    list of Partition
        Without empty ones, in the order of their cells.
    """
    levels = [np.asarray(counts)]
    while levels[0].size > 12:
        levels.insert(0, levels[0].reshape(-1, 4).sum(axis=1))
    partitions: list[Partition] = []
    pixels = np.arange(12)
    for order, level in enumerate(levels):
        pixels = pixels[level[pixels] > 0]
        whole = (level[pixels] <= rows) | (order == len(levels) - 1)
        partitions += [Partition(order, int(pixel)) for pixel in pixels[whole]]
        pixels = (4 * pixels[~whole][:, None] + np.arange(4)).ravel()
    return sorted(partitions, key=lambda partition: partition.cells)


def partition_of(cells: np.ndarray, partitions: Sequence[Partition]) -> np.ndarray:
    """Index of the partition that holds each cell of order 29; partitions must be sorted and hold all.

    Parameters
    ----------
    cells : int64 array (N,)
        Of order 29; -1 without a position.
    partitions : sequence of Partition

    Returns
    -------
    int64 array (N,)
        Numbers of partitions.
    """
    starts = np.array([partition.cells[0] for partition in partitions], dtype=np.int64)
    return np.searchsorted(starts, np.asarray(cells), side="right") - 1
