"""Profiles to and from files."""

from __future__ import annotations

import os

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

from p2p_keras.core.atomic_files import safe_name
from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.profile.columns import COLUMN_UNITS, META_KEYS
from p2p_keras.profile.tables.files import FORMATS, TABLE_FORMATS, ProfileWriter, read_profiles, write_profiles
from p2p_keras.profile.tables.measured import MeasuredProfile
from p2p_keras.profile.tables.meta_table import meta_table


def a_profile(name, rows=5, seed=0, flags=()):
    rng = np.random.default_rng(seed)
    table = QTable({key: u.Quantity(np.sort(rng.uniform(1, 9, rows)), unit) for key, unit in COLUMN_UNITS.items()})
    table["ellipticity"] = np.asarray(rng.uniform(0, 1, rows))
    table.meta.update({key: float(rng.normal()) for key in META_KEYS})
    table.meta["notes"] = ["the zero point is a Vega magnitude (2MASS), and so is mu", "a second one"]
    table.meta.update(name=name, band="r", source=f"{name}.fits", flags=list(flags), quality=1, x_offset=3, y_offset=0)
    table.meta.update(
        pa_reference="north", model="isophote", model_version="1", software_version="0.1", ra=float("nan")
    )
    return table


def assert_same(a, b, *, meta=True):
    assert a.colnames == b.colnames
    for name, unit in COLUMN_UNITS.items():
        assert u.Unit(a[name].unit or "") == u.Unit(b[name].unit or "") == u.Unit(unit)
        np.testing.assert_array_equal(np.asarray(a[name]), np.asarray(b[name]))
    if meta:
        assert set(b.meta) == set(a.meta)
        for key, value in a.meta.items():
            assert b.meta[key] == value or (value != value and b.meta[key] != b.meta[key]), key
            assert type(b.meta[key]) is type(value), key


@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_one_table_comes_back(ending, tmp_path):
    """Numbers, units or the galaxies' meta would be lost between writing and reading."""
    profiles = [a_profile("a", 5), a_profile("b", 1, 1, ["near_edge", "low_snr"]), a_profile("c", 3, 2)]
    path = tmp_path / f"out.{ending}"
    assert write_profiles(profiles, path) == [path]
    back = read_profiles(path)
    assert [p.meta["name"] for p in back] == ["a", "b", "c"]
    for a, b in zip(profiles, back, strict=True):
        assert_same(a, b, meta=ending != "csv")
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", ["ecsv", "fits", "parquet"])
def test_a_galaxy_without_radii_is_kept(ending, tmp_path):
    """A galaxy that could not be measured would vanish from the table, flags and all."""
    write_profiles([a_profile("a", 0), a_profile("b", 2)], tmp_path / f"out.{ending}")
    back = read_profiles(tmp_path / f"out.{ending}")
    assert [(p.meta["name"], len(p)) for p in back] == [("a", 0), ("b", 2)]


@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_first_column_is_the_name(ending, tmp_path):
    """Scripts that read the table by astropy alone would not find the galaxies."""
    write_profiles([a_profile("a"), a_profile("longer name")], tmp_path / f"out.{ending}")
    if ending == "parquet":  # astropy reads parquet only with pandas
        import pyarrow.parquet

        rows = pyarrow.parquet.read_table(tmp_path / "out.parquet")
        assert rows.column_names == ["name", *COLUMN_UNITS]
        # Where this is missing astropy reads all names first, and warns.
        assert rows.schema.metadata[b"table::len::name"] == b"11"
        return
    kind = {"csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(ending, ending)
    table = Table.read(tmp_path / f"out.{ending}", format=kind, **({"hdu": 1} if ending == "fits" else {}))
    assert table.colnames == ["name", *COLUMN_UNITS]
    assert set(np.asarray(table["name"]).astype(str)) == {"a", "longer name"}
    if ending != "csv":
        assert str(table["mu"].unit) in ("mag / arcsec2", "mag arcsec-2")


def test_folder_gets_a_file_each(tmp_path):
    """The files of a folder could not be read alone, or would lack their meta."""
    profiles = [a_profile("a"), a_profile("b", 7, 1)]
    written = write_profiles(profiles, tmp_path / "new" / "folder")
    assert [p.name for p in written] == ["a.ecsv", "b.ecsv"]
    table = QTable.read(written[1])
    assert_same(profiles[1], table)
    for a, b in zip(profiles, read_profiles(tmp_path / "new" / "folder"), strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("path", ["out.ecsv", "out.parquet", "folder"])
def test_meta_in_yaml_is_read_as_it_was(path, tmp_path):
    """Numbers that JSON and YAML spell differently would come back as text, or text that looks like them as numbers."""
    odd = {
        "small": 1e-05,
        "large": -1e16,
        "none": None,
        "infinite": float("-inf"),
        "text": 'x": NaN, y 1e-05 \U0001f600 \\ud83d "q" Infinity',
        "end": "\\",
        "nested": {"a": [1e-07, float("inf"), True]},
    }
    profile = a_profile("\U0001f52d 007")
    profile.meta.update(odd)
    write_profiles([profile], tmp_path / path)
    [back] = read_profiles(tmp_path / path)
    assert {key: back.meta[key] for key in odd} == odd
    assert {key: type(back.meta[key]) for key in odd} == {key: type(value) for key, value in odd.items()}


@pytest.mark.parametrize("ending", ["ecsv", "parquet"])
def test_a_table_that_astropy_wrote_again_is_read(ending, tmp_path):
    """The meta of galaxies, which we read as JSON, would be lost of a table that astropy changed: it writes YAML."""
    profiles = [a_profile("a 🔭", 4), a_profile("b", 2, 1)]
    ours, theirs = tmp_path / f"ours.{ending}", tmp_path / f"theirs.{ending}"
    write_profiles(profiles, ours)
    QTable.read(ours).write(theirs)
    for a, b, profile in zip(read_profiles(ours), read_profiles(theirs), profiles, strict=True):
        assert_same(profile, a)
        assert_same(profile, b)


@pytest.mark.parametrize("output", ["out.fits", "folder"])
def test_equal_names_are_kept_apart(output, tmp_path):
    """The second ngc1.fits of another folder would overwrite the first."""
    with ProfileWriter(tmp_path / output) as writer:
        names = [writer.add(a_profile(name, 3, seed)) for seed, name in enumerate(["x", "X", "x", "x_2"])]
    assert len({name.casefold() for name in names}) == 4
    assert len(writer.renamed) == 3
    assert {p.meta["name"] for p in read_profiles(tmp_path / output)} == set(names)


def test_replacing_is_noted(tmp_path):
    """Yesterday's results would be overwritten without a word."""
    write_profiles([a_profile("a")], tmp_path / "out.csv")
    with ProfileWriter(tmp_path / "out.csv") as writer:
        writer.add(a_profile("b"))
    assert writer.replaced == [tmp_path / "out.csv"]


def test_interrupt_keeps_what_is_done(tmp_path):
    """Ctrl-C after an hour would lose the hour."""

    def stop_after_one():
        with ProfileWriter(tmp_path / "out.ecsv") as writer:
            writer.add(a_profile("a"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_after_one()
    assert len(read_profiles(tmp_path / "out.ecsv")) == 1


def test_a_failed_write_leaves_no_trace(tmp_path, monkeypatch):
    """A full disk would leave half a table under the final name, or cost what was measured."""
    path = tmp_path / "out.ecsv"
    write_profiles([a_profile("a")], path)
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("p2p_keras.profile.tables.files.os.replace", full)
        with pytest.raises(InputError, match="No space left"):
            write_profiles([a_profile("b")], path)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == [".out.ecsv.spool", "out.ecsv"]
    with pytest.raises(UsageError, match="--resume"):
        ProfileWriter(path)
    with ProfileWriter(path, resume=True) as writer:
        assert writer.kept == 1
    assert [p.meta["name"] for p in read_profiles(path)] == ["b"]
    assert os.listdir(tmp_path) == ["out.ecsv"]


def test_names_cannot_leave_the_folder(tmp_path):
    """A galaxy named ../../x would be written outside the output folder."""
    written = write_profiles([a_profile("../../x"), a_profile("NGC 1/b"), a_profile("..")], tmp_path / "out")
    assert [p.parent for p in written] == [tmp_path / "out"] * 3
    assert [safe_name(n) for n in ("../../x", "NGC 1/b", "..", "NGC-1_r.x")] == ["x", "NGC_1_b", "galaxy", "NGC-1_r.x"]


def test_unknown_endings_and_bad_files(tmp_path):
    """A mistyped output name would make a folder; a foreign file would end in a traceback."""
    with pytest.raises(UsageError, match=r"\.txt"):
        ProfileWriter(tmp_path / "out.txt")
    with pytest.raises(UsageError, match="format"):
        ProfileWriter(tmp_path / "out", "xls")
    for ending in FORMATS:
        (tmp_path / f"bad.{ending}").write_text("nothing of the kind\n")
        with pytest.raises(InputError, match="bad"):
            read_profiles(tmp_path / f"bad.{ending}")
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="file"):
        ProfileWriter(tmp_path / "file" / "out.ecsv")


def test_format_overrides_the_ending(tmp_path):
    """--format would be ignored, in a folder or for a name without an ending."""
    assert [p.name for p in write_profiles([a_profile("a")], tmp_path / "d", "csv")] == ["a.csv"]


@pytest.mark.parametrize("output", ["out.ecsv", "out.fits", "out.csv", "out.parquet", "folder"])
def test_resume_keeps_and_adds(output, tmp_path):
    """A resumed run would measure everything again, or lose what the first one measured."""
    path = tmp_path / output
    write_profiles([a_profile("a", 4), a_profile("b", 0)], path)
    with ProfileWriter(path, resume=True) as writer:
        assert writer.kept == (1 if output == "out.csv" else 2)
        assert writer.holds("a.fits", "a")
        assert not writer.holds("c.fits", "c")
        if output != "out.csv":  # which keeps no source
            assert not writer.holds("elsewhere/a.fits", "a")
        writer.add(a_profile("c", 3, 1))
        elsewhere = a_profile("a", 2, 2)
        elsewhere.meta["source"] = "elsewhere/a.fits"
        writer.add(elsewhere)
    back = {p.meta["name"]: len(p) for p in read_profiles(path)}
    assert {name: back[name] for name in ("a", "c", "a_2")} == {"a": 4, "c": 3, "a_2": 2}
    with ProfileWriter(path, resume=True) as writer:
        assert writer.holds("elsewhere/a.fits", "a")
    assert writer.written == []


@pytest.mark.parametrize("lost", [11, 5 * 8 * len(COLUMN_UNITS), 7 + 5 * 8 * len(COLUMN_UNITS), 1200, 1600])
def test_a_killed_run_goes_on(lost, tmp_path):
    """Power loss after an hour would lose the hour, or leave half a galaxy in the table: its rows, its meta or less."""
    path = tmp_path / "out.fits"
    writer = ProfileWriter(path)
    writer.add(a_profile("a", 4))
    spool = tmp_path / ".out.fits.spool"
    whole = spool.stat().st_size
    writer.add(a_profile("b", 5, 1))
    spool.write_bytes(spool.read_bytes()[: max(whole + 3, spool.stat().st_size - lost)])
    with ProfileWriter(path, resume=True) as writer:
        assert writer.holds("a.fits", "a")
        assert not writer.holds("b.fits", "b")
        writer.add(a_profile("b", 5, 1))
    for a, b in zip([a_profile("a", 4), a_profile("b", 5, 1)], read_profiles(path), strict=True):
        assert_same(a, b)


def test_galaxies_need_not_have_the_same_columns_and_meta(tmp_path):
    """One galaxy with a redshift among others without would spoil the table."""
    far = a_profile("far", 3)
    far["sma_kpc"] = far["sma"].value * u.kpc
    far.meta["redshift"] = 0.1
    for ending in ("ecsv", "fits", "parquet"):
        path = tmp_path / f"out.{ending}"
        write_profiles([a_profile("near", 2), far], path)
        near, back = read_profiles(path)
        assert np.isnan(near["sma_kpc"].value).all()
        assert (back["sma_kpc"] == far["sma_kpc"]).all()
        assert back.meta["redshift"] == 0.1


def test_autoprof_file(tmp_path):
    """AutoProf, and programs that read its files, would not find the columns, or take the angle from another axis."""
    profile = a_profile("a", 4)
    profile.meta.update(pa_reference="north", pa_of_x=100.0, parity=1)
    profile["pa"] = np.array([100.0, 130.0, 10.0, 0.0]) * u.deg
    [path] = write_profiles([profile], tmp_path / "a.prof")
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert lines[:2] == ["R,SB,SB_e,totmag,ellip,pa", "arcsec,mag*arcsec^-2,mag*arcsec^-2,mag,unitless,deg"]
    rows = np.array([[float(cell) for cell in line.split(",")] for line in lines[2:]])
    np.testing.assert_allclose(rows[:, 0], profile["sma"].value, atol=1e-5)
    # 100 degrees east of north is the +x axis: 90 degrees from +y, or -90.
    np.testing.assert_allclose(rows[:, 5] % 180, [90.0, 120.0, 0.0, 170.0], atol=1e-4)
    from p2p_keras.data.packing.profiles import read_profile

    label = read_profile(path, zero_point=22.5, pixel_scale=0.4)
    np.testing.assert_allclose(label.mu, profile["mu"].value, atol=1e-5)
    with ProfileWriter(tmp_path / "two.prof") as writer:
        writer.add(profile)
        with pytest.raises(UsageError, match="one galaxy"):
            writer.add(a_profile("b"))


def test_fits_table_of_galaxies_is_that_of_astropy(tmp_path):
    """A row per galaxy would have other types than the meta, lose what some galaxies lack, or end amid a block."""
    metas = [{"name": f"g{i}", "quality": i, "flags": ["low_snr", "x"][: i % 3], "r50": 0.5 * i} for i in range(2500)]
    for meta in metas[::2]:
        meta |= {"redshift": 0.1, "rows": 3, "used": True, "band": "r"}
    for meta in metas:
        meta["known"] = True
    path = tmp_path / "galaxies.fits"
    write_profiles([MeasuredProfile(meta, {"sma": np.ones(1)}) for meta in metas], path)
    fits.table_to_hdu(meta_table(lambda: metas)).writeto(tmp_path / "expected.fits")
    with fits.open(path) as file, fits.open(tmp_path / "expected.fits") as expected:
        file.verify("exception")
        assert file[2].data.dtype == expected[1].data.dtype
        assert file[2].data.tobytes() == expected[1].data.tobytes()
