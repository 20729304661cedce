"""Point spread functions, and Sersic's law as it is seen through one.

A law with an ellipticity is drawn on a fine grid, convolved in two dimensions and read along the profile's ellipses. A
circular law convolved in one dimension would do for round galaxies alone: of an exponential with a half-light radius of
two FWHM, the PSF dims the ellipse of one FWHM by 0.09 mag where it is round, by 0.14 at an ellipticity of 0.3 and by
0.21 at 0.5, since it smears the minor axis more.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.profile.isophotes.given import Ellipses
from p2p_keras.profile.isophotes.harmonics import fit_harmonics
from p2p_keras.profile.isophotes.sampling import ReadImage, points_along

__all__ = ["REACH_FWHM", "Psf", "read_psf", "psf_of", "dimming", "seen_through"]

MOFFAT_BETA = 3.5
"""Of a PSF of which the FWHM alone is known: ground-based stars have 2.5 to 4.8 (Trujillo et al. 2001)."""

_PER_FWHM = 5.0  # grid pixels
_HALF = 64  # grid pixels: 12.8 FWHM
REACH_FWHM = 8.0
"""Beyond so many FWHM a law isn't changed by the PSF."""


@dataclass(frozen=True)
class Psf:
    """A point spread function as it is on the image, pixels included.

    Attributes
    ----------
    kernel : float array (N, N), N odd
        Sums to 1, its maximum in the middle.
    pixel_scale : float
        Arcsec per pixel of the kernel.
    fwhm : float
        Arcsec.
    """

    kernel: np.ndarray
    pixel_scale: float
    fwhm: float

    @classmethod
    def of_fwhm(cls, fwhm: float, beta: float = MOFFAT_BETA) -> Psf:
        """A Moffat profile of this FWHM (arcsec), as stars of the image have it.

        Raises
        ------
        UsageError
            It isn't positive.
        """
        if not (np.isfinite(fwhm) and fwhm > 0):
            raise UsageError(f"a PSF's FWHM of {fwhm:g} arcsec: it must be above 0")
        scale = fwhm / _PER_FWHM
        y, x = np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1] * scale
        core = fwhm / (2.0 * np.sqrt(2.0 ** (1.0 / beta) - 1.0))
        kernel = (1.0 + (x * x + y * y) / core**2) ** -beta
        return cls(kernel / kernel.sum(), scale, float(fwhm))

    @classmethod
    def of_array(cls, kernel: np.ndarray, pixel_scale: float, source: object = "the PSF") -> Psf:
        """An image of a star or of a PSF, of any sampling; its edge's level is taken off.

        Raises
        ------
        InputError
            It isn't a two-dimensional image of positive light.
        """
        kernel = np.nan_to_num(np.asarray(kernel, dtype=float))
        if kernel.ndim != 2 or min(kernel.shape) < 3:
            raise InputError(
                source, f"a PSF must be an image of at least 3 x 3 px, but this has the shape {kernel.shape}"
            )
        border = np.concatenate([kernel[0], kernel[-1], kernel[:, 0], kernel[:, -1]])
        kernel = np.clip(kernel - np.median(border), 0.0, None)
        if not kernel.sum() > 0:
            raise InputError(source, "this is not a PSF: it has no light above the level of its edge")
        # The area above half of the maximum is that of a circle of the FWHM.
        area = _area_above(kernel, 0.5 * kernel.max())
        return cls(kernel / kernel.sum(), float(pixel_scale), float(2.0 * np.sqrt(area / np.pi) * pixel_scale))

    @functools.cached_property
    def grid(self) -> tuple[float, np.ndarray]:
        """Arcsec per pixel of the fine grid, and the kernel's transform on it (2 `_HALF` twice as wide)."""
        from scipy import ndimage

        step = self.fwhm / _PER_FWHM
        y, x = (np.mgrid[-_HALF : _HALF + 1, -_HALF : _HALF + 1] * (step / self.pixel_scale)).astype(float)
        centre = np.array(ndimage.center_of_mass(self.kernel))
        fine = ndimage.map_coordinates(self.kernel, [y + centre[0], x + centre[1]], order=3, mode="constant")
        fine = np.clip(fine, 0.0, None)
        side = 4 * _HALF
        wide = np.zeros((side, side))
        wide[: 2 * _HALF + 1, : 2 * _HALF + 1] = fine / fine.sum()
        return step, np.fft.rfft2(np.roll(wide, (-_HALF, -_HALF), axis=(0, 1)))

    def convolved(self, image: np.ndarray) -> np.ndarray:
        """An image (4 `_HALF` - 1 pixels a side at most) of the fine grid after the PSF."""
        _, transform = self.grid
        side = 4 * _HALF
        return np.fft.irfft2(np.fft.rfft2(image, (side, side)) * transform, (side, side))[
            : image.shape[0], : image.shape[1]
        ]


def read_psf(text: str, pixel_scale: float | None = None) -> Psf:
    """The PSF of ``--psf FWHM|FILE``.

    Parameters
    ----------
    text : str
        An FWHM in arcsec, or a FITS image of any sampling: of its WCS, of its card PIXSCALE or PSFPIX (arcsec), or
        else of `pixel_scale`.
    pixel_scale : float, optional
        Of the image that it goes with, arcsec.

    Raises
    ------
    UsageError, InputError
        It is neither.
    """
    try:
        return Psf.of_fwhm(float(text))
    except ValueError:
        pass
    path = Path(text)
    if not path.is_file():
        raise UsageError(f"--psf {text}: neither a FWHM in arcsec nor a file")
    from astropy.io import fits

    try:
        with fits.open(path) as hdus:
            hdu = next((hdu for hdu in hdus if hdu.data is not None and np.ndim(hdu.data) == 2), None)
            if hdu is None:
                raise InputError(path, "this is not a PSF: it has no two-dimensional image")
            data, header = np.array(hdu.data, dtype=float), hdu.header
    except OSError as error:
        raise InputError(path, f"can't be read as FITS ({error})") from None
    scale = next((float(header[key]) for key in ("PIXSCALE", "PSFPIX") if key in header), None)
    if scale is None and "CD1_1" in header:
        scale = float(np.sqrt(abs(header["CD1_1"] * header.get("CD2_2", header["CD1_1"])))) * 3600.0
    if scale is None and "CDELT1" in header and abs(header["CDELT1"]) != 1.0:
        scale = abs(float(header["CDELT1"])) * 3600.0
    if scale is None:
        scale = pixel_scale
    if scale is None:
        raise InputError(path, "its sampling is unknown: it has no WCS and no card PIXSCALE (arcsec)")
    return Psf.of_array(data, scale, path)


def psf_of(text: str | os.PathLike[str], pixel_scale: float) -> Psf:
    """`read_psf`, remembered for the images of a run."""
    return _remembered(str(text), round(float(pixel_scale), 6))


@functools.lru_cache(maxsize=32)
def _remembered(text: str, pixel_scale: float) -> Psf:
    return read_psf(text, pixel_scale)


def dimming(psf: Psf, n: float, re: float, ellipticity: float, sma: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """How much fainter (mag) a Sersic law is seen through a PSF at each radius; see `seen_through`."""
    return seen_through(psf, n, re, ellipticity, sma, shapes)[0]


def seen_through(
    psf: Psf, n: float, re: float, ellipticity: float, sma: np.ndarray, shapes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A Sersic law through a PSF: how much fainter it is at each radius, and how much thinner than where it is read.

    Parameters
    ----------
    psf : Psf
    n, re, ellipticity : float
        Of the law; `re` along the major axis, arcsec.
    sma : float array (N,), arcsec
        0 is given beyond `REACH_FWHM`.
    shapes : float array (N,)
        Ellipticities of the ellipses along which it is read.

    Returns
    -------
    dimmed : float array (N,), mag
    thinner : float array (N,)
        Its second cosine over intensity and slope: to first order half of what its isophote's b/a lies below theirs.
    """
    step, _ = psf.grid
    dimmed, thinner = np.zeros((2, *sma.shape))
    near = np.flatnonzero(sma < REACH_FWHM * psf.fwhm)
    if near.size < 2:
        return dimmed, thinner
    half = _HALF - 1 + _HALF // 2
    law = _drawn(n, re / step, ellipticity, half)
    seen = psf.convolved(law)
    ellipses = Ellipses.of(half, half, sma[near] / step, np.clip(shapes[near], 0.0, 0.95), 0.0)
    points = points_along(ellipses)
    values, good = ReadImage(seen).values(points.x, points.y)
    harmonics = fit_harmonics(points, values, good).coefficients
    mean = np.maximum(points.sums(values * points.weight) / points.sums(points.weight), 1e-30)
    slope = -np.gradient(np.log(mean), np.log(sma[near]))
    thinner[near] = np.nan_to_num(harmonics[:, 4] / mean / np.maximum(slope, 0.2))
    bare = _sersic(ellipses.sma * step / re, n)
    dimmed[near] = -2.5 * np.log10(mean / bare)
    # The law along ellipses of another shape isn't the law at their major axis: that belongs to the PSF only near it.
    edge = np.clip((REACH_FWHM - sma / psf.fwhm) / (0.25 * REACH_FWHM), 0.0, 1.0)
    return dimmed * edge, thinner


def _sersic(radius: np.ndarray, n: float) -> np.ndarray:
    from p2p_keras.profile.derived.fits import sersic_mu

    return 10.0 ** (-0.4 * sersic_mu(np.maximum(radius, 1e-6), n, 1.0, 0.0))


def _drawn(n: float, re: float, ellipticity: float, half: int) -> np.ndarray:
    """A Sersic law on a grid of 2 half + 1 pixels; the middle, where it is steep, averaged over each pixel."""
    axis = np.arange(-half, half + 1, dtype=float)
    q = 1.0 - ellipticity
    image = _sersic(np.hypot(axis[None, :], axis[:, None] / q) / re, n)
    fine, near = 15, 4
    offsets = (np.arange((2 * near + 1) * fine) + 0.5) / fine - near - 0.5
    middle = _sersic(np.hypot(offsets[None, :], offsets[:, None] / q) / re, n)
    side = 2 * near + 1
    image[half - near : half + near + 1, half - near : half + near + 1] = middle.reshape(side, fine, side, fine).mean(
        axis=(1, 3)
    )
    return image


def _area_above(kernel: np.ndarray, level: float) -> float:
    """Pixels above a level, linear between pixels: the kernel seen four times as fine."""
    from scipy import ndimage

    return float((ndimage.zoom(kernel, 8, order=1, grid_mode=True, mode="nearest") > level).sum()) / 64.0
