"""One image of an opened FITS file: what is read once for all its galaxies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError
from p2p_keras.images.choosing import ImageChoice
from p2p_keras.images.noise import scatter
from p2p_keras.images.photo_calib import PhotoCalib
from p2p_keras.images.sky_geometry import pixel_to_icrs
from p2p_keras.images.targets import Target, sky_position
from p2p_keras.images.zero_point import find_zero_point
from p2p_keras.images.zero_point_value import ZeroPoint

__all__ = ["FramePlane"]


@dataclass
class FramePlane:
    """One array of a file as an image.

    Attributes
    ----------
    pixels : FITS section or array (..., H, W)
        As stored, not yet linear.
    header : astropy.io.fits.Header
    wcs : astropy.wcs.WCS or None
        Celestial.
    choice : ImageChoice
    label : str
        How messages call it.
    band : str
        As the header says; ``""`` where it doesn't.
    electrons : dict
        Gain and read noise, where the header has them.
    zero_point : ZeroPoint or None
        The image's, once it was found; None as long as it wasn't, or where `one_zero_point` is false.
    one_zero_point : bool
        Whether all of its galaxies have the same; not where flux is per solid angle and the scale varies.
    asked_before : bool
        Whether the zero point was asked for: whether one is enough is found out for the second galaxy.
    photo_calib : PhotoCalib or None
        The calibration in a table of the file.
    """

    pixels: Any
    header: Any
    wcs: WCS | None
    choice: ImageChoice
    label: str
    band: str
    electrons: dict[str, Any]
    zero_point: ZeroPoint | None = None
    one_zero_point: bool = True
    asked_before: bool = False
    photo_calib: PhotoCalib | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the frame."""
        return self.pixels.shape[-2], self.pixels.shape[-1]

    def read_whole(self) -> None:
        """Read all pixels at once, where many galaxies need most of them."""
        if not isinstance(self.pixels, np.ndarray):
            self.pixels = np.asarray(self.pixels[(0,) * (len(self.pixels.shape) - 2) + (slice(None), slice(None))])

    def zero_point_for(self, pixels: np.ndarray, scale: float, band: str, source: str) -> ZeroPoint:
        """The zero point for a galaxy: the image's, unless it hangs on the galaxy's own pixels, scale or band.

        Parameters
        ----------
        pixels : float array (H, W)
            The galaxy's, whose noise tells the band where nothing else does.
        scale : float
            Arcsec per pixel.
        band : str
            ``""`` where it isn't known.
        source : str, for errors

        Raises
        ------
        MissingCalibrationError
            The zero point is unknown.
        """
        if self.zero_point is not None and band == self.band:
            return self.zero_point
        if not self.one_zero_point or not self.asked_before:  # most files have one galaxy
            self.asked_before = True
            return self._find_zero_point(scale, source, band, lambda: scatter(pixels))
        own = False

        def noise() -> float:
            nonlocal own
            own = True
            return scatter(pixels)

        first, other = (self._find_zero_point(s, source, band, noise) for s in (scale, 2 * scale))
        self.one_zero_point = not own and first.value == other.value
        if self.one_zero_point and band == self.band:
            self.zero_point = first
        return first

    def _find_zero_point(self, scale: float, source: str, band: str, noise: Callable[[], float]) -> ZeroPoint:
        return find_zero_point(self.header, scale, source, band=band, noise=noise, photo_calib=self.photo_calib)

    def shows(self, targets: Sequence[Target], source: str, *, need_wcs: bool) -> np.ndarray:
        """Which targets lie on the image; `InputError` where that needs a WCS that isn't there (`need_wcs`).

        Parameters
        ----------
        targets : sequence of Target
        source : str, for errors
        need_wcs : bool

        Returns
        -------
        bool array (N,)
        """
        from astropy.wcs.utils import skycoord_to_pixel

        height, width = self.shape
        x, y, ra, dec = _positions(targets)
        held = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
        index = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec) & ~np.isfinite(x))
        if not index.size:
            return held
        if self.wcs is None:
            if need_wcs:
                raise InputError(source, "galaxies by RA and Dec need a celestial WCS, and the image has none")
            return held
        sky = SkyCoord(ra[index], dec[index], unit=u.deg)
        # A projection also shows what is on the far side of the sky: only what is near is tried.
        middle = pixel_to_icrs(self.wcs, (width - 1) / 2, (height - 1) / 2)
        near = sky.separation(middle) < 3.0 * middle.separation(pixel_to_icrs(self.wcs, 0.0, 0.0))
        if not np.any(near):
            return held
        try:
            x, y = skycoord_to_pixel(sky[near], self.wcs, origin=0, mode="wcs")
        except Exception:  # wcslib raises where no position at all can be projected
            return held
        held[index[near]] = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
        return held


_last_positions: tuple[Sequence[Target], np.ndarray] = ((), np.empty((4, 0)))


def _positions(targets: Sequence[Target]) -> np.ndarray:
    """x, y (px), RA and Dec (degrees) of targets, (4, N); NaN where one lacks it.

    Those of the last tuple are kept: a catalogue's rows are looked for on each of its frames, and of a hundred thousand
    this takes longer than all else.
    """
    global _last_positions  # both at once, so that threads need no lock
    known, values = _last_positions
    if known is targets:
        return values
    values = np.array([[_number(getattr(t, key)) for t in targets] for key in ("x", "y", "ra", "dec")])
    for i in (i for i, target in enumerate(targets) if isinstance(target.ra, str)):
        values[2:, i] = sky_position(targets[i].ra, targets[i].dec, None, None) or (np.nan, np.nan)
    values.flags.writeable = False
    if isinstance(targets, tuple):  # a list may have changed by the next call
        _last_positions = targets, values
    return values


def _number(value: Any) -> float:
    return float(value) if isinstance(value, float | int) else math.nan
