"""Plain FITS files are read by our own few lines: they must give what astropy gives, and leave the rest to it."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from p2p_keras.core.errors import P2PError
from p2p_keras.images import hdus, read_image
from p2p_keras.images.plain_fits import plain_file

_spec = importlib.util.spec_from_file_location("survey_files", Path(__file__).with_name("survey_files.py"))
survey_files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(survey_files)
galaxy, sky_cards = survey_files.galaxy, survey_files.sky_cards


def with_cards(*cards: str) -> fits.Header:
    """A header of the sky with cards as they would stand in the file."""
    header = sky_cards(BUNIT="nanomaggy", FILTER="r")
    for card in cards:
        header.append(fits.Card.fromstring(card), end=True)
    return header


def write(path: Path, pixels: np.ndarray, header: fits.Header) -> Path:
    fits.PrimaryHDU(pixels, header).writeto(path, output_verify="ignore")
    return path


PLAIN = {
    "float": ("f4", ()),
    "double": ("f8", ("EXPTIME =                 53.9 / seconds",)),
    "short": ("i2", ("GAIN    =                   2 / e / ADU",)),
    "long": ("i4", ("NOTE    = 'it''s a / b  '     / a ''quoted'' text",)),
    "byte": ("u1", ("EMPTY   = ''", "FLAG    =                    T / true")),
    "comments": ("f4", ("COMMENT one = 2", "HISTORY made", "EXTNAME = 'IMAGE   '", "BSCALE  =                  1.0")),
    "exponents": ("f4", ("SMALL   =             -1.5E-07", "TWICE   =  1", "TWICE   =  2", "DOT     = .5")),
    "galactic": ("f4", ("RADECSYS= 'FK5     '", "EQUINOX =               2000.0")),
    "sip": ("f4", ("A_ORDER =                    2", "B_ORDER =                    2", "A_2_0   =   1E-06")),
}
LEFT_TO_ASTROPY = {
    "long text": ("LONG    = 'a text that goes on and on, beyond its card&'", "CONTINUE  'and on'"),
    "hierarch": ("HIERARCH ESO DET GAIN = 2.0",),
    "no value": ("NOTHING =                      / nothing",),
    "several values": ("DP1     = 'NAXIS: 2'",),
    "double exponent": ("VALUE   =               1.5D+01",),
    "complex": ("VALUE   = (1.0, 2.0)",),
    "blank": ("BLANK   =                   -1",),
    "scaled": ("BZERO   =                 10.0",),
    "lower case": ("gain    =                  2.0",),
    "no equals sign": ("GAIN      2.0",),
}


def both(path: Path, monkeypatch) -> tuple:
    """What is read of a file as it is, and by astropy alone: an image each, or the error's text."""
    results = []
    for astropy_alone in (False, True):
        if astropy_alone:
            monkeypatch.setattr(hdus, "plain_file", lambda source: None)
        try:
            results.append(read_image(path))
        except P2PError as error:
            results.append(str(error))
    return tuple(results)


def assert_same(one, other):
    """All that an image says, its WCS by the places of two pixels."""
    if isinstance(other, str):
        assert one == other
        return
    for field in dataclasses.fields(other):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name == "wcs":
            assert (ours is None) == (theirs is None)
        elif isinstance(theirs, np.ndarray):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
        else:
            np.testing.assert_equal(ours, theirs)
    for place in ((0.0, 0.0), (31.5, 70.0)):
        np.testing.assert_allclose(one.pixel_to_sky(*place), other.pixel_to_sky(*place), rtol=0, atol=1e-11)
        np.testing.assert_allclose(one.pa_to_sky(20.0, *place), other.pa_to_sky(20.0, *place), atol=1e-7)


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_headers_are_those_of_astropy(tmp_path, monkeypatch, kind):
    """Zero points, names, sky positions or pixels would depend on which of two readers has read the file."""
    dtype, cards = PLAIN[kind]
    pixels = galaxy() if dtype[0] == "f" else np.clip(100 * galaxy() + 20, 0, 250)
    path = write(tmp_path / "a.fits", pixels.astype(dtype), with_cards(*cards))
    [plain] = plain_file(str(path))
    with fits.open(path, uint=False) as file:
        theirs = file[0].header
        for key in set(theirs) - {"COMMENT", "HISTORY", ""}:
            assert (plain.header[key], type(plain.header[key])) == (theirs[key], type(theirs[key])), key
            assert plain.header.comments[key] == theirs.comments[key], key
        assert set(plain.header) == set(theirs)
        assert (plain.name, plain.ver, plain.shape) == (file[0].name, file[0].ver, file[0].shape)
        np.testing.assert_array_equal(plain.section, file[0].data)
    assert_same(*both(path, monkeypatch))


@pytest.mark.parametrize("kind", LEFT_TO_ASTROPY)
def test_other_headers_are_left_to_astropy(tmp_path, monkeypatch, kind):
    """A card that is more than it looks like would be half read."""
    path = write(tmp_path / "a.fits", galaxy().astype("i2" if kind in ("blank", "scaled") else "f4"), with_cards())
    text = path.read_bytes()
    end = text.index(b"END" + b" " * 77)
    cards = b"".join(card.ljust(80).encode() for card in (*LEFT_TO_ASTROPY[kind], "END"))
    header = (text[:end] + cards).ljust(-(-(end + len(cards)) // 2880) * 2880)
    path.write_bytes(header + text[-(-end // 2880) * 2880 :])
    assert plain_file(str(path)) is None
    assert_same(*both(path, monkeypatch))


def test_other_files_are_left_to_astropy(tmp_path, monkeypatch):
    """Extensions, cubes, cut-off files and files with something behind them would be read as if they were plain."""
    header, pixels = with_cards(), galaxy().astype("f4")
    whole = write(tmp_path / "whole.fits", pixels, header).read_bytes()
    (tmp_path / "short.fits").write_bytes(whole[:-2880])
    (tmp_path / "long.fits").write_bytes(whole + b"\0" * 2880)
    (tmp_path / "dirty.fits").write_bytes(whole.replace(b"nanomaggy", b"nano\xb5aggy"))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels, header)]).writeto(tmp_path / "extension.fits")
    fits.PrimaryHDU(pixels[None], header).writeto(tmp_path / "cube.fits")
    fits.PrimaryHDU(pixels.astype("u2"), header).writeto(tmp_path / "unsigned.fits")
    (tmp_path / "none.fits").write_bytes(b"SIMPLE  = no")
    for path in sorted(tmp_path.glob("*.fits")):
        assert (plain_file(str(path)) is None) == (path.name != "whole.fits"), path.name
        with monkeypatch.context() as patch:
            assert_same(*both(path, patch))


def test_large_files_are_mapped(tmp_path):
    """A frame of gigabytes would be read into memory for one galaxy of it."""
    pixels = np.random.default_rng(1).normal(size=(1100, 1000)).astype("f4")
    path = write(tmp_path / "frame.fits", pixels, with_cards())
    [plain] = plain_file(str(path))
    assert isinstance(plain.section, np.memmap)
    np.testing.assert_array_equal(plain.section[500:520, 10:30], pixels[500:520, 10:30])
