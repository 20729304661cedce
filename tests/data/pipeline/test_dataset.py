"""The whole input pipeline: what a training step gets."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.core import radii
from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.data.pipeline import Augmentation, make_dataset
from p2p_keras.data.shards import ShardWriter, find_shards, shard_name, write_manifest


def all_of(dataset) -> list[tuple[dict, dict]]:
    """Every batch as numpy."""
    return list(dataset.as_numpy_iterator())


def zero_points(dataset) -> list[float]:
    """Which galaxies came, in their order."""
    return [float(value) for inputs, _ in all_of(dataset) for value in inputs["zero_point"]]


def test_batches_have_the_documented_form(spots):
    """A training step would meet a missing key, another shape or a NaN in its targets."""
    dataset = make_dataset(spots, "train", batch_size=4, image_sizes=(48,))
    assert dataset.element_spec[0]["image"].shape.as_list() == [None, 48, 48]
    assert int(dataset.cardinality()) == 3
    batches = all_of(dataset)
    assert [len(inputs["image"]) for inputs, _ in batches] == [4, 4, 2]
    inputs, targets = batches[0]
    assert {key: value.dtype.name for key, value in inputs.items()} == dict.fromkeys(inputs, "float32")
    assert set(inputs) == {"image", "zero_point", "pixel_scale"}
    for key in ("mu", "e1", "e2", "known", "within", "geometry_known"):
        assert targets[key].shape == (4, radii.NUM_RADII)
    for key in ("known", "within", "geometry_known", "centre_known", "mag_known", "sky_known"):
        assert targets[key].dtype == bool
    assert all(np.isfinite(value).all() for value in targets.values())
    # 64 -> 48 cuts 8 pixels on each side.
    assert targets["x0"].tolist() == [26.0] * 4
    assert targets["y0"].tolist() == [20.0] * 4
    assert targets["mag_total"].tolist() == [17.0] * 4


@pytest.mark.parametrize("sizes", [(64,), (48, 64)])
def test_an_epoch_has_a_known_length(spots, make_spot, tmp_path, sizes):
    """Keras would warn after every evaluation that the input ran out of data."""
    bare = shutil.copytree(spots, tmp_path / "bare", ignore=shutil.ignore_patterns("dataset.json"))
    (tmp_path / "small").mkdir()
    with ShardWriter(tmp_path / "small" / shard_name("train", 0, 1)) as shard:
        for number in range(3):
            shard.write(make_spot(f"small{number}", shape=(48, 48), x0=20.0, y0=20.0))
    for data in (bare, tmp_path / "*"):
        dataset = make_dataset(data, "train", batch_size=4, image_sizes=sizes, largest=True)
        assert int(dataset.cardinality()) == len(all_of(dataset))


def test_static_shapes_where_training_repeats(spots):
    """A compiled training step would be traced again for the last, short batch."""
    dataset = make_dataset(spots, "train", batch_size=4, image_sizes=(48,), repeat=True, shuffle=True)
    assert dataset.element_spec[0]["image"].shape.as_list() == [4, 48, 48]
    assert sum(1 for _ in dataset.take(10)) == 10


def test_every_galaxy_comes_once_an_epoch(spots):
    """Some galaxies would be seen twice and others never."""
    for options in ({}, {"shuffle": True}, {"shuffle": True, "augment": True, "deterministic": False}):
        seen = zero_points(make_dataset(spots, "train", batch_size=3, image_sizes=(64,), seed=1, **options))
        assert sorted(seen) == [20.0 + i for i in range(10)]


def test_the_same_seed_gives_the_same_batches(spots):
    """A training run could not be repeated."""
    options = {"batch_size": 4, "image_sizes": (40, 48), "augment": True, "shuffle": True}
    first, again, other = (all_of(make_dataset(spots, "train", seed=seed, **options)) for seed in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        for part in range(2):
            for key in a[part]:
                np.testing.assert_array_equal(a[part][key], b[part][key])
    assert any(
        a[0]["image"].shape != b[0]["image"].shape or not np.array_equal(a[0]["image"], b[0]["image"], equal_nan=True)
        for a, b in zip(first, other, strict=True)
    )


def test_epochs_differ(spots):
    """Augmentation would show the same few images again and again."""
    dataset = make_dataset(spots, "train", batch_size=10, image_sizes=(48,), augment=True, shuffle=True, seed=3)
    first, second = all_of(dataset)[0], all_of(dataset)[0]
    assert not np.array_equal(first[0]["zero_point"], second[0]["zero_point"])
    assert not np.array_equal(first[1]["x0"], second[1]["x0"])


def test_a_batch_has_one_of_the_sizes(spots):
    """Only one image size would be learned, or a batch fail on mixed sizes."""
    dataset = make_dataset(spots, "train", batch_size=2, image_sizes=(32, 48), repeat=True, seed=1)
    seen = [inputs["image"].shape for inputs, _ in dataset.take(20).as_numpy_iterator()]
    assert set(seen) == {(2, 32, 32), (2, 48, 48)}


def test_augmented_centre_is_where_the_galaxy_is(spots):
    """Wobble, turn and mirror together would leave the label behind."""
    dataset = make_dataset(spots, "train", batch_size=10, image_sizes=(48,), augment=Augmentation(wobble=0.05), seed=5)
    for inputs, targets in all_of(dataset.repeat(3)):
        for image, x0, y0, e2 in zip(inputs["image"], targets["x0"], targets["y0"], targets["e2"], strict=True):
            peak_y, peak_x = np.unravel_index(np.nanargmax(image), image.shape)
            assert (x0, y0) == (peak_x, peak_y)
            ahead = image[int(y0) + 2, int(x0) + 2] - image[int(y0) + 2, int(x0) - 2]
            assert np.sign(e2[20]) == np.sign(ahead)  # the major axis lies on the side that e2 says


def test_unknown_numbers_are_finite_and_marked(tmp_path, make_spot):
    """One real galaxy without a measured sky would make the whole loss NaN."""
    unknown = dict.fromkeys(("x0", "y0", "mag_total", "noise", "sky", "extent"), np.nan)
    galaxy = make_spot(ellipticity=None, pa=None)
    for key, value in unknown.items():
        setattr(galaxy, key, value)
    with ShardWriter(tmp_path / shard_name("val", 0, 1)) as shard:
        shard.write(galaxy)
    ((_, targets),) = all_of(make_dataset(tmp_path, "val", batch_size=2, image_sizes=(64,)))
    assert all(np.isfinite(value).all() for value in targets.values())
    for key in ("centre_known", "mag_known", "sky_known"):
        assert not targets[key].any()
    assert not targets["geometry_known"].any()


def test_a_small_image_is_surrounded_by_nan(spots):
    """Images smaller than the training size would stop the run."""
    inputs, targets = all_of(make_dataset(spots, "train", batch_size=2, image_sizes=(80,)))[0]
    assert np.isnan(inputs["image"][0, :8]).all()
    assert np.isfinite(inputs["image"][0, 8:72, 8:72]).all()
    assert targets["x0"][0] == 42.0


def test_wrong_usage_is_a_sentence(spots, tmp_path):
    """A typing error would end in a traceback from deep inside TensorFlow."""
    with pytest.raises(UsageError, match="no shards of split 'test'; it has train"):
        make_dataset(spots, "test", batch_size=2)
    with pytest.raises(UsageError, match="no such shards"):
        make_dataset(tmp_path / "nowhere", "train", batch_size=2)
    with pytest.raises(UsageError, match="must be positive"):
        make_dataset(spots, "train", batch_size=0)
    with ShardWriter(tmp_path / shard_name("val", 0, 1)):
        pass
    write_manifest(tmp_path, program="test")
    with pytest.raises(UsageError, match="split 'val' is empty"):
        make_dataset(tmp_path, "val", batch_size=2)


def test_shards_of_something_else(tmp_path):
    """Records of another schema would be read as galaxies."""
    with tf.io.TFRecordWriter(str(tmp_path / shard_name("train", 0, 1))) as writer:
        writer.write(tf.train.Example().SerializeToString())
    with pytest.raises(UsageError, match=r"record 0: feature 'schema_version' is missing; make the shards again"):
        make_dataset(tmp_path, "train", batch_size=2)


def test_a_cut_shard_is_found_before_training(spots, tmp_path):
    """The run would stop in the middle of the first epoch."""
    folder = shutil.copytree(spots, tmp_path / "copy")
    path = find_shards(folder)[1]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=path.name):
        make_dataset(folder, "train", batch_size=2)
