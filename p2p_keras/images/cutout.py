"""Which part of a frame is the galaxy's image, and cutting it out with NaN beyond the edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io.fits import Section

from p2p_keras.core.errors import OutsideImageError, UsageError
from p2p_keras.images.planes import CubePlane

__all__ = [
    "MIN_SIDE",
    "BINNED_SIDE",
    "MAX_SIDE",
    "MAX_CUTOUT",
    "DEFAULT_SIDE",
    "Window",
    "check_size",
    "target_window",
    "whole_window",
]

MIN_SIDE = 48
MAX_SIDE = 2048
BINNED_SIDE = 1500
"""Largest side of an image that has to be binned, since its galaxy needs more than `MAX_SIDE`. The network was trained
on up to 448 px: a galaxy of 5,000 px is measured with errors of 0.03 mag at 2,000 px, and of 0.02 mag at 1,000 px."""
MAX_CUTOUT = 2048 * 32
"""Largest side of what is cut out of a file; above `MAX_SIDE` it is binned."""

DEFAULT_SIDE = 256
"""Side in pixels of a cutout round a target where the caller names none: the paper's image size."""

_WHOLE_ROWS = 8192
"""Of a frame no wider (px) whole rows are read in one piece: a part of each row would cost astropy a call a row."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a frame's pixels; it may reach beyond the frame.

    Attributes
    ----------
    x_start, y_start : int
        Pixel of the frame under the window's pixel (0, 0); negative where the window begins before the frame.
    width, height : int
    """

    x_start: int
    y_start: int
    width: int
    height: int

    def cut(self, frame: Any) -> np.ndarray:
        """Cut the window's pixels out of `frame` (an array, or a FITS section, which reads no more than that).

        They come as floats; pixels beyond the frame are NaN; leading axes of length one are dropped.
        """
        frame_height, frame_width = frame.shape[-2:]
        y0, y1 = max(self.y_start, 0), min(self.y_start + self.height, frame_height)
        x0, x1 = max(self.x_start, 0), min(self.x_start + self.width, frame_width)
        planes, columns = (0,) * (len(frame.shape) - 2), slice(x0, x1)
        if isinstance(frame, Section | CubePlane) and frame_width <= _WHOLE_ROWS:
            part = np.asarray(frame[(*planes, slice(y0, y1), slice(None))])[:, columns]
        else:
            part = np.asarray(frame[(*planes, slice(y0, y1), columns)])
        # float64 only where the file has it: 32-bit integers and doubles keep their digits until units are settled.
        part = part.astype(np.float32 if part.dtype.kind == "f" and part.dtype.itemsize <= 4 else np.float64)
        if part.shape == (self.height, self.width):
            return part
        out = np.full((self.height, self.width), np.nan, dtype=part.dtype)
        out[y0 - self.y_start : y1 - self.y_start, x0 - self.x_start : x1 - self.x_start] = part
        return out


def check_size(size: int | None) -> None:
    """Raise `UsageError` for a cutout size below what the network takes, or beyond any image."""
    if size is not None and not MIN_SIDE <= size <= MAX_CUTOUT:
        raise UsageError(f"a cutout of {size} px was asked for: its side must be {MIN_SIDE} to {MAX_CUTOUT} px")


def target_window(shape: tuple[int, int], x: float, y: float, size: int | None, source: object) -> Window:
    """Place a square of `size` pixels (`DEFAULT_SIDE` if None) round the target, which must be on the frame.

    The target lies within half a pixel of the window's centre.

    Parameters
    ----------
    shape : (int, int)
        (H, W) of the frame.
    x, y : float
        The target, px from 0.
    size : int or None
        Side, px.
    source : str or path, for errors

    Raises
    ------
    OutsideImageError
        The target isn't on the frame.
    """
    height, width = shape
    if not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
        where = f"x = {x:.1f}, y = {y:.1f}" if np.isfinite(x) and np.isfinite(y) else "far from it"
        raise OutsideImageError(
            source, f"the target is outside the image ({where}; the image is {width} x {height} px)"
        )
    side = size or DEFAULT_SIDE
    start = (side - 1) / 2
    return Window(int(np.floor(x - start + 0.5)), int(np.floor(y - start + 0.5)), side, side)


def whole_window(shape: tuple[int, int], size: int | None, side: float | None = None) -> tuple[Window, list[str]]:
    """Place the window of an image without a named target; the second value notes what was cut or padded.

    Parameters
    ----------
    shape : (int, int)
        Of the image.
    size : int or None
        The middle pixels that the caller wants; None: the whole image, as far as the network takes it (`MAX_SIDE`),
        padded with NaN to `MIN_SIDE` where it is smaller.
    side : float, optional
        Side that the galaxy in the middle needs: as much is taken of an image beyond `MAX_SIDE`.
    """
    height, width = shape
    largest = MAX_SIDE if side is None else max(MIN_SIDE, round(side))
    too_large = not size and max(height, width) > MAX_SIDE
    new_height = size or max(min(height, largest) if too_large else height, MIN_SIDE)
    new_width = size or max(min(width, largest) if too_large else width, MIN_SIDE)
    notes = []
    if too_large and (new_height < height or new_width < width):
        seen = "" if side is None else ", which its galaxy's light needs"
        notes.append(
            f"the image of {width} x {height} px was cut to its middle {new_width} x {new_height} px{seen} "
            "(give a target or --size to cut otherwise)"
        )
    if new_height > height or new_width > width:
        notes.append(f"the image of {width} x {height} px was padded with NaN to {new_width} x {new_height} px")
    return Window((width - new_width) // 2, (height - new_height) // 2, new_width, new_height), notes
