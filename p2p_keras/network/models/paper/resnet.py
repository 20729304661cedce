"""ResNet-18 (He et al. 2016, arXiv:1512.03385), the encoder of the paper's network and of its variants."""

from __future__ import annotations

from keras import layers

__all__ = ["STAGES", "scaled", "resnet18"]

STAGES = (64, 128, 256, 512)
"""Channels of the four stages at full width."""


def scaled(channels: int, width: float) -> int:
    """Channels at a fraction of the width: a multiple of 8, and 8 at least."""
    return max(8, 8 * round(channels * width / 8))


def resnet18(x, width, dtype):
    """Feature maps of the third and the fourth stage, of strides 16 and 32.

    Parameters
    ----------
    x : tensor (batch, height, width, 1)
    width : float
        Channels over those of the published network.
    dtype : str
        Precision policy; batch normalisation takes its statistics in float32 under each.

    Returns
    -------
    tensors (batch, ceil(height / 16), ceil(width / 16), 256 width), and the same with 32 and 512
    """

    def convolved(x, filters, size, strides, name, activation="relu"):
        x = layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=dtype,
            name=name,
        )(x)
        # The momentum of the published network (0.1 of the new), not Keras' 0.99: it must follow short trainings.
        x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype, name=f"{name}_norm")(x)
        return layers.Activation(activation, dtype=dtype, name=f"{name}_act")(x) if activation else x

    x = convolved(x, scaled(STAGES[0], width), 7, 2, "stem")
    x = layers.MaxPooling2D(3, 2, padding="same", dtype=dtype, name="stem_pool")(x)
    maps = []
    for stage, channels in enumerate(STAGES):
        filters = scaled(channels, width)
        for block in range(2):
            name, strides = f"stage{stage + 1}_block{block + 1}", 2 if stage and not block else 1
            skip = x if strides == 1 else convolved(x, filters, 1, strides, f"{name}_skip", activation=None)
            x = convolved(x, filters, 3, strides, f"{name}_1")
            x = convolved(x, filters, 3, 1, f"{name}_2", activation=None)
            x = layers.Add(dtype=dtype, name=f"{name}_add")([x, skip])
            x = layers.Activation("relu", dtype=dtype, name=f"{name}_out")(x)
        maps.append(x)
    return maps[2], maps[3]
