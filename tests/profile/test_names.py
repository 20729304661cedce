"""Names and paths of galaxies in any alphabet, and names of digits, through every file that we write."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

from p2p_keras.core.errors import InputError
from p2p_keras.images import GalaxyImage
from p2p_keras.measure.outputs.colours import ColourWriter, read_colours
from p2p_keras.measure.outputs.images import write_model_image
from p2p_keras.measure.outputs.summary import SummaryWriter, read_summary
from p2p_keras.profile.painting import paint
from p2p_keras.profile.tables.files import FORMATS, TABLE_FORMATS, ProfileWriter, read_profiles, write_profiles
from p2p_keras.profile.tables.measured import table_of_columns

ALPHABETS = ["josé", "Ångström 3", "галактика", "星雲", "大熊座 𠮷", "سديم", "e\u0301ta", "ngc 1 🌌"]
DIGITS = ["1237648720693755918", "12376487206937559181", "007", "1e5", "0x1f", "-1", "1_000", "٣٤", "0.50"]
WORDS = ["nan", "inf", "None", "True", "null", "~", "--", "N/A"]
SIGNS = ["#1", 'a"b', "a'b", "a,b", "a b", "a\\b", "C:\\new\\x41", "x: y", "%ECSV", "{a}", "- b", "a&b", ": NaN, x"]
NAMES = [*ALPHABETS, *DIGITS, *WORDS, *SIGNS]


def named(name, rows=3):
    columns = {key: np.linspace(1.0, 3.0, rows) for key in ("sma", "mu", "mu_err", "pa", "growth")}
    profile = table_of_columns(columns | {"ellipticity": np.full(rows, 0.3)})
    profile.meta.update(name=name, band="r", source=f"/home/{name}/{name}.fits", flags=["low_snr"], quality=1)
    profile.meta.update(x0=20.0, y0=20.0, pixel_scale=0.4, zero_point=22.5, mag_total=18.0, sky=0.0)
    profile.meta.update(model="isophote", model_version="3", x_offset=0, y_offset=0)
    return profile


@pytest.fixture
def folder(tmp_path):
    """A home like many have."""
    home = tmp_path / "Пользователь José 𠮷"
    home.mkdir()
    return home


@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_names_of_one_table_come_back(ending, folder):
    """A table of galaxies below /home/josé/ couldn't be read back, or a galaxy's rows would be gone."""
    path = folder / f"profils d'été.{ending}"
    write_profiles([named(name, rows=1 + i % 3) for i, name in enumerate(NAMES)], path)
    back = read_profiles(path)
    assert [profile.meta["name"] for profile in back] == NAMES
    assert [len(profile) for profile in back] == [1 + i % 3 for i in range(len(NAMES))]
    if ending != "csv":
        assert [profile.meta["source"] for profile in back] == [f"/home/{name}/{name}.fits" for name in NAMES]
        assert {profile.meta["model_version"] for profile in back} == {"3"}


@pytest.mark.parametrize("ending", FORMATS)
def test_a_name_comes_back_alone(ending, folder):
    """A galaxy called 1237648720693755918 would come back as 1.2376e+18, 007 as 7, josé not at all."""
    path = folder / f"alone.{ending}"
    for name in NAMES:
        write_profiles([named(name)], path)
        [back] = read_profiles(path)
        assert (back.meta["name"], len(back)) == (name, 3)


@pytest.mark.parametrize("ending", ["fits", "ecsv", "csv"])
def test_other_programs_read_our_tables(ending, folder):
    """A script that reads the table by astropy alone would fail for a name in another alphabet."""
    path = folder / f"out.{ending}"
    write_profiles([named(name) for name in ALPHABETS], path)
    if ending == "fits":
        with fits.open(path) as file:
            file.verify("exception")
            names = [str(name) for name in file["GALAXIES"].data["name"]]
            assert names == [name.encode("unicode_escape").decode() for name in ALPHABETS]
            assert len(set(file["PROFILES"].data["name"])) == len(ALPHABETS)
    else:
        assert list(dict.fromkeys(QTable.read(path)["name"])) == ALPHABETS


@pytest.mark.parametrize("ending", FORMATS)
def test_a_folder_is_resumed(ending, folder):
    """--resume would measure every galaxy with é or only digits in its name or path again, as NAME_2."""
    names = [*ALPHABETS, *DIGITS, *SIGNS]
    sources = {name: str(folder / "raw  data" / f"{name}.fits") for name in names}
    with ProfileWriter(folder / "out", ending) as writer:
        for name, source in sources.items():
            profile = named(name)
            profile.meta["source"] = source
            writer.add(profile)
    with ProfileWriter(folder / "out", ending, resume=True) as writer:
        assert writer.kept == len(names)
        for name, source in sources.items():
            assert writer.holds(source, name), name
            assert ending == "csv" or not writer.holds(str(folder / "other" / f"{name}.fits"), name)


@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_a_table_is_resumed(ending, folder):
    """--resume of one table would measure such galaxies again, or lose the names of those it has."""
    path = folder / f"out.{ending}"
    write_profiles([named(name) for name in NAMES], path)
    with ProfileWriter(path, resume=True) as writer:
        assert all(writer.holds(f"/home/{name}/{name}.fits", name) for name in NAMES)
        writer.add(named("new"))
    assert [profile.meta["name"] for profile in read_profiles(path)] == [*NAMES, "new"]


@pytest.mark.parametrize("ending", FORMATS)
def test_a_path_that_is_not_utf8_is_no_crash(ending, folder):
    """A file name of an old disk, in Latin-1, would stop the run at its table."""
    profile = named(b"caf\xe9".decode("utf-8", "surrogateescape"))
    write_profiles([profile], folder / f"out.{ending}")
    [back] = read_profiles(folder / f"out.{ending}")
    assert back.meta["name"] == "caf\\udce9"
    with ProfileWriter(folder / "files", ending) as writer:
        writer.add(profile)
    with ProfileWriter(folder / "files", ending, resume=True) as writer:
        assert writer.holds(profile.meta["source"], profile.meta["name"])


@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_names_of_a_summary_come_back(ending, folder):
    """The summary of a sample by SDSS identifiers would have them rounded, or not be written for a path with é."""
    path = folder / f"summary.{ending}"
    for names in (NAMES, DIGITS):
        path.unlink(missing_ok=True)
        for part in (names[:3], names[3:]):
            writer = SummaryWriter(path, resume=True)
            for name in part:
                writer.add(named(name))
            writer.close()
        assert [str(name) for name in read_summary(path)["name"]] == names
        assert [str(name) for name in read_summary(path)["source"]] == [f"/home/{name}/{name}.fits" for name in names]


@pytest.mark.parametrize("ending", TABLE_FORMATS)
def test_names_of_colours_come_back(ending, folder):
    """Colours would be lost to the galaxies they belong to."""
    for names in (NAMES, DIGITS):
        with ProfileWriter(folder / f"{len(names)}.{ending}") as profiles:
            writer = ColourWriter(profiles)
            for name in names:
                table = QTable({"sma": np.arange(1.0, 4.0), "g-r": np.ones(3)}, units={"sma": "arcsec", "g-r": "mag"})
                table.meta["name"] = name
                writer.add(table)
            writer.close()
        assert [name for name, _ in read_colours(writer.output)] == names


@pytest.mark.parametrize("name", [*ALPHABETS, "a" * 90])
def test_a_model_image_has_its_galaxys_name(name, folder):
    """--model-image would stop at a galaxy whose name FITS headers can't hold."""
    image = GalaxyImage.from_array(np.arange(60.0 * 60).reshape(60, 60), zero_point=22.5, pixel_scale=0.4, band="é")
    profile = named(name)
    write_model_image(image, profile, paint(profile, image), folder / "m.fits")
    with fits.open(folder / "m.fits") as file:
        object_name = file["MODEL"].header["OBJECT"]
    assert name.encode("unicode_escape").decode().startswith(object_name[:50])


def test_rows_that_no_galaxy_owns_are_refused(folder):
    """A galaxy whose rows bear another name than its meta would come back empty, as if it had no profile."""
    path = folder / "out.ecsv"
    write_profiles([named("one"), named("two")], path)
    path.write_text(path.read_text().replace("\ntwo ", "\ntvo "))
    with pytest.raises(InputError, match="tvo"):
        read_profiles(path)


def test_units_of_another_quantity_are_refused(folder):
    """A table in other units than a profile's would end in a traceback of astropy's."""
    table = Table({"sma": [1.0, 2.0], "mu": [20.0, 21.0]}, units={"sma": "pix"})
    table.write(folder / "out.ecsv")
    with pytest.raises(InputError, match=r"out\.ecsv"):
        read_profiles(folder / "out.ecsv")
