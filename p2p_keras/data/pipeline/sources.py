"""Which shards are read, what can be seen of them before, and what is varied at random in their images.

The same for tf.data and for our own reader.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from p2p_keras.core.errors import UsageError
from p2p_keras.data.shards import check_sizes, decode_example, find_shards, read_manifest, read_records
from p2p_keras.data.shards.paths import split_of_shard

__all__ = ["SHUFFLE_BUFFER", "checked_shards", "by_fitting_sizes", "records_in", "MOST_SIGMA", "Augmentation"]

SHUFFLE_BUFFER = 512
"""Records held for shuffling: 130 MB of 256 x 256 images."""


MOST_SIGMA = 3.0
"""Beyond so many sigma a galaxy would stand at the edge of its image."""


@dataclass(frozen=True)
class Augmentation:
    """What is varied at random in training images, and by how much.

    Attributes
    ----------
    wobble : float
        1-sigma of the centre's shift in x and in y, as a fraction of the image's side: the paper's 10 px of 256.
    rotate : bool
        Turn by 0, 90, 180 or 270 degrees, alike often.
    flip : bool
        Mirror half of the images; with `rotate`, all eight orientations are alike often.
    """

    wobble: float = 10.0 / 256.0
    rotate: bool = True
    flip: bool = True


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
