"""Ellipses of all bands together, and bands of one PSF."""

from __future__ import annotations

import numpy as np
import pytest
from exact_disc import a_wcs, exact_reference, image_of
from exact_disc import disc as inclined_disc

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.images import GalaxyImage
from p2p_keras.measure.along import AlongSettings, with_photometry
from p2p_keras.measure.bands import ForcedGalaxy, forced_inputs, predict_forced
from p2p_keras.measure.bands.joint import with_joint_ellipses
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


@pytest.mark.parametrize("reference", ["all", "joint"])
def test_a_file_of_all_bands_has_no_band_called_all(tmp_path, reference):
    """A cube of bands would be refused, since none of them is called all."""
    from astropy.io import fits

    cube = np.stack([disc(total=100.0), disc(total=250.0, seed=1)]).astype("f4")
    fits.PrimaryHDU(cube, fits.Header({"BANDS": "gr"})).writeto(tmp_path / "disc.fits")
    galaxies = forced_inputs([str(tmp_path / "disc.fits")], reference, zero_point=ZERO, pixel_scale=SCALE)
    [one] = predict_forced(measurer(), galaxies, reference)
    assert one.error is None
    assert list(one.profiles) == ["g", "r"]


def test_forced_along_ellipses_that_fit_all_bands(tmp_path):
    """--reference joint would keep the ellipses that it began with, or know them no better than one band does."""
    from astropy.io import fits

    files = {}
    for seed, band in enumerate("gr"):
        files[band] = str(tmp_path / f"disc-{band}.fits")
        pixels = inclined_disc((SIZE, SIZE), SCALE, mag=17.0 - seed, e=0.4, noise=0.02, seed=seed)
        fits.PrimaryHDU(pixels.astype("f4")).writeto(files[band])
    names = [f"{band}={path}" for band, path in files.items()]
    galaxies = forced_inputs(names, "joint", zero_point=ZERO, pixel_scale=SCALE)
    radii = 0.4 * 1.15 ** np.arange(25)
    begun = AlongEllipses((63.0, 64.0, 0.3, 40.0), AlongSettings(radii=radii))
    [one] = predict_forced(begun, galaxies, "joint")
    [again] = predict_forced(begun, galaxies, "joint", photometry=True)
    assert one.error is None
    g, r = one.profiles["g"], one.profiles["r"]
    assert g.meta["forced"] == "joint"
    assert np.hypot(g.meta["x0"] - 63.5, g.meta["y0"] - 63.5) < 0.15
    seen = (g["sma"].value > 2.5) & (g["sma"].value < 10.0)
    np.testing.assert_allclose(g["ellipticity"][seen], 0.4, atol=0.03)
    np.testing.assert_allclose(g["pa"].value[seen], 30.0, atol=2.5)
    np.testing.assert_allclose((g["mu"] - r["mu"]).value[seen], 1.0, atol=0.1)
    # Both bands say the same of their common ellipses, more than the deeper one alone.
    for column in ("ellipticity_err", "pa_err"):
        np.testing.assert_array_equal(g[column], r[column])
        np.testing.assert_array_equal(g[column], again.profiles["g"][column])
    assert np.isfinite(again.profiles["g"]["b4"][seen]).all()
    bare = r["sma", "mu", "mu_err", "ellipticity", "pa", "growth"]
    alone = with_photometry(bare, image(fits.getdata(files["r"]), "r"))
    assert (r["ellipticity_err"][seen] < alone["ellipticity_err"][seen]).all()


def test_joint_ellipses_of_bands_on_other_grids():
    """A band of another camera, turned and coarser, would twist the ellipses by its own angle."""
    shapes = {"r": ((128, 128), 0.4, 0.0), "i": ((100, 100), 0.55, 35.0)}
    images = {}
    for seed, (band, (shape, scale, turn)) in enumerate(shapes.items()):
        pixels = inclined_disc(shape, scale, e=0.4, pa=30.0, turn=turn, noise=0.003, seed=seed)
        images[band] = image_of(pixels, scale, a_wcs(shape, scale, turn), band=band)
    begun = exact_reference(images["r"], e=0.3, pa=40.0, last=20.0)
    only_i = with_joint_ellipses(begun, {"joint": images["r"], "i": images["i"]}, "joint")
    both = with_joint_ellipses(begun, {"joint": images["r"], **images}, "joint")
    right = exact_reference(images["r"], e=0.4, pa=30.0, last=20.0)
    seen = (both["sma"].value > 3.0) & (both["sma"].value < 14.0)
    for profile in (only_i, both):
        np.testing.assert_allclose(profile["ellipticity"][seen], 0.4, atol=0.02)
        np.testing.assert_allclose(profile["pa"].value[seen], right["pa"].value[seen], atol=1.5)
        assert np.hypot(profile.meta["x0"] - 63.5, profile.meta["y0"] - 63.5) < 0.1


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
