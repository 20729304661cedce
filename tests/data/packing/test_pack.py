"""Own images and profiles into shards: every layout, and every broken input with its message."""

from __future__ import annotations

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import QTable, Table
from click.testing import CliRunner

from p2p_keras.core import units
from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.data.packing import pack_rows, read_profile, rows_of_catalogue, rows_of_images, rows_of_paper_layout
from p2p_keras.data.shards import ShardWriteError, find_damage, find_shards, read_shards, split_of
from p2p_keras.pack import main

SCALE, ZERO_POINT = 0.4, 22.5


def galaxy_pixels(side: int = 64, x0: float = 31.0, y0: float = 33.0, seed: int = 1) -> np.ndarray:
    """An exponential disc, ellipticity 0.4 at 20 degrees from +x, on noise of 0.02."""
    y, x = np.mgrid[:side, :side]
    angle = np.deg2rad(20.0)
    along = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
    across = (-(x - x0) * np.sin(angle) + (y - y0) * np.cos(angle)) / 0.6
    noise = np.random.default_rng(seed).normal(0.1, 0.02, (side, side))
    return (10.0 * np.exp(-np.hypot(along, across) / 5.0) + noise).astype(np.float32)


def write_fits(path: Path, pixels: np.ndarray | None = None, **cards) -> Path:
    """A FITS image calibrated by its header."""
    header = fits.Header({"BUNIT": "nanomaggy", "PIXSCALE": SCALE, "FILTER": "r"} | cards)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.writeto(path, galaxy_pixels() if pixels is None else pixels, header, overwrite=True)
    return path


@pytest.fixture
def paper(tmp_path):
    """Three galaxies in two bands in the paper's layout."""
    folder = tmp_path / "data"
    (folder / "sbs").mkdir(parents=True)
    for name in ("A1", "A2", "B-3"):
        for band in "gr":
            write_fits(folder / "gals" / f"{name}-{band}.fits")
            np.savetxt(folder / "sbs" / f"{name}_{band}.txt", 18.0 + 0.2 * np.arange(30))
    (folder / "names.txt").write_text("A1\nA2\n# comment\n\nB-3\n")
    return folder


def packed(folder: Path) -> dict[str, object]:
    """Galaxies by name and band."""
    return {f"{galaxy.name} {galaxy.band}": galaxy for galaxy in read_shards(find_shards(folder))}


def causes(report) -> dict[str, str]:
    """Why rows were left out, by name."""
    return {failure.name: failure.cause for failure in report.failures}


def test_paper_layout(paper, tmp_path):
    """The data of the paper could not be trained on."""
    report = pack_rows(rows_of_paper_layout(paper), tmp_path / "out")
    galaxies = packed(tmp_path / "out")
    assert set(galaxies) == {f"{name} {band}" for name in ("A1", "A2", "B-3") for band in "gr"}
    assert report.failures == []
    galaxy = galaxies["B-3 g"]
    np.testing.assert_allclose(galaxy.mu, 18.0 + 0.2 * np.arange(30), rtol=1e-6)
    np.testing.assert_allclose(galaxy.sma, SCALE * np.arange(1, 31), rtol=1e-6)
    assert (galaxy.zero_point, galaxy.pixel_scale) == pytest.approx((ZERO_POINT, SCALE))
    assert galaxy.extent == pytest.approx(12.0)
    assert galaxy.noise == pytest.approx(0.02, rel=0.5)
    assert np.isnan(galaxy.sky)


def test_bands_stay_in_one_split_and_splits_are_stable(paper, tmp_path):
    """A galaxy would be trained on in one band and tested in another."""
    fractions = {"train": 0.5, "val": 0.25, "test": 0.25}
    pack_rows(rows_of_paper_layout(paper), tmp_path / "out", fractions=fractions)
    for split in fractions:
        for path in [p for p in find_shards(tmp_path / "out") if p.name.startswith(split)]:
            assert {split_of(galaxy.name, fractions) for galaxy in read_shards(path)} == {split}


def break_inputs(folder: Path) -> dict[str, str]:
    """Add one galaxy for each way in which input can be broken; name -> part of the message."""
    mu = 18.0 + 0.2 * np.arange(30)
    header = {"BUNIT": "nanomaggy", "PIXSCALE": SCALE}
    for name in ("truncated", "zeros", "nan", "line", "noprofile", "badprofile", "textprofile", "emptyprofile", "nozp"):
        write_fits(folder / "gals" / f"{name}-r.fits", galaxy_pixels())
        np.savetxt(folder / "sbs" / f"{name}_r.txt", mu)
    image = folder / "gals"
    whole = (image / "truncated-r.fits").read_bytes()
    (image / "truncated-r.fits").write_bytes(whole[: len(whole) // 2])
    write_fits(image / "zeros-r.fits", np.zeros((64, 64), np.float32))
    write_fits(image / "nan-r.fits", np.full((64, 64), np.nan, np.float32))
    fits.writeto(image / "line-r.fits", np.ones(64, np.float32), fits.Header(header), overwrite=True)
    fits.writeto(image / "nozp-r.fits", galaxy_pixels(), fits.Header({"PIXSCALE": SCALE}), overwrite=True)
    (folder / "sbs" / "noprofile_r.txt").unlink()
    np.savetxt(folder / "sbs" / "badprofile_r.txt", np.full(30, np.nan))
    (folder / "sbs" / "textprofile_r.txt").write_text("see the readme\nfor the profile\n")
    (folder / "sbs" / "emptyprofile_r.txt").write_text("")
    expected = {
        "truncated": "truncated-r.fits",
        "zeros": "same value",
        "nan": "no pixel has a value",
        "line": "one-dimensional",
        "noprofile": "noprofile_r.txt is missing",
        "badprofile": "0 finite values of mu",
        "textprofile": "textprofile_r.txt",
        "emptyprofile": "emptyprofile_r.txt",
        "nozp": "zero point",
        "nowhere": "no such image",
    }
    with (folder / "names.txt").open("a") as names:
        names.write("\n".join(expected) + "\n")
    return expected


def test_each_broken_input_has_its_message_and_the_rest_is_packed(paper, tmp_path):
    """One broken file among thousands would stop the run, or be left out without a word."""
    expected = break_inputs(paper)
    out = tmp_path / "out"
    result = CliRunner().invoke(main, ["--layout", str(paper), "-o", str(out)])
    assert result.exit_code == 1, result.output
    assert "Packed 6 of 16 images (" in result.stderr
    assert "10 left out, each with its cause in" in result.stderr
    assert "the profile ... is missing" in result.stderr.split("left out", 1)[1]
    assert len(packed(out)) == 6
    with (out / "failures.csv").open() as file:
        reported = {row["name"]: row["cause"] for row in csv.DictReader(file)}
    assert reported.keys() == expected.keys()
    for name, part in expected.items():
        assert part in reported[name], name
        assert name in result.stderr


def test_a_profile_with_a_gap_is_packed_with_the_gap(paper, tmp_path):
    """One NaN would cost a galaxy, or be filled with a guess."""
    mu = 18.0 + 0.2 * np.arange(30)
    mu[[4, 29]] = np.nan
    np.savetxt(paper / "sbs" / "A1_g.txt", mu)
    assert pack_rows(rows_of_paper_layout(paper), tmp_path / "out").failures == []
    galaxy = packed(tmp_path / "out")["A1 g"]
    assert np.flatnonzero(np.isnan(galaxy.mu)).tolist() == [4]
    assert galaxy.sma.size == 29


def test_duplicate_names(paper, tmp_path):
    """A galaxy listed twice would count twice in training."""
    (paper / "names.txt").write_text("A1\nA2\nA1\n")
    report = pack_rows(rows_of_paper_layout(paper), tmp_path / "out")
    assert len(packed(tmp_path / "out")) == 4
    assert "given twice" in causes(report)["A1"]


def test_catalogue_cuts_targets_out_of_a_frame(tmp_path):
    """A survey's frames would have to be cut by hand."""
    frame = np.random.default_rng(2).normal(0, 0.02, (300, 400)).astype(np.float32)
    frame[100:164, 200:264] += galaxy_pixels()
    write_fits(tmp_path / "frame.fits", frame)
    sma = np.geomspace(0.4, 10, 20)
    QTable({"sma": sma, "mu": 18 + sma, "pa": 0 * sma + 20.0}).write(tmp_path / "one.ecsv")
    Table(
        {
            "FILE": ["frame.fits", "frame.fits", "frame.fits"],
            "Name": ["one", "off", "word"],
            "x": ["231", "9000", "231"],
            "y": ["133", "50", "133"],
            "z": ["0.02", "", "fast"],
            "band": ["i", "i", "i"],
            "profile": ["one.ecsv"] * 3,
        }
    ).write(tmp_path / "list.csv")
    report = pack_rows(rows_of_catalogue(tmp_path / "list.csv"), tmp_path / "out", size=64)
    (galaxy,) = packed(tmp_path / "out").values()
    assert galaxy.image.shape == (64, 64)
    peak = np.unravel_index(np.nanargmax(galaxy.image), galaxy.image.shape)
    assert max(abs(peak[0] - 32), abs(peak[1] - 32)) <= 1
    assert (galaxy.band, galaxy.origin.rpartition(" ")[2]) == ("i", "redshift=0.02")
    assert causes(report).keys() == {"off", "word"}
    assert "'fast' is not a number" in causes(report)["word"]


def test_catalogue_without_files(tmp_path):
    """The user would not know which column is missing."""
    Table({"ra": [1.0], "dec": [2.0]}).write(tmp_path / "list.csv")
    with pytest.raises(UsageError, match="no column with the image files"):
        rows_of_catalogue(tmp_path / "list.csv")
    with pytest.raises(UsageError, match=r"absent\.csv: no such catalogue"):
        rows_of_catalogue(tmp_path / "absent.csv")


@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_names_of_digits_stay_names(tmp_path, ending):
    """A galaxy 007 would lose its profile, and its name in the shards be 7."""
    names = ["007", "1237648720693755918"]
    (tmp_path / "007.prof").write_text("R,SB\n0.5,18.0\n1.0,19.0\n")
    comma = " " if ending == "txt" else ","
    rows = "".join(f"{name}{comma}a.fits\n" for name in names)
    path = tmp_path / f"list.{ending}"
    path.write_text(f"Name{comma}file\n{rows}")
    from_catalogue = rows_of_catalogue(path, profiles=tmp_path)
    assert [row.name for row in from_catalogue] == names
    assert from_catalogue[0].profile is not None


def read(path: Path):
    """A profile with the calibration of these tests."""
    return read_profile(path, zero_point=ZERO_POINT, pixel_scale=SCALE)


def test_autoprof_profile(tmp_path):
    """AutoProf's users could not train; its 99.999 would be taken for a surface brightness."""
    path = tmp_path / "a.prof"
    path.write_text(
        "# comment\nR,SB,SB_e,ellip,pa\narcsec,mag*arcsec^-2,mag*arcsec^-2,unitless,deg\n"
        "0.5,18.0,0.01,0.2,30\n1.0,19.0,0.02,0.3,170\n2.0,99.999,99.999,0.3,40\n4.0,22.0,0.1,0.3,40\n"
    )
    label = read(path)
    np.testing.assert_array_equal(label.mu, [18.0, 19.0, np.nan, 22.0])
    assert label.pa_reference == "+y"
    path.write_text(path.read_text()[:-8])
    with pytest.raises(InputError, match="cut off"):
        read(path)


def test_autoprof_units_in_a_comment(tmp_path):
    """The innermost radius of profiles by today's AutoProf would be lost without a word."""
    path = tmp_path / "a.prof"
    path.write_text("# arcsec,mag*arcsec^-2,unitless,deg\nR,SB,ellip,pa\n0.5,18.0,0.2,30\n1.0,19.0,0.3,170\n")
    np.testing.assert_array_equal(read(path).mu, [18.0, 19.0])


def test_autoprof_intensity_centre_and_text_columns(tmp_path):
    """Profiles in AutoProf's intensity units, or with its column of sampling methods, could not be read."""
    path = tmp_path / "a.prof"
    path.write_text(
        "R,I,I_e,ellip,pa,sampling_method\narcsec,flux*arcsec^-2,flux*arcsec^-2,unitless,deg,none\n"
        "0.5,100.0,1.0,0.2,30,lanczos\n1.0,10.0,1.0,0.3,40,band\n2.0,-0.5,1.0,0.3,40,band\n"
    )
    (tmp_path / "a.aux").write_text("written on: today\ncenter x: 31.25 pix, y: 33.50 pix\nchecks passed\n")
    label = read(path)
    np.testing.assert_allclose(label.mu, [17.5, 20.0])
    np.testing.assert_allclose(label.mu_err, 1.0857 * np.array([0.01, 0.1]), rtol=1e-3)
    assert (label.x0, label.y0) == (31.25, 33.5)


def write_frame(path: Path, *, ra: float, band: str, seed: int) -> Path:
    """A frame of 200 x 200 pixels of sky about (ra, 2 degrees) with a galaxy in its middle."""
    frame = np.random.default_rng(seed).normal(0, 0.02, (200, 200)).astype(np.float32)
    frame[68:132, 68:132] += galaxy_pixels(seed=seed)
    step = SCALE / 3600.0
    wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra, "CRVAL2": 2.0, "CRPIX1": 100.5, "CRPIX2": 100.5}
    return write_fits(path, frame, **wcs, CD1_1=-step, CD2_2=step, FILTER=band)


def test_positions_are_found_on_frames(tmp_path):
    """Users with frames and a list of positions would have to find out themselves which galaxy is on which frame."""
    for band, seed in (("g", 3), ("r", 4)):
        write_frame(tmp_path / "sky" / f"a-{band}.fits", ra=150.0, band=band, seed=seed)
    write_frame(tmp_path / "sky" / "b-r.fits", ra=150.02, band="r", seed=5)  # overlaps field a by half
    write_fits(tmp_path / "sky" / "flat.fits")
    (tmp_path / "sbs").mkdir()
    for stem in ("one-g", "one-r", "two"):
        np.savetxt(tmp_path / "sbs" / f"{stem}.txt", 18.0 + 0.2 * np.arange(30))
    table = Table(
        {"Name": ["one", "two", "far", "odd"], "RA": ["10:00:00", "150.02", "12.0", "east"], "Dec": [2.0] * 4}
    )
    table.write(tmp_path / "list.csv")
    out = tmp_path / "out"
    arguments = [str(tmp_path / "sky"), "--catalogue", str(tmp_path / "list.csv"), "--profiles", str(tmp_path / "sbs")]
    result = CliRunner().invoke(main, [*arguments, "--size", "64", "-o", str(out)])
    assert result.exit_code == 1, result.output
    galaxies = packed(out)
    assert set(galaxies) == {"one g", "one r", "two r"}
    assert "a-r.fits" in galaxies["one r"].origin and "b-r.fits" in galaxies["two r"].origin
    for galaxy in galaxies.values():
        peak = np.unravel_index(np.nanargmax(galaxy.image), galaxy.image.shape)
        assert np.hypot(peak[0] - 32, peak[1] - 32) < 3
    assert "flat.fits: has no celestial WCS" in result.stderr
    assert "1  no frame shows RA ..., Dec ..." in result.stderr
    assert "not a position" in result.stderr


def test_positions_in_other_units(tmp_path):
    """A column of right ascensions in hours would be read as degrees: no galaxy where it is looked for."""
    from p2p_keras.data.packing.rows import read_catalogue

    table = QTable({"ra": [10.0] * u.hourangle, "dec": [120.0] * u.arcmin})
    table.write(tmp_path / "list.ecsv")
    (row,), _ = read_catalogue(tmp_path / "list.ecsv")
    assert (row.ra, row.dec) == pytest.approx((150.0, 2.0))
    assert row.name == "J150.00000+2.00000"


@pytest.mark.parametrize("ending", [".csv", ".ecsv", ".fits", ".vot", ".txt"])
def test_catalogues_in_many_formats(tmp_path, ending):
    """Catalogues would have to be converted by hand; bytes of FITS tables would become names like b'one'."""
    table = Table({"file": ["one.fits"], "name": ["one"], "zp": [25.0], "filter": ["i"], "redshift": [0.1]})
    path = tmp_path / f"list{ending}"
    form = {".txt": "ascii", ".vot": "votable"}.get(ending)
    table.write(path, format=form) if form else table.write(path)
    (row,) = rows_of_catalogue(path, folder=tmp_path)
    assert (row.name, row.band, row.zero_point, row.redshift) == ("one", "i", 25.0, pytest.approx(0.1))
    assert row.image == str(tmp_path / "one.fits")


def test_total_magnitude_comes_along(tmp_path):
    """`mag_total` of profiles that predict wrote would be lost."""
    write_fits(tmp_path / "a.fits")
    table = QTable({"sma": [0.4, 2.0, 8.0], "mu": [18.0, 20.0, 23.0]})
    table.meta.update(mag_total=15.5)
    table.write(tmp_path / "a.ecsv")
    pack_rows(rows_of_images([tmp_path / "a.fits"]), tmp_path / "out")
    (galaxy,) = packed(tmp_path / "out").values()
    assert galaxy.mag_total == pytest.approx(15.5)


def test_same_shards_whatever_the_workers(paper, tmp_path):
    """Data packed on another machine would differ, or rows go into the wrong shard."""
    rows = rows_of_paper_layout(paper)
    for workers in (1, 2):
        pack_rows(rows, tmp_path / str(workers), workers=workers, images_per_shard=2, fractions={"train": 1.0})
    one, two = ([path.read_bytes() for path in find_shards(tmp_path / name)] for name in ("1", "2"))
    assert len(one) == 3 and one == two


def test_photutils_table(tmp_path):
    """Isophotes of photutils would have a wrong zero point or radius."""
    path = tmp_path / "a.ecsv"
    table = {"sma": [0.0, 5.0, 10.0], "intens": [9.0, 4.0, 1.0], "intens_err": [0.0, 0.1, 0.1], "pa": [0.0, 20.0, 21.0]}
    QTable(table | {"ellipticity": [0.0, 0.3, 0.4], "x0": [31.0] * 3, "y0": [33.0] * 3}).write(path)
    label = read(path)
    np.testing.assert_allclose(label.sma, [2.0, 4.0])
    np.testing.assert_allclose(label.mu, units.mu_from_intensity(np.array([4.0, 1.0]), ZERO_POINT, SCALE))
    np.testing.assert_allclose(label.mu_err, 1.0857 * np.array([0.025, 0.1]), rtol=1e-3)
    assert (label.x0, label.y0) == (31.0, 33.0)


def test_a_table_of_something_else(tmp_path):
    """A wrong file would be packed as a profile."""
    QTable({"wavelength": [1.0, 2.0]}).write(tmp_path / "a.ecsv")
    with pytest.raises(InputError, match=r"not a profile of a known kind.*wavelength"):
        read(tmp_path / "a.ecsv")


def test_position_angles_from_north_become_angles_from_x(tmp_path):
    """Profiles written by predict for images with a WCS would be turned."""
    wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 32.0, "CRPIX2": 34.0}
    step = SCALE / 3600.0
    for turn in (0.0, 35.0):
        cos, sin = np.cos(np.deg2rad(turn)) * step, np.sin(np.deg2rad(turn)) * step
        cards = wcs | {"CD1_1": -cos, "CD1_2": sin, "CD2_1": sin, "CD2_2": cos}
        write_fits(tmp_path / f"g{turn:.0f}.fits", **cards)
        from p2p_keras.images import read_image

        sky = read_image(tmp_path / f"g{turn:.0f}.fits").pa_to_sky(20.0, 31.0, 33.0)
        table = QTable({"sma": [0.4, 2.0, 8.0], "mu": [18.0, 20.0, 23.0], "ellipticity": [0.4] * 3, "pa": [sky] * 3})
        table.meta.update(pa_reference="north", x0=31.0, y0=33.0)
        table.write(tmp_path / f"g{turn:.0f}.ecsv")
    pack_rows(rows_of_images([tmp_path / "g0.fits", tmp_path / "g35.fits"]), tmp_path / "out")
    for galaxy in packed(tmp_path / "out").values():
        np.testing.assert_allclose(galaxy.pa, 20.0, atol=0.01)
        assert (galaxy.x0, galaxy.y0) == (31.0, 33.0)


def test_measured_label_is_right(tmp_path):
    """Labels made by --measure would teach wrong profiles: intensity, ellipse, centre, sky against what was put in."""
    write_fits(tmp_path / "disc-r.fits")
    report = pack_rows(rows_of_images([tmp_path / "disc-r.fits"]), tmp_path / "out", measure=True)
    assert report.failures == []
    galaxy = packed(tmp_path / "out")["disc r"]
    middle = (galaxy.sma > 1.6) & (galaxy.sma < 8.0)
    truth = units.mu_from_intensity(10 * np.exp(-galaxy.sma / SCALE / 5.0), ZERO_POINT, SCALE)
    assert np.max(np.abs(galaxy.mu - truth)[middle]) < 0.05
    assert np.median(galaxy.ellipticity[middle]) == pytest.approx(0.4, abs=0.02)
    assert np.median(galaxy.pa[middle]) == pytest.approx(20.0, abs=1.5)
    assert (galaxy.x0, galaxy.y0) == pytest.approx((31.0, 33.0), abs=0.2)
    assert galaxy.sky == pytest.approx(0.1, abs=0.03)


def test_nothing_to_measure_is_reported(tmp_path):
    """Blank sky would become a galaxy."""
    write_fits(tmp_path / "sky.fits", np.random.default_rng(3).normal(0, 1, (80, 80)).astype(np.float32))
    report = pack_rows(rows_of_images([tmp_path / "sky.fits"]), tmp_path / "out", measure=True)
    assert "source" in causes(report)["sky"]


def test_shards_of_another_run_are_not_touched(paper, tmp_path):
    """A finished data set would be overwritten by a typing error."""
    out = tmp_path / "out"
    pack_rows(rows_of_paper_layout(paper), out)
    before = {path: path.read_bytes() for path in find_shards(out)}
    with pytest.raises(UsageError, match="already; give an empty folder, or --overwrite"):
        pack_rows(rows_of_paper_layout(paper)[:2], out)
    assert {path: path.read_bytes() for path in find_shards(out)} == before
    pack_rows(rows_of_paper_layout(paper)[:2], out, overwrite=True)
    assert len(packed(out)) == 2


def test_a_full_disk_keeps_finished_shards_and_the_run_goes_on(paper, tmp_path):
    """Hours of measuring would be lost when the disk is full."""
    out = tmp_path / "small"
    out.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(out)], capture_output=True)
    if mount.returncode:
        pytest.skip("may not mount a small file system here")
    rows = rows_of_paper_layout(paper)
    options = {"images_per_shard": 2, "fractions": {"train": 1.0}}
    try:
        with pytest.raises(ShardWriteError, match="No space left on device; finished shards are kept"):
            pack_rows(rows, out, **options)
        finished = {path: path.stat().st_mtime_ns for path in find_shards(out)}
        assert 1 <= len(finished) < 3
        assert find_damage(finished) is None
        subprocess.run(["mount", "-o", "remount,size=2m", str(out)], check=True)
        report = pack_rows(rows, out, **options)
        assert report.manifest.counts == {"train": 6}
        assert {path: path.stat().st_mtime_ns for path in finished} == finished
    finally:
        subprocess.run(["umount", "-l", str(out)], check=True)


def test_wrong_usage_gives_an_error(paper, tmp_path):
    """A command without images would do nothing and say nothing."""
    for arguments in ([], ["--layout", str(tmp_path)], ["--layout", str(paper), "--split", "train=2"]):
        result = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "out")])
        assert result.exit_code == 2, result.output
    assert not (tmp_path / "out").exists()


def test_real_galaxies_with_profiles_of_their_own(real_data, tmp_path):
    """Real headers and whole frames would not go through pack."""
    galaxies = real_data / "galaxies"
    for name in ("ngc4467-g.fits", "spiral-j0151-r.fits", "ic3478-r.fits.gz"):
        shutil.copy(galaxies / name, tmp_path / name)
        np.savetxt(tmp_path / f"{name.partition('.')[0]}.txt", 19 + 0.05 * np.arange(60))
    report = pack_rows(rows_of_images([tmp_path]), tmp_path / "out")
    assert set(packed(tmp_path / "out")) == {"ngc4467 g", "spiral-j0151 r"}
    assert "--zero-point" in causes(report)["ic3478"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--measure", "IMAGE"], "own"),
        (["IMAGE", "--measure"], "own"),
        (["--measure", "photutils", "IMAGE"], "photutils"),
        (["IMAGE", "--measure", "--output-first"], "own"),
    ],
)
def test_measure_stands_alone_or_with_a_method(arguments, expected, tmp_path, monkeypatch):
    """`pack --measure galaxies/` would take the folder for a method, or --measure photutils for a file."""
    from click.testing import CliRunner

    from p2p_keras.data import packing
    from p2p_keras.pack import main

    asked = {}

    def pack_rows(rows, output, **options):
        asked.update(options)
        raise SystemExit(0)

    image = tmp_path / "NGC1-r.fits"
    image.write_bytes(b"")
    monkeypatch.setattr(packing, "pack_rows", pack_rows)
    words = [str(image) if word == "IMAGE" else word for word in arguments if word != "--output-first"]
    run = CliRunner().invoke(main, [*words, "--output", str(tmp_path / "out")])
    assert run.exit_code == 0, run.output
    assert asked["measure"] == expected
    assert asked["workers"] >= 1
