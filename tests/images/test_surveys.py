"""One file for each survey, to the layout that it documents: zero point, system, scale and band of each."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from p2p_keras.core.errors import InputError, MissingCalibrationError
from p2p_keras.images import read_image
from p2p_keras.images.bands import band_from_header, short_band
from p2p_keras.images.flux_units import read_unit
from p2p_keras.images.pixel_scale import find_pixel_scale

_spec = importlib.util.spec_from_file_location("survey_files", Path(__file__).with_name("survey_files.py"))
survey_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(survey_files)
galaxy, sky_cards, write = survey_files.galaxy, survey_files.sky_cards, survey_files.write

SURVEYS = {
    "decals": (0.262, {"SURVEY": "DECaLS", "BAND": "r"}, 22.5, "AB", "r"),
    "bass": (0.262, {"SURVEY": "BASS MzLS", "FILTER": "zd DECam k1038"}, 22.5, "AB", "z"),
    "delve": (0.262, {"SURVEY": "DELVE DR2", "BAND": "i"}, 22.5, "AB", "i"),
    "sdss": (0.396, {"ORIGIN": "SDSS", "BUNIT": "nanomaggy", "FILTER": "r"}, 22.5, "AB", "r"),
    "des": (
        0.263,
        {"BUNIT": "ADU", "MAGZERO": 30.0, "SEXMGZPT": 30.0, "FILTER": "g DECam SDSS c0001"},
        30.0,
        "AB",
        "g",
    ),
    "kids": (0.2, {"ORIGIN": "ESO-PARANAL", "PHOTZP": 0.0, "PHOTSYS": "AB", "FLUXCAL": "ABSOLUTE"}, 0.0, "AB", ""),
    "unions": (0.187, {"TELESCOP": "CFHT 3.6m", "FILTER": "r.MP9602", "PHOTZP": 30.0}, 30.0, "AB", "r"),
    "ztf": (1.01, {"ORIGIN": "Zwicky Transient Facility", "FILTER": "ZTF_r", "MAGZP": 26.2}, 26.2, "AB", "r"),
    "hsc": (0.168, {"FLUXMAG0": 63095734448.0194, "FILTER": "HSC-I2"}, 27.0, "AB", "i"),
    "rubin": (0.2, {"BUNIT": "nJy", "FILTER": "LSST_z"}, 31.4, "AB", "z"),
    "euclid vis": (0.1, {"TELESCOP": "EUCLID", "FILTER": "VIS", "MAGZERO": 24.6}, 24.6, "AB", "VIS"),
    "euclid nisp": (0.1, {"TELESCOP": "EUCLID", "FILTER": "NIR_H", "BUNIT": "uJy"}, 23.9, "AB", "NIR_H"),
    "galex": (1.5, {"MPSTYPE": "AIS", "GRELEASE": "ops", "BAND": 2, "BUNIT": "photons/s"}, 18.82, "AB", "FUV"),
    "2mass": (1.0, {"ORIGIN": "2MASS", "FILTER": "k", "MAGZP": 19.9}, 19.9, "Vega", "Ks"),
    "2mass atlas": (
        1.0,
        {"ORIGIN": "2MASS", "FILTER": "h", "JMAGZP": 20.9, "HMAGZP": 20.7, "KMAGZP": 20.1},
        20.7,
        "Vega",
        "H",
    ),
    "wise": (1.375, {"TELESCOP": "WISE", "BAND": 1, "BUNIT": "DN", "MAGZP": 20.5}, 20.5, "Vega", "W1"),
    "vista": (
        0.34,
        {"ORIGIN": "ESO", "TELESCOP": "ESO-VISTA", "BUNIT": "ADU", "PHOTZP": 23.0, "PHOTSYS": "VEGA", "FILTER": "Ks"},
        23.0,
        "Vega",
        "Ks",
    ),
    "spitzer": (
        0.6,
        {"TELESCOP": "Spitzer", "BUNIT": "MJy/sr"},
        8.9 - 15 - 2.5 * math.log10(0.36 * 2.3504431e-11),
        "AB",
        "",
    ),
    "herschel": (1.6, {"TELESCOP": "Herschel Space Observatory", "BUNIT": "Jy/pixel"}, 8.9, "AB", ""),
    "pan-starrs": (0.25, {"FPA__ZP": 25.0, "EXPTIME": 100.0, "FPA__FILTERID": "i.00000"}, 30.0, "AB", "i"),
    "jwst dn/s": (
        0.03,
        {"BUNIT": "DN/s", "PHOTMJSR": 2.0, "PIXAR_SR": 2.115e-14, "FILTER": "F200W"},
        27.336,
        "AB",
        "F200W",
    ),
    "sigunit": (1.0, {"SIGUNIT": "MJy/sr"}, 8.9 - 15 - 2.5 * math.log10(2.3504431e-11), "AB", ""),
    "zunits": (1.0, {"ZUNITS": "nanomaggies"}, 22.5, "AB", ""),
}


@pytest.mark.parametrize("survey", SURVEYS)
def test_survey(tmp_path, survey):
    """Every mu of a survey would be off by a constant, be refused, or be in Vega without a word."""
    scale, cards, zero_point, system, band = SURVEYS[survey]
    image = read_image(write(tmp_path / "a.fits", (galaxy(), sky_cards(scale, **cards), "")))
    assert image.zero_point == pytest.approx(zero_point, abs=2e-3)
    assert image.pixel_scale == pytest.approx(scale, rel=1e-4)
    assert (image.photometric_system, image.band) == (system, band)
    assert any("Vega" in note for note in image.notes) == (system == "Vega")


@pytest.mark.parametrize(
    ("survey", "offset"), [("2mass", 1.840), ("2mass atlas", 1.374), ("wise", 2.699), ("vista", 1.827), ("des", 0.0)]
)
def test_to_ab(tmp_path, survey, offset):
    """--to-ab would add another survey's offset, or one to a zero point that is AB."""
    scale, cards, zero_point, _, _ = SURVEYS[survey]
    path = write(tmp_path / "a.fits", (galaxy(), sky_cards(scale, **cards), ""))
    image = read_image(path, to_ab=True)
    assert image.zero_point == pytest.approx(zero_point + offset, abs=1e-3)
    assert image.photometric_system == "AB"
    assert any(f"+{offset:.3f}" in note for note in image.notes) == bool(offset)


def test_to_ab_of_an_unknown_band_is_refused(tmp_path):
    """A Vega magnitude would be called AB."""
    path = write(tmp_path / "a.fits", (galaxy(), sky_cards(MAGZP=25.0, MAGSYS="Vega", FILTER="NB921"), ""))
    with pytest.raises(MissingCalibrationError, match="NB921"):
        read_image(path, to_ab=True)


def test_vega_by_the_comment(tmp_path):
    """A zero point whose comment says Vega would be taken as AB."""
    cards = sky_cards(FILTER="V")
    cards["MAGZERO"] = (25.0, "Vega magnitude of 1 count")
    assert read_image(write(tmp_path / "a.fits", (galaxy(), cards, ""))).photometric_system == "Vega"


def test_a_band_of_the_galaxy_atlas(tmp_path):
    """The zero point of J would be taken for an H image of the 2MASS Large Galaxy Atlas."""
    cards = sky_cards(1.0, ORIGIN="2MASS", JMAGZP=20.9, HMAGZP=20.7, KMAGZP=20.1, JSKYSIG=0.5, HSKYSIG=1.3, KSKYSIG=0.9)
    quiet = np.random.default_rng(1).normal(0, 0.7, (80, 90)).astype("f4")
    path = write(tmp_path / "ngc1.fits", (quiet, cards, ""))
    with pytest.raises(MissingCalibrationError, match=r"JMAGZP = 20.900.*--band"):
        read_image(path)
    assert read_image(path, band="h").zero_point == 20.7
    assert read_image(write(tmp_path / "ngc1_k.fits", (quiet, cards, ""))).band == "Ks"
    alike = write(tmp_path / "ngc2.fits", (quiet / 0.7 * 1.3, cards, ""))
    image = read_image(alike)
    assert (image.zero_point, image.band) == (20.7, "H")
    assert any("--band" in note for note in image.notes)


@pytest.mark.parametrize(
    ("unit", "kind", "zero_point"),
    [
        ("MJY/STR", "flux", math.nan),
        ("MJy/sr", "flux", math.nan),
        ("MJy sr-1", "flux", math.nan),
        ("Mega-Jansky/steradian", "flux", math.nan),
        ("elec/s", "rate", math.nan),
        ("ELECTRONS/SEC", "rate", math.nan),
        ("e-/s", "rate", math.nan),
        ("e/sec", "rate", math.nan),
        ("counts s**-1", "rate", math.nan),
        ("adu per second", "rate", math.nan),
        ("nanoJy", "flux", 31.4),
        ("nanoJansky", "flux", 31.4),
        ("10.0*nanoJansky", "flux", 28.9),
        ("microJy", "flux", 23.9),
        ("NANOJANSKY", "flux", 31.4),
        ("Mjy/sr", "flux", math.nan),
        ("nanomaggies per pixel", "flux", 22.5),
        ("nanomaggies/pix", "flux", 22.5),
        ("nMgy", "flux", 22.5),
        ("Jy/pix", "flux", 8.9),
        ("erg/s/cm^2/Hz", "flux", -48.6),
        ("ergs/sec/cm**2/Hz", "flux", -48.6),
        ("W/m^2/Hz", "flux", -56.1),
        ("MJY", "unknown", math.nan),
        ("Jy/beam", "beam", math.nan),
        ("mag", "magnitude", math.nan),
        ("K", "unknown", math.nan),
    ],
)
def test_spellings_of_units(unit, kind, zero_point):
    """Units as observatories write them would be refused, or be a factor of a thousand off."""
    read = read_unit(unit)
    assert read.kind == kind
    assert read.zero_point == pytest.approx(zero_point, abs=2e-3, nan_ok=True)


def test_flux_per_wavelength_with_the_filters_pivot(tmp_path):
    """SDSS images in erg/s/cm2/A would be refused although the filter is known."""
    cards = sky_cards(0.396, TELESCOP="SDSS 2.5-M", BUNIT="erg/s/cm2/Angstrom", FILTER="r")
    image = read_image(write(tmp_path / "a.fits", (galaxy() * 1e-17, cards, "")))
    assert image.zero_point == pytest.approx(-2.408 - 5 * math.log10(6176), abs=2e-3)


def test_both_values_where_the_unit_is_missing(tmp_path):
    """A user of WFPC2 or GALEX images would set the zero point of count rates for counts."""
    cards = sky_cards(0.1, PHOTFLAM=2.507903e-18, PHOTPLAM=7995.937, EXPTIME=200.0)
    with pytest.raises(MissingCalibrationError, match=r"22\.079.*27\.832"):
        read_image(write(tmp_path / "w.fits", (galaxy(), cards, "")))
    cards = sky_cards(1.5, MPSTYPE="AIS", GRELEASE="x", BAND=1, EXPTIME=181.05, BUNIT="")
    for name, zero_point in (("a-nd-int.fits", 20.08), ("a-nd-cnt.fits", 20.08 + 2.5 * math.log10(181.05))):
        image = read_image(write(tmp_path / name, (galaxy(), cards, "")))
        assert (image.zero_point, image.band) == (pytest.approx(zero_point), "NUV")
    with pytest.raises(MissingCalibrationError, match=r"20\.080.*25\.724"):
        read_image(write(tmp_path / "a.fits", (galaxy(), cards, "")))


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        (("PIXSIZE", 0.4, "arcsec"), 0.4),
        (("SECPIX", 1.7, ""), 1.7),
        (("CCDSCALE", 0.6, "[arcsec/pix]"), 0.6),
        (("SCALE", 0.6, "[arcsec/pix] plate scale"), 0.6),
        (("PIXSCAL1", -0.21, ""), 0.21),
        (("PIXAR_A2", 0.0036, "arcsec2"), 0.06),
        (("PIXAR_SR", 8.4616e-14, ""), 0.06),
        (("PIXSCALE", 5.5555e-5, "degrees"), 0.2),
        (("PIXSIZE", 15.0, "micron"), None),
        (("PIXSIZE", 13.5, ""), None),
        (("SCALE", 1e6, ""), None),
    ],
)
def test_pixel_scale_keywords(card, expected):
    """An image without WCS would be refused, or a detector's micrometres be taken for arcsec."""
    header = fits.Header([card])
    if expected is None:
        with pytest.raises(MissingCalibrationError, match="--pixel-scale"):
            find_pixel_scale(header, math.nan, "a.fits")
    else:
        assert find_pixel_scale(header, math.nan, "a.fits")[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "cards",
    [
        {"ORIGIN": "SDSS", "TELESCOP": "2.5m", "BUNIT": "nanomaggy"},
        {"SURVEY": "SDSS"},
        {"TELESCOP": "SDSS 2.5-M", "BUNIT": "nanomaggies"},
        {"SURVEY": "DECaLS"},
    ],
)
def test_mosaics_on_another_grid_are_noted(tmp_path, cards):
    """mu of a Montage or HiPS mosaic would be off by 2 mag without a word."""
    path = write(tmp_path / "a.fits", (galaxy(), sky_cards(1.0, **cards), ""))
    [note] = [note for note in read_image(path).notes if "isn't the survey's own" in note]
    assert "--zero-point 20.4" in note or "--zero-point 19.5" in note
    own = write(tmp_path / "b.fits", (galaxy(), sky_cards(0.262 if "DECaLS" in cards.values() else 0.396, **cards), ""))
    assert not any("isn't the survey's own" in note for note in read_image(own).notes)


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("j", "J"),
        ("h", "H"),
        ("Ks", "Ks"),
        ("K_s", "Ks"),
        ("zd DECam k1038", "z"),
        ("SDSS-r", "r"),
        ("HSC-I2", "i"),
        ("F160W", "F160W"),
        ("VIS", "VIS"),
        ("sloan_r", "r"),
        ("r'", "r"),
        ("Bessell V", "V"),
        ("NUV", "NUV"),
        ("g_SDSS", "g"),
        ("VISTA Ks", "Ks"),
        ("Y DECam c0005 10095.0 1130.0", "Y"),
        ("rp", "r"),
        ("w1", "W1"),
        ("Halpha", "Halpha"),
    ],
)
def test_names_of_bands(written, short):
    """Extinction and colours would not know a band by the name that its survey gives it."""
    assert short_band(written) == short
    assert band_from_header(fits.Header({"FILTER": written})) == short


@pytest.mark.parametrize(
    ("band", "system", "expected"),
    [("j", "2mass", 0.723), ("K", "2mass", 0.310), ("SDSS-r", "sdss", 2.285), ("zd DECam k1038", "decam", 1.211)],
)
def test_extinction_knows_the_headers_names(band, system, expected):
    """--ebv with FILTER='j' would say that 2MASS has no such band."""
    from p2p_keras.profile.derived.extinction import extinction_of

    assert extinction_of(band, ebv=1.0, system=system) == expected


def test_keywords_in_small_letters(tmp_path):
    """A zero point that astropy wrote as a HIERARCH card would be shown and be called none."""
    cards = sky_cards()
    cards["HIERARCH magzero"] = 25.0
    assert read_image(write(tmp_path / "a.fits", (galaxy(), cards, ""))).zero_point == 25.0


def test_a_wcs_without_reference_position(tmp_path):
    """The galaxy would be put at RA 0, Dec 0 without a word."""
    cards = sky_cards(BUNIT="nanomaggy")
    del cards["CRVAL1"]
    path = write(tmp_path / "a.fits", (galaxy(), cards, ""))
    with pytest.raises(MissingCalibrationError, match="--pixel-scale"):
        read_image(path)
    assert read_image(path, pixel_scale=0.262).wcs is None


def test_magnitudes_are_refused(tmp_path):
    """An image of magnitudes would be measured as flux."""
    with pytest.raises(InputError, match="magnitudes"):
        read_image(write(tmp_path / "a.fits", (galaxy(), sky_cards(BUNIT="mag"), "")))
