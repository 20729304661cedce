"""Mocks in real frames: empty places, noise and seeing as the frames have them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from p2p_keras.core.errors import UsageError
from p2p_keras.data.mocks.backgrounds import BLANK_PX, Backgrounds, prepare_backgrounds
from p2p_keras.data.mocks.generate import generate
from p2p_keras.data.mocks.job import Job
from p2p_keras.data.mocks.psf import moffat
from p2p_keras.data.mocks.scene import simulate_galaxy
from p2p_keras.data.shards import read_manifest

pytest.importorskip("sep")

SIDE = 400
NOISE = 0.03
FWHM = 3.4
SKY = 0.5


def write_frame(path, band="r", sky=SKY, stars=60, seed=0):
    """A frame of stars on a flat sky with white noise; returns the stars' places."""
    rng = np.random.default_rng([seed, sum(path.name.encode())])
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    image = rng.normal(sky, NOISE, (SIDE, SIDE))
    places = rng.uniform(10, SIDE - 10, (stars, 2))
    for (column, row), flux in zip(places, np.geomspace(3.0, 200.0, stars), strict=True):
        image += flux * moffat((x - column) ** 2 + (y - row) ** 2, FWHM, 3.0)
    header = fits.Header({"FILTER": band, "BUNIT": "nanomaggies", "PIXSCALE": 0.396})
    for key, value in {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0}.items():
        header[key] = value
    header["CRPIX1"] = header["CRPIX2"] = SIDE / 2
    header["CD1_1"], header["CD2_2"] = -0.396 / 3600, 0.396 / 3600
    fits.writeto(path, image.astype(np.float32), header)
    return places


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two frames of one field, prepared; and the stars of the r frame."""
    folder = tmp_path_factory.mktemp("sky")
    (folder / "frames").mkdir()
    stars = write_frame(folder / "frames" / "field-r.fits", "r")
    write_frame(folder / "frames" / "field-g.fits", "g")
    assert prepare_backgrounds(folder / "frames", folder / "cache") == []
    return Backgrounds(folder / "cache"), stars


def test_noise_and_seeing_are_the_frames_own(prepared):
    """Galaxies would be sharper or deeper than the sky around them, and a network would tell them by that."""
    backgrounds, _ = prepared
    for frame in backgrounds.frames:
        assert frame.pixel_scale == pytest.approx(0.396, rel=1e-3)
        assert frame.zero_point == 22.5
        assert frame.noise == pytest.approx(NOISE, rel=0.12)
        assert frame.pixel_noise == pytest.approx(NOISE, rel=0.12)
        assert frame.fwhm == pytest.approx(FWHM, rel=0.12)


def test_middle_is_empty(prepared):
    """A star or galaxy under the mock's centre would be learned as part of its profile."""
    backgrounds, stars = prepared
    frame = next(frame for frame in backgrounds.frames if frame.band == "r")
    places = np.load(backgrounds.cache / f"{frame.name}.places.npy")
    assert len(places) > 20
    distance = np.hypot(places[:, None, 0] - stars[None, :, 1], places[:, None, 1] - stars[None, :, 0])
    assert distance.min() > BLANK_PX
    for index in range(10):
        cutout = backgrounds.cutout(frame, 1, index, 64)
        middle = cutout.pixels[26:38, 26:38]
        assert np.isfinite(middle).all()
        assert abs(np.median(middle) - SKY) < 0.03
        assert cutout.sky == pytest.approx(SKY, abs=0.03)


def test_sky_of_a_frame_is_the_mean_of_what_is_not_seen(tmp_path):
    """A network would learn a sky that is too low by the light of all faint sources: outskirts too bright."""
    frames = tmp_path / "frames"
    frames.mkdir()
    write_frame(frames / "field.fits", stars=10)
    with fits.open(frames / "field.fits", mode="update") as file:
        rng = np.random.default_rng(4)
        faint = np.zeros((SIDE, SIDE))
        y, x = np.mgrid[-8:9, -8:9]
        for row, column in rng.integers(8, SIDE - 9, (400, 2)):
            faint[row - 8 : row + 9, column - 8 : column + 9] += 1.2 * moffat(x**2 + y**2, FWHM, 3.0)
        file[0].data = file[0].data + faint.astype(np.float32)
    prepare_backgrounds(frames, tmp_path / "cache")
    backgrounds = Backgrounds(tmp_path / "cache")
    levels = [backgrounds.cutout(backgrounds.frames[0], 1, index, 64).sky for index in range(20)]
    added = float(faint.mean())
    assert added > 0.09 * NOISE
    assert np.median(levels) - SKY == pytest.approx(added, abs=0.15 * added)


def test_cutouts_differ_and_come_again(prepared):
    """One piece of sky would be seen thousands of times, or a data set couldn't be made again."""
    backgrounds, _ = prepared
    frame = backgrounds.frames[0]
    pieces = [backgrounds.cutout(frame, 1, index, 64).pixels for index in range(8)]
    assert len({np.nan_to_num(piece).tobytes() for piece in pieces}) == 8
    np.testing.assert_array_equal(pieces[3], backgrounds.cutout(frame, 1, 3, 64).pixels)


def test_bands_get_their_own_frame(prepared):
    """A g galaxy would stand in the noise and stars of r."""
    backgrounds, _ = prepared
    assert {backgrounds.choose(1, index, "g").band for index in range(8)} == {"g"}
    assert {backgrounds.choose(1, index, "r").band for index in range(8)} == {"r"}
    assert len({backgrounds.choose(1, index, "z").band for index in range(20)}) == 2  # none in z: any will do


def test_galaxy_stands_in_the_frame(prepared):
    """Zero point, scale, seeing and noise of the label would belong to another image than its pixels."""
    backgrounds, _ = prepared
    galaxy = simulate_galaxy("mixed", 2, 4, size=96, band="r", backgrounds=backgrounds)
    assert (galaxy.zero_point, galaxy.noise) == (22.5, backgrounds.choose(2, 4, "r").pixel_noise)
    assert galaxy.pixel_scale == pytest.approx(0.396, rel=1e-3)
    assert galaxy.sky == pytest.approx(SKY, abs=0.05)
    assert "survey=field-r" in galaxy.origin
    row, column = round(galaxy.y0), round(galaxy.x0)
    centre = np.nanmean(galaxy.image[row - 1 : row + 2, column - 1 : column + 2]) - galaxy.sky
    expected = 10 ** (0.4 * (22.5 - np.interp(0.396, galaxy.sma, galaxy.mu))) * 0.396**2
    assert centre == pytest.approx(expected, rel=0.3, abs=5 * NOISE)
    without = simulate_galaxy("mixed", 2, 4, size=96, band="r", backgrounds=backgrounds, background_share=0.0)
    assert "survey=field" not in without.origin


def test_frames_with_dots_in_their_names_are_kept_apart(tmp_path):
    """Pixels of one band would be read with another's zero point and noise, silently, into training data."""
    frames = tmp_path / "frames"
    frames.mkdir()
    for band, sky in (("g", 0.2), ("r", 0.7)):
        write_frame(frames / f"rings.v3.skycell.1234.056.stk.{band}.unconv.fits", band, sky)
    write_frame(frames / "twice.fits", "i", 1.2)
    (frames / "twice.fit").write_bytes((frames / "twice.fits").read_bytes())
    assert prepare_backgrounds(frames, tmp_path / "cache") == []
    backgrounds = Backgrounds(tmp_path / "cache")
    assert len({frame.name for frame in backgrounds.frames}) == 4
    level = {frame.band: np.median(backgrounds.cutout(frame, 1, 0, 64).pixels) for frame in backgrounds.frames}
    assert level == pytest.approx({"g": 0.2, "r": 0.7, "i": 1.2}, abs=0.05)
    assert all(
        backgrounds.cutout(frame, 1, 0, 64).sky == pytest.approx(level[frame.band], abs=0.05)
        for frame in backgrounds.frames
    )


def test_unusable_frames_are_named(tmp_path):
    """A run of hours would stop at one bad file, or go on without saying which frames it used."""
    frames = tmp_path / "frames"
    frames.mkdir()
    write_frame(frames / "good.fits")
    fits.writeto(frames / "tiny.fits", np.zeros((50, 50), np.float32), fits.getheader(frames / "good.fits"))
    (frames / "broken.fits").write_bytes((frames / "good.fits").read_bytes()[:5000])
    errors = prepare_backgrounds(frames, tmp_path / "cache")
    assert sorted(str(error).split(":")[0].rsplit("/", 1)[-1] for error in errors) == ["broken.fits", "tiny.fits"]
    assert [frame.name for frame in Backgrounds(tmp_path / "cache").frames] == ["good"]
    (frames / "good.fits").unlink()
    with pytest.raises(UsageError, match="no image can be used as background"):
        prepare_backgrounds(frames, tmp_path / "other")


def test_frames_that_were_used_are_named_and_their_copies_removed(tmp_path):
    """Nobody could make the data set again, and each would carry copies of all frames."""
    (tmp_path / "frames").mkdir()
    write_frame(tmp_path / "frames" / "field-r.fits")
    job = Job("sdss", 2, 5, 64, {"train": 1.0}, bands=("r",), backgrounds=str(tmp_path / "frames"))
    generate(job, tmp_path / "out", workers=1)
    manifest = read_manifest(tmp_path / "out")
    assert manifest is not None
    assert manifest.settings["backgrounds"] == "frames"
    assert manifest.settings["background_frames"] == ["field-r"]
    assert not (tmp_path / "out" / ".backgrounds").exists()
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert generate(job, tmp_path / "out", workers=1) == 0
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.slow
def test_real_frame(real_data, tmp_path):
    """Synthetic frames could flatter: SDSS r frames have noise of 0.022 to 0.030 nmgy and a seeing of 1.0 to 1.7."""
    folder = tmp_path / "frames"
    folder.mkdir()
    name = "frame-r-004510-4-0030.fits.bz2"
    (folder / name).symlink_to(real_data / "sky" / name)
    assert prepare_backgrounds(folder, tmp_path / "cache") == []
    backgrounds = Backgrounds(tmp_path / "cache")
    (frame,) = backgrounds.frames
    assert frame.zero_point == 22.5 and frame.pixel_scale == pytest.approx(0.396, rel=0.01)
    assert 0.018 < frame.noise < 0.035
    assert 0.9 < frame.fwhm * frame.pixel_scale < 1.8
    galaxy = simulate_galaxy("sdss", 3, 1, size=128, band="r", backgrounds=backgrounds)
    assert galaxy.extent > 0 and np.isfinite(galaxy.mu).all()
