"""``python -m p2p_keras.predict`` as a shell sees it."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from click.testing import CliRunner

from p2p_keras import Predictor, prediction, predictor
from p2p_keras.errors import InputError
from p2p_keras.images import Frame
from p2p_keras.predict import main
from p2p_keras.profile_files import read_profiles


@pytest.fixture
def predict(fake_models):
    """Run the program with the test's model."""

    def run(*arguments):
        return CliRunner().invoke(main, [*map(str, arguments), "--model", str(fake_models.saved_model)])

    return run


def test_one_table_for_all(predict, write_galaxy, tmp_path):
    """Several inputs would not end in the one table that was asked for."""
    paths = [write_galaxy("a.fits"), write_galaxy("b.fits", (64, 80)), write_galaxy("c.fits.gz")]
    result = predict(*paths, "--output", tmp_path / "out.ecsv")
    assert result.exit_code == 0, result.output
    table = QTable.read(tmp_path / "out.ecsv")
    assert table.colnames[0] == "name"
    assert set(table["name"]) == {"a", "b", "c"}
    assert "3 of 3 measured" in result.stderr


def test_failures_are_named_and_the_others_written(predict, write_galaxy, tmp_path):
    """One broken file would cost the others, or pass unseen by a script."""
    good = write_galaxy("good.fits")
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"SIMPLE  =                    T")
    uncalibrated = write_galaxy("uncalibrated.fits", header={"BUNIT": "adu"})
    result = predict(good, broken, uncalibrated, tmp_path / "missing.fits", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["good.ecsv"]
    for name in ("broken.fits", "uncalibrated.fits", "missing.fits"):
        assert sum(line.startswith("error:") and name in line for line in result.stderr.splitlines()) == 1
    assert "--zero-point" in result.stderr
    assert "3 of 4 inputs failed" in result.stderr
    assert result.stdout == ""


def test_overrides_reach_the_profile(predict, write_galaxy, tmp_path):
    """Options for zero point, scale, band and target would be ignored."""
    path = write_galaxy("a.fits", (200, 220), x0=80, y0=110)
    predict(path, "-o", tmp_path / "plain.ecsv", "--x", 80, "--y", 110, "--size", 96)
    predict(path, "-o", tmp_path / "over.ecsv", "--x", 80, "--y", 110, "--size", 96, "--zero-point", 25, "--band", "g")
    [plain], [over] = read_profiles(tmp_path / "plain.ecsv"), read_profiles(tmp_path / "over.ecsv")
    np.testing.assert_allclose(over["mu"].value - plain["mu"].value, 2.5, atol=1e-3)
    assert (plain.meta["band"], over.meta["band"]) == ("r", "g")
    assert (plain.meta["x0"], plain.meta["y0"]) == (pytest.approx(80, abs=1), pytest.approx(110, abs=1))


def test_mask_is_used(predict, write_galaxy, tmp_path):
    """--mask FILE would leave the star in."""
    path = write_galaxy("a.fits")
    pixels = fits.getdata(path).copy()
    pixels[20:30, 20:30] += 500
    fits.PrimaryHDU(pixels, fits.getheader(path)).writeto(tmp_path / "star.fits")
    mask = np.zeros(pixels.shape, np.uint8)
    mask[20:30, 20:30] = 1
    fits.PrimaryHDU(mask).writeto(tmp_path / "m.fits")
    predict(path, "-o", tmp_path / "clean.ecsv")
    predict(tmp_path / "star.fits", "-o", tmp_path / "masked.ecsv", "--mask", tmp_path / "m.fits")
    [clean], [masked] = read_profiles(tmp_path / "clean.ecsv"), read_profiles(tmp_path / "masked.ecsv")
    rows = min(len(clean), len(masked), 40)
    np.testing.assert_allclose(clean["mu"].value[:rows], masked["mu"].value[:rows], atol=0.02)


def test_plots_are_drawn(predict, write_galaxy, tmp_path):
    """--plot would draw nothing, or overwrite the picture of a namesake."""
    first = write_galaxy("one/a.fits")
    second = write_galaxy("two/a.fits")
    result = predict(first, second, "-o", tmp_path / "out.fits", "--plot", tmp_path / "plots")
    assert result.exit_code == 0, result.output
    assert sorted(p.name for p in (tmp_path / "plots").iterdir()) == ["a.png", "a_2.png"]
    assert "a second galaxy named a is kept as a_2" in result.stderr


def test_lists_and_folders(predict, write_galaxy, tmp_path):
    """A folder or @list.txt of the documentation would not be understood."""
    write_galaxy("sky/a.fits")
    write_galaxy("sky/b.fits")
    (tmp_path / "list.txt").write_text("# two of them\nsky/a.fits\n\nsky/b.fits\n")
    for argument in (tmp_path / "sky", f"@{tmp_path / 'list.txt'}"):
        result = predict(argument, "-o", tmp_path / "out.csv")
        assert result.exit_code == 0, result.output
        assert len(read_profiles(tmp_path / "out.csv")) == 2
    assert "replaced" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["--ra", "150"], ["--ra", "150", "--dec", "2", "--x", "3", "--y", "4"], ["--size", "7"], ["--bogus"]]
)
def test_wrong_usage(predict, write_galaxy, tmp_path, arguments):
    """A contradiction in the options would be charged to every single file, with status 1."""
    result = predict(write_galaxy("a.fits"), "-o", tmp_path / "out.ecsv", *arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output


def test_wrong_model_and_output(write_galaxy, tmp_path):
    """A wrong model or output name would be told after the work, or by a traceback."""
    path = write_galaxy("a.fits")
    for arguments in (["-o", "out.ecsv", "--model", str(tmp_path / "none")], ["-o", str(tmp_path / "out.txt")], []):
        assert CliRunner().invoke(main, [str(path), *arguments]).exit_code == 2


def test_interrupt_keeps_what_is_done(predict, write_galaxy, tmp_path, monkeypatch):
    """Ctrl-C would lose the galaxies that were measured until then."""
    paths = [write_galaxy(f"{name}.fits") for name in "abcd"]
    measure = Predictor.measure
    calls = []

    def interrupted(self, images):
        calls.append(len(images))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure(self, images)

    monkeypatch.setattr(Predictor, "measure", interrupted)
    result = predict(*paths, "-o", tmp_path / "out.ecsv", "--batch-size", 1)
    assert result.exit_code == 1
    assert "interrupted" in result.stderr
    assert [p.meta["name"] for p in read_profiles(tmp_path / "out.ecsv")] == ["a", "b"]


class Echo:
    """Measures nothing: returns each image's name, or an error for a refused one."""

    def measure(self, images):
        return [InputError("server", "refused") if image.name == "refused" else image.name for image in images]


def test_answers_of_a_server_can_be_errors(write_galaxy):
    """One image that a server refuses would stop the others, or not be named."""
    paths = [write_galaxy("a.fits"), write_galaxy("refused.fits"), write_galaxy("b.fits")]
    first, refused, last = prediction.predict_files(Echo(), paths)
    assert (first.profile, last.profile) == ("a", "b")
    assert "refused.fits" in str(refused.error)


def test_no_server(write_galaxy, tmp_path):
    """A server that isn't there would be a traceback."""
    pytest.importorskip("tensorflow_serving")
    monkeyed = ["--server", "localhost:1", "-o", str(tmp_path / "o.ecsv")]
    result = CliRunner().invoke(main, [str(write_galaxy("a.fits")), *monkeyed])
    assert result.exit_code == 1, result.output
    assert "a.fits" in result.stderr


def test_few_images_are_in_memory(write_galaxy, monkeypatch):
    """A survey's worth of files would be read into memory before the first is measured."""
    path = write_galaxy("a.fits")
    reads = []
    cut = Frame.image

    def counted(*args, **kwargs):
        reads.append(1)
        return cut(*args, **kwargs)

    monkeypatch.setattr(Frame, "image", counted)
    run = prediction.predict_files(Echo(), [path] * 40, batch_size=2, readers=2)
    next(run)
    assert len(reads) <= 10
    assert sum(1 for _ in run) == 39


def test_images_of_many_shapes_do_not_pile_up(make_galaxy, monkeypatch):
    """Cutouts that are all of different sizes would all wait in memory for another of theirs."""
    monkeypatch.setattr(predictor, "WAITING_PIXELS", 5 * 60 * 60)
    taken = []

    def images():
        for side in range(50, 90):
            taken.append(side)
            yield side, make_galaxy((side, side))

    given = 0
    for group in predictor.group_by_shape(images(), 16):
        given += len(group)
        assert len(taken) - given <= 6
    assert given == 40
