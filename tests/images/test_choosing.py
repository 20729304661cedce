"""Which array of a file is measured: by what names and headers say, never a weight or mask."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from p2p_keras.core.errors import InputError
from p2p_keras.images import find_inputs, open_frame, read_image
from p2p_keras.images.inputs import find_images
from p2p_keras.images.roles import image_stem, role_of_file, role_of_header, role_of_name

_spec = importlib.util.spec_from_file_location("survey_files", Path(__file__).with_name("survey_files.py"))
survey_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(survey_files)
galaxy, sky_cards, write = survey_files.galaxy, survey_files.sky_cards, survey_files.write

COMPANION_NAMES = [
    "WHT",
    "WEIGHT",
    "INVVAR",
    "IVAR",
    "SIGMA",
    "ERR",
    "RMS",
    "NOISE",
    "UNC",
    "VAR",
    "VARIANCE",
    "VAR_POISSON",
    "EXP",
    "EXPMAP",
    "COV",
    "DQ",
    "MASK",
    "FLAG",
    "SEG",
    "CON",
    "PSF",
    "MODEL",
    "PREVIEW",
    "SCI_ERR",
]


@pytest.mark.parametrize("name", COMPANION_NAMES)
@pytest.mark.parametrize("science", ["SCI", "IMAGE", "DATA", ""])
def test_a_companion_before_the_image_is_not_measured(tmp_path, name, science):
    """A weight map at the front of a file would be measured as a galaxy."""
    pixels = galaxy()
    cards = sky_cards(BUNIT="nanomaggy")
    path = write(
        tmp_path / "a.fits", (None, None, ""), (np.ones_like(pixels) * 3, cards, name), (pixels, cards, science)
    )
    image = read_image(path, companions=False)
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.hdu.startswith("HDU 2")
    assert any("HDU 2" in note and name in note for note in image.notes)


@pytest.mark.parametrize(
    ("cards", "role"),
    [
        ({"IMAGETYP": "invvar"}, "inverse variance"),
        ({"HDUCLAS1": "ESO", "HDUCLAS2": "ERROR"}, "sigma"),
        ({"HDUCLAS2": "QUALITY"}, "mask"),
        ({"HDUCLAS3": "MSE"}, "variance"),
        ({"FILETYPE": "WHT"}, "weight"),
        ({"BUNIT": "1/nanomaggy^2"}, "inverse variance"),
        ({"BUNIT": "nanomaggy**-2"}, "inverse variance"),
        ({"BUNIT": "adu2"}, "variance"),
        ({"IMAGETYP": "object", "BUNIT": "adu"}, "science"),
        ({"BUNIT": "erg s-1 cm-2"}, ""),
        ({"BUNIT": "MJy/sr"}, ""),
    ],
)
def test_roles_by_header(cards, role):
    """An unnamed HDU that its header calls a weight (Legacy Surveys, ESO) would be measured."""
    assert role_of_header("", fits.Header(cards)) == role


def test_roles_by_name():
    """A chip or an image would be passed over for its name, or a noise map taken for one."""
    assert {name: role_of_name(name) for name in ("SCI", "CCD1", "S12", "IMAGE2", "COMPRESSED_IMAGE")} == {
        "SCI": "science", "CCD1": "", "S12": "", "IMAGE2": "science", "COMPRESSED_IMAGE": "science",
    }  # fmt: skip


def test_only_companions_is_refused_by_a_list(tmp_path):
    """A file of weights alone would be measured, or refused without a way out."""
    path = write(tmp_path / "a.fits", (None, None, ""), (galaxy(), sky_cards(BUNIT="nanomaggy"), "WHT"))
    with pytest.raises(InputError, match=r"1: WHT 90 x 80.*--hdu"):
        read_image(path)
    assert read_image(path, hdu="WHT").shape == (80, 90)


def test_several_images_are_named(tmp_path):
    """One of several images would be picked in silence."""
    cards = sky_cards(BUNIT="nanomaggy")
    path = write(tmp_path / "a.fits", (None, None, ""), (galaxy(), cards, "SCI"), (galaxy(seed=2), cards, "SCIENCE"))
    [note] = read_image(path).notes
    assert "HDU 1 (SCI) was read" in note
    assert "2 (SCIENCE)" in note


def test_a_compressed_image_behind_its_weight(tmp_path):
    """The weight of a tile-compressed file (DES, CFHT) would be measured where it comes first."""
    pixels = galaxy()
    cards = sky_cards(MAGZERO=30.0)
    weight = fits.CompImageHDU(np.ones_like(pixels), cards, name="WGT", quantize_level=0.0, compression_type="GZIP_1")
    image = fits.CompImageHDU(pixels, cards, name="SCI", quantize_level=0.0, compression_type="GZIP_1")
    fits.HDUList([fits.PrimaryHDU(), weight, image]).writeto(tmp_path / "a.fits.fz")
    read = read_image(tmp_path / "a.fits.fz")
    np.testing.assert_array_equal(read.pixels, pixels)
    assert read.noise_origin == "weight: HDU 1 (WGT)"


def test_a_coloured_preview_is_no_image(tmp_path):
    """A JPEG-like preview cube in front of the image would be measured or refused."""
    pixels = galaxy()
    preview = np.zeros((3, 80, 90), np.uint8)
    path = write(tmp_path / "a.fits", (preview, None, ""), (pixels, sky_cards(BUNIT="nanomaggy"), ""))
    np.testing.assert_array_equal(read_image(path).pixels, pixels)


@pytest.mark.parametrize(
    ("name", "role", "stem"),
    [
        ("ngc1-invvar-r.fits", "inverse variance", "NGC1_R"),
        ("ngc1-image-r.fits", "science", "NGC1_R"),
        ("ngc1.wht.fits.gz", "weight", "NGC1"),
        ("ngc1_sigma_map.fits", "sigma", "NGC1"),
        ("psf_ngc1.fits", "", "PSF_NGC1"),
        ("hst_drz_wht.fits", "weight", "HST_DRZ"),
        ("hst_drz_sci.fits", "science", "HST_DRZ"),
        ("rings.v3.skycell.1.2.stk.g.unconv.mask.fits", "mask", "RINGS_V3_SKYCELL_1_2_STK_G_UNCONV"),
        ("2mass_j_sky.fits", "", "2MASS_J_SKY"),
    ],
)
def test_roles_of_files(name, role, stem):
    """A sigma map beside an image would become a galaxy, or a galaxy be left out for its name."""
    assert (role_of_file(name), image_stem(name)) == (role, stem)


def test_folders_and_patterns_leave_companions_out_and_say_so(tmp_path):
    """Noise maps of a folder would be measured as galaxies; files left out in silence would be missed."""
    for name in (
        "a.fits",
        "a_sigma.fits",
        "b-image-r.fits",
        "b-invvar-r.fits",
        "c.fits.fz",
        "c.wht.fits.fz",
        "d_psf.fits",
    ):
        (tmp_path / name).write_bytes(b"x")
    for argument in (tmp_path, f"{tmp_path}/*.fits*"):
        images = find_images([argument])
        assert [p.name for p in images.paths] == ["a.fits", "b-image-r.fits", "c.fits.fz"]
        assert len(images.notes) == 1
        assert all(name in images.notes[0] for name in ("a_sigma", "b-invvar-r", "c.wht", "d_psf"))
    shell = find_images(sorted(tmp_path.iterdir()))  # as a shell gives a pattern
    assert [p.name for p in shell.paths] == ["a.fits", "b-image-r.fits", "c.fits.fz", "d_psf.fits"]
    assert [p.name for p in find_inputs([tmp_path / "a_sigma.fits"])] == ["a_sigma.fits"]


def test_a_companion_asked_for_by_name_is_noted(tmp_path):
    """A sigma map given by mistake would be measured without a word."""
    path = write(tmp_path / "ngc1_sigma.fits", (galaxy(), sky_cards(BUNIT="nanomaggy"), ""))
    assert any("sigma map" in note for note in read_image(path).notes)


def legacy_cutout(folder: Path) -> Path:
    """The Legacy Surveys' viewer: a cube in the order of BANDS."""
    cube = np.stack([galaxy(peak=peak) for peak in (1.0, 2.0, 3.0)])
    cards = sky_cards(SURVEY="LegacySurvey", BANDS="grz", BAND0="g", BAND1="r", BAND2="z")
    return write(folder / "legacy.fits", (cube, cards, ""))


@pytest.mark.parametrize(("plane", "number", "band"), [("r", 1, "r"), (2, 2, "z"), ("0", 0, "g"), ("DECam-z", 2, "z")])
def test_a_plane_of_a_cube(tmp_path, plane, number, band):
    """Legacy cutouts come as cubes: another band would be measured, or none."""
    path = legacy_cutout(tmp_path)
    image = read_image(path, plane=plane)
    np.testing.assert_array_equal(image.pixels, fits.getdata(path)[number])
    assert (image.band, image.zero_point, image.hdu) == (band, 22.5, f"HDU 0, plane {number}")
    np.testing.assert_array_equal(
        read_image(path, plane=plane, x=40, y=30, size=48).pixels, fits.getdata(path)[number][7:55, 17:65]
    )


def test_a_damaged_number_of_planes_ends(tmp_path):
    """A header of 10^12 planes would keep the program busy for hours."""
    path = legacy_cutout(tmp_path)
    raw = path.read_bytes()
    here = raw.index(b"NAXIS3  =")
    path.write_bytes(raw[:here] + b"NAXIS3  =        1000000000000".ljust(80) + raw[here + 80 :])
    with pytest.raises(InputError, match="legacy"):
        read_image(path)


def test_a_cube_without_choice_lists_its_planes(tmp_path):
    """The user wouldn't know which option picks a band."""
    path = legacy_cutout(tmp_path)
    with pytest.raises(InputError, match=r"cube of 3 planes.*g, r, z.*--plane"):
        read_image(path)
    nameless = write(tmp_path / "hsc.fits", (np.stack([galaxy()] * 5), sky_cards(FLUXMAG0=1e9), ""))
    with pytest.raises(InputError, match=r"0 to 4.*--plane"):
        read_image(nameless)
    with pytest.raises(InputError, match="no plane 'i'"):
        read_image(path, plane="i")
    assert read_image(path, band="z").hdu == "HDU 0, plane 2"


def test_an_hdu_for_each_band(tmp_path):
    """Legacy subimages (image and invvar by turns) would be measured in the first band whatever was asked for."""
    hdus = [(None, fits.Header({"SURVEY": "DECaLS", "IMAGETYP": "image"}), "")]
    for i, band in enumerate("grz"):
        for kind, data in (
            ("image", galaxy(peak=1.0 + i)),
            ("invvar", np.full((80, 90), 2500.0 * (1 + i), np.float32)),
        ):
            hdus.append((data, sky_cards(SURVEY="DECaLS", IMAGETYP=kind, BAND=band), ""))
    path = write(tmp_path / "decals.fits", *hdus)
    image = read_image(path, plane="r")
    np.testing.assert_array_equal(image.pixels, hdus[3][0])
    assert (image.band, image.zero_point, image.noise_origin) == ("r", 22.5, "inverse variance: HDU 4")
    np.testing.assert_allclose(image.noise, 1 / np.sqrt(5000.0), rtol=1e-6)
    assert all(band in read_image(path).notes[0] for band in "grz")
    with open_frame(path) as frame:
        assert frame.bands() == {"g": {"hdu": 1}, "r": {"hdu": 3}, "z": {"hdu": 5}}
    with open_frame(legacy_cutout(tmp_path)) as frame:
        assert frame.bands()["r"] == {"hdu": 0, "plane": 1}


def test_errors_name_the_hdu_that_was_read(tmp_path):
    """A message on a missing zero point would leave open of which of five HDUs."""
    path = write(tmp_path / "a.fits", (None, None, ""), (galaxy(), sky_cards(BUNIT="adu"), "SCI"))
    with pytest.raises(InputError, match=r"HDU 1 \(SCI\): the zero point is unknown"):
        read_image(path)
