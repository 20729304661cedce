"""Survey presets: pixel scale, depth, PSF, zero point, resampling; and the conditions drawn from them for one image.

Depths are 5-sigma point-source magnitudes (AB). The noise per pixel follows from them: 5 sigma is
``5 noise sqrt(n_eff)`` with n_eff = 2.266 (FWHM / pixel)^2 pixels (LSST Science Book / SMTN-002, for a PSF near a
Gaussian).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.psf import PSF
from p2p_keras.data.mocks.streams import clipped_normal, log_uniform
from p2p_keras.core.units import flux_from_mag, mag_from_flux

if TYPE_CHECKING:
    from p2p_keras.data.mocks.backgrounds import Frame


@dataclass(frozen=True)
class Survey:
    """What is typical of one survey's images.

    Attributes
    ----------
    pixel_scale : float, arcsec
    zero_point : float, AB mag of unit flux
    depth : mapping of band to 5-sigma depth for point sources, mag
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


SURVEYS: dict[str, Survey] = {
    # Pixel and zero point: SDSS frames in nanomaggies (data.sdss.org/datamodel, "frame"). Depth: Abazajian et al. 2009
    # (DR7) give 22.2 in r for 95 % completeness; 5-sigma is near g 23.1, r 22.7, i 22.2 (York et al. 2000). It gives
    # 0.026 nmgy per pixel in r, as real frames have (0.022 to 0.030, measured). PSF: median 1.32 arcsec in r (DR7).
    # 54 s exposures of a 2.5 m: about 200 DN per nmgy, gain 4.7 e/DN. One frame isn't resampled.
    "sdss": Survey(
        0.396,
        22.5,
        {"g": 23.15, "r": 22.70, "i": 22.20, "z": 20.7},
        {"g": 1.44, "r": 1.32, "i": 1.26, "z": 1.29},
        0.12,
        14.0,
        9.4e3,
        False,
        (4, 0.4),
        0.10,
    ),
    # Dey et al. 2019, AJ 157, 168 (DESI Legacy Imaging Surveys), Tables 3 and 4: DECam, 0.262 arcsec, nanomaggies; the
    # depth of three exposures of some 70 to 170 s with a 4 m.
    "legacy": Survey(
        0.262,
        22.5,
        {"g": 24.7, "r": 23.9, "i": 23.4, "z": 23.0},
        {"g": 1.29, "r": 1.18, "i": 1.14, "z": 1.11},
        0.14,
        16.0,
        1.0e5,
        True,
        (4, 0.8),
        0.15,
    ),
    # Chambers et al. 2016 (arXiv:1612.05560), Table 11: stacks of the 3pi survey; Waters et al. 2020: warped to 0.25.
    "panstarrs": Survey(
        0.25,
        25.0,
        {"g": 23.3, "r": 23.2, "i": 23.1, "z": 22.3},
        {"g": 1.31, "r": 1.19, "i": 1.11, "z": 1.07},
        0.12,
        14.5,
        6.0e4,
        True,
        (4, 0.5),
        0.2,
    ),
    # Aihara et al. 2018, PASJ 70, S4 and S8: wide layer of HSC-SSP; zero point 27.0 of its coadds.
    "hsc": Survey(
        0.168,
        27.0,
        {"g": 26.5, "r": 26.1, "i": 25.9, "z": 25.1},
        {"g": 0.77, "r": 0.76, "i": 0.58, "z": 0.68},
        0.12,
        18.0,
        3.0e6,
        True,
        (4, 1.0),
        0.2,
    ),
    # Ivezic et al. 2019, ApJ 873, 111, Tables 1 and 2: ten-year depth g 27.4, r 27.5, i 26.8; a year's data are about
    # 1.25 mag less deep, and that is what is taken here. 0.2 arcsec, median seeing 0.65 to 0.75 with the optics' 0.4.
    # Calibrated in nJy (zero point 31.4).
    "rubin": Survey(
        0.20,
        31.4,
        {"g": 26.2, "r": 26.3, "i": 25.6, "z": 24.9},
        {"g": 0.87, "r": 0.83, "i": 0.80, "z": 0.78},
        0.13,
        17.0,
        4.0e6,
        True,
        (4, 0.8),
        0.2,
    ),
}

MIXED = "mixed"
NAMES = (*SURVEYS, MIXED)

_ZERO_POINTS = (22.5, 22.5, 23.9, 25.0, 27.0, 28.26, 30.0, 31.4, 0.0, 8.9)
"""Of `mixed`: nanomaggies, uJy, counts of several surveys, nJy, maggies, Jy."""


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

    def psf(self, u: float = 0.0, v: float = 0.0) -> PSF:
        """The PSF at a place, from -1 to 1 across the image; the target's is that in the middle."""
        fwhm = self.fwhm * max(1.0 + self.fwhm_slope[0] * u + self.fwhm_slope[1] * v, 0.7)
        return PSF(fwhm, self.beta, self.wing, self.psf_e1 + self.e_slope[0] * u, self.psf_e2 + self.e_slope[1] * v)


def draw_survey(name: str, rng: np.random.Generator) -> tuple[str, Survey]:
    """The survey of one galaxy: the preset, or for ``"mixed"`` one that no survey has, so that a network sees all.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name in SURVEYS:
        return name, SURVEYS[name]
    if name != MIXED:
        raise UsageError(f"survey {name!r} is unknown; known are {', '.join(NAMES)}")
    base_name = str(rng.choice(list(SURVEYS), p=[0.4, 0.2, 0.14, 0.13, 0.13]))
    base = SURVEYS[base_name]
    if rng.random() < 0.35:
        return base_name, base
    # Stretched in scale, depth and seeing well past its survey; the flux unit is free.
    scale = base.pixel_scale * log_uniform(rng, 0.6, 1.6)
    deeper = rng.normal(0.0, 0.7)
    sharper = log_uniform(rng, 0.75, 1.35)
    zero_point = float(rng.choice(_ZERO_POINTS)) if rng.random() < 0.7 else float(rng.uniform(20.0, 32.0))
    survey = Survey(
        scale,
        zero_point,
        {band: depth + deeper for band, depth in base.depth.items()},
        {band: fwhm * sharper for band, fwhm in base.fwhm.items()},
        0.15,
        base.saturation,
        base.electrons_at_20 * 10.0 ** (0.8 * deeper),
        bool(rng.random() < 0.5),
        (int(rng.choice([4, 4, 6, 8])), log_uniform(rng, 0.2, 1.5)),
        log_uniform(rng, 0.03, 0.5),
    )
    return MIXED, survey


def survey_of_frame(frame: Frame) -> Survey:
    """A survey whose every image is like one real frame; gain and colours of depth from the preset nearest in scale."""
    nearest = min(SURVEYS.values(), key=lambda survey: abs(np.log(survey.pixel_scale / frame.pixel_scale)))
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

    PSF exponents of 2.5 to 4.5 and wings: Trujillo et al. 2001, MNRAS 328, 977; Racine 1996, PASP 108, 699. PSF
    ellipticities of 0 to 10 %: Stoughton et al. 2002, AJ 123, 485. Across a cutout of some arcmin the width changes by
    a few per cent, as it does across an SDSS frame (Lupton et al. 2001, ASP Conf. 238, 269).
    """
    fwhm = survey.fwhm[band] * float(np.exp(rng.normal(0.0, survey.fwhm_scatter))) / survey.pixel_scale
    fwhm = float(np.clip(fwhm, 1.6, 12.0))
    depth = survey.depth[band] + rng.normal(0.0, 0.15)
    noise = flux_from_mag(depth, survey.zero_point) / (5.0 * np.sqrt(2.266) * fwhm)
    e = abs(clipped_normal(rng, 0.0, 0.025, -0.08, 0.08))
    angle = rng.uniform(0.0, 2.0 * np.pi)
    beta = clipped_normal(rng, 3.2, 0.6, 2.3, 5.0)
    # Peak flux per pixel of a star of the saturation magnitude, for a Moffat PSF.
    peak = (beta - 1.0) / np.pi * 4.0 * (2.0 ** (1.0 / beta) - 1.0) / fwhm**2
    gain = survey.electrons_at_20 / flux_from_mag(20.0, survey.zero_point)
    return Conditions(
        survey=name,
        pixel_scale=survey.pixel_scale,
        zero_point=survey.zero_point,
        noise=float(noise),
        gain=float(gain),
        fwhm=fwhm,
        beta=beta,
        wing=log_uniform(rng, 0.01, 0.08),
        psf_e1=float(e * np.cos(angle)),
        psf_e2=float(e * np.sin(angle)),
        smoothing=float(rng.uniform(0.8, 1.6)) if survey.resampled else 0.0,
        saturation=float(peak * flux_from_mag(survey.saturation + rng.normal(0.0, 0.3), survey.zero_point)),
        spikes=survey.spikes,
        sky_scatter=float(noise * survey.sky_scatter),
        fwhm_slope=(float(rng.normal(0.0, 0.015)), float(rng.normal(0.0, 0.015))),
        e_slope=(float(rng.normal(0.0, 0.01)), float(rng.normal(0.0, 0.01))),
    )
