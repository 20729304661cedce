"""More telescopes on the ground: near infrared, time-domain surveys, single exposures."""

from __future__ import annotations

from p2p_keras.data.mocks.presets.survey import Survey, in_all_bands

__all__ = ["GROUND"]

GROUND: dict[str, Survey] = {
    # Skrutskie et al. 2006, AJ 131, 1163: 2MASS atlas images, 1.0 arcsec from pixels of 2, FWHM 2.5 to 3 arcsec,
    # 10 sigma 15.1 Vega in H (5 sigma 17.2 AB, a galaxy of r 18.1); counts with a zero point of some 20.5 Vega.
    # Dithers of six exposures.
    "2mass": Survey(
        pixel_scale=1.0,
        zero_point=21.9,
        depth=in_all_bands(18.1),
        fwhm=in_all_bands(2.8),
        fwhm_scatter=0.06,
        saturation=9.0,
        electrons_at_20=3.0e3,
        resampled=True,
        spikes=(4, 0.4),
        sky_scatter=0.2,
        smoothing=(1.6, 2.2),
    ),
    # Flaugher et al. 2015, AJ 150, 150; Abbott et al. 2018, ApJS 239, 18: one DECam exposure of 90 s, 0.263
    # arcsec, FWHM 1.11, 0.96, 0.88, 0.84 arcsec in g, r, i, z; reduced counts with a zero point of 30.
    "decam": Survey(
        pixel_scale=0.263,
        zero_point=30.0,
        depth={"g": 23.7, "r": 23.4, "i": 22.8, "z": 22.1},
        fwhm={"g": 1.11, "r": 0.96, "i": 0.88, "z": 0.84},
        fwhm_scatter=0.15,
        saturation=15.5,
        electrons_at_20=3.5e4,
        resampled=False,
        spikes=(4, 0.8),
        sky_scatter=0.5,
    ),
    # Kuijken et al. 2019, A&A 625, A2 (KiDS DR4): OmegaCAM, stacks on 0.20 arcsec from 0.21, zero point 0; FWHM
    # 0.86, 0.68, 0.81 arcsec in g, r, i; 5 sigma within 2 arcsec 25.1, 25.0, 23.7.
    "kids": Survey(
        pixel_scale=0.2,
        zero_point=0.0,
        depth={"g": 25.6, "r": 25.5, "i": 24.2, "z": 23.2},
        fwhm={"g": 0.86, "r": 0.68, "i": 0.81, "z": 0.90},
        fwhm_scatter=0.12,
        saturation=17.0,
        electrons_at_20=6.0e5,
        resampled=True,
        spikes=(4, 0.8),
        sky_scatter=0.2,
        smoothing=(0.8, 1.2),
    ),
    # Bellm et al. 2019, PASP 131, 018002; Masci et al. 2019, PASP 131, 018003: ZTF, 1.01 arcsec, 30 s, FWHM 2.1,
    # 2.0, 2.1 arcsec in g, r, i; 5 sigma 20.8, 20.6, 19.9; zero point 26.3 of DN, 6 electrons each.
    "ztf": Survey(
        pixel_scale=1.01,
        zero_point=26.3,
        depth={"g": 20.8, "r": 20.6, "i": 19.9, "z": 19.3},
        fwhm={"g": 2.1, "r": 2.0, "i": 2.1, "z": 2.1},
        fwhm_scatter=0.12,
        saturation=12.5,
        electrons_at_20=2.0e3,
        resampled=False,
        spikes=(4, 0.6),
        sky_scatter=0.5,
        min_fwhm=1.5,
    ),
}
