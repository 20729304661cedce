"""TFRecord files: each record as its length, a checksum of the length, the data, and a checksum of the data.

Checksums are CRC-32C, masked (tensorflow/core/lib/io/record_writer.h), so that the checksum of data which holds one is
no weaker. ``.gz`` is one gzip stream over the whole file. A test holds the files against TensorFlow's own reader.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from p2p_keras.core.errors import InputError
from p2p_keras.data.shards.paths import compression_of

__all__ = ["TFRecordFile", "read_records"]

_HEAD = struct.Struct("<QI")
_FOOT = struct.Struct("<I")
_BUFFER = 1 << 20


def _masked_crc(data: bytes) -> int:
    import google_crc32c

    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class TFRecordFile:
    """A TFRecord file being written.

    Parameters
    ----------
    path : path
    gzipped : bool
        The gzip header holds neither name nor time: the same records give the same bytes.
    """

    def __init__(self, path: str | os.PathLike, *, gzipped: bool = False) -> None:
        self._plain = open(path, "wb", buffering=_BUFFER)  # noqa: SIM115 - closed by `close`
        self._file = cast(
            BinaryIO,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=self._plain, mtime=0) if gzipped else self._plain,
        )

    def write(self, record: bytes) -> None:
        """Append one record."""
        length = _HEAD.pack(len(record), 0)[:8]
        self._file.write(length + _FOOT.pack(_masked_crc(length)))
        self._file.write(record)
        self._file.write(_FOOT.pack(_masked_crc(record)))

    def close(self) -> None:
        """Write what is left in buffers, to the disk itself: a crash after it can't leave half a file."""
        try:
            if self._file is not self._plain:
                self._file.close()
            self._plain.flush()
            os.fsync(self._plain.fileno())
        finally:
            self._plain.close()


def read_records(path: str | os.PathLike) -> Iterator[bytes]:
    """Yield the records of a file, and verify their checksums.

    Parameters
    ----------
    path : path
        Compressed if its name ends in ``.gz``.

    Raises
    ------
    InputError
        Names the file and the number (from 0) of the first record that is damaged or cut off.
    """
    number = 0
    try:
        with open(path, "rb", buffering=_BUFFER) as plain:
            file = cast(BinaryIO, gzip.GzipFile(fileobj=plain, mode="rb") if compression_of(path) else plain)
            while head := file.read(_HEAD.size):
                yield _rest_of_record(file, head)
                number += 1
    except FileNotFoundError:
        raise InputError(path, "no such shard") from None
    except EOFError:
        raise InputError(f"{path}: record {number}", "cut off in the middle; make the shard again") from None
    except (gzip.BadGzipFile, zlib.error, _ChecksumError):
        cause = "damaged, its checksum (CRC) is wrong; make the shard again"
        raise InputError(f"{path}: record {number}", cause) from None
    except OSError as error:
        raise InputError(f"{path}: record {number}", f"can't be read ({error.strerror})") from None


class _ChecksumError(Exception):
    pass


def _rest_of_record(file: BinaryIO, head: bytes) -> bytes:
    """The data of the record that begins with `head`."""
    if len(head) < _HEAD.size:
        raise EOFError
    length, checksum = _HEAD.unpack(head)
    if _masked_crc(head[:8]) != checksum:
        raise _ChecksumError
    record = file.read(length)
    foot = file.read(_FOOT.size)
    if len(record) < length or len(foot) < _FOOT.size:
        raise EOFError
    if _masked_crc(record) != _FOOT.unpack(foot)[0]:
        raise _ChecksumError
    return record
