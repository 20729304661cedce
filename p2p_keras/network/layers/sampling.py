"""Bilinear samples of the pyramid at any position and scale, and what a convolution is shown of them."""

from __future__ import annotations

import keras
from keras import ops

from p2p_keras.network.layers.filling import SHOWN_WEIGHT
from p2p_keras.network.layers.geometry import _Float32Layer
from p2p_keras.network.layers.per_backend import gathered
from p2p_keras.network.layers.pyramid import NUM_LEVELS, level_table

__all__ = ["PyramidSampler", "LookFeatures"]

_MIN_COVERAGE = 0.25  # a sample with less good area than this under its kernel counts as masked


@keras.saving.register_keras_serializable(package="p2p_keras")
class PyramidSampler(_Float32Layer):
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

    def call(self, image, flux, good, log_noise, x, y, width, offset=None):
        flux, good, log_noise, x, y, width = (ops.stop_gradient(v) for v in (flux, good, log_noise, x, y, width))
        shape = ops.shape(image)
        table = level_table(shape[1], shape[2])
        # Rounded down (in log) a little more often than up: a mean over too wide a pixel biases steep profiles.
        log2_width = ops.log(ops.maximum(width, 1.0)) * 1.4426950
        level = ops.clip(ops.cast(ops.floor(log2_width + 0.4), "int32"), 0, NUM_LEVELS - 1)
        rows = ops.take(table, level, axis=0)  # (batch, radii, 3)
        start, height, row_width = (ops.expand_dims(rows[..., i], -1) for i in range(3))
        scale = ops.expand_dims(ops.power(2.0, ops.cast(level, "float32")), -1)
        u = (x + 0.5) / scale - 0.5
        v = (y + 0.5) / scale - 0.5
        inside = (
            (x > -0.5)
            & (y > -0.5)
            & (x < ops.cast(shape[2], "float32") - 0.5)
            & (y < ops.cast(shape[1], "float32") - 0.5)
        )
        u0, v0 = ops.floor(u), ops.floor(v)
        fu, fv = u - u0, v - v0
        iu, iv = ops.cast(u0, "int32"), ops.cast(v0, "int32")
        left, right = ops.clip(iu, 0, row_width - 1), ops.clip(iu + 1, 0, row_width - 1)
        low, high = ops.clip(iv, 0, height - 1), ops.clip(iv + 1, 0, height - 1)
        low, high = start + low * row_width, start + high * row_width
        index = ops.stack([low + left, low + right, high + left, high + right], axis=-1)
        weight = ops.stack([(1 - fu) * (1 - fv), fu * (1 - fv), (1 - fu) * fv, fu * fv], axis=-1)
        batch, radii, angles = ops.shape(x)
        index = ops.reshape(index, (batch, radii * angles * 4))
        flux, good = (
            ops.sum(weight * ops.reshape(gathered(pixels, index), ops.shape(weight)), axis=-1)
            for pixels in (flux, good)
        )
        per_unit = ops.reshape(ops.exp(-log_noise), (-1, 1, 1))
        if offset is not None:
            mean = flux / ops.maximum(good, 1e-3 * SHOWN_WEIGHT) - ops.reshape(offset, (-1, 1, 1))
            shown = ops.cast(inside & (good > SHOWN_WEIGHT), "float32")
            value = ops.where(inside, mean * per_unit, 0.0)
            good = ops.where(inside & (good > _MIN_COVERAGE), good, 0.0)
            return value, good, ops.cast(level, "float32"), shown
        good = ops.where(inside & (good > _MIN_COVERAGE), good, 0.0)
        value = ops.where(good > 0.0, flux * per_unit / ops.maximum(good, _MIN_COVERAGE), 0.0)
        return value, good, ops.cast(level, "float32")

    def compute_output_shape(
        self, image_shape, flux_shape, good_shape, log_noise_shape, x_shape, y_shape, width_shape, offset_shape=None
    ):
        """Shapes of value, good and level, and of shown."""
        shapes = tuple(x_shape), tuple(x_shape), tuple(width_shape)
        return shapes if offset_shape is None else (*shapes, tuple(x_shape))


_SCALE = 4.0  # brings asinh of signal-to-noise ratios (0 to 12) near one


@keras.saving.register_keras_serializable(package="p2p_keras")
class LookFeatures(_Float32Layer):
    """Samples along ellipses as six channels of order one.

    Inputs: value, good (batch, radii, angles) of `PyramidSampler`, level and sma (batch, radii).
    Output (batch, radii, angles, 6): asinh of the sample's signal-to-noise ratio; the same at the opposite side (a
    galaxy is much alike there, a star is not); its difference from the ring's mean; the good share; ln sma; ln sma
    from the end of the grid.
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
