"""From raw pixel values to the float32 array that the network takes: NaN where a pixel is to be ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.images.padding import copied_borders
from p2p_keras.images.pixel_scale import header_number

__all__ = ["linear_flux", "clean_pixels", "missing_pixels"]

_ASINH_ALPHA = 2.5 / np.log(10.0)


def linear_flux(pixels: np.ndarray, header: Mapping[str, Any], source: object) -> np.ndarray:
    """Pan-STARRS stacks turned back from asinh to linear counts; other images as they are.

    A stack's pixel is ``C = alpha asinh((L - BOFFSET) / (2 BSOFTEN))`` with alpha = 2.5 log10(e) (IPP wiki,
    "asinh_compression"); cutouts of the archive's cutout service are linear and have neither keyword.

    Parameters
    ----------
    pixels : array (H, W)
        As stored.
    header : mapping
    source : str or path, for errors

    Raises
    ------
    InputError
        Only one of BSOFTEN and BOFFSET is there.
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
    low, high = out.min(), out.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        out[~np.isfinite(out)] = np.nan
        low, high = np.fmin.reduce(out, axis=None), np.fmax.reduce(out, axis=None)
    if np.isnan(low):
        raise InputError(source, "no pixel has a value (all are NaN, blank or outside the frame)")
    if low == high:
        raise InputError(source, f"all pixels have the same value ({low:g}), so there is no image")
    if mask is not None:
        out[mask != 0] = np.nan
        if not np.isfinite(out).any():
            raise InputError(source, "the mask leaves no pixel")
    return out


_FEW = 0.02
_QUANTUM_SHARE = 3.0


_FEWEST_FILLED = 4
_FAR_OFF = 3.0


def missing_pixels(pixels: np.ndarray) -> tuple[np.ndarray | None, list[str]]:
    """Pixels whose value stands for "no data": those to ignore (None: none), and notes.

    A value far below or above all others that several pixels share (-999, 1e30) is one. Zero is a value like any other
    where values come in steps (photon counts, quantised images) or go down to it (noiseless models). It means "no data"
    where values are continuous and noise goes below zero, or where all of them lie far above it. Rows and columns at
    the border that repeat others exactly are padding.

    Parameters
    ----------
    pixels : array (H, W)
    """
    missing: np.ndarray | None = None
    notes = []
    for value in _fill_values(pixels):
        filled = pixels == value
        share = float(np.count_nonzero(filled)) / filled.size
        missing = filled if missing is None else missing | filled
        notes.append(
            f"{100 * share:.2g} % of the pixels have the value {value:g}, far from all others: "
            "they are taken as missing"
        )
    zeros, share = _missing_zeros(pixels if missing is None else pixels[~missing])
    if zeros:
        missing = pixels == 0.0 if missing is None else missing | (pixels == 0.0)
        notes.append(
            f"{100 * share:.0f} % of the pixels are exactly 0, which the noise makes unlikely for measured values: "
            "they are taken as missing"
        )
    copied = copied_borders(pixels)
    if copied is not None:
        missing = copied if missing is None else missing | copied
        notes.append(
            f"{100 * float(copied.mean()):.2g} % of the pixels lie in rows or columns at the border that repeat others "
            "exactly, as padding does: they are taken as missing"
        )
    return missing, notes


def _fill_values(pixels: np.ndarray) -> list[float]:
    """The lowest and the highest value, where several pixels share it and it is far from the next."""
    fills = []
    with np.errstate(over="ignore", invalid="ignore"):
        for sign, extreme in zip((1.0, -1.0), _extremes(pixels), strict=True):
            same = pixels == extreme
            if not np.isfinite(extreme) or not _FEWEST_FILLED <= np.count_nonzero(same) < 0.5 * pixels.size:
                continue
            if extreme == 0.0:
                continue  # photon counts leave a gap above it as well: `_missing_zeros`
            others = sign * pixels[np.isfinite(pixels) & ~same].astype(np.float64)
            if others.size < 100:
                continue
            # Photons leave a gap below, as large as the steps above it; above lies the galaxy, of which all counts.
            middle = float(np.median(others))
            spread = np.abs(np.percentile(others, [1, 99] if sign > 0 else [0, 0]) - middle).max()
            if others.min() - sign * extreme > _FAR_OFF * spread > 0.0:
                fills.append(extreme)
    return fills


def _extremes(pixels: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest finite value; infinite where there is none."""
    low, high = float(pixels.min()), float(pixels.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    seen = np.isfinite(pixels)
    low, high = np.min(pixels, where=seen, initial=np.inf), np.max(pixels, where=seen, initial=-np.inf)
    return float(low), float(high)


def _missing_zeros(pixels: np.ndarray) -> tuple[bool, float]:
    """Whether zeros are no measured values, and their share."""
    zeros = pixels == 0.0
    share = float(np.count_nonzero(zeros)) / max(1, zeros.size)
    if share < _FEW:
        return False, share
    values = pixels[np.isfinite(pixels) & ~zeros]
    if values.size < 100 or _in_steps(values, int(np.count_nonzero(zeros))):
        return False, share
    low, middle, high = np.percentile(values, [5, 50, 95])
    noise_about_zero = float(np.mean(values < 0)) > 0.1
    pedestal = low > 0 and middle - low < 0.2 * middle and high - low < 2.0 * middle
    return noise_about_zero or bool(pedestal), share


def _in_steps(values: np.ndarray, zeros: int) -> bool:
    """Whether values other than 0 begin at a step that is about as frequent as 0 itself, or leave a gap above 0."""
    size = np.abs(values)
    step = float(size.min())
    near = int(np.count_nonzero(size < 1.5 * step))
    if (
        _QUANTUM_SHARE * near >= zeros or float(np.median(size)) < 1.5 * step
    ):  # the latter: steps coarser than the noise
        return True
    return bool((values >= 0).all() and step > 0.2 * float(np.median(size)))
