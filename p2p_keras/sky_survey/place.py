"""A folder, on a disk or in an object store: whatever fsspec opens."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
from fsspec.core import url_to_fs

from p2p_keras.core.atomic_files import write_content
from p2p_keras.core.errors import InputError, UsageError

__all__ = ["Place"]


class Place:
    """A folder by its path or URL (``s3://``, ``gs://``, ``https://``, ...); files in it by relative names.

    Parameters
    ----------
    url : str or path

    Raises
    ------
    UsageError
        fsspec knows no such protocol, or lacks the package for it.
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        text = os.fspath(url)
        self.url = os.path.abspath(os.path.expanduser(text)) if "://" not in text else text.rstrip("/")
        try:
            self.files, self.root = url_to_fs(self.url)
        except (ValueError, ImportError) as error:
            raise UsageError(f"{url}: {error}") from error
        self.is_local = "file" in _protocols(self.files)

    def __reduce__(self) -> tuple:
        return (type(self), (self.url,))

    def path(self, name: str) -> str:
        """Full path of a file in here, in the file system's own form; an absolute name or URL stays what it is."""
        if "://" in name or os.path.isabs(name):
            return str(self.files._strip_protocol(name))
        return f"{self.root}/{name}" if name else str(self.root)

    def url_of(self, name: str) -> str:
        """How a user names a file in here."""
        return name if "://" in name or os.path.isabs(name) else f"{self.url}/{name}"

    def exists(self, name: str = "") -> bool:
        """Whether there is a file or folder of this name."""
        return bool(self.files.exists(self.path(name)))

    def names(self, under: str = "") -> list[tuple[str, int]]:
        """Relative names and sizes of all files in here or in a folder of it, sorted."""
        top = self.path(under)
        try:
            files_inside = self.files.find(top, detail=True)
        except FileNotFoundError:
            return []
        start = len(str(self.root)) + 1
        return sorted((path[start:], int(info.get("size") or 0)) for path, info in files_inside.items())

    def read(self, name: str) -> bytes:
        """Bytes of a file."""
        return bytes(self.files.cat_file(self.path(name)))

    def open(self, name: str) -> Any:
        """Open a file for reading, without loading it."""
        return self.files.open(self.path(name), "rb")

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that nobody ever sees half of it: a temporary name and a rename, or one PUT of a store.

        Parameters
        ----------
        name : str
            Relative.
        content : bytes

        Raises
        ------
        InputError
            It can't be written.
        """
        path = self.path(name)
        try:
            if not self.is_local:
                self.files.pipe_file(path, content)
                return
            write_content(Path(path), content)
        except OSError as error:
            raise InputError(self.url_of(name), f"can't be written ({error.strerror or error})") from error

    def delete(self, name: str) -> None:
        """Delete a file or folder; without effect where there is none."""
        if self.exists(name):
            self.files.rm(self.path(name), recursive=True)

    @contextmanager
    def local_file(self, name: str) -> Iterator[str]:
        """Path of a file on this machine's disk: itself, or a copy that is gone afterwards.

        Raises
        ------
        InputError
            It isn't there, or the store doesn't give it out.
        """
        if self.is_local:
            yield self.path(name)
            return
        with tempfile.TemporaryDirectory(prefix="p2p-keras-") as folder:
            copy = os.path.join(folder, os.path.basename(name))
            try:
                self.files.get_file(self.path(name), copy)
            except FileNotFoundError as error:
                raise InputError(self.url_of(name), "no such file") from error
            except Exception as error:  # every store has its own kinds
                raise InputError(self.url_of(name), f"can't be fetched ({error})") from error
            yield copy


def _protocols(files: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
