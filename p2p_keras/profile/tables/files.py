"""Profiles to and from files: one table for many galaxies, or a file each.

One table has the galaxy's ``name`` as its first column and a row per radius of each galaxy. What else is kept:

============  ====================  ==============================================  ===============
ending        units                 meta of each galaxy                             precision
============  ====================  ==============================================  ===============
``.ecsv``     yes                   yes, as ``meta['galaxies']``                    float64 as text
``.fits``     yes                   yes, as the second table, HDU ``GALAXIES``, a   float64
                                    row per galaxy (`flags` joined by blanks)
``.parquet``  yes                   yes, in the file's metadata                     float64
``.csv``      no: those of          only ``name``                                   float64 as text
              `ALL_COLUMN_UNITS`
``.prof``     AutoProf's            some, as comments; one galaxy a file            5 decimals
============  ====================  ==============================================  ===============

A file is written under a temporary name and renamed, so that a reader never sees half of one. Two galaxies of one name
are kept apart as NAME, NAME_2, NAME_3, ... Galaxies of one table wait on disk (`p2p_keras.profile.tables.spool`) until
it is written, so memory doesn't grow with their number.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from p2p_keras.core.atomic_files import safe_name, write_whole
from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.profile.tables.autoprof import write_prof
from p2p_keras.profile.tables.finished import Finished, FinishedFiles, FinishedGalaxies
from p2p_keras.profile.tables.formats import ListedGalaxies, write_galaxies
from p2p_keras.profile.tables.measured import MeasuredProfile
from p2p_keras.profile.tables.reading import FORMATS, TABLE_FORMATS, format_of, open_profiles, read_profiles
from p2p_keras.profile.tables.spool import Spool, spool_of
from p2p_keras.profile.tables.text import name_key, plain_name

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = [
    "FORMATS",
    "TABLE_FORMATS",
    "ProfileWriter",
    "format_of",
    "read_profiles",
    "write_profiles",
    "write_table",
]


class ProfileWriter:
    """Writes profiles as they come, to a folder or to one table.

    A folder's files are written at once. One table is written when the writer is closed, which the ``with`` statement
    also does when it is left by an interrupt or error: what was measured is kept. Until then its galaxies are in a
    hidden file beside it, where a run that was killed finds them again.

    Parameters
    ----------
    output : str or path
        A name that ends in one of `FORMATS`, or a folder, which is made.
    table_format : str, optional
        One of `FORMATS`, where the ending doesn't say; in a folder the format of the files (``ecsv`` by default).
    resume : bool
        Keep what the output holds already, and say by `holds` what needn't be measured again.

    Attributes
    ----------
    written : list of Path
        Files written so far.
    replaced : list of Path
        Those of them that were there before this writer.
    renamed : list of (str, str)
        Names of galaxies that had to be changed since the name was taken, old and new.
    kept : int
        Galaxies found in the output by `resume`.

    Raises
    ------
    UsageError
        The output can't be written, or holds the remains of a killed run and `resume` isn't set.
    """

    def __init__(
        self, output: str | os.PathLike[str], table_format: str | None = None, *, resume: bool = False
    ) -> None:
        self.output = Path(output).expanduser()
        if table_format is not None and table_format not in FORMATS:
            raise UsageError(f"unknown format {table_format!r}; there are {', '.join(FORMATS)}")
        ending = format_of(self.output)
        # A dot in a folder's name is no ending; an existing folder is one whatever its name.
        self.is_folder = self.output.is_dir() or ending is None
        self.format = table_format or (None if self.is_folder else ending) or "ecsv"
        if self.format == "parquet":
            import pyarrow  # noqa: F401 - say now, not after hours of work, that it isn't installed
        self.written: list[Path] = []
        self.replaced: list[Path] = []
        self.renamed: list[tuple[str, str]] = []
        self.kept = 0
        self._names: set[str] = set()
        self._spool: Spool | None = None
        self._left_over = False
        self._finished: Finished | None = None
        folder = self.output if self.is_folder else self.output.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: can't be made ({error.strerror or error})") from error
        if not os.access(folder, os.W_OK):
            raise UsageError(f"{folder}: no permission to write there")
        if not self.is_folder and self.format != "prof":
            self._open_spool(resume)
        elif resume:
            self._finished = FinishedFiles(folder if self.is_folder else self.output, self.format)
            self._names.update(self._finished.names())
            self.kept = len(self._names)

    def _open_spool(self, resume: bool) -> None:
        waiting = spool_of(self.output)
        self._left_over = waiting.exists()
        if self._left_over and waiting.stat().st_size and not resume:
            raise UsageError(
                f"{self.output}: an earlier run was killed before it could write this table, and left {waiting}: "
                "continue with --resume (resume=True), or delete that file"
            )
        try:
            self._spool = Spool(waiting, keep=resume)
        except OSError as error:
            raise UsageError(f"{waiting}: can't be made ({error.strerror or error})") from error
        if resume and not self._left_over and self.output.exists():
            try:
                for stored in open_profiles(self.output):
                    for profile in stored.measured():
                        self._spool.add(profile.meta, profile.columns)
            except InputError as error:
                self._spool.remove()
                raise UsageError(f"can't resume: {error}") from error
        if resume:
            self._finished = FinishedGalaxies(self._spool.metas())
            self._names.update(self._finished.names())
            self.kept = self._spool.count

    def __enter__(self) -> ProfileWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def holds(self, source: str, name: str) -> bool:
        """Whether the output had this galaxy before, with `resume`.

        Parameters
        ----------
        source : str
            The galaxy's file.
        name : str
        """
        name = safe_name(plain_name(name)) if self.is_folder else plain_name(name)
        return self._finished is not None and self._finished.holds(source, name)

    def add(self, profile: QTable | MeasuredProfile) -> str:
        """Add one profile.

        Parameters
        ----------
        profile : QTable or MeasuredProfile

        Returns
        -------
        str
            The name under which it is kept. A second galaxy of the same name gets another one.

        Raises
        ------
        UsageError
            A second galaxy for a ``.prof`` file, which holds one.
        InputError
            The file can't be written.
        """
        profile = MeasuredProfile.of(profile)
        wanted = plain_name(str(profile.meta.get("name", ""))) or "galaxy"
        if self.is_folder:
            wanted = safe_name(wanted)
        name = self._free_name(wanted)
        if name != profile.meta.get("name"):
            meta = profile.meta | {"name": name}
            if profile.meta.get("name") == wanted:  # not for the letters of a file's name alone
                note = f"a second galaxy named {wanted} is kept as {name}"
                meta["notes"] = [*profile.meta.get("notes", []), note]
            profile = MeasuredProfile(meta, profile.columns)
        if self._spool is not None:
            self._spool.add(profile.meta, profile.columns)
        elif self.is_folder:
            self._write(profile, self.output / f"{name}.{self.format}")
        else:
            if self.written:
                raise UsageError(f"{self.output}: a .prof file holds one galaxy; give a folder and --format prof")
            self._write(profile, self.output)
        return name

    def close(self) -> None:
        """Write the one table; without effect for a folder, or a second time."""
        if self._spool is None:
            return
        spool, self._spool = self._spool, None
        if spool.count > (0 if self._left_over else self.kept):
            if self.output.exists():
                self.replaced.append(self.output)
            try:
                write_whole(self.output, lambda path: write_galaxies(spool, path, self.format))
            except BaseException:
                spool.close()  # what was measured is still there, for --resume
                raise
            self.written.append(self.output)
        spool.remove()

    def _free_name(self, wanted: str) -> str:
        """Find a free name: NAME_2 and so on where it is taken, whatever its case (some file systems can't tell)."""
        name, number = wanted, 1
        while name_key(name) in self._names:
            number += 1
            name = f"{wanted}_{number}"
        self._names.add(name_key(name))
        if number > 1:
            self.renamed.append((wanted, name))
        return name

    def _write(self, profile: MeasuredProfile, path: Path) -> None:
        if path.exists():
            self.replaced.append(path)
        write_table(profile, path, self.format)
        self.written.append(path)


def write_profiles(
    profiles: Iterable[QTable | MeasuredProfile], output: str | os.PathLike[str], table_format: str | None = None
) -> list[Path]:
    """Write profiles to one table, or to a folder with a table for each.

    Parameters
    ----------
    profiles : iterable of QTable or MeasuredProfile
    output, table_format
        As those of `ProfileWriter`.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UsageError, InputError
        As those of `ProfileWriter`.
    """
    with ProfileWriter(output, table_format) as writer:
        for profile in profiles:
            writer.add(profile)
    return writer.written


def write_table(profile: QTable | MeasuredProfile, path: str | os.PathLike[str], table_format: str) -> None:
    """Write the table of one galaxy, under a temporary name that is then renamed.

    Parameters
    ----------
    profile : QTable or MeasuredProfile
    path : path
    table_format : str
        One of `FORMATS`.

    Raises
    ------
    InputError
        The file can't be written.
    """
    galaxy = MeasuredProfile.of(profile)
    if table_format == "prof":
        write_whole(Path(path), lambda part: write_prof(galaxy.meta, galaxy.columns, part))
    else:
        listed = ListedGalaxies([galaxy])
        write_whole(Path(path), lambda part: write_galaxies(listed, part, table_format, single=True))
