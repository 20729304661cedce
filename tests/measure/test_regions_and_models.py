"""Region files as DS9 reads them, and models of galaxies that aren't elliptical."""

from __future__ import annotations

import re

import numpy as np

from p2p_keras import measure_along
from p2p_keras.images import GalaxyImage
from p2p_keras.measure.along import with_photometry
from p2p_keras.measure.outputs.regions import write_ellipse_regions, write_mask_regions
from p2p_keras.profile.harmonic_painting import with_harmonics
from p2p_keras.profile.painting import paint

X0, Y0, E, PA = 64.0, 66.0, 0.4, 25.0


def boxy_image(wcs=None, e=E):
    y, x = np.mgrid[:140, :130]
    t = np.deg2rad(PA)
    along, across = (x - X0) * np.cos(t) + (y - Y0) * np.sin(t), (y - Y0) * np.cos(t) - (x - X0) * np.sin(t)
    r = (np.abs(along) ** 2.6 + np.abs(across / (1 - e)) ** 2.6) ** (1 / 2.6)
    pixels = 50.0 * np.exp(-r / 9.0) + 1e-3 * np.random.default_rng(0).normal(size=r.shape)
    return GalaxyImage.from_array(pixels, zero_point=22.5, pixel_scale=0.4, name="boxy", wcs=wcs)


def profile_of(image, e=E):
    return measure_along(image, (X0 + image.x_offset, Y0 + image.y_offset, e, PA), radii=0.8 * 1.15 ** np.arange(25))


def test_the_harmonic_model_leaves_less():
    """A boxy galaxy's model would leave an X in the residual."""
    image = boxy_image(e=0.1)
    profile = with_photometry(profile_of(image, 0.1), image)
    plain = paint(profile, image)
    boxy = with_harmonics(plain, profile, image)
    ring = (plain.radius > 8) & (plain.radius < 40)
    left = [np.std((image.pixels - one.model)[ring] / plain.model[ring]) for one in (plain, boxy)]
    assert left[1] < 0.5 * left[0]


def test_ellipses_on_the_sky_are_the_galaxys(tmp_path):
    """The regions would lie beside the galaxy or be turned."""
    from astropy.wcs import WCS

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [10.0, 5.0], [X0 + 1, Y0 + 1]
    wcs.wcs.cdelt = [-0.4 / 3600, 0.4 / 3600]
    image = boxy_image(wcs)
    write_ellipse_regions(image, profile_of(image), tmp_path / "boxy.reg")
    text = (tmp_path / "boxy.reg").read_text()
    assert "\nicrs\n" in text
    last = re.findall(r"ellipse\(([\d.]+),([\d.]+),([\d.]+)\",([\d.]+)\",([\d.]+)\)", text)[-1]
    ra, dec, a, b, angle = (float(number) for number in last)
    assert abs(ra - 10.0) * 3600 < 0.1
    assert abs(dec - 5.0) * 3600 < 0.1
    assert b / a == np.float64(1 - E).round(6) or abs(b / a - (1 - E)) < 1e-3
    # North up, east left: 25 degrees from +x is 115 east of north, and DS9 wants pa + 90.
    assert abs((angle - 205.0 + 90.0) % 180.0 - 90.0) < 0.5


def test_pixels_count_from_one(tmp_path):
    """DS9 would draw everything a pixel off."""
    image = boxy_image()
    write_ellipse_regions(image, profile_of(image), tmp_path / "boxy.reg")
    text = (tmp_path / "boxy.reg").read_text()
    assert "\nimage\n" in text
    assert f"ellipse({X0 + 1:.3f},{Y0 + 1:.3f}," in text


def test_the_mask_comes_back_from_its_polygons(tmp_path):
    """A mask written for DS9 and read again would have moved."""
    from matplotlib.path import Path as Outline

    image = boxy_image()
    mask = np.zeros(image.shape, dtype=bool)
    mask[20:26, 40:45] = True
    mask[0:3, 0:2] = True
    write_mask_regions(image, mask, tmp_path / "m.reg")
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    painted = np.zeros(image.shape, dtype=bool)
    for line in re.findall(r"polygon\((.*)\)", (tmp_path / "m.reg").read_text()):
        corners = np.array([float(number) for number in line.split(",")]).reshape(-1, 2) - 1.0
        painted |= Outline(corners).contains_points(np.c_[x.ravel(), y.ravel()]).reshape(mask.shape)
    np.testing.assert_array_equal(painted, mask)
