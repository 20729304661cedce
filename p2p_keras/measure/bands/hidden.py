"""Rings that a band's image doesn't show: their light for the curve of growth, and the flags that tell of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.profile.columns import pa_from_x, plain_arrays
from p2p_keras.profile.flags import FLAGS, LOW_SNR, MIN_ROWS, find_flags

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.measure.bands.photometry import BandPixels

__all__ = ["with_hidden_light", "flags_of_band"]

_NEIGHBOURS = 3
"""Measured radii at an end of the profile whose mean colour stands for what lies beyond them."""

_OF_THE_NETWORK = ("out_of_distribution", "no_profile")


def with_hidden_light(intensity: np.ndarray, reference: np.ndarray, sma: np.ndarray) -> np.ndarray:
    """Intensities of a band where hidden rings have the reference's light at the colour of their neighbours.

    No light at all would make the galaxy fainter, and its radii of light larger, than they are.

    Parameters
    ----------
    intensity : float array (N,)
        Of the band, without sky; NaN where a ring is hidden.
    reference : float array (N,)
        Of the reference band, in any unit; positive.
    sma : float array (N,), increasing

    Returns
    -------
    float array (N,)
        NaN where no ring was measured at all.
    """
    known = np.isfinite(intensity)
    if known.all() or not known.any():
        return intensity
    ratio = intensity[known] / reference[known]
    left, right = float(ratio[:_NEIGHBOURS].mean()), float(ratio[-_NEIGHBOURS:].mean())
    at = np.interp(np.log(sma), np.log(sma[known]), ratio, left=left, right=right)
    return np.where(known, intensity, at * reference)


def flags_of_band(profile: QTable, pixels: BandPixels, centre: tuple[float, float], sky: float) -> list[str]:
    """Flags of a band from its own pixels, in the order of `p2p_keras.profile.flags.FLAGS`.

    Parameters
    ----------
    profile : QTable
        The band's, complete but for its flags.
    pixels : BandPixels
        With `ignored` as it was measured.
    centre : (float, float)
        x and y in pixels of the band's image.
    sky : float
        Flux per pixel of the band's image.
    """
    image, meta, columns = pixels.image, profile.meta, plain_arrays(profile)
    place = {"x0": centre[0], "y0": centre[1], "sky": sky}
    whole = {key: float(meta[key]) for key in ("extent", "mag_total")}
    shown = np.isfinite(columns["mu"]) & np.isfinite(columns["mu_err"])
    outputs = columns | place | whole | {"pa": pa_from_x(columns["pa"], meta), "valid": shown}
    flags = {word for word in find_flags(outputs, image) if word not in _OF_THE_NETWORK}
    # What stood out as another source's light was left out too: a star on the centre hides it as a mask does.
    left_out = replace(image, pixels=np.where(pixels.ignored, np.float32(np.nan), image.pixels))
    flags |= {"masked_centre"} & set(find_flags(outputs, left_out))
    measured = np.isfinite(columns["intensity"])
    if not measured.all():
        flags.add("masked_rings")
    if measured.sum() < MIN_ROWS:
        flags.add("no_profile")
    # Over all radii: those where the light is lost in the noise have no mu, and would be missing above.
    elif np.median((columns["intensity"] / columns["intensity_err"])[measured]) < LOW_SNR:
        flags.add("low_snr")
    return [word for word in FLAGS if word in flags]
