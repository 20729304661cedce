"""What the contract wants beside mu, for networks that give mu alone: one ellipse, noise units, covered rings."""

from __future__ import annotations

import keras
from keras import ops

from p2p_keras.core import units
from p2p_keras.network.layers.geometry import _Float32Layer

__all__ = ["OneEllipse", "NoiseIntensity", "RingsCovered", "StopGradient", "Constant"]

_LARGEST = 0.92  # as `EllipseCorrection`
_REACH = 0.25  # of the image's longer side: how far from the middle a centre may be


@keras.saving.register_keras_serializable(package="p2p_keras")
class OneEllipse(_Float32Layer):
    """One ellipse vector and one centre for all radii, from four numbers without bounds.

    Inputs: answer (batch, 4): two for the ellipse vector, two for the centre, 0 for a circle at the image's middle;
    image (batch, height, width), for its shape; sma (batch, K).
    Outputs: e (batch, K, 2), shorter than 0.92; centre (batch, 2) in pixels, within a quarter of the image's longer
    side of its middle.
    """

    def call(self, answer, image, sma):
        vector, offset = answer[:, :2], answer[:, 2:]
        length = ops.sqrt(ops.sum(vector * vector, axis=1, keepdims=True) + 1e-12)
        vector = vector * (_LARGEST * ops.tanh(length) / length)
        shape = ops.shape(image)
        height, width = ops.cast(shape[1], "float32"), ops.cast(shape[2], "float32")
        middle = ops.stack([(width - 1.0) / 2.0, (height - 1.0) / 2.0])
        centre = ops.reshape(middle, (1, 2)) + _REACH * ops.maximum(height, width) * ops.tanh(offset)
        return ops.ones_like(ops.expand_dims(sma, -1)) * ops.expand_dims(vector, 1), centre

    def compute_output_shape(self, answer_shape, image_shape, sma_shape):
        """Shapes of e and centre."""
        return (*sma_shape, 2), (answer_shape[0], 2)


@keras.saving.register_keras_serializable(package="p2p_keras")
class NoiseIntensity(_Float32Layer):
    """Surface brightness as `PhysicalProfile` takes it: ln of the intensity in the image's own noise.

    Inputs: mu (batch, K) in mag arcsec^-2; log_noise, zero_point, pixel_scale (batch,). Output: (batch, K).
    """

    def call(self, mu, log_noise, zero_point, pixel_scale):
        log_noise, zero_point, pixel_scale = (ops.reshape(v, (-1, 1)) for v in (log_noise, zero_point, pixel_scale))
        return units.log_noise_units_from_mu(mu, log_noise, zero_point, pixel_scale, xp=ops)

    def compute_output_shape(self, mu_shape, *_):
        """(batch, K)."""
        return tuple(mu_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class RingsCovered(_Float32Layer):
    """Share of every ring that the image covers, 0 beyond the end of a caption.

    Inputs: good (batch, K, angles) of `PyramidSampler`; inside (batch, K). Output: (batch, K).
    """

    def call(self, good, inside):
        return ops.mean(ops.cast(good > 0.0, "float32"), axis=2) * inside

    def compute_output_shape(self, good_shape, inside_shape):
        """(batch, K)."""
        return tuple(inside_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class StopGradient(_Float32Layer):
    """Its input, through which no gradient flows."""

    def call(self, x):
        return ops.stop_gradient(x)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class Constant(_Float32Layer):
    """The same number everywhere, in the shape of the input."""

    def __init__(self, value: float, **kwargs):
        super().__init__(**kwargs)
        self.value = value

    def call(self, x):
        return ops.full_like(x, self.value)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "value": self.value}
