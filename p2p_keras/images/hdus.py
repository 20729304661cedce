"""Opening a FITS file, whatever it is packed in: its HDUs, their headers, and what is wrong with its bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from astropy.io import fits

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.images.header_sizes import check_header_sizes
from p2p_keras.images.plain_fits import PlainImage, plain_file

__all__ = ["open_fits", "reading_errors", "naming_hdu", "full_header", "axes_of", "size_text", "list_hdus", "hdu_label"]


@contextmanager
def open_fits(source: str) -> Iterator[fits.HDUList | list[PlainImage]]:
    """Open a FITS file; whatever goes wrong with its bytes, then or later, becomes an `InputError` with a cause."""
    if not os.path.exists(source):
        raise InputError(source, "no such file")
    if os.path.isdir(source):
        raise InputError(source, "a folder without FITS images")
    if os.path.getsize(source) == 0:
        raise InputError(source, "the file is empty")
    # Warnings of odd headers are left to the caller's filters: those are global, and this runs in threads.
    # uint=False: unsigned integers come as floats, so that BLANK can become NaN in them.
    with reading_errors(source):
        plain = plain_file(source)
        if plain is not None:
            yield plain
            return
        unpacked = _unpacked(source)
        check_header_sizes(unpacked, source)
        with fits.open(unpacked, uint=False) as file:
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


@contextmanager
def naming_hdu(label: str) -> Iterator[None]:
    """Name the HDU that was read in errors of its calibration; as they are without a label."""
    try:
        yield
    except InputError as error:
        if not label or label in error.cause:
            raise
        raise type(error)(error.source, f"{label}: {error.cause}") from error


def full_header(file: fits.HDUList, number: int) -> fits.Header:
    """Join the image's header with the primary header's cards that it lacks (often exposure time, filter).

    Parameters
    ----------
    file : HDUList
    number : int
        HDU of the image.
    """
    if number == 0:
        return file[0].header
    header = file[number].header.copy()
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
    if (
        (isinstance(error, OSError) and error.errno == 22)
        or "simple" in lower
        or "empty or corrupt" in lower
        or "header missing end" in lower
    ):
        return f"not a FITS file, or its header is damaged ({text})"
    return f"can't be read as FITS ({text})"


def axes_of(hdu: Any) -> tuple[int, ...]:
    """Shape of an HDU's image in numpy order, () where it has none."""
    if not isinstance(hdu, PlainImage | fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU):
        return ()
    return tuple(hdu.shape or ())


def size_text(axes: tuple[int, ...]) -> str:
    """Size as FITS has it: the first axis first."""
    return " x ".join(str(n) for n in reversed(axes))


def list_hdus(file: fits.HDUList) -> str:
    """The HDUs of a file with their names and sizes, for messages."""
    return "; ".join(
        f"{number}: {hdu.name or 'unnamed'} {size_text(axes_of(hdu)) or 'no image'}" for number, hdu in enumerate(file)
    )


def hdu_label(hdu: Any, number: int) -> str:
    """How notes, errors and ``meta`` call an HDU: its number, and its name where it has one of its own.

    Parameters
    ----------
    hdu : HDU
    number : int
        In its file.
    """
    return f"HDU {number}" + (f" ({hdu.name})" if hdu.name and hdu.name != "PRIMARY" else "")
