"""A cheap SavedModel with the shipped model's signatures, for tests of server and client without a trained network.

It measures mean intensities in circular annuli round the image's centre, so its profile falls outward and its answers
differ from image to image; nobody should measure a galaxy with it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

K = 64
OUTPUTS_BK = ("sma", "mu", "mu_err", "ellipticity", "pa", "growth", "valid")
OUTPUTS_B = ("x0", "y0", "extent", "mag_total", "sky")


class ServedModel(tf.Module):
    """`serving_default`, `serialized_example` and `describe` by simple ops.

    Parameters
    ----------
    version : int
        Told by `describe`, and by the output `sky`, so that a test can see which version answered.
    """

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = tf.Variable(float(version), trainable=False)
        # Weights to speak of, so that a half-copied version lacks something.
        self.ballast = tf.Variable(tf.zeros([64, 1024]), trainable=False)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None], tf.float32, "image"),
            tf.TensorSpec([None], tf.float32, "zero_point"),
            tf.TensorSpec([None], tf.float32, "pixel_scale"),
        ]
    )
    def serving_default(self, image, zero_point, pixel_scale):
        """The outputs of the contract."""
        height, width = tf.shape(image)[1], tf.shape(image)[2]
        longer = tf.maximum(height, width)
        size_ok = tf.logical_and(tf.minimum(height, width) >= 48, longer <= 2048)
        finite = tf.math.is_finite(image)
        some_finite = tf.reduce_all(tf.reduce_any(finite, axis=[1, 2]))
        checks = [
            tf.debugging.Assert(size_ok, ["an image must be 48 to 2048 pixels on a side"]),
            tf.debugging.Assert(some_finite, ["an image holds no finite pixel"]),
            tf.debugging.Assert(tf.reduce_all(pixel_scale > 0), ["pixel_scale must be positive"]),
        ]
        with tf.control_dependencies(checks):
            image = tf.where(finite, image, 0.0)
        y0 = tf.cast(height - 1, tf.float32) / 2
        x0 = tf.cast(width - 1, tf.float32) / 2
        yy = tf.range(tf.cast(height, tf.float32)) - y0
        xx = tf.range(tf.cast(width, tf.float32)) - x0
        radius = tf.reshape(tf.sqrt(yy[:, None] ** 2 + xx[None, :] ** 2), [-1])
        step = tf.math.log(0.65 * tf.cast(longer, tf.float32) / 0.5) / (K - 1)
        sma_px = 0.5 * tf.exp(step * tf.range(float(K)))
        ring = tf.clip_by_value(tf.cast(tf.math.log(tf.maximum(radius, 0.5) / 0.5) / step, tf.int32), 0, K - 1)
        flat = tf.transpose(tf.reshape(image, [tf.shape(image)[0], -1]))
        total = tf.transpose(tf.math.unsorted_segment_sum(flat, ring, K))
        count = tf.math.unsorted_segment_sum(tf.ones_like(radius), ring, K)
        # The innermost rings hold no pixel centre.
        mean = tf.where(count > 0, total / tf.maximum(count, 1.0), tf.reduce_max(flat, axis=0)[:, None])
        valid = tf.math.cumprod(tf.cast(mean > 0, tf.float32), axis=1) > 0.5
        log_mean = tf.math.log(tf.maximum(mean, 1e-6)) / tf.math.log(10.0)
        log_area = 2.0 * tf.math.log(pixel_scale)[:, None] / tf.math.log(10.0)
        mu = tf.where(valid, zero_point[:, None] - 2.5 * (log_mean - log_area), 40.0)
        inside = tf.maximum(tf.cumsum(total, axis=1), 1e-6)
        growth = zero_point[:, None] - 2.5 * tf.math.log(inside) / tf.math.log(10.0)
        sma = sma_px[None, :] * pixel_scale[:, None]
        ones = tf.ones_like(zero_point)
        fill = tf.zeros_like(mu)
        return {
            "sma": sma,
            "mu": mu,
            "mu_err": fill + 0.1,
            "ellipticity": fill + 0.2,
            "pa": fill + 30.0,
            "growth": tf.where(valid, growth, 40.0),
            "valid": valid,
            "x0": x0 * ones,
            "y0": y0 * ones,
            "extent": tf.reduce_max(tf.where(valid, sma, 0.0), axis=1),
            "mag_total": growth[:, -1],
            "sky": self.version * ones,
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def serialized_example(self, examples):
        """The same from tf.Examples of images of one size."""
        features = {"image": tf.string, "image/height": tf.int64, "image/width": tf.int64}
        features |= {"zero_point": tf.float32, "pixel_scale": tf.float32}
        parsed = tf.io.parse_example(examples, {k: tf.io.FixedLenFeature([], v) for k, v in features.items()})
        pixels = tf.io.decode_raw(parsed["image"], tf.float32)
        shape = tf.stack([-1, parsed["image/height"][0], parsed["image/width"][0]])
        return self.serving_default(tf.reshape(pixels, shape), parsed["zero_point"], parsed["pixel_scale"])

    @tf.function(input_signature=[])
    def describe(self):
        """What this model is."""
        return {"name": tf.constant("standin"), "version": tf.cast(self.version, tf.int64)}


def galaxy(size: int | tuple[int, int] = 64, *, flux: float = 1.0) -> np.ndarray:
    """A round exponential galaxy (H, W), float32, on faint fixed noise."""
    height, width = (size, size) if isinstance(size, int) else size
    y, x = np.mgrid[:height, :width]
    r = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    noise = np.random.default_rng(height * 4096 + width).normal(0.0, 0.02, (height, width))
    return (flux * (100.0 * np.exp(-r / (0.1 * min(height, width))) + 0.1 + noise)).astype(np.float32)


def predict_request(image, *, model: str, zero_point: float = 22.5, pixel_scale: float = 0.4):
    """PredictRequest of images (B, H, W)."""
    image = np.asarray(image, np.float32)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    request.inputs["image"].CopyFrom(tf.make_tensor_proto(image))
    for name, value in {"zero_point": zero_point, "pixel_scale": pixel_scale}.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(np.full(len(image), value, np.float32)))
    return request


def write_model(root: Path, name: str = "standin", version: int = 1) -> Path:
    """Write ``root/name/version`` with a warm-up file, under a temporary name first."""
    module = ServedModel(version)
    folder = Path(root) / name / str(version)
    unfinished = folder.with_name(f".{version}.unfinished")
    signatures = {s: getattr(module, s) for s in ("serving_default", "serialized_example", "describe")}
    tf.saved_model.save(module, str(unfinished), signatures=signatures)
    extra = unfinished / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for batch in (1, 2):
            record = prediction_log_pb2.PredictionLog()
            record.predict_log.request.CopyFrom(predict_request(np.stack([galaxy()] * batch), model=name))
            writer.write(record.SerializeToString())
    unfinished.rename(folder)
    return folder
