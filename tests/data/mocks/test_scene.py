"""Whole mock scenes: reproducible, plausible, and with labels that belong to their images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks import galaxies
from p2p_keras.data.mocks.mixtures import NAMES
from p2p_keras.data.mocks.presets import SURVEYS
from p2p_keras.data.mocks.scene import simulate_galaxy
from p2p_keras.data.mocks.streams import BANDS, Stream, generator
from p2p_keras.data.mocks.surveys import draw_conditions
from p2p_keras.data.shards import check_galaxy


@given(
    survey=st.sampled_from(NAMES),
    seed=st.integers(0, 2**31),
    index=st.integers(0, 10**6),
    band=st.sampled_from(BANDS),
    size=st.sampled_from([48, 64, 97, 128]),
)
@settings(max_examples=25, deadline=None)
def test_any_mock_has_a_usable_label(survey, seed, index, band, size):
    """A run of 100,000 mocks would stop in the night, or teach nonsense, if some draw gave a broken label."""
    galaxy = simulate_galaxy(survey, seed, index, size=size, band=band)
    check_galaxy(galaxy)
    assert galaxy.image.shape == (size, size) and galaxy.image.dtype == np.float32
    assert np.all(np.isfinite(galaxy.mu))
    assert galaxy.mu.size >= 50
    assert np.all((galaxy.ellipticity >= 0) & (galaxy.ellipticity < 1)) and np.all((galaxy.pa >= 0) & (galaxy.pa < 180))
    assert galaxy.noise > 0 and np.isfinite(galaxy.sky) and np.isfinite(galaxy.mag_total)
    middle = 0.5 * (size - 1)
    assert np.hypot(galaxy.x0 - middle, galaxy.y0 - middle) < 0.06 * size
    assert np.isfinite(galaxy.image).mean() > 0.3


def test_same_arguments_same_pixels():
    """A data set couldn't be made again from its seed."""
    one, two = (simulate_galaxy("mixed", 3, 8, size=96) for _ in range(2))
    assert one.image.tobytes() == two.image.tobytes()
    assert np.array_equal(one.mu, two.mu) and one.name == two.name
    assert simulate_galaxy("mixed", 3, 9, size=96).image.tobytes() != one.image.tobytes()


def test_bands_share_structure():
    """The three bands of a galaxy would be three galaxies: splits by galaxy and colours would mean nothing."""
    bands = [simulate_galaxy("sdss", 4, 2, size=128, band=band) for band in ("g", "r", "i")]
    assert len({galaxy.name for galaxy in bands}) == 1
    assert len({(galaxy.x0, galaxy.y0) for galaxy in bands}) == 1
    g, r, i = (galaxy.mag_total for galaxy in bands)
    assert 0.1 < g - r < 1.1 and 0.0 < r - i < 0.7
    row = np.searchsorted(bands[1].sma, 0.6 * bands[1].extent)
    assert abs(bands[0].ellipticity[row] - bands[2].ellipticity[row]) < 0.15


def test_noise_label_is_the_pixels_scatter():
    """The noise label would mislead a sky or noise head, most of all where resampling correlates pixels."""
    ratios = []
    for survey in ("sdss", "legacy", "rubin"):
        for index in range(6):
            galaxy = simulate_galaxy(survey, 11, index, size=128)
            left = np.abs(np.diff(galaxy.image[:, ::2], axis=1))  # pixels two apart: hardly correlated
            ratios.append(1.4826 * np.nanmedian(left) / np.sqrt(2.0) / galaxy.noise)
    assert 0.85 < np.median(ratios) < 1.15
    assert np.min(ratios) > 0.7


def test_magnitude_matches_the_growth_of_the_profile():
    """`mag_total` and the profile would contradict each other: curve of growth and total learned from both."""
    from p2p_keras.core.growth import curve_of_growth
    from p2p_keras.core.units import intensity_from_mu

    differences = []
    for index in range(12):
        galaxy = simulate_galaxy("sdss", 5, index, size=128, band="r")
        intensity = intensity_from_mu(galaxy.mu, galaxy.zero_point, galaxy.pixel_scale)
        flux = curve_of_growth(galaxy.sma / galaxy.pixel_scale, intensity, galaxy.ellipticity)[-1]
        if galaxy.extent < 0.6 * 64 * galaxy.pixel_scale:  # others have light beyond the image
            differences.append(galaxy.zero_point - 2.5 * np.log10(flux) - galaxy.mag_total)
    assert len(differences) >= 6
    assert abs(np.median(differences)) < 0.02
    assert np.max(np.abs(differences)) < 0.1


def test_sdss_noise_is_that_of_real_frames():
    """Networks trained on the preset would meet another depth in the sky: real r frames have 0.022 to 0.030 nmgy."""
    noise = [draw_conditions("sdss", SURVEYS["sdss"], "r", generator(1, i, Stream.TELESCOPE)).noise for i in range(200)]
    assert 0.020 < np.median(noise) < 0.033


@pytest.mark.parametrize("kind", list(galaxies.CLASSES))
def test_every_class_can_be_drawn(kind):
    """A class would be missing from the training data."""
    galaxy = galaxies.draw_galaxy(kind, 5.0, 15.0, generator(2, 1, Stream.GALAXY))
    light = sum(part.flux("r") for part in galaxy.smooth) + sum(knots.flux("r") for knots in galaxy.knots)
    assert galaxy.kind == kind
    assert 0.9 < light + galaxy.nucleus < 1.5


def test_psf_varies_over_the_image():
    """Stars would all have the target's PSF, as in no real image; the target's is that of the middle."""
    drawn = [draw_conditions("sdss", SURVEYS["sdss"], "r", generator(1, i, Stream.TELESCOPE)) for i in range(40)]
    widths = np.array([[c.psf(-1.0, 0.0).fwhm, c.psf().fwhm, c.psf(1.0, 0.0).fwhm] for c in drawn])
    np.testing.assert_allclose(widths[:, 1], [c.fwhm for c in drawn])
    assert 0.005 < np.std(widths[:, 2] / widths[:, 1]) < 0.05
    shapes = np.array([c.psf(1.0, 1.0).e1 - c.psf().e1 for c in drawn])
    assert 0.003 < np.std(shapes) < 0.03


def test_unknown_survey_is_named():
    """A typing error in a script would end in a traceback that doesn't say what is known."""
    with pytest.raises(UsageError, match=r"sdsss.*known are sdss"):
        simulate_galaxy("sdsss", 1, 1)


def test_near_star_changes_the_image_alone():
    """A star on the galaxy would change its truth, or there would be none to learn from."""
    seen = 0
    for index in range(4):
        plain = simulate_galaxy("sdss", 5, index, size=128, band="r")
        starred = simulate_galaxy("sdss", 5, index, size=128, band="r", near_star_share=1.0)
        np.testing.assert_array_equal(starred.mu, plain.mu)
        assert (starred.x0, starred.y0, starred.mag_total) == (plain.x0, plain.y0, plain.mag_total)
        added = np.nan_to_num(starred.image - plain.image)
        y, x = np.unravel_index(np.argmax(added), added.shape)
        seen += added[y, x] > 5 * plain.noise and np.hypot(x - plain.x0, y - plain.y0) < 60
    assert seen >= 3, "a star near the edge or behind the galaxy's own noise may not be seen"
