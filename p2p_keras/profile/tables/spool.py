"""Galaxies on disk while a run goes on, so that memory stays flat and a killed run loses nothing.

A spool is one file. For each galaxy it has two lines of JSON (its name, columns and number of rows; its meta), then the
columns' values as float64, one column after the other. What a crash leaves half written is cut off when the spool is
opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from p2p_keras.core.errors import InputError

__all__ = ["Spool", "spool_of"]


def spool_of(table: Path) -> Path:
    """Where the galaxies of a table wait until it is written: ``.OUT.spool`` beside it."""
    return table.with_name(f".{table.name}.spool")


class Spool:
    """Appends galaxies to a file and reads them back one by one.

    Parameters
    ----------
    path : path
        Made where missing.
    keep : bool
        Go on with what is there; otherwise it is removed.

    Raises
    ------
    OSError
        The file can't be opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, keep: bool = False) -> None:
        self.path = Path(path)
        self.count = self._end = 0
        self._columns: dict[str, None] = {}
        self._file = open(self.path, "ab")  # noqa: SIM115 - open as long as the spool
        for galaxy in _whole_galaxies(self.path, self._file.tell()) if keep else ():
            self._end, self.count = galaxy.end, self.count + 1
            self._columns.update(dict.fromkeys(galaxy.columns))
        self._cut()

    def add(self, meta: dict[str, Any], columns: dict[str, np.ndarray]) -> None:
        """Append one galaxy; meta in plain values that JSON takes (NaN included).

        Raises
        ------
        InputError
            The disk refuses.
        """
        values = np.array([*columns.values()], dtype="<f8")
        head = [str(meta.get("name", "")), list(columns), values.shape[1]]
        lines = f"{json.dumps(head)}\n{json.dumps(meta)}\n".encode()
        try:
            if self._file.tell() != self._end:
                self._cut()  # an interrupt or a full disk came while an earlier galaxy was written
            self._file.write(lines + values.tobytes())
            self._file.flush()
        except OSError as error:
            raise InputError(self.path, f"can't be written ({error.strerror or error})") from error
        self._end += len(lines) + values.nbytes
        self._columns.update(dict.fromkeys(columns))
        self.count += 1

    def _cut(self) -> None:
        self._file.truncate(self._end)
        self._file.seek(self._end)

    def metas(self) -> Iterator[dict[str, Any]]:
        """Meta of each galaxy, in the order in which they came."""
        return map(json.loads, self.metas_as_json())

    def metas_as_json(self) -> Iterator[str]:
        """The same, each as it stands in the file."""
        return (galaxy.meta.decode() for galaxy in _whole_galaxies(self.path, self._end))

    def rows(self) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        """Name and columns of each galaxy, in the order in which they came; one in memory at a time."""
        with open(self.path, "rb") as file:
            for galaxy in _whole_galaxies(self.path, self._end):
                file.seek(galaxy.end - galaxy.size)
                values = np.frombuffer(file.read(galaxy.size), dtype="<f8").reshape(len(galaxy.columns), -1)
                yield galaxy.name, dict(zip(galaxy.columns, values, strict=True))

    def column_names(self) -> list[str]:
        """Names of the columns that any galaxy has."""
        return list(self._columns)

    def close(self) -> None:
        """Close the file; what was added stays on disk."""
        self._file.close()

    def remove(self) -> None:
        """Close the file and delete it."""
        self.close()
        self.path.unlink(missing_ok=True)


class _Galaxy(NamedTuple):
    """One galaxy of the file: the meta as JSON, and the size and the end of its values, in bytes."""

    name: str
    columns: list[str]
    meta: bytes
    size: int
    end: int


def _whole_galaxies(path: Path, size: int) -> Iterator[_Galaxy]:
    """The galaxies that are whole within so many bytes of the file."""
    with open(path, "rb") as file:
        while head := file.readline():
            meta = file.readline()
            try:
                name, columns, rows = json.loads(head)
                of_values = 8 * rows * len(columns)
            except (ValueError, TypeError):
                return
            end = file.tell() + of_values
            if not meta.endswith(b"\n") or end > size:
                return
            yield _Galaxy(name, columns, meta, of_values, end)
            file.seek(end)
