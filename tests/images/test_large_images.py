"""Galaxies and mosaics larger than the network takes: cut out by size, binned, and right."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from p2p_keras.images import GalaxyImage, read_image


def mosaic(side: int, scale_px: float, *, noise=0.02, q=0.7, peak=1.0, seed=3) -> tuple[np.ndarray, fits.Header]:
    """An exponential disc in the middle of a square image; its noise comes from a tile, to be quick."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    middle = (side - 1) / 2
    pixels = peak * np.exp(-np.hypot(x - middle, (y - middle) / q) / scale_px)
    tile = rng.normal(0, noise, (side // 4 + 1, side // 4 + 1)).astype(np.float32)
    pixels += np.tile(tile, (4, 4))[:side, :side]
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0})
    header["CRPIX1"] = header["CRPIX2"] = (side + 1) / 2
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -1e-4, 0.0, 0.0, 1e-4
    header["BUNIT"] = "nanomaggy"
    return pixels.astype(np.float32), header


def test_a_galaxy_larger_than_the_network_takes(tmp_path):
    """A galaxy of 3,600 px would be cut to its middle 2048 px and its profile end there."""
    pixels, header = mosaic(4200, 300.0)
    path = tmp_path / "m.fits"
    fits.PrimaryHDU(pixels, header).writeto(path)
    image = read_image(path)
    assert max(image.shape) <= 2048
    assert image.shape[0] * image.binning >= 4096
    assert (image.binning, image.pixel_scale) == (4, pytest.approx(4 * 0.36))
    assert image.pixels.sum() == pytest.approx(pixels.sum(), rel=0.01)
    assert image.file_pixel_scale == pytest.approx(0.36)
    x, y = image.from_file(2099.5, 2099.5)
    assert image.pixel_to_sky(x, y) == pytest.approx((150.0, 2.0), abs=1e-6)
    expected = [float(v) for v in WCS(header).pixel_to_world_values(*image.to_file(100.0, 700.0))]
    assert image.pixel_to_sky(100.0, 700.0) == pytest.approx(expected, abs=1e-7)
    assert any("binned by 4" in note for note in image.notes)


def test_a_small_galaxy_in_a_large_mosaic_keeps_its_pixels(tmp_path):
    """A galaxy of 100 px would be binned away with its mosaic."""
    pixels, header = mosaic(3000, 8.0)
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "m.fits")
    image = read_image(tmp_path / "m.fits")
    assert (image.binning, image.shape) == (1, (2048, 2048))
    np.testing.assert_array_equal(image.pixels, pixels[476:2524, 476:2524])


def test_a_size_above_the_networks(tmp_path):
    """--size 3000 would be refused."""
    pixels, header = mosaic(3100, 200.0)
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "m.fits")
    image = read_image(tmp_path / "m.fits", x=1550, y=1540, size=3000)
    assert (image.binning, image.shape) == (2, (1500, 1500))
    assert image.to_file(749.5, 749.5) == pytest.approx((1550, 1540), abs=0.6)


def test_binning_with_masks_and_noise():
    """Masked stars would leak into the sums, and noise be that of single pixels."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:2200, :2200]
    pixels = rng.normal(5.0, 0.1, (2200, 2200)) + 50 * np.exp(-np.hypot(x - 1100, y - 1100) / 300)
    pixels[:1100, ::2] = np.nan
    mask = np.zeros(pixels.shape, bool)
    mask[1500:1504, 1500:1504] = True
    pixels[mask] = 1e6
    image = GalaxyImage.from_array(
        pixels, zero_point=22.5, pixel_scale=0.4, mask=mask, sigma=np.full(pixels.shape, 0.1)
    )
    assert image.binning == 2
    assert np.nanmax(image.pixels) < 400
    corner = image.pixels[:40, :40]
    assert np.median(corner) == pytest.approx(4 * np.nanmedian(pixels[:80, :80]), rel=0.02)
    assert np.nanmedian(image.noise[-40:, -40:]) == pytest.approx(0.2, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("side", "scale_px"), [(8000, 500.0)])
def test_profile_of_a_galaxy_of_5000_px(tmp_path, side, scale_px):
    """A galaxy of 5,000 px in a mosaic of 8,000 would be measured wrong by the binning: held against photutils."""
    photutils = pytest.importorskip("photutils.isophote")
    from p2p_keras import Predictor
    from p2p_keras.profile.columns import plain_arrays

    pixels, header = mosaic(side, scale_px)
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "m.fits")
    profile = Predictor.load().predict(tmp_path / "m.fits")
    arrays = plain_arrays(profile)
    assert profile.meta["extent"] / 0.36 > 1800
    assert profile.meta["x0"] == pytest.approx((side - 1) / 2, abs=4)
    assert profile.meta["pixel_scale"] == pytest.approx(0.36)
    start = photutils.EllipseGeometry(x0=(side - 1) / 2, y0=(side - 1) / 2, sma=400, eps=0.3, pa=0.0, fix_center=True)
    ellipse = photutils.Ellipse(pixels.astype(float), geometry=start)
    wrong = []
    for sma in (30.0, 100.0, 300.0, 800.0, 1500.0, 2000.0):
        intensity = ellipse.fit_isophote(sma, maxrit=0.5 * sma).intens
        ours = np.interp(np.log(sma * 0.36), np.log(arrays["sma"]), arrays["mu"])
        wrong.append(ours - (22.5 - 2.5 * np.log10(intensity / 0.36**2)))
    assert np.median(np.abs(wrong)) < 0.03, wrong
    assert np.max(np.abs(wrong)) < 0.06, wrong
