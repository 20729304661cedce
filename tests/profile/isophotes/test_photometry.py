"""Photometry along given ellipses: what is known of rings, planes, boxes and noise."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from p2p_keras.core.robust import clipped_mean
from p2p_keras.profile.isophotes.given import Ellipses
from p2p_keras.profile.isophotes.harmonics import fit_harmonics
from p2p_keras.profile.isophotes.noise import measure_noise
from p2p_keras.profile.isophotes.photometry import measure_ellipses
from p2p_keras.profile.isophotes.rings import ellipse_pixels, ring_pixels
from p2p_keras.profile.isophotes.sampling import ReadImage, points_along

SIZE = 160
X0, Y0 = 79.3, 80.6
SMA = 2.0 * np.exp(0.15 * np.arange(22))


def radius(q=0.6, pa=25.0, shape=2.0):
    """Semi-major axis through each pixel, of ellipses (shape 2), boxes (above) or kites (below)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    t = np.deg2rad(pa)
    along, across = (x - X0) * np.cos(t) + (y - Y0) * np.sin(t), (y - Y0) * np.cos(t) - (x - X0) * np.sin(t)
    return (np.abs(along) ** shape + np.abs(across / q) ** shape) ** (1.0 / shape)


def disc(**settings):
    return 100.0 * np.exp(-radius(**settings) / 12.0)


def ellipses(sma=SMA, q=0.6, pa=25.0):
    return Ellipses.of(X0, Y0, sma, 1.0 - q, pa)


@pytest.mark.parametrize("method", ["sampled", "exact"])
@pytest.mark.parametrize("statistic", ["mean", "median", "clipped"])
def test_a_plane_of_sky_gives_its_value_at_the_centre(method, statistic):
    """A sloping sky would make a galaxy brighter or fainter, though an ellipse's two sides cancel."""
    y, x = np.mgrid[:SIZE, :SIZE]
    plane = 5.0 + 0.02 * (x - X0) - 0.01 * (y - Y0)
    photometry = measure_ellipses(plane, ellipses(), method=method, statistic=statistic)
    np.testing.assert_allclose(photometry.intensity, 5.0, atol=0.02)


def test_a_ring_of_known_flux_is_summed_exactly():
    """Light in an annulus would depend on how its edge cuts the pixels."""
    for i, inner, outer in ((0, 5.0, 5.4), (1, 20.3, 31.7), (2, 0.0, 0.4)):
        given = Ellipses.of([80.2, 79.7, 80.5], [79.9, 80.1, 80.5], 10.0, [0.3, 0.7, 0.0], [10.0, 77.0, 0.0])
        q = given.axis_ratio[i]
        _, _, part = ring_pixels((SIZE, SIZE), given, i, inner, outer)
        assert part.sum() == pytest.approx(np.pi * q * (outer**2 - inner**2), rel=1e-9)
        assert part.max() <= 1.0 + 1e-12


def test_a_ring_off_the_image_has_what_is_on_it():
    """An ellipse beyond the edge would count pixels that aren't there."""
    given = Ellipses.of(0.0, 50.0, 30.0, 0.0, 0.0)
    rows, columns, part = ellipse_pixels((SIZE, SIZE), given, 0, 30.0)
    assert rows.min() >= 0
    assert columns.min() >= 0
    assert part.sum() == pytest.approx(0.5 * np.pi * 900.0 + 0.5 * 60.0, abs=1.0)  # half, and half a column of pixels


@pytest.mark.parametrize("method", ["sampled", "exact"])
def test_intensity_of_a_disc(method):
    """The profile itself would be off."""
    photometry = measure_ellipses(disc(), ellipses(), method=method)
    np.testing.assert_allclose(photometry.intensity, 100.0 * np.exp(-SMA / 12.0), rtol=0.02)


def test_boxy_is_negative_and_discy_positive():
    """A boxy galaxy would be called discy: b4, the cosine, is what papers after Bender call a4."""
    outer = slice(8, None)
    boxy = measure_ellipses(disc(shape=2.6), ellipses())
    discy = measure_ellipses(disc(shape=1.7), ellipses())
    round_one = measure_ellipses(disc(), ellipses())
    assert (boxy.b4[outer] < -0.01).all()
    assert (discy.b4[outer] > 0.01).all()
    assert np.abs(round_one.b4[outer]).max() < 2e-3
    for photometry in (boxy, discy, round_one):
        assert np.nanmax(np.abs(photometry.a4[outer])) < 5e-3
        assert np.nanmax(np.abs(photometry.a3[outer])) < 5e-3


@pytest.mark.parametrize("smoothing", [0.0, 0.8])
def test_errors_are_honest(smoothing):
    """Of 100 intensities, harmonics or ellipses, far fewer or far more than 68 would lie within their errors."""
    from scipy import ndimage

    truth = measure_ellipses(disc(), ellipses())
    keys = ("intensity", "gradient", "a3", "b3", "a4", "b4")
    pulls: dict[str, list[np.ndarray]] = {key: [] for key in keys}
    for seed in range(48):
        noise = np.random.default_rng(seed).normal(size=(SIZE, SIZE))
        if smoothing:
            noise = ndimage.gaussian_filter(noise, smoothing)
            noise /= noise.std()
        photometry = measure_ellipses(disc() + noise, ellipses())
        for key in keys:
            error = getattr(photometry, f"{key}_err")
            pulls[key].append(((getattr(photometry, key) - getattr(truth, key)) / error)[5:])
    for key, values in pulls.items():
        pull = np.concatenate(values)
        pull = pull[np.isfinite(pull)]
        assert abs(pull.mean()) < 0.25, key
        assert 0.75 < pull.std() < 1.2, key


@pytest.mark.parametrize(("smoothing", "method"), [(0.0, "sampled"), (0.8, "sampled"), (0.8, "exact")])
def test_structure_of_a_galaxy_is_not_taken_for_noise(smoothing, method):
    """Errors of galaxies with arms and clumps would be twice too large, and those of rings of a stack even more."""
    from scipy import ndimage

    def smeared(noise, width):
        noise = ndimage.gaussian_filter(noise, width) if width else noise
        return noise / noise.std()

    given, pulls = ellipses(SMA[::2]), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        clumpy = disc() * (1.0 + 0.15 * smeared(rng.normal(size=(SIZE, SIZE)), 1.5))
        noisy = clumpy + smeared(rng.normal(size=(SIZE, SIZE)), smoothing)
        truth, photometry = (measure_ellipses(pixels, given, method=method) for pixels in (clumpy, noisy))
        pulls.append((photometry.intensity - truth.intensity) / photometry.intensity_err)
    assert 0.85 < np.std(pulls) < 1.15


def test_shot_noise_is_not_taken_for_structure():
    """Errors of bright galaxies in photon-limited images would be too small: their noise grows with their light."""
    rng, gain, given = np.random.default_rng(2), 0.5, ellipses()
    truth = measure_ellipses(disc(), given)
    pulls = []
    for _ in range(30):
        pixels = rng.poisson((disc() + 8.0) / gain) * gain - 8.0  # 2 per pixel of sky noise, 7 at the centre
        photometry = measure_ellipses(pixels, given)
        pulls.append((photometry.intensity - truth.intensity) / photometry.intensity_err)
    assert 0.85 < np.std(pulls) < 1.15


def test_errors_of_medians_are_honest():
    """A median over a ring is less sure than the mean: its errors would be those of the mean."""
    given = ellipses(SMA[5:16])
    for method in ("sampled", "exact"):
        truth = measure_ellipses(disc(), given, statistic="median", method=method)
        pulls = []
        for seed in range(30):
            pixels = disc() + np.random.default_rng(seed).normal(size=(SIZE, SIZE))
            photometry = measure_ellipses(pixels, given, statistic="median", method=method)
            pulls.append((photometry.intensity - truth.intensity) / photometry.intensity_err)
        assert 0.85 < np.std(pulls) < 1.15, method


def test_errors_of_shapes_are_those_of_fits():
    """Users would cut on an ellipticity_err that says nothing of the scatter of ellipticities."""
    clean, sma = disc(), SMA[6:15]
    step = 0.01
    # What moves when the ellipse is off by a known step says how much of the noise's second harmonic is ellipticity.
    moved = fit_of(clean, ellipses(sma, q=0.6 - step)) - fit_of(clean, ellipses(sma))
    fits = []
    for seed in range(24):
        pixels = clean + np.random.default_rng(seed).normal(size=(SIZE, SIZE))
        fits.append((fit_of(pixels, ellipses(sma)) - fit_of(clean, ellipses(sma))) * step / moved)
    errors = measure_ellipses(pixels, ellipses(sma)).ellipticity_err
    assert np.median(np.std(fits, axis=0) / errors) == pytest.approx(1.0, abs=0.2)
    assert (measure_ellipses(pixels, ellipses(sma)).pa_err < 3.0).all()


def fit_of(pixels, given):
    """The second cosine of the intensity along each ellipse."""
    points = points_along(given)
    values, good = ReadImage(pixels).values(points.x, points.y)
    return fit_harmonics(points, values, good).coefficients[:, 4]


def test_a_noise_map_decides_the_errors():
    """A survey's noise map would be ignored."""
    pixels = disc() + np.random.default_rng(0).normal(size=(SIZE, SIZE))
    one, ten = (measure_ellipses(pixels, ellipses(), sigma=np.full((SIZE, SIZE), s)) for s in (1.0, 10.0))
    np.testing.assert_allclose(ten.intensity_err, 10.0 * one.intensity_err, rtol=1e-6)
    scatter = measure_ellipses(pixels, ellipses())
    assert np.median(one.intensity_err[8:] / scatter.intensity_err[8:]) == pytest.approx(1.0, abs=0.15)


def test_masked_pixels_count_for_nothing():
    """A masked star would shine through the mean."""
    pixels = disc()
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[84:100, 96:112] = True
    starry = pixels + 1000.0 * mask
    photometry, clean = measure_ellipses(starry, ellipses(), mask=mask), measure_ellipses(pixels, ellipses())
    np.testing.assert_allclose(photometry.intensity, clean.intensity, rtol=0.02)
    assert photometry.n_masked.max() > 10
    np.testing.assert_allclose(photometry.n_pix + photometry.n_masked, clean.n_pix, atol=1.0)


def test_a_star_is_foreign_and_a_bar_is_not():
    """A star would brighten the ring that it lies on; or an arm would be cut out of the galaxy."""
    y, x = np.mgrid[:SIZE, :SIZE]
    pixels = disc() + np.random.default_rng(1).normal(scale=0.3, size=(SIZE, SIZE))
    star = 60.0 * np.exp(-0.5 * ((x - 105.0) ** 2 + (y - 95.0) ** 2) / 2.0**2)
    expected = 100.0 * np.exp(-SMA / 12.0)
    clean = measure_ellipses(pixels, ellipses(), expected=expected)
    photometry = measure_ellipses(pixels + star, ellipses(), expected=expected)
    naive = measure_ellipses(pixels + star, ellipses())
    assert np.abs(2.5 * np.log10(naive.intensity / clean.intensity)).max() > 0.2
    assert np.abs(2.5 * np.log10(photometry.intensity / clean.intensity)[:16]).max() < 0.05
    arms = pixels * (1.0 + 0.3 * np.cos(2 * np.arctan2(y - Y0, x - X0)))
    assert measure_ellipses(arms, ellipses(), expected=expected).n_masked[:15].sum() < 5


def test_nothing_on_the_image_is_nan():
    """An ellipse beside the image would have a brightness."""
    photometry = measure_ellipses(disc(), Ellipses.of(-200.0, -200.0, [10.0, 20.0], 0.2, 0.0))
    assert np.isnan(photometry.intensity).all()
    assert (photometry.n_pix == 0).all()


def test_correlated_noise_is_seen():
    """Errors on resampled stacks would be too small by half."""
    from scipy import ndimage

    white = np.random.default_rng(2).normal(size=(256, 256))
    smooth = ndimage.gaussian_filter(white, 0.8)
    assert measure_noise(white).correlation.sum() == pytest.approx(1.0, abs=0.2)
    noise = measure_noise(smooth)
    assert noise.sigma == pytest.approx(smooth.std(), rel=0.05)
    assert noise.correlation[3, 4] == pytest.approx(np.exp(-0.25 / 0.64), abs=0.03)


def test_clipping_takes_what_stands_out():
    """A cosmic ray would make a ring bright."""
    values = np.r_[np.random.default_rng(4).normal(10.0, 1.0, 200), 500.0]
    clipped = clipped_mean(values)
    assert clipped.mean == pytest.approx(10.0, abs=0.2)
    assert clipped.number in (199, 200)
    assert np.isnan(clipped_mean(np.empty(0)).mean)


def test_ellipses_that_are_none_are_refused():
    """A radius of zero or an ellipticity of 1 would give numbers without meaning."""
    for wrong in ({"sma": 0.0}, {"ellipticity": 1.0}, {"pa": np.nan}):
        with pytest.raises(ValueError, match=r"ellip|semi-major"):
            Ellipses.of(**({"x0": 1.0, "y0": 1.0, "sma": 5.0, "ellipticity": 0.1, "pa": 0.0} | wrong))


def test_the_mean_is_that_of_the_whole_ellipse():
    """A part of each ellipse would count twice, as on photutils' walk past a full turn: 0.01 mag of a lopsided disc."""
    q, t = 0.6, np.deg2rad(25.0)

    def light(x, y):
        """A lopsided disc with two arms."""
        along = (x - X0) * np.cos(t) + (y - Y0) * np.sin(t)
        across = ((y - Y0) * np.cos(t) - (x - X0) * np.sin(t)) / q
        r, angle = np.hypot(along, across), np.arctan2(across, along)
        arms = 1.0 + 0.2 * np.cos(angle - 0.3) + 0.3 * np.cos(2.0 * angle - 1.5 * np.log(r + 5.0))
        return 100.0 * np.exp(-r / 12.0) * arms

    y, x = np.mgrid[:SIZE, :SIZE]
    given = ellipses(np.geomspace(8.0, 55.0, 40))  # farther in, linear interpolation is what is off, of both
    exact = []
    phi = (np.arange(20000) + 0.5) * (2.0 * np.pi / 20000)
    for sma in given.sma:
        r = sma * q / np.hypot(q * np.cos(phi), np.sin(phi))
        values = light(X0 + r * np.cos(phi + t), Y0 + r * np.sin(phi + t))
        exact.append((r * values).sum() / r.sum())
    off = {}
    for method in ("sampled", "photutils"):
        photometry = measure_ellipses(light(x, y), given, method=method)
        off[method] = np.quantile(np.abs(2.5 * np.log10(photometry.intensity / exact)), 0.95)
    assert off["sampled"] < 0.002
    assert off["photutils"] > 2.0 * off["sampled"]


def test_equal_to_photutils_on_the_same_ellipses():
    """Tables of the two programs could not be compared: closely anyhow, to the last digit at photutils' own points."""
    isophote = pytest.importorskip("photutils.isophote")
    pixels = disc(shape=2.4) + np.random.default_rng(5).normal(scale=0.05, size=(SIZE, SIZE))
    given = ellipses(SMA[4:17])
    theirs = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for sma in given.sma:
            sample = isophote.EllipseSample(pixels, sma, x0=X0, y0=Y0, eps=0.4, position_angle=np.deg2rad(25.0))
            sample.update(np.zeros(4, dtype=bool))
            theirs.append(isophote.Isophote(sample, 0, True, 0))
    intensity = np.array([one.intens for one in theirs])
    for method, tolerance, of_harmonics, of_numbers in (("sampled", 2e-3, 3e-3, 2), ("photutils", 1e-9, 1e-6, 0)):
        ours = measure_ellipses(pixels, given, method=method)
        assert np.abs(2.5 * np.log10(ours.intensity / intensity)).max() < tolerance
        for key in ("a3", "b3", "a4", "b4"):
            np.testing.assert_allclose(getattr(ours, key), [getattr(one, key) for one in theirs], atol=of_harmonics)
        np.testing.assert_allclose(ours.n_pix, [one.n_data for one in theirs], atol=of_numbers)
