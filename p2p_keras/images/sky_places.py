"""Where the galaxies of a batch are on the sky, and how position angles turn there: all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from p2p_keras.core.ellipse import half_turn
from p2p_keras.images.sky_geometry import cross_at, jacobian_of, pixel_to_icrs_degrees, turned_to_sky

__all__ = ["SkyPlace", "places_on_sky"]

if TYPE_CHECKING:
    from p2p_keras.images.galaxy_image import GalaxyImage

__all__ = ["SkyPlace", "places_on_sky"]


class SkyPlace(NamedTuple):
    """A pixel of one image, and what its WCS says there.

    Attributes
    ----------
    x, y : float
        The pixel.
    ra, dec : float
        ICRS, degrees; NaN without WCS.
    jacobian : array (2, 2) or None
        `p2p_keras.images.sky_geometry.local_jacobian`; None without WCS, or where the pixel isn't known.
    """

    x: float
    y: float
    ra: float
    dec: float
    jacobian: np.ndarray | None

    def position_angle(self, pa_from_x: np.ndarray) -> np.ndarray:
        """Position angles in the image's reference, in [0, 180), of those counted from +x."""
        return half_turn(pa_from_x) if self.jacobian is None else turned_to_sky(self.jacobian, pa_from_x)

    @property
    def pa_of_x(self) -> float:
        """Position angle of the image's +x axis, degrees."""
        return 0.0 if self.jacobian is None else float(turned_to_sky(self.jacobian, 0.0))

    @property
    def parity(self) -> int:
        """1 where position angles grow counter-clockwise on the image, else -1."""
        if self.jacobian is None:
            return 1
        return 1 if (float(turned_to_sky(self.jacobian, 1.0)) - self.pa_of_x) % 180.0 < 90.0 else -1


def places_on_sky(images: Sequence[GalaxyImage], x: np.ndarray, y: np.ndarray) -> list[SkyPlace]:
    """The place of one pixel (x, y) of each image; x and y (B,), NaN where it isn't known."""
    nothing = float("nan")
    places = [SkyPlace(*pixel, nothing, nothing, None) for pixel in zip(x.tolist(), y.tolist(), strict=True)]
    known = [i for i in np.flatnonzero(np.isfinite(x) & np.isfinite(y)).tolist() if images[i].sky_wcs[0] is not None]
    if not known:
        return places
    sky = np.empty((2, len(known), 5))
    for k, i in enumerate(known):
        wcs, x_start, y_start = images[i].sky_wcs
        sky[:, k] = pixel_to_icrs_degrees(wcs, *cross_at(x[i] + x_start, y[i] + y_start))
    jacobians = jacobian_of(*np.deg2rad(sky))
    middle = np.where(np.isfinite(sky[..., 0]), sky[..., 0], nothing).tolist()
    for k, i in enumerate(known):
        places[i] = places[i]._replace(ra=middle[0][k], dec=middle[1][k], jacobian=jacobians[k])
    return places
