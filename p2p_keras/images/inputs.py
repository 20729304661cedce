"""From what a user types to a list of image files: files, folders, patterns and ``@list.txt``."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from p2p_keras.core.errors import UsageError

_FITS_NAME = re.compile(r"\.(fits|fit|fts)(\.(gz|bz2|fz))?$", re.IGNORECASE)
_MASK_STEM = re.compile(r"[-_.]mask$", re.IGNORECASE)


def stem_of(path: str | os.PathLike[str]) -> str:
    """File name without its FITS and compression endings: ``a/ngc1.fits.gz`` -> ``ngc1``."""
    name = Path(path).name
    stem = _FITS_NAME.sub("", name)
    return stem or name


def find_inputs(arguments: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Expand the arguments of a program to image files.

    Parameters
    ----------
    arguments : iterable of str or path
        Each one is a file; a folder (its FITS files, not those of its sub-folders, without ``*-mask.fits``); a pattern
        such as ``"frames/*.fits"`` (``**`` goes into sub-folders); or ``@list.txt``, a text file with one of these a
        line, where blank lines and lines that begin with ``#`` are skipped. A relative line is looked up from the
        working folder, then from the list's own folder.

    Returns
    -------
    list of Path
        In the order of the arguments, folders and patterns sorted, each file once. A name that leads to no file is
        returned as it is: reading it fails with its name, and the other inputs are still done.

    Raises
    ------
    UsageError
        A list can't be read, names itself, or the arguments give nothing at all.
    """
    found: dict[Path, None] = {}
    arguments = list(arguments)
    for argument in arguments:
        for path in _expand(os.fspath(argument), lists=()):
            found.setdefault(path)
    if not found:
        said = ", ".join(str(argument) for argument in arguments) or "none was given"
        raise UsageError(f"no input images ({said}): give FITS files, folders, patterns or @list.txt")
    return list(found)


def _expand(argument: str, lists: tuple[Path, ...]) -> list[Path]:
    if argument.startswith("@") and not os.path.exists(argument):
        return _expand_list(Path(argument[1:]), lists)
    path = Path(argument).expanduser()
    if path.is_dir():
        names = sorted(p for p in path.iterdir() if _FITS_NAME.search(p.name) and not _MASK_STEM.search(stem_of(p)))
        return [p for p in names if p.is_file()] or [path]
    if not path.exists() and glob.has_magic(str(path)):
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        return [p for p in matches if p.is_file()] or [path]
    return [path]


def _expand_list(list_file: Path, lists: tuple[Path, ...]) -> list[Path]:
    list_file = list_file.expanduser()
    if list_file.resolve() in lists:
        raise UsageError(f"{list_file}: the list of inputs names itself")
    try:
        lines = list_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{list_file}: can't read the list of inputs ({_reason(error)})") from error
    found: list[Path] = []
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        entry = line[1:] if line.startswith("@") else line
        beside = list_file.parent / entry
        if not os.path.isabs(entry) and not _leads_somewhere(entry) and _leads_somewhere(str(beside)):
            entry = str(beside)
        found += _expand("@" + entry if line.startswith("@") else entry, (*lists, list_file.resolve()))
    return found


def _leads_somewhere(name: str) -> bool:
    return os.path.exists(name) or (glob.has_magic(name) and next(glob.iglob(name, recursive=True), None) is not None)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
