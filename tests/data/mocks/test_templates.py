"""Mocks from images of real galaxies: cleaned, shrunk, dimmed, with the truth measured on the result."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.psf import PSF, moffat
from p2p_keras.data.mocks.rendering import Canvas
from p2p_keras.data.mocks.scene import simulate_galaxy
from p2p_keras.data.mocks.templates import MIN_SHRINK, Templates, prepare_templates
from p2p_keras.data.mocks.truth import measure_truth

pytest.importorskip("sep")

SIDE = 401
SCALE = 22.0
ELLIPTICITY = 0.4
STAR = 300.0, 130.0


def write_galaxy(path, *, star=0.0, sky=2.0, flux=1.0, scale=SCALE, band="r"):
    """A deep exponential galaxy along +x on a flat sky, with or without a star on its disc."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
    light = flux * 40.0 * np.exp(-np.hypot(x, y / (1 - ELLIPTICITY)) / scale)
    light += star * moffat((x + 0.5 * (SIDE - 1) - STAR[0]) ** 2 + (y + 0.5 * (SIDE - 1) - STAR[1]) ** 2, 4.0, 3.0)
    image = light + rng.normal(sky, 0.02, light.shape)
    header = fits.Header({"PIXSCALE": 0.262, "FILTER": band})
    header["CTYPE1"], header["CTYPE2"], header["CRVAL1"], header["CRVAL2"] = "RA---TAN", "DEC--TAN", 50.0, -20.0
    header["CRPIX1"] = header["CRPIX2"] = 0.5 * (SIDE + 1)
    header["CD1_1"], header["CD2_2"] = -0.262 / 3600, 0.262 / 3600
    fits.writeto(path, image.astype(np.float32), header)


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    """One galaxy, prepared: a bright star lies on its disc."""
    folder = tmp_path_factory.mktemp("deep")
    (folder / "images").mkdir()
    write_galaxy(folder / "images" / "deep.fits", star=4000.0)
    assert prepare_templates(folder / "images", folder / "cache") == []
    return Templates(folder / "cache")


def draw(templates, r50=12.0, flux=1000.0, pa=0.0, mirror=False, size=128):
    canvas = Canvas(size, PSF(3.0, 3.0, 0.02), 0.396)
    middle = 0.5 * (size - 1)
    return templates.render(templates.templates[0], canvas, middle + 0.3, middle - 0.6, r50, flux, pa, mirror)


def test_stars_on_the_disc_are_gone(templates):
    """Each mock of a template would carry the same star, inside its label."""
    image = np.load(templates.cache / "deep.npy")
    half = image.shape[0] // 2
    column, row = round(STAR[0] - 200 + half), round(STAR[1] - 200 + half)
    there = image[row - 3 : row + 4, column - 3 : column + 4].mean()
    opposite = image[::-1, ::-1][row - 3 : row + 4, column - 3 : column + 4].mean()
    assert there == pytest.approx(opposite, rel=0.3)
    assert image.sum() == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("pa", [0.0, 0.7, 2.0])
def test_shape_size_and_turn_are_those_asked_for(templates, pa):
    """The same template would always look the same, or its label would turn the other way."""
    drawn = draw(templates, pa=pa)
    truth = measure_truth(drawn.image, 63.8, 62.9)
    use = (truth.sma > 10.0) & (truth.sma < 30.0)
    assert np.median(truth.ellipticity[use]) == pytest.approx(ELLIPTICITY, abs=0.04)
    difference = (np.median(truth.pa[use]) - np.rad2deg(pa) + 90.0) % 180.0 - 90.0
    assert abs(difference) < 2.0
    assert drawn.flux == pytest.approx(1000.0, rel=0.02)
    y, x = np.mgrid[:128, :128]
    radius = np.hypot(x - 63.8, y - 62.9)
    assert drawn.image[radius < 12.0].sum() == pytest.approx(500.0, rel=0.12)


def test_profile_keeps_its_form(templates):
    """An exponential galaxy must stay one, out to below the noise of its own image: no step where its tail begins."""
    truth = measure_truth(draw(templates, r50=8.0).image, 63.8, 62.9)
    use = (truth.sma > 7.0) & (truth.sma < 45.0)
    slope = np.polyfit(truth.sma[use], np.log(truth.intensity[use]), 1)
    residual = np.log(truth.intensity[use]) - np.polyval(slope, truth.sma[use])
    assert np.abs(residual).max() < 0.25
    assert np.all(np.diff(truth.intensity[use]) < 0)


def test_never_enlarged(templates):
    """A template blown up would show its own pixels, seeing and noise as structure of a galaxy."""
    template = templates.templates[0]
    largest, larger = (draw(templates, r50=template.r50 / MIN_SHRINK * k).image for k in (1.0, 3.0))
    np.testing.assert_allclose(largest, larger)


def test_mirror(templates):
    """Spirals would all wind one way."""
    plain, mirrored = draw(templates, pa=0.0).image, draw(templates, mirror=True).image
    assert np.abs(plain - mirrored).max() < 0.2 * plain.max()
    assert not np.array_equal(plain, mirrored)


def test_bands_of_a_template(tmp_path):
    """A galaxy's g image would be its r image: no colour, no gradient; or its own g image would not be used."""
    images = tmp_path / "images"
    images.mkdir()
    write_galaxy(images / "real-g.fits", scale=26.0, band="g")
    write_galaxy(images / "real-r.fits", scale=SCALE)
    prepare_templates(images, tmp_path / "cache")
    cache = Templates(tmp_path / "cache")
    rng = np.random.default_rng(1)
    chosen = {band: cache.choose(rng, band) for band in "gri"}
    assert {band: template.name for band, template in chosen.items()} == {"g": "real-g", "r": "real-r", "i": "real-r"}
    canvas = Canvas(128, PSF(3.0, 3.0, 0.02), 0.396)
    profile = {}
    for band, template in chosen.items():
        drawn = cache.render(template, canvas, 63.5, 63.5, 9.0, 1000.0, 0.3, False, band)
        assert drawn.flux == pytest.approx(1000.0, rel=0.03)
        profile[band] = measure_truth(drawn.image, 63.5, 63.5)
    use = (profile["r"].sma > 4.0) & (profile["r"].sma < 30.0)
    slope = {band: np.polyfit(profile[band].sma[use], np.log(profile[band].intensity[use]), 1)[0] for band in "gr"}
    # One shrinkage for all bands keeps the ratio of their scale lengths.
    assert slope["r"] / slope["g"] == pytest.approx(26.0 / SCALE, rel=0.06)
    colour = -2.5 * np.log10(profile["r"].intensity / profile["i"].intensity)[use]
    gradient = np.polyfit(np.log10(profile["r"].sma[use]), colour, 1)[0]
    assert gradient == pytest.approx(-0.07, abs=0.03)
    galaxies = {
        band: simulate_galaxy("sdss", 6, 3, size=96, band=band, templates=cache, template_share=1.0) for band in "gr"
    }
    assert 0.1 < galaxies["g"].mag_total - galaxies["r"].mag_total < 1.1


def test_templates_with_dots_in_their_names_are_kept_apart(tmp_path):
    """Every band of a survey whose file names hold dots would be the last band that was read."""
    images = tmp_path / "images"
    images.mkdir()
    write_galaxy(images / "rings.v3.ngc1.g.fits", scale=30.0, band="g")
    write_galaxy(images / "rings.v3.ngc1.r.fits", scale=20.0)
    write_galaxy(images / "rings.v3.ngc2.r.fits", scale=14.0)
    prepare_templates(images, tmp_path / "cache")
    templates = Templates(tmp_path / "cache")
    kept = {template.name: np.load(tmp_path / "cache" / f"{template.name}.npy") for template in templates.templates}
    assert len({image.tobytes() for image in kept.values()}) == 3
    assert {template.galaxy for template in templates.templates} == {"rings.v3.ngc1", "rings.v3.ngc2"}


def test_scene_takes_its_share(templates):
    """`--template-share` would do nothing, or templates would replace every drawn galaxy."""
    kinds = [
        simulate_galaxy("sdss", 6, index, size=64, band="r", templates=templates, template_share=0.5).origin
        for index in range(12)
    ]
    number = sum("kind=template-deep" in kind for kind in kinds)
    assert 2 <= number <= 10
    none = simulate_galaxy("sdss", 6, 0, size=64, band="r", templates=templates, template_share=0.0)
    assert "template" not in none.origin


def test_unusable_images_are_named(tmp_path):
    """A folder with one small or empty image in it couldn't be used, or would be used in silence."""
    images = tmp_path / "images"
    images.mkdir()
    write_galaxy(images / "empty.fits", flux=0.0)
    write_galaxy(images / "small.fits", scale=3.0)
    with pytest.raises(UsageError, match=r"no image can be used as template.*there is no galaxy above the noise"):
        prepare_templates(images, tmp_path / "cache")
    write_galaxy(images / "good.fits")
    errors = prepare_templates(images, tmp_path / "cache")
    assert sorted(str(error).split(":")[0].rsplit("/", 1)[-1] for error in errors) == ["empty.fits", "small.fits"]


@pytest.mark.slow
def test_real_spiral(real_data, tmp_path):
    """Real images have trends of sky and stars that the synthetic galaxy of these tests hasn't."""
    images = tmp_path / "images"
    images.mkdir()
    (images / "eso479-g1-r.fits.gz").symlink_to(real_data / "galaxies" / "eso479-g1-r.fits.gz")
    assert prepare_templates(images, tmp_path / "cache") == []
    truth = measure_truth(draw(Templates(tmp_path / "cache"), r50=10.0).image, 63.8, 62.9)
    use = truth.sma < 40.0
    assert np.all(truth.intensity[use] > 0)
    assert truth.intensity[use][0] > 20 * truth.intensity[use][-1]
