"""Convolutions on (radius, angle) maps: zero-padded in radius, circular in angle.

Strides halve the angle from 32 to no less than 4, so that a turn of the image by 90 degrees stays a whole shift at
every depth, and the network's answer turns with it exactly.
"""

from __future__ import annotations

import keras
from keras import layers, ops

__all__ = ["PolarConv2D", "PolarResidual", "PolarDown", "PolarUp"]


class _Composite(keras.layers.Layer):
    """Base of layers made of others: sublayers inherit the dtype policy, `filters` comes back from the config."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable(package="p2p_keras")
class PolarConv2D(_Composite):
    """Convolution of (batch, radii, angles, channels), circular in angle; shape kept but for channels.

    Parameters
    ----------
    filters : int
    kernel_size : int, odd, default 3
    kernel_initializer : str or initializer, default "he_normal"
    """

    def __init__(self, filters: int, kernel_size: int = 3, kernel_initializer="he_normal", **kwargs):
        super().__init__(filters, **kwargs)
        self.kernel_size = kernel_size
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.conv = layers.Conv2D(
            filters,
            kernel_size,
            padding="valid",
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name="conv",
        )

    def build(self, input_shape):
        half = self.kernel_size // 2
        self.conv.build((input_shape[0], input_shape[1] + 2 * half, input_shape[2] + 2 * half, input_shape[3]))

    def call(self, x):
        half = self.kernel_size // 2
        x = ops.concatenate([x[:, :, -half:], x, x[:, :, :half]], axis=2)
        return self.conv(ops.pad(x, [[0, 0], [half, half], [0, 0], [0, 0]]))

    def compute_output_shape(self, input_shape):
        """The input's shape with `filters` channels."""
        return (*input_shape[:3], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }


@keras.saving.register_keras_serializable(package="p2p_keras")
class PolarResidual(_Composite):
    """Two circular convolutions with silu around a skip; starts as the identity, so deep stacks train without norms.

    Parameters
    ----------
    filters : int
        Channels of input and output.
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, **kwargs)
        self.conv_in = PolarConv2D(filters, dtype=self.dtype_policy, name="conv_in")
        self.conv_out = PolarConv2D(filters, kernel_initializer="zeros", dtype=self.dtype_policy, name="conv_out")

    def build(self, input_shape):
        self.conv_in.build(input_shape)
        self.conv_out.build(input_shape)

    def call(self, x):
        return x + self.conv_out(ops.silu(self.conv_in(ops.silu(x))))

    def compute_output_shape(self, input_shape):
        """The input's shape."""
        return tuple(input_shape)


@keras.saving.register_keras_serializable(package="p2p_keras")
class PolarDown(_Composite):
    """Halve radius and angle by a 2 x 2 convolution of stride 2."""

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, **kwargs)
        self.conv = layers.Conv2D(
            filters, 2, strides=2, kernel_initializer="he_normal", dtype=self.dtype_policy, name="conv"
        )

    def build(self, input_shape):
        self.conv.build(input_shape)

    def call(self, x):
        return self.conv(x)

    def compute_output_shape(self, input_shape):
        """Half the radii and angles, `filters` channels."""
        return (input_shape[0], input_shape[1] // 2, input_shape[2] // 2, self.filters)


@keras.saving.register_keras_serializable(package="p2p_keras")
class PolarUp(_Composite):
    """Double radius and angle by repetition after a 1 x 1 convolution, and add the skip.

    Inputs: x (batch, radii, angles, channels), skip (batch, 2 radii, 2 angles, filters).
    """

    def __init__(self, filters: int, **kwargs):
        super().__init__(filters, **kwargs)
        self.conv = layers.Conv2D(filters, 1, kernel_initializer="he_normal", dtype=self.dtype_policy, name="conv")

    def build(self, x_shape, skip_shape):
        self.conv.build(x_shape)

    def call(self, x, skip):
        x = self.conv(ops.silu(x))
        # Broadcasting against the skip doubles both axes without a resize op.
        radii, angles = x.shape[1], x.shape[2]
        x = ops.reshape(x, (-1, radii, 1, angles, 1, self.filters))
        skip = ops.reshape(skip, (-1, radii, 2, angles, 2, self.filters))
        return ops.reshape(x + skip, (-1, 2 * radii, 2 * angles, self.filters))

    def compute_output_shape(self, x_shape, skip_shape):
        """The skip's shape."""
        return tuple(skip_shape)
