"""`predict` on planes, companions and masks, and what it says: on standard error and in every output."""

from __future__ import annotations

import time

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

from p2p_keras.predict import GROUPS, main
from p2p_keras.profile.tables.files import read_profiles


@pytest.fixture
def predict(fake_models):
    """Run the program with the test's model."""

    def run(*arguments):
        return CliRunner().invoke(main, [*map(str, arguments), "--model", str(fake_models.saved_model)])

    return run


@pytest.fixture
def vega_file(write_galaxy):
    """A 2MASS-like file, whose zero point is a Vega magnitude."""
    return write_galaxy("k.fits", header={"BUNIT": "DN", "MAGZP": 19.9, "ORIGIN": "2MASS", "FILTER": "k"})


@pytest.mark.parametrize("ending", ["ecsv", "fits", "parquet", "prof", "folder"])
@pytest.mark.parametrize("quiet", [False, True])
def test_notes_are_in_every_output(predict, vega_file, tmp_path, ending, quiet):
    """A note would be lost with the terminal: with --quiet, or in a format without lists."""
    output = tmp_path / ("out" if ending == "folder" else f"out.{ending}")
    result = predict(vega_file, "-o", output, "--summary", tmp_path / "s.csv", *(["--quiet"] if quiet else []))
    assert result.exit_code == 0, result.output
    assert ("Vega" in result.stderr) == (not quiet)
    [profile] = read_profiles(output)
    [note] = profile.meta["notes"]
    assert "Vega magnitude" in note
    expected = {"zero_point_origin": "MAGZP", "pixel_scale_origin": "WCS", "noise_origin": "pixels", "hdu": "HDU 0"}
    assert {key: profile.meta[key] for key in expected} == expected
    assert profile.meta["photometric_system"] == "Vega"
    [row] = Table.read(tmp_path / "s.csv", format="ascii.csv")
    assert "Vega magnitude" in row["notes"]


def test_to_ab_reaches_the_profile(predict, vega_file, tmp_path):
    """--to-ab would change a word and no magnitude."""
    predict(vega_file, "-o", tmp_path / "vega.ecsv")
    predict(vega_file, "-o", tmp_path / "ab.ecsv", "--to-ab")
    [vega], [ab] = read_profiles(tmp_path / "vega.ecsv"), read_profiles(tmp_path / "ab.ecsv")
    np.testing.assert_allclose(ab["mu"].value - vega["mu"].value, 1.840, atol=1e-3)
    assert ab.meta["photometric_system"] == "AB"


def cube(path, bands="grz", peaks=(0.5, 1.0, 2.0), write=None):
    """A Legacy cutout: the planes are the same galaxy at other brightness."""
    with fits.open(write("one.fits")) as file:
        data, header = file[0].data, file[0].header
    header["BANDS"], header["SURVEY"] = bands, "LegacySurvey"
    del header["FILTER"]
    fits.PrimaryHDU(np.stack([data * peak for peak in peaks]), header).writeto(path)
    return path


def test_forced_on_a_cube(predict, write_galaxy, tmp_path):
    """Bands of a cube would have to be cut out by hand before they can be measured on one geometry."""
    path = cube(tmp_path / "cube.fits", write=write_galaxy)
    result = predict("--forced", path, "--reference", "r", "-o", tmp_path / "out.ecsv")
    assert result.exit_code == 0, result.output
    profiles = {profile.meta["band"]: profile for profile in read_profiles(tmp_path / "out.ecsv")}
    assert list(profiles) == ["g", "r", "z"]
    colour = profiles["g"]["mu"].value[5:15] - profiles["z"]["mu"].value[5:15]
    np.testing.assert_allclose(colour, 2.5 * np.log10(4.0), atol=0.02)
    assert profiles["z"].meta["hdu"] == "HDU 0, plane 2"
    wrong = predict("--forced", path, "--reference", "i", "-o", tmp_path / "no.ecsv")
    assert wrong.exit_code == 1
    assert "g, r, z" in wrong.stderr


def test_a_plane_by_its_band(predict, write_galaxy, tmp_path):
    """--plane would measure another band."""
    path = cube(tmp_path / "cube.fits", write=write_galaxy)
    refused = predict(path, "-o", tmp_path / "no.ecsv")
    assert refused.exit_code == 1
    assert "--plane" in refused.stderr
    for plane in ("z", "2"):
        result = predict(path, "--plane", plane, "-o", tmp_path / f"{plane}.ecsv")
        assert result.exit_code == 0, result.output
        [profile] = read_profiles(tmp_path / f"{plane}.ecsv")
        assert (profile.meta["band"], profile.meta["hdu"]) == ("z", "HDU 0, plane 2")


def test_companions_of_a_folder(predict, write_galaxy, tmp_path):
    """A folder's noise maps and masks would become galaxies, or not be used."""
    path = write_galaxy("night/a.fits")
    shape = fits.getdata(path).shape
    fits.PrimaryHDU(np.full(shape, 0.02, np.float32)).writeto(tmp_path / "night" / "a_sigma.fits")
    mask = np.zeros(shape, np.uint8)
    mask[3:9, 3:9] = 1
    fits.PrimaryHDU(mask).writeto(tmp_path / "night" / "a_mask.fits")
    result = predict(tmp_path / "night", "-o", tmp_path / "out.ecsv")
    assert "2 files were left out" in result.stderr
    [profile] = read_profiles(tmp_path / "out.ecsv")
    assert profile.meta["noise_origin"] == "sigma: a_sigma.fits"
    assert any("a_mask.fits" in note for note in profile.meta["notes"])
    predict(tmp_path / "night", "-o", tmp_path / "alone.ecsv", "--no-companions")
    [alone] = read_profiles(tmp_path / "alone.ecsv")
    assert (alone.meta["noise_origin"], alone.meta["notes"]) == ("pixels", [])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--mask", "none.fits"],
        ["--sigma", "none.fits[ERR]"],
        ["--sigma", "{a}", "--variance", "{a}"],
        ["--mask", "{a}.reg", "--mask-bits", "3"],
    ],
)
def test_wrong_companions_are_wrong_usage(predict, write_galaxy, tmp_path, arguments):
    """A misspelt mask would be charged to every image of a run."""
    path = write_galaxy("a.fits")
    (tmp_path / "a.fits.reg").write_text("# Region file format: DS9\nimage\ncircle(5,5,3)\n")
    result = predict(path, "-o", tmp_path / "o.ecsv", *(a.format(a=path) for a in arguments))
    assert result.exit_code == 2, result.output


def test_help_fits_a_screen_and_all_of_it_is_grouped():
    """Thirty-five options at once would hide the five that a newcomer needs; or an option be in no group."""
    start = time.perf_counter()
    common = CliRunner().invoke(main, ["--help"]).output
    everything = CliRunner().invoke(main, ["--help-all"]).output
    assert time.perf_counter() - start < 2.0
    assert len(common.splitlines()) <= 40
    assert "--help-all" in common
    assert "--output" in common
    for param in main.params:
        if param.opts[0].startswith("-") and param.name != "help_all":
            assert param.opts[-1] in everything, param.name
            assert any(param.name in names for names in GROUPS.values()), param.name
    assert all(f"{heading}:" in everything for heading in GROUPS)
