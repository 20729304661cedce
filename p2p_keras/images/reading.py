"""Reading a FITS file as a `GalaxyImage`."""

from __future__ import annotations

import os
from typing import Any

from p2p_keras.core.contract import MAX_SIDE, MIN_SIDE
from p2p_keras.core.errors import InputError
from p2p_keras.images.cutout import check_size
from p2p_keras.images.frame import open_frame, sky_position
from p2p_keras.images.galaxy_image import GalaxyImage, check_calibration


def read_image(
    path: str | os.PathLike[str],
    *,
    zero_point: float | None = None,
    pixel_scale: float | None = None,
    band: str | None = None,
    hdu: int | str | None = None,
    ra: float | str | None = None,
    dec: float | str | None = None,
    x: float | None = None,
    y: float | None = None,
    size: int | None = None,
    mask: Any = None,
    name: str | None = None,
) -> GalaxyImage:
    """Read a galaxy's image, cut out its target and find its calibration.

    Parameters
    ----------
    path : str or path
        FITS: plain, ``.gz``, ``.bz2`` or tile-compressed (``.fz``), any number type, BSCALE, BZERO and BLANK applied.
    zero_point : float, optional
        AB magnitude of a pixel value of one; overrides the header.
    pixel_scale : float, optional
        Arcsec per pixel; overrides WCS and header, for areas and lengths (see `GalaxyImage`).
    band : str, optional
        Filter; overrides the header.
    hdu : int or str, optional
        Number (0 = primary) or EXTNAME of the image's HDU. Default: the first HDU that has an image; with `ra` and
        `dec` the first science image that contains the target.
    ra, dec : float or str, optional
        The target's ICRS position in degrees, or as text such as ``"13:22:02.4"`` (hours) and ``"+36:43:51"``.
    x, y : float, optional
        The target's pixel in the file, 0-based (pixel (0, 0) is the centre of the first pixel).
    size : int, optional
        Side of the square to cut, 48 to 2048 px. Default: 256 with a target; without one the whole image, of which the
        middle 2048 px are kept where it is larger and to which NaN is added up to 48 px where it is smaller.
    mask : path or array (H, W), optional
        Pixels to ignore, of the file's image shape: non-zero is ignored.
    name : str, optional
        Default: the file's name without its endings.

    Returns
    -------
    GalaxyImage
        With what was cut, padded or found odd in `notes`.

    Raises
    ------
    MissingCalibrationError
        The zero point or pixel scale can't be known; the message names the keywords looked for and the option to set.
    InputError
        The file can't be read as an image, or the target isn't on it.
    UsageError
        The arguments contradict each other (half a position, both positions, an impossible size).
    """
    check_calibration(zero_point, pixel_scale)
    check_size(size)
    sky_position(ra, dec, x, y)
    with open_frame(path) as frame:
        return frame.image(
            zero_point=zero_point,
            pixel_scale=pixel_scale,
            band=band,
            hdu=hdu,
            ra=ra,
            dec=dec,
            x=x,
            y=y,
            size=size,
            mask=mask,
            name=name,
        )


def as_galaxy_image(image: Any, *, index: int = 0, **options: Any) -> GalaxyImage:
    """Make a `GalaxyImage` of a file, an array or one that is one already.

    Raises
    ------
    InputError
        It can't be used: unreadable, not an image, or with no pixel left.
    MissingCalibrationError
        Zero point or pixel scale can't be known.
    """
    options = {key: value for key, value in options.items() if value is not None}
    if isinstance(image, (str, os.PathLike)):
        image = read_image(image, **options)
    elif not isinstance(image, GalaxyImage):
        if unknown := sorted(set(options) - {"zero_point", "pixel_scale", "mask", "band", "name", "wcs"}):
            raise TypeError(f"{', '.join(unknown)}: only for files, not for arrays")
        image = GalaxyImage.from_array(image, **({"name": f"array-{index}"} | options))
    height, width = image.shape
    if min(height, width) < MIN_SIDE or max(height, width) > MAX_SIDE:
        raise InputError(
            image.source or image.name, f"{width} x {height} px: a model takes sides of {MIN_SIDE} to {MAX_SIDE} px"
        )
    return image.without_empty_margins()
