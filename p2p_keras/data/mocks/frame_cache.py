"""Real images that mocks use: read once, and kept in a cache folder with what was found on them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from p2p_keras.core.atomic_files import write_content
from p2p_keras.core.errors import InputError, UsageError

__all__ = ["prepare_folder", "prepared", "unique_names"]

Prepared = TypeVar("Prepared")
_INDEX = "index.json"


def prepare_folder(
    folder: str | os.PathLike, cache: str | os.PathLike, prepare: Callable[[Path, str, Path], Prepared], use: str
) -> list[InputError]:
    """Prepare all FITS images of a folder, and keep them in a cache folder.

    Parameters
    ----------
    folder : path
    cache : path
        Made where missing; a finished cache is used as it is.
    prepare : callable
        Of an image's path, a name that no other image has, and the cache folder: writes its arrays there, and returns
        a dataclass of JSON values.
    use : str
        For the error: what the images are used as.

    Returns
    -------
    list of InputError
        Images that can't be used.

    Raises
    ------
    UsageError
        No image can be used.
    """
    from p2p_keras.images.inputs import find_inputs

    cache = Path(cache)
    if (cache / _INDEX).exists():
        return []
    cache.mkdir(parents=True, exist_ok=True)
    items, errors = [], []
    for path, name in unique_names(find_inputs([folder])).items():
        try:
            items.append(prepare(path, name, cache))
        except InputError as error:
            errors.append(error)
    if not items:
        reason = f": {errors[0]}" if errors else ""
        raise UsageError(f"{folder}: no image can be used as {use}{reason}")
    write_content(cache / _INDEX, json.dumps([item.__dict__ for item in items], indent=1))
    return errors


def prepared(cache: Path, kind: Callable[..., Prepared]) -> list[Prepared]:
    """What `prepare_folder` found on the images of a cache folder, as the dataclass `kind`."""
    return [kind(**item) for item in json.loads((cache / _INDEX).read_text(encoding="utf-8"))]


def unique_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each file, none twice: its own without the endings of FITS, or all of it if two files share that.

    A name may contain dots (``rings.v3.skycell.1234.stk.g``), so it doesn't end at the first of them.
    """
    from p2p_keras.images.inputs import stem_of

    stems = Counter(stem_of(path) for path in paths)
    return {path: stem_of(path) if stems[stem_of(path)] == 1 else path.name for path in paths}
