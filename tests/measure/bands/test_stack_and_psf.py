"""Ellipses of all bands together, and bands of one PSF."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.images import GalaxyImage
from p2p_keras.measure.along import AlongSettings
from p2p_keras.measure.bands import ForcedGalaxy, forced_inputs, predict_forced
from p2p_keras.measure.bands.psf_matching import match_psfs, matching_kernel, parse_band_psfs
from p2p_keras.measure.bands.stack import stacked_image
from p2p_keras.measure.ellipse_measurers import AlongEllipses
from p2p_keras.profile.derived.psf import Psf

SCALE, ZERO, SIZE = 0.4, 22.5, 128


def disc(total=200.0, h=5.0, noise=0.01, seed=0, smear=0.0):
    from scipy import ndimage

    y, x = np.mgrid[:SIZE, :SIZE]
    light = np.exp(-np.hypot(x - 63.5, y - 63.5) / h)
    light *= total / light.sum()
    if smear:
        light = ndimage.gaussian_filter(light, smear)
    return light + noise * np.random.default_rng(seed).normal(size=light.shape)


def image(pixels, band, zero_point=ZERO):
    return GalaxyImage.from_array(pixels, zero_point=zero_point, pixel_scale=SCALE, name="disc", band=band)


def measurer():
    radii = 0.4 * 1.15 ** np.arange(28)
    return AlongEllipses((63.5, 63.5, 0.0, 0.0), AlongSettings(radii=radii, method="exact"))


def test_the_stack_has_the_best_signal_to_noise():
    """A deep and a shallow band would count alike, and the ellipses be those of the noise."""
    images = {"g": image(disc(noise=0.3), "g"), "r": image(disc(noise=0.03, seed=1), "r")}
    measured = {band: measurer().measure([one])[0] for band, one in images.items()}
    stack = stacked_image(images, measured)
    assert np.std(stack.pixels[:20]) < 0.032
    assert np.nansum(stack.pixels) == pytest.approx(200.0, rel=0.1)
    assert stack.band == "all"


def test_bands_of_other_zero_points_are_one_unit():
    """A band in other units would outweigh the rest by a factor."""
    images = {"g": image(disc(), "g"), "r": image(disc(seed=1) * 100.0, "r", ZERO + 5.0)}
    measured = {band: measurer().measure([one])[0] for band, one in images.items()}
    assert np.nansum(stacked_image(images, measured).pixels) == pytest.approx(200.0, rel=0.05)


def test_forced_along_the_ellipses_of_all(tmp_path):
    """--reference all would ask for a band called all, or leave one out."""
    from astropy.io import fits

    files = {}
    for band, total in (("g", 100.0), ("r", 250.0)):
        files[band] = str(tmp_path / f"disc-{band}.fits")
        fits.PrimaryHDU(disc(total=total).astype("f4")).writeto(files[band])
    galaxies = forced_inputs(
        [f"{band}={path}" for band, path in files.items()], "all", zero_point=ZERO, pixel_scale=SCALE
    )
    assert isinstance(galaxies[0], ForcedGalaxy)
    [one] = predict_forced(measurer(), galaxies, "all")
    assert one.error is None
    assert list(one.profiles) == ["g", "r"]
    colour = one.profiles["g"]["mu"].value - one.profiles["r"]["mu"].value
    np.testing.assert_allclose(colour[:15], 2.5 * np.log10(2.5), atol=0.03)
    assert one.profiles["g"].meta["forced"] == "all"


def test_forced_bands_have_their_own_harmonics(tmp_path):
    """--photometry would say nothing of a band but the reference's: a boxy bulge in red, round in blue."""
    from astropy.io import fits

    y, x = np.mgrid[:SIZE, :SIZE] - 63.5
    boxy = (np.abs(x) ** 3.0 + np.abs(y) ** 3.0) ** (1.0 / 3.0)
    for band, radius in (("g", np.hypot(x, y)), ("r", boxy)):
        light = 20.0 * np.exp(-radius / 8.0) + 0.01 * np.random.default_rng(3).normal(size=x.shape)
        fits.PrimaryHDU(light.astype("f4")).writeto(tmp_path / f"disc-{band}.fits")
    names = [f"{band}={tmp_path / f'disc-{band}.fits'}" for band in "gr"]
    galaxies = forced_inputs(names, "g", zero_point=ZERO, pixel_scale=SCALE)
    [one] = predict_forced(measurer(), galaxies, "g", photometry=True)
    assert one.error is None
    inner = (one.profiles["g"]["sma"].value > 2.0) & (one.profiles["g"]["sma"].value < 10.0)
    assert np.abs(one.profiles["g"]["b4"][inner]).max() < 0.01
    boxes = np.hypot(one.profiles["r"]["a4"][inner], one.profiles["r"]["b4"][inner])
    assert boxes.min() > 0.03
    assert np.isfinite(one.profiles["r"]["b4_err"][inner]).all()
    assert one.profiles["r"].meta["forced"] == "g"


def test_matched_bands_have_one_colour():
    """A galaxy of one colour would have a blue or red nucleus where only the seeing differs."""
    pytest.importorskip("photutils")
    images = {"g": image(disc(smear=2.4, noise=0.0), "g"), "r": image(disc(smear=1.4, noise=0.0), "r")}
    fwhm = {band: 2.3548 * smear * SCALE for band, smear in (("g", 2.4), ("r", 1.4))}
    kernels = {}
    for band, width in fwhm.items():
        y, x = np.mgrid[-40:41, -40:41] * 0.1
        kernels[band] = Psf.of_array(np.exp(-4 * np.log(2) * (x * x + y * y) / width**2), 0.1)
    kernel = matching_kernel(kernels["r"], kernels["g"], SCALE)
    assert kernel.sum() == pytest.approx(1.0)
    from scipy.signal import fftconvolve

    matched = fftconvolve(images["r"].pixels, kernel, mode="same")
    core = np.s_[58:70, 58:70]
    before = np.abs(2.5 * np.log10(images["r"].pixels[core] / images["g"].pixels[core])).max()
    after = np.abs(2.5 * np.log10(matched[core] / images["g"].pixels[core])).max()
    assert before > 0.1
    assert after < 0.02


def test_matching_keeps_masks_and_says_so():
    """A masked star would be smeared over the galaxy."""
    pytest.importorskip("photutils")
    pixels = disc()
    pixels[10:14, 10:14] = np.nan
    images = {"g": image(disc(), "g"), "r": image(pixels, "r")}
    matched = match_psfs(images, {"g": "1.8", "r": "1.2"})
    assert matched["g"] is images["g"]
    assert np.isnan(matched["r"].pixels[10:14, 10:14]).all()
    assert np.isfinite(matched["r"].pixels[40:80, 40:80]).all()
    assert "convolved" in matched["r"].notes[-1]
    with pytest.raises(InputError, match="no PSF was given"):
        match_psfs(images, {"g": "1.8"})
    with pytest.raises(UsageError, match="one for each band"):
        parse_band_psfs("1.3")
