"""TFRecord shards of galaxy images with their profiles: schema, writer, reader, manifest, splits.

No TensorFlow is loaded: programs that make or look into shards start at once.
"""

from p2p_keras.data.shards.manifest import (
    Manifest,
    ShardEntry,
    check_sizes,
    data_hash,
    describe_shard,
    read_manifest,
    verify_checksums,
    write_manifest,
)
from p2p_keras.data.shards.paths import find_shards, shard_name
from p2p_keras.data.shards.reader import find_damage, read_shards
from p2p_keras.data.shards.schema import SCHEMA_VERSION, check_galaxy, decode_example, encode_example, encode_image
from p2p_keras.data.shards.splits import DEFAULT_FRACTIONS, SPLITS, split_of
from p2p_keras.data.shards.tfrecord import read_records
from p2p_keras.data.shards.writer import ShardWriteError, ShardWriter

__all__ = [
    "DEFAULT_FRACTIONS",
    "SCHEMA_VERSION",
    "SPLITS",
    "Manifest",
    "ShardEntry",
    "ShardWriteError",
    "ShardWriter",
    "check_galaxy",
    "check_sizes",
    "data_hash",
    "decode_example",
    "describe_shard",
    "encode_example",
    "encode_image",
    "find_damage",
    "find_shards",
    "read_manifest",
    "read_records",
    "read_shards",
    "shard_name",
    "split_of",
    "verify_checksums",
    "write_manifest",
]
