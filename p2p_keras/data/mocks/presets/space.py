"""Telescopes in space: sharp, hardly sampled, with rings and spikes; drizzled where several exposures are stacked.

Infrared magnitudes are turned into those in r of the same galaxy by typical AB colours (r - H = 0.9, r - F444W = 0.6,
r - W1 = 0.2; Brown et al. 2014, ApJS 212, 18), since galaxies are drawn in r.
"""

from __future__ import annotations

from p2p_keras.data.mocks.presets.survey import Survey, in_all_bands
from p2p_keras.data.mocks.psf import Diffraction

__all__ = ["SPACE"]

SPACE: dict[str, Survey] = {
    # Euclid Collaboration: Mellier et al. 2025, A&A 697, A1 (5 sigma for point sources 26.2 in I_E, FWHM 0.16
    # arcsec) and Cropper et al. 2025, A&A 697, A2: 0.1 arcsec, 4 exposures of 566 s; images in uJy (23.9). Three
    # vanes: six spikes. Stacks are resampled onto the same scale.
    "euclid-vis": Survey(
        pixel_scale=0.1,
        zero_point=23.9,
        depth=in_all_bands(26.2),
        fwhm=in_all_bands(0.16),
        fwhm_scatter=0.04,
        saturation=18.5,
        electrons_at_20=4.3e5,
        resampled=True,
        spikes=(6, 0.4),
        sky_scatter=0.1,
        smoothing=(0.8, 1.1),
        min_fwhm=1.3,
        diffraction=Diffraction(share=0.85, obscuration=0.33, arms=6, spikes=0.01),
    ),
    # Euclid Collaboration: Jahnke et al. 2025, A&A 697, A3: NISP, 0.3 arcsec, FWHM 0.35 (with the pixel 0.49), 5
    # sigma 24.4 in H_E, 4 exposures of 87 s.
    "euclid-nisp": Survey(
        pixel_scale=0.3,
        zero_point=23.9,
        depth=in_all_bands(25.3),
        fwhm=in_all_bands(0.45),
        fwhm_scatter=0.05,
        saturation=16.5,
        electrons_at_20=5.0e4,
        resampled=True,
        spikes=(6, 0.4),
        sky_scatter=0.15,
        smoothing=(0.8, 1.2),
        min_fwhm=1.3,
        diffraction=Diffraction(share=0.7, obscuration=0.33, arms=6, spikes=0.01),
    ),
    # Koekemoer et al. 2007, ApJS 172, 196 (COSMOS, ACS F814W): 0.05 arcsec drizzled to 0.03, FWHM 0.095, 27.2
    # within 0.24 arcsec, 2028 s, electrons a second with zero point 25.94.
    "hst-acs": Survey(
        pixel_scale=0.03,
        zero_point=25.94,
        depth=in_all_bands(27.3),
        fwhm=in_all_bands(0.095),
        fwhm_scatter=0.04,
        saturation=19.0,
        electrons_at_20=4.8e5,
        resampled=True,
        spikes=(4, 0.4),
        sky_scatter=0.1,
        smoothing=(1.4, 2.0),
        diffraction=Diffraction(share=0.8, obscuration=0.33, arms=4, spikes=0.012),
    ),
    # A flat-fielded ACS or WFC3/UVIS exposure of 500 s, not drizzled (0.05 and 0.04 arcsec; ACS and WFC3
    # instrument handbooks): cosmic rays, hardly sampled.
    "hst-exposure": Survey(
        pixel_scale=0.05,
        zero_point=32.7,
        depth=in_all_bands(26.3),
        fwhm=in_all_bands(0.085),
        fwhm_scatter=0.05,
        saturation=18.5,
        electrons_at_20=1.2e5,
        resampled=False,
        spikes=(4, 0.4),
        sky_scatter=0.5,
        min_fwhm=1.3,
        diffraction=Diffraction(share=0.85, obscuration=0.33, arms=4, spikes=0.012),
    ),
    # Koekemoer et al. 2011, ApJS 197, 36 (CANDELS, WFC3/IR F160W): 0.128 arcsec drizzled to 0.06, FWHM 0.18, 5
    # sigma 26.9 to 27.7, zero point 25.946.
    "hst-ir": Survey(
        pixel_scale=0.06,
        zero_point=25.946,
        depth=in_all_bands(27.9),
        fwhm=in_all_bands(0.18),
        fwhm_scatter=0.04,
        saturation=19.0,
        electrons_at_20=8.0e5,
        resampled=True,
        spikes=(4, 0.4),
        sky_scatter=0.1,
        smoothing=(1.6, 2.2),
        diffraction=Diffraction(share=0.8, obscuration=0.33, arms=4, spikes=0.012),
    ),
    # Bagley et al. 2023, ApJL 946, L12 (CEERS, NIRCam): F150W on 0.03 arcsec, FWHM 0.06 with drizzling, 5 sigma
    # 29.0 (0.2 arcsec), MJy/sr: zero point 28.09 a pixel. Six strong spikes and two weak ones (Rigby et al. 2023,
    # PASP 135, 048001).
    "jwst-short": Survey(
        pixel_scale=0.03,
        zero_point=28.09,
        depth=in_all_bands(29.3),
        fwhm=in_all_bands(0.06),
        fwhm_scatter=0.04,
        saturation=19.5,
        electrons_at_20=2.0e6,
        resampled=True,
        spikes=(6, 0.8),
        sky_scatter=0.15,
        smoothing=(1.0, 1.2),
        diffraction=Diffraction(share=0.85, obscuration=0.2, arms=6, spikes=0.03),
    ),
    # The same in F444W on 0.06 arcsec (zero point 26.58): FWHM 0.16, 5 sigma 28.6.
    "jwst-long": Survey(
        pixel_scale=0.06,
        zero_point=26.58,
        depth=in_all_bands(28.9),
        fwhm=in_all_bands(0.16),
        fwhm_scatter=0.04,
        saturation=19.0,
        electrons_at_20=1.0e6,
        resampled=True,
        spikes=(6, 0.8),
        sky_scatter=0.15,
        smoothing=(1.0, 1.3),
        diffraction=Diffraction(share=0.9, obscuration=0.2, arms=6, spikes=0.03),
    ),
    # Spergel et al. 2015, arXiv:1503.03757; Akeson et al. 2019, arXiv:1902.05569: WFI, 0.11 arcsec, F158 with FWHM
    # 0.14 pixel included, 26.5 in the wide survey. Six struts: twelve spikes.
    "roman": Survey(
        pixel_scale=0.11,
        zero_point=26.5,
        depth=in_all_bands(27.4),
        fwhm=in_all_bands(0.145),
        fwhm_scatter=0.03,
        saturation=17.5,
        electrons_at_20=3.0e5,
        resampled=True,
        spikes=(12, 0.4),
        sky_scatter=0.1,
        smoothing=(0.8, 1.1),
        min_fwhm=1.3,
        diffraction=Diffraction(share=0.85, obscuration=0.31, arms=12, spikes=0.015),
    ),
    # Wright et al. 2010, AJ 140, 1868: W1, FWHM 6.1 arcsec, atlas images on 1.375 arcsec, 5 sigma 16.5 Vega (19.2
    # AB), zero point 20.5 Vega. Detector pixels of 2.75 arcsec: strongly correlated.
    "wise": Survey(
        pixel_scale=1.375,
        zero_point=23.2,
        depth=in_all_bands(19.4),
        fwhm=in_all_bands(6.1),
        fwhm_scatter=0.03,
        saturation=8.5,
        electrons_at_20=4.0e5,
        resampled=True,
        spikes=(4, 0.5),
        sky_scatter=0.4,
        smoothing=(1.6, 2.2),
        diffraction=Diffraction(share=0.5, obscuration=0.2, arms=4, spikes=0.01),
    ),
    # Morrissey et al. 2007, ApJS 173, 682: GALEX NUV, 1.5 arcsec, FWHM 5.3, zero point 20.08 of counts a second,
    # some photons a pixel in a survey's exposure and far less than one in the far ultraviolet.
    "galex": Survey(
        pixel_scale=1.5,
        zero_point=20.08,
        depth=in_all_bands(20.8),
        fwhm=in_all_bands(5.0),
        fwhm_scatter=0.08,
        saturation=10.0,
        electrons_at_20=1.0e4,
        resampled=False,
        spikes=(0, 0.0),
        sky_scatter=0.0,
        sky_electrons=(0.01, 3.0),
    ),
}
