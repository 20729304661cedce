"""Measure a galaxy's profile classically; sky, mask and first ellipse are found automatically (sources by sep).

The steps are those of a careful measurement by hand: the sky from the part of the image without sources, a mask of all
sources but the target, isophotes by the iteration of Jedrzejewski (1987, MNRAS 226, 747), cut where the signal-to-noise
ratio falls below `p2p_keras.core.extent.SNR_MIN`. The iteration is our own (`p2p_keras.profile.isophotes.classical`),
or photutils' (`p2p_keras.data.packing.photutils_fit`), which takes much longer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core import extent, units
from p2p_keras.core.errors import InputError
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.profile.isophotes.classical import Isophotes, Shape, fit_isophotes, radii_to
from p2p_keras.profile.isophotes.photometry import measure_ellipses

if TYPE_CHECKING:
    from p2p_keras.images import GalaxyImage

__all__ = [
    "DETECTION_SIGMA",
    "MIN_SOURCE_PIXELS",
    "DEBLEND_CONTRAST",
    "MIN_RADII",
    "MAX_ELLIPTICITY",
    "StartEllipse",
    "measure_galaxy",
    "mask_of_others",
]

DETECTION_SIGMA = 1.5
MIN_SOURCE_PIXELS = 12
DEBLEND_CONTRAST = 0.005
MIN_RADII = 6
"""A profile of fewer radii is no label."""
MAX_ELLIPTICITY = 0.9
_CLIP_SIGMA = 4.0


StartEllipse = Shape
Fit = Callable[..., Isophotes | None]


def measure_galaxy(
    image: GalaxyImage, *, origin: str = "", start: StartEllipse | None = None, method: str | Fit = "own"
) -> LabelledGalaxy:
    """Measure the galaxy nearest to the middle of an image.

    Parameters
    ----------
    image : GalaxyImage
    origin : str, optional
        Kept in the label; the image's source by default.
    start : StartEllipse, optional
        An ellipse that is known: the fit begins there and its centre is kept. By default the ellipse of the source's
        moments.
    method : {"own", "photutils"} or callable
        Who fits the isophotes; a function that is called as `photutils_fit.photutils_isophotes` is.

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
    pixels = np.where(mask, 0.0, image.pixels - sky)
    first, reach = _first_ellipse(pixels, segments == target, image.source, start)
    # Isophotes far outside the detected part hold only sky, and cost most of the time.
    largest = min(0.6 * max(pixels.shape), 2.0 * reach + 10.0)
    if method != "own":
        if isinstance(method, str):
            from p2p_keras.data.packing.photutils_fit import photutils_isophotes as fit
        else:
            fit = method
        isophotes = fit(pixels, mask, first, largest, fix_centre=start is not None, least=MIN_RADII)
        if isophotes is None:
            raise InputError(image.source, "no isophotes could be fitted to the source in the middle")
    else:
        isophotes = _own_isophotes(pixels, mask, first, largest, fix_centre=start is not None)
    ellipses, intensity = isophotes.ellipses, isophotes.intensity
    sma, ellipticity, pa = ellipses.sma, ellipses.ellipticity, ellipses.pa % 180.0
    snr = extent.annulus_snr(intensity, sma, ellipticity, noise)
    last = extent.profile_extent(sma, snr)
    keep = (sma <= last) & (intensity > 0)
    if keep.sum() < MIN_RADII:
        raise InputError(image.source, f"only {keep.sum()} isophotes could be fitted, not {MIN_RADII}: too faint")
    error = np.hypot(np.nan_to_num(isophotes.error), intensity / snr)
    scale = image.pixel_scale
    x0, y0 = np.nanmedian(ellipses.x0[keep][:10]), np.nanmedian(ellipses.y0[keep][:10])
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
            raise InputError(image.source, "the image has no noise, so sky and sources can't be distinguished")
        try:
            detections, labels = sep.extract(
                pixels - sky,
                DETECTION_SIGMA,
                err=noise,
                mask=bad,
                minarea=MIN_SOURCE_PIXELS,
                deblend_cont=DEBLEND_CONTRAST,
                segmentation_map=True,
            )
        except Exception as error:  # sep raises bare exceptions, such as for too many overlapping sources
            raise InputError(image.source, f"its sources can't be separated ({error})") from None
        if not len(detections):
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


def _first_ellipse(
    pixels: np.ndarray, target: np.ndarray, source: str, start: StartEllipse | None
) -> tuple[StartEllipse, float]:
    """The ellipse of the source's moments, or the one that is known; and how far the source reaches from its centre."""
    y, x = np.nonzero(target)
    weight = np.clip(pixels[y, x], 0.0, None)
    if not weight.sum() > 0:
        raise InputError(source, "the source in the middle has no positive flux")
    x0, y0 = np.average(x, weights=weight), np.average(y, weights=weight)
    values, vectors = np.linalg.eigh(np.cov(np.stack([x, y]), aweights=weight))
    ellipse = StartEllipse(
        float(x0),
        float(y0),
        float(max(np.sqrt(values[1]), 3.0)),
        float(np.clip(1.0 - np.sqrt(max(values[0], 0.1) / max(values[1], 0.1)), 0.05, MAX_ELLIPTICITY)),
        float(np.rad2deg(np.arctan2(vectors[1, 1], vectors[0, 1]))),
    )
    if start is not None:
        ellipse = start._replace(sma=max(start.sma, 3.0), ellipticity=min(start.ellipticity, MAX_ELLIPTICITY))
    return ellipse, float(np.hypot(x - ellipse.x0, y - ellipse.y0).max())


def _own_isophotes(
    pixels: np.ndarray, mask: np.ndarray, start: StartEllipse, largest: float, *, fix_centre: bool
) -> Isophotes:
    ellipses = fit_isophotes(pixels, start, radii_to(largest), mask=mask, fix_centre=fix_centre)
    measured = measure_ellipses(pixels, ellipses, mask=mask, statistic="clipped", clip_sigma=_CLIP_SIGMA)
    known = np.isfinite(measured.intensity)
    return Isophotes(ellipses.chosen(known), measured.intensity[known], measured.intensity_err[known])


def _grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, iterations=pixels)
