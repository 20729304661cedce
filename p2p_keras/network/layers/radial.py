"""Layers of the radial decoder: what it is told of each ring, and how its answer becomes an intensity."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

from p2p_keras.network.layers.geometry import _Float32Layer

__all__ = [
    "Circles",
    "SumVectors",
    "MeanOverAngle",
    "GatedVectors",
    "RingPool",
    "RadialPosition",
    "PositionBias",
    "CopiedFeatures",
    "RadialPool",
    "MendedIntensity",
]


@keras.saving.register_keras_serializable(package="p2p_keras")
class Circles(_Float32Layer):
    """Ellipse vectors of circles: zeros (batch, radii, 2) for sma (batch, radii)."""

    def call(self, sma):
        return ops.stack([ops.zeros_like(sma), ops.zeros_like(sma)], axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, radii, 2)."""
        return (*input_shape, 2)


@keras.saving.register_keras_serializable(package="p2p_keras")
class SumVectors(_Float32Layer):
    """Sum over channels of vectors (batch, radii, channels, 2)."""

    def call(self, vectors):
        return ops.sum(vectors, axis=2)

    def compute_output_shape(self, input_shape):
        """(batch, radii, 2)."""
        return (input_shape[0], input_shape[1], 2)


@keras.saving.register_keras_serializable(package="p2p_keras")
class MeanOverAngle(_Float32Layer):
    """Mean of every ring of (batch, radii, angles): (batch, radii)."""

    def call(self, maps):
        return ops.mean(maps, axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, radii)."""
        return tuple(input_shape[:2])


@keras.saving.register_keras_serializable(package="p2p_keras")
class GatedVectors(_Float32Layer):
    """Learned vectors plus classical corrections, each times a gate: the network says how far to trust each.

    Inputs: classical (batch, radii, gates, 2); gates (batch, radii, gates), through a sigmoid; optionally learned
    (batch, radii, channels, 2). Output: (batch, radii, 2).
    """

    def call(self, classical, gates, learned=None):
        gate = ops.expand_dims(ops.sigmoid(ops.cast(gates, "float32") - 2.0), -1)
        total = ops.sum(gate * classical, axis=2)
        return total if learned is None else total + ops.sum(learned, axis=2)

    def compute_output_shape(self, classical_shape, gates_shape, learned_shape=None):
        """(batch, radii, 2)."""
        return (classical_shape[0], classical_shape[1], 2)


@keras.saving.register_keras_serializable(package="p2p_keras")
class RingPool(_Float32Layer):
    """Mean and maximum over angle, each ring repeated: (batch, radii / 2, angles, c) to (batch, radii, 2 c)."""

    def call(self, maps):
        maps = ops.cast(maps, "float32")
        pooled = ops.concatenate([ops.mean(maps, axis=2, keepdims=True), ops.max(maps, axis=2, keepdims=True)], axis=-1)
        shape = (-1, 2 * maps.shape[1], 2 * maps.shape[3])
        return ops.reshape(ops.concatenate([pooled, pooled], axis=2), shape)

    def compute_output_shape(self, input_shape):
        """(batch, radii, 2 channels)."""
        return (input_shape[0], 2 * input_shape[1], 2 * input_shape[3])


@keras.saving.register_keras_serializable(package="p2p_keras")
class RadialPosition(keras.layers.Layer):
    """A learned vector per radius, added to tokens (batch, radii, dim)."""

    def build(self, input_shape):
        self.position = self.add_weight(
            name="position", shape=input_shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.02)
        )

    def call(self, tokens):
        return tokens + ops.cast(self.position, tokens.dtype)

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class PositionBias(_Float32Layer):
    """A prior on where the target is: a Gaussian about the middle and a learned bias per cell, added to logits.

    Input and output: logits (batch, cells), the cells of a square grid, row by row.

    Parameters
    ----------
    sigma : float or None
        1-sigma of the Gaussian in cells; None: the learned bias alone, which hardly leaves zero: each cell is the
        target's too rarely to teach it.
    """

    def __init__(self, sigma: float | None = None, **kwargs):
        super().__init__(**kwargs)
        self.sigma = sigma

    def build(self, input_shape):
        self.bias = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")
        self._gaussian = np.zeros(input_shape[-1], "float32")
        if self.sigma is not None:
            side = math.isqrt(input_shape[-1])
            offset = (np.arange(side, dtype="float32") - (side - 1) / 2.0) / self.sigma
            self._gaussian = -0.5 * (offset[:, None] ** 2 + offset[None, :] ** 2).reshape(-1)

    def call(self, logits):
        return logits + ops.convert_to_tensor(self._gaussian) + self.bias

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class CopiedFeatures(_Float32Layer):
    """What is known of each ring, as invariants under a turn of the image; all of order one.

    Inputs: value, weight (batch, radii, angles); intensity, number, covered, level, sma (batch, radii); e (batch,
    radii, 2); harmonics (batch, radii, widths, 2). Output: (batch, radii, features).
    """

    NUM_FEATURES = 11
    OTHER_LIGHT = 2
    """Column with the light that the attention ignores, over its noise."""

    def call(self, value, weight, intensity, number, covered, level, sma, e, harmonics):
        error = 1.0 / (1.5 * ops.power(2.0, level) * ops.sqrt(ops.maximum(number, 0.5)))
        residual = value - ops.expand_dims(intensity, -1)
        scatter = ops.sqrt(ops.sum(weight * residual * residual, axis=-1) + 1e-12)
        plain = ops.mean(value, axis=-1)
        log_sma = ops.log(sma)
        length = ops.sqrt(ops.sum(e * e, axis=-1) + 1e-12)
        wanted = ops.sqrt(ops.sum(harmonics * harmonics, axis=-1) + 1e-12)
        columns = [
            ops.arcsinh(intensity / error) / 4.0,
            ops.arcsinh(intensity * 10.0) / 4.0,
            ops.arcsinh((plain - intensity) / error) / 4.0,
            ops.log(scatter + 1e-3) / 4.0,
            ops.log(error) / 4.0,
            ops.log(number + 0.5) / 4.0,
            covered,
            length * 2.0,
            wanted[:, :, 1],
            log_sma / 4.0,
            (log_sma - log_sma[:, -1:]) / 4.0,
        ]
        return ops.stack(columns, axis=-1)

    def compute_output_shape(self, value_shape, *_):
        """(batch, radii, NUM_FEATURES)."""
        return (value_shape[0], value_shape[1], self.NUM_FEATURES)


@keras.saving.register_keras_serializable(package="p2p_keras")
class RadialPool(_Float32Layer):
    """Tokens of all radii as one: a mean with given weights beside the plain mean.

    Inputs: tokens (batch, radii, dim); logits (batch, radii, 1) of the weights. Output: the sum of both means (batch,
    dim).
    """

    def call(self, tokens, logits):
        weight = ops.softmax(logits, axis=1)
        return ops.sum(tokens * (weight + 1.0 / tokens.shape[1]), axis=1)

    def compute_output_shape(self, tokens_shape, logits_shape):
        """(batch, dim)."""
        return (tokens_shape[0], tokens_shape[2])


@keras.saving.register_keras_serializable(package="p2p_keras")
class MendedIntensity(_Float32Layer):
    """The copied intensity with the decoder's correction, and the scale of its error.

    Inputs: answer (batch, radii, 2): correction to ln I and to ln of the error's scale; net, error (batch, radii):
    copied
    net intensity and its noise. Outputs: log_intensity, log_scale (batch, radii). Before training the correction is 0
    and the scale is the ring's own noise with a floor of 1 %.
    """

    def call(self, answer, net, error):
        relative = ops.stop_gradient(error / net)
        log_scale = ops.log(ops.minimum(relative, 1.0) + 0.01) + answer[..., 1]
        return ops.log(net) + answer[..., 0], log_scale

    def compute_output_shape(self, answer_shape, net_shape, error_shape):
        """Shapes of log_intensity and log_scale."""
        return tuple(net_shape), tuple(net_shape)
