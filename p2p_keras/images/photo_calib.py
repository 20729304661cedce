"""The calibration that the Rubin pipelines leave in a table of the file (PhotoCalib), and not in the image's header.

Since version 1 of their Exposure files (DP1's visit images and coadds, HSC-SSP from its third release on) there is no
FLUXMAG0: the primary header's AR_HDU is the number (from 1) of an index of tables, PHOTOCALIB_ID names an entry of it,
and that entry a row of a table whose ``calibrationMean`` is nanojansky per unit of the pixels. Source: the pipelines'
code, github.com/lsst/afw, src/image/PhotoCalib.cc, src/image/ExposureFitsReader.cc, src/table/io/OutputArchive.cc.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

__all__ = ["PhotoCalib", "photo_calib_of"]


class PhotoCalib(NamedTuple):
    """Nanojansky per unit of the pixels, the mean over the image, and whether it is the same all over it."""

    nanojansky: float
    constant: bool


def photo_calib_of(file: Any) -> PhotoCalib | None:
    """What a file's PhotoCalib says; None where it has none, or none that can be read.

    Parameters
    ----------
    file : astropy.io.fits.HDUList
    """
    header = file[0].header
    if "AR_HDU" not in header or not header.get("PHOTOCALIB_ID"):
        return None
    try:
        index = int(header["AR_HDU"]) - 1
        [entry] = [row for row in _rows(file[index]) if row["id"] == header["PHOTOCALIB_ID"]]
        row = _rows(file[index + int(entry["cat_archive"])])[int(entry["row0"])]
    except (KeyError, IndexError, ValueError, AttributeError):  # a file that was cut out of one, without its tables
        return None
    if int(row.get("version", 0)) < 1:  # of 2018 alone, in maggies
        return None
    value = float(row["calibrationMean"])
    return PhotoCalib(value, bool(row.get("isConstant", True))) if 0.0 < value < math.inf else None


def _rows(hdu: Any) -> list[dict[str, Any]]:
    """Rows of a table of theirs by name, with its bits of flags; older files have dots in names."""
    flags = [hdu.header[f"TFLAG{i + 1}"] for i in range(hdu.header.get("TFIELDS", 0)) if f"TFLAG{i + 1}" in hdu.header]
    rows = []
    for record in hdu.data:
        row = {name.replace(".", "_"): record[name] for name in hdu.columns.names}
        bits = row.pop("flags", ())
        rows.append(row | dict(zip(flags, bits, strict=False)))
    return rows
