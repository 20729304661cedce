"""Profile of a noise-free image of a galaxy alone: the mean along its isophotes, for `galsim_mocks.py`.

The ellipses are those of the project's fit on noise-free images, or of photutils; the mean along them and the share
inside the image are this file's own.
"""

from __future__ import annotations

import warnings

import numpy as np
from scipy import ndimage


def true_profile(image: np.ndarray, x0: float, y0: float, noise: float, isophotes: str):
    """Radii, mean intensity along the isophotes, ellipticity, angle (degrees), and extent; lengths in pixels."""
    from p2p_keras.core import ellipse
    from p2p_keras.core.extent import annulus_snr, profile_extent
    from p2p_keras.profile.isophotes.fitting import fit_ellipses, level_moments
    from p2p_keras.profile.isophotes.sampler import GalaxySampler

    sma = np.geomspace(0.5, 0.7 * max(image.shape), 70)
    peak = image.max()
    start = level_moments(image / peak, x0, y0, sma)
    e1, e2 = fit_ellipses(GalaxySampler(image / peak, x0, y0), x0, y0, sma, start)
    for last in (False, True) if isophotes == "photutils" else (True,):
        intensity, share = mean_along(image, x0, y0, sma, e1, e2)
        ellipticity, pa = ellipse.angles_from_vector(e1, e2)
        known = (share >= 0.5) & (intensity > 0)
        snr = annulus_snr(intensity, sma, ellipticity, noise)
        extent = profile_extent(sma[known], snr[known])
        if not last:
            e1, e2 = photutils_ellipses(image, x0, y0, sma, ellipticity, pa, extent)
    return sma[known], intensity[known], ellipticity[known], pa[known], extent


def mean_along(image: np.ndarray, x0: float, y0: float, sma: np.ndarray, e1: np.ndarray, e2: np.ndarray):
    """Mean by cubic splines along ellipses, equally spaced in eccentric angle, and the share inside the image."""
    from p2p_keras.core import ellipse

    t = 2.0 * np.pi * np.arange(256) / 256
    dx, dy = ellipse.points(sma[:, None], e1[:, None], e2[:, None], np.cos(t), np.sin(t))
    values = ndimage.map_coordinates(image, (y0 + dy, x0 + dx), order=3, mode="nearest")
    height, width = image.shape
    inside = (x0 + dx >= 0) & (x0 + dx <= width - 1) & (y0 + dy >= 0) & (y0 + dy <= height - 1)
    return (values * inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1), inside.mean(axis=1)


def photutils_ellipses(image, x0, y0, sma, ellipticity, pa, extent):
    """Ellipse vectors by photutils, held at fixed geometry inside 1.5 px and beyond the extent."""
    from photutils.isophote import Ellipse, EllipseGeometry

    from p2p_keras.core import ellipse

    at = int(np.argmin(np.abs(sma - np.sqrt(2.0 * max(extent, 4.0)))))
    geometry = EllipseGeometry(x0, y0, sma[at], np.clip(ellipticity[at], 0.05, 0.9), np.deg2rad(pa[at]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        isophotes = Ellipse(image, geometry).fit_image(fix_center=True, minsma=1.5, maxsma=extent, maxgerr=2.0)
    if len(isophotes) < 3:
        raise ValueError("photutils finds no isophotes")
    e = ellipse.vector_from_angles(isophotes.eps, np.rad2deg(isophotes.pa))
    use = np.asarray(isophotes.sma) > 0
    return tuple(np.interp(np.log(sma), np.log(np.asarray(isophotes.sma)[use]), part[use]) for part in e)
