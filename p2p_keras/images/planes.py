"""The planes of a cube: which bands they are, and one of them as an image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.images.bands import short_band

__all__ = ["CubePlane", "plane_bands", "find_plane", "cube_index"]

_LISTS = ("BANDS", "FILTERS", "FILTER", "BAND")
_NUMBERED = ("BAND", "FILTER", "FILT", "PLANE", "SLICE")


class CubePlane:
    """One plane of a cube's section, which looks like a section of two dimensions and reads no more than is asked for.

    Parameters
    ----------
    section : FITS section or array (..., H, W)
    index : tuple of int
        Place on the leading axes.
    """

    def __init__(self, section: Any, index: tuple[int, ...]) -> None:
        self.section = section
        self.index = index
        self.shape = tuple(section.shape[-2:])

    def __getitem__(self, key: Any) -> Any:
        return self.section[(*self.index, *(key if isinstance(key, tuple) else (key,)))]


def plane_bands(header: Mapping[str, Any], count: int) -> list[str]:
    """Bands of a cube's planes by ``BANDS = 'grz'``, ``BAND0``, ``FILTER1`` and their like; empty where none says.

    The viewer of the Legacy Surveys writes both of the first; any numbering that begins at 0 or 1 and is complete
    counts.

    Parameters
    ----------
    header : mapping
    count : int
        Number of planes.
    """
    for key in _NUMBERED:
        for first in (0, 1):
            numbered = (header.get(f"{key}{first + i}") for i in range(count))
            # Up to the first that is missing: a damaged header may tell of 10^12 planes.
            values = list(takewhile(lambda value: isinstance(value, str) and value.strip(), numbered))
            if len(values) == count:
                return [short_band(str(value)) for value in values]
    for key in _LISTS:
        value = header.get(key)
        if not isinstance(value, str):
            continue
        text = value.strip()
        words = [word for word in re.split(r"[\s,;+|]+", text) if word]
        if len(words) == 1 and len(text) == count:
            words = list(text)
        if len(words) == count and count > 1:
            return [short_band(word) for word in words]
    return []


def find_plane(header: Mapping[str, Any], count: int, wanted: int | str | None, source: object, where: str) -> int:
    """Number of the plane that is meant, from 0.

    Parameters
    ----------
    header : mapping
        Of the cube.
    count : int
        Planes of the cube.
    wanted : int, str or None
        A number from 0, or a band.
    source : str or path
    where : str
        The HDU and its size, for errors.

    Raises
    ------
    InputError
        None is named, or it isn't there; the planes are listed.
    """
    bands = plane_bands(header, count)
    named = f"its bands are {', '.join(bands)}" if bands else f"its planes are 0 to {count - 1}, without names"
    if wanted is None:
        example = bands[0] if bands else "0"
        raise InputError(source, f"{where} is a cube of {count} planes: {named}; choose one with --plane, as {example}")
    text = str(wanted).strip()
    if text in bands:
        return bands.index(text)
    short = short_band(text)
    if short in bands:
        return bands.index(short)
    if re.fullmatch(r"\d+", text) and int(text) < count:
        return int(text)
    raise InputError(source, f"{where} has no plane {text!r}: it is a cube of {count} planes, {named}")


def cube_index(axes: tuple[int, ...], plane: int) -> tuple[int, ...]:
    """Index on a cube's leading axes of its plane with a number from 0.

    Parameters
    ----------
    axes : tuple of int
        Lengths, the image's own two last.
    plane : int
    """
    return tuple(int(i) for i in np.unravel_index(plane, axes[:-2])) if len(axes) > 2 else ()
