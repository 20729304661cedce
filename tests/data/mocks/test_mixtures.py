"""Telescopes: presets as their sources say, and a mixture that covers what users have."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.mixtures import MAX_SCALE, MIN_SCALE, NAMES, draw_survey
from p2p_keras.data.mocks.presets import SURVEYS
from p2p_keras.data.mocks.scene import simulate_galaxy
from p2p_keras.data.mocks.streams import Stream, generator
from p2p_keras.data.mocks.surveys import MIN_PHOTONS, draw_conditions


def drawn(count=1500):
    """Conditions of many images of the mixture."""
    conditions = []
    for index in range(count):
        name, survey = draw_survey("any", generator(1, index, Stream.GALAXY))
        conditions.append(draw_conditions(name, survey, "r", generator(1, index, Stream.TELESCOPE)))
    return conditions


def test_the_mixture_covers_scales_and_sampling():
    """Images of HST or WISE, hardly sampled or broad, would be unlike any that the network has seen."""
    conditions = drawn()
    scale = np.array([c.pixel_scale for c in conditions])
    fwhm = np.array([c.fwhm for c in conditions])
    assert scale.min() < 0.03 and scale.max() > 1.4 and np.mean(scale < 0.12) > 0.1 and np.mean(scale > 0.9) > 0.05
    assert np.all(scale > 0.9 * MIN_SCALE) and np.all(scale < 1.1 * MAX_SCALE)
    assert fwhm.min() < 1.45 and fwhm.max() > 8.0 and np.mean(fwhm < 2.0) > 0.1
    shares = Counter(c.survey.split("-")[0] for c in conditions)
    assert 0.3 < (shares["mixed"] + shares["sdss"] + shares["legacy"]) / len(conditions) < 0.6
    assert np.mean([c.diffraction is not None for c in conditions]) > 0.2
    assert 0.01 < np.mean([c.sky_electrons is not None for c in conditions]) < 0.12
    assert all(np.isfinite(c.noise) and c.noise > 0 for c in conditions)


@pytest.mark.parametrize("name", [name for name in NAMES if name in SURVEYS])
def test_every_preset_gives_images_as_sharp_and_deep_as_its_source_says(name):
    """A preset would be of another telescope than its name."""
    survey = SURVEYS[name]
    conditions = [draw_conditions(name, survey, "r", generator(2, i, Stream.TELESCOPE)) for i in range(60)]
    width = np.median([c.fwhm * c.pixel_scale for c in conditions])
    assert width == pytest.approx(max(survey.fwhm["r"], survey.min_fwhm * survey.pixel_scale), rel=0.06)
    point = [5.0 * c.noise * np.sqrt(2.266) * c.fwhm for c in conditions]
    depth = survey.zero_point - 2.5 * np.log10(np.median(point))
    assert depth == pytest.approx(survey.depth["r"], abs=0.1)


def test_starved_images_are_counts_with_many_zeros():
    """An image of few photons would be Gaussian noise, which no counter of photons gives."""
    zeros = []
    for index in range(12):
        galaxy = simulate_galaxy("galex", 3, index, size=96, extras=Extras(front="survey", masks="none"))
        left = galaxy.image - np.float32(0.0 if galaxy.sky else np.nanmin(galaxy.image))
        values = np.unique(left[np.isfinite(left)])
        photon = np.diff(values).min()
        np.testing.assert_allclose(values / photon, np.rint(values / photon), rtol=1e-4, atol=0.02)
        zeros.append(np.mean(left == left.min()))
        total = 10 ** (0.4 * (galaxy.zero_point - galaxy.mag_total)) / photon
        assert total > 0.95 * MIN_PHOTONS
    assert max(zeros) > 0.5


def test_names_of_the_program_are_those_there_are():
    """`simulate --help` would offer a survey that isn't there, or hide one that is."""
    from p2p_keras.simulate import _SURVEYS

    assert set(_SURVEYS) == set(NAMES)
