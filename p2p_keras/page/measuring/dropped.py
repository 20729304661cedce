"""Files that are dropped on the page: those that come together are the bands of one galaxy."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path

from p2p_keras.core.errors import P2PError, UsageError
from p2p_keras.images.bands import band_from_name, sorted_bands
from p2p_keras.images.frame import open_frame

__all__ = ["Together", "bands_of_files"]

_APART = 2.0
"""Seconds without a file after which the next one is alone; a browser makes no pause in what was dropped at once."""


class Together:
    """What was dropped at once, as far as it has come: a browser sends one file after the other.

    Attributes
    ----------
    images : dict of str to Path
        By the names that the user knows.
    mask : str or None
    """

    def __init__(self) -> None:
        self.images: dict[str, Path] = {}
        self.mask: str | None = None
        self._last = -_APART

    def comes(self) -> None:
        """A file is here; forget the earlier ones, unless it belongs to them."""
        if time.monotonic() - self._last > _APART:
            self.images, self.mask = {}, None

    def done(self) -> None:
        """The file has been measured."""
        self._last = time.monotonic()


def bands_of_files(images: Mapping[str, Path]) -> str:
    """Files of several bands as the page and ``predict --forced`` name them: ``g=a.fits r=b.fits``, from blue to red.

    The band is what the header says, or else what the file's name holds as a word of its own.

    Parameters
    ----------
    images : mapping of str to Path
        By the names that the user knows.

    Raises
    ------
    UsageError
        A file says no band, or two of them are of the same.
    """
    by_band: dict[str, str] = {}
    cause, mend = "the bands can't be measured together", "type the bands under 'more', as g=a.fits r=b.fits"
    for name, path in images.items():
        try:
            with open_frame(path) as frame:
                band = frame.plane().band or band_from_name(name)
        except P2PError as error:
            raise UsageError(f"{cause}: {str(error).replace(str(path), name)}") from error
        if not band:
            raise UsageError(f"{cause}: neither {name}'s header nor its name says one; {mend}")
        if band in by_band:
            raise UsageError(f"{cause}: {by_band[band]} and {name} are both {band}; {mend}")
        by_band[band] = name
    return shlex.join(f"{band}={by_band[band]}" for band in sorted_bands(by_band))
