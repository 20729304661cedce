"""Shards -> batches for training and evaluation.

The order: shuffle the files, interleave their records, shuffle records while they are still compact bytes, then parse,
crop, augment, put the label on the grid, batch, prefetch.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from p2p_keras.core import radii
from p2p_keras.data.pipeline import augmentation as varied
from p2p_keras.data.pipeline.labels import targets_on_grid
from p2p_keras.data.pipeline.parsing import parse_galaxy
from p2p_keras.data.pipeline.sources import SHUFFLE_BUFFER, Augmentation, by_fitting_sizes, checked_shards, records_in
from p2p_keras.data.shards.paths import compression_of

__all__ = ["make_dataset"]

_FILES_AT_ONCE = 8


def make_dataset(
    data: str | os.PathLike,
    split: str,
    *,
    batch_size: int,
    image_sizes: Sequence[int] = (256,),
    largest: bool = False,
    augment: bool | Augmentation = False,
    shuffle: bool = False,
    seed: int | None = None,
    deterministic: bool = True,
    repeat: bool = False,
    shuffle_buffer: int = SHUFFLE_BUFFER,
) -> tf.data.Dataset:
    """Batches of images and targets from shards.

    Parameters
    ----------
    data : path
        Folder of shards, or a glob pattern of such folders or of shards.
    split : str
        ``"train"``, ``"val"`` or ``"test"``.
    batch_size : int
    image_sizes : sequence of int, optional
        Sides in pixels; every batch has one of them, drawn at random when there are several. Images are cropped at
        their middle. Folders of smaller images get only the sizes that fit them; where none fits, images are
        surrounded by NaN.
    largest : bool, optional
        Give every folder only the largest of the sizes that fit its images, as validation wants.
    augment : bool or Augmentation, optional
        Wobble, turns and mirrors; anew in each epoch.
    shuffle : bool, optional
        Shuffle files and records, anew in each epoch.
    seed : int, optional
        The same seed gives the same batches, when `deterministic`.
    deterministic : bool, optional
        False lets files that are read faster come first.
    repeat : bool, optional
        Go on for ever, epochs joined without a short batch.
    shuffle_buffer : int, optional
        Records held for shuffling.

    Returns
    -------
    tf.data.Dataset of (inputs, targets)
        inputs: `image` float32 [B, S, S] (linear flux, NaN masked), `zero_point`, `pixel_scale` float32 [B].

        targets, at the K radii ``radii.grid_px(S)`` times pixel_scale: `mu` float32 [B, K] (mag arcsec^-2, finite fill
        where not known), `known` bool [B, K] (the label reaches there), `within` bool [B, K] (sma <= extent), `e1`,
        `e2` float32 [B, K] (0 where not known), `geometry_known` bool [B, K]; `x0`, `y0` float32 [B] (pixels of the
        image as given, 0 where not known), `centre_known` bool [B]; `mag_total`, `noise`, `sky` float32 [B] (0 where
        not known), `mag_known`, `sky_known` bool [B].

    Raises
    ------
    UsageError
        When there are no shards, no such split, or they are of another schema.
    InputError
        When a shard was cut off since it was made.
    """
    paths = checked_shards(data, split, batch_size, image_sizes)
    seed = int(np.random.default_rng().integers(2**31)) if seed is None else int(seed)
    policy = Augmentation() if augment is True else (augment or None)

    groups = by_fitting_sizes(paths, tuple(map(int, image_sizes)), largest)
    parts = [
        _batches(
            group,
            batch_size=batch_size,
            image_sizes=fitting,
            policy=policy,
            seed=seed + 11 * i,
            shuffle=shuffle,
            deterministic=deterministic,
            repeat=repeat,
            shuffle_buffer=shuffle_buffer,
        )
        for i, (fitting, (group, _)) in enumerate(groups.items())
    ]
    if len(parts) == 1:
        dataset = parts[0]
    elif repeat:
        pixels = [number for _, number in groups.values()]
        dataset = tf.data.Dataset.sample_from_datasets(
            parts, [number / sum(pixels) for number in pixels], seed=seed + 5
        )
    else:
        dataset = parts[0]
        for part in parts[1:]:
            dataset = dataset.concatenate(part)
    if not repeat:
        # Without it Keras runs into the end of an evaluation, and warns of too little data.
        batches = sum(-(-records_in(group) // batch_size) for group, _ in groups.values())
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches))
    return dataset.prefetch(tf.data.AUTOTUNE)


def _batches(
    paths: list[Path],
    *,
    batch_size: int,
    image_sizes: tuple[int, ...],
    policy: Augmentation | None,
    seed: int,
    shuffle: bool,
    deterministic: bool,
    repeat: bool,
    shuffle_buffer: int,
) -> tf.data.Dataset:
    """Batches of shards whose images serve all of the sizes."""
    records = _records(paths, shuffle=shuffle, seed=seed, deterministic=deterministic)
    if shuffle:
        records = records.shuffle(shuffle_buffer, seed=seed + 1, reshuffle_each_iteration=True)
    if repeat:
        records = records.repeat()
    # Two seeds a record, other ones in each epoch, the same in each run.
    seeds = tf.data.Dataset.random(seed=seed + 2, rerandomize_each_iteration=True).batch(2, drop_remainder=True)
    sizes = _sizes(image_sizes, batch_size, seed)

    def example(record: tf.Tensor, element_seed: tf.Tensor, size: tf.Tensor) -> tuple[dict, dict]:
        side = image_sizes[0] if len(image_sizes) == 1 else None
        return _example(parse_galaxy(record), size, element_seed, policy, side)

    dataset = tf.data.Dataset.zip(records, seeds, sizes)
    # In order also when files come as they like: the images of a batch must be of one size.
    dataset = dataset.map(example, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return dataset.batch(batch_size, drop_remainder=repeat)


def _records(paths: list[Path], *, shuffle: bool, seed: int, deterministic: bool) -> tf.data.Dataset:
    """Read serialized examples of all shards, a few files at a time."""
    files = tf.data.Dataset.from_tensor_slices(([str(p) for p in paths], [compression_of(p) for p in paths]))
    if shuffle:
        files = files.shuffle(len(paths), seed=seed, reshuffle_each_iteration=True)
    return files.interleave(
        lambda path, compression: tf.data.TFRecordDataset(path, compression_type=compression, buffer_size=1 << 20),
        cycle_length=min(_FILES_AT_ONCE, len(paths)),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=deterministic,
    )


def _sizes(image_sizes: tuple[int, ...], batch_size: int, seed: int) -> tf.data.Dataset:
    """Draw the image size of each element: one for a whole batch, for ever."""
    if len(image_sizes) == 1:
        return tf.data.Dataset.from_tensors(tf.constant(image_sizes[0])).repeat()
    table = tf.constant(image_sizes)
    drawn = tf.data.Dataset.random(seed=seed + 3, rerandomize_each_iteration=True)
    return drawn.flat_map(
        lambda number: tf.data.Dataset.from_tensors(tf.gather(table, number % len(image_sizes))).repeat(batch_size)
    )


def _example(
    galaxy: dict[str, tf.Tensor], size: tf.Tensor, seed: tf.Tensor, policy: Augmentation | None, side: int | None
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """Crop, augment and label one galaxy; `side` is the size where it is always the same."""
    variation = varied.draw(policy, size, seed) if policy else varied.no_variation()
    image, left, top = varied.crop(galaxy["image"], size, variation["dx"], variation["dy"])
    targets = targets_on_grid(galaxy, size)
    x0 = galaxy["x0"] - tf.cast(left, tf.float32)
    y0 = galaxy["y0"] - tf.cast(top, tf.float32)
    if policy:
        image, x0, y0, targets["e1"], targets["e2"] = varied.turn(
            image, x0, y0, targets["e1"], targets["e2"], turns=variation["turns"], mirror=variation["mirror"]
        )
    image = tf.ensure_shape(image, [side, side])
    for key in ("mu", "known", "within", "e1", "e2", "geometry_known"):
        targets[key] = tf.ensure_shape(targets[key], [radii.NUM_RADII])
    centre_known = tf.math.is_finite(x0) & tf.math.is_finite(y0)
    targets["centre_known"] = centre_known
    targets["x0"], targets["y0"] = tf.where(centre_known, x0, 0.0), tf.where(centre_known, y0, 0.0)
    for key in ("mag_total", "noise", "sky"):
        targets[key] = tf.where(tf.math.is_finite(galaxy[key]), galaxy[key], 0.0)
    targets["mag_known"] = tf.math.is_finite(galaxy["mag_total"])
    targets["sky_known"] = tf.math.is_finite(galaxy["sky"])
    inputs = {"image": image, "zero_point": galaxy["zero_point"], "pixel_scale": galaxy["pixel_scale"]}
    return inputs, targets
