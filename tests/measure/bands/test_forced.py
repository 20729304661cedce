"""Bands measured along one band's ellipses: colours, grids, stars, sky."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
import pytest
from astropy.io import fits
from exact_disc import a_wcs, disc, exact_reference, image_of

from p2p_keras.core.ellipse import points, vector_from_angles
from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.measure.bands import colour_table, forced_inputs, measure_bands, read_bands
from p2p_keras.profile.columns import plain_arrays
from p2p_keras.profile.derived import DerivedSettings, complete_profile
from p2p_keras.profile.painting import Isophotes, deviating_pixels, paint


@pytest.fixture
def pair():
    """The same disc, half a magnitude bluer on a finer, turned grid with another sky; a star in the blue band alone."""
    red = image_of(disc((200, 200), 0.4), 0.4, a_wcs((200, 200), 0.4))
    pixels = disc((300, 320), 0.3, mag=16.5, turn=25.0, sky=0.05, noise=0.002, seed=1)
    pixels[175:183, 180:188] += 0.8
    blue = image_of(pixels, 0.3, a_wcs((300, 320), 0.3, turn=25.0), band="g")
    return blue, red


def test_colours_are_right_across_grids(pair):
    """Colours would be wrong where bands differ in pixel scale, rotation or sky, or have a star in one of them."""
    blue, red = pair
    profiles = measure_bands(exact_reference(red), {"g": blue, "r": red}, "r")
    colours = colour_table(profiles, "disc")
    sma, colour, error = (np.asarray(colours[key].value) for key in ("sma", "g-r", "g-r_err"))
    inner = (sma > 0.5) & (sma < 12)
    np.testing.assert_allclose(colour[inner], 0.5, atol=0.03)
    outer = (sma >= 12) & np.isfinite(colour)
    assert np.all(np.abs(colour[outer] - 0.5) < 4 * error[outer] + 0.02)
    assert colours.meta["g-r_total"] == pytest.approx(0.5, abs=0.02)
    assert profiles["g"].meta["sky"] == pytest.approx(0.05, abs=0.001)
    assert profiles["g"].meta["forced"] == "r"
    assert profiles["g"].meta["sky_origin"] == "ring"
    truth = plain_arrays(exact_reference(red))
    np.testing.assert_allclose(profiles["r"]["mu"].value[inner], truth["mu"][inner], atol=0.03)
    # Lost light has a flux with an error, though no magnitude.
    assert np.isfinite(profiles["g"]["intensity"].value).all()


def test_errors_are_honest(pair):
    """Uncertainties of forced profiles would be too small or too large by factors."""
    reference = exact_reference(pair[1])
    pulls = []
    for seed in range(8):
        images = {
            "g": image_of(disc((200, 200), 0.4, mag=17.0, seed=2 * seed), 0.4),
            "r": image_of(disc((200, 200), 0.4, seed=2 * seed + 1), 0.4),
        }
        plain = exact_reference(images["r"])
        profile = measure_bands(plain, images, "r")["g"]
        sma = profile["sma"].value
        use = (sma > 8) & (sma < 22)
        truth = 10 ** (0.4 * (23.9 - plain_arrays(reference)["mu"] - 1.0))[use]
        pulls.append((profile["intensity"].value[use] - truth) / profile["intensity_err"].value[use])
    assert 0.4 < np.std(np.concatenate(pulls)) < 1.4


def test_bands_that_are_not_registered_are_flagged(pair):
    """A WCS that is off by some pixels would make wrong colours without a word."""
    red = pair[1]
    moved = image_of(disc((200, 200), 0.4, mag=16.5, shift=(6, -4), seed=3), 0.4, a_wcs((200, 200), 0.4), band="g")
    images = {"g": moved, "r": red}
    profile = measure_bands(exact_reference(red), images, "r")["g"]
    assert "misaligned" in profile.meta["flags"]
    assert profile.meta["quality"] >= 2
    aligned = measure_bands(exact_reference(red), images, "r", align=True)
    assert "misaligned" not in aligned["g"].meta["flags"]
    colours = colour_table(aligned)
    inner = (colours["sma"].value > 1.5) & (colours["sma"].value < 10)
    np.testing.assert_allclose(colours["g-r"].value[inner], 0.5, atol=0.05)
    assert aligned["g"].meta["x0"] == pytest.approx(105.5, abs=0.6)


def test_a_corrected_reference_corrects_no_band(pair):
    """Bands would claim a correction for extinction that they don't have, and quantities of the reference's light."""
    red = pair[1]
    plain = exact_reference(red)
    corrected = complete_profile(plain, DerivedSettings(extinction=0.3, redshift=0.02))
    one, other = (measure_bands(reference, {"r": red}, "r")["r"] for reference in (plain, corrected))
    np.testing.assert_array_equal(one["mu"].value, other["mu"].value)
    assert other.meta == one.meta
    assert not {"extinction", "sersic_n", "redshift"} & other.meta.keys()


def test_grids_without_wcs_must_be_the_same(pair):
    """Bands of different cutouts would be laid on each other pixel by pixel."""
    one, other = image_of(disc((200, 200), 0.4), 0.4), image_of(disc((180, 200), 0.4), 0.4)
    reference = exact_reference(one)
    with pytest.raises(InputError, match="one pixel grid"):
        measure_bands(reference, {"r": one, "g": other}, "r")
    with pytest.raises(InputError, match="has no WCS"):
        measure_bands(reference, {"r": one, "g": pair[0]}, "r")
    with pytest.raises(InputError, match="no profile"):
        measure_bands(reference[:0], {"r": one, "g": one}, "r")


def test_arguments_of_bands(tmp_path):
    """A misspelt band or a forgotten reference would end in a traceback."""
    for band in "gr":
        cards = a_wcs((64, 64), 0.4).to_header()
        cards["BUNIT"] = "nanomaggy"
        fits.PrimaryHDU(disc((64, 64), 0.4).astype("f4"), cards).writeto(tmp_path / f"ngc1-{band}.fits")
    arguments = [f"{band}={tmp_path}/ngc1-{band}.fits" for band in "gr"]
    [galaxy] = forced_inputs(arguments, "r")
    assert galaxy.target.name == "ngc1"
    with ExitStack() as frames:
        assert {band: image.band for band, image in read_bands(galaxy, frames, {}).items()} == {"g": "g", "r": "r"}
    (tmp_path / "c.csv").write_text("name,file_g,file_r\nx,ngc1-g.fits,ngc1-r.fits\ny,ngc1-g.fits,none.fits\n")
    galaxies = forced_inputs([], "r", tmp_path / "c.csv")
    assert [g.target.name for g in galaxies] == ["x", "y"]
    for wrong, reference in ((arguments, "i"), (arguments[:1], "g"), (["a.fits"], "r"), (arguments[:1] * 2, "g")):
        with pytest.raises(UsageError):
            forced_inputs(wrong, reference)


def test_radius_of_a_twisted_galaxy():
    """The model image of a galaxy whose ellipses turn would be that of another one."""
    sma = np.geomspace(1, 60, 40)
    e1, e2 = vector_from_angles(np.linspace(0.1, 0.6, 40), np.linspace(0, 70, 40))
    isophotes = Isophotes(50.0, 48.0, sma, e1, e2)
    t = np.linspace(0, 2 * np.pi, 33)
    for i in (3, 15, 30, 38):
        dx, dy = points(sma[i], e1[i], e2[i], np.cos(t), np.sin(t))
        np.testing.assert_allclose(isophotes.radius_of(50 + dx, 48 + dy), sma[i], rtol=0.02)


def test_mask_is_the_star_and_not_the_galaxy():
    """--mask-image would hide the galaxy's own light, or leave the star in."""
    pixels = disc((200, 200), 0.4)
    pixels[120:125, 130:135] += 1.0
    pixels[10, 10] = np.nan
    image = image_of(pixels, 0.4)
    painted = paint(exact_reference(image), image)
    np.testing.assert_allclose(painted.model.sum(), 10 ** (0.4 * 6.5), rtol=0.03)
    mask = deviating_pixels(image, painted, 0.0)
    assert mask[120:125, 130:135].all() and mask[10, 10]
    assert mask.sum() < 120
