"""Tokens of the image for decoders that attend to it, and queries of radii."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import layers, ops

from p2p_keras.core import radii
from p2p_keras.network.layers.geometry import _Float32Layer

__all__ = ["ImageTokens", "RadiusQueries", "CrossAttention", "AddUpsampled", "AddToAll", "ParallelAnswer"]

_WAVELENGTHS = 2.0 ** np.arange(4, 13, dtype="float32")  # px: 16 to 4096
_WAVES = 16
_MASKED = -1e9
_LOG_SCALE = math.log(0.1)
_MIDDLE_MU, _SPREAD_MU = 23.0, 4.0  # of most galaxies' radii


def _waves(position, wavelengths):
    """Cosines and sines of a position (...,) at some wavelengths, (..., 2 * wavelengths)."""
    phase = ops.expand_dims(position, -1) * ops.convert_to_tensor((2.0 * np.pi / wavelengths).astype("float32"))
    return ops.concatenate([ops.cos(phase), ops.sin(phase)], axis=-1)


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
        shape, grid = ops.shape(image), ops.shape(maps)
        rows, columns = grid[1], grid[2]
        batch, positions = shape[0], rows * columns
        good = ops.cast(ops.isfinite(image), "float32")
        margins = [[0, 0], [0, rows * self.stride - shape[1]], [0, columns * self.stride - shape[2]]]
        blocks = ops.reshape(ops.pad(good, margins), (batch, rows, self.stride, columns * self.stride))
        blocks = ops.reshape(ops.mean(blocks, axis=2), (batch, rows, columns, self.stride))
        mask = ops.reshape(ops.mean(blocks, axis=3), (batch, positions))
        middle = [(ops.cast(n, "float32") + 0.5) * self.stride - 0.5 for n in (ops.arange(columns), ops.arange(rows))]
        ones = ops.ones((batch, rows, columns))
        x = ops.reshape(ones * ops.reshape(middle[0], (1, 1, -1)), (batch, positions))
        y = ops.reshape(ones * ops.reshape(middle[1], (1, -1, 1)), (batch, positions))
        dx = x - 0.5 * (ops.cast(shape[2], "float32") - 1.0)
        dy = y - 0.5 * (ops.cast(shape[1], "float32") - 1.0)
        distance = ops.expand_dims(0.25 * ops.log(dx * dx + dy * dy + self.stride), -1)
        place = ops.concatenate([_waves(dx, _WAVELENGTHS), _waves(dy, _WAVELENGTHS), distance], axis=-1)
        return ops.reshape(maps, (batch, positions, maps.shape[3])), mask, place, x, y

    def compute_output_shape(self, image_shape, maps_shape):
        """Shapes of tokens, mask, place, x and y."""
        rows, columns = maps_shape[1:3]
        flat = (maps_shape[0], rows * columns if rows and columns else None)
        return (*flat, maps_shape[3]), flat, (*flat, self._NUM_PLACE), flat, flat

    def get_config(self):
        return {**super().get_config(), "stride": self.stride}


@keras.saving.register_keras_serializable(package="p2p_keras")
class RadiusQueries(_Float32Layer):
    """What a query is told of its radius: waves of ln sma and ln sma itself.

    Input: sma (batch, K) in pixels. Output: (batch, K, 33).
    """

    def call(self, sma):
        # From 0.5 px to the outermost radius of an image of 2048 px ln sma runs over 7.9.
        log_sma = ops.log(sma / radii.SMA_MIN_PX)
        wavelengths = (16.0 / np.arange(1, _WAVES + 1)).astype("float32")
        return ops.concatenate([_waves(log_sma, wavelengths), ops.expand_dims(log_sma / 8.0, -1)], axis=-1)

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
        for layer in (self.norm_queries, self.query, self.project):
            layer.build(queries_shape)
        for layer in (self.norm_tokens, self.key_value):
            layer.build(tokens_shape)

    def call(self, queries, tokens, mask):
        usable = mask > 0.0
        tokens = ops.where(ops.expand_dims(usable, -1), tokens, ops.zeros_like(tokens))
        batch, radii_, head = ops.shape(queries)[0], queries.shape[1], self.dim // self.num_heads
        positions = ops.shape(tokens)[1]
        q = ops.reshape(self.query(self.norm_queries(queries)), (batch, radii_, self.num_heads, head))
        kv = ops.reshape(self.key_value(self.norm_tokens(tokens)), (batch, positions, 2, self.num_heads, head))
        k, v = ops.unstack(kv, 2, axis=2)  # not sliced: see RadialTransformer
        q, k, v = ops.transpose(q, (0, 2, 1, 3)), ops.transpose(k, (0, 2, 3, 1)), ops.transpose(v, (0, 2, 1, 3))
        scores = ops.cast(ops.matmul(q, k), "float32") * head**-0.5
        wide = ops.reshape(usable, (batch, 1, 1, positions))
        scores = ops.where(wide, scores, _MASKED)
        weights = ops.softmax(scores, axis=-1) * ops.cast(wide, "float32")
        mixed = ops.transpose(ops.matmul(ops.cast(weights, v.dtype), v), [0, 2, 1, 3])
        mixed = self.project(ops.reshape(mixed, (batch, radii_, self.dim)))
        return queries + ops.cast(mixed, queries.dtype), ops.mean(weights, axis=1)

    def compute_output_spec(self, queries, tokens, mask):
        """Specs of queries and attention."""
        attention = keras.KerasTensor((*queries.shape[:2], tokens.shape[1]), "float32")
        return keras.KerasTensor(queries.shape, self.compute_dtype), attention

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "num_heads": self.num_heads}


@keras.saving.register_keras_serializable(package="p2p_keras")
class AddUpsampled(_Float32Layer):
    """A map plus one of half its resolution, each of whose positions counts for four.

    Inputs: fine (batch, height, width, dim); coarse (batch, ceil(height / 2), ceil(width / 2), dim). Output: like fine.
    """

    def call(self, fine, coarse):
        shape, half = ops.shape(fine), ops.shape(coarse)
        dim = fine.shape[3]
        wide = ops.reshape(coarse, (shape[0], half[1], 1, half[2], 1, dim)) * ops.ones((1, 1, 2, 1, 2, 1))
        wide = ops.reshape(wide, (shape[0], 2 * half[1], 2 * half[2], dim))
        return fine + wide[:, : shape[1], : shape[2]]

    def compute_output_shape(self, fine_shape, coarse_shape):
        """The shape of fine."""
        return tuple(fine_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class AddToAll(keras.layers.Layer):
    """A vector (batch, dim) added to every query (batch, K, dim)."""

    def call(self, queries, vector):
        return queries + ops.expand_dims(ops.cast(vector, queries.dtype), 1)

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
        return _MIDDLE_MU + _SPREAD_MU * answer[..., 0], answer[..., 1] + _LOG_SCALE, ops.ones_like(answer[..., 0])

    def compute_output_shape(self, input_shape):
        """Shapes of mu, log_scale and inside."""
        return (tuple(input_shape[:2]),) * 3
