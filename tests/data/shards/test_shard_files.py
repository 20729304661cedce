"""Shards on disk: whole or absent, damage named, dataset.json true."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.data.shards import (
    ShardWriteError,
    ShardWriter,
    check_sizes,
    describe_shard,
    find_damage,
    find_shards,
    read_manifest,
    read_shards,
    shard_name,
    verify_checksums,
    write_manifest,
)


def test_galaxies_come_back_in_order(folder):
    """Records would be lost or doubled between writing and training."""
    names = [galaxy.name for galaxy in read_shards(find_shards(folder))]
    assert names == [f"galaxy-{i}-{j}" for i in range(3) for j in range(2)]


def test_a_shard_appears_only_when_it_is_whole(tmp_path, make_galaxy):
    """A killed run would leave half a shard that looks finished."""
    path = tmp_path / shard_name("val", 0, 1)
    shard = ShardWriter(path)
    with shard:
        shard.write(make_galaxy())
        assert not path.exists()
    assert [path] == list(tmp_path.iterdir())
    path.unlink()
    with pytest.raises(InputError), ShardWriter(path) as shard:
        shard.write(make_galaxy(zero_point=np.nan))
    assert list(tmp_path.iterdir()) == []


def test_a_bad_galaxy_leaves_the_shard_usable(tmp_path, make_galaxy):
    """One bad galaxy would cost the whole shard."""
    path = tmp_path / shard_name("val", 0, 1)
    with ShardWriter(path) as shard:
        shard.write(make_galaxy("good"))
        with pytest.raises(InputError, match="bad"):
            shard.write(make_galaxy("bad", zero_point=np.nan))
        shard.write(make_galaxy("better"))
        assert shard.records == 2
    assert [galaxy.name for galaxy in read_shards(path)] == ["good", "better"]


@pytest.mark.parametrize("share", [0.1, 0.6, 0.999])
def test_a_shard_cut_in_the_middle_is_named(folder, share):
    """A copy that broke off would be trained on, or end in a message without a file."""
    for path in find_shards(folder):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(share * len(whole))])
        error = find_damage([path])
        assert error is not None
        assert str(path) in str(error)
        assert "record" in str(error)
        with pytest.raises(InputError, match="record"):
            describe_shard(path)
        with pytest.raises(InputError, match=r"bytes, dataset\.json says"):
            check_sizes(folder)
        path.write_bytes(whole)
    assert find_damage(find_shards(folder)) is None


def test_cut_record_has_its_number(folder):
    """The user would not know which galaxy was lost."""
    path = find_shards(folder)[0]
    path.write_bytes(path.read_bytes()[:-5])
    assert "record 1: cut off in the middle" in str(find_damage([path]))


def test_a_flipped_bit_is_found_with_file_and_record(folder, rng):
    """A damaged disk would give galaxies with a wrong flux."""
    for path in find_shards(folder)[:2]:
        whole = path.read_bytes()
        half = len(whole) // 2  # both records are of the same length
        for place in rng.integers(half + 20, len(whole), 5):
            broken = bytearray(whole)
            broken[place] ^= 1 << rng.integers(8)
            path.write_bytes(broken)
            error = find_damage([path])
            assert error is not None
            assert f"{path}: record 1: damaged" in str(error)
            assert [e.source for e in verify_checksums(folder)] == [str(path)]
        path.write_bytes(whole)
    assert verify_checksums(folder) == []


def test_a_flipped_bit_in_a_compressed_shard_is_found(folder):
    """Compressed shards would be less safe than plain ones."""
    path = find_shards(folder)[2]
    broken = bytearray(path.read_bytes())
    broken[len(broken) // 2] ^= 4
    path.write_bytes(broken)
    assert str(path) in str(find_damage([path]))


def test_manifest_tells_counts_origin_and_checksums(folder):
    """Nobody could make the same shards again or see that they are whole."""
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.counts == {"train": 6}
    assert (manifest.program, manifest.seed, manifest.settings) == ("test", 5, {"survey": "sdss"})
    assert [entry.records for entry in manifest.shards.values()] == [2, 2, 2]
    before = (folder / "dataset.json").read_bytes()
    write_manifest(folder, program="test", seed=5, settings={"survey": "sdss"})
    assert (folder / "dataset.json").read_bytes() == before


def test_missing_shard_is_reported(folder):
    """A shard that was deleted would only show as fewer galaxies."""
    find_shards(folder)[1].unlink()
    assert "missing" in str(verify_checksums(folder)[0])


def test_shards_of_another_schema(folder):
    """Old shards would be misread."""
    path = folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 9}))
    with pytest.raises(UsageError, match=r"schema version 9.*make them again"):
        read_manifest(folder)


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"program": 1, "shards": {"a": 3}}'])
def test_a_broken_manifest(folder, text):
    """A manifest edited by hand would end in a traceback."""
    (folder / "dataset.json").write_text(text)
    with pytest.raises(UsageError, match=r"dataset\.json"):
        read_manifest(folder)


def test_missing_folder_and_empty_split(folder, tmp_path_factory):
    """A typing error in a path would give an empty training set."""
    with pytest.raises(UsageError, match=r"no such shards; make some with python -m p2p_keras\.simulate"):
        find_shards(folder / "nowhere")
    with pytest.raises(UsageError, match=r"no shards of split 'val'; it has train"):
        find_shards(folder, "val")
    with pytest.raises(UsageError, match="no shards"):
        find_shards(tmp_path_factory.mktemp("empty"))


def test_two_runs_in_one_folder(folder):
    """Shards of an older run with another count would be trained on as well."""
    shutil.copy(find_shards(folder)[0], folder / shard_name("train", 0, 8))
    with pytest.raises(UsageError, match="several runs"):
        find_shards(folder, "train")


def test_patterns_find_several_folders(folder):
    """Training on several data sets at once would need a copy of them."""
    for name in ("sdss", "hsc"):
        (folder / name).mkdir()
        shutil.copy(find_shards(folder / "train-00000-of-00003.tfrecord")[0], folder / name / shard_name("train", 0, 1))
    shards = find_shards(folder / "[sh]*", "train")
    assert [path.parent.name for path in shards] == ["hsc", "sdss"]


def test_a_full_disk_keeps_what_is_finished(tmp_path, make_galaxy):
    """A night's work would be lost, or half a shard be left, when the disk is full."""
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True)
    if mount.returncode:
        pytest.skip("may not mount a small file system here")
    galaxy = make_galaxy(image=np.ones((128, 128), np.float32))

    def fill() -> None:
        for index in range(9):
            with ShardWriter(tmp_path / shard_name("train", index, 9)) as shard:
                for _ in range(5):
                    shard.write(galaxy)

    try:
        with pytest.raises(ShardWriteError, match="No space left on device; finished shards are kept"):
            fill()
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left == [shard_name("train", index, 9) for index in range(len(left))]
        assert 1 <= len(left) < 4
        assert find_damage(find_shards(tmp_path)) is None
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_folder_that_cannot_be_written(tmp_path, make_galaxy):
    """The reason would be a traceback of TensorFlow."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ShardWriteError, match="can't be written"):
        ShardWriter(tmp_path / "file" / shard_name("train", 0, 1))
