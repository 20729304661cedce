"""The truth against photutils' isophotes, on noise-free GalSim galaxies."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from p2p_keras.core.extent import annulus_snr, profile_extent
from p2p_keras.data.mocks.truth import measure_truth

galsim = pytest.importorskip("galsim")
isophote = pytest.importorskip("photutils.isophote")

PIXEL_SCALE = 0.396
NOISE = 0.025  # nanomaggies per pixel, SDSS r
SIZE = 160


def sersic(n, r50, flux, q, pa):
    profile = galsim.Sersic(n=n, half_light_radius=r50, flux=flux, trunc=0.0 if n < 2 else 12.0 * r50)
    return profile.shear(q=q, beta=pa * galsim.degrees)


GALAXIES = {
    "exponential": lambda: sersic(1.0, 4.0, 300.0, 0.6, 30.0),
    "n4": lambda: sersic(4.0, 4.0, 300.0, 0.7, 110.0),
    "n6": lambda: sersic(6.0, 3.0, 300.0, 0.9, 160.0),
    "inclined": lambda: sersic(1.0, 7.0, 300.0, 0.2, 20.0),
    "twisted": lambda: sersic(3.0, 1.5, 100.0, 0.8, 100.0) + sersic(1.0, 6.0, 250.0, 0.5, 40.0),
    "barred": lambda: sersic(0.5, 3.0, 70.0, 0.35, 100.0) + sersic(1.0, 6.0, 250.0, 0.8, 40.0),
}


QUICK = ("exponential", "n4", "twisted")  # photutils takes about a second a galaxy


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in QUICK else pytest.mark.slow) for kind in GALAXIES]
)
def test_agrees_with_photutils(kind):
    """Our labels would mean something else than the isophotes that astronomers measure."""
    scene = galsim.Convolve(GALAXIES[kind](), galsim.Moffat(beta=3.5, fwhm=1.3))
    image = scene.drawImage(nx=SIZE, ny=SIZE, scale=PIXEL_SCALE, offset=(0.3, -0.4), dtype=float).array
    x0, y0 = 0.5 * (SIZE - 1) + 0.3, 0.5 * (SIZE - 1) - 0.4
    truth = measure_truth(image, x0, y0)
    known = np.isfinite(truth.intensity)
    snr = annulus_snr(truth.intensity[known], truth.sma[known], truth.ellipticity[known], NOISE)
    extent = profile_extent(truth.sma[known], snr)
    assert extent > 20.0

    at = np.argmin(np.abs(truth.sma - 10.0))  # photutils finds no isophotes if it starts far from the right ones
    geometry = isophote.EllipseGeometry(x0, y0, 10.0, truth.ellipticity[at], np.deg2rad(truth.pa[at]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        isophotes = isophote.Ellipse(image, geometry).fit_image(
            fix_center=True, minsma=2.0, maxsma=min(extent, 60.0), step=0.3, maxgerr=2.0, maxit=20
        )
    sma, intensity = np.asarray(isophotes.sma), np.asarray(isophotes.intens)
    use = sma >= 2.0
    assert use.sum() > 6
    ours = measure_truth(image, x0, y0, sma=sma[use])
    error = np.abs(2.5 * np.log10(ours.intensity / intensity[use]))
    assert np.median(error) < 0.02
    assert np.quantile(error, 0.8) < 0.05
    assert np.median(np.abs(ours.ellipticity - np.asarray(isophotes.eps)[use])) < 0.02
