"""``dataset.json`` beside the shards: what they hold, how they were made, and their checksums."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from p2p_keras.core.errors import InputError, P2PError, UsageError
from p2p_keras.core.version import __version__
from p2p_keras.data.shards.paths import find_shards, split_of_shard
from p2p_keras.data.shards.schema import SCHEMA_VERSION
from p2p_keras.data.shards.tfrecord import read_records

__all__ = [
    "FILE_NAME",
    "ShardEntry",
    "Manifest",
    "sha256_of",
    "describe_shard",
    "write_manifest",
    "read_manifest",
    "check_sizes",
    "verify_checksums",
    "data_hash",
]

FILE_NAME = "dataset.json"


@dataclass(frozen=True)
class ShardEntry:
    """One shard: records in it, its size in bytes and the SHA-256 of the file."""

    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What ``dataset.json`` says.

    Attributes
    ----------
    program : str
        What made the shards, e.g. ``"p2p_keras.simulate"``.
    seed : int or None
    settings : mapping
        All else that is needed to make them again.
    version : str
        Version of p2p_keras.
    schema_version : int
    counts : mapping
        Images in each split.
    shards : mapping
        File name to `ShardEntry`.
    """

    program: str
    seed: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: str = __version__
    schema_version: int = SCHEMA_VERSION
    counts: Mapping[str, int] = field(default_factory=dict)
    shards: Mapping[str, ShardEntry] = field(default_factory=dict)


def sha256_of(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe_shard(path: str | os.PathLike) -> ShardEntry:
    """Count the records of a shard, and take its size and checksum.

    Raises
    ------
    InputError
        A record is damaged or cut off.
    """
    return ShardEntry(records=sum(1 for _ in read_records(path)), bytes=os.path.getsize(path), sha256=sha256_of(path))


def write_manifest(
    folder: str | os.PathLike, *, program: str, seed: int | None = None, settings: Mapping[str, Any] | None = None
) -> Manifest:
    """Describe all shards of a folder in its ``dataset.json``.

    It holds no date, so that the same command and seed give the same bytes.

    Parameters
    ----------
    folder : path
        Where the shards are.
    program, seed, settings
        See `Manifest`; `settings` must be what JSON can hold.
    """
    shards = {path.name: describe_shard(path) for path in find_shards(folder)}
    counts: dict[str, int] = {}
    for name, entry in shards.items():
        counts[split_of_shard(name)] = counts.get(split_of_shard(name), 0) + entry.records
    manifest = Manifest(program=program, seed=seed, settings=dict(settings or {}), counts=counts, shards=shards)
    path = Path(folder) / FILE_NAME
    temporary = path.with_name(f".{FILE_NAME}.{os.getpid()}.part")
    try:
        temporary.write_text(json.dumps(asdict(manifest), indent=1) + "\n")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"{path}: can't be written: {error.strerror}") from error
    return manifest


def read_manifest(folder: str | os.PathLike) -> Manifest | None:
    """Read the manifest of a folder.

    Returns
    -------
    Manifest or None
        None if the folder has none.

    Raises
    ------
    UsageError
        It can't be read, or the shards have another schema.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        content["shards"] = {name: ShardEntry(**entry) for name, entry in content["shards"].items()}
        manifest = Manifest(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path}: this is not a description of shards ({error}); make it again with the shards"
        ) from None
    if manifest.schema_version != SCHEMA_VERSION:
        raise UsageError(
            f"{path}: shards have schema version {manifest.schema_version}, this software reads {SCHEMA_VERSION}: "
            "make them again with python -m p2p_keras.simulate or .pack"
        )
    return manifest


def check_sizes(folder: str | os.PathLike) -> None:
    """Compare the sizes of shards with the manifest. This is fast, and finds a shard that was cut off.

    Raises
    ------
    InputError
        Names the first shard that has another size.
    """
    manifest = read_manifest(folder)
    for name, entry in manifest.shards.items() if manifest else ():
        path = Path(folder) / name
        if path.exists() and path.stat().st_size != entry.bytes:
            raise InputError(path, f"has {path.stat().st_size} bytes, {FILE_NAME} says {entry.bytes}; make it again")


def verify_checksums(folder: str | os.PathLike) -> list[InputError]:
    """Compare every shard with the checksums of the manifest.

    Returns
    -------
    list of InputError
        One for each shard that is missing or differs.

    Raises
    ------
    UsageError
        The folder has no manifest.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise UsageError(f"{folder}: has no {FILE_NAME}, so there are no checksums to compare with")
    errors = []
    for name, entry in manifest.shards.items():
        path = Path(folder) / name
        if not path.exists():
            errors.append(InputError(path, "is missing; make it again"))
        elif sha256_of(path) != entry.sha256:
            errors.append(InputError(path, f"differs from its checksum in {FILE_NAME}; make it again"))
    return errors


def data_hash(data: str | os.PathLike) -> str:
    """SHA-256 of the sorted lines ``SHA256  NAME`` (as ``sha256sum`` writes them) of the training split's shards.

    Parameters
    ----------
    data : path
        As `find_shards` takes it; a pattern may name several folders. Checksums are taken from ``dataset.json`` where a
        shard still has the size that stands there, else computed.

    Returns
    -------
    str
        Hexadecimal; empty where the shards are no longer there.
    """
    try:
        shards = find_shards(data, "train")
        lines = [f"{_checksum(shard)}  {shard.name}\n" for shard in shards]
    except (P2PError, OSError):
        return ""
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _checksum(shard: Path) -> str:
    manifest = read_manifest(shard.parent)
    known = manifest.shards.get(shard.name) if manifest else None
    return known.sha256 if known and known.bytes == shard.stat().st_size else sha256_of(shard)
