"""An exponential disc, on any grid, and its profile without any error."""

from __future__ import annotations

import numpy as np
from astropy.wcs import WCS

from p2p_keras.images import GalaxyImage
from p2p_keras.profile.tables.building import profile_table

ZERO = 22.5


def a_wcs(shape, scale, turn=0.0, shift=(0.0, 0.0)):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 2.0]
    wcs.wcs.crpix = [(shape[1] + 1) / 2 + shift[0], (shape[0] + 1) / 2 + shift[1]]
    t = np.deg2rad(turn)
    wcs.wcs.cd = np.diag([-scale, scale]) / 3600 @ np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]])
    return wcs


def disc(shape, scale, *, mag=16.0, h=4.0, e=0.4, pa=30.0, turn=0.0, sky=0.0, noise=0.003, seed=0, shift=(0, 0)):
    """Pixels of an exponential disc of scale length h (arcsec), averaged over each pixel; `pa` from +x at turn 0."""
    rng = np.random.default_rng(seed)
    fine = 3
    y, x = np.mgrid[: shape[0] * fine, : shape[1] * fine].astype(float)
    x = (x - (fine - 1) / 2) / fine - (shape[1] - 1) / 2 - shift[0]
    y = (y - (fine - 1) / 2) / fine - (shape[0] - 1) / 2 - shift[1]
    t = np.deg2rad(pa - turn)
    major, minor = x * np.cos(t) + y * np.sin(t), y * np.cos(t) - x * np.sin(t)
    r = np.hypot(major, minor / (1 - e)) * scale
    light = 10 ** (0.4 * (ZERO - mag)) / (2 * np.pi * h**2 * (1 - e)) * np.exp(-r / h) * scale**2
    light = light.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))
    return light + sky + noise * rng.normal(size=shape)


def image_of(pixels, scale, wcs=None, name="disc", band="r"):
    return GalaxyImage.from_array(pixels, zero_point=ZERO, pixel_scale=scale, name=name, band=band, wcs=wcs)


def exact_reference(image, *, mag=16.0, h=4.0, e=0.4, pa=30.0, last=26.0):
    """The profile of `disc` without any error."""
    sma = 0.2 * np.exp(np.arange(64) * 0.083)
    mu = mag + 2.5 * np.log10(2 * np.pi * h**2 * (1 - e)) + 1.0857 * sma / h
    inside = 1 - np.exp(-sma / h) * (1 + sma / h)
    ones = np.ones(64)
    outputs = {"sma": sma, "mu": mu, "mu_err": 0.02 * ones, "ellipticity": e * ones, "pa": pa * ones}
    outputs |= {"growth": mag - 2.5 * np.log10(inside), "valid": sma < last, "sky": 0.0, "mag_total": mag}
    height, width = image.shape
    return profile_table(outputs | {"x0": (width - 1) / 2, "y0": (height - 1) / 2, "extent": last}, image)
