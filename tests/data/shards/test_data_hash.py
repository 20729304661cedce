"""The hash by which a model names its training data."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from p2p_keras.data.shards import data_hash

SAMPLE = Path(__file__).resolve().parents[3] / "tfrecords"


def by_hand(paths) -> str:
    """``sha256sum FILES | sort | sha256sum``."""
    lines = sorted(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_hash_is_that_of_the_files(tmp_path):
    """Nobody could tell whether a model was trained on the data that they have."""
    assert data_hash(SAMPLE) == by_hand(SAMPLE.glob("train-*"))
    copy = shutil.copytree(SAMPLE, tmp_path / "elsewhere")
    assert data_hash(f"{tmp_path}/else*") == data_hash(SAMPLE)
    (copy / "dataset.json").unlink()
    assert data_hash(copy) == data_hash(SAMPLE)
    next(copy.glob("train-*")).write_bytes(b"changed")
    assert data_hash(copy) != data_hash(SAMPLE)


def test_data_that_are_gone_have_no_hash(tmp_path):
    """A run could no longer be exported once its shards are deleted."""
    assert data_hash(tmp_path / "nowhere") == ""
    assert data_hash(tmp_path) == ""
