"""Sersic fits through a PSF, against the truth of galsim's galaxies."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.profile.derived.fits import inner_limit, laws_of_many
from p2p_keras.profile.derived.psf import Psf, dimming, psf_of, read_psf
from p2p_keras.profile.derived.psf_fits import fit_with_psf
from p2p_keras.profile.isophotes.classical import Shape, fit_isophotes, radii_to
from p2p_keras.profile.isophotes.photometry import measure_ellipses

SCALE, FWHM, SIZE = 0.4, 1.3, 255


def seen(n, re, q):
    """Profile of a Sersic galaxy by galsim: its image measured as any other; and the PSF's image with its sampling."""
    galsim = pytest.importorskip("galsim")
    psf = galsim.Moffat(beta=3.5, fwhm=FWHM)
    # galsim's half-light radius is circularised; the shear keeps the area.
    light = galsim.Sersic(n=n, half_light_radius=re * np.sqrt(q), flux=1e4, trunc=0.0 if n < 2 else 15.0 * re)
    scene = galsim.Convolve(light.shear(q=q, beta=30.0 * galsim.degrees), psf)
    pixels = scene.drawImage(nx=SIZE, ny=SIZE, scale=SCALE, dtype=float).array
    star = psf.drawImage(nx=65, ny=65, scale=SCALE, dtype=float).array
    middle = (SIZE - 1) / 2
    largest = min(6.0 * re / SCALE, 0.45 * SIZE)
    ellipses = fit_isophotes(pixels, Shape(middle, middle, re / SCALE, 1 - q, 30.0), radii_to(largest), fix_centre=True)
    photometry = measure_ellipses(pixels, ellipses)
    mu = 22.5 - 2.5 * np.log10(np.maximum(photometry.intensity, 1e-12) / SCALE**2)
    arrays = {"sma": ellipses.sma * SCALE, "mu": mu, "mu_err": np.full(mu.size, 0.01)}
    return arrays | {"ellipticity": ellipses.ellipticity}, Psf.of_array(star, SCALE)


@pytest.mark.parametrize(
    ("n", "ratio", "q"), [(1.0, 1.5, 0.9), (1.0, 2.0, 0.4), (2.5, 2.0, 0.6), (4.0, 1.5, 0.8), (4.0, 5.0, 0.5)]
)
def test_n_and_re_of_small_galaxies(n, ratio, q):
    """Small galaxies would come out too large and, if steep, too flat: n to 10 %, re to 5 %."""
    re = ratio * FWHM
    arrays, psf = seen(n, re, q)
    fit = fit_with_psf(arrays, re, psf)
    assert fit["sersic_n"] == pytest.approx(n, rel=0.10)
    assert fit["sersic_re"] == pytest.approx(re, rel=0.05)
    if (n, ratio) == (4.0, 1.5):
        columns = {key: np.asarray(values)[None] for key, values in arrays.items()}
        [without] = laws_of_many(columns, np.array([re]), np.array([inner_limit(SCALE, FWHM)]))
        assert abs(without["sersic_n"] / n - 1) > 0.1


def test_the_disc_of_a_small_spiral():
    """The scale length of a disc of two FWHM would be too long."""
    arrays, psf = seen(1.0, 1.5 * FWHM, 0.7)
    fit = fit_with_psf(arrays, 1.8 * FWHM, psf)
    assert fit["disc_h"] == pytest.approx(1.5 * FWHM / 1.678, rel=0.03)
    assert fit["r50_psf_free"] < 1.8 * FWHM


def test_the_psf_does_nothing_far_out():
    """The outskirts of a galaxy would be changed by what smears its centre."""
    psf = Psf.of_fwhm(1.0)
    sma = np.array([0.2, 1.0, 4.0, 9.0, 30.0])
    change = dimming(psf, 1.0, 5.0, 0.3, sma, np.full(5, 0.3))
    assert change[0] > 0.01
    assert abs(change[2]) < 0.01
    assert (change[3:] == 0.0).all()


def test_psfs_of_any_sampling(tmp_path):
    """A PSF drawn twice as fine would count as twice as wide."""
    from astropy.io import fits

    for scale in (0.2, 0.4):
        y, x = np.mgrid[-30:31, -30:31] * scale
        star = np.exp(-4 * np.log(2) * (x * x + y * y) / 1.2**2)
        header = fits.Header({"PIXSCALE": scale})
        fits.PrimaryHDU(star, header).writeto(tmp_path / f"psf{scale}.fits")
        assert read_psf(str(tmp_path / f"psf{scale}.fits"), 0.4).fwhm == pytest.approx(1.2, rel=0.05)
    assert psf_of("1.3", 0.4).fwhm == 1.3
    with pytest.raises(UsageError, match="neither"):
        read_psf("nothing.fits")
    with pytest.raises(UsageError, match="above 0"):
        read_psf("-1")
    with pytest.raises(InputError, match="no light"):
        Psf.of_array(np.zeros((5, 5)), 0.4)
