"""The paper's own network (Smith et al. 2021, MNRAS 503, 96): an image encoded once, then a caption.

1. The image in nanomaggies, clipped at its 99.9th percentile; with `sky_free`, less its sky and with its holes filled.
2. ResNet-18 on one channel, to a vector z of 512.
3. Three GRU layers of 512 that start from z, dropout of 0.2 between them; a ReLU and one unit give the next
   surface brightness; each step is fed the last output, at first 0.
4. A caption of whole-pixel steps halts once 100 outputs have a standard deviation of 0.01 or less, else after 1024.

What the paper's network doesn't have and the contract wants (any sky and mask, an ellipse, a centre, uncertainties) is
put before and beside it, and trains no weight of it: see docs/presets.md.
"""

from __future__ import annotations

import keras
from keras import layers

from p2p_keras.network import layers as p2p
from p2p_keras.network.models.beside_mu import contract_inputs, physical_outputs, seen_image, shape_head
from p2p_keras.network.models.paper.resnet import STAGES, resnet18, scaled

__all__ = ["build_network"]


def build_network(*, width=1.0, num_layers=3, dropout=0.2, window=100, tolerance=0.01, sky_free=False, dtype="float32"):
    """Functional model that writes a profile from an image alone.

    Parameters
    ----------
    width : float
        Channels and units over the paper's.
    num_layers : int
        GRU layers.
    dropout : float
        Between the GRU layers, while training.
    window, tolerance : int, float
        The halting rule.
    sky_free : bool
        A constant sky is taken off and holes are filled first, see `seen_image`; the paper's network sees the image as
        it is.
    dtype : str
        Precision policy of the encoder; recurrence, statistics and outputs stay in float32.

    Returns
    -------
    keras.Model
        Inputs and outputs as `p2p_keras.network.models` says; `caption` (batch, 1024) besides. Its layer ``decoder``
        takes a teacher: see `p2p_keras.network.training.teaching`.
    """
    # === Encoder ===
    image, zero_point, pixel_scale = contract_inputs()
    units = scaled(STAGES[-1], width)
    seen, measured, pyramid, removed = seen_image(image, sky_free)
    x = p2p.PaperImage(name="nanomaggies")(seen, zero_point, pixel_scale, measured)
    _, x = resnet18(x, width, dtype)
    x = layers.GlobalAveragePooling2D(dtype="float32", name="pool")(x)
    z = layers.Dense(units, dtype="float32", name="z")(x)

    # === Decoder ===
    decoder = p2p.GRUDecoder(
        units, num_layers=num_layers, dropout=dropout, window=window, tolerance=tolerance, name="decoder"
    )
    caption, length = decoder(z, image)

    # === The contract's radii and what else it wants ===
    sma = p2p.RadialGrid(name="grid")(image)
    mu, inside = p2p.CaptionToGrid(name="on_grid")(caption, length, sma)
    e, centre = shape_head(z, image, sma, units, detached=True)
    outputs = physical_outputs(image, pyramid, removed, zero_point, pixel_scale, sma, mu, inside, e, centre)
    return keras.Model(
        {"image": image, "zero_point": zero_point, "pixel_scale": pixel_scale},
        {**outputs, "centre": centre, "caption": caption},
        name="pix2prof",
    )
