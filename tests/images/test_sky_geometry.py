"""Sky positions to pixels and back, for one galaxy and for many."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from astropy.wcs.utils import pixel_to_skycoord, skycoord_to_pixel

from p2p_keras.images.sky_geometry import icrs_to_pixel, icrs_to_pixels, pixel_to_icrs_degrees


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
    found = pixel_to_icrs_degrees(wcs, x, y)
    np.testing.assert_allclose(found, [sky.ra.deg, sky.dec.deg], rtol=0, atol=1e-11)
    np.testing.assert_allclose(pixel_to_icrs_degrees(wcs, 300.0, 700.0), [sky.ra.deg[1], sky.dec.deg[1]], atol=1e-11)
    expected = skycoord_to_pixel(SkyCoord(sky.ra, sky.dec), wcs, origin=0)
    np.testing.assert_allclose(icrs_to_pixels(wcs, sky.ra.deg, sky.dec.deg), expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(icrs_to_pixel(wcs, sky.ra.deg[1], sky.dec.deg[1]), [300.0, 700.0], atol=1e-5)


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
