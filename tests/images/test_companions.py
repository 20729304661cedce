"""Noise maps and masks: in the image's file, beside it, or named by the caller."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.images import GalaxyImage, read_image
from p2p_keras.images.masks import bad_bits, parse_bits
from p2p_keras.images.noise import correlation, noise_map, scatter

_spec = importlib.util.spec_from_file_location("survey_files", Path(__file__).with_name("survey_files.py"))
survey_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(survey_files)
galaxy, sky_cards, write = survey_files.galaxy, survey_files.sky_cards, survey_files.write

SIGMA = np.linspace(0.01, 0.05, 80 * 90).reshape(80, 90)


def without_weight(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float32)
    values[5:9, 7:12] = 0.0
    return values


MAPS = {
    "sigma": ("ERR", SIGMA),
    "variance": ("VARIANCE", SIGMA**2),
    "inverse variance": ("INVVAR", SIGMA**-2),
    "weight": ("WHT", SIGMA**-2 * 7.0),
}


@pytest.mark.parametrize("kind", MAPS)
def test_noise_in_the_file(tmp_path, kind):
    """A survey's noise map would be ignored, and pixels without weight be measured."""
    name, values = MAPS[kind]
    pixels = galaxy(noise=0.0) + SIGMA * np.random.default_rng(4).normal(size=SIGMA.shape)
    cards = sky_cards(BUNIT="nanomaggy")
    hdus = ((None, None, ""), (pixels, cards, "SCI"), (without_weight(values), cards, name))
    image = read_image(write(tmp_path / "a.fits", *hdus))
    hidden = np.zeros((80, 90), bool)
    hidden[5:9, 7:12] = True
    np.testing.assert_array_equal(np.isnan(image.pixels), hidden)
    tolerance = 0.15 if kind == "weight" else 1e-5  # by the pixels' scatter, of which the galaxy takes half
    np.testing.assert_allclose(image.noise[~hidden], SIGMA[~hidden], rtol=tolerance)
    assert image.noise_origin == f"{kind}: HDU 2 ({name})"
    assert read_image(tmp_path / "a.fits", companions=False).noise is None
    cut = read_image(tmp_path / "a.fits", x=45, y=40, size=48)
    np.testing.assert_allclose(cut.noise[20, 20], SIGMA[20 + cut.y_offset, 20 + cut.x_offset], rtol=tolerance)


@pytest.mark.parametrize(
    ("image_name", "noise_name", "kind"),
    [
        ("n1.fits", "n1_sigma.fits", "sigma"),
        ("n1-image-r.fits", "n1-invvar-r.fits", "inverse variance"),
        ("n1.fits.gz", "n1.weight.fits", "weight"),
        ("n1_drz_sci.fits", "n1_drz_wht.fits", "weight"),
        ("n1.fits", "n1_rms.fits", "sigma"),
    ],
)
def test_noise_and_mask_beside_the_file(tmp_path, image_name, noise_name, kind):
    """Maps that surveys give as files of their own would be ignored."""
    cards = sky_cards(BUNIT="nanomaggy")
    path = write(tmp_path / image_name, (galaxy(), cards, ""))
    write(tmp_path / noise_name, (MAPS[kind][1].astype("f4"), None, ""))
    mask = np.zeros((80, 90), np.uint8)
    mask[60:70, 60:70] = 1
    write(
        tmp_path / image_name.replace(".fits", "_mask.fits").replace("-image-r", "-r").replace("_sci", ""),
        (mask, None, ""),
    )
    image = read_image(path)
    assert image.noise_origin == f"{kind}: {noise_name}"
    np.testing.assert_array_equal(np.isnan(image.pixels), mask != 0)
    assert any("mask" in note for note in image.notes)


def test_a_companion_of_another_shape_is_not_used(tmp_path):
    """The noise of another cutout would be laid over the image, or the image be refused for it."""
    path = write(tmp_path / "a.fits", (galaxy(), sky_cards(BUNIT="nanomaggy"), ""))
    write(tmp_path / "a_sigma.fits", (SIGMA[:-1].astype("f4"), None, ""))
    image = read_image(path)
    assert image.noise is None
    assert any("a_sigma.fits" in note and "alike" in note for note in image.notes)
    with pytest.raises(InputError, match="alike"):
        read_image(path, sigma=tmp_path / "a_sigma.fits")


@pytest.mark.parametrize("option", ["sigma", "variance", "weight"])
def test_noise_named_by_the_caller(tmp_path, option):
    """--sigma, --variance or --weight FILE[HDU] would read another HDU, or another kind of map."""
    path = write(tmp_path / "a.fits", (galaxy(), sky_cards(BUNIT="nanomaggy"), ""))
    values = {"sigma": SIGMA, "variance": SIGMA**2, "weight": np.full((80, 90), 3.0)}[option]
    noise = write(
        tmp_path / "n.fits",
        (None, None, ""),
        (np.full((80, 90), 9.0), None, "OTHER"),
        (without_weight(values), None, "MAP"),
    )
    image = read_image(path, **{option: f"{noise}[MAP]"})
    good = np.isfinite(image.pixels)
    assert (~good).sum() == 20
    expected = np.full((80, 90), 0.02) if option == "weight" else SIGMA
    np.testing.assert_allclose(image.noise[good], expected[good], rtol=0.15)
    assert read_image(path, **{option: f"{noise}[2]"}).noise_origin == f"{option}: n.fits[2]"
    with pytest.raises(UsageError, match="one noise map"):
        read_image(path, sigma=noise, variance=noise)
    with pytest.raises(InputError, match="NOPE"):
        read_image(path, **{option: f"{noise}[NOPE]"})


def hsc_file(folder: Path, **planes: int) -> Path:
    """HSC and Rubin: IMAGE, MASK with MP_ cards that number its planes, VARIANCE."""
    mask = np.zeros((80, 90), np.int32)
    mask[35:45, 40:50] = 1 << 5  # detected: the galaxy itself
    mask[10:14, 10:20] = 1 << 1  # saturated
    mask[20:22, 20:22] = 1 << 2  # interpolated
    cards = sky_cards(**{f"MP_{name}": number for name, number in planes.items()})
    primary = fits.Header({"FLUXMAG0": 63095734448.0194, "FILTER": "HSC-I2"})
    return write(
        folder / "hsc.fits",
        (None, primary, ""),
        (galaxy(), sky_cards(), "IMAGE"),
        (mask, cards, "MASK"),
        (np.full((80, 90), 4e-4, np.float32), sky_cards(), "VARIANCE"),
    )


def test_the_masks_own_planes(tmp_path):
    """Detected sources of an HSC mask, the galaxy with them, would be masked; saturated pixels be measured."""
    path = hsc_file(tmp_path, BAD=0, SAT=1, INTRP=2, CR=3, EDGE=4, DETECTED=5)
    image = read_image(path)
    hidden = np.zeros((80, 90), bool)
    hidden[10:14, 10:20] = True
    np.testing.assert_array_equal(np.isnan(image.pixels), hidden)
    assert (image.band, round(image.zero_point, 3)) == ("i", 27.0)
    np.testing.assert_allclose(image.noise[~hidden], 0.02, rtol=1e-5)


@pytest.mark.parametrize("bits", ["SAT,INTRP", "2,4", "2+4", 6, "0x6"])
def test_bits_named_by_the_caller(tmp_path, bits):
    """--mask-bits would take numbers of bits for values, or not know the mask's own names."""
    path = hsc_file(tmp_path, SAT=1, INTRP=2, DETECTED=5)
    assert np.isnan(read_image(path, mask=f"{path}[MASK]", mask_bits=bits).pixels).sum() == 44
    assert np.isnan(read_image(path, mask=path, mask_bits=bits).pixels).sum() == 44  # its MASK, not its IMAGE
    assert np.isnan(read_image(path, mask_bits="INTRP").pixels).sum() == 4


def test_wrong_bits():
    """A misspelt plane would mask nothing."""
    for wrong in ("SATT", "x,1", "0"):
        with pytest.raises(UsageError, match="--mask-bits"):
            parse_bits(wrong, fits.Header({"MP_SAT": 1}))


@pytest.mark.parametrize(
    ("cards", "good", "bad"),
    [
        ({"TELESCOP": "JWST"}, 2 | 4, 1),
        ({"TELESCOP": "HST"}, 64, 16),
        ({"TELESCOP": "HST", "INSTRUME": "WFPC2"}, 1024, 512),
        ({"IMAGETYP": "maskbits"}, 4096, 64),
        ({"IMAGETYP": "maskbits"}, 2048, 1 << 14),
        ({"ORIGIN": "Zwicky Transient Facility"}, 2, 256),
        ({"ORIGIN": "Zwicky Transient Facility"}, 1 << 11, 1 << 12),
        ({"MP_CR": 3, "MP_SAT": 1, "MP_SENSOR_EDGE": 9}, 1 << 9, 1 << 3),
        ({"MP_CR": 3, "MP_SAT": 1, "HIERARCH COADD_INPUTS_ID": 12}, 1 << 3, 1 << 1),
    ],
)
def test_bad_bits_of_surveys(cards, good, bad):
    """Pixels that a survey only remarks on would be thrown away, or useless ones be measured."""
    bits, _ = bad_bits(fits.Header(cards))
    assert bits & good == 0
    assert bits & bad


def test_a_mask_of_the_wrong_sense(tmp_path):
    """1 for good pixels instead of bad ones would leave a galaxy's few stars to be measured."""
    good = np.ones((80, 90), np.uint8)
    good[10:15, 10:15] = 0
    path = write(tmp_path / "a.fits", (galaxy(), sky_cards(BUNIT="nanomaggy"), ""))
    write(tmp_path / "m.fits", (good, None, ""))
    for mask in (tmp_path / "m.fits", good):
        with pytest.raises(InputError, match=r"1 .*invert it"):
            read_image(path, mask=mask)
    assert np.isnan(read_image(path, mask=1 - good).pixels).sum() == 25


@pytest.mark.parametrize(("hidden", "refused"), [(0.4, False), (0.6, True)])
def test_a_mask_of_the_wrong_sense_that_hides_half_of_the_image(tmp_path, hidden, refused):
    """A galaxy would be measured on what surrounds it, beside many sources whose mask has the wrong sense."""
    mask = np.zeros((80, 90), np.uint8)
    mask[30:50, 35:55] = 1
    mask[: round(80 * hidden) - 4] |= np.arange(90) < 88
    path = write(tmp_path / "a.fits", (galaxy(), sky_cards(BUNIT="nanomaggy"), ""))
    if refused:
        with pytest.raises(InputError, match=r"hides the target: it is not 0 at [56]"):
            read_image(path, mask=mask)
    else:
        assert np.isnan(read_image(path, mask=mask).pixels).mean() == pytest.approx(mask.mean())


def test_region_files(tmp_path):
    """Stars that were marked in DS9 would stay in the profile, or be masked at mirrored places."""
    pytest.importorskip("regions")
    path = write(tmp_path / "a.fits", (galaxy(), sky_cards(BUNIT="nanomaggy"), ""))
    ra, dec = (float(v) for v in WCS(sky_cards()).pixel_to_world_values(20.0, 60.0))
    head = "# Region file format: DS9 version 4.1\n"
    (tmp_path / "sky.reg").write_text(f'{head}fk5\ncircle({ra:.8f},{dec:.8f},{4 * 0.262:.4f}")\n')
    (tmp_path / "px.reg").write_text(f"{head}image\ncircle(21,61,4)\n")  # DS9 counts from 1
    (tmp_path / "less.reg").write_text(f"{head}image\nbox(21,61,20,20,0)\n-circle(21,61,4)\n")
    y, x = np.mgrid[:80, :90]
    disc = np.hypot(x - 20, y - 60) <= 4
    for name in ("sky.reg", "px.reg"):
        hidden = np.isnan(read_image(path, mask=tmp_path / name).pixels)
        assert (hidden ^ disc).sum() <= 4, name  # pixels whose centre lies on the circle
    less = np.isnan(read_image(path, mask=tmp_path / "less.reg").pixels)
    assert less[60, 20] == False  # noqa: E712 - a numpy bool
    assert less[68, 28]
    cut = read_image(path, mask=tmp_path / "px.reg", x=25, y=55, size=48)
    assert np.isnan(cut.pixels)[60 - cut.y_offset, 20 - cut.x_offset]
    plain = write(tmp_path / "plain.fits", (galaxy(), None, ""))
    with pytest.raises(InputError, match="no WCS"):
        read_image(plain, mask=tmp_path / "sky.reg", zero_point=22.5, pixel_scale=0.4)
    (tmp_path / "bad.reg").write_text(f"{head}image\ncircle(nonsense\n")
    with pytest.raises(InputError, match="DS9"):
        read_image(path, mask=tmp_path / "bad.reg")


def test_noise_of_gain(tmp_path):
    """Errors measured on pixels would know nothing of the photons of the galaxy itself."""
    rng = np.random.default_rng(8)
    electrons = 4000 * np.clip(galaxy(noise=0.0), 0, None) + 900.0
    adu = ((rng.poisson(electrons) + rng.normal(0, 5, electrons.shape) - 900.0) / 2.5).astype("f4")
    path = write(tmp_path / "a.fits", (adu, sky_cards(BUNIT="adu", MAGZERO=30.0, GAIN=2.5, RDNOISE=5.0), ""))
    image = read_image(path)
    assert image.noise_origin == "gain"
    noise = noise_map(image)
    expected = np.sqrt(electrons + 25.0) / 2.5
    assert np.median(noise[:20] / expected[:20]) == pytest.approx(1.0, abs=0.15)
    assert noise[39, 44] / expected[39, 44] == pytest.approx(1.0, abs=0.05)


def test_scatter_and_correlation(rng):
    """A resampled image's noise would seem independent from pixel to pixel, and errors of rings too small."""
    from scipy import ndimage

    white = rng.normal(0, 0.3, (256, 256))
    assert scatter(white) == pytest.approx(0.3, rel=0.02)
    assert correlation(white) == pytest.approx(1.0, abs=0.15)
    smooth = ndimage.gaussian_filter(white, 0.8)
    y, x = np.mgrid[:256, :256]
    light = smooth + 5 * np.exp(-np.hypot(x - 128, y - 128) / 20)
    truth = 8 * smooth.reshape(32, 8, 32, 8).mean(axis=(1, 3)).std() / smooth.std()
    assert correlation(light) == pytest.approx(truth, rel=0.2)
    assert truth > 1.8


def test_zeros_that_are_values_and_zeros_that_are_none(tmp_path, rng):
    """Photon counts would be called missing, or empty corners be measured as sky."""
    cards = sky_cards(BUNIT="nanomaggy")
    photons = rng.poisson(0.3 + galaxy(noise=0.0)).astype("f4") * 0.007
    steps = np.round(galaxy(noise=1.0)).astype("f4")
    empty = galaxy()
    empty[:, :20] = 0.0
    model = np.clip(galaxy(noise=0.0) - 0.05, 0, None)
    for name, pixels, missing in (
        ("photons", photons, 0),
        ("steps", steps, 0),
        ("empty", empty, 1600),
        ("model", model, 0),
    ):
        image = read_image(write(tmp_path / f"{name}.fits", (pixels, cards, "")))
        assert np.isnan(image.pixels).sum() == missing, name
        assert any("exactly 0" in note for note in image.notes) == bool(missing), name
        array = GalaxyImage.from_array(pixels, zero_point=22.5, pixel_scale=0.4)
        assert np.isnan(array.pixels).sum() == missing, f"{name}, an array"
        assert any("exactly 0" in note for note in array.notes) == bool(missing), f"{name}, an array"


@pytest.mark.parametrize(("name", "values"), [("ERR", 1.0 / SIGMA**2), ("VAR", 1.0 / SIGMA**2), ("IVAR", SIGMA**4)])
def test_noise_that_is_another_kind_of_map(tmp_path, name, values):
    """Errors and flags would be those of a noise that is thousands of times too large, without a word."""
    pixels, cards = galaxy(noise=0.03), sky_cards(BUNIT="nanomaggy")
    path = write(tmp_path / "a.fits", (pixels, cards, ""), (values.astype("f4"), None, name))
    image = read_image(path)
    assert image.noise is None
    assert any("isn't used" in note and "another kind" in note for note in image.notes)
    given = read_image(path, companions=False, sigma=f"{path}[{name}]")
    assert given.noise is not None
    assert any("used as asked" in note for note in given.notes)


def test_the_variance_of_muse(tmp_path):
    """STAT, the variance of ESO's MUSE images, would be offered as a second image and not be used."""
    hdus = ((None, None, ""), (galaxy(), sky_cards(BUNIT="nanomaggy"), "DATA"), ((SIGMA**2).astype("f4"), None, "STAT"))
    assert read_image(write(tmp_path / "a.fits", *hdus)).noise_origin == "variance: HDU 2 (STAT)"


@pytest.mark.parametrize("value", [-999.0, -99.0, 9999.0, 1e30, -1e30, -3.4e38])
def test_values_that_stand_for_no_data(value, rng):
    """A few hundred pixels of -999 made a galaxy four magnitudes too bright; masked stars of 9999, half a magnitude."""
    pixels = galaxy()
    hit = rng.random(pixels.shape) < 0.01
    pixels[hit] = value
    image = GalaxyImage.from_array(pixels, zero_point=22.5, pixel_scale=0.4)
    np.testing.assert_array_equal(np.isnan(image.pixels), hit)
    assert any("far from all others" in note for note in image.notes)


def test_values_that_are_common_but_near_are_kept(rng):
    """A saturated star's plateau, photons, or steps of a coarse image would be called missing."""
    saturated = np.minimum(galaxy(peak=50.0), 20.0)
    counts = rng.poisson(galaxy(noise=0.0) + 0.02).astype("f4")
    steps = np.round(galaxy(noise=1.0) / 3.0)
    for pixels in (saturated, counts, steps, np.maximum(galaxy(), 0.0)):
        assert np.isfinite(GalaxyImage.from_array(pixels, zero_point=22.5, pixel_scale=0.4).pixels).all()


def test_noise_of_arrays():
    """Noise given with an array would be dropped."""
    image = GalaxyImage.from_array(galaxy(), zero_point=22.5, pixel_scale=0.4, sigma=SIGMA)
    np.testing.assert_allclose(image.noise, SIGMA, rtol=1e-6)
    with pytest.raises(InputError, match="alike"):
        GalaxyImage.from_array(galaxy(), zero_point=22.5, pixel_scale=0.4, sigma=SIGMA[1:])
