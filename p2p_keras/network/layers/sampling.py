"""Bilinear samples of the pyramid at any position and scale."""

from __future__ import annotations

import keras
import tensorflow as tf

from p2p_keras.network.layers.filling import SHOWN_WEIGHT
from p2p_keras.network.layers.pyramid import NUM_LEVELS, level_table

_MIN_COVERAGE = 0.25  # a sample with less good area than this under its kernel counts as masked


@keras.saving.register_keras_serializable(package="p2p_keras")
class PyramidSampler(keras.layers.Layer):
    """Mean flux per pixel around given points, each from the pyramid level whose pixels are as wide as asked.

    Inputs: image (batch, height, width), only for its shape; flux, good (batch, pixels) and log_noise (batch,) of
    `ImagePyramid`; x, y (batch, radii, angles) in pixels; width (batch, radii) wanted width of the averaging pixel, in
    pixels.
    Outputs: value (batch, radii, angles) in noise units, 0 where masked or outside the image; good (same shape), the
    share of good area under the sample, 0 where the sample is no use; level (batch, radii) float, the level read.

    With `SkyFreePyramid` also `offset` (batch,), its fourth output, last: it is taken off every sample, and value is
    then what fills the hole where nothing is measured; `good` is 0 there all the same. A fourth output is then
    `shown` (batch, radii, angles), 1 where something is measured or some ten pixels away, else 0: what convolutions see
    in place of `good`. Small holes tell them nothing; a network that saw few of them in its training answers as if
    every ring were spoilt.

    No gradient flows to the coordinates: geometry is learned from its own labels, and an image is no weight, so the
    backward pass of every look costs nothing.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def build(self, *_):
        """Nothing to build: the layer has no weights."""

    def call(self, image, flux, good, log_noise, x, y, width, offset=None):
        """See the class."""
        flux, good, log_noise, x, y, width = (tf.stop_gradient(v) for v in (flux, good, log_noise, x, y, width))
        shape = tf.shape(image)
        table = level_table(shape[1], shape[2])
        # Rounded down (in log) a little more often than up: a mean over too wide a pixel biases steep profiles.
        log2_width = tf.math.log(tf.maximum(width, 1.0)) * 1.4426950
        level = tf.clip_by_value(tf.cast(tf.floor(log2_width + 0.4), tf.int32), 0, NUM_LEVELS - 1)
        rows = tf.gather(table, level)  # (batch, radii, 3)
        start, height, row_width = (tf.expand_dims(rows[..., i], -1) for i in range(3))
        scale = tf.expand_dims(tf.pow(2.0, tf.cast(level, tf.float32)), -1)
        u = (x + 0.5) / scale - 0.5
        v = (y + 0.5) / scale - 0.5
        inside = (
            (x > -0.5)
            & (y > -0.5)
            & (x < tf.cast(shape[2], tf.float32) - 0.5)
            & (y < tf.cast(shape[1], tf.float32) - 0.5)
        )
        u0, v0 = tf.floor(u), tf.floor(v)
        fu, fv = u - u0, v - v0
        iu, iv = tf.cast(u0, tf.int32), tf.cast(v0, tf.int32)
        zero = tf.zeros_like(iu)
        left, right = tf.clip_by_value(iu, zero, row_width - 1), tf.clip_by_value(iu + 1, zero, row_width - 1)
        low, high = tf.clip_by_value(iv, zero, height - 1), tf.clip_by_value(iv + 1, zero, height - 1)
        low, high = start + low * row_width, start + high * row_width
        index = tf.stack([low + left, low + right, high + left, high + right], axis=-1)
        weight = tf.stack([(1 - fu) * (1 - fv), fu * (1 - fv), (1 - fu) * fv, fu * fv], axis=-1)
        batch, radii, angles = tf.shape(x)[0], tf.shape(x)[1], tf.shape(x)[2]
        index = tf.reshape(index, tf.stack([batch, radii * angles * 4]))
        flux, good = (
            tf.reduce_sum(weight * tf.reshape(tf.gather(pixels, index, batch_dims=1), tf.shape(weight)), axis=-1)
            for pixels in (flux, good)
        )
        per_unit = tf.reshape(tf.exp(-log_noise), [-1, 1, 1])
        if offset is not None:
            mean = flux / tf.maximum(good, 1e-3 * SHOWN_WEIGHT) - tf.reshape(offset, [-1, 1, 1])
            shown = tf.cast(inside & (good > SHOWN_WEIGHT), tf.float32)
            value = tf.where(inside, mean * per_unit, tf.zeros_like(fu))
            good = tf.where(inside & (good > _MIN_COVERAGE), good, tf.zeros_like(fu))
            return value, good, tf.cast(level, tf.float32), shown
        good = tf.where(inside & (good > _MIN_COVERAGE), good, tf.zeros_like(fu))
        value = tf.where(good > 0.0, flux * per_unit / tf.maximum(good, _MIN_COVERAGE), tf.zeros_like(fu))
        return value, good, tf.cast(level, tf.float32)

    def compute_output_shape(
        self, image_shape, flux_shape, good_shape, log_noise_shape, x_shape, y_shape, width_shape, offset_shape=None
    ):
        """Shapes of value, good and level, and of shown."""
        shapes = tuple(x_shape), tuple(x_shape), tuple(width_shape)
        return shapes if offset_shape is None else (*shapes, tuple(x_shape))
