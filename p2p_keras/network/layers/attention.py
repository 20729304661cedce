"""Attention of the isophote decoder: over angle (which pixels are the galaxy) and over radius."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import layers

from p2p_keras.network.layers.geometry import _Float32Layer

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
        """See the class."""
        samples, angles = value.shape[2], logits.shape[2]
        if samples not in (angles, 2 * angles):
            raise ValueError(f"{samples} samples came for {angles} angles, but there must be as many or twice as many")
        if samples != angles:
            logits = tf.repeat(logits, 2, axis=2)
            # Sample 2i lies on the angle of logit i, sample 2i + 1 between i and i + 1.
            logits = 0.5 * (logits + tf.concat([logits[:, :, -1:], logits[:, :, :-1]], axis=2))
            logits = tf.concat([logits[:, :, 1:], logits[:, :, :1]], axis=2)
        usable = good > 0.0
        logits = tf.where(usable, logits + tf.math.log(tf.maximum(good, 1e-6)), tf.fill(tf.shape(good), _MASKED))
        any_good = tf.cast(tf.reduce_any(usable, axis=-1, keepdims=True), tf.float32)
        weight = tf.nn.softmax(logits, axis=-1) * any_good
        intensity = tf.reduce_sum(weight * value, axis=-1)
        square = tf.reduce_sum(weight * weight, axis=-1)
        number = tf.squeeze(any_good, -1) / tf.maximum(square, 1e-6)
        return weight, intensity, number, tf.reduce_mean(tf.cast(usable, tf.float32), axis=-1)

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
        """Build the sublayers."""
        for layer in (self.norm_conv, self.conv, self.norm_attention, self.qkv, self.project, self.norm_mlp):
            layer.build(input_shape)
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:2], self.expansion * self.dim))

    def call(self, x):
        """See the class."""
        x = x + tf.cast(tf.nn.silu(self.conv(self.norm_conv(x))), x.dtype)
        x = x + tf.cast(self.project(self._attend(self.norm_attention(x))), x.dtype)
        return x + tf.cast(self.contract(tf.nn.silu(self.expand(self.norm_mlp(x)))), x.dtype)

    def _attend(self, x):
        batch, radii, head = tf.shape(x)[0], x.shape[1], self.dim // self.num_heads
        qkv = tf.reshape(self.qkv(x), tf.stack([batch, radii, 3, self.num_heads, head]))
        q, k, v = (tf.transpose(qkv[:, :, i], [0, 2, 1, 3]) for i in range(3))
        scores = tf.cast(tf.matmul(q, k, transpose_b=True), tf.float32) * head**-0.5
        mixed = tf.matmul(tf.cast(tf.nn.softmax(scores, axis=-1), v.dtype), v)
        return tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), tf.stack([batch, radii, self.dim]))

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return tuple(input_shape)

    def get_config(self):
        """Every argument under its own name."""
        return {**super().get_config(), "dim": self.dim, "num_heads": self.num_heads, "expansion": self.expansion}
