"""Which files a page may open: those in the folders that it was started with, and no others."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from p2p_keras.core.errors import InputError

__all__ = ["Places"]


class Places:
    """Folders, and single files, that a page may open.

    Parameters
    ----------
    folders : iterable of path
    files : iterable of path
        Further files, whatever folder they lie in: the images that a table names.
    """

    def __init__(self, folders: Iterable[str | os.PathLike[str]], files: Iterable[str | os.PathLike[str]] = ()) -> None:
        self.folders = list(dict.fromkeys(Path(folder).expanduser().resolve() for folder in folders))
        self.files = {Path(file).expanduser().resolve() for file in files}

    def path_of(self, text: str | os.PathLike[str]) -> Path:
        """The file that is meant by a path, absolute or below one of the folders; links are followed.

        Raises
        ------
        InputError
            There is none, or it lies elsewhere; the sentence doesn't say which of the two, so that nobody can ask the
            page what there is on the machine.
        """
        wanted = Path(text).expanduser()
        for candidate in [wanted] if wanted.is_absolute() else [folder / wanted for folder in (*self.folders, Path())]:
            try:
                path = candidate.resolve()
                if self.holds(path) and path.exists():
                    return path
            except (OSError, ValueError, RuntimeError):  # a name that is none, a circle of links
                continue
        named = ", ".join(str(folder) for folder in self.folders) or "none"
        raise InputError(text, f"no such file in the folders that this page was started with ({named})")

    def holds(self, path: Path) -> bool:
        """Whether a resolved path is one that may be opened."""
        return path in self.files or any(path.is_relative_to(folder) for folder in self.folders)

    def short_name(self, path: str | os.PathLike[str]) -> str:
        """A path as `path_of` takes it, relative to the first folder that holds it."""
        for folder in self.folders:
            if Path(path).is_relative_to(folder):
                return str(Path(path).relative_to(folder))
        return os.fspath(path)
