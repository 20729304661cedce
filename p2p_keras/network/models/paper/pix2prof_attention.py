"""The cure that the paper asks for: its decoder forgets the image, so this one looks at it anew at every step.

1. ResNet-18 as in `pix2prof`, on the image in asinh scales: it spans a factor of 10,000 (with `sky_free`, less
   its sky and with its holes filled).
2. Memory: the feature maps of strides 16 and 32 added up, with where each position lies.
3. A GRU that starts from the image's vector z, with additive attention (Bahdanau et al. 2015) over the memory at every
   step; a ReLU and one unit give the next surface brightness. Halting as in `pix2prof`.

Trained by scheduled sampling: at first most steps are fed the truth, later on their own outputs.
"""

from __future__ import annotations

import keras
from keras import layers

from p2p_keras.network import layers as p2p
from p2p_keras.network.models.beside_mu import contract_inputs, physical_outputs, seen_image, shape_head
from p2p_keras.network.models.paper.resnet import STAGES, resnet18, scaled

__all__ = ["STRIDE", "image_memory", "encoded_image", "build_network"]

STRIDE = 16


def image_memory(measured, fine, coarse, units, dtype):
    """Tokens of the image from two feature maps.

    Parameters
    ----------
    measured : tensor (batch, height, width)
        Not finite where there are no data: no decoder looks there.
    fine, coarse : tensors
        Feature maps of strides 16 and 32.
    units : int

    Returns
    -------
    memory (batch, positions, units) float32, mask (batch, positions)
    """
    fine = layers.Conv2D(units, 1, dtype=dtype, name="memory_fine")(fine)
    coarse = layers.Conv2D(units, 1, dtype=dtype, name="memory_coarse")(coarse)
    maps = p2p.AddUpsampled(name="memory_maps")(fine, coarse)
    tokens, mask, place, *_ = p2p.ImageTokens(STRIDE, name="tokens")(measured, maps)
    place = layers.Dense(units, dtype="float32", name="memory_place")(place)
    memory = layers.Add(dtype="float32", name="memory_add")([tokens, place])
    return layers.LayerNormalization(dtype="float32", name="memory")(memory), mask


def encoded_image(seen, measured, zero_point, pixel_scale, width, dtype):
    """What a decoder with attention gets of an image.

    Parameters
    ----------
    seen, measured : tensors (batch, height, width)
        What is encoded of an image, and the same with its holes (`seen_image`).
    zero_point, pixel_scale : tensors (batch,)
    width : float
        Channels and units over those of `pix2prof`.
    dtype : str
        Precision policy of the encoder.

    Returns
    -------
    z (batch, units) float32, memory (batch, positions, units) float32, mask (batch, positions)
    """
    units = scaled(STAGES[-1], width)
    x = p2p.AsinhImage(name="asinh")(seen, zero_point, pixel_scale)
    fine, coarse = resnet18(x, width, dtype)
    pooled = layers.GlobalAveragePooling2D(dtype="float32", name="pool")(coarse)
    z = layers.Dense(units, dtype="float32", name="z")(pooled)
    return z, *image_memory(measured, fine, coarse, units, dtype)


def build_network(*, width=1.0, dropout=0.2, window=100, tolerance=0.01, sky_free=False, dtype="float32"):
    """Functional model that writes a profile from an image, looking at it at every step.

    Parameters
    ----------
    width : float
        Channels and units over those of `pix2prof`.
    dropout : float
        On the GRU's output, while training.
    window, tolerance : int, float
        The halting rule.
    sky_free : bool
        As `pix2prof`.
    dtype : str
        Precision policy of the encoder; recurrence, attention, statistics and outputs stay in float32.

    Returns
    -------
    keras.Model
        As `pix2prof`.
    """
    # === Encoder ===
    image, zero_point, pixel_scale = contract_inputs()
    units = scaled(STAGES[-1], width)
    seen, measured, pyramid, removed = seen_image(image, sky_free)
    z, memory, mask = encoded_image(seen, measured, zero_point, pixel_scale, width, dtype)

    # === Decoder ===
    decoder = p2p.AttentionDecoder(
        units, max(8, units // 2), dropout=dropout, window=window, tolerance=tolerance, name="decoder"
    )
    caption, length = decoder(z, memory, mask, image)

    # === The contract's radii and what else it wants ===
    sma = p2p.RadialGrid(name="grid")(image)
    mu, inside = p2p.CaptionToGrid(name="on_grid")(caption, length, sma)
    e, centre = shape_head(z, image, sma, units)
    outputs = physical_outputs(image, pyramid, removed, zero_point, pixel_scale, sma, mu, inside, e, centre)
    return keras.Model(
        {"image": image, "zero_point": zero_point, "pixel_scale": pixel_scale},
        {**outputs, "centre": centre, "caption": caption},
        name="pix2prof_attention",
    )
