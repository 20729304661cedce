"""Batches without TensorFlow are those that tf.data makes."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.data.pipeline import Augmentation, ShardBatches, augmentation, make_dataset, shard_batches
from p2p_keras.data.shards import ShardWriter


def test_without_variation_both_give_the_same_batches(make_spot, spots, tmp_path):
    """A network trained without TensorFlow would learn other labels from the same shards."""
    with ShardWriter(tmp_path / "train-00000-of-00001.tfrecord") as shard:
        shard.write(make_spot("whole"))
        shard.write(make_spot("no shape", ellipticity=None, pa=None))
        shard.write(make_spot("unknown", x0=np.nan, extent=np.nan, mag_total=np.nan, sky=np.nan))
        holes = np.where(np.arange(15) == 7, np.nan, 21.0)
        shard.write(make_spot("holes", mu=holes, ellipticity=np.zeros(15), pa=np.full(15, np.nan), shape=(50, 70)))
    for data in (tmp_path, spots):
        settings = {"batch_size": 3, "image_sizes": (60,), "seed": 1}
        ours = ShardBatches(data, "train", **settings)
        theirs = list(make_dataset(data, "train", **settings))
        assert ours.num_batches == len(theirs)
        order = np.argsort([name for batch in ours for name in batch[0]["zero_point"]], kind="stable")
        for part in range(2):
            for name, values in theirs[0][part].items():
                mine = np.concatenate([batch[part][name] for batch in ours])[order]
                other = np.concatenate([np.asarray(batch[part][name]) for batch in theirs])
                there = np.argsort(np.concatenate([b[0]["zero_point"] for b in theirs]), kind="stable")
                np.testing.assert_allclose(mine, other[there], rtol=1e-5, atol=1e-5, err_msg=name)
                assert mine.dtype == values.dtype.as_numpy_dtype


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirror", [False, True])
def test_both_turn_alike(make_spot, turns, mirror):
    """Position angles would be wrong in seven of eight images, on one of the two ways to read."""
    image, e1, e2 = make_spot().image, np.array([0.1, 0.2], "float32"), np.array([0.3, -0.1], "float32")
    ours = shard_batches.turn(image, np.float32(30), np.float32(20), e1, e2, turns=turns, mirror=mirror)
    tensors = (tf.constant(v) for v in (image, np.float32(30), np.float32(20), e1, e2))
    theirs = augmentation.turn(*tensors, turns=tf.constant(turns), mirror=tf.constant(mirror))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6)


@pytest.mark.parametrize("shift", [(0, 0), (5, -7), (-40, 3)])
def test_both_crop_alike(make_spot, shift):
    """Centres would be off by the wobble."""
    image = make_spot(shape=(64, 70)).image
    for size in (33, 90):
        ours = shard_batches.crop(image, size, *shift)
        theirs = augmentation.crop(tf.constant(image), tf.constant(size), *map(tf.constant, shift))
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_training_batches_vary_from_pass_to_pass_but_not_from_run_to_run(spots):
    """Each epoch would see the same eight orientations, or a run couldn't be repeated."""
    settings = {"batch_size": 4, "image_sizes": (48, 64), "augment": Augmentation(), "shuffle": True, "seed": 3}

    def passes():
        batches = ShardBatches(spots, "train", **settings)
        return [[batch[0] for batch in batches] for _ in range(2)]

    first, second = passes()
    again, _ = passes()
    assert sorted(z for b in first for z in b["zero_point"]) == list(range(20, 30))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
    assert any(one["image"].shape != other["image"].shape or not np.array_equal(one["image"], other["image"], True)
               for one, other in zip(first, second, strict=True))  # fmt: skip


def test_endless_batches_are_whole_and_come_by_index(spots):
    """Keras' `fit` would stop in the middle of an epoch, or get a short batch that JAX compiles anew."""
    endless = ShardBatches(spots, "train", batch_size=4, image_sizes=(64,), shuffle=True, seed=1).repeat()
    assert endless.num_batches is None
    sizes = [len(endless[i][0]["image"]) for i in range(7)]
    assert sizes == [4] * 7
