"""Zero points and pixel scales as real surveys write them."""

from __future__ import annotations

import math

import pytest
from astropy.io import fits

from p2p_keras.core.errors import InputError, MissingCalibrationError
from p2p_keras.images.bands import band_from_header, short_band
from p2p_keras.images.pixel_scale import find_pixel_scale
from p2p_keras.images.zero_point import find_zero_point

AB_JY = 8.9000


def header(**cards) -> fits.Header:
    out = fits.Header()
    for key, value in cards.items():
        out["HIERARCH " + key.replace("__", ".") if "__" in key else key] = value
    return out


def zero_point(scale: float = 0.4, **cards) -> float:
    return find_zero_point(header(**cards), scale, "test.fits").value


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ({"BUNIT": "nanomaggy"}, 22.5),
        ({"BUNIT": "nanomaggies"}, 22.5),
        ({"BUNIT": "nmgy"}, 22.5),
        ({"BUNIT": "maggy"}, 0.0),
        ({"BUNIT": "Jy"}, AB_JY),
        ({"BUNIT": "JY"}, AB_JY),
        ({"BUNIT": "Jy/pixel"}, AB_JY),
        ({"BUNIT": "mJy"}, AB_JY + 7.5),
        ({"BUNIT": "uJy"}, AB_JY + 15.0),
        ({"BUNIT": "nJy"}, AB_JY + 22.5),
        ({"BUNIT": "10.0*nJy"}, AB_JY + 20.0),
        ({"BUNIT": "erg/s/cm^2/Hz"}, -48.6),
        ({"BUNIT": "adu", "MAGZERO": 30.0}, 30.0),
        ({"MAGZP": 26.3}, 26.3),
        ({"MAGZPT": 25.1}, 25.1),
        ({"PHOTZP": "30.000"}, 30.0),
        ({"PHOTZPT": 25.94}, 25.94),
        ({"ZP": 27.0}, 27.0),
        ({"ZEROPT": 27.5}, 27.5),
        ({"FLUXMAG0": 63095734448.0194, "BUNIT": "ADU"}, 27.0),
        ({"FLUX20": 2000.0}, 20.0 + 2.5 * math.log10(2000.0)),
        ({"BUNIT": "nanomaggy", "MAGZERO": 22.5}, 22.5),
        ({"FPA__ZP": 25.0, "EXPTIME": 902.0}, 25.0 + 2.5 * math.log10(902.0)),
        ({"SURVEY": "LegacySurvey"}, 22.5),
    ],
)
def test_survey_keywords(cards, expected):
    """Every mu of a survey would be off by a constant."""
    assert zero_point(**cards) == pytest.approx(expected, abs=2e-3)


def test_surface_brightness_unit_gives_mu_of_any_grid():
    """JWST images (MJy/sr) would have mu that depends on the pixel size."""
    for scale in (0.03, 0.4):
        mu = zero_point(scale, BUNIT="MJy/sr") + 5 * math.log10(scale)  # of a pixel value of one
        assert mu == pytest.approx(AB_JY - 15 - 2.5 * math.log10(2.350443e-11), abs=1e-3)


@pytest.mark.parametrize("unit", ["ELECTRONS/S", "COUNTS/S", "electron s-1", "e-/s", "DN/s", "cps"])
def test_hubble_rate(unit):
    """HST's AB zero point (ACS F814W: 25.94) would be wrong."""
    cards = {"PHOTFLAM": 7.07236e-20, "PHOTPLAM": 8045.5, "PHOTZPT": -21.1, "EXPTIME": 2000.0, "BUNIT": unit}
    assert zero_point(**cards) == pytest.approx(25.94, abs=0.02)


def test_hubble_counts_need_the_exposure_time():
    """HST images in electrons, not electrons per second, would be off by 2.5 log10(EXPTIME)."""
    cards = {"PHOTFLAM": 7.07236e-20, "PHOTPLAM": 8045.5, "BUNIT": "ELECTRONS"}
    rate = zero_point(**{**cards, "BUNIT": "ELECTRONS/S"})
    assert zero_point(**cards, EXPTIME=100.0) == pytest.approx(rate + 5.0, abs=1e-6)
    with pytest.raises(MissingCalibrationError, match="EXPTIME"):
        zero_point(**cards)
    with pytest.raises(MissingCalibrationError, match="BUNIT"):
        zero_point(PHOTFLAM=7e-20, PHOTPLAM=8045.5, EXPTIME=100.0)


def test_flux_per_wavelength_needs_the_pivot():
    """HST images in erg/s/cm2/A would get a zero point out of the air."""
    per_angstrom = zero_point(BUNIT="erg/s/cm2/Angstrom", PHOTPLAM=8045.5)
    assert per_angstrom == pytest.approx(-2.408 - 5 * math.log10(8045.5), abs=2e-3)
    with pytest.raises(MissingCalibrationError, match="PHOTPLAM"):
        zero_point(BUNIT="erg/s/cm2/Angstrom")


def test_pan_starrs_needs_exptime():
    """A Pan-STARRS stack without EXPTIME would silently be off by 7 mag."""
    with pytest.raises(MissingCalibrationError, match="EXPTIME"):
        zero_point(FPA__ZP=25.0)


def test_comment_per_second():
    """A zero point for one count per second would be used for total counts as it is."""
    cards = header(BUNIT="adu", EXPTIME=100.0)
    cards["MAGZPT"] = (25.0, "[mag] zero point for 1 ADU/s")
    assert find_zero_point(cards, 0.4, "f").value == pytest.approx(30.0)
    cards["BUNIT"] = "adu/s"
    assert find_zero_point(cards, 0.4, "f").value == pytest.approx(25.0)
    del cards["BUNIT"]
    with pytest.raises(MissingCalibrationError, match="per second"):
        find_zero_point(cards, 0.4, "f")


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"BUNIT": "adu"},
        {"BUNIT": "counts", "EXPTIME": 53.9},
        {"BUNIT": "MJY"},
        {"MAGZERO": 0.0},
        {"PHOTZP": -99.0},
        {"MAGZERO": "unknown"},
        {"PHOTZPT": -21.1},
        {"BUNIT": "Jy/beam"},
    ],
)
def test_unknown_is_asked_for(cards):
    """A guessed zero point would be published."""
    with pytest.raises(MissingCalibrationError, match="--zero-point"):
        zero_point(**cards)


def test_message_names_the_keywords():
    """The user wouldn't know what to add to the header."""
    with pytest.raises(MissingCalibrationError) as caught:
        zero_point(MAGZERO=0.0)
    for word in ("test.fits", "BUNIT", "MAGZP", "FLUX20", "FPA.ZP", "PHOTFLAM", "MAGZERO = 0.0"):
        assert word in str(caught.value)


@pytest.mark.parametrize("cards", [{"MAGZERO": 30.0, "ZP": 25.0}, {"BUNIT": "nanomaggy", "MAGZERO": 30.0}])
def test_contradiction(cards):
    """One of two zero points that differ would be picked in silence."""
    with pytest.raises(MissingCalibrationError, match="contradicts"):
        zero_point(**cards)


def test_casu_and_magnitudes_are_refused():
    """VISTA's per-second Vega zero point, or an image of magnitudes, would pass as linear AB flux."""
    with pytest.raises(MissingCalibrationError, match="CASU"):
        zero_point(MAGZPT=23.5, APCOR3=0.2)
    with pytest.raises(InputError, match="magnitudes"):
        zero_point(BUNIT="mag/arcsec2")


def test_pixel_scale_of_keyword_or_error():
    """An image without WCS would get a scale out of the air."""
    assert find_pixel_scale(header(PIXSCALE=0.25), math.nan, "f") == (0.25, "PIXSCALE")
    with pytest.raises(MissingCalibrationError, match=r"SECPIX.*--pixel-scale"):
        find_pixel_scale(header(), math.nan, "f")


@pytest.mark.parametrize(
    ("written", "short"),
    [
        ("r DECam SDSS c0002 6415.0 1480.0", "r"),
        ("r.00000", "r"),
        ("i.MP9702", "i"),
        ("HSC-R2", "r"),
        ("sdss_g", "g"),
        ("F814W", "F814W"),
        ("Ks", "Ks"),
        ("VIS", "VIS"),
    ],
)
def test_band_names(written, short):
    """The band column of a table would hold a filter's serial number."""
    assert short_band(written) == short


def test_band_skips_open_slots():
    """HST's band would be CLEAR1L."""
    assert band_from_header(header(FILTER1="CLEAR1L", FILTER2="F814W")) == "F814W"
    assert band_from_header(header(FILTER=3)) == ""
