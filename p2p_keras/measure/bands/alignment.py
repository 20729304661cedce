"""Whether two bands' images lie on each other as their WCS say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage
    from p2p_keras.measure.bands.places import PlaceMap
    from p2p_keras.profile.painting import Isophotes

__all__ = ["REACH", "shift_of_light"]

REACH = 20
"""Shifts are looked for up to so many pixels."""

_MIN_CORRELATION = 0.3
_MIN_GAIN = 0.05
_SHOWN = 0.5


def shift_of_light(
    base: GalaxyImage, image: GalaxyImage, to_image: PlaceMap, isophotes: Isophotes
) -> tuple[float, float]:
    """Shift (px of the reference) that lays a band's light onto the reference's; (0, 0) where nothing tells.

    The galaxy's part of both images is correlated, which needs no nucleus and no centre of the band's own. A shift
    counts where the correlation at its maximum is clearly better than as the WCS has it.

    Parameters
    ----------
    base, image : GalaxyImage
        The reference's image and the band's.
    to_image : PlaceMap
        From the first to the second.
    isophotes : Isophotes
        Of the reference.

    Returns
    -------
    (dx, dy)
        To be added to where the WCS puts the band's light on the reference.
    """
    from scipy import ndimage
    from scipy.signal import fftconvolve

    if image is base:
        return 0.0, 0.0
    half = int(np.clip(isophotes.sma[-1], 16, 64))
    offsets = np.arange(-half - REACH, half + REACH + 1, dtype=float)
    x, y = np.meshgrid(isophotes.x0 + offsets, isophotes.y0 + offsets)
    wide, shown = (part.reshape(x.shape) for part in _sampled(image, *to_image(x.ravel(), y.ravel())))
    inner, there = (part.reshape(x.shape)[REACH:-REACH, REACH:-REACH] for part in _sampled(base, x.ravel(), y.ravel()))
    # What one of the two doesn't show counts in neither: a masked core alone would look like light elsewhere.
    both = there & shown[REACH:-REACH, REACH:-REACH]
    if not both.any():
        return 0.0, 0.0
    inner = np.where(both, inner - inner[both].mean(), 0.0)
    wide = np.where(shown, wide - np.median(wide[shown]), 0.0)
    sums = fftconvolve(wide, inner[::-1, ::-1], mode="valid")
    ones = np.ones_like(inner)
    mean = fftconvolve(wide, ones, mode="valid") / inner.size
    square = fftconvolve(wide * wide, ones, mode="valid") / inner.size
    spread = np.sqrt(np.maximum(square - mean * mean, 1e-30)) * inner.std() * inner.size
    correlation = sums / np.maximum(spread, 1e-30)
    row, column = np.unravel_index(int(np.argmax(ndimage.gaussian_filter(correlation, 0.5))), correlation.shape)
    best = float(correlation[row, column])
    if best < _MIN_CORRELATION or best - correlation[REACH, REACH] < _MIN_GAIN:
        return 0.0, 0.0
    # The light is seen at +shift from where it should be.
    return float(REACH - column), float(REACH - row)


def _sampled(image: GalaxyImage, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Structure of the light at pixels, and whether the image shows it there.

    Square roots, so that a nucleus or a star doesn't decide alone, less their smooth part, which hardly tells a shift.
    Masked pixels have no weight in either.
    """
    from scipy import ndimage

    good = np.isfinite(image.pixels)
    level = float(np.median(image.pixels[good]))
    flux = np.where(good, image.pixels - level, 0.0)
    root = np.sign(flux) * np.sqrt(np.abs(flux))
    weight = good.astype(float)
    fine, smooth = (
        ndimage.gaussian_filter(root, width) / np.maximum(ndimage.gaussian_filter(weight, width), 1e-6)
        for width in (1.0, 4.0)
    )
    shown = ndimage.map_coordinates(weight, [y, x], order=1, mode="constant") > _SHOWN
    return ndimage.map_coordinates(fine - smooth, [y, x], order=1, mode="constant"), shown
