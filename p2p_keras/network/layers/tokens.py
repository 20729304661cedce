"""Tokens of the image for decoders that attend to it, and queries of radii."""

from __future__ import annotations

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from p2p_keras.core import radii
from p2p_keras.network.layers.geometry import _Float32Layer

_WAVELENGTHS = 2.0 ** np.arange(4, 13, dtype="float32")  # px: 16 to 4096
_WAVES = 16
_MASKED = -1e9
_LOG_SCALE = math.log(0.1)
_MIDDLE_MU, _SPREAD_MU = 23.0, 4.0  # of most galaxies' radii


def _waves(position, wavelengths):
    """Cosines and sines of a position (...,) at some wavelengths, (..., 2 * wavelengths)."""
    phase = tf.expand_dims(position, -1) * (2.0 * np.pi / wavelengths)
    return tf.concat([tf.cos(phase), tf.sin(phase)], axis=-1)


@keras.saving.register_keras_serializable(package="p2p_keras")
class ImageTokens(_Float32Layer):
    """Where the positions of a feature map lie in the image, and which of them see a good pixel.

    Parameters
    ----------
    stride : int
        Pixels between neighbouring positions of the map.

    Inputs: image (batch, height, width), NaN or inf where masked; maps (batch, ceil(height / stride), ceil(width /
    stride), dim).
    Outputs: tokens (batch, positions, dim), rows first; mask (batch, positions), the share of pixels under each that is
    good; place (batch, positions, 37), waves of x and y from the image's middle at wavelengths of 16 to 4096 px, and
    ln of the distance; x, y (batch, positions), the middle of each in pixels.
    """

    _NUM_PLACE = 4 * len(_WAVELENGTHS) + 1

    def __init__(self, stride: int, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, image, maps):
        """See the class."""
        shape, grid = tf.shape(image), tf.shape(maps)
        rows, columns = grid[1], grid[2]
        batch, positions = shape[0], rows * columns
        good = tf.cast(tf.math.is_finite(image), tf.float32)
        margins = [[0, 0], [0, rows * self.stride - shape[1]], [0, columns * self.stride - shape[2]]]
        blocks = tf.reshape(tf.pad(good, margins), tf.stack([batch, rows, self.stride, columns * self.stride]))
        blocks = tf.reshape(tf.reduce_mean(blocks, axis=2), tf.stack([batch, rows, columns, self.stride]))
        mask = tf.reshape(tf.reduce_mean(blocks, axis=3), tf.stack([batch, positions]))
        middle = [(tf.cast(n, tf.float32) + 0.5) * self.stride - 0.5 for n in (tf.range(columns), tf.range(rows))]
        ones = tf.ones(tf.stack([batch, rows, columns]))
        x = tf.reshape(ones * tf.reshape(middle[0], [1, 1, -1]), tf.stack([batch, positions]))
        y = tf.reshape(ones * tf.reshape(middle[1], [1, -1, 1]), tf.stack([batch, positions]))
        dx = x - 0.5 * (tf.cast(shape[2], tf.float32) - 1.0)
        dy = y - 0.5 * (tf.cast(shape[1], tf.float32) - 1.0)
        distance = tf.expand_dims(0.25 * tf.math.log(dx * dx + dy * dy + self.stride), -1)
        place = tf.concat([_waves(dx, _WAVELENGTHS), _waves(dy, _WAVELENGTHS), distance], axis=-1)
        return tf.reshape(maps, tf.stack([batch, positions, maps.shape[3]])), mask, place, x, y

    def compute_output_shape(self, image_shape, maps_shape):
        """Shapes of tokens, mask, place, x and y."""
        rows, columns = maps_shape[1:3]
        flat = (maps_shape[0], rows * columns if rows and columns else None)
        return (*flat, maps_shape[3]), flat, (*flat, self._NUM_PLACE), flat, flat

    def get_config(self):
        """Every argument under its own name."""
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable(package="p2p_keras")
class RadiusQueries(_Float32Layer):
    """What a query is told of its radius: waves of ln sma and ln sma itself.

    Input: sma (batch, K) in pixels. Output: (batch, K, 33).
    """

    def call(self, sma):
        """See the class."""
        # From 0.5 px to the outermost radius of an image of 2048 px ln sma runs over 7.9.
        log_sma = tf.math.log(sma / radii.SMA_MIN_PX)
        wavelengths = (16.0 / np.arange(1, _WAVES + 1)).astype("float32")
        return tf.concat([_waves(log_sma, wavelengths), tf.expand_dims(log_sma / 8.0, -1)], axis=-1)

    def compute_output_shape(self, input_shape):
        """(batch, K, 33)."""
        return (*input_shape, 2 * _WAVES + 1)


@keras.saving.register_keras_serializable(package="p2p_keras")
class CrossAttention(keras.layers.Layer):
    """Queries look at tokens: one pre-norm block of multi-head attention, added to the queries.

    Inputs: queries (batch, K, dim); tokens (batch, positions, dim); mask (batch, positions), above 0 where a position
    may be looked at.
    Outputs: queries like the input; attention (batch, K, positions) float32, the mean over heads, which sums to one
    over the positions that aren't masked and is exactly 0 elsewhere; zeros where all are masked.

    Parameters
    ----------
    dim : int
    num_heads : int, default 4
    """

    def __init__(self, dim: int, num_heads: int = 4, **kwargs):
        super().__init__(**kwargs)
        if dim % num_heads:
            raise ValueError(f"dim must be a multiple of num_heads, but dim={dim} and num_heads={num_heads} came")
        self.dim, self.num_heads = dim, num_heads
        policy = {"dtype": self.dtype_policy}
        self.norm_queries = layers.LayerNormalization(epsilon=1e-5, dtype="float32", name="norm_queries")
        self.norm_tokens = layers.LayerNormalization(epsilon=1e-5, dtype="float32", name="norm_tokens")
        self.query = layers.Dense(dim, use_bias=False, name="query", **policy)
        self.key_value = layers.Dense(2 * dim, use_bias=False, name="key_value", **policy)
        self.project = layers.Dense(dim, name="project", **policy)

    def build(self, queries_shape, tokens_shape, *_):
        """Build the sublayers."""
        for layer in (self.norm_queries, self.query, self.project):
            layer.build(queries_shape)
        for layer in (self.norm_tokens, self.key_value):
            layer.build(tokens_shape)

    def call(self, queries, tokens, mask):
        """See the class."""
        usable = mask > 0.0
        tokens = tf.where(tf.expand_dims(usable, -1), tokens, tf.zeros_like(tokens))
        batch, radii_, head = tf.shape(queries)[0], queries.shape[1], self.dim // self.num_heads
        positions = tf.shape(tokens)[1]
        q = tf.reshape(self.query(self.norm_queries(queries)), tf.stack([batch, radii_, self.num_heads, head]))
        kv = tf.reshape(self.key_value(self.norm_tokens(tokens)), tf.stack([batch, positions, 2, self.num_heads, head]))
        q, k, v = (tf.transpose(x, [0, 2, 1, 3]) for x in (q, kv[:, :, 0], kv[:, :, 1]))
        scores = tf.cast(tf.matmul(q, k, transpose_b=True), tf.float32) * head**-0.5
        wide = tf.reshape(usable, tf.stack([batch, 1, 1, positions]))
        scores = tf.where(wide, scores, tf.fill(tf.shape(scores), _MASKED))
        weights = tf.nn.softmax(scores, axis=-1) * tf.cast(wide, tf.float32)
        mixed = tf.transpose(tf.matmul(tf.cast(weights, v.dtype), v), [0, 2, 1, 3])
        mixed = self.project(tf.reshape(mixed, tf.stack([batch, radii_, self.dim])))
        return queries + tf.cast(mixed, queries.dtype), tf.reduce_mean(weights, axis=1)

    def compute_output_spec(self, queries, tokens, mask):
        """Specs of queries and attention."""
        attention = keras.KerasTensor((*queries.shape[:2], tokens.shape[1]), "float32")
        return keras.KerasTensor(queries.shape, self.compute_dtype), attention

    def get_config(self):
        """Every argument under its own name."""
        return {**super().get_config(), "dim": self.dim, "num_heads": self.num_heads}


@keras.saving.register_keras_serializable(package="p2p_keras")
class AddUpsampled(_Float32Layer):
    """A map plus one of half its resolution, each of whose positions counts for four.

    Inputs: fine (batch, height, width, dim); coarse (batch, ceil(height / 2), ceil(width / 2), dim). Output: like fine.
    """

    def call(self, fine, coarse):
        """See the class."""
        shape, half = tf.shape(fine), tf.shape(coarse)
        dim = fine.shape[3]
        wide = tf.reshape(coarse, tf.stack([shape[0], half[1], 1, half[2], 1, dim])) * tf.ones([1, 1, 2, 1, 2, 1])
        wide = tf.reshape(wide, tf.stack([shape[0], 2 * half[1], 2 * half[2], dim]))
        return fine + tf.slice(wide, [0, 0, 0, 0], shape)

    def compute_output_shape(self, fine_shape, coarse_shape):
        """The shape of fine."""
        return tuple(fine_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class AddToAll(keras.layers.Layer):
    """A vector (batch, dim) added to every query (batch, K, dim)."""

    def call(self, queries, vector):
        """See the class."""
        return queries + tf.expand_dims(tf.cast(vector, queries.dtype), 1)

    def compute_output_shape(self, queries_shape, vector_shape):
        """The shape of the queries."""
        return tuple(queries_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class ParallelAnswer(_Float32Layer):
    """Surface brightness and the scale of its error from two numbers a radius.

    Input: answer (batch, K, 2). Outputs: mu (batch, K) in mag arcsec^-2, 23 plus 4 times the first; log_scale
    (batch, K), ln of the error of ln I, 0.1 where the second is 0; inside (batch, K), ones: what is sky is left to the
    extent's rule.
    """

    def call(self, answer):
        """See the class."""
        return _MIDDLE_MU + _SPREAD_MU * answer[..., 0], answer[..., 1] + _LOG_SCALE, tf.ones_like(answer[..., 0])

    def compute_output_shape(self, input_shape):
        """Shapes of mu, log_scale and inside."""
        return (tuple(input_shape[:2]),) * 3
