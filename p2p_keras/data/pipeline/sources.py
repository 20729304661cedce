"""Which shards are read, and what can be seen of them before: for tf.data and for our own reader alike."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from p2p_keras.core.errors import UsageError
from p2p_keras.data.shards import check_sizes, decode_example, find_shards, read_manifest, read_records
from p2p_keras.data.shards.paths import split_of_shard

__all__ = ["SHUFFLE_BUFFER", "checked_shards", "by_fitting_sizes", "records_in"]

SHUFFLE_BUFFER = 512
"""Records held for shuffling: 130 MB of 256 x 256 images."""


def checked_shards(data: str | os.PathLike, split: str, batch_size: int, image_sizes: Sequence[int]) -> list[Path]:
    """Shards of a split, after a look at all that can be seen at once.

    Raises
    ------
    UsageError
        For sizes that aren't positive; when there are no shards, no such split, or they are of another schema.
    """
    if batch_size < 1 or not image_sizes or min(image_sizes) < 1:
        raise UsageError(f"batch_size={batch_size} and image_sizes={tuple(image_sizes)} must be positive")
    paths = find_shards(data, split)
    _check(paths)
    return paths


def by_fitting_sizes(
    paths: list[Path], image_sizes: tuple[int, ...], largest: bool = False
) -> dict[tuple[int, ...], tuple[list[Path], float]]:
    """Group shards by which sizes their images are large enough for (all sizes where none is), with their share.

    The share is in proportion to the number of images, estimated from bytes a pixel.
    """
    if len(image_sizes) == 1:
        return {image_sizes: (paths, 1.0)}
    groups: dict[tuple[int, ...], tuple[list[Path], float]] = {}
    stored: dict[Path, int] = {}
    for path in paths:
        if path.parent not in stored:
            record = next(read_records(path), None)
            # Images of a folder are alike in size: the first one speaks for all.
            stored[path.parent] = max(decode_example(record).image.shape) if record is not None else 1
        fitting = tuple(size for size in image_sizes if size <= stored[path.parent]) or image_sizes
        if largest:
            fitting = (max(fitting),)
        group, share = groups.get(fitting, ([], 0.0))
        groups[fitting] = ([*group, path], share + path.stat().st_size / stored[path.parent] ** 2)
    return groups


def records_in(paths: list[Path]) -> int:
    """Records of all shards, from their manifests; those that no manifest tells of are counted."""
    manifests = {folder: read_manifest(folder) for folder in {path.parent for path in paths}}
    total = 0
    for path in paths:
        manifest = manifests[path.parent]
        entry = manifest.shards.get(path.name) if manifest else None
        total += entry.records if entry else sum(1 for _ in read_records(path))
    return total


def _check(paths: list[Path]) -> None:
    for folder in sorted({path.parent for path in paths}):
        check_sizes(folder)
    first = next(read_records(paths[0]), None)
    if first is None and (len(paths) == 1 or records_in(paths) == 0):
        raise UsageError(
            f"{paths[0].parent}: split {split_of_shard(paths[0])!r} is empty; make it again with a larger fraction"
        )
    if first is not None:
        try:
            decode_example(first, f"{paths[0]}: record 0")
        except ValueError as error:
            raise UsageError(f"{error}; make the shards again with this version of p2p_keras") from None
