"""Small FITS files to the layouts that surveys document, for tests of how they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits


def galaxy(shape=(80, 90), *, noise=0.02, level=0.0, peak=2.0, seed=5) -> np.ndarray:
    """A round exponential disc on noise, float32."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    r = np.hypot(x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2)
    pixels = peak * np.exp(-r / 5.0) + level + noise * np.random.default_rng(seed).normal(size=shape)
    return pixels.astype(np.float32)


def sky_cards(scale=0.262, shape=(80, 90), scale_y=None, **cards) -> fits.Header:
    """A gnomonic WCS with north up, and other cards (``__`` in a name stands for a dot)."""
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 150.0, 2.2
    header["CRPIX1"], header["CRPIX2"] = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    header["CD1_1"], header["CD1_2"] = -scale / 3600, 0.0
    header["CD2_1"], header["CD2_2"] = 0.0, (scale_y or scale) / 3600
    for key, value in cards.items():
        header["HIERARCH " + key.replace("__", ".") if "__" in key or len(key) > 8 else key] = value
    return header


def write(path: Path, *hdus) -> Path:
    """Write HDUs: (data, header, name) each, the first one as the primary HDU."""
    made = []
    for i, (data, header, name) in enumerate(hdus):
        hdu = fits.PrimaryHDU(data, header) if i == 0 else fits.ImageHDU(data, header, name=name or None)
        made.append(hdu)
    fits.HDUList(made).writeto(path)
    return path
