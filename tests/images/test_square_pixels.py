"""Pixels that aren't square on the sky: radii, angles and fluxes as on the sky."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError
from p2p_keras.images import GalaxyImage, read_image
from p2p_keras.images.sky_geometry import local_jacobian, pixel_elongation

SHEARS = {
    "tall": ([[-0.4, 0.0], [0.0, 0.8]], 2.0),
    "wide": ([[-0.6, 0.0], [0.0, 0.4]], 1.5),
    "sheared": ([[-0.4, 0.15], [0.0, 0.4]], None),
    "turned": ([[-0.3, 0.5], [0.35, 0.25]], None),
    "mirrored": ([[0.4, 0.0], [0.0, 0.7]], 1.75),
}


def sky_ellipse(matrix, shape=(180, 200), *, ellipticity=0.4, pa=30.0, scale=6.0, form="cd"):
    """An exponential disc that is an ellipse on the sky (arcsec), seen by pixels with this CD matrix (arcsec)."""
    matrix = np.array(matrix)
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 40.0})
    header["CRPIX1"], header["CRPIX2"] = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    for i in (0, 1):
        for j in (0, 1):
            header[f"{'CD' if form == 'cd' else 'PC'}{i + 1}_{j + 1}"] = matrix[i, j] / 3600
    if form != "cd":
        header["CDELT1"] = header["CDELT2"] = 1.0
    header["BUNIT"] = "nanomaggy"
    fine = 3
    y, x = np.mgrid[: shape[0] * fine, : shape[1] * fine] / fine - 0.5 + 0.5 / fine
    east, north = np.einsum("ij,jyx->iyx", matrix, np.stack([x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2]))
    angle = math.radians(pa)
    along = east * math.sin(angle) + north * math.cos(angle)
    across = east * math.cos(angle) - north * math.sin(angle)
    light = np.exp(-np.hypot(along, across / (1 - ellipticity)) / scale)
    pixels = light.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3)) * abs(np.linalg.det(matrix))
    return pixels.astype(np.float32), header


def shape_on_sky(image: GalaxyImage):
    """Flux, ellipticity and position angle by second moments, and radius of half the light (arcsec)."""
    pixels = np.nan_to_num(image.pixels).astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    flux = pixels.sum()
    x0, y0 = (pixels * x).sum() / flux, (pixels * y).sum() / flux
    near = np.hypot(x - x0, y - y0) * image.pixel_scale < 22.0
    weight = pixels * near
    total = weight.sum()
    xx, yy, xy = ((weight * a * b).sum() / total for a, b in ((x - x0, x - x0), (y - y0, y - y0), (x - x0, y - y0)))
    root = math.hypot(xx - yy, 2 * xy)
    q = math.sqrt((xx + yy - root) / (xx + yy + root))
    pa = image.pa_to_sky(math.degrees(0.5 * math.atan2(2 * xy, xx - yy)), x0, y0)
    return flux, 1 - q, pa, (x0, y0)


@pytest.mark.parametrize("form", ["cd", "pc"])
@pytest.mark.parametrize("kind", SHEARS)
def test_shape_on_the_sky(tmp_path, kind, form):
    """Ellipticity 0.45 for 0.15 and angles off by 15 degrees, as on the pixel grid."""
    matrix, elongation = SHEARS[kind]
    pixels, header = sky_ellipse(matrix, form=form)
    square_pixels, square_header = sky_ellipse([[-0.4, 0.0], [0.0, 0.4]], (300, 300))
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "a.fits")
    fits.PrimaryHDU(square_pixels, square_header).writeto(tmp_path / "square.fits")
    truth = shape_on_sky(read_image(tmp_path / "square.fits"))
    image = read_image(tmp_path / "a.fits")
    flux, ellipticity, pa, (x0, y0) = shape_on_sky(image)
    assert image.pixel_scale == pytest.approx(math.sqrt(abs(np.linalg.det(matrix))), rel=1e-4)
    assert pixel_elongation(image.wcs, x0, y0) == pytest.approx(1.0, abs=1e-4)
    assert flux == pytest.approx(float(pixels.sum()), rel=2e-3)
    assert ellipticity == pytest.approx(truth[1], abs=0.01)
    assert abs((pa - 30.0 + 90) % 180 - 90) < 0.6
    assert image.pixel_to_sky(x0, y0) == pytest.approx((150.0, 40.0), abs=0.05 / 3600)
    assert image.to_file(x0, y0) == pytest.approx((99.5, 89.5), abs=0.05)
    assert image.from_file(*image.to_file(12.0, 30.0)) == pytest.approx((12.0, 30.0))
    assert any("resampled" in note for note in image.notes)
    if elongation:
        assert f"{elongation:.2f} times" in image.notes[-1]


def test_places_of_the_square_grid(tmp_path):
    """Sky positions of a cutout of such an image would be those of other stars."""
    pixels, header = sky_ellipse(SHEARS["turned"][0])
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "a.fits")
    for options in ({}, {"x": 70.0, "y": 110.0, "size": 64}):
        image = read_image(tmp_path / "a.fits", **options).without_empty_margins()
        wcs = WCS(header)
        for x, y in ((3.0, 5.0), (40.0, 20.0)):
            x_file, y_file = image.to_file(x, y)
            expected = [float(v) for v in wcs.pixel_to_world_values(x_file, y_file)]
            assert image.pixel_to_sky(x, y) == pytest.approx(expected, abs=1e-7)
    assert image.shape == (64, 64)
    assert np.isfinite(image.pixels).all()
    assert image.to_file(31.5, 31.5) == pytest.approx((70.0, 110.0), abs=0.5)


def test_arrays_with_such_a_wcs():
    """`predict(array, wcs=...)` would give angles up to 11.5 degrees off for pixels of 1.5 to 1, without a note."""
    pixels, header = sky_ellipse(SHEARS["wide"][0])
    image = GalaxyImage.from_array(pixels, zero_point=22.5, wcs=WCS(header))
    _, _, pa, _ = shape_on_sky(image)
    assert abs(pa - 30.0) < 0.6
    assert image.notes


def test_angles_come_back_from_the_profile(fake_outputs_of_an_ellipse):
    """`pa_from_x` would turn a profile's angles to others than it was drawn with."""
    from p2p_keras.profile.columns import pa_from_x
    from p2p_keras.profile.tables.building import profile_table

    pixels, header = sky_ellipse(SHEARS["wide"][0])
    image = GalaxyImage.from_array(pixels, zero_point=22.5, wcs=WCS(header))
    outputs = fake_outputs_of_an_ellipse(image)
    profile = profile_table(outputs, image)
    np.testing.assert_allclose(pa_from_x(profile["pa"].value, profile.meta), outputs["pa"], atol=0.3)


@pytest.fixture
def fake_outputs_of_an_ellipse():
    """Raw outputs of a model for an image: rows of every angle."""

    def make(image: GalaxyImage) -> dict:
        n = 12
        sma = np.geomspace(1.0, 30.0, n)
        return {
            "sma": sma,
            "mu": np.linspace(20, 25, n),
            "mu_err": np.full(n, 0.05),
            "ellipticity": np.full(n, 0.4),
            "pa": np.linspace(0.0, 165.0, n),
            "growth": np.linspace(18, 15, n),
            "valid": np.ones(n, bool),
            "x0": (image.shape[1] - 1) / 2,
            "y0": (image.shape[0] - 1) / 2,
            "extent": 30.0,
            "mag_total": 14.9,
            "sky": 0.0,
        }

    return make


def test_masked_pixels_and_noise_go_along(tmp_path):
    """A masked star would be smeared into the resampled image."""
    pixels, header = sky_ellipse(SHEARS["tall"][0])
    pixels[20:30, 40:60] = np.nan
    pixels[120, 150] = 1e9
    mask = np.zeros(pixels.shape, np.uint8)
    mask[119:122, 149:152] = 1
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "a.fits")
    image = read_image(tmp_path / "a.fits", mask=mask, sigma=np.full(pixels.shape, 0.02))
    assert np.nanmax(image.pixels) < 2 * np.nanmax(pixels[:100])
    x, y = (round(float(v)) for v in image.from_file(50.0, 25.0))
    assert np.isnan(image.pixels[y, x])
    good = np.isfinite(image.pixels)
    np.testing.assert_allclose(image.noise[good], 0.02, rtol=1e-3)
    assert good.mean() > 0.95


def test_distorted_frames(tmp_path):
    """An image with SIP terms and tall pixels would lose its place on the sky."""
    pixels, header = sky_ellipse(SHEARS["tall"][0])
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-6, "B_1_1": -1e-6})
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "a.fits")
    image = read_image(tmp_path / "a.fits")
    centre = ((image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2)
    expected = [float(v) for v in WCS(header).all_pix2world(*image.to_file(*centre), 0)]
    assert image.pixel_to_sky(*centre) == pytest.approx(expected, abs=1e-9)
    jacobian = local_jacobian(image.wcs, *centre)
    assert abs(np.linalg.det(jacobian)) == pytest.approx(image.pixel_scale**2, rel=1e-4)


def test_square_pixels_stay_as_they_are(tmp_path):
    """Ordinary images would be interpolated, and their noise tied together."""
    pixels, header = sky_ellipse([[-0.4, 0.0], [0.0, 0.404]])
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "a.fits")
    image = read_image(tmp_path / "a.fits")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert (image.notes, image.file_matrix) == ((), None)


def test_a_damaged_wcs_is_refused(tmp_path):
    """An image whose WCS is broken would be resampled to a line of nothing."""
    pixels, header = sky_ellipse([[-0.4, 0.0], [0.0, 40.0]])
    fits.PrimaryHDU(pixels, header).writeto(tmp_path / "a.fits")
    with pytest.raises(InputError, match="100 times longer than wide"):
        read_image(tmp_path / "a.fits")
