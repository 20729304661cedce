"""Where a pixel of one image lies on another one: by their WCS, or pixel for pixel where neither has one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.errors import InputError

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["PlaceMap"]

_SAME_SCALE = 1e-3
_NODES = 24


class PlaceMap:
    """Maps pixels of one image to those of another, smooth functions of each other.

    The WCS is asked on a grid of nodes over the image and interpolated cubically between them: exact to a hundredth of
    a pixel for any distortion that a survey has, and quick for every pixel.

    Raises
    ------
    InputError
        They can't be brought together: only one has a WCS, or their grids differ.
    """

    def __init__(self, start: GalaxyImage, end: GalaxyImage) -> None:
        self.identical = start.wcs is None and end.wcs is None
        self._before = self._after = (0.0, 0.0)
        if self.identical:
            if start.shape != end.shape or abs(start.pixel_scale / end.pixel_scale - 1.0) > _SAME_SCALE:
                raise InputError(
                    end.source,
                    "without a WCS the bands must be images of one pixel grid: this one is "
                    f"{end.shape[1]} x {end.shape[0]} px of {end.pixel_scale:.3f} arcsec, the reference "
                    f"{start.shape[1]} x {start.shape[0]} px of {start.pixel_scale:.3f} arcsec",
                )
            return
        if start.wcs is None or end.wcs is None:
            lacking = start if start.wcs is None else end
            raise InputError(lacking.source, "has no WCS, but the other bands have one, so they can't be aligned")
        from astropy.wcs.utils import pixel_to_skycoord, skycoord_to_pixel
        from scipy.interpolate import RectBivariateSpline

        height, width = start.shape
        margin = 0.05 * max(height, width)
        ys = np.linspace(-margin, height - 1 + margin, _NODES)
        xs = np.linspace(-margin, width - 1 + margin, _NODES)
        grid_x, grid_y = np.meshgrid(xs, ys)
        try:
            sky = pixel_to_skycoord(grid_x, grid_y, start.wcs, origin=0)
            x, y = skycoord_to_pixel(sky.icrs, end.wcs, origin=0)
        except Exception as error:  # no convergence: the images are far from each other
            raise InputError(end.source, "its WCS doesn't reach the reference's part of the sky") from error
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise InputError(end.source, "its WCS doesn't reach the reference's part of the sky")
        self._x, self._y = RectBivariateSpline(ys, xs, x), RectBivariateSpline(ys, xs, y)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels of the other image at pixels (x, y) of the first; beyond its margin held at the edge."""
        x, y = np.asarray(x, dtype=float) + self._before[0], np.asarray(y, dtype=float) + self._before[1]
        if not self.identical:
            x, y = self._x.ev(y, x), self._y.ev(y, x)
        return x + self._after[0], y + self._after[1]

    def shifted(self, before: tuple[float, float] = (0.0, 0.0), after: tuple[float, float] = (0.0, 0.0)) -> PlaceMap:
        """The same with a shift (px) of what goes in and of what comes out."""
        moved = copy.copy(self)
        moved._before, moved._after = before, after
        return moved
