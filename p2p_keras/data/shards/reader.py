"""Read the galaxies of shards; a damaged record is named with its file and record number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from p2p_keras.core.errors import InputError
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.shards.schema import decode_example
from p2p_keras.data.shards.tfrecord import read_records

__all__ = ["read_shards", "find_damage"]


def read_shards(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> Iterator[LabelledGalaxy]:
    """Yield the galaxies of one or several shards, in their order.

    Parameters
    ----------
    paths : path or iterable of paths

    Raises
    ------
    InputError
        Names the file and the number (from 0) of the first record that can't be used.
    """
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        for number, record in enumerate(read_records(path)):
            yield decode_example(record, f"{path}: record {number}")


def find_damage(paths: Iterable[str | os.PathLike]) -> InputError | None:
    """Read all records, and return the first error.

    A training run whose input stops with a bare "corrupted record" calls it to name the file.

    Parameters
    ----------
    paths : iterable of paths

    Returns
    -------
    InputError or None
        None if no record is damaged.
    """
    try:
        for _ in read_shards(paths):
            pass
    except InputError as error:
        return error
    return None
