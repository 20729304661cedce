"""Galaxies on disk while a run goes on, so that memory stays flat and a killed run loses nothing.

A spool is a folder of two files: ``rows.f8`` with the profiles' rows as float64, one galaxy after the other, and
``galaxies.jsonl`` with a line of JSON for each: its meta, its columns and its number of rows. Rows are written first:
what a crash leaves half written has no line, and is cut off when the spool is opened again.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.profile.tables.measured import MeasuredProfile

__all__ = ["Spool"]


class Spool:
    """Appends galaxies to a folder and reads them back one by one.

    Parameters
    ----------
    folder : path
        Made where missing.
    keep : bool
        Go on with what is there; otherwise it is removed.
    """

    def __init__(self, folder: str | os.PathLike[str], *, keep: bool = False) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not keep:
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lines = self.folder / "galaxies.jsonl"
        self._data = self.folder / "rows.f8"
        self.count = 0
        self._columns: dict[str, None] = {}
        self._bytes = self._line_bytes = 0
        self._mend()
        self._line_file = open(self._lines, "ab")  # noqa: SIM115 - open as long as the spool
        self._data_file = open(self._data, "ab")  # noqa: SIM115

    def add(self, meta: dict[str, Any], columns: dict[str, np.ndarray]) -> None:
        """Append one galaxy; meta in plain values that JSON takes (NaN included).

        Raises
        ------
        InputError
            The disk refuses.
        """
        rows = np.stack([np.asarray(values, dtype="<f8") for values in columns.values()], axis=1)
        line = json.dumps({"meta": meta, "columns": list(columns), "rows": len(rows)}).encode() + b"\n"
        try:
            self._append(rows.tobytes(), line)
        except OSError as error:
            raise InputError(self.folder, f"can't be written ({error.strerror or error})") from error
        self._bytes += rows.nbytes
        self._line_bytes += len(line)
        self._columns.update(dict.fromkeys(columns))
        self.count += 1

    def _append(self, rows: bytes, line: bytes) -> None:
        # An interrupt or a full disk may have come between an earlier galaxy's rows and its line.
        for file, size in ((self._data_file, self._bytes), (self._line_file, self._line_bytes)):
            if file.tell() != size:
                file.truncate(size)
                file.seek(0, os.SEEK_END)
        self._data_file.write(rows)
        self._data_file.flush()
        self._line_file.write(line)
        self._line_file.flush()

    def metas(self) -> Iterator[dict[str, Any]]:
        """Meta of each galaxy, in the order in which they came."""
        for record in self._records():
            yield record["meta"]

    def galaxies(self) -> Iterator[MeasuredProfile]:
        """Each galaxy, in the order in which they came; one in memory at a time."""
        with open(self._data, "rb") as data:
            for record in self._records():
                shape = record["rows"], len(record["columns"])
                rows = np.frombuffer(data.read(8 * shape[0] * shape[1]), dtype="<f8").reshape(shape)
                yield MeasuredProfile(record["meta"], {name: rows[:, i] for i, name in enumerate(record["columns"])})

    def column_names(self) -> list[str]:
        """Names of the columns that any galaxy has."""
        return list(self._columns)

    def close(self) -> None:
        """Close the files; what was added stays on disk."""
        self._line_file.close()
        self._data_file.close()

    def remove(self) -> None:
        """Close the files and delete the folder."""
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _records(self) -> Iterator[dict[str, Any]]:
        if not self._lines.exists():
            return
        with open(self._lines, "rb") as lines:
            for number, line in enumerate(lines):
                if number >= self.count:
                    return
                yield json.loads(line)

    def _mend(self) -> None:
        """Count what is whole, and cut off the rest."""
        data_size = self._data.stat().st_size if self._data.exists() else 0
        if self._lines.exists():
            with open(self._lines, "rb") as lines:
                for line in lines:
                    try:
                        record = json.loads(line)
                        end = self._bytes + 8 * record["rows"] * len(record["columns"])
                    except (ValueError, KeyError, TypeError):
                        break
                    if not line.endswith(b"\n") or end > data_size:
                        break
                    self._bytes, self._line_bytes, self.count = end, self._line_bytes + len(line), self.count + 1
                    self._columns.update(dict.fromkeys(record["columns"]))
            os.truncate(self._lines, self._line_bytes)
        if self._data.exists():
            os.truncate(self._data, self._bytes)
