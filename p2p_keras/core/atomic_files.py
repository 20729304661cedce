"""Files that appear under their name only when they are whole, and names that are safe for files."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path

from p2p_keras.core.errors import InputError

__all__ = ["safe_name", "write_whole", "write_content"]

_UNSAFE = re.compile(r"[^\w.+\-]+")


def safe_name(name: str) -> str:
    """Turn a galaxy's name into a file name: no separators, blanks or hidden files."""
    return _UNSAFE.sub("_", name).strip("._") or "galaxy"


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` write a file under a temporary name and rename it.

    Parameters
    ----------
    path : Path
    write : callable
        Gets the temporary file's path; what it raises leaves nothing behind.

    Raises
    ------
    InputError
        The disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(path, f"can't be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_content(path: Path, content: str | bytes) -> Path:
    """Write a file of this text (UTF-8) or these bytes, whole, in a folder that is made where it is missing.

    Parameters
    ----------
    path : Path
    content : str or bytes

    Raises
    ------
    InputError
        The disk refuses.
    """

    def write(temporary: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)

    write_whole(path, write)
    return path
