"""The five wide optical surveys that version 3 was trained on; `mixed` is made of them.

Depths are 5-sigma point-source magnitudes (AB). The noise per pixel follows from them: 5 sigma is
``5 noise sqrt(n_eff)`` with n_eff = 2.266 (FWHM / pixel)^2 pixels (LSST Science Book / SMTN-002, for a PSF near a
Gaussian).
"""

from __future__ import annotations

from p2p_keras.data.mocks.presets.survey import Survey

__all__ = ["WIDE"]

WIDE: dict[str, Survey] = {
    # Pixel and zero point: SDSS frames in nanomaggies (data.sdss.org/datamodel, "frame"). Depth: Abazajian et al. 2009
    # (DR7) give 22.2 in r for 95 % completeness; 5-sigma is near g 23.1, r 22.7, i 22.2 (York et al. 2000). It gives
    # 0.026 nmgy per pixel in r, as real frames have (0.022 to 0.030, measured). PSF: median 1.32 arcsec in r (DR7).
    # 54 s exposures of a 2.5 m: about 200 DN per nmgy, gain 4.7 e/DN. One frame isn't resampled.
    "sdss": Survey(
        pixel_scale=0.396,
        zero_point=22.5,
        depth={"g": 23.15, "r": 22.70, "i": 22.20, "z": 20.7},
        fwhm={"g": 1.44, "r": 1.32, "i": 1.26, "z": 1.29},
        fwhm_scatter=0.12,
        saturation=14.0,
        electrons_at_20=9.4e3,
        resampled=False,
        spikes=(4, 0.4),
        sky_scatter=0.10,
    ),
    # Dey et al. 2019, AJ 157, 168 (DESI Legacy Imaging Surveys), Tables 3 and 4: DECam, 0.262 arcsec, nanomaggies; the
    # depth of three exposures of some 70 to 170 s with a 4 m.
    "legacy": Survey(
        pixel_scale=0.262,
        zero_point=22.5,
        depth={"g": 24.7, "r": 23.9, "i": 23.4, "z": 23.0},
        fwhm={"g": 1.29, "r": 1.18, "i": 1.14, "z": 1.11},
        fwhm_scatter=0.14,
        saturation=16.0,
        electrons_at_20=1.0e5,
        resampled=True,
        spikes=(4, 0.8),
        sky_scatter=0.15,
    ),
    # Chambers et al. 2016 (arXiv:1612.05560), Table 11: stacks of the 3pi survey; Waters et al. 2020: warped to 0.25.
    "panstarrs": Survey(
        pixel_scale=0.25,
        zero_point=25.0,
        depth={"g": 23.3, "r": 23.2, "i": 23.1, "z": 22.3},
        fwhm={"g": 1.31, "r": 1.19, "i": 1.11, "z": 1.07},
        fwhm_scatter=0.12,
        saturation=14.5,
        electrons_at_20=6.0e4,
        resampled=True,
        spikes=(4, 0.5),
        sky_scatter=0.2,
    ),
    # Aihara et al. 2018, PASJ 70, S4 and S8: wide layer of HSC-SSP; zero point 27.0 of its coadds.
    "hsc": Survey(
        pixel_scale=0.168,
        zero_point=27.0,
        depth={"g": 26.5, "r": 26.1, "i": 25.9, "z": 25.1},
        fwhm={"g": 0.77, "r": 0.76, "i": 0.58, "z": 0.68},
        fwhm_scatter=0.12,
        saturation=18.0,
        electrons_at_20=3.0e6,
        resampled=True,
        spikes=(4, 1.0),
        sky_scatter=0.2,
    ),
    # Ivezic et al. 2019, ApJ 873, 111, Tables 1 and 2: ten-year depth g 27.4, r 27.5, i 26.8; a year's data are about
    # 1.25 mag less deep, and that is what is taken here. 0.2 arcsec, median seeing 0.65 to 0.75 with the optics' 0.4.
    # Calibrated in nJy (zero point 31.4).
    "rubin": Survey(
        pixel_scale=0.20,
        zero_point=31.4,
        depth={"g": 26.2, "r": 26.3, "i": 25.6, "z": 24.9},
        fwhm={"g": 0.87, "r": 0.83, "i": 0.80, "z": 0.78},
        fwhm_scatter=0.13,
        saturation=17.0,
        electrons_at_20=4.0e6,
        resampled=True,
        spikes=(4, 0.8),
        sky_scatter=0.2,
    ),
}
