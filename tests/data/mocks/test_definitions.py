"""What an isophote is: definitions agree where galaxies are ellipses, and `free` is what photutils measures."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from p2p_keras.data.mocks import galaxies
from p2p_keras.data.mocks.components import Galaxy, Spheroid
from p2p_keras.data.mocks.definitions import SHARES, measure_by
from p2p_keras.data.mocks.extras import Extras
from p2p_keras.data.mocks.psf import PSF
from p2p_keras.data.mocks.rendering import Canvas, render
from p2p_keras.data.mocks.scene import simulate_galaxy
from p2p_keras.data.mocks.streams import Stream, generator

X0, Y0 = 79.7, 79.2


USUAL_PSF = PSF(3.3, 3.0, 0.02)


def drawn(galaxy, psf=USUAL_PSF):
    """A noise-free image."""
    return render(galaxy, Canvas(160, psf, 0.396), "r", X0, Y0, 1000.0).image


@pytest.mark.parametrize("definition", list(SHARES))
@pytest.mark.parametrize("q", [0.4, 0.9])
def test_all_agree_on_a_galaxy_of_ellipses(definition, q):
    """Labels of one definition would be wrong everywhere, not only where isophotes aren't ellipses."""
    # Sharp and without a wing: far from the centre isophotes are ellipses.
    image = drawn(Galaxy("elliptical", 15.0, (Spheroid(1.0, 4.0, 1.5, q, 0.7, {}),)), PSF(2.0, 5.0, 0.0))
    fit, other = measure_by("fit", image, X0, Y0), measure_by(definition, image, X0, Y0)
    np.testing.assert_array_equal(other.sma, fit.sma)
    use = (fit.sma > 10.0) & (fit.sma < 50.0)
    assert np.isfinite(other.intensity[use]).all()
    assert np.median(np.abs(2.5 * np.log10(other.intensity / fit.intensity))[use]) < (
        0.004 if definition == "free" else 0.015
    )
    assert np.median(np.abs(other.ellipticity - fit.ellipticity)[use]) < 0.015
    turn = np.abs((other.pa - np.rad2deg(0.7) + 90.0) % 180.0 - 90.0)[use]
    assert np.median(turn) < (1.0 if q < 0.8 else 4.0)


def test_the_unit_of_the_image_does_not_matter():
    """The truth of an image in nanojansky would be another than that of the same image in counts."""
    image = drawn(galaxies.draw_galaxy("barred", 6.0, 15.0, generator(9, 2, Stream.GALAXY)))
    for definition in SHARES:
        one, other = measure_by(definition, image, X0, Y0), measure_by(definition, image * 1e-7, X0, Y0)
        np.testing.assert_allclose(other.intensity * 1e7, one.intensity, rtol=1e-6)


def test_a_turned_image_has_a_turned_profile():
    """Labels would depend on how a galaxy lies in its image."""
    image = drawn(galaxies.draw_galaxy("spiral", 6.0, 15.0, generator(9, 1, Stream.GALAXY)))
    one, turned = measure_by("free", image, X0, Y0), measure_by("free", np.rot90(image), Y0, 159.0 - X0)
    use = np.isfinite(one.intensity) & np.isfinite(turned.intensity) & (one.sma > 2.0)
    assert np.median(np.abs(2.5 * np.log10(turned.intensity / one.intensity))[use]) < 2e-3


@pytest.mark.slow
def test_free_ellipses_are_those_of_photutils():
    """The errors of a network would not hold on the truth that users have, which is photutils'."""
    isophote = pytest.importorskip("photutils.isophote")
    apart: dict[str, list[float]] = {"fit": [], "free": []}
    for kind, index in (("elliptical", 2), ("barred", 2), ("edge-on", 2), ("flocculent", 1)):
        image = drawn(galaxies.draw_galaxy(kind, 5.0, 15.0, generator(9, index, Stream.GALAXY)))
        truth = {definition: measure_by(definition, image, X0, Y0) for definition in apart}
        fit, near = truth["fit"], np.searchsorted(truth["fit"].sma, 12.0)
        start = isophote.EllipseGeometry(X0, Y0, 12.0, max(fit.ellipticity[near], 0.05), np.deg2rad(fit.pa[near]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = isophote.Ellipse(image, start).fit_image(minsma=2.0, maxsma=50.0, step=0.2)
        use = (fit.sma > 2.5) & (fit.sma < 0.95 * theirs.sma.max())
        light = np.interp(np.log(fit.sma[use]), np.log(theirs.sma[1:]), np.log10(theirs.intens[1:]))
        for definition, isophotes in truth.items():
            apart[definition].append(float(np.median(np.abs(2.5 * (np.log10(isophotes.intensity[use]) - light)))))
    assert np.median(apart["free"]) < 0.01
    assert np.median(apart["free"]) < 0.5 * np.median(apart["fit"])


def test_truth_is_drawn_by_galaxy_and_named():
    """Nobody could tell which truth a galaxy has, or all would have the same."""
    names = set()
    for index in range(12):
        plain = simulate_galaxy("sdss", 5, index, size=96, band="r")
        drawn_ = simulate_galaxy("sdss", 5, index, size=96, band="r", extras=Extras(truth="any"))
        np.testing.assert_array_equal(drawn_.image, plain.image)
        assert drawn_.mag_total == plain.mag_total and "truth=" not in plain.origin
        names.add(drawn_.origin.partition(" truth=")[2] or "fit")
    assert names == set(SHARES)
