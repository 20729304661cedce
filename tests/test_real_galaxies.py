"""Real galaxies: a right profile of each, and agreement with photutils' isophotes of the same image."""

import warnings

import numpy as np
import pytest

from p2p_keras import Predictor
from p2p_keras.core.accuracy import interpolate_log_sma
from p2p_keras.core.errors import P2PError
from p2p_keras.images import read_image

# File, options that its README calls for, and the range of total magnitudes that catalogues allow.
GALAXIES = {
    "spiral-j0151-g.fits": {},
    "spiral-j0151-r.fits": {},
    "spiral-j0151-i.fits": {},
    "ngc4467-g.fits": {},
    "ic3478-r.fits.gz": {"zero_point": 28.26, "mask": "ic3478-r-mask.fits.gz"},
    "ngc3610-g.fits.gz": {"zero_point": 22.5, "pixel_scale": 0.396},
    "ngc3610-r.fits.gz": {"zero_point": 22.5, "pixel_scale": 0.396},
    "ngc3610-i.fits.gz": {"zero_point": 22.5, "pixel_scale": 0.396},
    "eso243-49-g.fits.gz": {"zero_point": 22.5},
    "eso243-49-r.fits.gz": {"zero_point": 22.5},
    "eso243-49-z.fits.gz": {"zero_point": 22.5},
    "eso479-g1-r.fits.gz": {"zero_point": 22.5},
}
COMPARED = ("ngc3610-r.fits.gz", "spiral-j0151-r.fits", "ic3478-r.fits.gz")
LIMIT = 0.15  # mag, median from 2 px to where mu = 25


@pytest.fixture(scope="module")
def predictor():
    try:
        return Predictor.load()
    except P2PError as error:
        pytest.skip(str(error))


def _read(real_data, name):
    options = dict(GALAXIES[name])
    if "mask" in options:
        options["mask"] = real_data / "galaxies" / options["mask"]
    return read_image(real_data / "galaxies" / name, **options)


def photutils_profile(image, x0, y0, ellipticity, pa_deg):
    """Semi-major axis (px) and mu by photutils' isophotes, started from the given geometry; no other help."""
    from astropy.stats import SigmaClip
    from photutils.background import SExtractorBackground
    from photutils.isophote import Ellipse, EllipseGeometry

    pixels = np.ma.masked_invalid(image.pixels.astype(float))
    border = max(4, min(pixels.shape) // 16)
    frame = np.ones(pixels.shape, bool)
    frame[border:-border, border:-border] = False
    sky = SExtractorBackground(sigma_clip=SigmaClip(3.0))(pixels[frame].compressed())
    geometry = EllipseGeometry(x0, y0, 10.0, max(ellipticity, 0.05), np.deg2rad(pa_deg))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        isophotes = Ellipse(pixels - sky, geometry).fit_image(
            sma0=10.0, minsma=2.0, maxsma=0.4 * min(pixels.shape), step=0.25, maxit=20, sclip=2.5, nclip=2, fflag=0.4
        )
    sma, intensity = isophotes.sma, isophotes.intens
    good = (sma > 0) & np.isfinite(intensity) & (intensity > 0)
    mu = image.zero_point - 2.5 * np.log10(intensity[good] / image.pixel_scale**2)
    return sma[good], mu


@pytest.mark.parametrize("name", sorted(GALAXIES))
def test_every_real_galaxy_has_a_profile(real_data, predictor, name):
    """A real galaxy would get no profile, or one that no galaxy has."""
    image = _read(real_data, name)
    profile = predictor.predict(image)
    assert len(profile) > 25
    sma, mu = profile["sma"].value, profile["mu"].value
    assert np.all(np.isfinite(mu)) and np.all(profile["mu_err"].value > 0)
    assert 13 < mu[0] < 24 and mu[-1] - mu[0] > 3
    # Fainter outward, but for bumps of arms, bars and rings.
    smooth = np.convolve(mu, np.ones(7) / 7, mode="valid")
    assert np.all(np.diff(smooth) > -0.08)
    assert np.all(np.diff(profile["growth"].value) < 0.02), "the curve of growth must not lose light"
    height, width = image.pixels.shape
    assert abs(profile.meta["x0"] - image.x_offset - (width - 1) / 2) < 0.12 * width
    assert abs(profile.meta["y0"] - image.y_offset - (height - 1) / 2) < 0.12 * height
    assert sma[-1] == pytest.approx(profile.meta["extent"])


@pytest.mark.parametrize("name", COMPARED)
def test_agrees_with_photutils(real_data, predictor, name):
    """The network would be wrong on real galaxies, however good on mocks."""
    image = _read(real_data, name)
    profile = predictor.predict(image)
    middle = len(profile) // 2
    # photutils works in the pixels' frame: the angle from +x.
    pa = predictor_pa_from_x(predictor, image, middle)
    x0, y0 = profile.meta["x0"] - image.x_offset, profile.meta["y0"] - image.y_offset
    sma, mu = photutils_profile(image, x0, y0, float(profile["ellipticity"][middle]), pa)
    use = (sma >= 2) & (mu < 25)
    ours = interpolate_log_sma(sma[use] * image.pixel_scale, profile["sma"].value, profile["mu"].value)
    assert np.isfinite(ours).sum() >= 10
    assert np.nanmedian(np.abs(ours - mu[use])) < LIMIT


def predictor_pa_from_x(predictor, image, row):
    """Position angle counter-clockwise from +x: that of the same pixels without a WCS."""
    plain = predictor.predict(image.pixels, zero_point=image.zero_point, pixel_scale=image.pixel_scale)
    return float(plain["pa"].value[min(row, len(plain) - 1)])


def test_galaxy_cut_from_a_whole_frame(real_data, predictor):
    """A target given by RA and Dec would not be found in a survey's frame."""
    try:
        frame = real_data / "sky" / "frame-r-004510-4-0030.fits.bz2"
        profile = predictor.predict(read_image(frame, ra=200.50991, dec=36.73094))
    except FileNotFoundError:
        pytest.skip("no frames")
    assert len(profile) > 20
    assert abs(profile.meta["ra"] - 200.50991) * 3600 * np.cos(np.deg2rad(36.7)) < 3
    assert abs(profile.meta["dec"] - 36.73094) * 3600 < 3
