"""The truth that networks are trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p_keras.core import ellipse
from p2p_keras.core.growth import curve_of_growth
from p2p_keras.core.radii import NUM_RADII, grid_px
from p2p_keras.data.mocks.truth import Truth, measure_truth
from p2p_keras.profile.isophotes.sampler import GalaxySampler

CENTRE = 128.3, 126.8


def elliptical_radius(ellipticity, pa, size=256, centre=CENTRE):
    """Semi-major axis of the ellipse through each pixel."""
    y, x = np.mgrid[:size, :size].astype(float)
    dx, dy = x - centre[0], y - centre[1]
    c, s = np.cos(np.deg2rad(pa)), np.sin(np.deg2rad(pa))
    return np.hypot(dx * c + dy * s, (dy * c - dx * s) / (1 - ellipticity))


def exponential(ellipticity=0.4, pa=35.0, scale=12.0, size=256, centre=CENTRE):
    return np.exp(-elliptical_radius(ellipticity, pa, size, centre) / scale)


def angle_between(pa1, pa2):
    """Difference of position angles, in [-90, 90) degrees."""
    return (np.asarray(pa1) - pa2 + 90.0) % 180.0 - 90.0


def assert_complete(truth: Truth):
    """Finite wherever the image covers the ellipse, and NaN in all columns of a row alike."""
    inside = np.isfinite(truth.intensity)
    for column in (truth.ellipticity, truth.pa, truth.e1, truth.e2):
        np.testing.assert_array_equal(np.isfinite(column), inside)
    assert (truth.ellipticity[inside] >= 0).all()
    assert (truth.ellipticity[inside] <= 0.95 + 1e-9).all()
    assert ((truth.pa[inside] >= 0) & (truth.pa[inside] < 180)).all()


@pytest.mark.parametrize(("ellipticity", "pa"), [(0.05, 10.0), (0.4, 35.0), (0.7, 120.0), (0.85, 177.0)])
def test_elliptical_exponential_is_recovered(ellipticity, pa):
    """Labels of mu, ellipticity and position angle would be biased, and every network with them."""
    scale = 12.0 if ellipticity < 0.8 else 25.0
    truth = measure_truth(exponential(ellipticity, pa, scale), *CENTRE)
    # From where the minor axis is resolved: the image here has a cusp, sharper than any telescope's.
    use = (truth.sma * (1 - ellipticity) > 2.0) & (truth.sma < 120.0)
    error = 2.5 * np.log10(truth.intensity[use] / np.exp(-truth.sma[use] / scale))
    assert np.median(np.abs(error)) < 0.002
    assert np.abs(error).max() < 0.03
    np.testing.assert_allclose(truth.ellipticity[use], ellipticity, atol=0.01)
    np.testing.assert_allclose(angle_between(truth.pa[use], pa), 0.0, atol=0.5 if ellipticity > 0.1 else 3.0)


def test_scaling_the_flux_scales_the_intensity():
    """A brighter galaxy of the same shape would get another label than its zero point says."""
    image = exponential()
    one, ten = measure_truth(image, *CENTRE), measure_truth(10.0 * image, *CENTRE)
    np.testing.assert_allclose(ten.intensity, 10.0 * one.intensity, rtol=1e-9)
    np.testing.assert_allclose(ten.e1, one.e1, atol=1e-9)
    tiny = measure_truth(1e-30 * image, *CENTRE)
    np.testing.assert_allclose(tiny.intensity, 1e-30 * one.intensity, rtol=1e-9)


@pytest.mark.parametrize("turn", ["quarter", "left-right", "up-down"])
def test_turned_images_have_turned_profiles(turn):
    """Augmentation by turns and flips would teach labels that the measurement contradicts."""
    size = 256
    image = exponential(0.5, 25.0) + 0.3 * exponential(0.3, 80.0, 5.0)
    x0, y0 = CENTRE
    truth = measure_truth(image, x0, y0)
    if turn == "quarter":  # counter-clockwise with y up: (x, y) -> (-y, x)
        turned, centre, pa = np.rot90(image, -1), (size - 1 - y0, x0), truth.pa + 90.0
    elif turn == "left-right":
        turned, centre, pa = image[:, ::-1], (size - 1 - x0, y0), 180.0 - truth.pa
    else:
        turned, centre, pa = image[::-1], (x0, size - 1 - y0), 180.0 - truth.pa
    again = measure_truth(turned, *centre)
    use = truth.intensity > 1e-5 * image.max()
    np.testing.assert_allclose(again.intensity[use], truth.intensity[use], rtol=2e-3)
    np.testing.assert_allclose(again.ellipticity[use], truth.ellipticity[use], atol=5e-3)
    np.testing.assert_allclose(angle_between(again.pa[use], pa[use]), 0.0, atol=0.5)


def test_default_radii_are_the_grid_and_others_agree_with_it():
    """Labels would sit at other radii than the network's outputs."""
    image = exponential()
    truth = measure_truth(image, *CENTRE)
    np.testing.assert_array_equal(truth.sma, grid_px(256))
    assert truth.sma.shape == (NUM_RADII,)
    some = measure_truth(image, *CENTRE, sma=truth.sma[10:50:7])
    np.testing.assert_allclose(some.intensity, truth.intensity[10:50:7], rtol=1e-9)


def test_profile_integrates_to_the_flux_of_the_image():
    """The magnitude from a curve of growth would not be the galaxy's."""
    image = exponential(0.6, 70.0, 10.0) + 4.0 * exponential(0.1, 10.0, 3.0)
    truth = measure_truth(image, *CENTRE)
    growth = curve_of_growth(truth.sma, truth.intensity, truth.ellipticity)
    assert growth[np.isfinite(growth)][-1] == pytest.approx(image.sum(), rel=0.01)


def test_ring_keeps_the_geometry_of_the_disc():
    """Where the profile rises outward the fit would run away, and ringed galaxies would have senseless labels."""
    radius = elliptical_radius(0.35, 60.0)
    image = np.exp(-radius / 25.0) + 0.6 * np.exp(-0.5 * ((radius - 40.0) / 5.0) ** 2)
    truth = measure_truth(image, *CENTRE)
    use = (truth.sma > 4.0) & (truth.sma < 120.0)
    np.testing.assert_allclose(truth.ellipticity[use], 0.35, atol=0.03)
    np.testing.assert_allclose(angle_between(truth.pa[use], 60.0), 0.0, atol=2.0)
    exact = np.exp(-truth.sma / 25.0) + 0.6 * np.exp(-0.5 * ((truth.sma - 40.0) / 5.0) ** 2)
    np.testing.assert_allclose(truth.intensity[use], exact[use], rtol=0.01)


def test_geometry_goes_on_outward_where_the_light_ends():
    """Beyond a truncation the ellipses would swing at random, and growth and labels with them."""
    radius = elliptical_radius(0.5, 100.0)
    image = np.exp(-radius / 15.0) / (1.0 + np.exp((radius - 50.0) / 1.5))
    image[image < 1e-9] = 0.0
    truth = measure_truth(image, *CENTRE)
    beyond = truth.sma > 60.0
    np.testing.assert_allclose(truth.ellipticity[beyond], 0.5, atol=0.03)
    np.testing.assert_allclose(angle_between(truth.pa[beyond], 100.0), 0.0, atol=2.0)


def test_ellipses_mostly_outside_the_image_are_nan():
    """Labels would be made up where no pixel is."""
    centre = (30.0, 128.0)
    truth = measure_truth(exponential(0.3, 90.0, 15.0, centre=centre), *centre)
    assert_complete(truth)
    assert np.isfinite(truth.intensity[truth.sma < 100.0]).all()
    nowhere = measure_truth(exponential(), -500.0, 900.0)
    assert np.isnan(nowhere.intensity).all()


def test_galaxy_larger_than_the_image():
    """Large nearby galaxies would fail or be labelled round."""
    truth = measure_truth(exponential(0.45, 140.0, 90.0), *CENTRE)
    assert_complete(truth)
    use = (truth.sma > 5.0) & np.isfinite(truth.intensity)
    np.testing.assert_allclose(truth.ellipticity[use], 0.45, atol=0.02)
    np.testing.assert_allclose(truth.intensity[use], np.exp(-truth.sma[use] / 90.0), rtol=0.01)


def test_masked_pixels_are_left_out():
    """One NaN pixel would make a whole label NaN."""
    image = exponential()
    whole = measure_truth(image, *CENTRE)
    image[100:120, 140:170] = np.nan
    truth = measure_truth(image, *CENTRE)
    assert_complete(truth)
    use = (truth.sma > 3.0) & (truth.sma < 110.0)
    np.testing.assert_allclose(truth.intensity[use], whole.intensity[use], rtol=0.03)


@pytest.mark.parametrize(
    "image", [np.zeros((64, 64)), np.ones((64, 80)), -np.ones((64, 64)), np.full((64, 64), np.nan)]
)
def test_images_without_a_galaxy_do_not_fail(image):
    """One empty scene would stop a run of a million."""
    truth = measure_truth(image, 31.5, 31.5)
    assert truth.intensity.shape == (NUM_RADII,)
    if np.isfinite(image).all():
        np.testing.assert_allclose(truth.intensity[:40], image[0, 0], atol=1e-9)


def test_one_bright_pixel():
    """A star-like nucleus without a galaxy would stop a run."""
    image = np.zeros((64, 64))
    image[32, 32] = 5.0
    assert_complete(measure_truth(image, 32.0, 32.0))


@pytest.mark.parametrize("shape", [(48, 300), (300, 48), (48, 48)])
def test_images_need_not_be_square(shape):
    """Cutouts at a frame's edge would fail."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    centre = shape[1] / 2, shape[0] / 2
    truth = measure_truth(np.exp(-np.hypot(x - centre[0], y - centre[1]) / 4.0), *centre)
    assert_complete(truth)
    np.testing.assert_array_equal(truth.sma, grid_px(max(shape)))


def test_sampling_is_free_of_bias_outside_the_core():
    """Bilinear interpolation alone reads a Gaussian of 2 px too low at its peak by a twelfth of its Laplacian: 4 %."""
    y, x = np.mgrid[:128, :128].astype(float)
    image = np.exp(-0.5 * ((x - 90.4) ** 2 + (y - 64.7) ** 2) / 2.0**2)
    t = 2 * np.pi * np.arange(400) / 400
    xs, ys = 90.4 + 1.5 * np.cos(t), 64.7 + 1.5 * np.sin(t)
    values = GalaxySampler(image, 20.0, 20.0).values(xs, ys, 0)
    assert values.mean() == pytest.approx(np.exp(-0.5 * (1.5 / 2.0) ** 2), rel=5e-3)


@settings(max_examples=40)
@given(
    n=st.floats(0.4, 6.2),
    r50=st.floats(0.3, 60.0),
    q=st.floats(0.05, 1.0),
    pa=st.floats(0.0, 180.0),
    fwhm=st.floats(1.5, 8.0),
    dx=st.floats(-20.0, 20.0),
    bar=st.floats(0.0, 0.7),
    companion=st.floats(0.0, 0.5),
)
def test_never_fails_on_any_galaxy(n, r50, q, pa, fwhm, dx, bar, companion):
    """A mock in a million would stop the run, or put NaN into the loss."""
    from scipy import ndimage, special

    size, centre = 96, (48.0 + dx, 47.0)

    def sersic(n, r50, q, pa, centre):
        b = special.gammaincinv(2 * n, 0.5)
        radius = np.hypot(elliptical_radius(1 - q, pa, size, centre), 0.3)
        return np.exp(-b * (radius / r50) ** (1 / n))

    image = sersic(n, r50, q, pa, centre)
    image /= image.max()
    image += bar * sersic(0.5, max(0.5 * r50, 1.0), 0.25, pa + 50.0, centre)
    image += companion * sersic(2.0, 3.0, 0.8, 20.0, (centre[0] + 12.0, centre[1] + 9.0))
    image = ndimage.gaussian_filter(image, fwhm / 2.355, mode="constant")
    truth = measure_truth(image, *centre)
    assert_complete(truth)
    # An ellipse of semi-major axis below the distance to the edge is inside whatever its shape.
    inside = truth.sma < 27.0
    assert np.isfinite(truth.intensity[inside]).all()
    # Between pixels a peak may be brighter than any pixel: a Gaussian's by this, half a pixel off.
    assert (truth.intensity[inside] <= image.max() * 1.01 * 2.0 ** (1.0 / fwhm**2)).all()
    e1, e2 = ellipse.vector_from_angles(truth.ellipticity, truth.pa)
    np.testing.assert_allclose(e1[inside], truth.e1[inside], atol=1e-9)
    np.testing.assert_allclose(e2[inside], truth.e2[inside], atol=1e-9)
