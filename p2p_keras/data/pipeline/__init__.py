"""Input pipeline: shards -> augmented, batched examples, by tf.data or, without TensorFlow, by our own reader."""

from __future__ import annotations

import importlib
from typing import Any

from p2p_keras.data.pipeline.sources import Augmentation

__all__ = ["Augmentation", "ParsedImages", "ShardBatches", "make_dataset", "parse_images"]

_LAZY = {
    "ParsedImages": "parsing",
    "ShardBatches": "shard_batches",
    "make_dataset": "dataset",
    "parse_images": "parsing",
}


def __getattr__(name: str) -> Any:
    """Import what needs TensorFlow or Keras on first use."""
    if name in _LAZY:
        return getattr(importlib.import_module(f"p2p_keras.data.pipeline.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
