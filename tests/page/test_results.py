"""Tables of ours on the page to judge by, and in a notebook."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.page.judging.filters import chosen_rows
from p2p_keras.page.judging.results import open_results
from p2p_keras.page.judging.verdicts import Verdict, Verdicts
from p2p_keras.page.places import Places


@pytest.fixture(scope="module")
def profiles(images):
    """Profiles of the two galaxies of ``field.fits``."""
    from p2p_keras import Predictor
    from p2p_keras.profile.derived import complete_profile

    predictor = Predictor.load(threads=1)
    places = {"one": (64.0, 63.0), "two": (170.0, 150.0)}
    return [
        complete_profile(predictor.predict(images / "field.fits", x=x, y=y, name=name))
        for name, (x, y) in places.items()
    ]


@pytest.mark.parametrize("ending", ["ecsv", "fits", "parquet", "folder"])
def test_every_table_of_ours_opens(profiles, images, tmp_path, ending):
    """A run could not be judged from the file that it wrote, or a galaxy be shown with another one's profile."""
    from p2p_keras import write_profiles

    path = tmp_path / ("run" if ending == "folder" else f"run.{ending}")
    write_profiles(profiles, path)
    results = open_results(path)
    assert list(results.frame.name) == ["one", "two"]
    assert {"mag_total", "r50", "flags"} <= set(results.frame.columns)
    profile = results.profile(1)
    np.testing.assert_allclose(profile["mu"], profiles[1]["mu"], rtol=1e-6)
    image = results.image(1, Places([images]))
    x0, y0 = image.from_file(profiles[1].meta["x0"], profiles[1].meta["y0"])
    assert abs(x0 - (image.shape[1] - 1) / 2) < 1
    assert abs(y0 - (image.shape[0] - 1) / 2) < 1


def test_every_download_is_what_its_name_says(profiles, images, tmp_path):
    """A file that was taken away from the page could not be opened, or would be another galaxy's."""
    from astropy.io import fits
    from astropy.table import QTable

    from p2p_keras import read_image, read_profiles
    from p2p_keras.page.measuring.downloads import TABLES, download, file_name

    image, profile = read_image(images / "field.fits", x=64, y=63), profiles[0]
    kept = {}
    for kind in (*TABLES, "figure", "ellipses", "mask", "model"):
        kept[kind] = tmp_path / file_name(profile, kind)
        kept[kind].write_bytes(download(image, profile, kind))
    for kind in TABLES:
        table = read_profiles(kept[kind])[0] if kind in ("prof", "fits") else QTable.read(kept[kind])
        np.testing.assert_allclose(np.asarray(table["mu"]), profile["mu"].value, atol=2e-3)
    assert kept["figure"].read_bytes().startswith(b"%PDF")
    assert kept["ellipses"].read_text().count("ellipse(") > 3
    assert kept["mask"].read_text().startswith("# Region file")
    with fits.open(kept["model"]) as hdus:
        assert any(np.shape(hdu.data) == image.shape for hdu in hdus)


def test_images_that_moved_are_found_by_name(profiles, images, tmp_path):
    """A table from another machine would show no pictures."""
    from p2p_keras import write_profiles

    moved = [p.copy() for p in profiles]
    for profile in moved:
        profile.meta["source"] = "/somewhere/else/field.fits"
    write_profiles(moved, tmp_path / "run.fits")
    assert open_results(tmp_path / "run.fits").image_path(0, Places([images])) == (images / "field.fits").resolve()


def test_conditions_choose_rows():
    """A filter would hide rows that it should show."""
    frame = pd.DataFrame({"name": ["NGC 1", "ngc 2", "IC 3"], "r50": [1.0, np.nan, 3.0], "flags": ["a", "", "a b"]})

    def chosen(text: str) -> list[int]:
        return list(np.flatnonzero(chosen_rows(frame, text)))

    assert chosen("") == [0, 1, 2]
    assert chosen("r50 >= 1") == [0, 2]
    assert chosen("r50 < 3, name has ngc") == [0]
    assert chosen("r50 != 1") == [1, 2]
    assert chosen("flags lacks b") == [0, 1]
    assert chosen("name = ic 3") == [2]
    for wrong in ("r50", "r50 > x", "__class__ = 1", "flags > 1", "r50 > 1; import os"):
        with pytest.raises(UsageError):
            chosen_rows(frame, wrong)


def test_two_readers_keep_each_others_verdicts(tmp_path):
    """The second of two colleagues who judge one table would delete what the first has said."""
    one, other = Verdicts(tmp_path / "run.fits"), Verdicts(tmp_path / "run.fits")
    one.set("NGC 1", "r", Verdict("good"))
    other.set("NGC 2", "r", Verdict("bad", "a, b"))
    one.set("NGC 1", "r", Verdict())
    assert Verdicts(tmp_path / "run.fits").of == {("NGC 2", "r"): Verdict("bad", "a, b")}


def test_notebook_shows_profile_and_table(profiles):
    """`profile.explore()` and `view(table)` would show nothing below a cell."""
    from p2p_keras.page import view

    assert profiles[0].explore().get_root() is not None
    assert view(profiles).get_root() is not None
