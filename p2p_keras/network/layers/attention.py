"""Attention of the isophote decoder: over angle (which pixels are the galaxy) and over radius."""

from __future__ import annotations

import keras
from keras import layers, ops

from p2p_keras.network.layers.geometry import _Float32Layer

__all__ = ["AngularAttention", "RadialTransformer"]

_MASKED = -1e4  # logit of a masked sample: its weight underflows to exactly 0 in float32


@keras.saving.register_keras_serializable(package="p2p_keras")
class AngularAttention(_Float32Layer):
    """Weights over angle for every radius, and the intensity that they copy from the pixels.

    Inputs: logits (batch, radii, angles), value, good (batch, radii, samples), with as many samples as angles or twice
    as many: then every other sample lies between two angles and has the mean of their logits.
    Outputs: weight (batch, radii, samples), summing to one, exactly 0 where masked; intensity (batch, radii), the
    weighted mean of value; number (batch, radii), the effective number of samples 1 / sum(weight^2); covered (batch,
    radii), the share of samples that are not masked. A ring without a good sample has intensity 0 and number 0.
    """

    def call(self, logits, value, good):
        samples, angles = value.shape[2], logits.shape[2]
        if samples not in (angles, 2 * angles):
            raise ValueError(f"{samples} samples came for {angles} angles, but there must be as many or twice as many")
        if samples != angles:
            logits = ops.repeat(logits, 2, axis=2)
            # Sample 2i lies on the angle of logit i, sample 2i + 1 between i and i + 1.
            logits = 0.5 * (logits + ops.concatenate([logits[:, :, -1:], logits[:, :, :-1]], axis=2))
            logits = ops.concatenate([logits[:, :, 1:], logits[:, :, :1]], axis=2)
        usable = good > 0.0
        logits = ops.where(usable, logits + ops.log(ops.maximum(good, 1e-6)), _MASKED)
        any_good = ops.cast(ops.any(usable, axis=-1, keepdims=True), "float32")
        weight = ops.softmax(logits, axis=-1) * any_good
        intensity = ops.sum(weight * value, axis=-1)
        square = ops.sum(weight * weight, axis=-1)
        number = ops.squeeze(any_good, -1) / ops.maximum(square, 1e-6)
        return weight, intensity, number, ops.mean(ops.cast(usable, "float32"), axis=-1)

    def compute_output_shape(self, logits_shape, value_shape, good_shape):
        """Shapes of weight, intensity, number and covered."""
        ring = tuple(value_shape[:2])
        return tuple(value_shape), ring, ring, ring


@keras.saving.register_keras_serializable(package="p2p_keras")
class RadialTransformer(keras.layers.Layer):
    """One transformer block over radii, pre-norm, with a convolution over neighbouring radii as positional sense.

    Input and output: (batch, radii, dim).

    Parameters
    ----------
    dim : int
    num_heads : int, default 4
    expansion : int, default 2
        Width of the feed-forward layer over `dim`.
    """

    def __init__(self, dim: int, num_heads: int = 4, expansion: int = 2, **kwargs):
        super().__init__(**kwargs)
        if dim % num_heads:
            raise ValueError(f"dim must be a multiple of num_heads, but dim={dim} and num_heads={num_heads} came")
        self.dim, self.num_heads, self.expansion = dim, num_heads, expansion
        policy = {"dtype": self.dtype_policy}
        self.norm_conv = layers.LayerNormalization(epsilon=1e-5, dtype="float32", name="norm_conv")
        self.conv = layers.Conv1D(dim, 3, padding="same", name="conv", **policy)
        self.norm_attention = layers.LayerNormalization(epsilon=1e-5, dtype="float32", name="norm_attention")
        self.qkv = layers.Dense(3 * dim, use_bias=False, name="qkv", **policy)
        self.project = layers.Dense(dim, kernel_initializer="zeros", name="project", **policy)
        self.norm_mlp = layers.LayerNormalization(epsilon=1e-5, dtype="float32", name="norm_mlp")
        self.expand = layers.Dense(expansion * dim, name="expand", **policy)
        self.contract = layers.Dense(dim, kernel_initializer="zeros", name="contract", **policy)

    def build(self, input_shape):
        for layer in (self.norm_conv, self.conv, self.norm_attention, self.qkv, self.project, self.norm_mlp):
            layer.build(input_shape)
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:2], self.expansion * self.dim))

    def call(self, x):
        x = x + ops.cast(ops.silu(self.conv(self.norm_conv(x))), x.dtype)
        x = x + ops.cast(self.project(self._attend(self.norm_attention(x))), x.dtype)
        return x + ops.cast(self.contract(ops.silu(self.expand(self.norm_mlp(x)))), x.dtype)

    def _attend(self, x):
        radii, head = x.shape[1], self.dim // self.num_heads
        qkv = ops.reshape(self.qkv(x), (-1, radii, 3, self.num_heads, head))
        # Every axis in its place for the matrix products: heads beside the batch, keys as columns.
        orders = ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3))
        # Unstacked, not sliced: the gradient of three slices takes a quarter of the block's training step.
        q, k, v = (ops.transpose(part, order) for part, order in zip(ops.unstack(qkv, 3, axis=2), orders, strict=True))
        scores = ops.cast(ops.matmul(q, k), "float32") * head**-0.5
        mixed = ops.matmul(ops.cast(ops.softmax(scores, axis=-1), v.dtype), v)
        return ops.reshape(ops.transpose(mixed, (0, 2, 1, 3)), (-1, radii, self.dim))

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return tuple(input_shape)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "num_heads": self.num_heads, "expansion": self.expansion}
