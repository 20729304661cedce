"""``python -m p2p_keras.predict`` as a shell sees it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.wcs import WCS
from click.testing import CliRunner

from p2p_keras import Predictor
from p2p_keras.core.errors import InputError
from p2p_keras.images import Frame
from p2p_keras.measure import many_files as prediction
from p2p_keras.measure import predictor
from p2p_keras.predict import main
from p2p_keras.profile.tables.files import read_profiles


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
    assert "Measured 3 of 3 galaxies in" in result.stderr
    words = {0: "good", 1: "suspect", 2: "bad", 4: "no profile"}
    qualities = [words[int(meta["quality"])] for meta in table.meta["galaxies"]]
    assert all(f"{qualities.count(word)} {word}" in result.stderr for word in set(qualities))


def test_failures_are_named_and_the_others_written(predict, write_galaxy, tmp_path):
    """One broken file would cost the others, or pass unseen by a script."""
    good = write_galaxy("good.fits")
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"SIMPLE  =                    T")
    uncalibrated = write_galaxy("uncalibrated.fits", header={"BUNIT": "adu"})
    result = predict(good, broken, uncalibrated, tmp_path / "missing.fits", "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"good.ecsv", "predict.toml"}
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


def bad_inputs(folder, write_galaxy):
    """One file of every kind of fault, with a word of the cause that is to be named."""
    good = write_galaxy("kinds/good.fits")
    header, pixels = fits.getheader(good), fits.getdata(good)

    def damaged(name, data):
        (folder / name).write_bytes(data)
        return folder / name

    def written(name, array, cards=header):
        fits.PrimaryHDU(array, cards).writeto(folder / name)
        return folder / name

    whole = good.read_bytes()
    no_scale, counts = fits.Header([("BUNIT", "nanomaggy")]), header.copy()
    counts["BUNIT"] = "adu"
    table = fits.BinTableHDU.from_columns([fits.Column("a", "D", array=np.arange(3.0))])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(folder / "table.fits")
    return {
        damaged("empty.fits", b""): "empty",
        damaged("text.fits", b"no fits at all\n" * 300): "not a FITS file",
        damaged("cut.fits", whole[: len(whole) // 2]): "truncated",
        damaged("cut.fits.gz", b"\x1f\x8b\x08broken"): "truncated",
        folder / "missing.fits": "no such file",
        folder / "table.fits": "no HDU has an image",
        written("nan.fits", np.full((64, 64), np.nan, "f4")): "no pixel has a value",
        written("flat.fits", np.ones((64, 64), "f4")): "same value",
        written("cube.fits", np.zeros((3, 64, 64), "f4")): "cube",
        written("line.fits", np.zeros(64, "f4")): "one-dimensional",
        written("adu.fits", pixels, counts): "zero point",
        written("scale.fits", pixels, no_scale): "pixel scale",
    }


def test_bad_inputs_of_every_kind_among_good_ones(predict, write_galaxy, tmp_path):
    """One odd file in a night's list would cost the others, or fail without a cause."""
    (tmp_path / "bad").mkdir()
    bad = bad_inputs(tmp_path / "bad", write_galaxy)
    good = [write_galaxy(f"good/g{i}.fits") for i in range(len(bad) + 1)]
    mixed = [path for pair in zip(good, [*bad, None], strict=True) for path in pair if path is not None]
    result = predict(*mixed, "--output", tmp_path / "out.fits", "--summary", tmp_path / "summary.ecsv")
    assert result.exit_code == 1
    assert {p.meta["name"] for p in read_profiles(tmp_path / "out.fits")} == {path.stem for path in good}
    assert len(QTable.read(tmp_path / "summary.ecsv")) == len(good)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == len(bad), result.stderr
    for path, cause in bad.items():
        assert any(str(path) in line and cause in line for line in errors), (path.name, result.stderr)
    assert "Traceback" not in result.output


def test_resume_measures_only_what_is_missing(predict, write_galaxy, tmp_path, monkeypatch):
    """A run that was stopped would begin anew, or end with half of its galaxies."""
    paths = [write_galaxy(f"{name}.fits") for name in "abcd"]
    measure, measured = Predictor.measure, []

    def counted(self, images):
        measured.extend(image.name for image in images)
        return measure(self, images)

    monkeypatch.setattr(Predictor, "measure", counted)
    for output in ("out.ecsv", "folder"):
        arguments = ["-o", tmp_path / output, "--summary", tmp_path / f"{output}-summary.csv"]
        predict(*paths[:2], *arguments)
        measured.clear()
        result = predict(*paths, *arguments, "--resume")
        assert result.exit_code == 0, result.output
        assert measured == ["c", "d"]
        assert "2 were there already" in result.stderr
        assert {p.meta["name"] for p in read_profiles(tmp_path / output)} == set("abcd")
        assert len((tmp_path / f"{output}-summary.csv").read_text().splitlines()) == 5


def test_catalogue_on_frames(predict, write_galaxy, galaxy_pixels, tmp_path, monkeypatch):
    """Galaxies of a catalogue would be cut out elsewhere, or a frame be read once for each of them."""
    from p2p_keras.images import choosing, frame

    path = write_galaxy("frame.fits", (300, 300), x0=100, y0=120)
    image = fits.getdata(path) + galaxy_pixels((300, 300), x0=210, y0=190, seed=3, noise=0)
    fits.PrimaryHDU(image, fits.getheader(path)).writeto(path, overwrite=True)
    wcs = WCS(fits.getheader(path))
    sky = [wcs.pixel_to_world(100, 120), wcs.pixel_to_world(210, 190)]
    rows = [
        f"one,{sky[0].ra.deg},{sky[0].dec.deg},0.05,96",
        f"two,{sky[1].ra.to_string('hour', sep=':', precision=4)},",
    ]
    rows[1] += f"{sky[1].dec.to_string(sep=':', precision=3)},,64"
    rows += ["off,10.0,45.0,,64", "odd,nowhere,2.0,,64", "small,150.0,2.0,,12"]
    (tmp_path / "c.csv").write_text("\n".join(["Name,RA,Dec,redshift,size", *rows]) + "\n")
    opened, projections = [], []
    open_fits, celestial_wcs = frame.open_fits, frame.celestial_wcs
    monkeypatch.setattr(frame, "open_fits", lambda source: (opened.append(source), open_fits(source))[1])
    monkeypatch.setattr(
        frame, "celestial_wcs", lambda header, file: (projections.append(1), celestial_wcs(header, file))[1]
    )
    monkeypatch.setattr(choosing, "celestial_wcs", lambda *_: pytest.fail("the frame's WCS is known"))
    result = predict(path, "--catalogue", tmp_path / "c.csv", "-o", tmp_path / "out.ecsv")
    assert result.exit_code == 1
    assert (opened, len(projections)) == ([str(path)], 1)
    one, two = sorted(read_profiles(tmp_path / "out.ecsv"), key=lambda p: p.meta["name"])
    assert (one.meta["x0"], one.meta["y0"]) == (pytest.approx(100, abs=0.6), pytest.approx(120, abs=0.6))
    assert (two.meta["x0"], two.meta["y0"]) == (pytest.approx(210, abs=0.6), pytest.approx(190, abs=0.6))
    assert one.meta["redshift"] == 0.05
    assert "redshift" not in two.meta
    for name, cause in (("off", "none of the images"), ("odd", "not a position"), ("small", "12 px")):
        assert any(name in line and cause in line for line in result.stderr.splitlines()), result.stderr


def test_catalogue_with_files_and_columns(predict, write_galaxy, tmp_path):
    """A catalogue that names its files, or calls its columns otherwise, would not be understood."""
    for name in "ab":
        write_galaxy(f"{name}.fits")
    Table({"target": ["A", "B"], "image": ["a.fits", "b.fits"], "zp": [22.5, 25.0]}).write(tmp_path / "c.fits")
    result = predict("--catalogue", tmp_path / "c.fits", "--column", "name=target", "-o", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    profiles = {p.meta["name"]: p for p in read_profiles(tmp_path / "out.csv")}
    np.testing.assert_allclose(profiles["B"]["mu"].value[:9] - profiles["A"]["mu"].value[:9], 2.5, atol=1e-3)
    for wrong in (["--column", "name=nothing"], ["--column", "what=target"], [str(tmp_path / "a.fits")]):
        assert predict("--catalogue", tmp_path / "c.fits", "-o", tmp_path / "o.csv", *wrong).exit_code == 2


def test_forced_bands_on_the_command_line(predict, write_galaxy, tmp_path):
    """The documented command for colours would not write them."""
    write_galaxy("m1-g.fits", (200, 200), flux=200.0)
    write_galaxy("m1-r.fits", (200, 200), flux=400.0, seed=2)
    bands = [f"{band}={tmp_path}/m1-{band}.fits" for band in "gr"]
    output = ["-o", tmp_path / "out.ecsv", "--plot", tmp_path / "plots"]
    result = predict("--forced", *bands, "--reference", "r", *output)
    assert result.exit_code == 0, result.output
    assert [p.meta["name"] for p in read_profiles(tmp_path / "out.ecsv")] == ["m1_g", "m1_r"]
    colours = QTable.read(tmp_path / "out-colours.ecsv")
    np.testing.assert_allclose(colours["g-r"].value[10:40], 2.5 * np.log10(2.0), atol=0.05)
    assert (tmp_path / "plots" / "m1-bands.png").exists()
    result = predict("--forced", *bands, "--reference", "r", "-o", tmp_path / "folder", "--format", "fits")
    assert sorted(p.name for p in (tmp_path / "folder").iterdir()) == [
        "m1-colours.fits",
        "m1_g.fits",
        "m1_r.fits",
        "predict.toml",
    ]
    again = predict("--forced", *bands, "--reference", "r", "-o", tmp_path / "out.ecsv", "--resume")
    assert "1 were there already" in again.stderr
    assert predict("--forced", *bands, "-o", tmp_path / "x.ecsv").exit_code == 2


def test_model_and_mask_images(predict, write_galaxy, tmp_path):
    """The images would lose the WCS, or not add up to the galaxy's."""
    path = write_galaxy("a.fits", (120, 120), sky=0.3)
    predict(path, "-o", tmp_path / "o.csv", "--model-image", tmp_path / "m", "--mask-image", tmp_path / "k")
    with fits.open(tmp_path / "m" / "a-model.fits") as file:
        total = file["MODEL"].data + file["RESIDUAL"].data + file["MODEL"].header["SKYLEVEL"]
        np.testing.assert_allclose(total, fits.getdata(path), atol=1e-4)
        here, there = WCS(file["MODEL"].header), WCS(fits.getheader(path))
    np.testing.assert_allclose(here.wcs_pix2world([[10, 90]], 0), there.wcs_pix2world([[10, 90]], 0), atol=1e-9)
    mask = fits.getdata(tmp_path / "k" / "a-mask.fits")
    assert mask.dtype == np.uint8 and mask.mean() < 0.02


def test_quantities_on_the_command_line(predict, write_galaxy, tmp_path):
    """--isophotes, --redshift, --ebv and --summary would be ignored."""
    options = ["--isophotes", "22,23", "--redshift", "0.03", "--ebv", "0.05", "--summary", tmp_path / "s.fits"]
    result = predict(write_galaxy("a.fits"), "-o", tmp_path / "o.parquet", *options)
    assert result.exit_code == 0, result.output
    table = QTable.read(tmp_path / "s.fits")
    assert table["extinction"][0].value == pytest.approx(0.05 * 2.285)
    assert np.isfinite(table["r_iso22"][0].to_value("arcsec")) and np.isfinite(table["mag_total_err"][0].value)
    assert table["r50_kpc"].unit == "kpc"
    [profile] = read_profiles(tmp_path / "o.parquet")
    assert "sma_kpc" in profile.colnames
    for wrong in (["--isophotes", "a"], ["--extinction", "x"], ["--cosmology", "Plonk"], ["--summary", "s.txt"]):
        assert predict(write_galaxy(f"wrong{wrong[0]}.fits"), "-o", tmp_path / "o.csv", *wrong).exit_code == 2
    assert not list(tmp_path.glob(".*"))


def test_a_catalogues_extinction_of_forced_bands(predict, write_galaxy, tmp_path):
    """All bands would be corrected by the reference's extinction, and colours stay as red as dust makes them."""
    for band in "gr":
        write_galaxy(f"m1-{band}.fits")
    (tmp_path / "c.csv").write_text(
        f"name,file_g,file_r,extinction\nm1,{tmp_path}/m1-g.fits,{tmp_path}/m1-r.fits,0.2285\n"
    )
    output = ["-o", tmp_path / "out.ecsv", "--catalogue-extinction"]
    result = predict("--forced", "--catalogue", tmp_path / "c.csv", "--reference", "r", *output)
    assert result.exit_code == 0, result.output
    extinction = {p.meta["band"]: p.meta["extinction"] for p in read_profiles(tmp_path / "out.ecsv")}
    assert extinction == {"g": pytest.approx(0.3303), "r": pytest.approx(0.2285)}


def test_extinction_that_is_unknown_stops_one_galaxy(predict, write_galaxy, tmp_path):
    """A single image in an odd filter would stop the whole run."""
    paths = [write_galaxy("a.fits"), write_galaxy("b.fits", header={"FILTER": "Q3"}), write_galaxy("c.fits")]
    result = predict(*paths, "-o", tmp_path / "o.csv", "--ebv", "0.1")
    assert result.exit_code == 1
    assert "'Q3'" in result.stderr
    assert len(read_profiles(tmp_path / "o.csv")) == 2


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


def test_masked_images_have_their_own_batches(make_galaxy):
    """One masked image in each batch would cost all others a quarter more time, or wait until the end of a long run."""
    clean, masked = make_galaxy((48, 48)), make_galaxy((48, 48))
    pixels = np.array(masked.pixels)
    pixels[3, 4] = np.nan
    masked = replace(masked, pixels=pixels)
    images = [(i, masked if i in (1, 70) else clean) for i in range(80)]
    groups = [[i for i, _ in group] for group in predictor.group_by_shape(images, 4, masked_apart=True)]
    assert sorted(i for group in groups for i in group) == list(range(80))
    assert [group for group in groups if {1, 70} & set(group)] == [[1], [70]]
    assert all(len(group) == 4 for group in groups if len(group) > 1 and group[-1] < 76)
    assert groups.index([1]) < 12  # eight batches of others
    assert len(list(predictor.group_by_shape(images, 4))) == 20


def test_padding_is_cut_off_as_by_predictor(predict, write_galaxy, fake_models, tmp_path):
    """The program would measure a padded image otherwise than `Predictor` and the server."""
    path = write_galaxy("a.fits")
    with fits.open(path) as hdus:
        padded = np.pad(hdus[0].data.astype(np.float32), 12, constant_values=np.nan)
        header = hdus[0].header
    header.pop("CRPIX1", None), header.pop("CRPIX2", None)
    fits.writeto(tmp_path / "padded.fits", padded, header)
    assert predict(tmp_path / "padded.fits", "--output", tmp_path / "out.ecsv").exit_code == 0
    (written,) = read_profiles(tmp_path / "out.ecsv")
    direct = Predictor.load(fake_models.saved_model).predict(tmp_path / "padded.fits")
    np.testing.assert_array_equal(written["sma"].value, direct["sma"].value)
    np.testing.assert_allclose(written["mu"].value, direct["mu"].value, atol=1e-5)
