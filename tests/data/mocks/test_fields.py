"""Fields from empty to crowded: counts as on the sky, light below detection conserved and in the label `sky`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.fields import RESIDUALS, Faint, add_residuals, draw_field, plane_of_points
from p2p_keras.data.mocks.psf import PSF
from p2p_keras.data.mocks.rendering import Canvas
from p2p_keras.data.mocks.scene import simulate_galaxy


def fields(kind, count=30, depth=23.0, half_side=50.0):
    """Fields of one density, and how many sources each has by itself and below detection."""
    drawn = [draw_field(half_side, depth, 16.0, 5.0, np.random.default_rng(i), kind) for i in range(count)]
    return drawn, [len(o.stars) + len(o.neighbours) for o, _ in drawn], [faint.mag.size for _, faint in drawn]


def test_density_runs_from_empty_to_crowded():
    """The sky of an empty field would be learned from crowded ones, and come out too low."""
    medians = []
    for kind in ("empty", "sparse", "usual", "crowded"):
        _, bright, faint = fields(kind)
        medians.append((np.median(bright), np.median(faint)))
    assert medians[0] == (0, 0)
    assert all(np.all(np.array(less) < np.array(more)) for less, more in itertools.pairwise(medians))


def test_faint_galaxies_are_as_many_as_on_the_sky():
    """The background under a galaxy would have another mean and another graininess than the sky's."""
    drawn, _, _ = fields("usual", 40, depth=26.0, half_side=40.0)
    area = (2.2 * 40.0 / 60.0) ** 2
    mags = np.concatenate([faint.mag[faint.r50 > 0] for _, faint in drawn])
    # Some 50 a square arcmin brighter than 25.3 (LSST Science Book, 3.7.2), and about as many more from 26 to 27.
    assert 35 < np.sum((mags > 26.0) & (mags < 27.0)) / area / len(drawn) < 75
    assert mags.min() >= 25.7 and mags.max() <= 29.5


def test_light_of_points_is_conserved():
    """Sources below detection would bring more or less light to the sky than the label says."""
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-15.0, 15.0, (2, 400))
    faint = Faint(x, y, np.full(400, 24.0), np.full(400, 0.3))
    canvas = Canvas(128, PSF(3.0, 3.0, 0.02), 0.4)
    plane, level = plane_of_points(faint, canvas, "r", 22.5, rng)
    assert plane.sum() == pytest.approx(400 * 10 ** (-0.4 * 1.5), rel=1e-6)
    assert level == pytest.approx(plane.sum() / 128**2, rel=0.01)


def test_mean_of_the_unseen_is_in_the_sky_of_the_label():
    """A sky that is measured perfectly, as the mean of what lies there, would count as wrong."""
    differences = []
    for index in range(24):
        empty, usual = (
            simulate_galaxy("hsc", 7, index, size=96, band="r", extras=Extras(field=kind, masks="none"))
            for kind in ("empty", "usual")
        )
        np.testing.assert_array_equal(empty.mu, usual.mu)
        differences.append((usual.sky - empty.sky) / empty.noise)
    assert np.median(differences) > 0.003


@pytest.mark.parametrize("kind", list(RESIDUALS))
def test_residuals(kind):
    """What a pipeline leaves would not be there, or be so strong that nobody would have published the image."""
    changes = []
    for seed in range(20):
        image = np.zeros((96, 96))
        image[20:44, 60:84] = 500.0
        before = image.copy()
        add_residuals(image, 48.0, 48.0, 1.0, np.random.default_rng(seed), (kind,))
        changes.append(np.std(image - before))
        assert np.abs(image - before).max() < 5.0
    assert np.median(changes) > 0.01


def test_an_empty_field_is_noise_and_the_target():
    """The test bed of the sky would have sources in it: its true sky wouldn't be the one of the label."""
    from p2p_keras.core.units import intensity_from_mu

    levels = []
    for index in range(30):
        galaxy = simulate_galaxy("sdss", 9, index, size=128, band="r", extras=Extras(field="empty", masks="none"))
        y, x = np.mgrid[:128, :128]
        far = np.hypot(x - galaxy.x0, y - galaxy.y0) > 58
        light = intensity_from_mu(galaxy.mu[-1], galaxy.zero_point, galaxy.pixel_scale)
        if light < 0.02 * galaxy.noise:
            levels.append((np.nanmean(galaxy.image[far]) - galaxy.sky) / galaxy.noise)
    assert len(levels) > 8
    assert abs(np.median(levels)) < 0.03
