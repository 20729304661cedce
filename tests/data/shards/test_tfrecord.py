"""Shards without TensorFlow are the shards that TensorFlow reads and writes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from p2p_keras.data.shards import ShardWriter, encode_example, read_records, shard_name


@pytest.mark.parametrize("gzip", [False, True])
def test_tensorflow_reads_our_files_and_we_read_its(tmp_path, make_galaxy, gzip):
    """Training would stop at the first record, or shards made by other software couldn't be used."""
    import tensorflow as tf

    galaxies = [make_galaxy(f"galaxy-{i}", image=np.full((20 + i, 30), i, np.float32)) for i in range(5)]
    examples = [encode_example(galaxy) for galaxy in galaxies]
    ours, theirs = tmp_path / shard_name("val", 0, 1, gzip=gzip), tmp_path / shard_name("test", 0, 1, gzip=gzip)
    with ShardWriter(ours) as shard:
        for galaxy in galaxies:
            shard.write(galaxy)
    kind = "GZIP" if gzip else ""
    assert list(tf.data.TFRecordDataset(str(ours), compression_type=kind).as_numpy_iterator()) == examples
    with tf.io.TFRecordWriter(str(theirs), options=kind or None) as writer:
        for example in examples:
            writer.write(example)
    assert list(read_records(theirs)) == examples
    if not gzip:
        assert ours.read_bytes() == theirs.read_bytes()
    for example in examples:
        assert tf.train.Example.FromString(example).SerializeToString(deterministic=True) == example


def test_programs_that_make_shards_load_no_tensorflow(tmp_path):
    """Each would start some ten seconds later, take 400 MB more, and print TensorFlow's notes among its own."""
    code = f"""
import sys
from p2p_keras import inspect, simulate
folder = {str(tmp_path / "mocks")!r}
arguments = ["--count", "2", "--size", "64", "--workers", "1", "--output", folder]
simulate.main(arguments, standalone_mode=False)
inspect.main([folder], standalone_mode=False)
import p2p_keras.data.packing
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Made 2 of 2 galaxies in" in done.stderr
    assert "checksums are right" in done.stdout
    assert "oneDNN" not in done.stderr
