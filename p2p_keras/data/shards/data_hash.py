"""One number for a data set, by which a model's card and its ``describe`` signature name what it was trained on."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from p2p_keras.core.errors import P2PError
from p2p_keras.data.shards.manifest import read_manifest, sha256_of
from p2p_keras.data.shards.paths import find_shards

__all__ = ["data_hash"]


def data_hash(data: str | os.PathLike, split: str = "train") -> str:
    """SHA-256 of the sorted lines ``SHA256  NAME`` (as ``sha256sum`` writes them) of a split's shards.

    Parameters
    ----------
    data : path
        As `find_shards` takes it; a pattern may name several folders. Checksums are taken from ``dataset.json`` where a
        shard still has the size that stands there, else computed.
    split : str

    Returns
    -------
    str
        Hexadecimal; empty where the shards are no longer there.
    """
    try:
        shards = find_shards(data, split)
        lines = [f"{_checksum(shard)}  {shard.name}\n" for shard in shards]
    except (P2PError, OSError):
        return ""
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _checksum(shard: Path) -> str:
    manifest = read_manifest(shard.parent)
    known = manifest.shards.get(shard.name) if manifest else None
    return known.sha256 if known and known.bytes == shard.stat().st_size else sha256_of(shard)
