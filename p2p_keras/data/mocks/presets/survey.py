"""What is typical of one survey's images."""

from __future__ import annotations

from dataclasses import dataclass

from p2p_keras.data.mocks.psf import Diffraction
from p2p_keras.data.mocks.streams import BANDS

__all__ = ["Survey", "in_all_bands"]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What is typical of one survey's images.

    Attributes
    ----------
    pixel_scale : float, arcsec
    zero_point : float, AB mag of unit flux
    depth : mapping of band to 5-sigma depth for point sources, mag. Mocks are made in g, r, i and z: of a telescope
        that sees other wavelengths, the depth for a galaxy of that r magnitude and the typical colour.
    fwhm : mapping of band to median PSF FWHM, arcsec
    fwhm_scatter : float
        1-sigma of ln FWHM over the survey.
    saturation : float
        Magnitude of a star whose centre saturates at the median FWHM, r band.
    electrons_at_20 : float
        Electrons that a source of magnitude 20 leaves in the image: sets its own photon noise.
    resampled : bool
        True where images are warped onto a common grid, which correlates neighbouring pixels.
    spikes : tuple of (number of arms, strength)
        Diffraction spikes of the telescope's spider.
    sky_scatter : float
        Typical residual sky level after subtraction, in units of the pixel noise.
    smoothing : tuple of two floats
        Where resampled: range of the width of a detector's pixel in pixels of the image.
    min_fwhm : float
        Sharpest PSF, pixels.
    diffraction : Diffraction or None
        Rings and spikes of a telescope in space; the spikes' angle is drawn for each image.
    sky_electrons : tuple of two floats, or None
        Photon-starved: range of the electrons per pixel that the sky leaves. The image is then counted photons, its sky
        not subtracted in half of the images.
    """

    pixel_scale: float
    zero_point: float
    depth: dict[str, float]
    fwhm: dict[str, float]
    fwhm_scatter: float
    saturation: float
    electrons_at_20: float
    resampled: bool
    spikes: tuple[int, float]
    sky_scatter: float
    smoothing: tuple[float, float] = (0.8, 1.6)
    min_fwhm: float = 1.6
    diffraction: Diffraction | None = None
    sky_electrons: tuple[float, float] | None = None


def in_all_bands(value: float) -> dict[str, float]:
    """The same number for every band: a telescope that is known in one filter."""
    return dict.fromkeys(BANDS, value)
