"""Real files of SDSS and the Legacy Surveys."""

from __future__ import annotations

import numpy as np
import pytest

from p2p_keras.core.errors import MissingCalibrationError
from p2p_keras.images import read_image


@pytest.mark.parametrize(
    ("name", "scale", "band", "shape"),
    [
        ("spiral-j0151-g.fits", 0.396, "g", (240, 240)),
        ("spiral-j0151-i.fits", 0.396, "i", (240, 240)),
        ("ngc4467-g.fits", 0.396, "g", (300, 300)),
        ("eso243-49-z.fits.gz", 0.25, "", (256, 256)),
        ("ngc3610-r.fits.gz", 1.0, "", (256, 256)),
    ],
)
def test_calibrated(real_data, name, scale, band, shape):
    """A real image's zero point or scale would be wrong."""
    image = read_image(real_data / "galaxies" / name)
    assert (image.zero_point, image.band, image.shape) == (22.5, band, shape)
    assert image.pixel_scale == pytest.approx(scale, rel=1e-3)


@pytest.mark.parametrize("name", ["ic3478-r.fits.gz", "eso479-g1-r.fits.gz"])
def test_uncalibrated(real_data, name):
    """A zero point that isn't in the header would be guessed."""
    with pytest.raises(MissingCalibrationError, match="--zero-point"):
        read_image(real_data / "galaxies" / name)
    assert read_image(real_data / "galaxies" / name, zero_point=28.26).zero_point == 28.26


def test_mask_file(real_data):
    """The dwarf's stars would stay in."""
    folder = real_data / "galaxies"
    image = read_image(folder / "ic3478-r.fits.gz", zero_point=28.26, mask=folder / "ic3478-r-mask.fits.gz")
    assert 0.0 < np.isnan(image.pixels).mean() < 0.5


def test_interpolated_mosaic(real_data):
    """NGC 3610's mu would be 2 mag off: its flux is per 0.396 arcsec pixel on a grid of 1 arcsec."""
    path = real_data / "galaxies" / "ngc3610-r.fits.gz"
    assert "20.488" in read_image(path).notes[0]
    assert read_image(path, zero_point=22.5, pixel_scale=0.396).pixel_scale == 0.396
    assert "20.488" in read_image(path, zero_point=22.5, pixel_scale=0.396).notes[0]


def test_galaxy_of_a_frame(real_data):
    """A galaxy cut by RA and Dec from a whole frame would be off its centre."""
    image = read_image(real_data / "sky" / "frame-r-001043-5-0025.fits.bz2", ra=3.62974, dec=15.81728)
    assert image.shape == (256, 256)
    assert np.isfinite(image.pixels).all()
    core = image.pixels[108:148, 108:148]
    y, x = np.unravel_index(np.nanargmax(core), core.shape)
    assert abs(x - 19.5) < 4
    assert abs(y - 19.5) < 4
