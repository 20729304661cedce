"""The sky level under the galaxy, and the intensity above it."""

from __future__ import annotations

import keras
from keras import ops

from p2p_keras.network.layers.geometry import _Float32Layer

__all__ = ["SkyLevel"]

_OUTER_PRIOR = 3.0


@keras.saving.register_keras_serializable(package="p2p_keras")
class SkyLevel(_Float32Layer):
    """Sky level as attention over radii, less the galaxy's light in the rings that it was read from.

    Inputs: intensity, number, level, sma (batch, radii): copied intensity in noise units, effective samples, pyramid
    level, pixels; logits (batch, radii); correction (batch, 1).
    Outputs: sky (batch,) in noise units; net (batch, radii) positive net intensity; error (batch, radii), the 1-sigma
    noise of the ring's mean; features (batch, radii, 3) of order one that tell the decoder all of it.
    """

    _FLOOR = 3e-3  # noise units; no ring's mean is known better, since sky levels are not

    def call(self, intensity, number, level, sma, logits, correction):
        empty = ops.cast(number <= 0.0, "float32")
        # Before training, outer rings count most: as the cube of their radius.
        prior = _OUTER_PRIOR * ops.log(sma / sma[:, -1:])
        weight = ops.softmax(logits + prior - 1e4 * empty, axis=-1)
        sky = ops.sum(weight * intensity, axis=-1)
        sky = sky - ops.sinh(ops.clip(ops.reshape(correction, (-1,)), -8.0, 8.0))
        error = 1.0 / (1.5 * ops.power(2.0, level) * ops.sqrt(ops.maximum(number, 0.5)))
        error = ops.sqrt(error * error + self._FLOOR**2)
        raw = (intensity - ops.expand_dims(sky, -1)) * (1.0 - empty)
        # (raw + sqrt(raw^2 + 4 error^2)) / 2, in the form that doesn't cancel where raw is far below zero.
        root = ops.sqrt(raw * raw + 4.0 * error * error) + ops.abs(raw)
        net = ops.where(raw >= 0.0, 0.5 * root, 2.0 * error * error / root)
        features = ops.stack([ops.arcsinh(raw / error) / 4.0, ops.log(net) / 4.0, ops.log(error) / 4.0], axis=-1)
        return sky, net, error, features

    def compute_output_shape(self, intensity_shape, *_):
        """Shapes of sky, net, error and features."""
        ring = tuple(intensity_shape)
        return (ring[0],), ring, ring, (*ring, 3)
