"""Where a frame lies on the sky: read from its header, one row per image with a celestial WCS."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.io import fits

from p2p_keras.core.errors import InputError
from p2p_keras.images.bands import band_from_header
from p2p_keras.images.choosing import science_hdus
from p2p_keras.images.hdus import full_header, open_fits
from p2p_keras.images.inputs import is_fits_name
from p2p_keras.images.roles import SCIENCE, role_of_file
from p2p_keras.images.sky_geometry import celestial_wcs, local_pixel_scale, pixel_to_icrs
from p2p_keras.sky_survey.place import Place

__all__ = ["SCHEMA", "find_frames", "footprints_of"]

SCHEMA = pa.schema(
    [
        pa.field("file", pa.string()),
        pa.field("bytes", pa.int64(), metadata={"unit": "byte"}),
        pa.field("hdu", pa.int32()),
        pa.field("band", pa.string()),
        pa.field("width", pa.int32(), metadata={"unit": "pix"}),
        pa.field("height", pa.int32(), metadata={"unit": "pix"}),
        pa.field("pixel_scale", pa.float64(), metadata={"unit": "arcsec"}),
        pa.field("ra", pa.list_(pa.float64(), 4), metadata={"unit": "deg"}),
        pa.field("dec", pa.list_(pa.float64(), 4), metadata={"unit": "deg"}),
        pa.field("wcs", pa.string()),
        pa.field("problem", pa.string()),
    ]
)
"""A row of the index: ``ra`` and ``dec`` are the frame's corners, ``wcs`` its cards; a file that can't be used has a
``problem`` and nothing else."""


def find_frames(place: Place) -> list[tuple[str, int]]:
    """Names and sizes of the FITS images in a folder and its sub-folders.

    Hidden files are left out, and those that are noise maps, masks, PSFs ... of others by their names.
    """
    return [(n, size) for n, size in place.names() if is_fits_name(n) and _is_frame(n)]


def _is_frame(name: str) -> bool:
    return not re.search(r"(^|/)\.", name) and role_of_file(name) in ("", SCIENCE)


def footprints_of(place: Place, name: str, size: int) -> list[dict[str, Any]]:
    """Rows of `SCHEMA` for a file; what is wrong with it as its only row's ``problem``.

    Parameters
    ----------
    place : Place
    name : str
        Relative, or a URL.
    size : int
        Bytes.

    Returns
    -------
    list of dict
    """
    try:
        if place.is_local or name.lower().endswith((".gz", ".bz2")):
            with place.local_file(name) as local, open_fits(local) as file:
                rows = _rows(file, name, size)
        else:
            # Headers alone: astropy seeks over the pixels, and the store is asked for no more than a few blocks.
            with place.open(name) as stream, fits.open(stream, lazy_load_hdus=True) as file:
                rows = _rows(file, name, size)
    except InputError as error:
        return [_problem(name, size, error.cause)]
    except Exception as error:  # a broken header must not cost the other frames
        return [_problem(name, size, f"{type(error).__name__}: {error}")]
    return rows or [_problem(name, size, "no image with a celestial WCS")]


def _rows(file: fits.HDUList, name: str, size: int) -> list[dict[str, Any]]:
    rows = []
    for number in science_hdus(file):
        header = full_header(file, number)
        wcs = celestial_wcs(file[number].header, file)
        if wcs is None:
            continue
        height, width = file[number].shape[-2:]
        x = np.array([-0.5, width - 0.5, width - 0.5, -0.5])
        y = np.array([-0.5, -0.5, height - 0.5, height - 0.5])
        sky = pixel_to_icrs(wcs, x, y)
        if not np.isfinite(sky.ra.deg).all():
            continue
        rows.append(
            {
                "file": name,
                "bytes": size,
                "hdu": number,
                "band": band_from_header(header),
                "width": width,
                "height": height,
                "pixel_scale": local_pixel_scale(wcs, (width - 1) / 2, (height - 1) / 2),
                "ra": sky.ra.deg.tolist(),
                "dec": sky.dec.deg.tolist(),
                "wcs": wcs.to_header_string(relax=True),
                "problem": "",
            }
        )
    return rows


def _problem(name: str, size: int, cause: str) -> dict[str, Any]:
    empty: dict[str, Any] = {field.name: None for field in SCHEMA}
    text = cause.replace(os.linesep, " ")
    return empty | {"file": name, "bytes": size, "hdu": -1, "band": "", "wcs": "", "problem": text}
