"""``assets.extra/tf_serving_warmup_requests``: the requests that a server answers itself before it takes any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from p2p_keras.core.contract import BATCH_SIZES
from p2p_keras.data.shards import encode_image

__all__ = ["WARMUP_FILE", "IMAGE_SIDES", "EXAMPLE_SIDES", "galaxy_like_image", "write_warmup_requests"]

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
IMAGE_SIDES = (128, 256)
EXAMPLE_SIDES = (128,)
_ZERO_POINT, _PIXEL_SCALE = 22.5, 0.396
_ROWS_WRITTEN = 64


def galaxy_like_image(side: int, seed: int = 0) -> np.ndarray:
    """An exponential disc over noise, float32 (side, side): what a request looks like, without reading a file."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2.0
    disc = 20.0 * np.exp(-np.hypot(x, y / 0.7) / (0.08 * side))
    return (disc + np.random.default_rng(seed).normal(0.0, 0.02, disc.shape)).astype(np.float32)


def write_warmup_requests(saved_model: Path, name: str) -> int:
    """Write one request for each signature and batch size (of `serving_default`, also for each image size).

    A server fills a tensor whose list of values is short with the last of them (tensor.proto). So a batch carries few
    of its pixels, and the file stays small: shapes are what warms up, not values.

    Returns
    -------
    int
        Number of requests.
    """
    path = Path(saved_model) / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with tf.io.TFRecordWriter(str(path)) as writer:  # TensorFlow Serving takes no compressed file
        for log in _requests(name):
            writer.write(log.SerializeToString())
            count += 1
    return count


def _requests(name: str) -> Iterator[Any]:
    for batch in BATCH_SIZES:
        for side in IMAGE_SIDES:
            pixels = galaxy_like_image(side).ravel()[: _ROWS_WRITTEN * side]
            yield _request(
                name,
                "serving_default",
                image=_short_tensor(tf.float32, [batch, side, side], pixels),
                zero_point=_short_tensor(tf.float32, [batch], [_ZERO_POINT]),
                pixel_scale=_short_tensor(tf.float32, [batch], [_PIXEL_SCALE]),
            )
        for side in EXAMPLE_SIDES:
            examples = _short_tensor(
                tf.string, [batch], [encode_image(galaxy_like_image(side), _ZERO_POINT, _PIXEL_SCALE)]
            )
            yield _request(name, "serialized_example", examples=examples)


def _request(name: str, signature: str, **tensors: Any) -> Any:
    from tensorflow_serving.apis import prediction_log_pb2

    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = name, signature
    for key, tensor in tensors.items():
        request.inputs[key].CopyFrom(tensor)
    return log


def _short_tensor(dtype: tf.DType, shape: list[int], values: Any) -> Any:
    """TensorProto of `shape` with fewer values: the last stands for the rest."""
    from tensorflow.core.framework import tensor_pb2

    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum, tensor_shape=tf.TensorShape(shape).as_proto())
    field = {tf.float32: proto.float_val, tf.string: proto.string_val}[dtype]
    field.extend(values)
    return proto
