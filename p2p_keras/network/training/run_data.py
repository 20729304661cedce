"""The galaxies of a run: batches to train on and those held out, by tf.data or by our own reader."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import keras

from p2p_keras.core.errors import UsageError
from p2p_keras.data.shards import find_shards, read_manifest, read_records, read_shards
from p2p_keras.network.training.config import FitConfig

__all__ = ["batches", "held_out", "stored_size", "count_galaxies", "held_out_splits"]


def batches(*args: Any, **settings: Any) -> Any:
    """Batches by tf.data, or by our own reader where TensorFlow isn't installed."""
    if find_spec("tensorflow") is None:
        from p2p_keras.data.pipeline import ShardBatches

        return ShardBatches(*args, **settings)
    from p2p_keras.data.pipeline import make_dataset

    if keras.config.backend() != "tensorflow":
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")  # it would take the memory of a GPU that it has no use for
    return make_dataset(*args, **settings)


def held_out(config: FitConfig, split: str, sizes: tuple[int, ...]) -> Any:
    """Batches of a split that isn't trained on, each image as large as the training may see it."""
    return batches(config.data, split, batch_size=config.batch_size, image_sizes=sizes, largest=True, seed=config.seed)


def stored_size(data: str, split: str = "train") -> int:
    """Longer side in pixels of the first image of a split."""
    galaxy = next(iter(read_shards(find_shards(data, split))))
    return int(max(galaxy.image.shape))


def count_galaxies(data: str, split: str) -> int:
    """Training examples of a split, from dataset.json where there is one."""
    manifest = read_manifest(data)
    if manifest is not None and split in manifest.counts:
        return int(manifest.counts[split])
    return sum(1 for path in find_shards(data, split) for _ in read_records(path))


def held_out_splits(data: str) -> list[str]:
    """Splits that no weight saw: `val`, on which epoch and calibration are chosen, and `test` where there is one."""
    try:
        find_shards(data, "test")
    except UsageError:
        return ["val"]
    return ["val", "test"]
