"""Colour profiles to files: beside each galaxy's profiles in a folder, or one table beside theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from p2p_keras.core.atomic_files import safe_name, write_whole
from p2p_keras.core.errors import InputError
from p2p_keras.profile.tables.files import ProfileWriter
from p2p_keras.profile.tables.formats import ListedGalaxies, write_galaxies
from p2p_keras.profile.tables.measured import MeasuredProfile, plain_meta
from p2p_keras.profile.tables.reading import read_table
from p2p_keras.profile.tables.spool import Spool, spool_of

if TYPE_CHECKING:
    from pathlib import Path

    from astropy.table import QTable

__all__ = ["ColourWriter", "read_colours"]

ENDING = "-colours"


class ColourWriter:
    """Writes tables of `colour_table`: NAME-colours.ecsv in a folder, OUT-colours.ecsv beside OUT.

    Parameters
    ----------
    profiles : ProfileWriter
        Whose output they go with, in the same format (ECSV beside AutoProf's files).
    resume : bool
        Keep what is there.
    """

    def __init__(self, profiles: ProfileWriter, *, resume: bool = False) -> None:
        self.is_folder = profiles.is_folder
        self.format = "ecsv" if profiles.format == "prof" else profiles.format
        output = profiles.output
        self.output = output if self.is_folder else output.with_name(f"{output.stem}{ENDING}.{self.format}")
        self._spool: Spool | None = None
        self._units: dict[str, str] = {"sma": "arcsec"}
        if not self.is_folder:
            waiting = spool_of(self.output)
            left_over = waiting.exists()
            self._spool = Spool(waiting, keep=resume)
            if resume and not left_over and self.output.exists():
                self._load()
            for name in self._spool.column_names():
                self._units.setdefault(name, "mag")

    def add(self, table: QTable) -> None:
        """Take the colours of one galaxy."""
        columns = {name: np.asarray(table[name].value, dtype=float) for name in table.colnames}
        meta = plain_meta(table.meta)
        units = {name: str(table[name].unit) for name in table.colnames}
        self._units |= units
        if self._spool is not None:
            self._spool.add(meta, columns)
            return
        listed = ListedGalaxies([MeasuredProfile(meta, columns)])
        path = self.output / f"{safe_name(str(table.meta['name']))}{ENDING}.{self.format}"
        write_whole(path, lambda part: write_galaxies(listed, part, self.format, single=True, units=units))

    def close(self) -> None:
        """Write the one table; without effect for a folder, or a second time."""
        if self._spool is None:
            return
        spool, self._spool = self._spool, None
        if spool.count:
            write_whole(self.output, lambda part: write_galaxies(spool, part, self.format, units=self._units))
        spool.remove()

    def _load(self) -> None:
        for name, columns in read_colours(self.output):
            if self._spool is not None:
                self._spool.add({"name": name}, columns)


def read_colours(path: Path) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Read one table of colours: name and columns of each galaxy.

    Raises
    ------
    InputError
        It can't be read.
    """
    try:
        table = read_table(path)
    except Exception as error:  # every reader has its own
        raise InputError(path, f"can't be read as a table of colours ({error})") from error
    names = np.asarray(table["name"]).astype(str)
    columns = [name for name in table.colnames if name != "name"]
    plain: dict[str, np.ndarray] = {
        name: np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan) for name in columns
    }
    return [
        (str(one), {name: values[names == one] for name, values in plain.items()})
        for one in dict.fromkeys(names.tolist())
    ]
