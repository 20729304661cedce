"""What an output holds already, so that a resumed run doesn't measure it again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from p2p_keras.profile.tables.text import name_key, printable, yaml_unquoted

__all__ = ["Finished", "FinishedGalaxies", "FinishedFiles"]

_SOURCE_LINES = {
    "ecsv": re.compile(rb'^# - \{"source": (".*")\}$', re.MULTILINE),
    "prof": re.compile(rb"^# source: (.*)$", re.MULTILINE),
}


def _same_file(one: str, other: str) -> bool:
    """Whether two names are of one file; a name that isn't known counts as the same."""
    return not one or not other or printable(os.path.abspath(one)) == printable(os.path.abspath(other))


class Finished:
    """Galaxies that an output holds.

    Parameters
    ----------
    galaxies : mapping
        By their names, as `name_key` has them: the file of each image, or what `_source_of` finds it by.
    """

    def __init__(self, galaxies: Mapping[str, Any]) -> None:
        self._galaxies = galaxies

    def names(self) -> set[str]:
        """Their names, as `name_key` has them."""
        return set(self._galaxies)

    def holds(self, source: str, name: str) -> bool:
        """Whether the galaxy of this name and file is there, be it as NAME_2 because of a namesake."""
        key, number = name_key(name), 1
        while key in self._galaxies:
            if _same_file(self._source_of(self._galaxies[key]), source):
                return True
            number += 1
            key = f"{name_key(name)}_{number}"
        return False

    def _source_of(self, galaxy: Any) -> str:
        return str(galaxy)


class FinishedGalaxies(Finished):
    """Galaxies of one table, by their meta: ``name`` and ``source``."""

    def __init__(self, metas: Iterable[Mapping[str, Any]]) -> None:
        super().__init__({name_key(str(meta.get("name", ""))): meta.get("source", "") for meta in metas})


class FinishedFiles(Finished):
    """Galaxies of a folder with a file each, or of the one file where `place` is one.

    Only the file of a galaxy that is asked for is opened: a folder may hold a hundred thousand.
    """

    def __init__(self, place: Path, table_format: str) -> None:
        self._format = table_format
        if place.is_dir():
            ending = f".{table_format}"
            paths = [Path(entry.path) for entry in os.scandir(place) if entry.name.endswith(ending)]
        else:
            paths = [place] if place.exists() else []
        super().__init__({name_key(path.stem): path for path in paths if not path.name.startswith(".")})

    def _source_of(self, path: Path) -> str:
        if self._format in _SOURCE_LINES:
            with open(path, "rb") as file:
                match = _SOURCE_LINES[self._format].search(file.read(16384))
            text = match[1].decode("utf-8", "replace") if match else ""
            return yaml_unquoted(text) if self._format == "ecsv" else text.strip()
        if self._format == "csv":
            return ""
        from p2p_keras.core.errors import InputError
        from p2p_keras.profile.tables.reading import read_profiles

        try:
            return str(read_profiles(path)[0].meta.get("source", ""))
        except (InputError, IndexError):
            return "\0"  # a file that can't be read is measured again, under another name
