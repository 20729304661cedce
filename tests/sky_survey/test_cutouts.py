"""Cutouts of a survey's frames, and why a row has none."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from p2p_keras.core import errors
from p2p_keras.sky_survey.cutouts import CutoutReader, _Plane
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
