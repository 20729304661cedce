"""Read shards record by record; a damaged one is named with its file and record number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from p2p_keras.errors import InputError
from p2p_keras.labelled import LabelledGalaxy
from p2p_keras.shards.paths import compression_of
from p2p_keras.shards.schema import decode_example


def read_records(path: str | os.PathLike) -> Iterator[bytes]:
    """Yield the serialized examples of one shard, their checksums verified.

    Raises
    ------
    InputError
        Naming the file and the number (from 0) of the first record that is damaged or cut off.
    """
    import tensorflow as tf

    records = iter(tf.data.TFRecordDataset(os.fspath(path), compression_type=compression_of(path)))
    number = 0
    while True:
        try:
            record = next(records).numpy()
        except StopIteration:
            return
        except tf.errors.NotFoundError:
            raise InputError(path, "no such shard") from None
        except tf.errors.OpError as error:
            raise InputError(f"{path}: record {number}", _cause(str(error.message))) from None
        yield record
        number += 1


def read_shards(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> Iterator[LabelledGalaxy]:
    """Yield the galaxies of one or several shards, in their order.

    Raises
    ------
    InputError
        Naming the file and the number (from 0) of the first record that can't be used.
    """
    for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        for number, record in enumerate(read_records(path)):
            yield decode_example(record, f"{path}: record {number}")


def find_damage(paths: Iterable[str | os.PathLike]) -> InputError | None:
    """Read everything and return the first error, or None.

    A training run whose input stops with a bare "corrupted record" calls it to name the file.
    """
    try:
        for _ in read_shards(paths):
            pass
    except InputError as error:
        return error
    return None


def _cause(message: str) -> str:
    if "truncated" in message or "unexpected end" in message.lower() or ("inflate" in message and "end" in message):
        return "cut off in the middle; make the shard again"
    return "damaged, its checksum (CRC) is wrong; make the shard again"
