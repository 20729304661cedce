"""FITS files of the plainest kind, read without astropy's objects: one image, values as they are stored.

Most galaxies come as such a file, and astropy's card-by-card reading takes several times as long as all else that is
done with one. Whatever isn't plain is left to astropy: extensions, compression, BSCALE, BZERO and BLANK, cubes,
HIERARCH and CONTINUE cards, values without a value, cards that the standard doesn't know, a size that isn't the
header's. So a plain file's header and pixels are exactly those that astropy gives.
"""

from __future__ import annotations

import functools
import os
import re
from typing import Any

import numpy as np

__all__ = ["PlainHeader", "PlainImage", "plain_file"]

_BLOCK = 2880
_CARD = 80
_LONGEST_HEADER = 40 * _BLOCK
_READ_WHOLE = 4 * 2**20
"""A file of no more bytes is read in one piece; of a larger one the pixels are mapped."""

_FLOAT = r"(?:\d+\.\d*|\.\d+)(?:E[-+]?\d{1,3})?|\d+E[-+]?\d{1,3}"
_VALUE = re.compile(
    r"([A-Z0-9_-]{1,8}) *= +"
    rf"(?:'((?:[^']|'')*)'|([TF])|([-+]?\d{{1,18}})|([-+]?(?:{_FLOAT}))) *(?:/ *(.*))?"
)
_COMMENTARY = ("COMMENT", "HISTORY", "")
_UNUSUAL = ("XTENSION", "GROUPS", "BLANK", "CONTINUE", "ZIMAGE", "LONGSTRN", "INHERIT")
_TYPES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_FIRST = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2")


class PlainHeader(dict[str, Any]):
    """The cards of a plain header; what is asked of an `astropy.io.fits.Header` here has the same answer.

    Attributes
    ----------
    comments : dict of str to str
    """

    def __init__(self, cards: list[str]) -> None:
        super().__init__()
        self._text = "".join(cards)
        self.comments: dict[str, str] = {}
        for card in cards:
            keyword, value, comment = _read(card)
            self.setdefault(keyword, value)
            self.comments.setdefault(keyword, comment)

    def tostring(self, sep: str = "", endcard: bool = False, padding: bool = False) -> str:
        """The cards as they stand in the file, without END: what astropy gives for these arguments."""
        return self._text

    def copy(self) -> Any:
        """The same header of astropy, to be changed."""
        from astropy.io import fits

        return fits.Header.fromstring(self._text)


class PlainImage:
    """The one HDU of a plain file, with what is asked of an HDU of astropy here.

    Attributes
    ----------
    header : PlainHeader
    section, data : array (H, W)
        Values as stored, in the file's byte order.
    name : str
    ver : int
    """

    def __init__(self, header: PlainHeader, pixels: np.ndarray) -> None:
        self.header, self.section, self.data = header, pixels, pixels
        self.name = str(header.get("EXTNAME", "PRIMARY")).strip().upper() or "PRIMARY"
        self.ver = int(header.get("EXTVER", 1))

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W)."""
        return self.section.shape


class _NotPlain(Exception):
    pass


def plain_file(path: str) -> list[PlainImage] | None:
    """The HDUs of a plain file, which is one; None for any other file.

    Raises
    ------
    OSError
        It can't be read.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(size if size <= _READ_WHOLE else _LONGEST_HEADER)
    try:
        header, offset = _header(start)
        dtype, shape = _layout(header)
    except _NotPlain:
        return None
    needed = dtype.itemsize * shape[0] * shape[1]
    if size != offset + -(-needed // _BLOCK) * _BLOCK:
        return None
    if size <= _READ_WHOLE:
        pixels = np.frombuffer(start, dtype, shape[0] * shape[1], offset).reshape(shape)
    else:
        pixels = np.memmap(path, dtype, "r", offset, shape)
    return [PlainImage(header, pixels)]


def _header(start: bytes) -> tuple[PlainHeader, int]:
    """The header that a file begins with, and where its pixels begin."""
    if not start.startswith(b"SIMPLE  ="):
        raise _NotPlain
    cards: list[str] = []
    for block in range(0, min(len(start), _LONGEST_HEADER), _BLOCK):
        part = start[block : block + _BLOCK]
        if len(part) < _BLOCK or not part.isascii():
            raise _NotPlain
        text = part.decode("ascii")
        if not text.isprintable():
            raise _NotPlain
        for place in range(0, _BLOCK, _CARD):
            card = text[place : place + _CARD]
            if card.startswith("END") and card.rstrip() == "END":
                if text[place + _CARD :].strip():
                    raise _NotPlain
                return PlainHeader(cards), block + _BLOCK
            cards.append(card)
    raise _NotPlain


@functools.lru_cache(maxsize=4096)  # most cards are the same in all files of a survey
def _read(card: str) -> tuple[str, Any, str]:
    """Keyword, value and comment of one card."""
    match = _VALUE.fullmatch(card)
    if match is None:
        keyword = card[:8].rstrip()
        if keyword in _COMMENTARY and card[8:10] != "= ":
            return keyword, card[8:].rstrip(), ""
        raise _NotPlain
    keyword, text, logical, whole, number, comment = match.groups()
    if card[8:10] != "= " or keyword in _UNUSUAL or keyword in _COMMENTARY:
        raise _NotPlain
    comment = (comment or "").rstrip()
    if text is not None:
        # "FIELD: 1.5" is a card of several values for astropy, "&" the beginning of a longer text.
        if ": " in text or text.rstrip().endswith("&"):
            raise _NotPlain
        return keyword, text.replace("''", "'").rstrip(), comment
    if logical is not None:
        return keyword, logical == "T", comment
    return keyword, int(whole) if whole is not None else float(number), comment


def _layout(header: PlainHeader) -> tuple[np.dtype, tuple[int, int]]:
    """Type and shape of the pixels."""
    first = [keyword for keyword, _ in zip(header, _FIRST, strict=False)]
    if tuple(first) != _FIRST or header["SIMPLE"] is not True or header["NAXIS"] != 2:
        raise _NotPlain
    if header.get("BSCALE", 1) != 1 or header.get("BZERO", 0) != 0 or header["BITPIX"] not in _TYPES:
        raise _NotPlain
    width, height = header["NAXIS1"], header["NAXIS2"]
    if not (type(width) is int and type(height) is int and width > 0 and height > 0):
        raise _NotPlain
    if not (isinstance(header.get("EXTNAME", ""), str) and type(header.get("EXTVER", 1)) is int):
        raise _NotPlain
    return np.dtype(_TYPES[header["BITPIX"]]), (height, width)
