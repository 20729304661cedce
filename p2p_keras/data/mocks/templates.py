"""Real morphology for mocks: deep images of real galaxies, shrunk, dimmed and put into other noise.

Shrinking an image k times averages k^2 pixels and more, so its own noise falls far below the new one; beyond the radius
where even that isn't enough, the light goes over into a smooth exponential tail of similar ellipses. The truth is
measured on the result as on any mock.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.core.robust import median_deviation
from p2p_keras.data.mocks.frame_cache import prepare_folder, prepared
from p2p_keras.data.mocks.psf import PSF
from p2p_keras.data.mocks.rendering import PAD_PX, Canvas, Rendered

__all__ = ["SIDE", "TYPICAL_FWHM", "MIN_SHRINK", "COLOUR_GRADIENT", "Template", "prepare_templates", "Templates"]

SIDE = 512
"""Templates are kept at this side at most."""
TYPICAL_FWHM = 1.2
"""Seeing of a template, arcsec; it matters little once shrunk."""
MIN_SHRINK = 2.0
"""Least factor by which a template shrinks."""
COLOUR_GRADIENT = 0.07
"""Magnitudes that a galaxy turns bluer by from one band to the next, per dex of radius (La Barbera et al. 2010, MNRAS
408, 1313; de Jong 1996, A&A 313, 377): for bands in which there is no image."""


_NAME_AND_BAND = re.compile(r"(.+)[-_.]([ugrizy])")


@dataclass(frozen=True)
class Template:
    """A cleaned image of a real galaxy, centred, of unit flux; `r50` and the PSF's `fwhm` in its pixels."""

    name: str
    band: str
    r50: float
    fwhm: float
    pixel_scale: float

    @property
    def galaxy(self) -> str:
        """The name without a band at its end: NAME-g, NAME_r and NAME.i are one galaxy."""
        match = _NAME_AND_BAND.fullmatch(self.name)
        return match[1] if match else self.name


def prepare_templates(folder: str | os.PathLike, cache: str | os.PathLike) -> list[InputError]:
    """Clean all images of a folder (sky, neighbours, faint outskirts) and keep them in a cache folder.

    Returns
    -------
    list of InputError
        Images that couldn't be used.

    Raises
    ------
    UsageError
        When none can be used.
    """
    return prepare_folder(folder, cache, _prepare, "template")


def _prepare(path: Path, name: str, cache: Path) -> Template:
    """Subtract the sky, replace neighbours by the opposite side, fade into the outermost isophote."""
    import sep
    from scipy.ndimage import gaussian_filter

    from p2p_keras.images import read_image

    # A template's flux is scaled anyway, so its own zero point doesn't matter.
    image = read_image(path, zero_point=22.5)
    pixels = np.ascontiguousarray(image.pixels, dtype=np.float32)
    bad = ~np.isfinite(pixels)
    if bad.mean() > 0.2:
        raise InputError(path, "more than a fifth of its pixels are masked, so it can't be a template")
    border = np.ones(pixels.shape, dtype=bool)
    edge = max(min(pixels.shape) // 12, 4)
    border[edge:-edge, edge:-edge] = False
    sky = float(np.median(pixels[border & ~bad]))
    noise = median_deviation(np.diff(pixels[border & ~bad]), 0.0) / float(np.sqrt(2.0))
    light = np.where(bad, np.float32(0.0), pixels - np.float32(sky))

    # The galaxy's large-scale light is taken off first, so that its arms don't count as sources.
    smooth = gaussian_filter(light, 6.0)
    sources, segments = sep.extract(light - smooth, 6.0, err=noise, segmentation_map=True, minarea=9)
    height, width = light.shape
    middle = np.array([0.5 * (width - 1), 0.5 * (height - 1)])
    bright = gaussian_filter(light, 3.0)
    y, x = np.mgrid[:height, :width]
    near = np.hypot(x - middle[0], y - middle[1]) < 0.1 * min(height, width)
    row, column = np.unravel_index(np.argmax(np.where(near, bright, -np.inf)), light.shape)
    if bright[row, column] < 10.0 * noise:
        raise InputError(path, "there is no galaxy above the noise in its middle, so it can't be a template")
    radius = np.hypot(x - column, y - row)
    foreign = np.zeros(light.shape, dtype=bool)
    for number, source in enumerate(sources, start=1):
        compact = source["b"] > 0.6 * source["a"] and source["peak"] > 25.0 * noise
        away = np.hypot(source["x"] - column, source["y"] - row) > 0.06 * min(height, width)
        if compact and away:
            foreign |= segments == number
    foreign = gaussian_filter(foreign.astype(np.float32), 3.0) > 0.05
    foreign |= bad
    # Half a turn about the centre gives what the galaxy has on the other side.
    half = int(min(row, column, height - 1 - row, width - 1 - column))
    if half < 48:
        raise InputError(path, "the galaxy isn't near the middle of the image, so it can't be a template")
    window = (slice(row - half, row + half + 1), slice(column - half, column + half + 1))
    light, foreign, radius = light[window].astype(float), foreign[window], radius[window]
    opposite, opposite_foreign = light[::-1, ::-1], foreign[::-1, ::-1]
    light = np.where(foreign, np.where(opposite_foreign, 0.0, opposite), light)
    light = _faded(light, _elliptical_radius(light, radius, noise), noise)
    total = float(light.sum())
    order = np.argsort(radius, axis=None)
    growth = np.cumsum(light.ravel()[order])
    r50 = float(radius.ravel()[order][np.searchsorted(growth, 0.5 * total)])
    if r50 < 12.0:
        raise InputError(
            path, f"half of its light is within {r50:.1f} pixels: the galaxy is too small to be a template"
        )
    scale = float(image.pixel_scale)
    if 2 * half + 1 > SIDE:
        factor = -(-(2 * half + 1) // SIDE)
        side = (2 * half + 1) // factor * factor
        cut = (2 * half + 1 - side) // 2
        light = light[cut : cut + side, cut : cut + side]
        light = light.reshape(side // factor, factor, side // factor, factor).sum(axis=(1, 3))
        r50 /= factor
        scale *= factor
    np.save(cache / f"{name}.npy", (light / light.sum()).astype(np.float32))
    named = _NAME_AND_BAND.fullmatch(name)
    return Template(name, image.band or (named[2] if named else ""), r50, TYPICAL_FWHM / scale, scale)


def _elliptical_radius(light: np.ndarray, radius: np.ndarray, noise: float) -> np.ndarray:
    """Semi-major axis of each pixel on similar ellipses, their shape from moments of the smoothed, bright part."""
    from scipy.ndimage import gaussian_filter

    bright = (gaussian_filter(light, 2.0) > 2.0 * noise) & (radius < 0.95 * light.shape[0] / 2)
    half = light.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    if bright.sum() < 50:
        return radius
    xx, yy, xy = (float(np.mean(v[bright])) for v in (x * x, y * y, x * y))
    angle = 0.5 * np.arctan2(2.0 * xy, xx - yy)
    root = np.hypot(0.5 * (xx - yy), xy)
    q = float(np.sqrt(max(0.5 * (xx + yy) - root, 1e-9) / (0.5 * (xx + yy) + root)))
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return np.hypot(along, across / max(q, 0.15))


def _faded(light: np.ndarray, radius: np.ndarray, noise: float) -> np.ndarray:
    """Light that goes over into an exponential tail of similar ellipses where the mean of a ring sinks to the noise."""
    rings = np.minimum(radius.astype(int), light.shape[0] // 2)  # of elliptical radius
    count = np.maximum(np.bincount(rings.ravel()), 1)
    mean = np.bincount(rings.ravel(), light.ravel()) / count
    faint = np.flatnonzero(mean < 0.5 * noise)
    end = float(faint[0]) if faint.size else 0.9 * light.shape[0] / 2
    end = min(end, 0.9 * light.shape[0] / 2)
    own = 1.0 / (1.0 + np.exp(np.clip((radius - 0.85 * end) / (0.04 * end), -40, 40)))
    # An exponential tail of the slope between half and the whole of the measured range.
    a, b = int(0.6 * end), int(0.9 * end)
    inner, outer = max(mean[a], 1e-9 * mean.max()), max(mean[b], 1e-9 * mean.max())
    slope = max(np.log(inner / outer) / max(b - a, 1), 1.0 / end)
    tail = outer * np.exp(-slope * (radius - b))
    return own * light + (1.0 - own) * tail


class Templates:
    """Templates prepared by `prepare_templates`."""

    def __init__(self, cache: str | os.PathLike) -> None:
        self.cache = Path(cache)
        self.templates = prepared(self.cache, Template)
        self._images: dict[str, np.ndarray] = {}
        self._bands: dict[str, list[Template]] = {}
        for template in self.templates:
            self._bands.setdefault(template.galaxy, []).append(template)

    def choose(self, rng: np.random.Generator, band: str = "r") -> Template:
        """A galaxy at random, its image in the band where there is one, else in the band nearest to it."""
        names = sorted(self._bands)
        images = self._bands[names[int(rng.integers(len(names)))]]
        return min(images, key=lambda image: (abs(_place(image.band) - _place(band)), image.band))

    def render(
        self,
        template: Template,
        canvas: Canvas,
        x0: float,
        y0: float,
        r50: float,
        flux: float,
        pa: float,
        mirror: bool,
        band: str = "",
    ) -> Rendered:
        """Draw a template as `rendering.render` draws a galaxy.

        Parameters
        ----------
        template : Template
        canvas : Canvas
        x0, y0 : float
            Centre, pixels.
        r50 : float
            Half-light radius wanted, pixels; held at what `MIN_SHRINK` allows.
        flux : float
        pa : float
            Turn, radians.
        mirror : bool
        band : str, optional
            Another band than the template's gets a colour gradient.
        """
        from scipy.ndimage import map_coordinates

        if template.name not in self._images:
            self._images[template.name] = np.load(self.cache / f"{template.name}.npy")
        image = _in_band(self._images[template.name], template, band)
        # All bands of a galaxy shrink by one factor: that of its first.
        first = self._bands[template.galaxy][0]
        shrink = max(first.r50 * first.pixel_scale / template.pixel_scale / r50, MIN_SHRINK)
        # Half-pixel steps: samples of the template smoothed to their spacing.
        over = 2
        side = canvas.side
        grid = (np.arange(side * over) + 0.5) / over - 0.5
        dx, dy = (grid - x0 - PAD_PX)[None, :] * shrink, (grid - y0 - PAD_PX)[:, None] * shrink
        c, s = np.cos(pa), np.sin(pa)
        middle = 0.5 * (image.shape[0] - 1)
        smooth = _smoothed(image, 0.42 * shrink / over)
        column, row = c * dx + s * dy, c * dy - s * dx
        if mirror:
            column = -column
        plane = map_coordinates(smooth, (row + middle, column + middle), order=1, cval=0.0)
        plane = plane.reshape(side, over, side, over).sum(axis=(1, 3)) * (shrink / over) ** 2 * flux
        beyond = max(flux - float(plane.sum()), 0.0)
        # Its own seeing, shrunk, is already there.
        own = template.fwhm / shrink
        fwhm = float(np.sqrt(max(canvas.psf.fwhm**2 - own**2, 1.0)))
        psf = PSF(fwhm, canvas.psf.beta, canvas.psf.wing, canvas.psf.e1, canvas.psf.e2)
        narrowed = Canvas(canvas.size, psf, canvas.pixel_scale)
        seen = narrowed.cropped(narrowed.convolved(plane))
        return Rendered(np.ascontiguousarray(np.maximum(seen, 0.0)), float(plane.sum()) + beyond)


def _place(band: str) -> int:
    """Order of a band in wavelength."""
    return "ugrizy".find(band) if band else 2


def _in_band(image: np.ndarray, template: Template, band: str) -> np.ndarray:
    """A template as it would look in another band: bluer outward."""
    steps = _place(template.band) - _place(band) if band else 0
    if not steps:
        return image
    half = image.shape[0] // 2
    offset = (np.arange(image.shape[0], dtype=np.float32) - half) / np.float32(template.r50)
    radius2 = offset[:, None] ** 2 + offset[None, :] ** 2 + np.float32(0.01)
    turned = image * radius2 ** np.float32(0.5 * 0.4 * COLOUR_GRADIENT * steps)
    return turned / turned.sum()


def _smoothed(image: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, sigma) if sigma > 0.3 else image
