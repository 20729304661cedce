"""Images whose pixels aren't square on the sky, resampled to square ones of the same area: flux per pixel stays.

Ellipses, position angles and areas of everything downstream are those of square pixels. With J the change on the sky
per pixel step and its polar decomposition J = Q P (Q turns or flips, P stretches), the new grid is x = M u with
M = s inverse(P), s = sqrt(det P): its pixels are squares of the old ones' area and orientation, and det M = 1, so that
a pixel's flux needs no factor.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from p2p_keras.images.sky_geometry import local_jacobian, pixel_to_icrs_degrees

__all__ = ["LARGEST_ELONGATION", "MOST_ELONGATED", "square_grid", "resampled", "grid_shape", "remapped_wcs"]

LARGEST_ELONGATION = 1.02
"""Pixels up to so much longer than wide are taken as square: the ellipticity is off by less than 0.02."""

MOST_ELONGATED = 20.0
"""Beyond, a WCS is taken to be damaged."""

_DISTORTED = ("sip", "cpdis1", "cpdis2", "det2im1", "det2im2")


def square_grid(jacobian: np.ndarray) -> tuple[np.ndarray, float]:
    """The matrix M (2, 2) from steps on the square grid to steps on the image's, and the side of a square (arcsec)."""
    _, singular, vt = np.linalg.svd(jacobian)
    scale = math.sqrt(float(singular[0] * singular[1]))
    stretch = vt.T @ np.diag(scale / singular) @ vt
    return stretch, scale


def resampled(pixels: np.ndarray, matrix: np.ndarray, shape: tuple[int, int], *, order: int = 3) -> np.ndarray:
    """Pixels on the grid whose step of one is `matrix` times that of theirs; both centres coincide.

    Cubic splines between pixel centres: flux per pixel at unit determinant is a density, so sums are kept (to 0.1 % for
    anything that the image samples). Where a pixel that is NaN has a part of 5 % or more, or the image ends: NaN.

    Parameters
    ----------
    pixels : array (H, W)
    matrix : array (2, 2)
        (x, y) of the image from (u, v) of the new grid.
    shape : (int, int)
        Of the new grid.
    order : int
        0: nearest pixel, for masks.
    """
    from scipy import ndimage

    height, width = pixels.shape
    new_height, new_width = shape
    v, u = np.mgrid[:new_height, :new_width].astype(float)
    u -= (new_width - 1) / 2
    v -= (new_height - 1) / 2
    x = matrix[0, 0] * u + matrix[0, 1] * v + (width - 1) / 2
    y = matrix[1, 0] * u + matrix[1, 1] * v + (height - 1) / 2
    good = np.isfinite(pixels)
    filled = np.array(pixels, dtype=float)
    if not good.all():
        nearest = ndimage.distance_transform_edt(~good, return_distances=False, return_indices=True)
        filled = filled[tuple(nearest)]
    values = ndimage.map_coordinates(filled, [y, x], order=order, mode="nearest")
    bad = ndimage.map_coordinates((~good).astype(float), [y, x], order=1, mode="constant", cval=1.0)
    edge = (x < -0.5) | (x > width - 0.5) | (y < -0.5) | (y > height - 0.5)
    if order == 0:
        values[edge] = np.nan
        return values
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    values[(bad > 0.05) & inside | edge] = np.nan
    return values


def grid_shape(shape: tuple[int, int], matrix: np.ndarray) -> tuple[int, int]:
    """Size of the square grid that holds an image's every pixel.

    Parameters
    ----------
    shape : (int, int)
        (H, W) of the image.
    matrix : array (2, 2)
        Steps (x, y) in the image per step on the grid.
    """
    back = np.abs(np.linalg.inv(matrix))
    width, height = back @ np.array([shape[1], shape[0]], dtype=float)
    return max(2, math.ceil(height)), max(2, math.ceil(width))


def remapped_wcs(wcs: Any, matrix: np.ndarray, old: tuple[int, int], new: tuple[int, int]) -> Any:
    """WCS of a grid whose step of one is `matrix` times that of the image's; both centres coincide.

    Exact where all distortion comes after the linear part (none, or TPV). With SIP or lookup tables it is a gnomonic
    one that agrees with the old one's position, scale and directions at the image's centre.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
    matrix : array (2, 2)
    old, new : (int, int)
        Shapes (H, W) of the image and of the new grid.
    """
    from astropy.wcs import WCS

    centre_old = np.array([(old[1] - 1) / 2, (old[0] - 1) / 2])
    centre_new = np.array([(new[1] - 1) / 2, (new[0] - 1) / 2])
    made = WCS(naxis=2)
    if any(getattr(wcs, name) is not None for name in _DISTORTED):
        ra, dec = pixel_to_icrs_degrees(wcs, *centre_old)
        made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        made.wcs.radesys = "ICRS"
        made.wcs.crval = [float(ra), float(dec)]
        made.wcs.crpix = centre_new + 1.0
        made.wcs.pc = local_jacobian(wcs, *centre_old) @ matrix / 3600.0
    else:
        made.wcs.ctype = list(wcs.wcs.ctype)
        made.wcs.crval = wcs.wcs.crval
        made.wcs.crpix = np.linalg.solve(matrix, np.asarray(wcs.wcs.crpix) - 1.0 - centre_old) + centre_new + 1.0
        made.wcs.pc = wcs.pixel_scale_matrix @ matrix
        made.wcs.cunit = ["deg", "deg"]
        made.wcs.lonpole, made.wcs.latpole = wcs.wcs.lonpole, wcs.wcs.latpole
        made.wcs.radesys, made.wcs.equinox = wcs.wcs.radesys, wcs.wcs.equinox
        made.wcs.set_pv(wcs.wcs.get_pv())
    made.wcs.cdelt = [1.0, 1.0]
    made.wcs.set()
    return made
