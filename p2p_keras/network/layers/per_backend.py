"""The two operations that ``keras.ops`` lacks, or that it does slowly on TensorFlow: a function each, per backend.

Everything else of the network is written in ``keras.ops``. `benchmarks/backend_operations.py` measures what is here.
"""

from __future__ import annotations

import keras
from keras import ops

__all__ = ["gathered", "greatest"]

if keras.config.backend() == "tensorflow":
    import tensorflow as tf

    def gathered(values, index):
        """``values[b, index[b, j]]`` of values (batch, n) and index (batch, m), which must lie in 0 ... n - 1."""
        # `ops.take_along_axis` takes 1.08 times as long: it looks for negative numbers and broadcasts both first.
        return tf.gather(values, index, batch_dims=1)

    def greatest(values):
        """Index (int32) of the greatest of values (batch, n); of equal ones the first."""
        # `ops.argmax` takes a detour over bit patterns, for signed zeros, that has no ONNX counterpart.
        return tf.argmax(values, axis=-1, output_type=tf.int32)

else:

    def gathered(values, index):
        """``values[b, index[b, j]]`` of values (batch, n) and index (batch, m), which must lie in 0 ... n - 1."""
        return ops.take_along_axis(values, index, axis=1)

    def greatest(values):
        """Index (int32) of the greatest of values (batch, n); of equal ones the first."""
        return ops.cast(ops.argmax(values, axis=-1), "int32")
