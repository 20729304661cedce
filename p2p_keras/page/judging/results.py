"""Any table of ours as one to sort: a row per galaxy, with its profile where the file has it, and its image."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.images.cutout import MIN_SIDE
from p2p_keras.images.inputs import is_fits_name
from p2p_keras.images.reading import read_image
from p2p_keras.measure.outputs.gallery import number_in
from p2p_keras.measure.outputs.summary import read_summary
from p2p_keras.page.judging.kinds import is_survey
from p2p_keras.profile.tables.measured import table_of_columns
from p2p_keras.profile.tables.reading import open_profiles
from p2p_keras.profile.tables.text import joined

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage
    from p2p_keras.page.places import Places

__all__ = ["Results", "image_of", "results_of", "open_results"]

FIRST = (
    "name", "band", "quality", "p_bad", "flags", "mag_total", "r50", "r90", "concentration", "extent", "sersic_n",
    "ra", "dec", "redshift",
)  # fmt: skip
"""Columns that a reader looks for first."""

_SURROUNDINGS = 3.4
_LARGEST = 1024
_HDU = re.compile(r"HDU (\d+)(?:.*plane (\d+))?")


class Results:
    """A run's result.

    Parameters
    ----------
    path : Path or None
        Of the file or folder; None for a table that is none.
    frame : pandas.DataFrame
        A row per galaxy (and band), columns of numbers and text.
    profile_of : callable
        Of a row's number: its profile; None where the table has none.
    """

    def __init__(self, path: Path | None, frame: pd.DataFrame, profile_of: Callable[[int], QTable] | None) -> None:
        self.path = path
        first = [name for name in FIRST if name in frame]
        self.frame = frame[first + [name for name in frame if name not in first]]
        self._profile_of = profile_of

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def numbers(self) -> list[str]:
        """Columns of numbers of which some are finite and not all are the same."""
        names = []
        for name in self.frame.columns:
            if pd.api.types.is_numeric_dtype(self.frame[name]) and self.frame[name].nunique() > 1:
                names.append(name)
        return names

    def profile(self, number: int) -> QTable:
        """The profile of a row; one without radii where the table has none, its meta being the row."""
        if self._profile_of is not None:
            return self._profile_of(number)
        empty = table_of_columns({name: np.empty(0) for name in ("sma", "mu", "ellipticity", "pa", "growth")})
        row = self.frame.iloc[number].to_dict()
        empty.meta.update({key: value for key, value in row.items() if not _missing(value)})
        empty.meta["flags"] = str(empty.meta.get("flags", "")).split()
        empty.meta["notes"] = []
        return empty

    def image_path(self, number: int, places: Places) -> Path:
        """The image of a row: where the run found it, or under its name in the folders of the page.

        Raises
        ------
        InputError
            It isn't there, or may not be opened.
        """
        source = str(self.frame["source"].iloc[number]) if "source" in self.frame else ""
        if not source:
            raise InputError("the table", "it doesn't say which image a galaxy is from (no column source)")
        beside = [str(self.path.parent / source)] if self.path is not None else []
        for name in (source, *beside, Path(source).name):
            try:
                return places.path_of(name)
            except P2PError:
                continue
        return places.path_of(source)

    def image(self, number: int, places: Places) -> GalaxyImage:
        """The galaxy with its surroundings, cut from its image.

        Raises
        ------
        InputError
            As `image_path`, or the image can't be read.
        """
        return image_of(self.frame.iloc[number], self.image_path(number, places))

    def sources(self) -> list[str]:
        """Images that the table names."""
        named = {path for path in self.frame.get("source", []) if is_fits_name(str(path))}
        if self.path is not None:
            named |= {str(self.path.parent / path) for path in named if not Path(path).is_absolute()}
        return sorted(named)


def image_of(meta: Any, path: Path, **options: Any) -> GalaxyImage:
    """A measured galaxy with its surroundings, cut from its image again.

    Parameters
    ----------
    meta : mapping
        Of its profile, or a row of a table.
    path : Path
        Of the image.
    **options
        As `p2p_keras.images.read_image` takes them; they go before what `meta` says.

    Raises
    ------
    InputError
        It can't be read.
    """
    scale, extent = number_in(meta, "pixel_scale"), number_in(meta, "extent")
    known: dict[str, Any] = hdu_of(str(meta.get("hdu", "")))
    known |= {key: number_in(meta, key) for key in ("zero_point", "pixel_scale") if np.isfinite(number_in(meta, key))}
    x, y = number_in(meta, "x0"), number_in(meta, "y0")
    if np.isfinite([x, y]).all():
        side = _SURROUNDINGS * extent / scale if scale > 0 and np.isfinite(extent) else 128.0
        known |= {"x": x, "y": y, "size": int(np.clip(round(side), MIN_SIDE, _LARGEST))}
    return read_image(path, **({"companions": False} | known | options))


def results_of(table: Any, path: Path | None = None) -> Results:
    """Results that are no file: profiles, or a table with a row per galaxy.

    Parameters
    ----------
    table : list of QTable, astropy Table or pandas DataFrame
    path : Path, optional
        The file that it was read from.

    Raises
    ------
    InputError
        It has no names of galaxies.
    """
    if isinstance(table, (list, tuple)):
        profiles = list(table)
        rows = [_row(profile.meta) for profile in profiles]
        return Results(path, _tidy(pd.DataFrame(rows)), lambda number: profiles[number])
    frame = table.copy() if isinstance(table, pd.DataFrame) else _frame_of(table)
    if "name" not in frame and "id" not in frame:
        raise InputError(path or "the table", "it has neither profiles nor a column name")
    return Results(path, _tidy(frame.rename(columns={"id": "name"})), None)


def open_results(path: Path) -> Results:
    """Open a table of profiles, a summary, a folder of profiles, or a survey's result.

    Raises
    ------
    InputError
        It is none of these.
    """
    if path.is_dir():
        if is_survey(path):
            return _survey(path)
        stored = open_profiles(path)
        if not stored:
            raise InputError(path, "the folder holds no table of profiles")
        return _profiles(path, stored)
    try:
        return _profiles(path, open_profiles(path))
    except InputError as error:
        if path.suffix.lower() == ".prof":
            raise
        try:
            table = read_summary(path)
        except InputError:
            raise error from None
    return results_of(table, path)


def hdu_of(label: str) -> dict[str, int]:
    """Options ``hdu`` and ``plane`` of an image from what a profile's meta says."""
    match = _HDU.match(label)
    if match is None:
        return {}
    return {"hdu": int(match[1])} | ({"plane": int(match[2])} if match[2] else {})


def _row(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Meta of a profile as values of a table: lists of words become text."""
    return {key: joined(value) if isinstance(value, list) else value for key, value in meta.items()}


def _frame_of(table: Any) -> pd.DataFrame:
    """The columns of an astropy table that hold one value a row, without their units."""
    from astropy import units as u

    columns: dict[str, Any] = {}
    for name in table.colnames:
        column = table[name]
        if np.ndim(column) == 1:
            columns[name] = column.value if isinstance(column, u.Quantity) else np.ma.filled(_floats(column), np.nan)
    return pd.DataFrame(columns)


def _floats(column: Any) -> Any:
    """A column of integers with gaps as floats, since only those have NaN; text with gaps as text."""
    if not np.ma.isMaskedArray(column) or not np.ma.getmaskarray(column).any():
        return np.asarray(column)
    return column.astype(float) if column.dtype.kind in "iubf" else np.asarray(column.filled(""))


def _profiles(path: Path, stored: Sequence[Any]) -> Results:
    metas: list[Mapping[str, Any]] = []
    places: list[tuple[Any, int]] = []
    for file in stored:
        metas += file.metas
        places += [(file, number) for number in range(len(file.metas))]

    def profile_of(number: int) -> QTable:
        file, place = places[number]
        return file.profile(place)

    return Results(path, _tidy(pd.DataFrame([_row(meta) for meta in metas])), profile_of)


def _survey(path: Path) -> Results:
    from p2p_keras.sky_survey.reading import SurveyResult

    survey = SurveyResult(path)
    frame = survey.numbers.to_pandas().rename(columns={"id": "name"})
    return Results(path, _tidy(frame), survey.profile)


def _tidy(frame: pd.DataFrame) -> pd.DataFrame:
    """Plain columns: no units, no bytes, text without missing values; of a table of one column for each place."""
    for name in frame.columns:
        column = frame[name]
        if not pd.api.types.is_numeric_dtype(column):
            frame[name] = [
                value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if _missing(value) else str(value)
                for value in column
            ]
    frame.columns = [str(name) for name in frame.columns]
    return frame.reset_index(drop=True)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))
