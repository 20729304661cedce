"""What a convolution is shown of a look along circles or ellipses."""

from __future__ import annotations

import keras
import tensorflow as tf

from p2p_keras.network.layers.geometry import _Float32Layer

_SCALE = 4.0  # brings asinh of signal-to-noise ratios (0 to 12) near one


@keras.saving.register_keras_serializable(package="p2p_keras")
class LookFeatures(_Float32Layer):
    """Samples along ellipses as six channels of order one.

    Inputs: value, good (batch, radii, angles) of `PyramidSampler`, level and sma (batch, radii).
    Output (batch, radii, angles, 6): asinh of the sample's signal-to-noise ratio; the same at the opposite side (a
    galaxy
    is much alike there, a star is not); its difference from the ring's mean; the good share; ln sma; ln sma from the
    end of the grid.
    """

    def call(self, value, good, level, sma):
        """See the class."""
        # Noise of a bilinear sample of a level: unit noise over 1.5 of its pixels' width.
        gain = tf.expand_dims(1.5 * tf.pow(2.0, level), -1)
        bright = tf.asinh(value * gain) / _SCALE
        usable = tf.cast(good > 0.0, tf.float32)
        half = value.shape[2] // 2
        opposite = tf.concat([bright[:, :, half:], bright[:, :, :half]], axis=2)
        mean = tf.reduce_sum(bright * usable, axis=2, keepdims=True)
        mean = mean / tf.maximum(tf.reduce_sum(usable, axis=2, keepdims=True), 1.0)
        log_sma = tf.expand_dims(tf.math.log(sma), -1)
        ones = tf.ones_like(value)
        channels = [
            bright,
            opposite,
            (bright - mean) * usable,
            good,
            ones * (log_sma / _SCALE),
            ones * (log_sma - log_sma[:, -1:]) / _SCALE,
        ]
        return tf.stack(channels, axis=-1)

    def compute_output_shape(self, value_shape, good_shape, level_shape, sma_shape):
        """(batch, radii, angles, 6)."""
        return (*value_shape, 6)
