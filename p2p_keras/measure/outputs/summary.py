"""A table with one row per galaxy: everything that the profiles' meta hold, with units."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2p_keras.core.atomic_files import write_whole
from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.profile.columns import TEXT_KEYS
from p2p_keras.profile.derived.quantities import quantity_units
from p2p_keras.profile.tables.measured import MeasuredProfile
from p2p_keras.profile.tables.meta_table import meta_table
from p2p_keras.profile.tables.reading import TABLE_FORMATS, format_of, read_table
from p2p_keras.profile.tables.spool import Spool, spool_of
from p2p_keras.profile.tables.text import to_fits

if TYPE_CHECKING:
    from astropy.table import QTable, Table

__all__ = ["SummaryWriter", "read_summary"]

_HOW: dict[str, dict[str, Any]] = {
    "ecsv": {"format": "ascii.ecsv"},
    "csv": {"format": "ascii.csv"},
    "fits": {"format": "fits"},
}


class SummaryWriter:
    """Collects the meta of profiles on disk and writes them as one table when it is closed.

    Parameters
    ----------
    path : str or path
        Ending in .ecsv, .fits, .csv or .parquet.
    resume : bool
        Keep the rows that are there.

    Raises
    ------
    UsageError
        The ending is another one, or the file that is there can't be read.
    """

    def __init__(self, path: str | os.PathLike[str], *, resume: bool = False) -> None:
        self.path = Path(path).expanduser()
        kind = format_of(self.path)
        if kind not in TABLE_FORMATS:
            raise UsageError(f"{path}: the summary is a table, so its name must end in .{', .'.join(TABLE_FORMATS)}")
        self.format = kind
        self.path.parent.mkdir(parents=True, exist_ok=True)
        waiting = spool_of(self.path)
        left_over = waiting.exists()
        self._spool: Spool | None = Spool(waiting, keep=resume)
        if resume and not left_over and self.path.exists():
            for row in _rows(read_summary(self.path)):
                self._spool.add(row, {"sma": np.empty(0)})

    def add(self, profile: QTable | MeasuredProfile) -> None:
        """Add a row: the `meta` of a profile.

        Parameters
        ----------
        profile : QTable or MeasuredProfile
        """
        if self._spool is not None:
            self._spool.add(MeasuredProfile.of(profile).meta, {"sma": np.empty(0)})

    def close(self) -> None:
        """Write the table; without effect a second time, or where there is no galaxy."""
        if self._spool is None:
            return
        spool, self._spool = self._spool, None
        if spool.count:
            table = meta_table(spool.metas, quantity_units)
            try:
                write_whole(self.path, lambda path: _write(table, path, self.format))
            except BaseException:
                spool.close()
                raise
        spool.remove()


def read_summary(path: str | os.PathLike[str]) -> Table:
    """Read a summary that `SummaryWriter` wrote.

    Returns
    -------
    Table
        One row per galaxy.

    Raises
    ------
    InputError
        It can't be read.
    """
    path = Path(path)
    try:
        return read_table(path, TEXT_KEYS)
    except Exception as error:  # every reader has its own
        raise InputError(path, f"can't be read as a summary ({error})") from error


def _rows(table: Table) -> list[dict[str, Any]]:
    rows = []
    for row in table:
        plain = {}
        for key in table.colnames:
            value = row[key]
            if not np.ma.is_masked(value):
                plain[key] = value.item() if hasattr(value, "item") else value
        rows.append(plain)
    return rows


def _write(table: Table, path: Path, table_format: str) -> None:
    if table_format == "parquet":
        import pyarrow
        import pyarrow.parquet

        columns = {name: np.asarray(table[name]).tolist() for name in table.colnames}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    else:
        if table_format == "fits":
            for key in table.colnames:
                if table[key].dtype.kind == "U":
                    table[key] = [to_fits(str(text)) for text in table[key]]
        table.write(path, overwrite=True, **_HOW[table_format])
        if table_format == "ecsv":
            # A line that begins with the name "#1" would be read as a comment: astropy's writer doesn't quote it.
            header, schema, rows = path.read_text(encoding="utf-8").partition("# schema: astropy-2.0\n")
            quoted = re.sub(r"^(#\S*)", r'"\1"', rows, flags=re.MULTILINE)
            path.write_text(header + schema + quoted, encoding="utf-8")
