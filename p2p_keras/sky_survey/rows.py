"""A row of the result: its columns with their units, how it is made of a profile, and how a profile is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from p2p_keras.core.version import __version__
from p2p_keras.profile.columns import (
    COLUMN_DESCRIPTIONS,
    COLUMN_UNITS,
    ERROR_COLUMN_UNITS,
    ERROR_META,
    META_KEYS,
)
from p2p_keras.profile.tables.measured import table_of_columns
from p2p_keras.profile.tables.text import joined, split
from p2p_keras.sky_survey.healpix import COLUMN as CELL

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["FAILURE_FLAGS", "SCHEMA", "measured_row", "failed_row", "table_of_rows", "profile_of_row"]

FAILURE_FLAGS = {
    "bad_row": "a cell of the catalogue's row can't be used, or it names no file",
    "no_image": "the position lies on no frame, or outside the one that is named",
    "bad_image": "the frame can't be read, or has no usable pixels or calibration there",
    "not_measured": "the model failed on the image",
}
"""Flags of rows that could not be measured, beside those of `p2p_keras.profile.flags`; ``cause`` says more. Their
quality is 4."""

_TARGET = {
    "id": (pa.string(), "", "identifier of the catalogue"),
    "band": (pa.string(), "", "filter"),
    "target_ra": (pa.float64(), "deg", "position of the catalogue"),
    "target_dec": (pa.float64(), "deg", "position of the catalogue"),
    "redshift": (pa.float64(), "", "redshift of the catalogue"),
    "size": (pa.int32(), "pix", "side of the cutout"),
}
_NOT_NUMBERS = {
    "flags": pa.string(),
    "quality": pa.int8(),
    "source": pa.string(),
    "pa_reference": pa.string(),
    "parity": pa.int8(),
    "x_offset": pa.int32(),
    "y_offset": pa.int32(),
    "binning": pa.int32(),
    "hdu": pa.string(),
    "photometric_system": pa.string(),
    "zero_point_origin": pa.string(),
    "pixel_scale_origin": pa.string(),
    "noise_origin": pa.string(),
    "notes": pa.string(),
    "model": pa.string(),
    "model_version": pa.string(),
    "software_version": pa.string(),
}
_META_UNITS = {
    "x0": ("pix", "fitted centre in the frame"),
    "y0": ("pix", "fitted centre in the frame"),
    "ra": ("deg", "fitted centre"),
    "dec": ("deg", "fitted centre"),
    "pixel_scale": ("arcsec", "arcsec per pixel"),
    "zero_point": ("mag", "magnitude of a pixel value of one, see photometric_system"),
    "pa_of_x": ("deg", "position angle of the frame's +x axis at the centre"),
    "mag_total": ("mag", "total magnitude"),
    "r50": ("arcsec", "semi-major axis that holds half of the light"),
    "r90": ("arcsec", "semi-major axis that holds nine tenths of the light"),
    "concentration": ("", "r90 / r50"),
    "r_iso25": ("arcsec", "semi-major axis where mu = 25"),
    "extent": ("arcsec", "last semi-major axis of the profile"),
    "sky": ("", "sky level removed, flux per pixel"),
    "flags": ("", "flags, separated by spaces"),
    "quality": ("", "0 good, 1 suspect, 2 bad, 4 no profile"),
    "source": ("", "the frame"),
    "p_bad": ("", "probability that the profile is off by more than 0.1 mag; null: the model doesn't say"),
    "x0_err": ("pix", "1-sigma uncertainty of x0"),
    "y0_err": ("pix", "1-sigma uncertainty of y0"),
    "mag_total_err": ("mag", "1-sigma uncertainty of mag_total"),
    "photometric_system": ("", "AB or Vega, of zero_point"),
    "notes": ("", "sentences on the image, separated by bars"),
}
_DOUBTS = ("p_bad", *ERROR_META)
_META = (*(key for key in META_KEYS if key not in ("name", "band")), *_DOUBTS)
_RADIAL = COLUMN_UNITS | ERROR_COLUMN_UNITS


def _field(name: str, kind: pa.DataType, unit: str, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"unit": unit, "description": description})


SCHEMA = pa.schema(
    [_field(CELL, pa.int64(), "", "nested HEALPix cell of order 29 of the catalogue's position")]
    + [_field(name, kind, unit, text) for name, (kind, unit, text) in _TARGET.items()]
    + [
        _field(key, _NOT_NUMBERS.get(key, pa.float64()), *(_META_UNITS.get(key) or ("", key.replace("_", " "))))
        for key in _META
    ]
    + [pa.field("cause", pa.string(), metadata={"unit": "", "description": "why there is no profile"})]
    + [_field(n, pa.list_(pa.float32()), unit, COLUMN_DESCRIPTIONS[n]) for n, unit in _RADIAL.items()]
)
"""Columns of the result; every field's metadata has its ``unit`` (as astropy and the VO write it) and
``description``."""


def measured_row(
    planned: Mapping[str, Any], columns: Mapping[str, np.ndarray], meta: Mapping[str, Any], size: int
) -> dict:
    """The row of a galaxy that was measured: `columns` and `meta` of a `MeasuredProfile`."""
    row = _of_target(planned) | {key: meta.get(key) for key in _META}
    row |= {"size": size, "band": meta["band"], "flags": " ".join(meta["flags"]), "cause": ""}
    row["notes"] = joined(meta.get("notes") or [])
    nothing = np.empty(0, np.float32)  # a model that doesn't know these uncertainties
    return row | {name: np.asarray(columns.get(name, nothing), dtype=np.float32) for name in _RADIAL}


def failed_row(planned: Mapping[str, Any], flag: str, cause: str, model: str, model_version: str) -> dict:
    """The row of a galaxy that was not measured."""
    row = _of_target(planned) | dict.fromkeys(_META)
    # Empty rather than null: astropy's reader of Parquet stops at a text that is null.
    row |= {name: "" if kind == pa.string() else 0 for name, kind in _NOT_NUMBERS.items()}
    row |= {"flags": flag, "quality": 4, "cause": cause, "source": planned["file"], "size": 0}
    row |= {"model": model, "model_version": model_version, "software_version": __version__}
    return row | {name: [] for name in _RADIAL}


def table_of_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table of `SCHEMA`, not-a-number as null."""
    arrays = []
    for field in SCHEMA:
        values = [row[field.name] for row in rows]
        if pa.types.is_list(field.type):
            offsets = np.r_[0, np.cumsum([len(v) for v in values])].astype(np.int32)
            flat = np.concatenate([np.zeros(0, np.float32), *(np.asarray(v, dtype=np.float32) for v in values)])
            arrays.append(pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat, pa.float32())))
        else:
            arrays.append(pa.array(values, field.type, from_pandas=True))
    return pa.table(arrays, schema=SCHEMA)


def profile_of_row(row: Mapping[str, Any]) -> QTable:
    """The profile table (as `p2p_keras.profile` describes it) of a row of the result.

    ``meta`` has besides ``cause``, ``target_ra``, ``target_dec`` and ``redshift`` where the catalogue has one.
    """
    radial = [name for name in _RADIAL if name in COLUMN_UNITS or row["p_bad"] is not None]
    table = table_of_columns({name: np.asarray(row[name], dtype=float) for name in radial})
    table.meta["name"], table.meta["band"] = row["id"], row["band"]
    for key in _META:
        value = row[key]
        if value is None and key in _DOUBTS:
            continue  # a model that doesn't know them
        if key == "flags":
            value = str(value or "").split()
        elif key == "notes":
            value = split(key, str(value or ""))
        elif value is None:
            value = "" if _NOT_NUMBERS.get(key) == pa.string() else float("nan")
        table.meta[key] = value
    table.meta |= {key: float("nan") if row[key] is None else row[key] for key in ("target_ra", "target_dec")}
    if row["redshift"] is not None:
        table.meta["redshift"] = row["redshift"]
    table.meta["cause"] = row["cause"]
    return table


def _of_target(planned: Mapping[str, Any]) -> dict[str, Any]:
    return {
        CELL: planned["cell"],
        "id": planned["name"],
        "band": planned["band"],
        "target_ra": planned["ra"],
        "target_dec": planned["dec"],
        "redshift": planned["redshift"],
    }
