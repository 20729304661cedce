"""A galaxy's image cut out of a frame with mask and noise, on square pixels and of a size that the network takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError
from p2p_keras.images.binning import binned_flux, binned_sigma, binning_for
from p2p_keras.images.cutout import BINNED_SIDE, MAX_SIDE, MIN_SIDE, Window, target_window, whole_window
from p2p_keras.images.first_look import side_of_large
from p2p_keras.images.noise import correlation
from p2p_keras.images.pixels import clean_pixels, missing_pixels
from p2p_keras.images.sky_geometry import PLAUSIBLE_PIXEL_SCALE, elongation, local_jacobian, scale_of, shifted_wcs
from p2p_keras.images.square_pixels import (
    LARGEST_ELONGATION,
    MOST_ELONGATED,
    grid_shape,
    remapped_wcs,
    resampled,
    square_grid,
)

__all__ = ["Stamp", "cut_stamp"]


@dataclass
class Stamp:
    """Pixels of one galaxy and where they are from; fields as those of `p2p_keras.images.GalaxyImage`.

    Attributes
    ----------
    wcs_scale : float
        Arcsec per pixel of the file at the stamp's centre, NaN without WCS.
    jacobian : array (2, 2) or None
        See `p2p_keras.images.sky_geometry.local_jacobian`.
    """

    pixels: np.ndarray
    hidden: np.ndarray | None
    sigma: np.ndarray | None
    wcs: WCS | None
    x_offset: float
    y_offset: float
    notes: list[str] = field(default_factory=list)
    wcs_scale: float = math.nan
    jacobian: np.ndarray | None = None
    binning: int = 1
    matrix: np.ndarray | None = None

    def image_fields(self) -> dict[str, Any]:
        """What a `GalaxyImage` takes of it."""
        matrix = None if self.matrix is None else tuple(float(v) for v in self.matrix.ravel())
        return {
            "pixels": self.pixels,
            "noise": None if self.sigma is None else self.sigma.astype(np.float32),
            "x_offset": self.x_offset,
            "y_offset": self.y_offset,
            "wcs": self.wcs,
            "wcs_pixel_scale": self.wcs_scale * self.binning,
            "binning": self.binning,
            "file_matrix": matrix,
            "notes": tuple(self.notes),
        }


def cut_stamp(
    frame: Any,
    *,
    wcs: WCS | None,
    source: str,
    x: float | None = None,
    y: float | None = None,
    size: int | None = None,
    hidden: np.ndarray | None = None,
    sigma: np.ndarray | None = None,
    linear: Callable[[np.ndarray], np.ndarray] | None = None,
    companions: Callable[[Window, np.ndarray], tuple[np.ndarray | None, np.ndarray | None, list[str]]] | None = None,
) -> Stamp:
    """Cut out the square of `size` pixels round (x, y), or the whole image, and bring it onto the network's grid.

    Parameters
    ----------
    frame : FITS section or array (..., H, W)
    wcs : astropy.wcs.WCS or None
        Of the frame.
    source : str
        For messages.
    x, y : float, optional
        The target, px of the frame.
    size : int, optional
    hidden, sigma : array (H, W), optional
        Mask and 1-sigma noise of a frame in memory.
    linear : callable, optional
        Turns pixel values as they are stored into linear flux.
    companions : callable, optional
        Mask, 1-sigma noise and notes for a window with its pixels.

    Raises
    ------
    InputError
        The target isn't on the frame, or no pixel is left.
    """
    shape = (int(frame.shape[-2]), int(frame.shape[-1]))
    window, notes = _window(frame, shape, wcs, x, y, size, source)
    pixels = window.cut(frame)
    if linear is not None:
        pixels = linear(pixels)
    if companions is not None:
        hidden, sigma, more_notes = companions(window, pixels)
        notes = notes + more_notes
    else:
        hidden = None if hidden is None else window.cut(hidden.astype(np.float32)) != 0
        sigma = None if sigma is None else window.cut(sigma)
    missing, more_notes = missing_pixels(pixels)
    if missing is not None:
        hidden = missing if hidden is None else hidden | missing
    notes = notes + more_notes
    stamp = Stamp(pixels, hidden, sigma, None, window.x_start, window.y_start, notes)
    if wcs is not None:
        stamp.wcs = shifted_wcs(wcs, window.x_start, window.y_start)
        try:
            stamp.jacobian = local_jacobian(stamp.wcs, (window.width - 1) / 2, (window.height - 1) / 2)
            stamp.wcs_scale = scale_of(stamp.jacobian)
        except Exception:  # the projection has no sky there
            stamp.jacobian = None
        low, high = PLAUSIBLE_PIXEL_SCALE
        if not low < stamp.wcs_scale < high:
            stamp.jacobian, stamp.wcs_scale = None, math.nan
    stamp.pixels = clean_pixels(stamp.pixels, stamp.hidden, source)
    longer = _elongation(stamp.jacobian)
    if size is None and x is None and max(pixels.shape) > MAX_SIDE:
        _bin(stamp, binning_for(max(stamp.pixels.shape), BINNED_SIDE), source)
    elif size is not None and size > MAX_SIDE:
        _bin(stamp, binning_for(max(stamp.pixels.shape), MAX_SIDE), source)
    if longer > LARGEST_ELONGATION:
        _make_square(stamp, longer, size, source)
    if stamp.sigma is not None:
        stamp.sigma = np.where(np.isfinite(stamp.pixels), stamp.sigma, np.nan)
    return stamp


def _window(
    frame: Any, shape: tuple[int, int], wcs: WCS | None, x: float | None, y: float | None, size: int | None, source: str
) -> tuple[Window, list[str]]:
    if x is not None and y is not None:
        window = target_window(shape, x, y, size, source)
        return _window_of_square(window, wcs), []
    side = side_of_large(frame, shape) if size is None and max(shape) > MAX_SIDE else None
    if side is None:
        return whole_window(shape, size)
    # As many pixels as a block holds: no row or column is lost by binning.
    factor = binning_for(round(min(side, max(shape))), BINNED_SIDE)
    return whole_window(shape, None, max(math.ceil(side / factor) * factor, MAX_SIDE))


def _window_of_square(window: Window, wcs: WCS | None) -> Window:
    """The window of the frame that fills a square of square pixels; the window itself where they are so already."""
    if wcs is None:
        return window
    centre = (window.x_start + (window.width - 1) / 2, window.y_start + (window.height - 1) / 2)
    try:
        jacobian = local_jacobian(wcs, *centre)
    except Exception:
        return window
    if _elongation(jacobian) <= LARGEST_ELONGATION:
        return window
    matrix, _ = square_grid(jacobian)
    width, height = np.abs(matrix) @ np.array([window.width, window.height], dtype=float)
    width, height = (int(2 * math.ceil((n - m) / 2) + m) for n, m in ((width, window.width), (height, window.height)))
    return Window(
        window.x_start - (width - window.width) // 2, window.y_start - (height - window.height) // 2, width, height
    )


def _elongation(jacobian: np.ndarray | None) -> float:
    if jacobian is None or not np.isfinite(jacobian).all():
        return 1.0
    longer = elongation(jacobian)
    return longer if math.isfinite(longer) else 1.0


def _bin(stamp: Stamp, factor: int, source: str) -> None:
    """Sum pixels over blocks; scale, WCS and noise follow."""
    if factor == 1:
        return
    old = stamp.pixels.shape
    tied = 1.0 if stamp.sigma is None else correlation(stamp.pixels)
    stamp.pixels = clean_pixels(binned_flux(stamp.pixels, factor), None, source)
    if stamp.sigma is not None:
        stamp.sigma = binned_sigma(stamp.sigma, factor, tied)
    new = stamp.pixels.shape
    whole = (new[0] * factor, new[1] * factor)
    matrix = factor * np.eye(2)
    if stamp.wcs is not None:
        stamp.wcs = remapped_wcs(stamp.wcs, matrix, whole, new)
    stamp.x_offset += (factor - 1) / 2
    stamp.y_offset += (factor - 1) / 2
    stamp.matrix, stamp.binning = matrix, factor
    if stamp.jacobian is not None:
        stamp.jacobian = stamp.jacobian @ matrix
    stamp.notes.append(
        f"the image of {old[1]} x {old[0]} px was binned by {factor} x {factor} to {new[1]} x {new[0]} px: the "
        f"innermost {2 * factor} px of the profile are less sharp than the image"
    )


def _make_square(stamp: Stamp, longer: float, size: int | None, source: str) -> None:
    """Resample to square pixels of the same area; the target stays in the middle."""
    if stamp.jacobian is None:
        return
    if longer > MOST_ELONGATED:
        raise InputError(source, f"its WCS makes pixels {longer:.0f} times longer than wide, which can't be right")
    matrix, _ = square_grid(stamp.jacobian)
    old = stamp.pixels.shape
    new = grid_shape(old, matrix) if size is None else (min(size, MAX_SIDE),) * 2
    new = (min(max(new[0], MIN_SIDE), MAX_SIDE), min(max(new[1], MIN_SIDE), MAX_SIDE))
    stamp.pixels = clean_pixels(resampled(stamp.pixels, matrix, new), None, source)
    if stamp.sigma is not None:
        stamp.sigma = resampled(stamp.sigma, matrix, new, order=1)
    if stamp.wcs is not None:
        stamp.wcs = remapped_wcs(stamp.wcs, matrix, old, new)
    before = np.eye(2) if stamp.matrix is None else stamp.matrix
    shift = np.array([(old[1] - 1) / 2, (old[0] - 1) / 2]) - matrix @ np.array([(new[1] - 1) / 2, (new[0] - 1) / 2])
    offset = before @ shift + np.array([stamp.x_offset, stamp.y_offset])
    stamp.x_offset, stamp.y_offset = float(offset[0]), float(offset[1])
    stamp.matrix = before @ matrix
    stamp.notes.append(
        f"the pixels are {longer:.2f} times longer than wide: the image was resampled to square pixels of their "
        f"area ({new[1]} x {new[0]} px)"
    )
