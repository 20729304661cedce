"""Names of shards: ``SPLIT-00000-of-00016.tfrecord``, with ``.gz`` where compressed."""

from __future__ import annotations

import glob
import logging
import os
import re
from pathlib import Path

from p2p_keras.core.errors import UsageError

__all__ = ["shard_name", "split_of_shard", "compression_of", "find_shards"]

_NAME = re.compile(r"(?P<split>[A-Za-z0-9_]+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.tfrecord(?P<gz>\.gz)?")
_log = logging.getLogger(__name__)


def shard_name(split: str, index: int, count: int, *, gzip: bool = False) -> str:
    """File name of one shard, such as ``train-00000-of-00016.tfrecord``.

    Parameters
    ----------
    split : str
    index, count : int
        Number of the shard, from 0, and of all shards of the split.
    gzip : bool
        Whether it is compressed.
    """
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord" + (".gz" if gzip else "")


def split_of_shard(path: str | os.PathLike) -> str:
    """Read the split in a shard's file name; ``""`` when it isn't named as a shard."""
    match = _NAME.fullmatch(Path(path).name)
    return match["split"] if match else ""


def compression_of(path: str | os.PathLike) -> str:
    """TensorFlow's name of a file's compression: ``"GZIP"`` for ``.gz``, else ``""``."""
    return "GZIP" if os.fspath(path).endswith(".gz") else ""


def find_shards(data: str | os.PathLike, split: str | None = None) -> list[Path]:
    """All shards of a split, sorted.

    Parameters
    ----------
    data : path
        A folder of shards, one shard, or a glob pattern of either (``"tfrecords/*"``).
    split : str, optional
        Which split; all of them when None.

    Raises
    ------
    UsageError
        When there is no such folder or the split is empty: the sentence says what to do.
    """
    text = os.fspath(data)
    hits = sorted(glob.glob(text)) if glob.has_magic(text) else [text]
    if not hits or not (glob.has_magic(text) or os.path.exists(text)):
        raise UsageError(f"{text}: no such shards; make some with python -m p2p_keras.simulate or .pack")
    shards: list[Path] = []
    for hit in map(Path, hits):
        files = sorted(hit.iterdir()) if hit.is_dir() else [hit]
        of_split = [p for p in files if split_of_shard(p) and split in (None, split_of_shard(p))]
        _check_complete(hit, of_split)
        shards += of_split
    if not shards:
        present = sorted({split_of_shard(p) for h in map(Path, hits) if h.is_dir() for p in h.iterdir()} - {""})
        what = f"no shards of split {split!r}" if split else "no shards"
        have = f"it has {', '.join(present)}" if present else "shards are named SPLIT-00000-of-00016.tfrecord[.gz]"
        raise UsageError(f"{text}: {what}; {have}. Make them with python -m p2p_keras.simulate or .pack")
    return shards


def _check_complete(folder: Path, shards: list[Path]) -> None:
    """Shards of one split must come from one run; a hole in their numbers is worth a warning."""
    counts: dict[str, dict[int, set[int]]] = {}
    for path in shards:
        match = _NAME.fullmatch(path.name)
        assert match is not None
        counts.setdefault(match["split"], {}).setdefault(int(match["count"]), set()).add(int(match["index"]))
    for split, runs in counts.items():
        if len(runs) > 1:
            raise UsageError(
                f"{folder}: split {split!r} mixes shards of several runs (of {' and '.join(map(str, sorted(runs)))}); "
                "keep each run in a folder of its own"
            )
        (count, present), *_ = runs.items()
        if folder.is_dir() and len(present) < count:
            _log.warning("%s: %d of %d shards of split %r are there", folder, len(present), count, split)
