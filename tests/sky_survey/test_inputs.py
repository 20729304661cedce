"""What a survey takes: catalogues of all kinds, frames in folders and stores, and what is wrong with them."""

from __future__ import annotations

import functools
import http.server
import threading

import numpy as np
import pytest
from astropy.table import Table
from inline_engine import InlineEngine

from p2p_keras.core.errors import UsageError
from p2p_keras.images.first_look import side_from_light
from p2p_keras.sky_survey import profiles_of
from p2p_keras.sky_survey.catalogue import Catalogue
from p2p_keras.sky_survey.footprints import SCHEMA, footprints_of
from p2p_keras.sky_survey.frame_index import FrameIndex
from p2p_keras.sky_survey.healpix import FINEST_PARTITION, cells_of, choose_partitions, partition_of
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.plan import _cuts
from p2p_keras.sky_survey.run import run_survey
from p2p_keras.sky_survey.settings import SurveySettings, side_for


@pytest.mark.parametrize("kind", ["csv", "fits", "vot", "hats"])
def test_catalogues_say_the_same_in_every_format(sky, survey, tmp_path, kind):
    """A user's catalogue would have to be converted first, or be read wrongly."""
    path = tmp_path / f"sky.{kind}"
    if kind == "hats":
        # A survey's own result is a HATS catalogue: measured again at its targets.
        rows = list(Catalogue(str(survey), {"ra": "target_ra", "dec": "target_dec"}).pieces())
        names = [name for table in rows for name in table["name"].tolist()]
        assert sorted(names) == sorted(set(sky.table["objid"]) - {"unplaced"})
        return
    sky.table.write(path, **({"format": "votable"} if kind == "vot" else {}))
    (table,) = Catalogue(str(path)).pieces()
    (first,) = Catalogue(str(sky.catalogue)).pieces()
    assert table["name"].tolist() == first["name"].tolist()
    for name in ("ra", "dec", "redshift", "size"):
        np.testing.assert_allclose(table[name], first[name], rtol=1e-13)


@pytest.mark.parametrize("kind", ["csv", "txt"])
def test_names_of_digits_stay_names(tmp_path, kind):
    """The result's rows could not be joined to the catalogue: 007 would be called 7."""
    path = tmp_path / f"digits.{kind}"
    comma = "," if kind == "csv" else " "
    rows = [["mine", "ra", "dec"], ["007", "10.0", "20.0"], ["1237648720693755918", "11.0", "20.0"]]
    path.write_text("".join(comma.join(row) + "\n" for row in rows))
    (table,) = Catalogue(str(path), {"name": "mine"}).pieces()
    assert table["name"].tolist() == ["007", "1237648720693755918"]


def test_a_cell_that_is_no_number_spoils_its_row_only(tmp_path):
    """One typing error in a catalogue of millions would stop it."""
    path = tmp_path / "odd.csv"
    path.write_text("id,ra,dec\na,10.0,20.0\nb,ten,20.0\nc,10.0,95\nd,,\n")
    (table,) = Catalogue(str(path)).pieces()
    assert table["problem"].tolist() == [
        "",
        "ra = 'ten' is not a position",
        "dec = '95' is not a position",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("id,ra\na,1\n", {}, "none for dec"),
        ("id,mag\na,1\n", {}, "it needs the columns ra and dec, or file"),
        ("id,ra,dec\na,1,1\n", {"ra": "RAJ2000"}, "has no column 'RAJ2000'"),
        ("id,ra,dec\na,1,1\n", {"color": "id"}, "there is no 'color'"),
    ],
)
def test_catalogue_that_cannot_be_used_says_why(tmp_path, text, columns, words):
    """A user would see a traceback instead of what to do."""
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        Catalogue(str(path), columns)


def test_index_finds_the_frame_that_shows_a_position_best(sky):
    """Galaxies at a frame's edge would be taken from it though another has them in its middle."""
    place = Place(sky.frames)
    rows = [r for name, size in place.names() for r in footprints_of(place, name, size)]
    import pyarrow as pa

    index = FrameIndex(pa.Table.from_pylist(rows, schema=SCHEMA))
    assert set(index.problems) == {"zz.fits"}
    rng = np.random.default_rng(3)
    ra = np.r_[150.0 + rng.uniform(-0.1, 0.1, 400), 10.0 + rng.uniform(-0.1, 0.1, 200), 359.0]
    dec = np.r_[2.0 + rng.uniform(-0.1, 0.1, 400), -60.0 + rng.uniform(-0.1, 0.1, 200), 89.9]
    margins = []
    for name in index.files:
        pointing = name.partition(".")[0]
        x, y = sky.wcs_of(pointing).all_world2pix(ra, dec, 0)
        near = np.hypot(*(np.array([ra, dec]) - np.array(sky.centre_of(pointing))[:, None])) < 2
        margin = np.min([x + 0.5, sky.side - 0.5 - x, y + 0.5, sky.side - 0.5 - y], axis=0)
        margins.append(np.where(near, margin, -np.inf))
    best, depth = np.argmax(margins, axis=0), np.max(margins, axis=0)
    frames = index.match(ra, dec, ["r"] * len(ra))
    clear = np.abs(depth) > 10
    second = np.maximum(np.sort(margins, axis=0)[-2], -1e9)
    clear &= depth - second > 1.0
    assert np.array_equal(np.where(depth > 0, best, -1)[clear], frames[clear])
    assert (frames[depth < -10] == -1).all() and clear.sum() > 300
    assert (index.match(ra, dec, ["g"] * len(ra)) == -1).all()


def test_partitions_hold_all_rows_and_not_too_many():
    """A partition would have more rows than wanted, or a row no partition."""
    rng = np.random.default_rng(5)
    ra, dec = rng.normal(40, 5, 5000), rng.normal(-10, 5, 5000)
    counts = np.bincount(cells_of(ra, dec, FINEST_PARTITION), minlength=12 * 4**FINEST_PARTITION)
    partitions = choose_partitions(counts, 300)
    cells = cells_of(ra, dec)
    numbers = partition_of(cells, partitions)
    low, high = (np.array([p.cells[i] for p in partitions]) for i in (0, 1))
    assert ((cells >= low[numbers]) & (cells < high[numbers])).all()
    assert np.bincount(numbers).max() <= 300 and len(partitions) < 200


@pytest.mark.parametrize("seed", range(3))
def test_parts_keep_frames_together_and_within_limits(seed):
    """A frame would be read more than once, or a part fill the memory."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 40, 60)
    files = np.repeat([f"f{i}" for i in range(60)], counts).astype(object)
    sides = rng.choice([64.0, 256.0, 2048.0], len(files))
    cuts = list(_cuts(files, sides, 16))
    assert [c[0] for c in cuts[1:]] == [c[1] for c in cuts[:-1]] and cuts[0][0] == 0 and cuts[-1][1] == len(files)
    unit = np.zeros(len(files), int)
    number = -1
    for start, end, same in cuts:
        number += not same
        unit[start:end] = number
        assert end - start <= 16
        assert end - start == 1 or (sides[start:end] ** 2).sum() <= 24e6
    assert all(len(set(unit[files == name])) == 1 for name in set(files))


def test_files_named_by_the_catalogue_with_pixels(sky, tmp_path):
    """One file a galaxy, or pixels in place of positions, would not be possible."""
    table = Table(
        rows=[("a", "east.fits", 60.0, 60.0), ("b", "south.fits.gz", 160.0, 260.0), ("c", "none.fits", 1.0, 1.0)],
        names=["id", "file", "x", "y"],
    )
    table.write(tmp_path / "files.csv")
    settings = SurveySettings(
        str(tmp_path / "files.csv"), str(tmp_path / "out"), str(sky.frames), model=sky.model, size=96
    )
    run_survey(settings, engine=InlineEngine())
    a, b, c = profiles_of(tmp_path / "out", ["a", "b", "c"])
    assert a.meta["x0"] == pytest.approx(60.3, abs=0.7) and b.meta["y0"] == pytest.approx(259.8, abs=0.7)
    x, y = sky.wcs_of("south").all_world2pix(b.meta["target_ra"], b.meta["target_dec"], 0)
    assert (x, y) == (pytest.approx(160.0, abs=0.01), pytest.approx(260.0, abs=0.01))
    assert c.meta["flags"] == ["bad_image"] and "no such file" in c.meta["cause"]


def test_frames_in_a_store(sky, survey, tmp_path):
    """Frames could only be read from this machine's disk."""
    pytest.importorskip("aiohttp")

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=sky.folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        images = f"http://127.0.0.1:{server.server_address[1]}/frames"
        run_survey(sky.settings(tmp_path / "out", images=images), engine=InlineEngine())
    finally:
        server.shutdown()
    ours, theirs = sky.result_of(tmp_path / "out"), sky.result_of(survey)
    assert {n: b for n, b in ours.items() if "Npix" in n} == {n: b for n, b in theirs.items() if "Npix" in n}


def test_another_run_in_the_same_output_is_refused(sky, survey, tmp_path):
    """Results of two settings would be mixed in one data set."""
    with pytest.raises(UsageError, match="another size"):
        run_survey(sky.settings(survey, size=128), engine=InlineEngine())


def test_first_look_follows_the_light():
    """Large galaxies would be cut off, small ones measured in mostly empty cutouts."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:600, :600] - 300.0
    sides = [
        side_from_light(rng.normal(5.0, 0.02, x.shape) + np.exp(-np.hypot(x, y) / scale), 300, 300, 512)
        for scale in (2.0, 6.0, 18.0)
    ]
    assert sides[0] < sides[1] < sides[2]
    # An exponential of scale h falls below half the noise of 0.02 at 4.6 h.
    assert 0.75 < sides[1] / (5.0 * 4.6 * 6.0) < 1.3
    assert side_for(sides[0], 512) < 100
