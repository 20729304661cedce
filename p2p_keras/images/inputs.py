"""From what a user types to a list of image files: files, folders, patterns and ``@list.txt``."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from p2p_keras.core.errors import UsageError
from p2p_keras.images.roles import SCIENCE, image_stem, role_of_file

__all__ = ["is_fits_name", "stem_of", "FoundInputs", "find_inputs", "find_images", "is_companion"]

_FITS_NAME = re.compile(r"\.(fits|fit|fts)(\.(gz|bz2|fz))?$", re.IGNORECASE)


def is_fits_name(name: str) -> bool:
    """Whether a file's name ends as those of FITS images do."""
    return _FITS_NAME.search(name) is not None


def stem_of(path: str | os.PathLike[str]) -> str:
    """File name without its FITS and compression endings: ``a/ngc1.fits.gz`` -> ``ngc1``."""
    name = os.path.basename(os.path.normpath(path))
    stem = _FITS_NAME.sub("", name)
    return stem or name


@dataclass(frozen=True)
class FoundInputs:
    """Image files, and what was left out of folders and patterns.

    Attributes
    ----------
    paths : list of Path
    notes : list of str
        Which files were left out since their names say that they are another image's noise, mask, PSF ...
    """

    paths: list[Path]
    notes: list[str]


def find_inputs(arguments: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Expand the arguments of a program to image files; `find_images` also says what was left out.

    Parameters
    ----------
    arguments : iterable of str or path
        Files, folders, patterns or ``@list.txt``, see `find_images`.

    Returns
    -------
    list of Path

    Raises
    ------
    UsageError
        There are no images, or a list can't be read.
    """
    return find_images(arguments).paths


def find_images(arguments: Iterable[str | os.PathLike[str]]) -> FoundInputs:
    """Expand the arguments of a program to image files.

    Parameters
    ----------
    arguments : iterable of str or path
        Each one is a file; a folder (its FITS files, not those of its sub-folders); a pattern such as
        ``"frames/*.fits"`` (``**`` goes into sub-folders); or ``@list.txt``, a text file with one of these a line,
        where blank lines and lines that begin with ``#`` are skipped. A relative line is looked up from the working
        folder, then from the list's own folder.

    Returns
    -------
    FoundInputs
        Files in the order of the arguments, folders and patterns sorted, each once. A name that leads to no file is
        returned as it is: reading it fails with its name, and the other inputs are still done. Files of a folder or
        pattern that are named as companions (``_sigma``, ``-invvar``, ``.wht``, ``_mask`` ...) are left out; of files
        named one by one (as a shell expands a pattern) only those whose image is among them.

    Raises
    ------
    UsageError
        A list can't be read, names itself, or the arguments give nothing at all.
    """
    paths: dict[Path, bool] = {}
    left: dict[Path, None] = {}
    arguments = list(arguments)
    for argument in arguments:
        for path, searched in _expand(os.fspath(argument), lists=()):
            if searched and is_companion(path):
                left.setdefault(path)
            else:
                paths.setdefault(path, searched)
    images = {(path.parent, image_stem(path.name)) for path in paths if not is_companion(path)}
    for path in [p for p, searched in paths.items() if not searched and is_companion(p)]:
        if (path.parent, image_stem(path.name)) in images and path.is_file():
            del paths[path]
            left.setdefault(path)
    for path in paths:
        left.pop(path, None)
    if not paths and not left:
        names = ", ".join(str(argument) for argument in arguments) or "none was given"
        raise UsageError(f"no input images ({names}): give FITS files, folders, patterns or @list.txt")
    if not paths:
        raise UsageError(
            "no input images: all files found are noise maps, masks or the like by their names "
            f"({_some(left)}); to read one, name it"
        )
    return FoundInputs(list(paths), _left_out(list(left)))


def is_companion(path: Path) -> bool:
    """Whether a file's name says that it belongs to an image: noise, weight, mask, exposure map, PSF, model."""
    return role_of_file(path.name) not in ("", SCIENCE)


def _left_out(paths: list[Path]) -> list[str]:
    if not paths:
        return []
    verb = "file was" if len(paths) == 1 else "files were"
    return [f"{len(paths)} {verb} left out by name, as noise, mask or the like of an image: {_some(paths)}"]


def _some(paths: Iterable[Path]) -> str:
    names = [path.name for path in paths]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _expand(argument: str, lists: tuple[Path, ...]) -> list[tuple[Path, bool]]:
    """Files that an argument leads to, and whether they were found by search rather than named."""
    if argument.startswith("@") and not os.path.exists(argument):
        return _expand_list(Path(argument[1:]), lists)
    path = Path(argument).expanduser()
    if path.is_dir():
        names = sorted(p for p in path.iterdir() if is_fits_name(p.name))
        return [(p, True) for p in names if p.is_file()] or [(path, False)]
    if not path.exists() and glob.has_magic(str(path)):
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        return [(p, True) for p in matches if p.is_file()] or [(path, False)]
    return [(path, False)]


def _expand_list(list_file: Path, lists: tuple[Path, ...]) -> list[tuple[Path, bool]]:
    list_file = list_file.expanduser()
    if list_file.resolve() in lists:
        raise UsageError(f"{list_file}: the list of inputs contains its own name")
    try:
        lines = list_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{list_file}: can't read the list of inputs ({_reason(error)})") from error
    paths: list[tuple[Path, bool]] = []
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        entry = line[1:] if line.startswith("@") else line
        beside = list_file.parent / entry
        if not os.path.isabs(entry) and not _leads_somewhere(entry) and _leads_somewhere(str(beside)):
            entry = str(beside)
        paths += _expand("@" + entry if line.startswith("@") else entry, (*lists, list_file.resolve()))
    return paths


def _leads_somewhere(name: str) -> bool:
    return os.path.exists(name) or (glob.has_magic(name) and next(glob.iglob(name, recursive=True), None) is not None)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
