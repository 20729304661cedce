"""Header cards of any type, half of them missing: an image or an error that names the file, and nothing guessed."""

from __future__ import annotations

import gzip
import math
import threading
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from p2p_keras.core.errors import InputError
from p2p_keras.images import read_image

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

KEYS = (
    "BUNIT",
    "ZUNITS",
    "SIGUNIT",
    "MAGZERO",
    "MAGZP",
    "PHOTZP",
    "PHOTFLAM",
    "PHOTPLAM",
    "PHOTFNU",
    "PHOTMJSR",
    "PIXAR_SR",
    "PIXAR_A2",
    "EXPTIME",
    "FLUXMAG0",
    "FLUX20",
    "JMAGZP",
    "HMAGZP",
    "JSKYSIG",
    "HSKYSIG",
    "SURVEY",
    "ORIGIN",
    "TELESCOP",
    "FILTER",
    "BAND",
    "BANDS",
    "PHOTSYS",
    "FLUXCAL",
    "PIXSCALE",
    "SECPIX",
    "PIXSIZE",
    "SCALE",
    "CTYPE1",
    "CTYPE2",
    "CRVAL1",
    "CRVAL2",
    "CRPIX1",
    "CRPIX2",
    "CD1_1",
    "CD1_2",
    "CD2_1",
    "CD2_2",
    "CDELT1",
    "CDELT2",
    "CROTA2",
    "CUNIT1",
    "RADESYS",
    "EQUINOX",
    "LONPOLE",
    "A_ORDER",
    "A_2_0",
    "PV1_1",
    "GAIN",
    "RDNOISE",
    "IMAGETYP",
    "HDUCLAS2",
    "MPSTYPE",
    "GRELEASE",
    "BSOFTEN",
    "BOFFSET",
    "CPDIS1",
)
TEXTS = (
    "nanomaggy",
    "adu",
    "MJy/sr",
    "e-/s",
    "erg/s/cm2/A",
    "Jy/beam",
    "mag",
    "",
    " ",
    "RA---TAN",
    "DEC--TAN",
    "GLON-CAR",
    "XPIXEL",
    "r",
    "Ks",
    "Vega",
    "AB",
    "ABSOLUTE",
    "SDSS",
    "2MASS",
    "WISE",
    "DECaLS",
    "image",
    "invvar",
    "deg",
    "arcsec",
    "FK5",
    "J2000",
    "25.0",
    "nan",
    "Lookup",
    "ERROR",
    "0",
    "grz",
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.sampled_from([0.0, -99.0, 99.0, 1.0, 25.0, 1e-4, -1e-4, 3600.0, 1e-30, 1e300, 8000.0, 0.396]),
    st.integers(-(2**40), 2**40),
)
VALUES = st.one_of(st.sampled_from(TEXTS), NUMBERS, st.booleans())


@settings(max_examples=400)
@given(
    cards=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=14),
    given_zero_point=st.booleans(),
    sky=st.booleans(),
)
def test_any_cards_give_an_image_or_a_named_error(tmp_path_factory, cards, given_zero_point, sky):
    """One odd header would end a run of thousands, or give a zero point out of the air."""
    pixels = np.random.default_rng(1).normal(1.0, 0.1, (50, 52)).astype(np.float32)
    header = fits.Header()
    if sky:
        header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 25.0})
        header.update({"CRPIX2": 26.0, "CD1_1": -1e-4, "CD2_2": 1e-4})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for key, value in cards.items():
            header[key] = value
        path = tmp_path_factory.mktemp("cards") / "a.fits"
        fits.PrimaryHDU(pixels, header).writeto(path)
        image, message = None, ""
        try:
            image = read_image(path, **({"zero_point": 22.5, "pixel_scale": 0.4} if given_zero_point else {}))
        except InputError as error:
            message = str(error)
    if image is None:
        assert str(path) in message
        assert "\n" not in message
        return
    assert math.isfinite(image.zero_point)
    assert 0 < image.pixel_scale < math.inf
    assert image.photometric_system in ("AB", "Vega")
    assert image.zero_point_origin
    if given_zero_point:
        assert (image.zero_point, image.zero_point_origin) == (22.5, "given")


def odd_files(folder):
    """Files that astropy warns of."""
    for i in range(12):
        header = fits.Header(
            {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 25.0}
        )
        header.update({"CRPIX2": 26.0, "CDELT1": -1e-4, "CDELT2": 1e-4, "RADECSYS": "FK5", "EQUINOX": "J2000"})
        header.update({"BUNIT": "erg/s/cm2/Hz", "DATE-OBS": "31/12/99", "MJD-OBS": 51543.0})
        pixels = np.random.default_rng(i).normal(1.0, 0.1, (50, 52)).astype(np.float32)
        fits.PrimaryHDU(pixels, header).writeto(folder / f"{i}.fits")
    return sorted(folder.glob("*.fits"))


def test_reading_leaves_the_users_warnings_alone(tmp_path):
    """After a run over several files all of the user's own warnings would stay silenced."""
    paths = odd_files(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", AstropyWarning)
        before = list(warnings.filters)
        threads = [
            threading.Thread(target=lambda part: [read_image(p) for p in part], args=(paths[i::4],)) for i in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert warnings.filters == before
        with pytest.raises(UserWarning, match="mine"):
            warnings.warn("mine", stacklevel=1)


def test_usual_headers_bring_no_warnings(tmp_path):
    """Old spellings that archives are full of would print a warning for each file."""
    paths = odd_files(tmp_path)
    for path in paths[:2]:
        with fits.open(path, mode="update") as file:
            del file[0].header["DATE-OBS"], file[0].header["MJD-OBS"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in paths[:2]:
            read_image(path)


@pytest.mark.parametrize(
    ("key", "size"), [("NAXIS1", "-52"), ("NAXIS", "2147483648"), ("NAXIS2", "-1"), ("NAXIS", "-3")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_damaged_sizes_end(tmp_path, key, size, packed):
    """A damaged NAXIS would be read again and again until the memory is full."""
    fits.PrimaryHDU(np.ones((50, 52), np.float32)).writeto(tmp_path / "a.fits")
    data = (tmp_path / "a.fits").read_bytes()
    place = data.index(key.ljust(8).encode())
    data = data[:place] + f"{key:8}= {size:>20}".encode() + data[place + 30 :]
    path = tmp_path / ("b.fits.gz" if packed else "b.fits")
    path.write_bytes(gzip.compress(data) if packed else data)
    with pytest.raises(InputError, match=f"header is damaged.*{key} = {size}"):
        read_image(path, zero_point=22.5, pixel_scale=0.4)


def test_a_size_in_words_ends(tmp_path):
    """A word in the place of a size, times a size of 10^12, would fill the memory."""
    path = tmp_path / "words.fits"
    fits.writeto(path, np.ones((60, 60), "f4"))
    raw = path.read_bytes()
    for key, card in ((b"NAXIS1  =", b"NAXIS1  =        1000000000000"), (b"NAXIS2  =", b"NAXIS2  = 'mag     '")):
        here = raw.index(key)
        raw = raw[:here] + card.ljust(80) + raw[here + 80 :]
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"header is damaged.*NAXIS2 = 'mag'"):
        read_image(path, zero_point=22.5, pixel_scale=0.4)


@pytest.mark.parametrize(("name", "value"), [("BYTEPIX", "-32"), ("BLOCKSIZE", "0"), ("BYTEPIX", "4000")])
def test_damaged_compression_ends(tmp_path, name, value):
    """One damaged .fz file would end the whole program by a segmentation fault."""
    pixels = np.random.default_rng(1).normal(1.0, 0.1, (50, 52)).astype(np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels)]).writeto(tmp_path / "a.fits.fz")
    data = (tmp_path / "a.fits.fz").read_bytes()
    card = data.index(f"'{name}".encode())
    number = data[card - 10 : card].split(b"=")[0].strip()[5:].decode()
    place = data.index(f"ZVAL{number}".encode())
    data = data[:place] + f"ZVAL{number}   = {value:>20}".encode() + data[place + 30 :]
    (tmp_path / "a.fits.fz").write_bytes(data)
    with pytest.raises(InputError, match=name):
        read_image(tmp_path / "a.fits.fz", zero_point=22.5, pixel_scale=0.4)
