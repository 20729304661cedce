"""The paper's other wish: a transformer whose radii come in parallel.

1. Image in asinh scales, ResNet-18 and memory as in `pix2prof_attention`.
2. A query for each radius of the contract's grid, told ln sma alone.
3. Blocks of cross-attention (queries over the memory) and of a transformer over radii; a dense layer gives every
   radius its surface brightness and the scale of its error.

No radius is fed another one's answer, so nothing is forgotten and nothing adds up outward.
"""

from __future__ import annotations

import keras
from keras import layers

from p2p_keras.network import layers as p2p
from p2p_keras.network.models.beside_mu import contract_inputs, physical_outputs, seen_image, shape_head
from p2p_keras.network.models.paper.pix2prof_attention import encoded_image
from p2p_keras.network.models.paper.resnet import STAGES, scaled

__all__ = ["build_network"]


def build_network(*, width=1.0, blocks=4, num_heads=8, sky_free=False, dtype="float32"):
    """Functional model that reads all radii off the image at once.

    Parameters
    ----------
    width : float
        Channels and units over those of `pix2prof`.
    blocks : int
        Pairs of cross-attention and transformer over radii.
    num_heads : int
    sky_free : bool
        As `pix2prof`.
    dtype : str
        Precision policy of encoder and transformer; statistics and outputs stay in float32.

    Returns
    -------
    keras.Model
        As `p2p_keras.network.models` says.
    """
    # === Encoder ===
    image, zero_point, pixel_scale = contract_inputs()
    units = scaled(STAGES[-1], width)
    seen, measured, pyramid, removed = seen_image(image, sky_free)
    z, memory, mask = encoded_image(seen, measured, zero_point, pixel_scale, width, dtype)

    # === Decoder: all radii in parallel ===
    sma = p2p.RadialGrid(name="grid")(image)
    queries = layers.Dense(units, dtype=dtype, name="queries")(p2p.RadiusQueries(name="radius_waves")(sma))
    queries = p2p.AddToAll(name="queries_z")(queries, z)
    for i in range(blocks):
        queries, _ = p2p.CrossAttention(units, num_heads, dtype=dtype, name=f"look{i}")(queries, memory, mask)
        queries = p2p.RadialTransformer(units, num_heads, dtype=dtype, name=f"block{i}")(queries)
    queries = layers.LayerNormalization(dtype="float32", name="queries_out")(queries)
    answer = layers.Dense(2, kernel_initializer="zeros", dtype="float32", name="answer")(queries)
    mu, log_scale, inside = p2p.ParallelAnswer(name="parallel")(answer)

    # === What else the contract wants ===
    e, centre = shape_head(z, image, sma, units)
    outputs = physical_outputs(image, pyramid, removed, zero_point, pixel_scale, sma, mu, inside, e, centre, log_scale)
    return keras.Model(
        {"image": image, "zero_point": zero_point, "pixel_scale": pixel_scale},
        {**outputs, "centre": centre},
        name="pix2prof_transformer",
    )
