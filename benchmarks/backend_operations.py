"""What `p2p_keras/network/layers/per_backend.py` saves: its functions against those of ``keras.ops``, on TensorFlow.

    python benchmarks/backend_operations.py

Prints processor time per call in a compiled graph, the sizes being those of the third look of a batch of 16 images of
256 px.
"""

from __future__ import annotations

import os
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main() -> None:
    """Print a line for each operation."""
    import tensorflow as tf
    from keras import ops

    from p2p_keras.network.layers import per_backend

    pixels, places = tf.random.normal((16, 87381)), tf.random.uniform((16, 64 * 64 * 4), 0, 87381, tf.int32)
    heat = tf.random.normal((16, 1024))
    cases = {
        "gathered": (per_backend.gathered, lambda x, i: ops.take_along_axis(x, i, axis=1), (pixels, places), 200),
        "greatest": (per_backend.greatest, lambda x: ops.argmax(x, axis=-1), (heat,), 2000),
    }
    for name, (ours, kerases, arguments, calls) in cases.items():
        seconds = []
        for function in (ours, kerases):
            signature = [tf.TensorSpec([None] * a.shape.rank, a.dtype) for a in arguments]
            graph = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
            graph(*arguments)
            best = float("inf")
            for _ in range(5):
                began = time.process_time()
                for _ in range(calls // 5):
                    graph(*arguments)
                best = min(best, (time.process_time() - began) / (calls // 5))
            seconds.append(best)
        print(f"{name}: {1e6 * seconds[0]:.0f} us, keras.ops {1e6 * seconds[1]:.0f} us")


if __name__ == "__main__":
    main()
