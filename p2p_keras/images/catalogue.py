"""A catalogue of galaxies -> files and the targets in them; `catalogue_table` says which columns are known.

Extinction is corrected for only where the caller asks for it, by ``extinction_columns`` or by naming the column.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from p2p_keras.core.errors import UsageError
from p2p_keras.images.catalogue_table import COLUMNS, CatalogueTable
from p2p_keras.images.cutout import check_size
from p2p_keras.images.image_options import TargetOptions
from p2p_keras.images.inputs import stem_of
from p2p_keras.images.targets import InputFile, Target, sky_position

__all__ = ["KEYS", "asked_rows", "beside", "catalogue_inputs", "read_catalogue", "target_of"]

KEYS = tuple(key for key in COLUMNS if key not in ("radius", "profile"))
"""What a target can be told by a catalogue."""


def read_catalogue(path: str | os.PathLike[str], columns: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Read a catalogue whole: what each row says, by `KEYS`.

    Parameters
    ----------
    path : path
    columns : mapping of str to str, optional
        Key -> name of its column here, where that isn't one of the known ones.

    Returns
    -------
    list of dict
        A row each; what is masked, empty, infinite or NaN is left out. Columns of files by band (``file_g``,
        ``image_r``) come by their names in lower case. ``"row"`` is the row's number from 1, ``"problem"`` says what
        can't be used of it. ``ra`` and ``dec`` are in degrees, ``size`` is in px.

    Raises
    ------
    UsageError
        It can't be read, has no rows, or lacks a column that was named.
    """
    table = CatalogueTable(path, columns, keys=KEYS, prefixes=("file_", "image_"))
    rows = [row for piece in table.pieces() for row in _rows(piece)]
    if not rows:
        raise UsageError(f"{path}: the catalogue has no rows")
    return rows


def _rows(piece: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    columns = {key: values.tolist() for key, values in piece.items()}
    rows = []
    for i, number in enumerate(columns.pop("row")):
        row = {key: cells[i] for key, cells in columns.items() if cells[i] != "" and cells[i] == cells[i]}
        if "size" in row:
            row["size"] = round(row["size"])
        if row.get("hdu", "").isdecimal():
            row["hdu"] = int(row["hdu"])
        rows.append({"row": number + 1} | row)
    return rows


def catalogue_inputs(
    path: str | os.PathLike[str],
    frames: Sequence[str | os.PathLike[str]] = (),
    columns: Mapping[str, str] | None = None,
    *,
    extinction_columns: bool = False,
    **options: Unpack[TargetOptions],
) -> list[InputFile]:
    """Files with their targets, from a catalogue.

    Parameters
    ----------
    path : path
        The catalogue.
    frames : sequence of path
        Images on which galaxies are looked for by position, where the catalogue has no column of files.
    columns : mapping, optional
        See `read_catalogue`.
    extinction_columns : bool
        Take the catalogue's columns of extinction too; those named in `columns` are taken anyway.
    **options
        Of `p2p_keras.images.image_options.TargetOptions`, for all rows that don't say otherwise.

    Returns
    -------
    list of InputFile
        A file once, with all its galaxies.

    Raises
    ------
    UsageError
        The catalogue can't be used.
    """
    rows = asked_rows(read_catalogue(path, columns), columns, extinction_columns)
    has_place = any({"ra", "dec"} <= row.keys() or {"x", "y"} <= row.keys() for row in rows)
    if any("file" in row for row in rows):
        if frames:
            raise UsageError(f"{path}: the catalogue names its files in a column, so don't give other files")
        by_file: dict[str, list[Target]] = {}
        for row in rows:
            if "file" not in row:
                raise UsageError(f"{path}: row {row['row']} names no file, but other rows do")
            target = target_of(row, path, default_name=_default_name(row, bool(has_place)))
            by_file.setdefault(beside(row["file"], path), []).append(target.or_else(options))
        return [InputFile(file, tuple(targets)) for file, targets in by_file.items()]
    if not frames:
        raise UsageError(
            f"{path}: the catalogue has no column of files ({', '.join(COLUMNS['file'])}): give the images"
        )
    if not has_place:
        raise UsageError(f"{path}: the catalogue needs a column file, or columns ra and dec, or x and y")
    targets = [target_of(row, path, default_name=f"{Path(path).stem}_{row['row']}") for row in rows]
    placed = tuple(
        target
        if target.problem or target.ra is not None or target.x is not None
        else replace(target, problem="has no position")
        for target in (t.or_else(options) for t in targets)
    )
    return [InputFile(os.fspath(frame), None, placed) for frame in frames]


def asked_rows(
    rows: Sequence[dict[str, Any]], columns: Mapping[str, str] | None, extinction_columns: bool
) -> list[dict[str, Any]]:
    """Rows of `read_catalogue`, with columns of extinction only if a correction was asked for.

    Parameters
    ----------
    rows : sequence of dict
    columns : mapping of str to str or None
        Columns that the caller names: those count as asked for.
    extinction_columns : bool
        All of them are asked for.
    """
    unasked = set() if extinction_columns else {"extinction", "ebv"} - set(columns or {})
    return [{key: value for key, value in row.items() if key not in unasked} for row in rows]


def target_of(row: Mapping[str, Any], catalogue: str | os.PathLike[str], default_name: str | None = None) -> Target:
    """The target that a row of `read_catalogue` describes.

    Parameters
    ----------
    row : mapping
    catalogue : path
        The catalogue's own, for the mask's file and for messages.
    default_name : str, optional
        Of a galaxy that the catalogue doesn't name.

    Returns
    -------
    Target
        With its `problem` where the row can't be used, such as half a position; nothing is raised.
    """
    given = {key: row[key] for key in KEYS if key in row and key != "file"}
    if {"ra", "dec", "x", "y"} <= given.keys():  # in its own file the pixel counts, on frames the place on the sky
        for key in ("ra", "dec") if "file" in row else ("x", "y"):
            del given[key]
    if "mask" in given:
        given["mask"] = beside(given["mask"], catalogue)
    given.setdefault("name", default_name)
    problem = row.get("problem", "")
    try:
        position = sky_position(*(given.get(key) for key in ("ra", "dec", "x", "y")))
        if position is not None:
            given["ra"], given["dec"] = position
        check_size(given.get("size"))
    except UsageError as error:
        problem = problem or str(error)
        for key in ("ra", "dec", "x", "y", "size"):
            given.pop(key, None)
    return Target(**given, label=f"row {row['row']} of {Path(catalogue).name}", problem=problem)


def beside(file: str, catalogue: str | os.PathLike[str]) -> str:
    """A file that a catalogue names: looked up from the working folder, then from the catalogue's own.

    Parameters
    ----------
    file : str
        As the catalogue has it; ``~`` is the home folder.
    catalogue : path

    Returns
    -------
    str
        The file, whether it exists or not.
    """
    path = Path(file).expanduser()
    if not path.is_absolute() and not path.exists() and (Path(catalogue).parent / path).exists():
        path = Path(catalogue).parent / path
    return str(path)


def _default_name(row: Mapping[str, Any], has_place: bool) -> str | None:
    stem = stem_of(row["file"])
    return f"{stem}_{row['row']}" if has_place else stem
