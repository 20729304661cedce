"""Measure a galaxy's profile by photutils; sky, mask and first ellipse are found automatically (sources by sep).

The steps are those of a careful measurement by hand: the sky from the part of the image without sources, a mask of all
sources but the target, isophotes by the iteration of Jedrzejewski (1987, MNRAS 226, 747), cut where the signal-to-noise
ratio falls below `p2p_keras.core.extent.SNR_MIN`.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from p2p_keras.core import extent, units
from p2p_keras.core.errors import InputError
from p2p_keras.data.labelled import LabelledGalaxy

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

DETECTION_SIGMA = 1.5
MIN_SOURCE_PIXELS = 12
DEBLEND_CONTRAST = 0.005
MIN_RADII = 6
"""A profile of fewer radii is no label."""
_STEP = 0.1
_MAX_ELLIPTICITY = 0.9


class StartEllipse(NamedTuple):
    """Where a fit begins: centre and semi-major axis in pixels, 1 - b/a, degrees from +x."""

    x0: float
    y0: float
    sma: float
    ellipticity: float
    pa: float


def measure_galaxy(image: GalaxyImage, *, origin: str = "", start: StartEllipse | None = None) -> LabelledGalaxy:
    """Measure the galaxy nearest to the middle of an image.

    Parameters
    ----------
    image : GalaxyImage
    origin : str, optional
        Kept in the label; the image's source by default.
    start : StartEllipse, optional
        An ellipse that is known: the fit begins there and its centre is kept. By default the ellipse of the source's
        moments.

    Returns
    -------
    LabelledGalaxy
        The image as it is (its sky level is the label's `sky`), the profile above the sky.

    Raises
    ------
    InputError
        When there is no source, or no isophotes can be fitted to it.
    """
    sky, noise, segments, target = _detect(image)
    mask = _others(image, segments, target)
    isophotes = _isophotes(np.where(mask, 0.0, image.pixels - sky), mask, segments == target, image.source, start)
    sma, intensity = isophotes.sma[1:], isophotes.intens[1:]  # the first is the central pixel
    ellipticity, pa = isophotes.eps[1:], np.rad2deg(isophotes.pa[1:]) % 180.0
    snr = extent.annulus_snr(intensity, sma, ellipticity, noise)
    last = extent.profile_extent(sma, snr)
    keep = (sma <= last) & (intensity > 0)
    if keep.sum() < MIN_RADII:
        raise InputError(image.source, f"only {keep.sum()} isophotes could be fitted, not {MIN_RADII}: too faint")
    error = np.hypot(np.nan_to_num(isophotes.int_err[1:]), intensity / snr)
    scale = image.pixel_scale
    x0, y0 = np.nanmedian(isophotes.x0[1:][keep][:10]), np.nanmedian(isophotes.y0[1:][keep][:10])
    return LabelledGalaxy(
        name=image.name,
        band=image.band,
        image=image.pixels,
        zero_point=image.zero_point,
        pixel_scale=scale,
        sma=sma[keep] * scale,
        mu=units.mu_from_intensity(intensity[keep], image.zero_point, scale),
        ellipticity=ellipticity[keep],
        pa=pa[keep],
        mu_err=units.mag_error_from_log(error[keep] / intensity[keep]),
        x0=float(x0),
        y0=float(y0),
        extent=float(sma[keep][-1] * scale),
        noise=noise,
        sky=sky,
        origin=origin or image.source,
    )


def mask_of_others(image: GalaxyImage) -> np.ndarray:
    """Pixels of other sources than the galaxy in the middle, and of none: a bool array of the image's shape.

    Raises
    ------
    InputError
        There is no source in the middle.
    """
    _, _, segments, target = _detect(image)
    return _others(image, segments, target)


def _others(image: GalaxyImage, segments: np.ndarray, target: int) -> np.ndarray:
    return _grown((segments != target) & (segments > 0), 2) | ~np.isfinite(image.pixels)


def _detect(image: GalaxyImage) -> tuple[float, float, np.ndarray, int]:
    """Sky, noise, the labelled sources and the label of the target.

    The sky is one level: a mesh of levels would take a large galaxy's outskirts for sky.
    """
    import sep
    from astropy.stats import sigma_clipped_stats

    bad = ~np.isfinite(image.pixels)
    pixels = np.where(bad, 0.0, image.pixels).astype(np.float64)
    sources = np.zeros(pixels.shape, dtype=bool)
    for _ in range(3):  # sky from where no source is, then sources above that sky
        _, sky, noise = sigma_clipped_stats(pixels, mask=bad | sources, sigma=3.0, maxiters=10)
        if not noise > 0:
            raise InputError(image.source, "the image has no noise: a sky can't be told from sources")
        try:
            found, labels = sep.extract(
                pixels - sky,
                DETECTION_SIGMA,
                err=noise,
                mask=bad,
                minarea=MIN_SOURCE_PIXELS,
                deblend_cont=DEBLEND_CONTRAST,
                segmentation_map=True,
            )
        except Exception as error:  # sep raises bare exceptions, such as for too many overlapping sources
            raise InputError(image.source, f"its sources can't be told apart ({error})") from None
        if not len(found):
            raise InputError(image.source, "no source was detected")
        grown = _grown(labels > 0, 8)
        if grown[~bad].mean() > 0.95:  # the galaxy fills the image: the sky is what was clipped before
            break
        sources = grown
    return float(sky), float(noise), labels, _target_label(labels, pixels - sky, image.source)


def _target_label(labels: np.ndarray, flux: np.ndarray, source: str) -> int:
    """The label of the source in the middle: of those within a tenth of the side, the one with the most light there."""
    height, width = labels.shape
    y, x = np.mgrid[:height, :width]
    near = np.hypot(x - (width - 1) / 2, y - (height - 1) / 2) <= max(5.0, 0.1 * min(height, width))
    candidates = np.unique(labels[near & (labels > 0)])
    if not candidates.size:
        raise InputError(source, "there is no source in the middle of the image: give the target's position")
    light = [np.nansum(flux[near & (labels == label)]) for label in candidates]
    return int(candidates[int(np.argmax(light))])


def _isophotes(
    pixels: np.ndarray, mask: np.ndarray, target: np.ndarray, source: str, start: StartEllipse | None = None
):
    """Isophotes of the target by photutils, from `start` or an ellipse of its moments; several sizes are tried."""
    from photutils.isophote import Ellipse, EllipseGeometry

    y, x = np.nonzero(target)
    weight = np.clip(pixels[y, x], 0.0, None)
    if not weight.sum() > 0:
        raise InputError(source, "the source in the middle has no positive flux")
    x0, y0 = np.average(x, weights=weight), np.average(y, weights=weight)
    covariance = np.cov(np.stack([x, y]), aweights=weight)
    values, vectors = np.linalg.eigh(covariance)
    start_eps = float(np.clip(1.0 - np.sqrt(max(values[0], 0.1) / max(values[1], 0.1)), 0.05, _MAX_ELLIPTICITY))
    start_pa = float(np.arctan2(vectors[1, 1], vectors[0, 1]))
    start_sma = float(max(np.sqrt(values[1]), 3.0))
    if start is not None:
        x0, y0, start_sma, start_eps = start.x0, start.y0, max(start.sma, 3.0), min(start.ellipticity, _MAX_ELLIPTICITY)
        start_pa = float(np.deg2rad(start.pa))
    # Isophotes far outside the detected part hold only sky, and cost most of the time.
    largest = min(0.6 * max(pixels.shape), 2.0 * float(np.hypot(x - x0, y - y0).max()) + 10.0)
    data = np.ma.masked_array(pixels, mask=mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that stop early: what is left is judged by its length
        for factor in (1.0, 0.5, 2.0):
            geometry = EllipseGeometry(x0, y0, factor * start_sma, start_eps, start_pa)
            try:
                found = Ellipse(data, geometry).fit_image(
                    sma0=factor * start_sma,
                    minsma=0.5,
                    maxsma=largest,
                    step=_STEP,
                    fflag=0.5,
                    nclip=2,
                    maxit=30,
                    fix_center=start is not None,
                )
            except Exception:  # photutils raises many kinds where a start leads nowhere
                continue
            if len(found) > MIN_RADII:
                return found
    raise InputError(source, "no isophotes could be fitted to the source in the middle")


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, iterations=pixels)
