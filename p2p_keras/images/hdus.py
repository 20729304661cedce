"""Opening a FITS file, whatever it is packed in, and finding the HDU that has the image."""

from __future__ import annotations

import bz2
import gzip
import io
import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from astropy.io import fits
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.images.sky_geometry import celestial_wcs, icrs_to_pixel

_NOT_SCIENCE = (
    "ERR",
    "DQ",
    "WHT",
    "WT",
    "WGT",
    "CTX",
    "MASK",
    "MSK",
    "VAR",
    "VARIANCE",
    "RMS",
    "IVAR",
    "CON",
    "BKG",
    "SKY",
)


@contextmanager
def open_fits(source: str) -> Iterator[fits.HDUList]:
    """Open a FITS file; whatever goes wrong with its bytes, then or later, becomes an `InputError` with a cause."""
    if not os.path.exists(source):
        raise InputError(source, "no such file")
    if os.path.isdir(source):
        raise InputError(source, "a folder without FITS images")
    if os.path.getsize(source) == 0:
        raise InputError(source, "the file is empty")
    with warnings.catch_warnings():
        # Odd but readable headers are the rule in archives; what matters is raised here as an error.
        warnings.simplefilter("ignore")
        # uint=False: unsigned integers come as floats, so that BLANK can become NaN in them.
        with reading_errors(source), fits.open(_unpacked(source), uint=False) as file:
            yield file


@contextmanager
def reading_errors(source: str) -> Iterator[None]:
    """Turn whatever goes wrong with a file's bytes into an `InputError` with a cause."""
    try:
        yield
    except (P2PError, MemoryError):
        raise
    except PermissionError as error:
        raise InputError(source, "no permission to read the file") from error
    except Exception as error:  # astropy, zlib, bz2 and numpy each raise their own kinds on broken bytes
        raise InputError(source, _cause(error)) from error


def choose_hdu(
    file: fits.HDUList,
    wanted: int | str | None,
    sky_target: tuple[float, float] | None,
    source: str,
    wcs_of: Callable[[int], WCS | None] | None = None,
) -> tuple[int, list[str]]:
    """Find the HDU to read and what to note about it; `InputError` where there is no image.

    `wcs_of` gives the celestial WCS of an HDU, for callers who keep them: reading one takes a millisecond.
    """
    if wanted is not None:
        number = _named_hdu(file, wanted, source)
        _check_plane(_axes(file[number]), source, f"HDU {number}")
        return number, []
    with_data = [number for number, hdu in enumerate(file) if math.prod(_axes(hdu)) > 0 and _axes(hdu)]
    if not with_data:
        raise InputError(source, f"no HDU has an image ({_list(file)})")
    flat = [number for number in with_data if len(_axes(file[number])) > 1]
    number = flat[0] if flat else with_data[0]
    _check_plane(_axes(file[number]), source, f"HDU {number}")
    science = science_hdus(file)
    if science == [number]:
        return number, []  # a single image: no need to look which one shows the target
    alike = [
        n for n in science if file[n].name.upper() == file[number].name.upper() or "CCD" in str(file[n].name).upper()
    ]
    if sky_target is not None:
        for candidate in science:
            wcs = wcs_of(candidate) if wcs_of else celestial_wcs(file[candidate].header, file)
            if wcs is not None and _contains(wcs, _axes(file[candidate]), sky_target):
                return candidate, []
    elif number in science and len(alike) > 1:
        return number, [f"{len(alike)} HDUs have an image: HDU {number} was read (choose with --hdu)"]
    return number, []


def science_hdus(file: fits.HDUList) -> list[int]:
    """Numbers of the HDUs that have an image of two dimensions and aren't named as errors, weights or masks."""
    return [n for n, hdu in enumerate(file) if hdu.name.upper() not in _NOT_SCIENCE and _is_plane(_axes(hdu))]


def full_header(file: fits.HDUList, number: int) -> fits.Header:
    """Join the image's header with the primary header's cards that it lacks (often exposure time, filter)."""
    header = file[number].header.copy()
    if number != 0:
        header.extend((card for card in file[0].header.cards if card.keyword), unique=True, strip=True)
    return header


def _unpacked(source: str) -> str | io.BytesIO:
    """Unpack a gzip or bzip2 file into memory; leave others to astropy.

    astropy reads sections of a packed file by seeking in it, which unpacks it anew for every row.
    """
    with open(source, "rb") as file:
        magic = file.read(3)
    if magic[:2] == b"\x1f\x8b":
        with gzip.open(source) as packed:
            return io.BytesIO(packed.read())
    if magic == b"BZh":
        with bz2.open(source) as packed:
            return io.BytesIO(packed.read())
    return source


def _cause(error: Exception) -> str:
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    lower = text.lower()
    if isinstance(error, EOFError) or any(
        word in lower for word in ("buffer is too small", "mmap length", "end-of-stream", "truncated", "cannot reshape")
    ):
        return f"the file is truncated: its image isn't all there ({text})"
    if "simple" in lower or "empty or corrupt" in lower or "header missing end" in lower:
        return f"not a FITS file, or its header is damaged ({text})"
    return f"can't be read as FITS ({text})"


def _axes(hdu: Any) -> tuple[int, ...]:
    """Shape of an HDU's image in numpy order, () where it has none."""
    if not isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU):
        return ()
    return tuple(hdu.shape or ())


def _contains(wcs: WCS, axes: tuple[int, ...], sky_target: tuple[float, float]) -> bool:
    x, y = icrs_to_pixel(wcs, *sky_target)
    height, width = axes[-2:]
    return -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5


def _named_hdu(file: fits.HDUList, wanted: int | str, source: str) -> int:
    key: Any = wanted
    if isinstance(wanted, str):
        text = wanted.strip()
        extname, _, version = text.partition(",")
        key = int(text) if text.isdigit() else (extname.strip(), int(version)) if version.strip().isdigit() else text
    try:
        number = key if isinstance(key, int) else file.index_of(key)
        file[number]
    except (KeyError, IndexError) as error:
        raise InputError(source, f"there is no HDU {wanted!r} (it has {_list(file)})") from error
    return number


def _is_plane(axes: tuple[int, ...]) -> bool:
    return len(axes) >= 2 and min(axes[-2:]) >= 2 and all(n == 1 for n in axes[:-2])


def _check_plane(axes: tuple[int, ...], source: str, where: str) -> None:
    if _is_plane(axes):
        return
    if not axes:
        raise InputError(source, f"{where} has no image")
    size = " x ".join(str(n) for n in reversed(axes))
    if len(axes) == 1 or (len(axes) == 2 and min(axes) < 2):
        raise InputError(source, f"{where} is one-dimensional ({size}): an image of two dimensions is needed")
    raise InputError(
        source, f"{where} is a cube of {math.prod(axes[:-2])} planes ({size}): give one plane (one band) a file"
    )


def _list(file: fits.HDUList) -> str:
    kinds = []
    for number, hdu in enumerate(file):
        axes = " x ".join(str(n) for n in reversed(_axes(hdu)))
        kinds.append(f"{number}: {hdu.name or 'unnamed'} {axes or 'no image'}")
    return "; ".join(kinds)
