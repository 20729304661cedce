"""What a survey writes, as those see it who read it."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from inline_engine import InlineEngine

from p2p_keras.core.errors import InputError
from p2p_keras.measure.predictor import Predictor
from p2p_keras.profile.columns import COLUMN_UNITS
from p2p_keras.sky_survey import profiles_of
from p2p_keras.sky_survey.rows import SCHEMA
from p2p_keras.sky_survey.run import run_survey


def partitions_of(survey):
    return sorted(survey.glob("dataset/**/Npix=*.parquet"))


def test_every_row_is_there_once(sky, survey):
    """Galaxies would be lost, or counted twice."""
    import pyarrow.parquet as pq

    rows = [row for path in partitions_of(survey) for row in pq.ParquetFile(path).read().to_pylist()]
    unplaced = pq.ParquetFile(survey / "without_position.parquet").read().to_pylist()
    assert sorted(row["id"] for row in rows + unplaced) == sorted(sky.table["objid"])
    assert [row["id"] for row in unplaced] == ["unplaced"]
    assert len(partitions_of(survey)) >= 3
    failed = {row["id"]: (row["flags"], row["quality"]) for row in rows + unplaced if row["cause"]}
    assert failed == {"lost": ("no_image", 4), "unplaced": ("bad_row", 4)}
    assert not (survey / "work").exists()


def test_same_as_predict(sky, survey):
    """A galaxy's profile would depend on which program measured it."""
    predictor = Predictor.load(sky.model, threads=1)
    for row in (sky.table[3], sky.table[40]):
        pointing = row["objid"].split("-")[0]
        file = next(sky.frames.glob(f"{pointing}.fits*"))
        (profile,) = profiles_of(survey, row["objid"])
        frame = sky.frames / profile.meta["source"]
        alone = predictor.predict(frame, ra=float(row["ra"]), dec=float(row["dec"]), size=int(row["size"]))
        assert file.name == frame.name or pointing in ("east", "west")
        assert len(profile) == len(alone) > 10
        for name in ("mu", "growth"):
            np.testing.assert_allclose(profile[name].value, alone[name].value, atol=1e-3)
        np.testing.assert_allclose(profile["sma"].value, alone["sma"].value, rtol=1e-5)
        turned = np.abs((profile["pa"].value - alone["pa"].value + 90) % 180 - 90)
        assert turned.max() < 0.05
        assert {name: str(profile[name].unit or "") for name in profile.colnames} == {
            name: str(alone[name].unit or "") for name in alone.colnames
        }
        for key, value in alone.meta.items():
            if isinstance(value, float) and np.isfinite(value):
                assert profile.meta[key] == pytest.approx(value, rel=1e-5, abs=1e-4), key
            elif key not in ("name", "source"):
                assert profile.meta[key] == value or value != value, key


def test_profiles_by_identifier(sky, survey):
    """A user could not get the profiles of the galaxies that a query has found."""
    first, second = profiles_of(survey, ["south-11", "east-00"], band="r")
    assert (first.meta["name"], second.meta["name"]) == ("south-11", "east-00")
    row = sky.table[sky.table["objid"] == "south-11"][0]
    (near,) = profiles_of(survey, "south-11", ra=row["ra"], dec=row["dec"])
    assert near.meta["redshift"] == pytest.approx(row["redshift"])
    (lost,) = profiles_of(survey, "lost")
    assert len(lost) == 0 and lost.meta["flags"] == ["no_image"] and "none of the frames" in lost.meta["cause"]
    with pytest.raises(InputError, match="nobody"):
        profiles_of(survey, "nobody")


def test_units_are_in_the_schema(survey):
    """A reader would have to guess units."""
    import pyarrow.parquet as pq

    schema = pq.ParquetFile(partitions_of(survey)[0]).schema_arrow
    assert schema.names == SCHEMA.names
    units = {field.name: field.metadata[b"unit"].decode() for field in schema}
    assert {name: units[name] for name in COLUMN_UNITS} == COLUMN_UNITS
    assert units["r50"] == "arcsec" and units["ra"] == "deg" and units["mag_total"] == "mag"


def test_pandas_astropy_and_duckdb_read_it(survey):
    """One of the usual readers would fail on the files."""
    import duckdb
    import pandas
    from astropy.table import Table
    from astropy.utils.exceptions import AstropyUserWarning

    path = max(partitions_of(survey), key=lambda path: path.stat().st_size)
    frame = pandas.read_parquet(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstropyUserWarning)  # of texts whose length the file doesn't say
        table = Table.read(path)
    assert len(frame) == len(table) > 0
    good = np.flatnonzero(frame["cause"] == "")
    assert len(frame["mu"].iloc[good[0]]) == len(table["mu"][good[0]]) > 10
    query = f"select count(*), max(len(mu)) from '{survey}/dataset/*/*/*.parquet' where quality < 4"
    ((count, radii),) = duckdb.sql(query).fetchall()
    assert count == 48 and radii > 10


def test_it_is_a_hats_catalogue(sky, survey):
    """LSST's and others' tools could not open it."""
    hats = pytest.importorskip("hats")
    catalog = hats.read_hats(survey)
    assert catalog.catalog_info.total_rows == len(sky.table) - 1
    assert len(catalog.get_healpix_pixels()) == len(partitions_of(survey))
    lsdb = pytest.importorskip("lsdb")
    import dask

    row = sky.table[0]
    with dask.config.set(scheduler="synchronous"):
        galaxies = (
            lsdb.open_catalog(survey, columns=["id", "mag_total"]).cone_search(row["ra"], row["dec"], 3.0).compute()
        )
    assert list(galaxies["id"]) == [row["objid"]]


def test_report_counts_and_map(survey):
    """The end of a long run would not tell what came of it."""
    counts = json.loads((survey / "report" / "report.json").read_text())
    assert (counts["rows"], counts["failed"]) == (50, 2)
    assert counts["flags"]["no_image"] == 1 and counts["this_run"]["rows_per_second"] > 0
    assert "no_image" in (survey / "report" / "report.md").read_text()
    assert (survey / "report" / "sky.png").stat().st_size > 5000


def test_interrupted_run_goes_on_to_the_same_bytes(sky, survey, tmp_path):
    """A run that was stopped would have to be started from nothing, or end with other numbers."""
    output = tmp_path / "result"  # the name is in its properties
    seen = []

    def stop(done, rows, failed, now):
        seen.append(now)
        if now > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_survey(sky.settings(output), engine=InlineEngine(), advance=stop)
    assert not json.loads((output / "manifest.json").read_text())["complete"]
    assert list(output.glob("work/parts/**/*.parquet"))
    again = []
    report = run_survey(
        sky.settings(output), engine=InlineEngine(), advance=lambda done, rows, failed, now: again.append(now)
    )
    assert max(again) == len(sky.table) - seen[-1]
    assert report.rows == len(sky.table)
    assert sky.result_of(output) == sky.result_of(survey)
    assert run_survey(sky.settings(output), engine=InlineEngine()).rows_now == 0


def test_same_as_a_server(sky, survey, request):
    """A galaxy would have one magnitude in the survey's files, and another from the server."""
    pytest.importorskip("tensorflow_serving")
    from p2p_keras.client import ProfileClient
    from p2p_keras.images import read_image

    server = request.getfixturevalue("shipped_server")
    with ProfileClient(server.address, model="isophote", timeout=120) as client:
        for row in sky.table[:48:12]:
            (profile,) = profiles_of(survey, row["objid"])
            place = {"ra": float(row["ra"]), "dec": float(row["dec"]), "size": int(row["size"])}
            served = client.profile(read_image(sky.frames / profile.meta["source"], **place))
            assert len(served) == len(profile) > 10
            np.testing.assert_allclose(profile["mu"].value, served["mu"].value, atol=1e-3)
            assert profile.meta["mag_total"] == pytest.approx(served.meta["mag_total"], abs=1e-3)
