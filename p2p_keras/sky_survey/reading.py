"""Profiles back from a survey's result, by identifier."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset

from p2p_keras.core.errors import InputError
from p2p_keras.sky_survey.healpix import COLUMN, cells_of
from p2p_keras.sky_survey.place import Place
from p2p_keras.sky_survey.rows import SCHEMA, profile_of_row

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["SurveyResult", "profiles_of"]


def profiles_of(
    survey: str | os.PathLike[str],
    identifiers: str | Iterable[str],
    *,
    band: str | None = None,
    ra: float | None = None,
    dec: float | None = None,
) -> list[QTable]:
    """Profiles of galaxies, as `p2p_keras.Predictor.predict` gives them.

    Parameters
    ----------
    survey : path or URL
        Folder that `p2p_keras.survey` wrote.
    identifiers : str or iterable of str
    band : str, optional
        Only this one; default: all that there are.
    ra, dec : float, optional
        Catalogue position in degrees (to some arcsec): then only the file that holds it is read, not all of them.

    Returns
    -------
    list of QTable
        In the order of `identifiers`, a galaxy's bands by name. A galaxy that couldn't be measured has an empty table
        with its flag, and the cause in ``meta["cause"]``.

    Raises
    ------
    InputError
        There is no such survey, or one of the identifiers isn't in it.
    """
    wanted = [identifiers] if isinstance(identifiers, str) else [str(i) for i in identifiers]
    rows_where = pc.field("id").isin(wanted)
    if band is not None:
        rows_where &= pc.field("band") == band
    data = _dataset(survey, ra, dec)
    chosen = data.to_table(filter=rows_where).sort_by(
        [("id", "ascending"), ("band", "ascending"), (COLUMN, "ascending")]
    )
    by_name: dict[str, list[QTable]] = {}
    for row in chosen.to_pylist():
        by_name.setdefault(row["id"], []).append(profile_of_row(row))
    if missing := [name for name in dict.fromkeys(wanted) if name not in by_name]:
        where = f" in band {band}" if band else ""
        raise InputError(survey, f"has no {', '.join(missing[:5])}{where}")
    return [profile for name in wanted for profile in by_name[name]]


class SurveyResult:
    """A survey's result, opened to look at: its numbers at once, its profiles one by one.

    Parameters
    ----------
    survey : path or URL
        Folder that `p2p_keras.survey` wrote.

    Attributes
    ----------
    numbers : pyarrow.Table
        All columns but the profiles, a row per galaxy and band.

    Raises
    ------
    InputError
        It is none.
    """

    def __init__(self, survey: str | os.PathLike[str]) -> None:
        self._data = _dataset(survey)
        self.numbers = self._data.to_table(columns=[f.name for f in SCHEMA if not pa.types.is_list(f.type)])

    def profile(self, number: int) -> QTable:
        """The profile of a row by its place in `numbers`."""
        (row,) = self._data.take([number]).to_pylist()
        return profile_of_row(row)


def _dataset(
    survey: str | os.PathLike[str], ra: float | None = None, dec: float | None = None
) -> pyarrow.dataset.Dataset:
    """The result's files, or those that can hold a position."""
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    place = Place(survey)
    files = [n for n, _ in place.names() if n.endswith(".parquet") and n.startswith(("dataset/Norder", "without_pos"))]
    if not files:
        raise InputError(survey, "not a survey's result: it has no partitions")
    if ra is not None and dec is not None:
        files = _files_at(files, ra, dec)
    return pyarrow.dataset.dataset(
        [place.path(name) for name in files],
        format="parquet",
        filesystem=PyFileSystem(FSSpecHandler(place.files)),
        schema=pa.schema(list(SCHEMA)),
    )


def _files_at(files: list[str], ra: float, dec: float) -> list[str]:
    """Those partitions that can hold a position."""
    kept = []
    for name in files:
        if not name.startswith("dataset/"):
            continue
        order, _, pixel = (part.partition("=")[2] for part in name.removesuffix(".parquet").split("/")[1:])
        if int(pixel) == int(cells_of(ra, dec, int(order))[0]):
            kept.append(name)
    return kept
