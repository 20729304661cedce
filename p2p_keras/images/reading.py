"""Reading a FITS file as a `GalaxyImage`."""

from __future__ import annotations

import os
from typing import Any, Unpack

from p2p_keras.core.errors import InputError
from p2p_keras.images.cutout import MAX_SIDE, MIN_SIDE, check_size
from p2p_keras.images.frame import open_frame
from p2p_keras.images.galaxy_image import GalaxyImage, check_calibration
from p2p_keras.images.image_options import ImageOptions
from p2p_keras.images.targets import sky_position

__all__ = ["read_image", "as_galaxy_image"]


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
    plane: int | str | None = None,
    mask_bits: int | str | None = None,
    sigma: Any = None,
    variance: Any = None,
    weight: Any = None,
    companions: bool = True,
    to_ab: bool = False,
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
        Number (0 = primary) or EXTNAME of the image's HDU. Default: by what names and headers say
        (`p2p_keras.images.hdus.choose_image`); with `ra` and `dec` the first science image that contains the target.
    ra, dec : float or str, optional
        The target's ICRS position in degrees, or as text such as ``"13:22:02.4"`` (hours) and ``"+36:43:51"``.
    x, y : float, optional
        The target's pixel in the file, 0-based (pixel (0, 0) is the centre of the first pixel).
    size : int, optional
        Side of the square to cut, from 48 px on; above 2048 px it is binned. Default: 256 with a target; without one
        the whole image. One beyond 2048 px is cut to what its galaxy's light needs, and binned if that is larger still;
        to one below 48 px NaN is added.
    mask : path or array (H, W), optional
        Pixels to ignore: a FITS image ``FILE`` or ``FILE[HDU]`` or an array, of the image's shape, non-zero is ignored;
        or a DS9 region file (needs the package `regions`).
    name : str, optional
        Default: the file's name without its endings.
    plane : int or str, optional
        Plane of a cube, by its number from 0 or its band; in a file with an HDU for each band, the band.
    mask_bits : int or str, optional
        Bits of the mask that count: ``1 | 2 | 16``, ``"1,2,16"``, or names of its header's planes (``"SAT,CR"``).
    sigma, variance, weight : path or array (H, W), optional
        Noise map, ``FILE`` or ``FILE[HDU]``: 1-sigma noise, its square, or relative weights (whose scale is set by the
        scatter of the pixels). Pixels of no weight are masked.
    companions : bool
        Use the noise map and the mask that are in the file or, by their names, beside it.
    to_ab : bool
        Convert a Vega zero point to AB by published offsets.

    Returns
    -------
    GalaxyImage
        With what was cut, padded or found odd in `notes`.

    Raises
    ------
    MissingCalibrationError
        The zero point or pixel scale is unknown; the message names the keywords looked for and the option to set.
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
            plane=plane,
            mask_bits=mask_bits,
            sigma=sigma,
            variance=variance,
            weight=weight,
            companions=companions,
            to_ab=to_ab,
        )


def as_galaxy_image(image: Any, *, index: int = 0, **options: Unpack[ImageOptions]) -> GalaxyImage:
    """Make a `GalaxyImage` of a file, an array or one that is one already.

    Parameters
    ----------
    image : str, path, array (H, W) or GalaxyImage
    index : int
        For the name of an array that has none.
    **options
        See `p2p_keras.images.image_options.ImageOptions`.

    Returns
    -------
    GalaxyImage
        Without margins that are NaN throughout.

    Raises
    ------
    InputError
        It can't be used: unreadable, not an image, or with no pixel left.
    MissingCalibrationError
        Zero point or pixel scale is unknown.
    """
    given: dict[str, Any] = {key: value for key, value in options.items() if value is not None}
    if isinstance(image, (str, os.PathLike)):
        image = read_image(image, **given)
    elif not isinstance(image, GalaxyImage):
        if unknown := sorted(set(given) - {"zero_point", "pixel_scale", "mask", "band", "name", "wcs", "sigma"}):
            raise TypeError(f"{', '.join(unknown)}: only for files, not for arrays")
        image = GalaxyImage.from_array(image, **({"name": f"array-{index}"} | given))
    height, width = image.shape
    if min(height, width) < MIN_SIDE or max(height, width) > MAX_SIDE:
        raise InputError(
            image.source or image.name, f"{width} x {height} px: a model takes sides of {MIN_SIDE} to {MAX_SIDE} px"
        )
    return image.without_empty_margins()
