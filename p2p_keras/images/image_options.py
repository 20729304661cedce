"""Keywords that say of an image what its header lacks, has wrong, or doesn't know: the same in every function."""

from __future__ import annotations

from typing import Any, TypedDict

__all__ = ["FileOptions", "ImageOptions", "TargetOptions"]


class FileOptions(TypedDict, total=False):
    """What `p2p_keras.images.read_image` takes; None is the same as nothing.

    ``zero_point`` (AB magnitude of unit flux), ``pixel_scale`` (arcsec per pixel), ``band`` and ``name`` override the
    header; ``hdu`` and ``plane`` choose the array; ``ra``, ``dec`` (degrees, or text in hours and degrees) or ``x``,
    ``y`` (px, from 0) say where the target is, ``size`` (px) how much is cut out. ``mask`` (true or non-zero where a
    pixel is to be ignored) with ``mask_bits``, and ``sigma`` (1-sigma noise), ``variance`` or ``weight`` are files or
    arrays; ``companions=False`` leaves alone those in the file or beside it. ``to_ab`` converts Vega magnitudes.
    """

    zero_point: float | None
    pixel_scale: float | None
    band: str | None
    hdu: int | str | None
    ra: float | str | None
    dec: float | str | None
    x: float | None
    y: float | None
    size: int | None
    mask: Any
    name: str | None
    plane: int | str | None
    mask_bits: int | str | None
    sigma: Any
    variance: Any
    weight: Any
    companions: bool | None
    to_ab: bool | None


class ImageOptions(FileOptions, total=False):
    """`FileOptions` for files; and for arrays ``wcs``, an `astropy.wcs.WCS`.

    An array needs ``zero_point`` and ``pixel_scale`` or ``wcs``, and may have ``band``, ``mask``, ``name``, ``sigma``.
    """

    wcs: Any


class TargetOptions(FileOptions, total=False):
    """`FileOptions`, and what is known of a galaxy beside its image: the fields of `p2p_keras.images.Target`."""

    redshift: float | None
    extinction: float | None
    ebv: float | None
