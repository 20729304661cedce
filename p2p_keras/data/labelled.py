"""A galaxy image with the profile that is true of it: what mocks and `pack` make, and shards hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["LabelledGalaxy"]


@dataclass
class LabelledGalaxy:
    """One galaxy in one band with its label.

    Attributes
    ----------
    name : str
        The galaxy's name, the same in all its bands (so that they stay in one split).
    band : str
        Filter, such as ``"r"``; ``""`` where unknown.
    image : float32 array (H, W)
        Linear flux per pixel; NaN where a pixel is masked.
    zero_point : float
        AB magnitude of unit flux.
    pixel_scale : float
        Arcsec per pixel.
    sma : float array (N,)
        Semi-major axes of the label, arcsec, increasing.
    mu : float array (N,)
        True surface brightness, mag arcsec^-2.
    ellipticity, pa : float array (N,) or None
        1 - b/a, and position angle in degrees counter-clockwise from the image's +x axis, in [0, 180).
    x0, y0 : float
        True centre in pixels; NaN where unknown.
    extent : float
        Last sma (arcsec) at which the profile can be known, by `p2p_keras.core.extent`. Labels of mocks go on beyond
        it, since their truth is free of noise; labels that were measured on a real image end there.
    mag_total : float
        Total magnitude of the galaxy; NaN where unknown.
    noise : float
        1-sigma noise per pixel in quiet sky, in units of `image`; NaN where unknown.
    sky : float
        Sky level left in the image under the galaxy, flux per pixel; NaN where unknown.
    mu_err : float array (N,) or None
        Uncertainty of a label that was itself measured; None for mocks.
    origin : str
        How it was made (survey preset, seed and index of a mock; file of a real image).
    """

    name: str
    band: str
    image: np.ndarray
    zero_point: float
    pixel_scale: float
    sma: np.ndarray
    mu: np.ndarray
    ellipticity: np.ndarray | None = None
    pa: np.ndarray | None = None
    x0: float = float("nan")
    y0: float = float("nan")
    extent: float = float("nan")
    mag_total: float = float("nan")
    noise: float = float("nan")
    sky: float = float("nan")
    mu_err: np.ndarray | None = None
    origin: str = ""
