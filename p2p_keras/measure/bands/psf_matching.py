"""Bands brought to one PSF before their colours are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.profile.derived.psf import Psf, psf_of

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = ["parse_band_psfs", "match_psfs", "matching_kernel"]

_SAME = 0.02
"""PSFs whose FWHM differ by less are left as they are."""

_SIDE_FWHM = 8.0


def parse_band_psfs(text: str) -> dict[str, str]:
    """Read ``g=1.3,r=psf-r.fits``: a FWHM in arcsec or a file for each band.

    Raises
    ------
    UsageError
        It isn't that.
    """
    psfs = {}
    for part in text.split(","):
        band, equals, value = part.partition("=")
        if not equals or not band.strip() or not value.strip():
            raise UsageError(
                f"--psf {text}: with --match-psf give one for each band, as g=1.3,r=1.1 or g=g.fits,r=r.fits"
            )
        psfs[band.strip()] = value.strip()
    return psfs


def match_psfs(images: Mapping[str, GalaxyImage], psfs: Mapping[str, str]) -> dict[str, GalaxyImage]:
    """Convolve each band to the widest PSF among them.

    The kernels are photutils' (`photutils.psf_matching`), which regularises the ratio of transforms where it is noise.
    Masked pixels are left out of the convolution, and stay masked.

    Parameters
    ----------
    images : mapping of str to GalaxyImage
        By band.
    psfs : mapping of str to str
        Of each band, a FWHM (arcsec) or a file.

    Returns
    -------
    dict of str to GalaxyImage
        ``notes`` say what was done.

    Raises
    ------
    InputError
        A band has no PSF.
    """
    for band, image in images.items():
        if band not in psfs:
            raise InputError(
                image.source, f"--match-psf: no PSF was given for the band {band} (only {', '.join(psfs)})"
            )
    known = {band: psf_of(psfs[band], image.pixel_scale) for band, image in images.items()}
    widest = max(known, key=lambda band: known[band].fwhm)
    target = known[widest]
    return {
        band: image if known[band].fwhm > (1.0 - _SAME) * target.fwhm else _smoothed(image, known[band], target, widest)
        for band, image in images.items()
    }


def _smoothed(image: GalaxyImage, own: Psf, target: Psf, widest: str) -> GalaxyImage:
    from scipy.signal import fftconvolve

    kernel = matching_kernel(own, target, image.pixel_scale)
    good = np.isfinite(image.pixels)
    light = fftconvolve(np.where(good, image.pixels, 0.0), kernel, mode="same")
    share = fftconvolve(good.astype(float), kernel, mode="same")
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = np.where(good & (share > 0.5), light / share, np.nan).astype(np.float32)
    note = f"convolved from a PSF of {own.fwhm:.2f} to the {target.fwhm:.2f} arcsec of the band {widest}"
    return replace(image, pixels=pixels, notes=(*image.notes, note))


def matching_kernel(own: Psf, target: Psf, pixel_scale: float) -> np.ndarray:
    """Kernel that brings one PSF to a wider one, on pixels of an image; sums to 1."""
    half = int(np.ceil(0.5 * _SIDE_FWHM * target.fwhm / pixel_scale)) + 2
    narrow, wide = _on_pixels(own, half, pixel_scale), _on_pixels(target, half, pixel_scale)
    try:
        from photutils.psf_matching import make_kernel

        kernel = make_kernel(narrow, wide)
    except ImportError:  # before photutils 3
        from photutils.psf.matching import TukeyWindow, create_matching_kernel

        kernel = create_matching_kernel(narrow, wide, window=TukeyWindow(0.4))
    return np.asarray(kernel) / np.sum(kernel)


def _on_pixels(psf: Psf, half: int, pixel_scale: float) -> np.ndarray:
    from scipy import ndimage

    y, x = np.mgrid[-half : half + 1, -half : half + 1] * (pixel_scale / psf.pixel_scale)
    centre = ndimage.center_of_mass(psf.kernel)
    values = ndimage.map_coordinates(psf.kernel, [y + centre[0], x + centre[1]], order=3, mode="constant")
    values = np.clip(values, 0.0, None)
    return values / values.sum()
