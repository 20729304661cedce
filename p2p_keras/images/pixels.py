"""From raw pixel values to the float32 array that the network takes: NaN where a pixel is to be ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.images.zero_point import header_number

_ASINH_ALPHA = 2.5 / np.log(10.0)


def linear_flux(pixels: np.ndarray, header: Mapping[str, Any], source: object) -> np.ndarray:
    """Pan-STARRS stacks turned back from asinh to linear counts; other images as they are.

    A stack's pixel is ``C = alpha asinh((L - BOFFSET) / (2 BSOFTEN))`` with alpha = 2.5 log10(e) (IPP wiki,
    "asinh_compression"); cutouts of the archive's cutout service are linear and have neither keyword.
    """
    softening, offset = header_number(header, "BSOFTEN"), header_number(header, "BOFFSET")
    if np.isnan(softening) and np.isnan(offset):
        return pixels
    if not softening > 0 or np.isnan(offset):
        raise InputError(
            source, "the pixels are on an asinh scale (Pan-STARRS): both BSOFTEN > 0 and BOFFSET are needed"
        )
    return offset + 2.0 * softening * np.sinh(pixels.astype(np.float64) / _ASINH_ALPHA)


def clean_pixels(pixels: np.ndarray, mask: np.ndarray | None, source: object) -> np.ndarray:
    """Make a float32 array with NaN where a pixel is masked or not finite.

    Parameters
    ----------
    pixels : array (H, W)
    mask : array (H, W) or None
        Non-zero or NaN: ignore the pixel.
    source : str or path, for errors

    Raises
    ------
    InputError
        Nothing is left, or what is left is one single value (an empty frame).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        out = np.array(pixels, dtype=np.float32)
    out[~np.isfinite(out)] = np.nan
    if not np.isfinite(out).any():
        raise InputError(source, "no pixel has a value (all are NaN, blank or outside the frame)")
    low, high = np.nanmin(out), np.nanmax(out)
    if low == high:
        raise InputError(source, f"all pixels have the same value ({low:g}): there is no image in it")
    if mask is not None:
        out[mask != 0] = np.nan
        if not np.isfinite(out).any():
            raise InputError(source, "the mask leaves no pixel")
    return out


def empty_pixel_note(pixels: np.ndarray) -> list[str]:
    """Note where many pixels are exactly zero: some surveys write 0 where they have no data."""
    empty = float(np.mean(pixels == 0.0))
    if empty < 0.02:
        return []
    return [f"{100 * empty:.0f} % of the pixels are exactly 0: if they are without data, mask them"]
