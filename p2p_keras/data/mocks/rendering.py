"""From a galaxy's components to its noise-free image through the PSF.

The smooth light is split by a window into a core, drawn four times finer and convolved finely, and the rest, which is
smooth on the scale of a pixel and convolved on the pixel grid; one Fourier transform each. GalSim's photometrically
exact drawing takes 100 to 450 ms for one Sersic profile of an index not met before (measured), this 30 ms for a whole
galaxy of any structure; the tests hold it against GalSim.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from p2p_keras.data.mocks.components import Galaxy, Knots
from p2p_keras.data.mocks.inclined_disc import Disc
from p2p_keras.data.mocks.light import band_factor
from p2p_keras.data.mocks.psf import PSF

__all__ = [
    "OVERSAMPLING",
    "CORE_PX",
    "PAD_PX",
    "Canvas",
    "Rendered",
    "render",
    "light_on_grid",
    "point_source",
    "add_knots",
]

OVERSAMPLING = 4
CORE_PX = 20
"""Half side of the finely drawn core; the window falls to zero there."""
_CORE_PAD = 12
PAD_PX = 20
"""Margin of the canvas around the image: light just outside scatters in."""
_CENTRE_FINE = 3
_CENTRE_SUB = 9


@dataclass(frozen=True)
class Canvas:
    """A pixel grid with margins, and the PSF on it.

    Parameters
    ----------
    size : int
        Side of the image, pixels.
    psf : PSF
    pixel_scale : float, arcsec
    """

    size: int
    psf: PSF
    pixel_scale: float

    @property
    def side(self) -> int:
        """Side with margins, padded to a quick length for Fourier transforms."""
        from scipy.fft import next_fast_len

        return next_fast_len(self.size + 2 * PAD_PX, real=True)

    def psf_transform(self) -> np.ndarray:
        """Fourier transform of the effective PSF (pixel included) on the padded grid."""
        return _psf_transform(self.psf, self.side)

    def convolved(self, plane: np.ndarray) -> np.ndarray:
        """A plane of `side`^2 pixels through the PSF, as precise as the plane is: float32 takes half the time."""
        from scipy.fft import irfft2, rfft2

        transform = rfft2(plane)
        transform *= self.psf_transform()
        return irfft2(transform, s=plane.shape)

    def cropped(self, plane: np.ndarray) -> np.ndarray:
        """The image's part of a plane."""
        return plane[PAD_PX : PAD_PX + self.size, PAD_PX : PAD_PX + self.size]


@lru_cache(maxsize=2)
def _psf_transform(psf: PSF, side: int) -> np.ndarray:
    from scipy.fft import rfft2

    step = np.fft.fftfreq(side, 1.0 / side).astype(np.float32)
    image = psf(step[None, :], step[:, None]).astype(float)
    # Where the PSF is curved on the scale of a pixel, its mean over the pixel.
    near = 10
    fine = _fine_offsets(near)
    inner = psf(fine[None, :], fine[:, None]).reshape(2 * near + 1, OVERSAMPLING, 2 * near + 1, OVERSAMPLING)
    index = np.arange(-near, near + 1)
    image[np.ix_(index, index)] = inner.mean(axis=(1, 3))
    # The wing beyond the grid is counted where the grid ends: it is missing, not put back into the core.
    return rfft2(image)


def _fine_offsets(half: int) -> np.ndarray:
    """Centres of the fine pixels of the pixels -half to half."""
    number = (2 * half + 1) * OVERSAMPLING
    return ((np.arange(number) + 0.5) / OVERSAMPLING - 0.5 - half).astype(np.float32)


@dataclass(frozen=True)
class Rendered:
    """A noise-free galaxy.

    Attributes
    ----------
    image : float64 array (size, size), flux per pixel
    flux : float
        Total flux: all light on the canvas, before the PSF, and the components' analytic light beyond it.
    """

    image: np.ndarray
    flux: float


def render(galaxy: Galaxy, canvas: Canvas, band: str, x0: float, y0: float, unit: float) -> Rendered:
    """Draw a galaxy.

    Parameters
    ----------
    galaxy : Galaxy
    canvas : Canvas
    band : str
    x0, y0 : float
        Centre in pixels of the image.
    unit : float
        Flux in the image's unit of the galaxy's unit flux.
    """
    side, scale = canvas.side, canvas.pixel_scale
    cx, cy = x0 + PAD_PX, y0 + PAD_PX
    per_pixel = unit * scale * scale
    x = ((np.arange(side) - cx) * scale).astype(np.float32)
    y = ((np.arange(side) - cy) * scale).astype(np.float32)
    whole = _smooth_light(galaxy, x[None, :], y[:, None], band)
    plane = whole.total

    # The core, finely.
    ix, iy = round(cx), round(cy)
    fine = _fine_offsets(CORE_PX)
    fx = (fine - np.float32(cx - ix)) * np.float32(scale)
    fy = (fine - np.float32(cy - iy)) * np.float32(scale)
    finely = _smooth_light(galaxy, fx[None, :], fy[:, None], band)
    core = finely.total
    _refine_centre(galaxy, core, fx, fy, scale / OVERSAMPLING, band)

    rows = slice(iy - CORE_PX, iy + CORE_PX + 1)
    columns = slice(ix - CORE_PX, ix + CORE_PX + 1)
    light = plane - whole.pattern
    on_canvas = float(light.sum() - light[rows, columns].sum() + _bin(core - finely.pattern).sum()) * per_pixel
    analytic = sum(component.flux(band) for component in galaxy.smooth) * unit
    beyond = max(analytic - on_canvas, 0.0)

    core *= finely.dust
    if galaxy.dust:
        plane *= whole.dust
    window = _window(np.hypot(fx[None, :], fy[:, None]) / np.float32(scale))
    coarse_window = _window(np.hypot(x[columns][None, :], y[rows][:, None]) / np.float32(scale))
    core *= window
    core_binned = _bin(core)
    plane = plane.astype(float)
    plane[rows, columns] *= 1.0 - coarse_window
    plane[rows, columns] += core_binned
    plane *= per_pixel
    flux = float(plane.sum()) + beyond
    for knots in galaxy.knots:
        add_knots(plane, knots, cx, cy, scale, unit * band_factor(knots.colour, band))
        flux += knots.flux(band) * unit

    image = canvas.convolved(plane)
    _correct_core(image, core, core_binned, canvas.psf, ix, iy, per_pixel)
    if galaxy.nucleus:
        nucleus = galaxy.nucleus * unit * band_factor(galaxy.nucleus_colour, band)
        image += nucleus * point_source(canvas.psf, side, cx, cy)
        flux += nucleus
    return Rendered(np.ascontiguousarray(canvas.cropped(image)), flux)


class _Light(NamedTuple):
    """Smooth components on some grid, per square arcsec."""

    total: np.ndarray
    pattern: np.ndarray | np.float32
    """What arms and patches have added to it: their mean isn't quite zero, and analytic fluxes don't know of it."""
    dust: np.ndarray | np.float32
    """Factor on the light."""


def _smooth_light(galaxy: Galaxy, x: np.ndarray, y: np.ndarray, band: str) -> _Light:
    """Sum of the smooth components per square arcsec, and the dust's factor."""
    x, y = np.broadcast_arrays(x, y)
    total: np.ndarray = np.zeros(x.shape, dtype=np.float32)
    pattern: np.ndarray | np.float32 = np.float32(0.0)
    for component in galaxy.smooth:
        if isinstance(component, Disc) and component.arms is not None:
            light, smooth = component.light_and_smooth(x, y, band)
            pattern = pattern + (light - smooth)
        else:
            light = component.light(x, y, band)
        total += light
    factor: np.ndarray | np.float32 = np.float32(1.0)
    for dust in galaxy.dust:
        factor = factor * dust.factor(x, y, band)
    return _Light(total, pattern, factor)


def light_on_grid(galaxy: Galaxy, x: np.ndarray, y: np.ndarray, band: str) -> np.ndarray:
    """Smooth light with dust, flux per square arcsec, at the crossings of x and y (arcsec): for neighbours."""
    light = _smooth_light(galaxy, x[None, :], y[:, None], band)
    return light.total * light.dust


def _refine_centre(galaxy: Galaxy, core: np.ndarray, fx: np.ndarray, fy: np.ndarray, step: float, band: str) -> None:
    """Replace the fine pixels at the centre, where cusps are steep, by means over still finer ones."""
    half = _CENTRE_FINE // 2
    column, row = int(np.argmin(np.abs(fx))), int(np.argmin(np.abs(fy)))
    sub = ((np.arange(_CENTRE_SUB) + 0.5) / _CENTRE_SUB - 0.5) * step
    xs = (fx[column - half : column + half + 1, None] + sub).ravel().astype(np.float32)
    ys = (fy[row - half : row + half + 1, None] + sub).ravel().astype(np.float32)
    light = _smooth_light(galaxy, xs[None, :], ys[:, None], band).total
    mean = light.reshape(_CENTRE_FINE, _CENTRE_SUB, _CENTRE_FINE, _CENTRE_SUB).mean(axis=(1, 3))
    core[row - half : row + half + 1, column - half : column + half + 1] = mean


def _window(radius: np.ndarray) -> np.ndarray:
    """One inside, zero at the core's border, smooth between."""
    t = np.clip((radius - 7.0) / (CORE_PX - 0.5 - 7.0), 0.0, 1.0)
    return (1.0 - t * t * t * (10.0 + t * (6.0 * t - 15.0))).astype(np.float32)


def _bin(fine: np.ndarray) -> np.ndarray:
    """Mean of the fine pixels of each pixel."""
    n = fine.shape[0] // OVERSAMPLING
    return fine.reshape(n, OVERSAMPLING, n, OVERSAMPLING).mean(axis=(1, 3), dtype=float)


def _correct_core(
    image: np.ndarray, core: np.ndarray, core_binned: np.ndarray, psf: PSF, ix: int, iy: int, per_pixel: float
) -> None:
    """Add to `image` the difference between convolving the core finely and convolving it on the pixel grid."""
    from scipy.fft import irfft2, rfft2

    half = CORE_PX + _CORE_PAD
    number = 2 * half + 1
    fine_side = number * OVERSAMPLING
    pad = _CORE_PAD * OVERSAMPLING
    fine = np.zeros((fine_side, fine_side))
    fine[pad:-pad, pad:-pad] = core
    transform, coarse_transform = _core_psf_transforms(psf, number)
    finely = _bin(irfft2(rfft2(fine) * transform, s=fine.shape))
    coarse = np.zeros((number, number))
    coarse[_CORE_PAD:-_CORE_PAD, _CORE_PAD:-_CORE_PAD] = core_binned
    coarsely = irfft2(rfft2(coarse) * coarse_transform, s=coarse.shape)
    difference = (finely - coarsely) * per_pixel
    taper = np.clip((half + 0.5 - np.abs(np.arange(-half, half + 1))) / (_CORE_PAD / 2), 0.0, 1.0)
    difference *= taper[:, None] * taper[None, :]
    top, left = iy - half, ix - half
    rows = slice(max(top, 0), min(top + number, image.shape[0]))
    columns = slice(max(left, 0), min(left + number, image.shape[1]))
    image[rows, columns] += difference[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


@lru_cache(maxsize=2)
def _core_psf_transforms(psf: PSF, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Transforms of the PSF on the fine and on the coarse grid of the core."""
    from scipy.fft import rfft2

    fine_side = number * OVERSAMPLING
    step = (np.fft.fftfreq(fine_side, 1.0 / fine_side) / OVERSAMPLING).astype(np.float32)
    fine = psf(step[None, :], step[:, None]).astype(float) / OVERSAMPLING**2
    # Pixel (0, 0) of the coarse grid: the mean over it, as in `_psf_transform`.
    half = number // 2
    offsets = _fine_offsets(half)
    mean = psf(offsets[None, :], offsets[:, None]).astype(float)
    mean = mean.reshape(number, OVERSAMPLING, number, OVERSAMPLING).mean(axis=(1, 3))
    coarse = np.fft.ifftshift(mean)
    return rfft2(fine), rfft2(coarse)


def point_source(psf: PSF, side: int, cx: float, cy: float) -> np.ndarray:
    """Image of a star of unit flux: the PSF, averaged over pixels near its centre."""
    x = (np.arange(side) - cx).astype(np.float32)
    y = (np.arange(side) - cy).astype(np.float32)
    image = psf(x[None, :], y[:, None]).astype(float)
    half = 6
    ix, iy = round(cx), round(cy)
    if half <= ix < side - half and half <= iy < side - half:
        fine = _fine_offsets(half)
        inner = psf((fine - np.float32(cx - ix))[None, :], (fine - np.float32(cy - iy))[:, None])
        number = 2 * half + 1
        image[iy - half : iy + half + 1, ix - half : ix + half + 1] = inner.reshape(
            number, OVERSAMPLING, number, OVERSAMPLING
        ).mean(axis=(1, 3))
    return image


def add_knots(plane: np.ndarray, knots: Knots, cx: float, cy: float, scale: float, unit: float) -> None:
    """Add Gaussian knots to a plane; none is narrower than 0.7 pixel, so that the pixel grid can hold it."""
    height, width = plane.shape
    sigmas = np.maximum(knots.sigma / scale, 0.7)
    for kx, ky, sigma, total in zip(cx + knots.x / scale, cy + knots.y / scale, sigmas, knots.total, strict=True):
        half = int(np.ceil(4.0 * sigma))
        left, right = max(int(kx) - half, 0), min(int(kx) + half + 1, width)
        bottom, top = max(int(ky) - half, 0), min(int(ky) + half + 1, height)
        if left >= right or bottom >= top:
            continue
        gx = np.exp(-0.5 * ((np.arange(left, right) - kx) / sigma) ** 2)
        gy = np.exp(-0.5 * ((np.arange(bottom, top) - ky) / sigma) ** 2)
        plane[bottom:top, left:right] += (total * unit / (2.0 * np.pi * sigma * sigma)) * gy[:, None] * gx[None, :]
