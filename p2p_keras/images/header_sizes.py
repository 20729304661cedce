"""Sizes that a FITS file's headers state, looked at before astropy does.

A damaged size sends astropy back to where it came from, for ever, or into a loop over two thousand million axes: both
fill the memory and never end. Damaged settings of a tile compression end the process.
"""

from __future__ import annotations

import io
import math
import re
from typing import BinaryIO

from p2p_keras.core.errors import InputError

__all__ = ["check_header_sizes"]

_BLOCK = 2880
_SIZE_IN_WORDS = re.compile(rb"(NAXIS\d*|BITPIX|[PG]COUNT) *= *'([^']{0,68})")
_SIZE_CARD = re.compile(rb"(Z?NAXIS\d{0,3}|ZTILE\d{1,3}|BITPIX|PCOUNT|GCOUNT|TFIELDS|ZPCOUNT|ZGCOUNT) *= *([-+]?\d+)")
_CODEC_NAME = re.compile(rb"ZNAME(\d{1,2}) *= *'(BLOCKSIZE|BYTEPIX) *'")
_CODEC_VALUE = re.compile(rb"ZVAL(\d{1,2}) *= *([-+]?\d+)")
_CODEC_VALUES = {b"BLOCKSIZE": (16, 32, 64, 128), b"BYTEPIX": (1, 2, 4, 8)}
_COUNTS = ("NAXIS", "ZNAXIS", "TFIELDS")
_MOST = 999
"""Axes and columns that the FITS standard allows at most."""

_LONGEST_HEADER = 4000 * _BLOCK


def check_header_sizes(file: str | io.BytesIO, source: str) -> None:
    """Walk through a file's headers and raise `InputError` for a size that none can have.

    What isn't understood is left to astropy.

    Parameters
    ----------
    file : str or BytesIO
        A path, or the unpacked file, which is wound back.
    source : str
        For the message.
    """
    if isinstance(file, io.BytesIO):
        _walk(file, source)
        file.seek(0)
        return
    with open(file, "rb") as stream:
        _walk(stream, source)


def _walk(stream: BinaryIO, source: str) -> None:
    end = stream.seek(0, 2)
    stream.seek(0)
    number = 0
    while stream.tell() < end:
        header = _header(stream)
        if header is None:
            return
        for card in _SIZE_IN_WORDS.finditer(header):
            if card.start() % 80 == 0:  # astropy would repeat the word as often as the next size says
                words = f"{card[1].decode()} = '{card[2].decode('latin-1').strip()}'"
                raise InputError(source, f"not a FITS file, or its header is damaged (HDU {number}: {words})")
        sizes = {card[1].decode(): int(card[2]) for card in _SIZE_CARD.finditer(header) if card.start() % 80 == 0}
        for key, value in sizes.items():
            if (
                (value < 0 and key != "BITPIX")
                or (value < 1 and key.startswith("ZTILE"))
                or (key in _COUNTS and value > _MOST)
            ):
                raise InputError(source, f"not a FITS file, or its header is damaged (HDU {number}: {key} = {value})")
        _check_codec(header, number, source)
        stream.seek(stream.tell() + _data_size(sizes))
        number += 1


def _check_codec(header: bytes, number: int, source: str) -> None:
    """Raise `InputError` for settings with which the decompression of tiles would end the whole process."""
    values = {card[1]: int(card[2]) for card in _CODEC_VALUE.finditer(header) if card.start() % 80 == 0}
    for card in _CODEC_NAME.finditer(header):
        value = values.get(card[1])
        if value not in _CODEC_VALUES[card[2]]:
            name = card[2].decode()
            raise InputError(source, f"its compression is damaged (HDU {number}: {name} = {value})")


def _header(stream: BinaryIO) -> bytes | None:
    """The header at a file's position; None where it doesn't end."""
    header = b""
    while len(header) < _LONGEST_HEADER:
        block = stream.read(_BLOCK)
        if len(block) < _BLOCK:
            return None
        header += block
        if any(block[i : i + 80].rstrip() == b"END" for i in range(0, _BLOCK, 80)):
            return header
    return None


def _data_size(sizes: dict[str, int]) -> int:
    """Bytes of an HDU's data, filled up to whole blocks."""
    axes = [sizes.get(f"NAXIS{i + 1}", 0) for i in range(sizes.get("NAXIS", 0))]
    if not axes:
        return 0
    count = math.prod(axes[1:] if axes[0] == 0 and len(axes) > 1 else axes)  # random groups: NAXIS1 = 0
    size = abs(sizes.get("BITPIX", 8)) // 8 * sizes.get("GCOUNT", 1) * (sizes.get("PCOUNT", 0) + count)
    return -(-size // _BLOCK) * _BLOCK
