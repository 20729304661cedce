"""FITS files of every kind as a GalaxyImage."""

from __future__ import annotations

import bz2
import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from p2p_keras.core.errors import InputError, MissingCalibrationError, UsageError
from p2p_keras.images import GalaxyImage, read_image


def sky_header(scale=0.4, rotation=0.0, flip=False, form="cd", crpix=(50.5, 40.5)) -> fits.Header:
    """North up and east left at rotation 0; `flip` puts east right. The sky turns counter-clockwise by `rotation`."""
    c, s = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    matrix = scale / 3600 * np.array([[1.0 if flip else -1.0, 0.0], [0.0, 1.0]]) @ np.array([[c, s], [-s, c]])
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CRVAL1"], header["CRVAL2"] = 150.0, 60.0
    header["CRPIX1"], header["CRPIX2"] = crpix
    if form != "cd":
        header["CDELT1"], header["CDELT2"] = scale / 3600, scale / 3600
    for i in (0, 1):
        for j in (0, 1):
            if form == "cd":
                header[f"CD{i + 1}_{j + 1}"] = matrix[i, j]
            else:
                key = f"PC{i + 1}_{j + 1}" if form == "pc" else f"PC00{i + 1}00{j + 1}"
                header[key] = matrix[i, j] * 3600 / scale
    header["BUNIT"] = "nanomaggy"
    header["FILTER"] = "r"
    return header


@pytest.fixture
def frame(rng) -> np.ndarray:
    return rng.normal(1.0, 0.1, (80, 100)).astype(np.float32)


def write(path: Path, data, header=None) -> Path:
    fits.PrimaryHDU(data, header).writeto(path)
    return path


def test_plain(tmp_path, frame):
    """The ordinary SDSS-like file would be read wrong; pixels must come row by row as stored."""
    image = read_image(write(tmp_path / "ngc1.fits", frame, sky_header()))
    np.testing.assert_array_equal(image.pixels, frame)
    assert (image.pixels.dtype, image.pixels.dtype.isnative) == (np.float32, True)
    assert (image.name, image.band, image.zero_point, image.notes) == ("ngc1", "r", 22.5, ())
    assert image.pixel_scale == pytest.approx(0.4, rel=1e-6)


@pytest.mark.parametrize("ending", ["gz", "bz2"])
def test_packed(tmp_path, frame, ending):
    """Survey downloads (.gz, .bz2) couldn't be read."""
    plain = write(tmp_path / "a.fits", frame, sky_header())
    packed = tmp_path / f"a.fits.{ending}"
    packed.write_bytes({"gz": gzip, "bz2": bz2}[ending].compress(plain.read_bytes()))
    image = read_image(packed, x=50, y=40, size=48)
    np.testing.assert_array_equal(image.pixels, frame[17:65, 27:75])
    assert image.name == "a"


def test_rice(tmp_path, frame):
    """Tile-compressed frames (.fz, image in HDU 1) couldn't be read."""
    path = tmp_path / "a.fits.fz"
    compressed = fits.CompImageHDU(frame, sky_header(), compression_type="RICE_1", quantize_level=-1e-4)
    fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(path)
    image = read_image(path, x=50, y=40, size=48)
    np.testing.assert_allclose(image.pixels, frame[17:65, 27:75], atol=2e-4)
    assert (image.zero_point, image.band) == (22.5, "r")


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint16])
def test_integers(tmp_path, kind):
    """Scaled integers would come raw, and BLANK pixels as huge values."""
    raw = np.arange(80 * 100, dtype=np.int64).reshape(80, 100)
    hdu = fits.PrimaryHDU(raw.astype(kind), sky_header())
    if kind == np.uint16:
        expected = raw.astype(float)
    else:
        hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, 100.0, 7
        expected = np.where(raw == 7, np.nan, 0.5 * raw + 100.0)
        # astropy scales on writing unless the raw integers go out as they are
        hdu = fits.PrimaryHDU(raw.astype(kind), do_not_scale_image_data=True)
        hdu.header.update(sky_header())
    path = tmp_path / "i.fits"
    hdu.writeto(path)
    if kind != np.uint16:
        with fits.open(path, mode="update", do_not_scale_image_data=True) as file:
            file[0].header["BSCALE"], file[0].header["BZERO"], file[0].header["BLANK"] = 0.5, 100.0, 7
    np.testing.assert_allclose(read_image(path).pixels, expected, rtol=1e-6)


def test_unsigned_with_blank(tmp_path):
    """Blank pixels of 16-bit camera images would shine at 65535."""
    raw = np.arange(-4000, 4000, dtype=np.int16).reshape(80, 100)
    path = tmp_path / "u.fits"
    fits.PrimaryHDU(raw, sky_header()).writeto(path)
    with fits.open(path, mode="update", do_not_scale_image_data=True) as file:
        file[0].header["BZERO"], file[0].header["BLANK"] = 32768, -3000
    pixels = read_image(path).pixels
    assert np.isnan(pixels[10, 0])
    assert np.isnan(pixels).sum() == 1
    assert pixels[0, 0] == 32768 - 4000


def test_extension_with_primary_keywords(tmp_path, frame):
    """HST files (image in SCI, EXPTIME and filters in the primary header, ERR behind) couldn't be read."""
    primary = fits.PrimaryHDU()
    primary.header["FILTER1"], primary.header["FILTER2"], primary.header["EXPTIME"] = "CLEAR1L", "F814W", 100.0
    science = fits.ImageHDU(frame, sky_header(), name="SCI")
    del science.header["FILTER"]
    science.header.update({"BUNIT": "ELECTRONS", "PHOTFLAM": 7.07236e-20, "PHOTPLAM": 8045.5})
    path = tmp_path / "hst.fits"
    error = 0.1 + 0.01 * np.abs(frame)
    fits.HDUList([primary, science, fits.ImageHDU(error, name="ERR")]).writeto(path)
    image = read_image(path)
    assert image.zero_point == pytest.approx(25.94 + 5.0, abs=0.02)
    assert (image.band, image.notes) == ("F814W", ())
    for hdu in (2, "2", "ERR", "ERR,1"):
        assert read_image(path, hdu=hdu, zero_point=25, pixel_scale=0.05).pixels[3, 4] == error[3, 4]
    with pytest.raises(InputError, match="SCI"):
        read_image(path, hdu="NOPE")


def test_pan_starrs_asinh(tmp_path, frame):
    """The profile of a Pan-STARRS stack would be compressed: its pixels are asinh of the counts."""
    alpha = 2.5 / math.log(10)
    header = sky_header(form="old", scale=0.25)
    del header["BUNIT"]
    header["BOFFSET"], header["BSOFTEN"], header["EXPTIME"] = 0.7, 20.0, 1000.0
    header["HIERARCH FPA.ZP"], header["HIERARCH FPA.FILTERID"] = 25.0, "r.00000"
    linear = frame * 500
    path = write(tmp_path / "ps.fits", (alpha * np.arcsinh((linear - 0.7) / 40.0)).astype(np.float32), header)
    image = read_image(path)
    np.testing.assert_allclose(image.pixels, linear, rtol=1e-5)
    assert image.zero_point == pytest.approx(32.5)
    assert image.pixel_scale == pytest.approx(0.25, rel=1e-6)
    with fits.open(path, mode="update") as file:
        del file[0].header["BOFFSET"]
    with pytest.raises(InputError, match="BOFFSET"):
        read_image(path)


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
@pytest.mark.parametrize("form", ["cd", "pc", "old"])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("rotation", [0.0, 30.0, 200.0])
def test_position_angle(tmp_path, frame, form, flip, rotation):
    """PA east of north would be wrong on flipped or rotated images."""
    image = read_image(write(tmp_path / "a.fits", frame, sky_header(0.4, rotation, flip, form)))
    assert image.pixel_scale == pytest.approx(0.4, rel=1e-5)
    assert image.pa_reference == "north"
    x0, y0 = 49.5, 39.5
    angles = np.array([0.0, 25.0, 90.0, 140.0])
    got = image.pa_to_sky(angles, x0, y0)
    wcs = WCS(fits.getheader(tmp_path / "a.fits"))
    for angle, pa in zip(angles, got, strict=True):
        a = wcs.pixel_to_world(x0, y0)
        b = wcs.pixel_to_world(x0 + 5 * math.cos(math.radians(angle)), y0 + 5 * math.sin(math.radians(angle)))
        expected = a.position_angle(b).deg
        assert abs((pa - expected + 90) % 180 - 90) < 0.01
    # +y is north on an unrotated image: PA 0 whatever the flip; +45 degrees is NW, PA 135, with east left.
    if rotation == 0:
        assert image.pa_to_sky(45.0, x0, y0) == pytest.approx(45.0 if flip else 135.0, abs=0.01)
        assert min(image.pa_to_sky(90.0, x0, y0), 180 - image.pa_to_sky(90.0, x0, y0)) < 0.01


def test_position_angle_without_wcs(rng):
    """PA of arrays would claim to be a sky angle."""
    image = GalaxyImage.from_array(rng.random((60, 60)), zero_point=22.5, pixel_scale=0.4)
    assert (image.pa_reference, image.pa_to_sky(190.0, 3, 3)) == ("+x", 10.0)
    assert all(math.isnan(v) for v in image.pixel_to_sky(3, 3))


def test_galactic_wcs_gives_icrs(tmp_path, frame):
    """Positions and angles of images on Galactic coordinates would be l, b and off by the pole's angle."""
    header = sky_header()
    header["CTYPE1"], header["CTYPE2"] = "GLON-TAN", "GLAT-TAN"
    image = read_image(write(tmp_path / "g.fits", frame, header))
    from astropy.coordinates import SkyCoord

    sky = SkyCoord(150, 60, unit="deg", frame="galactic")
    assert image.pixel_to_sky(49.5, 39.5) == pytest.approx((sky.icrs.ra.deg, sky.icrs.dec.deg), abs=1e-6)
    north = sky.icrs.position_angle(SkyCoord(150, 60.001, unit="deg", frame="galactic").icrs).deg
    assert image.pa_to_sky(90.0, 49.5, 39.5) == pytest.approx(north % 180, abs=0.05)


def test_target(tmp_path, frame):
    """A galaxy cut from a frame would be another, or its offsets and positions shifted."""
    path = write(tmp_path / "a.fits", frame, sky_header())
    ra, dec = (float(v) for v in WCS(sky_header()).pixel_to_world_values(90.3, 5.8))
    for image in (read_image(path, ra=ra, dec=dec, size=64), read_image(path, x=90.3, y=5.8, size=64)):
        x, y = 90.3 - image.x_offset, 5.8 - image.y_offset
        assert abs(x - 31.5) <= 0.5
        assert abs(y - 31.5) <= 0.5
        assert image.pixel_to_sky(x, y) == pytest.approx((ra, dec), abs=1e-8)
        rows, columns = np.mgrid[:64, :64]
        inside = (rows + image.y_offset >= 0) & (columns + image.x_offset < 100)
        assert np.array_equal(np.isfinite(image.pixels), inside)
        assert image.pixels[round(y), round(x)] == frame[6, 90]
    assert read_image(path, x=50, y=40).shape == (256, 256)
    sexagesimal = read_image(path, ra="10:00:00", dec="+60:00:00", size=48)
    assert (sexagesimal.x_offset, sexagesimal.y_offset) == (26, 16)


@pytest.mark.parametrize(
    "target", [{"x": 120, "y": 5}, {"x": -1, "y": 5}, {"ra": 151, "dec": 60}, {"ra": 330, "dec": -60}]
)
def test_target_outside(tmp_path, frame, target):
    """A galaxy that isn't on the frame would come back as an empty image, or as another galaxy."""
    with pytest.raises(InputError, match="outside"):
        read_image(write(tmp_path / "a.fits", frame, sky_header()), **target)


@pytest.mark.parametrize(
    "wrong", [{"ra": 1}, {"x": 1}, {"x": 1, "y": 1, "ra": 1, "dec": 1}, {"size": 20}, {"pixel_scale": 0}]
)
def test_wrong_usage(tmp_path, frame, wrong):
    """Half a target, or an impossible size or scale, would be taken for something."""
    with pytest.raises(UsageError):
        read_image(write(tmp_path / "a.fits", frame, sky_header()), **wrong)


def test_target_without_wcs(tmp_path, frame):
    """RA and Dec on an image without WCS would be ignored."""
    with pytest.raises(InputError, match="WCS"):
        read_image(write(tmp_path / "a.fits", frame), ra=1, dec=1, zero_point=22.5, pixel_scale=0.4)


def test_sides_beyond_the_limits(tmp_path, rng):
    """The network would refuse images below 48 or above 2048 px."""
    large = read_image(write(tmp_path / "l.fits", rng.random((60, 2100), np.float32), sky_header()))
    assert (large.shape, large.x_offset) == ((60, 2048), 26)
    assert "middle" in large.notes[0]
    small = read_image(write(tmp_path / "s.fits", rng.random((40, 45), np.float32) + 1, sky_header()))
    assert (small.shape, np.isfinite(small.pixels).sum(), small.y_offset) == ((48, 48), 40 * 45, -4)
    assert "padded" in small.notes[0]


def test_masks(tmp_path, frame):
    """Masked stars would stay in the profile, or a mask of another image be used."""
    path = write(tmp_path / "a.fits", frame, sky_header())
    mask = np.zeros(frame.shape, np.int16)
    mask[10:20, 30:50] = 3
    mask_path = write(tmp_path / "m.fits", mask)
    for given in (mask_path, str(mask_path), mask, mask.astype(bool)):
        assert np.array_equal(np.isnan(read_image(path, mask=given).pixels), mask != 0)
    cut = read_image(path, mask=mask, x=40, y=30, size=48)
    assert np.array_equal(np.isnan(cut.pixels), mask[7:55, 17:65] != 0)
    with pytest.raises(InputError, match="mask"):
        read_image(path, mask=mask[1:])
    with pytest.raises(InputError, match="hides the target"):
        read_image(path, mask=np.ones(frame.shape))


def test_infinities_and_flux_range(tmp_path, frame):
    """An inf would poison every mean."""
    frame[3, 3] = np.inf
    pixels = read_image(write(tmp_path / "a.fits", frame.astype(">f8"), sky_header())).pixels
    assert np.isnan(pixels[3, 3])
    assert np.isnan(pixels).sum() == 1


def bad_files(folder: Path, frame: np.ndarray) -> dict[str, Path]:
    good = write(folder / "good.fits", frame, sky_header())
    content = good.read_bytes()
    files = {}

    def put(name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        files[name] = folder / name

    put("truncated.fits", content[:20000])
    put("truncated_header.fits", content[:1500])
    put("truncated.fits.gz", gzip.compress(content)[:9000])
    put("truncated.fits.bz2", bz2.compress(content)[:9000])
    put("empty.fits", b"")
    put("text.fits", b"RA DEC\n1 2\n" * 500)
    put("broken.fits.gz", b"\x1f\x8b" + b"nonsense" * 50)
    files["missing"] = folder / "no.fits"
    files["folder"] = folder
    for name, data in {
        "nan": np.full((60, 60), np.nan, np.float32),
        "zeros": np.zeros((60, 60), np.float32),
        "line": np.ones(100, np.float32),
        "thin": np.ones((1, 100), np.float32),
        "cube": np.stack([frame] * 3),
        "nothing": None,
    }.items():
        files[name] = write(folder / f"{name}.fits", data, sky_header())
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / "table.fits")
    files["table"] = folder / "table.fits"
    return files


def test_bad_files_name_file_and_cause(tmp_path, frame):
    """A batch would die of a stack trace, or a broken file be measured."""
    causes = {
        "truncated": "truncated",
        "empty": "empty",
        "missing": "no such file",
        "nan": "NaN",
        "zeros": "same value",
        "line": "one-dimensional",
        "thin": "one-dimensional",
        "cube": "3 planes",
        "nothing": "no HDU has an image",
        "table": "no HDU has an image",
        "text": "not a FITS",
    }
    for name, path in bad_files(tmp_path, frame).items():
        with pytest.raises(InputError) as caught:
            read_image(path, zero_point=22.5, pixel_scale=0.4)
        assert str(path) in str(caught.value), name
        assert "\n" not in str(caught.value), name
        cause = causes.get(name.split(".")[0])
        assert cause is None or cause in str(caught.value), (name, str(caught.value))


def test_single_plane_cube(tmp_path, frame):
    """Radio-style files (1 x 1 x H x W) would be refused."""
    path = write(tmp_path / "c.fits", frame[None, None], sky_header())
    np.testing.assert_array_equal(read_image(path).pixels, frame)


def test_override_of_the_pixel_scale_is_explained(tmp_path, frame):
    """Radii and magnitudes of an image whose flux is per another pixel would be wrong without a word."""
    path = write(tmp_path / "a.fits", frame, sky_header(scale=1.0))
    image = read_image(path, pixel_scale=0.396)
    assert (image.pixel_scale, image.pixel_scale_origin) == (0.396, "given")
    assert image.wcs_pixel_scale == pytest.approx(1.0, rel=1e-5)
    assert "20.488" in image.notes[0]


def test_from_array(rng):
    """Arrays in memory would be changed, or taken without calibration."""
    array = rng.random((60, 70))
    before = array.copy()
    mask = np.zeros((60, 70), bool)
    mask[1, 2] = True
    image = GalaxyImage.from_array(np.ma.array(array, mask=mask[::-1]), zero_point=25, pixel_scale=0.2, mask=mask)
    assert np.isnan(image.pixels[1, 2])
    assert np.isnan(image.pixels[58, 2])
    assert np.isnan(image.pixels).sum() == 2
    assert np.array_equal(array, before)
    for missing in ({"zero_point": 22.5}, {"pixel_scale": 0.4}):
        with pytest.raises(MissingCalibrationError):
            GalaxyImage.from_array(array, **missing)
    for bad in (np.ones(5), np.ones((3, 60, 60)), np.full((60, 60), np.nan), [["a"]]):
        with pytest.raises(InputError):
            GalaxyImage.from_array(bad, zero_point=22.5, pixel_scale=0.4)


def test_target_chooses_the_chip(tmp_path, frame):
    """A galaxy on the second chip of a camera would be said to be outside the image."""
    far = sky_header(crpix=(50.5, 500.5))
    chips = [fits.ImageHDU(frame, sky_header(), name="CCD1"), fits.ImageHDU(frame * 2, far, name="CCD2")]
    path = tmp_path / "camera.fits"
    fits.HDUList([fits.PrimaryHDU(), *chips]).writeto(path)
    ra, dec = (float(v) for v in WCS(far).pixel_to_world_values(50.2, 40.2))
    assert read_image(path, ra=ra, dec=dec, size=48).pixels[24, 24] == 2 * frame[41, 51]
    assert "--hdu" in read_image(path).notes[0]


def test_sip_cutout(tmp_path, frame):
    """Positions in a cutout of a distorted frame would be those of another place."""
    header = sky_header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-4, "B_1_1": -2e-4})
    image = read_image(write(tmp_path / "sip.fits", frame, header), x=20, y=60, size=48)
    expected = WCS(header).all_pix2world(20, 60, 0)
    at = image.pixel_to_sky(20 - image.x_offset, 60 - image.y_offset)
    assert at == pytest.approx([float(v) for v in expected], abs=1e-9)


def test_pickle(tmp_path, frame):
    """Images couldn't be read by worker processes."""
    import pickle

    image = pickle.loads(pickle.dumps(read_image(write(tmp_path / "a.fits", frame, sky_header()))))
    assert image.pixel_to_sky(49.5, 39.5) == pytest.approx((150.0, 60.0), abs=1e-8)


def test_empty_margins():
    """Padding would change the radii and where the target is looked for."""
    pixels = np.random.default_rng(3).normal(1.0, 0.1, (60, 80)).astype(np.float32)
    padded = np.pad(pixels, ((20, 10), (7, 9)), constant_values=np.nan)
    image = GalaxyImage.from_array(padded, zero_point=22.5, pixel_scale=0.4).without_empty_margins()
    np.testing.assert_array_equal(image.pixels, padded[10:-10, 7:-7])
    assert (image.x_offset, image.y_offset) == (7, 10)
    whole = GalaxyImage.from_array(pixels, zero_point=22.5, pixel_scale=0.4)
    assert whole.without_empty_margins() is whole
    small = GalaxyImage.from_array(pixels[:30, :30], zero_point=22.5, pixel_scale=0.4)  # padded to 48 px
    assert small.without_empty_margins().shape == (48, 48)


@pytest.mark.parametrize("width", [300, 9000])
def test_cutout_of_narrow_and_wide_frames(tmp_path, rng, width):
    """Pixels of a frame would come from other columns, of a frame that is read by whole rows or of one that isn't."""
    pixels = rng.normal(size=(120, width)).astype(np.float32)
    path = write(tmp_path / "wide.fits", pixels, sky_header())
    image = read_image(path, x=width - 20, y=60, size=64, zero_point=22.5)
    expected = pixels[image.y_offset : image.y_offset + 64, image.x_offset :]
    np.testing.assert_array_equal(image.pixels[:, : expected.shape[1]], expected)
    assert np.isnan(image.pixels[:, expected.shape[1] :]).all()


@pytest.mark.parametrize("wanted", ["-1", -1, 5, "SCI", "PRIMARY,2"])
def test_hdu_that_a_plain_file_has_not(tmp_path, frame, wanted):
    """A plain file is read without astropy's list of HDUs: an inner error was shown to the user."""
    path = tmp_path / "plain.fits"
    fits.PrimaryHDU(frame, sky_header()).writeto(path)
    with pytest.raises(InputError, match=r"there is no HDU .*PRIMARY"):
        read_image(path, hdu=wanted)
    for known in (0, "0", "PRIMARY", "primary", "PRIMARY,1"):
        assert read_image(path, hdu=known).pixels.shape == frame.shape
