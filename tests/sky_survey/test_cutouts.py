"""Cutouts of a survey's frames, and why a row has none."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from p2p_keras.core import errors
from p2p_keras.images import read_image
from p2p_keras.sky_survey.cutouts import CutoutReader, _Plane
from p2p_keras.sky_survey.footprints import find_frames
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.settings import SurveySettings

ROW = {"file": "frame.fits", "problem": "", "hdu": "", "mask": "", "band": "", "name": "a", "size": 64.0}
ROW |= dict.fromkeys(("ra", "dec", "x", "y", "zero_point", "pixel_scale"), np.nan)

SETTINGS = SurveySettings(catalogue="c.csv", output="out", zero_point=22.5, pixel_scale=0.4)


@pytest.fixture
def reader(tmp_path):
    pixels = np.random.default_rng(1).normal(size=(200, 200)).astype("f4")
    fits.PrimaryHDU(pixels).writeto(tmp_path / "frame.fits")
    with CutoutReader(Place(str(tmp_path)), SETTINGS) as reader:
        yield reader


def test_a_target_beside_the_frame_has_no_image(reader):
    """A position that no frame covers would be counted among broken images."""
    [inside, outside] = reader.read([ROW | {"x": 100.0, "y": 90.0}, ROW | {"x": 300.0, "y": 90.0}])
    assert inside.shape == (64, 64)
    assert outside.flag == "no_image"


@pytest.mark.parametrize("kind", ["InputError", "OutsideImageError"])
def test_the_flag_is_chosen_by_what_happened(reader, monkeypatch, kind):
    """The flag would hang on the wording of a sentence: a mask that is called so would make "no image" of a bad one."""

    def fail(*arguments):
        raise getattr(errors, kind)("frame.fits", "the mask stars-outside the image.fits has another shape")

    monkeypatch.setattr(_Plane, "_cut_one", fail)
    [failure] = reader.read([ROW | {"x": 100.0, "y": 90.0}])
    assert failure.flag == ("no_image" if kind == "OutsideImageError" else "bad_image")


@pytest.mark.parametrize("where", ["in the file", "beside it"])
def test_a_survey_cuts_out_what_predict_does(sky, tmp_path, where):
    """Pixels that a frame's mask calls bad would be measured, with another zero point or noise than `predict` takes."""
    rng = np.random.default_rng(2)
    wcs = sky.wcs_of("east")
    header = fits.Header(
        [*wcs.to_header().items(), ("MAGZERO", 25.0), ("FILTER", "i"), ("GAIN", 2.0), ("BUNIT", "adu")]
    )
    hdus = {
        "sci": fits.ImageHDU(rng.normal(size=(sky.side, sky.side)).astype("f4"), header, name="SCI"),
        "err": fits.ImageHDU(rng.uniform(1.0, 2.0, (sky.side, sky.side)).astype("f4"), name="ERR"),
        "mask": fits.ImageHDU((rng.uniform(size=(sky.side, sky.side)) < 0.02).astype("i2"), name="MASK"),
    }
    if where == "in the file":
        fits.HDUList([fits.PrimaryHDU(), *hdus.values()]).writeto(tmp_path / "frame.fits")
    else:
        for name, ending in (("sci", ""), ("err", "_err"), ("mask", "_mask")):
            fits.writeto(tmp_path / f"frame{ending}.fits", hdus[name].data, hdus[name].header)
    settings = SurveySettings(catalogue="c.csv", output="out")
    (ra, dec), (x, y) = wcs.all_pix2world(200.0, 210.0, 0), (100.0, 90.0)
    with CutoutReader(Place(str(tmp_path)), settings) as reader:
        survey = reader.read([ROW | {"ra": float(ra), "dec": float(dec)}, ROW | {"x": x, "y": y}])
    path = tmp_path / "frame.fits"
    for cutout, image in zip(
        survey, [read_image(path, ra=ra, dec=dec, size=64), read_image(path, x=x, y=y, size=64)], strict=True
    ):
        np.testing.assert_array_equal(cutout.pixels, image.pixels)
        np.testing.assert_array_equal(cutout.noise, image.noise)
        assert np.isnan(cutout.pixels).sum() > 20
        same = ("zero_point", "zero_point_origin", "noise_origin", "band", "notes", "hdu", "electrons_per_unit")
        assert [getattr(cutout, key) for key in same] == [getattr(image, key) for key in same]
        assert cutout.pixel_scale == pytest.approx(image.pixel_scale, rel=1e-9)
        np.testing.assert_allclose(cutout.pixel_to_sky(3.0, 5.0), image.pixel_to_sky(3.0, 5.0), rtol=1e-10)


def test_companions_are_no_frames(tmp_path):
    """Galaxies would be cut out of a noise map or a mask that lies beside the images."""
    names = [
        "a.fits",
        "a_err.fits",
        "a.mask.fits.gz",
        "a-invvar.fits",
        "psf_a.fits",
        "b.wht.fits",
        ".c.fits",
        "b.fits.fz",
    ]
    for name in names:
        (tmp_path / name).touch()
    assert [name for name, _ in find_frames(Place(str(tmp_path)))] == ["a.fits", "b.fits.fz", "psf_a.fits"]


def test_a_row_without_a_position_is_its_whole_image(sky, tmp_path):
    """A large image would be binned with positions of its unbinned pixels: the galaxy elsewhere on the sky."""
    y, x = np.mgrid[:2500, :2500] - 1249.5
    pixels = np.random.default_rng(3).normal(size=(2500, 2500)) + 2e3 * np.exp(-np.hypot(x, y) / 180.0)
    header = fits.Header([*sky.wcs_of("east").to_header().items(), ("MAGZERO", 25.0)])
    fits.writeto(tmp_path / "frame.fits", pixels.astype("f4"), header)
    with CutoutReader(Place(str(tmp_path)), SurveySettings(catalogue="c.csv", output="out")) as reader:
        [cutout] = reader.read([ROW | {"size": 0.0}])
    image = read_image(tmp_path / "frame.fits")
    assert image.binning == cutout.binning == 2
    np.testing.assert_allclose(cutout.pixel_to_sky(10.0, 20.0), image.pixel_to_sky(10.0, 20.0), rtol=1e-12)
    assert (cutout.pa_reference, cutout.pa_to_sky(30.0, 5.0, 5.0)) == ("north", image.pa_to_sky(30.0, 5.0, 5.0))
