"""The conditions of one image, drawn from a survey's preset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.units import flux_from_mag, mag_from_flux
from p2p_keras.data.mocks.presets import WIDE, Survey
from p2p_keras.data.mocks.psf import PSF, Diffraction
from p2p_keras.data.mocks.streams import clipped_normal, log_uniform

if TYPE_CHECKING:
    from p2p_keras.data.mocks.backgrounds import Frame

__all__ = ["MIN_PHOTONS", "Conditions", "survey_of_frame", "draw_conditions"]


MIN_PHOTONS = 800.0
"""Least number of photons of a target in a photon-starved image: with fewer nobody would ask for a profile."""


@dataclass(frozen=True)
class Conditions:
    """How one image is taken: numbers in pixels and in flux units of the image.

    Attributes
    ----------
    survey : str
    pixel_scale, zero_point : float
    noise : float
        1-sigma of the sky per pixel, flux, before resampling correlates it: what counts in large apertures.
    gain : float
        Electrons per unit of flux.
    fwhm : float, pixels
    beta : float
        Moffat exponent of the PSF's core.
    wing : float
        Share of a star's light in the extended wing.
    psf_e1, psf_e2 : float
        Ellipse vector of the PSF.
    smoothing : float
        Width in output pixels of a pixel before resampling; 0: not resampled.
    saturation : float
        Flux per pixel where pixels saturate; inf: never.
    spikes : tuple of (number, strength)
    sky_scatter : float, flux per pixel
    fwhm_slope, e_slope : tuple of two floats
        How the PSF changes from the image's middle to its right and upper edge: relative to `fwhm`, and of its ellipse
        vector (e1 along x, e2 along y).
    diffraction : Diffraction or None
    sky_electrons : float or None
        Of a photon-starved image: electrons per pixel of the sky.
    """

    survey: str
    pixel_scale: float
    zero_point: float
    noise: float
    gain: float
    fwhm: float
    beta: float
    wing: float
    psf_e1: float
    psf_e2: float
    smoothing: float
    saturation: float
    spikes: tuple[int, float]
    sky_scatter: float
    fwhm_slope: tuple[float, float] = (0.0, 0.0)
    e_slope: tuple[float, float] = (0.0, 0.0)
    diffraction: Diffraction | None = None
    sky_electrons: float | None = None

    def counting(self, flux: float) -> Conditions:
        """The same conditions with few photons, if the survey counts few photons.

        The exposure is such that the sky leaves `sky_electrons`, or longer for a target of that flux to leave
        `MIN_PHOTONS`.
        """
        if self.sky_electrons is None:
            return self
        gain = max(np.sqrt(self.sky_electrons) / self.noise, MIN_PHOTONS / flux)
        return replace(self, gain=float(gain), noise=float(np.sqrt(self.sky_electrons) / gain), saturation=np.inf)

    def psf(self, u: float = 0.0, v: float = 0.0) -> PSF:
        """The PSF at a position, from -1 to 1 across the image; the target has the PSF of the middle."""
        fwhm = self.fwhm * max(1.0 + self.fwhm_slope[0] * u + self.fwhm_slope[1] * v, 0.7)
        return PSF(
            fwhm,
            self.beta,
            self.wing,
            self.psf_e1 + self.e_slope[0] * u,
            self.psf_e2 + self.e_slope[1] * v,
            self.diffraction,
        )


def survey_of_frame(frame: Frame) -> Survey:
    """A survey whose every image is like one real frame; gain and colours of depth from the preset nearest in scale."""
    nearest = min(WIDE.values(), key=lambda survey: abs(np.log(survey.pixel_scale / frame.pixel_scale)))
    depth = mag_from_flux(5.0 * frame.noise * np.sqrt(2.266) * frame.fwhm, frame.zero_point)
    here = frame.band if frame.band in nearest.depth else "r"
    return replace(
        nearest,
        pixel_scale=frame.pixel_scale,
        zero_point=frame.zero_point,
        depth={band: float(depth) + value - nearest.depth[here] for band, value in nearest.depth.items()},
        fwhm=dict.fromkeys(nearest.fwhm, frame.fwhm * frame.pixel_scale),
    )


def draw_conditions(name: str, survey: Survey, band: str, rng: np.random.Generator) -> Conditions:
    """The conditions of one image of a survey.

    PSF exponents of 2.5 to 4.5 and wings: Trujillo et al. 2001, MNRAS 328, 977; Racine 1996, PASP 108, 699. The wing
    has hardly any light in some images: how much a network takes off the sky must not hang on wings alone. PSF
    ellipticities of 0 to 10 %: Stoughton et al. 2002, AJ 123, 485. Across a cutout of some arcmin the width changes by
    a few per cent, as it does across an SDSS frame (Lupton et al. 2001, ASP Conf. 238, 269).
    """
    fwhm = survey.fwhm[band] * float(np.exp(rng.normal(0.0, survey.fwhm_scatter))) / survey.pixel_scale
    fwhm = float(np.clip(fwhm, survey.min_fwhm, 12.0))
    depth = survey.depth[band] + rng.normal(0.0, 0.15)
    noise = flux_from_mag(depth, survey.zero_point) / (5.0 * np.sqrt(2.266) * fwhm)
    e = abs(clipped_normal(rng, 0.0, 0.025, -0.08, 0.08))
    angle = rng.uniform(0.0, 2.0 * np.pi)
    beta = clipped_normal(rng, 3.2, 0.6, 2.3, 5.0)
    # Peak flux per pixel of a star of the saturation magnitude, for a Moffat PSF.
    peak = (beta - 1.0) / np.pi * 4.0 * (2.0 ** (1.0 / beta) - 1.0) / fwhm**2
    gain = survey.electrons_at_20 / flux_from_mag(20.0, survey.zero_point)
    conditions = Conditions(
        survey=name,
        pixel_scale=survey.pixel_scale,
        zero_point=survey.zero_point,
        noise=float(noise),
        gain=float(gain),
        fwhm=fwhm,
        beta=beta,
        wing=log_uniform(rng, 0.001, 0.08),
        psf_e1=float(e * np.cos(angle)),
        psf_e2=float(e * np.sin(angle)),
        smoothing=float(rng.uniform(*survey.smoothing)) if survey.resampled else 0.0,
        saturation=float(peak * flux_from_mag(survey.saturation + rng.normal(0.0, 0.3), survey.zero_point)),
        spikes=survey.spikes,
        sky_scatter=float(noise * survey.sky_scatter),
        fwhm_slope=(float(rng.normal(0.0, 0.015)), float(rng.normal(0.0, 0.015))),
        e_slope=(float(rng.normal(0.0, 0.01)), float(rng.normal(0.0, 0.01))),
    )
    # Drawn last, so that the images of other surveys don't depend on them.
    if survey.diffraction is not None:
        turned = replace(survey.diffraction, angle=float(rng.uniform(0.0, np.pi)))
        # Less light in the far wing than the atmosphere spreads.
        conditions = replace(conditions, diffraction=turned, wing=log_uniform(rng, 0.003, 0.03))
    if survey.sky_electrons is not None:
        conditions = replace(conditions, sky_electrons=log_uniform(rng, *survey.sky_electrons))
    return conditions
