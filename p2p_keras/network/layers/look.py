"""What a convolution is shown of a look along circles or ellipses."""

from __future__ import annotations

import keras
from keras import ops

from p2p_keras.network.layers.geometry import _Float32Layer

__all__ = ["LookFeatures"]

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
        # Noise of a bilinear sample of a level: unit noise over 1.5 of its pixels' width.
        gain = ops.expand_dims(1.5 * ops.power(2.0, level), -1)
        bright = ops.arcsinh(value * gain) / _SCALE
        usable = ops.cast(good > 0.0, "float32")
        half = value.shape[2] // 2
        opposite = ops.concatenate([bright[:, :, half:], bright[:, :, :half]], axis=2)
        mean = ops.sum(bright * usable, axis=2, keepdims=True)
        mean = mean / ops.maximum(ops.sum(usable, axis=2, keepdims=True), 1.0)
        log_sma = ops.expand_dims(ops.log(sma), -1)
        ones = ops.ones_like(value)
        channels = [
            bright,
            opposite,
            (bright - mean) * usable,
            good,
            ones * (log_sma / _SCALE),
            ones * (log_sma - log_sma[:, -1:]) / _SCALE,
        ]
        return ops.stack(channels, axis=-1)

    def compute_output_shape(self, value_shape, good_shape, level_shape, sma_shape):
        """(batch, radii, angles, 6)."""
        return (*value_shape, 6)
