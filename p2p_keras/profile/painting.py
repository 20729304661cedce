"""A profile painted along its own ellipses: the two-dimensional model of the galaxy, and what deviates from it.

The mask that the attention implies is found here without the network: pixels that stand out from the profile along
their own ellipse are those that the measurement has to have ignored. The same rule serves `predict --mask-image`,
forced photometry and flags, whatever model measured the profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.ellipse import vector_from_angles
from p2p_keras.core.robust import lower_deviation, median_deviation
from p2p_keras.core.units import intensity_from_mu
from p2p_keras.profile.columns import extinction_corrected, pa_from_x, plain_arrays

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["Isophotes", "Painted", "paint", "painted_intensity", "outer_slope", "deviating_pixels", "quiet_noise"]

_ITERATIONS = 12
DEVIATION_SIGMA = 4.0
"""A pixel deviates when it exceeds the profile by so many times the scatter along its ellipse ..."""
DEVIATION_SHARE = 0.5
"""... and by this share of the profile itself: spiral arms and bars stay below, stars and neighbours don't."""
_MIN_PIXELS = 3
_GROWN = 1


@dataclass(frozen=True)
class Isophotes:
    """The ellipses of a profile in pixels of an image (or of any plane with such coordinates).

    Attributes
    ----------
    x0, y0 : float
        Centre, px.
    sma : float array (N,), increasing
        Semi-major axes, px.
    e1, e2 : float array (N,)
        Ellipse vectors, `p2p_keras.core.ellipse`.
    """

    x0: float
    y0: float
    sma: np.ndarray
    e1: np.ndarray
    e2: np.ndarray

    @classmethod
    def of(cls, profile: QTable, image: GalaxyImage) -> Isophotes:
        """Ellipses of a profile that was measured on this image."""
        arrays = plain_arrays(profile)
        e1, e2 = vector_from_angles(arrays["ellipticity"], pa_from_x(arrays["pa"], profile.meta))
        x0, y0 = image.from_file(profile.meta["x0"], profile.meta["y0"])
        return cls(float(x0), float(y0), arrays["sma"] / image.pixel_scale, e1, e2)

    def shape_at(self, sma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ellipse vectors at any radii, linear in ln(sma) and constant beyond both ends.

        Parameters
        ----------
        sma : array of any shape
            Semi-major axes, px.

        Returns
        -------
        e1, e2 : arrays of the same shape
        """
        log_r, known = np.log(np.maximum(sma, 1e-9)), np.log(self.sma)
        return np.interp(log_r, known, self.e1), np.interp(log_r, known, self.e2)

    def radius_of(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Semi-major axis of the ellipse through each point, where shapes change with radius.

        The ellipse's shape is that at its own radius, found by iteration. Where ellipses cross, the result is the one
        to which the iteration leads.

        Parameters
        ----------
        x, y : arrays of one shape
            Pixels, from 0.

        Returns
        -------
        float array of the same shape
            px.
        """
        dx, dy = np.asarray(x, dtype=float) - self.x0, np.asarray(y, dtype=float) - self.y0
        radius = np.hypot(dx, dy)
        for _ in range(_ITERATIONS):
            e1, e2 = self.shape_at(radius)
            estimate = _radius(dx, dy, e1, e2)
            # Halfway: steep twists would make the plain iteration swing.
            radius = np.sqrt(np.maximum(radius * estimate, 0.0))
        return _radius(dx, dy, *self.shape_at(radius))

    def radius_map(self, shape: tuple[int, int]) -> np.ndarray:
        """Semi-major axis of the ellipse through every pixel of an image, see `radius_of`.

        Parameters
        ----------
        shape : (int, int)
            Height and width of the image.

        Returns
        -------
        float array (H, W)
            px.
        """
        y, x = np.mgrid[: shape[0], : shape[1]]
        return self.radius_of(x, y)


def _radius(dx: np.ndarray, dy: np.ndarray, e1: np.ndarray, e2: np.ndarray) -> np.ndarray:
    """Semi-major axis of the ellipse of vector e through a point: the inverse of `p2p_keras.core.ellipse.points`."""
    norm = (1.0 - e1 * e1 - e2 * e2) / (1.0 + np.hypot(e1, e2))
    return np.hypot((1.0 - e1) * dx - e2 * dy, (1.0 + e1) * dy - e2 * dx) / norm


@dataclass(frozen=True)
class Painted:
    """A profile painted over its image.

    Attributes
    ----------
    model : float array (H, W)
        Flux per pixel of the galaxy, without sky; falling off beyond the last radius as it did up to there.
    radius : float array (H, W)
        Semi-major axis (px) of the ellipse through each pixel.
    last : float
        The profile's last semi-major axis, px.
    """

    model: np.ndarray
    radius: np.ndarray
    last: float


def paint(profile: QTable, image: GalaxyImage) -> Painted | None:
    """Paint a profile along its ellipses; None for one of fewer than two radii.

    Inside the first radius the intensity is constant. Beyond the last one it goes on falling exponentially, with the
    scale length of the profile's outer third: a galaxy doesn't end where its measurement does.

    Parameters
    ----------
    profile : QTable
        As `p2p_keras.profile` makes it; a correction for extinction is undone.
    image : GalaxyImage
        The image that it was measured on.
    """
    arrays = plain_arrays(profile)
    if arrays["sma"].size < 2:
        return None
    isophotes = Isophotes.of(profile, image)
    radius = isophotes.radius_map(image.shape)
    mu = arrays["mu"] + extinction_corrected(profile.meta)
    model = painted_intensity(isophotes.sma, intensity_from_mu(mu, image.zero_point, image.pixel_scale), radius)
    return Painted(model, radius, float(isophotes.sma[-1]))


def painted_intensity(sma: np.ndarray, intensity: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Intensity of a profile at given radii, as `paint` uses it.

    Parameters
    ----------
    sma, intensity : arrays (N,)
        The profile: px, increasing, and flux per pixel.
    radius : array of any shape
        px.

    Returns
    -------
    float array of the shape of `radius`
        Flux per pixel: linear in the logarithms inside, exponential beyond the last radius.
    """
    log_i = np.log(np.maximum(intensity, 1e-30))
    inside = np.interp(np.log(np.maximum(radius, sma[0])), np.log(sma), log_i)
    return np.exp(inside + outer_slope(sma, log_i) * np.maximum(radius - sma[-1], 0.0))


def outer_slope(sma: np.ndarray, log_intensity: np.ndarray) -> Any:
    """Slope d ln I / d sma of a profile's outer third, by which it is continued; at most -1 / its last radius.

    Parameters
    ----------
    sma : array (..., N), increasing
    log_intensity : array (..., N)
        With leading axes both may end in NaN.

    Returns
    -------
    float (...)
    """
    count = np.isfinite(sma).sum(axis=-1, keepdims=True)
    last = np.take_along_axis(sma, count - 1, axis=-1)
    outer = (sma >= last * 2.0 / 3.0) | ((np.arange(sma.shape[-1]) >= count - 2) & (np.arange(sma.shape[-1]) < count))
    r = np.where(outer, sma, 0.0)
    r = np.where(outer, r - r.sum(axis=-1, keepdims=True) / outer.sum(axis=-1, keepdims=True), 0.0)
    slope = (r * np.where(outer, log_intensity, 0.0)).sum(axis=-1) / (r * r).sum(axis=-1)
    return np.minimum(slope, -1.0 / last[..., 0])


def deviating_pixels(image: GalaxyImage, painted: Painted, sky: float) -> np.ndarray:
    """Pixels that don't belong to the galaxy: masked ones, and those that stand out along their own ellipse.

    A pixel stands out if it exceeds model and sky by `DEVIATION_SIGMA` times the scatter along its ellipse (a robust
    one, of rings of 10 % in radius; at least the noise of the image's quiet half) and by `DEVIATION_SHARE` of the
    model; or lies as many sigma of the noise below the sky, which no light can. Groups of fewer than three pixels are
    noise; the others grow by a pixel.

    Parameters
    ----------
    image : GalaxyImage
    painted : Painted
    sky : float
        Flux per pixel.

    Returns
    -------
    bool array (H, W)
    """
    from scipy import ndimage

    good = np.isfinite(image.pixels)
    residual = np.where(good, image.pixels - sky - painted.model, 0.0).astype(float)
    noise = quiet_noise(residual[good & (painted.radius > painted.last)], residual[good])
    scatter = _scatter_along_rings(residual, painted.radius, good, noise)
    core = max(2.0, 0.05 * painted.last)  # the PSF's core, that a pixel's middle doesn't sample
    out = residual > np.maximum(DEVIATION_SIGMA * scatter, DEVIATION_SHARE * painted.model)
    out &= painted.radius > core
    out |= residual + painted.model < -5.0 * noise
    out &= good
    labels, count = ndimage.label(out, structure=np.ones((3, 3)))
    if count:
        sizes = np.bincount(labels.ravel())
        out = (sizes >= _MIN_PIXELS)[labels] & (labels > 0)
        out = ndimage.binary_dilation(out, structure=np.ones((3, 3)), iterations=_GROWN)
        out &= painted.radius > core
    return out | ~good


def quiet_noise(outside: np.ndarray, everything: np.ndarray) -> float:
    """Noise per pixel from the lower half of the residuals, which other sources don't reach.

    Parameters
    ----------
    outside, everything : arrays
        Residuals beyond the profile, and in the whole image; the latter are used if the former are too few.

    Returns
    -------
    float
        In the unit of the residuals.
    """
    sample = outside if outside.size > 200 else everything
    if not sample.size:
        return 0.0
    return lower_deviation(sample, float(np.median(sample)))


def _scatter_along_rings(residual: np.ndarray, radius: np.ndarray, good: np.ndarray, noise: float) -> np.ndarray:
    """Robust scatter of the residuals in rings of 10 % in radius, at least the noise."""
    ring = np.floor(np.log(np.maximum(radius, 1.0)) / 0.1).astype(int)
    scatter = np.full(ring.max() + 1, noise)
    order = np.argsort(ring[good], kind="stable")
    values, rings = residual[good][order], ring[good][order]
    starts = np.searchsorted(rings, np.arange(ring.max() + 2))
    for k in range(ring.max() + 1):
        part = values[starts[k] : starts[k + 1]]
        if part.size >= 8:
            scatter[k] = max(noise, median_deviation(part))
    return scatter[ring]
