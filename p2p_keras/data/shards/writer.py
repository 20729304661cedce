"""Write one shard: under a temporary name, renamed when it is whole, so that a shard that exists is finished."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from p2p_keras.core.errors import P2PError
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.shards.paths import compression_of
from p2p_keras.data.shards.schema import encode_example
from p2p_keras.data.shards.tfrecord import TFRecordFile

__all__ = ["ShardWriteError", "ShardWriter"]


class ShardWriteError(P2PError, OSError):
    """A shard can't be written (disk full, no permission); the shards before it are whole."""

    def __init__(self, path: object, cause: str) -> None:
        super().__init__(f"{path}: {cause}; finished shards are kept, so free space and run the same command again")


class ShardWriter:
    """Writer of one TFRecord shard, to be used in a ``with`` block.

    The file appears under its own name only when the block ends without an error; otherwise nothing is left.

    Parameters
    ----------
    path : path
        Final name; gzip where it ends in ``.gz``. Its folder is made where missing.

    Attributes
    ----------
    records : int
        Records written so far.

    Examples
    --------
    >>> with ShardWriter("tfrecords/train-00000-of-00001.tfrecord") as shard:  # doctest: +SKIP
    ...     shard.write(galaxy)
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.records = 0
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = TFRecordFile(self._temporary, gzipped=bool(compression_of(self.path)))
        except OSError as error:
            raise ShardWriteError(self.path, _cause(error)) from error

    def write(self, galaxy: LabelledGalaxy) -> None:
        """Append one galaxy; InputError when it can't be stored (the shard goes on without it)."""
        self.write_serialized(encode_example(galaxy))

    def write_serialized(self, example: bytes) -> None:
        """Append one serialized tf.Example, as `encode_example` makes it."""
        try:
            self._file.write(example)
        except OSError as error:
            raise ShardWriteError(self.path, _cause(error)) from error
        self.records += 1

    def close(self) -> None:
        """Finish the shard and give it its name."""
        try:
            self._file.close()
            os.replace(self._temporary, self.path)
        except OSError as error:
            self._temporary.unlink(missing_ok=True)
            raise ShardWriteError(self.path, _cause(error)) from error

    def discard(self) -> None:
        """Give the shard up: nothing of it is left."""
        with contextlib.suppress(OSError):  # the first error is the one to report
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()


def _cause(error: OSError) -> str:
    return f"can't be written: {error.strerror or error}"
