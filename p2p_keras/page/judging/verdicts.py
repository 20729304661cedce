"""Verdicts on galaxies, kept in a small file beside the results."""

from __future__ import annotations

import csv
import io
import threading
from dataclasses import dataclass
from pathlib import Path

from p2p_keras.core.atomic_files import write_content
from p2p_keras.core.errors import InputError

__all__ = ["WORDS", "Verdict", "Verdicts"]

WORDS = ("good", "bad", "")
_COLUMNS = ("name", "band", "verdict", "note")
_WRITING = threading.Lock()


@dataclass(frozen=True)
class Verdict:
    """What a reader thinks of a profile: ``good``, ``bad`` or nothing, and a note."""

    word: str = ""
    note: str = ""


class Verdicts:
    """The verdicts on the galaxies of one table, in ``TABLE.verdicts.csv``: name, band, verdict, note.

    Each change is written at once and whole. Two readers at a time keep each other's verdicts.

    Parameters
    ----------
    results : Path or None
        The table or folder that they are about; None: they are kept in memory alone.

    Raises
    ------
    InputError
        The file that is there can't be read.
    """

    def __init__(self, results: Path | None) -> None:
        self.path = None if results is None else results.with_name(f"{results.name}.verdicts.csv")
        self.of: dict[tuple[str, str], Verdict] = {}
        self.read()

    def read(self) -> None:
        """Take what the file says now."""
        if self.path is None or not self.path.exists():
            return
        try:
            with open(self.path, encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            self.of = {(row["name"], row["band"]): Verdict(row["verdict"], row["note"]) for row in rows}
        except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
            raise InputError(self.path, f"can't be read as verdicts ({error})") from error

    def set(self, name: str, band: str, verdict: Verdict) -> None:
        """Give a verdict; an empty one takes an earlier one back.

        Raises
        ------
        InputError
            The file can't be written.
        """
        with _WRITING:
            self.read()
            self.of.pop((name, band), None)
            if verdict != Verdict():
                self.of[name, band] = verdict
            if self.path is not None:
                write_content(self.path, self.text())

    def text(self) -> str:
        """The file's content."""
        buffer = io.StringIO()
        table = csv.writer(buffer, lineterminator="\n")
        table.writerow(_COLUMNS)
        table.writerows((name, band, verdict.word, verdict.note) for (name, band), verdict in self.of.items())
        return buffer.getvalue()
