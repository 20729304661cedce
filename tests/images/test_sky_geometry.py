"""Sky positions to pixels and back, for one galaxy and for many."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import pixel_to_skycoord, skycoord_to_pixel

from p2p_keras.images import Target
from p2p_keras.images.frame import open_frame
from p2p_keras.images.sky_geometry import (
    celestial_wcs,
    icrs_to_pixel,
    icrs_to_pixels,
    local_jacobian,
    local_pixel_scale,
    pixel_elongation,
    pixel_to_icrs_degrees,
    shifted_wcs,
)


def wcs_of(frame: str) -> WCS:
    """A gnomonic WCS of 0.4 arcsec, in a frame."""
    wcs = WCS(naxis=2)
    kinds = {"galactic": ["GLON-TAN", "GLAT-TAN"]}.get(frame, ["RA---TAN", "DEC--TAN"])
    wcs.wcs.ctype, wcs.wcs.crpix, wcs.wcs.crval = kinds, [500.5, 400.5], [359.99, 60.0]
    wcs.wcs.cd = np.array([[-0.4, 0.1], [0.1, 0.4]]) / 3600
    if frame in ("icrs", "fk5"):
        wcs.wcs.radesys = frame.upper()
    return wcs


@pytest.mark.parametrize("frame", ["icrs", "fk5", "galactic"])
def test_positions_are_those_of_astropy(frame):
    """A catalogue's galaxies would be cut out beside where they are, or be called by another position."""
    wcs = wcs_of(frame)
    x, y = np.array([0.0, 300.0, 999.0]), np.array([10.0, 700.0, 20.0])
    sky = pixel_to_skycoord(x, y, wcs, origin=0).icrs
    positions = pixel_to_icrs_degrees(wcs, x, y)
    np.testing.assert_allclose(positions, [sky.ra.deg, sky.dec.deg], rtol=0, atol=1e-11)
    np.testing.assert_allclose(pixel_to_icrs_degrees(wcs, 300.0, 700.0), [sky.ra.deg[1], sky.dec.deg[1]], atol=1e-11)
    expected = skycoord_to_pixel(SkyCoord(sky.ra, sky.dec), wcs, origin=0)
    np.testing.assert_allclose(icrs_to_pixels(wcs, sky.ra.deg, sky.dec.deg), expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(icrs_to_pixel(wcs, sky.ra.deg[1], sky.dec.deg[1]), [300.0, 700.0], atol=1e-5)


def test_one_pixel_is_as_one_of_many():
    """Radii and position angles of a file would differ from those of the same galaxy in a batch."""
    wcs = wcs_of("icrs")
    one, many = local_jacobian(wcs, 30.0, 700.0), local_jacobian(wcs, np.array([30.0]), np.array([700.0]))[0]
    np.testing.assert_allclose(one, many, rtol=1e-9)
    assert local_pixel_scale(wcs, 30.0, 700.0) == pytest.approx(np.sqrt(abs(np.linalg.det(many))), rel=1e-9)
    wcs.wcs.cd = np.array([[-0.4, 0.3], [0.1, 0.4]]) / 3600
    singular = np.linalg.svd(local_jacobian(wcs, 30.0, 700.0), compute_uv=False)
    assert pixel_elongation(wcs, 30.0, 700.0) == pytest.approx(singular[0] / singular[1], rel=1e-9)


@pytest.mark.parametrize("frame", ["icrs", "fk5"])
def test_one_far_position_spoils_no_other(frame):
    """A row of the other hemisphere would cost a frame's galaxies, or be measured where it isn't."""
    wcs = wcs_of(frame)
    ra, dec = pixel_to_icrs_degrees(wcs, np.array([300.0, 310.0]), np.array([200.0, 210.0]))
    far = SkyCoord(ra[0] * u.deg, dec[0] * u.deg).directional_offset_by(0 * u.deg, 179.9 * u.deg)
    x, y = icrs_to_pixels(
        wcs, np.array([ra[0], far.ra.deg, np.nan, ra[1]]), np.array([dec[0], far.dec.deg, 0.0, dec[1]])
    )
    np.testing.assert_allclose([x[[0, 3]], y[[0, 3]]], [[300.0, 310.0], [200.0, 210.0]], atol=1e-5)
    assert np.isnan([x[1], y[1], x[2], y[2]]).all()
    assert np.isnan(icrs_to_pixel(wcs, far.ra.deg, far.dec.deg)).all()


def distorted_frame(kind: str) -> fits.HDUList:
    """A frame whose WCS has lookup tables (ACS, `D2IM` and `CPDIS`), SIP polynomials or TPV terms."""
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0})
    header["CRPIX1"], header["CRPIX2"] = 300.5, 250.5
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -1e-4, 0.0, 0.0, 1e-4
    hdus = [fits.PrimaryHDU(np.zeros((500, 600), np.float32), header)]
    if kind == "lookup":
        y, x = np.mgrid[:17, :19]
        for axis in (1, 2):
            hdus[0].header[f"CPDIS{axis}"] = "Lookup"
            hdus[0].header[f"DP{axis}"] = f"EXTVER: {axis}"
            hdus[0].header[f"DP{axis}"] = "NAXES: 2"
            hdus[0].header[f"DP{axis}"] = "AXIS.1: 1"
            hdus[0].header[f"DP{axis}"] = "AXIS.2: 2"
            table = fits.ImageHDU((0.05 * axis * (x - 9) * (y - 5)).astype(np.float32), name="WCSDVARR", ver=axis)
            table.header.update(
                {"CRPIX1": 1.0, "CRPIX2": 1.0, "CRVAL1": 1.0, "CRVAL2": 1.0, "CDELT1": 35.0, "CDELT2": 33.0}
            )
            hdus.append(table)
    elif kind == "sip":
        hdus[0].header["CTYPE1"], hdus[0].header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
        hdus[0].header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-4, "B_1_1": -2e-4})
    else:
        hdus[0].header["CTYPE1"], hdus[0].header["CTYPE2"] = "RA---TPV", "DEC--TPV"
        hdus[0].header.update({"PV1_1": 1.0, "PV1_4": 0.5, "PV2_1": 1.0, "PV2_5": -0.9})
    return fits.HDUList(hdus)


@pytest.mark.parametrize("kind", ["lookup", "sip", "tpv"])
def test_cutouts_of_distorted_frames_keep_their_place(kind):
    """Positions and angles in a cutout of a frame with distortion tables would be 0.15 arcsec and more off."""
    file = distorted_frame(kind)
    wcs = celestial_wcs(file[0].header, file)
    linear = WCS(naxis=2)
    linear.wcs.ctype, linear.wcs.crval = ["RA---TAN", "DEC--TAN"], [150.0, 2.0]
    linear.wcs.crpix, linear.wcs.cd = [300.5, 250.5], np.diag([-1e-4, 1e-4])
    x, y = np.array([320.0, 420.0, 333.3]), np.array([210.0, 300.0, 405.5])
    moved = np.subtract(pixel_to_icrs_degrees(wcs, x, y), pixel_to_icrs_degrees(linear, x, y))
    assert np.abs(moved).max() > 0.1 / 3600  # the distortion is there
    cut = shifted_wcs(wcs, 300, 200)
    np.testing.assert_allclose(
        pixel_to_icrs_degrees(cut, x - 300, y - 200), pixel_to_icrs_degrees(wcs, x, y), rtol=0, atol=1e-9
    )


def test_each_catalogue_is_looked_for_by_itself(tmp_path):
    """The rows of an earlier catalogue, or of a list before it changed, would be cut out of a frame."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [50.5, 50.5]
    wcs.wcs.cd = np.diag([-0.4, 0.4]) / 3600
    fits.PrimaryHDU(np.ones((100, 100), "float32"), wcs.to_header()).writeto(tmp_path / "frame.fits")
    here, there = Target(ra=150.0, dec=2.0), Target(ra="10:01:00", dec="+02:00:00")
    with open_frame(str(tmp_path / "frame.fits")) as frame:
        for targets in ((here, there), (there, here), (there, there), [here, there]):
            assert frame.holds(targets) == [target is here for target in targets]
            assert frame.holds(targets) == [target is here for target in targets]
        listed = [here]
        assert frame.holds(listed) == [True]
        listed[0] = there
        assert frame.holds(listed) == [False]
