"""The one reader of catalogues: the same rows whatever the format, whoever asks."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable, Table

from p2p_keras.core.errors import UsageError
from p2p_keras.data.packing.rows import read_catalogue as read_for_packing
from p2p_keras.images.catalogue import catalogue_inputs, read_catalogue
from p2p_keras.images.catalogue_table import CatalogueTable

NAMES = ["007", "1237648720693755918", "m 31"]


def written(folder, ending):
    table = Table(
        {"OBJID": NAMES, "RA": [10.0, 150.5, 359.9], "Dec": [-5.0, 2.25, 0.0], "zp": [22.5, 25.0, np.nan]},
        units={"RA": "deg", "Dec": "deg"},
    )
    path = folder / f"c{ending}"
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    if ending == ".csv.gz":
        table.write(folder / "c.csv")
        path.write_bytes(gzip.compress((folder / "c.csv").read_bytes()))
    elif ending in (".txt", ".vot"):
        table.write(path, format={".txt": "ascii.basic", ".vot": "votable"}[ending])
    else:
        table.write(path)
    return path


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".ecsv", ".fits", ".fits.gz", ".vot", ".txt", ".parquet"])
def test_the_same_rows_from_every_format(tmp_path, ending):
    """A galaxy called 007 or by nineteen digits would come out under another name, and an empty cell as a value."""
    path = written(tmp_path, ending)
    rows = read_catalogue(path)
    assert [row["name"] for row in rows] == NAMES
    assert [row["ra"] for row in rows] == [10.0, 150.5, 359.9]
    assert [row.get("zero_point") for row in rows] == [22.5, 25.0, None]
    packed, _ = read_for_packing(path)
    assert [(row.name, row.ra, row.dec, row.zero_point) for row in packed] == [
        (row["name"], row["ra"], row["dec"], row.get("zero_point")) for row in rows
    ]


@pytest.mark.parametrize("read", [read_catalogue, lambda path: read_for_packing(path)[0]], ids=["predict", "pack"])
def test_positions_as_text(tmp_path, read):
    """Hours of a right ascension would be taken as degrees, or the minus of -0:30 be lost."""
    path = tmp_path / "c.csv"
    path.write_text("file,ra,dec\na.fits,10:00:00,-0:30:00\nb.fits,10h 2m,+02d\nc.fits,150.5,2\n")
    places = [(row["ra"], row["dec"]) if isinstance(row, dict) else (row.ra, row.dec) for row in read(path)]
    np.testing.assert_allclose(places, [(150.0, -0.5), (150.5, 2.0), (150.5, 2.0)], rtol=1e-12)


def test_pixels_of_sextractor_count_from_one(tmp_path):
    """X_IMAGE would put every target a pixel off, and a catalogue with ALPHA_J2000 beside it be refused row by row."""
    path = tmp_path / "c.csv"
    path.write_text("NUMBER,X_IMAGE,Y_IMAGE,ALPHA_J2000,DELTA_J2000,FILENAME\n1,101.0,51.0,150.0,2.0,a.fits\n")
    ((target,),) = [file.targets for file in catalogue_inputs(path)]
    assert (target.x, target.y, target.ra, target.problem) == (100.0, 50.0, None, "")
    path.write_text("NUMBER,X_IMAGE,Y_IMAGE,ALPHA_J2000,DELTA_J2000\n1,101.0,51.0,150.0,2.0\n")
    ((target,),) = [file.candidates for file in catalogue_inputs(path, ["frame.fits"])]
    assert (target.x, target.ra, target.problem) == (None, 150.0, "")


def test_what_cannot_be_used_names_its_row(tmp_path):
    """One cell would stop the run, or be measured at a wrong place without a word."""
    path = tmp_path / "c.csv"
    path.write_text("name,file,ra,dec,zp\na,a.fits,1,2,bright\nb,b.fits,ten,2,--\n\nc,c.fits,400,95,\nd,d.fits,1\n")
    rows = read_catalogue(path)
    assert [row.get("problem", "") for row in rows] == [
        "zp = 'bright' is not a number",
        "ra = 'ten' is not a position",
        "ra = '400' is not a position; dec = '95' is not a position",
        "",
    ]
    targets = [file.targets[0] for file in catalogue_inputs(path)]
    assert [target.label for target in targets] == [f"row {i} of c.csv" for i in (1, 2, 3, 4)]
    assert "both coordinates" in targets[3].problem
    path.write_text("name,file\na,a.fits\nb,b.fits,c.fits\n")
    with pytest.raises(UsageError, match=r"c\.csv: row 2 has 3 cells, and there are 2 columns"):
        read_catalogue(path)


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("", {}, "it is empty"),
        ("name,file\n", {}, "has no rows"),
        ("name,ra\na,1\n", {}, "none for dec"),
        ("name,file\na,1\n", {"ra": "RAJ2000"}, "has no column 'RAJ2000'; it has name, file"),
        ("name,file\na,1\n", {"colour": "name"}, "there is no 'colour'"),
    ],
)
def test_a_catalogue_that_cannot_be_used_says_why(tmp_path, text, columns, words):
    """A user would see a traceback instead of what to do."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        read_catalogue(path, columns)


def test_z_is_a_redshift_only_where_magnitudes_mean_nothing(tmp_path):
    """`predict` would put galaxies at a redshift of 17, their z magnitude; `pack` lose what its page promises."""
    path = tmp_path / "c.csv"
    path.write_text("file,z\na.fits,0.02\n")
    assert "redshift" not in read_catalogue(path)[0]
    assert read_for_packing(path)[0][0].redshift == 0.02
    assert read_for_packing(path, columns={"redshift": "file"})[0][0].problem == "file = 'a.fits' is not a number"


def test_missing_whole_numbers_of_fits(tmp_path):
    """A masked size would be read as the file's filler, -999 pixels."""
    table = Table({"file": ["a.fits", "b.fits"], "size": np.ma.array([64, 0], mask=[False, True])})
    table["size"].fill_value = -999
    table.write(tmp_path / "c.fits")
    assert [row.get("size") for row in read_catalogue(tmp_path / "c.fits")] == [64, None]


def test_long_catalogues_come_in_pieces(tmp_path, monkeypatch):
    """Rows at the seams would be lost or counted twice, and errors name another row."""
    monkeypatch.setattr("p2p_keras.images.catalogue_sources.ROWS_AT_A_TIME", 4)
    names = [f"g{i}" for i in range(11)]
    QTable({"name": names, "file": names, "ra": np.arange(11.0) * u.deg, "dec": np.arange(11.0) * u.deg}).write(
        tmp_path / "c.fits"
    )
    Table.read(tmp_path / "c.fits").write(tmp_path / "c.csv")
    for path in (tmp_path / "c.fits", tmp_path / "c.csv"):
        pieces = list(CatalogueTable(path).pieces())
        assert [len(piece["row"]) for piece in pieces] == [4, 4, 3]
        assert np.concatenate([piece["row"] for piece in pieces]).tolist() == list(range(11))
        assert np.concatenate([piece["name"] for piece in pieces]).tolist() == names


@pytest.mark.parametrize(("ending", "mark"), [("csv", ";"), ("csv", "\t"), ("tsv", "\t"), ("csv", ",")])
def test_tables_of_spreadsheets(tmp_path, ending, mark):
    """What many countries' spreadsheets call CSV has semicolons, and was said to have no rows."""
    path = tmp_path / f"galaxies.{ending}"
    rows = [("name", "ra", "dec"), ("007", "150.1", "2.2"), ("b", "150.2", "-2.3")]
    path.write_text("".join(mark.join(row) + "\r\n" for row in rows), encoding="utf-8-sig")
    read = read_catalogue(path)
    assert [(row["name"], row["ra"], row["dec"]) for row in read] == [("007", 150.1, 2.2), ("b", 150.2, -2.3)]
