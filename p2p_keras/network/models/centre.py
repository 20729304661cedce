"""The target's centre: a heat map over the image's inner half, then twice a fine window around its peak."""

from __future__ import annotations

from keras import layers

from p2p_keras.network import layers as p2p

__all__ = ["find_centre"]

CENTRE_PRIOR_CELLS = 2.0
"""1-sigma of the prior on the target's place, in cells of 1/64 of the image's longer side: 8 px of 256."""


def find_centre(image, sample, filters, policy):
    """Centre of the target, with what deep supervision looks at.

    Parameters
    ----------
    image : tensor (batch, height, width)
    sample : callable
        Of x, y and width: value, good share, level and what convolutions are shown of the share, see
        `p2p_keras.network.models.isophote.sampled_image`.
    filters : tuple of int
        Channels of the heat map's first and later convolutions.
    policy : str
        Precision policy of the convolutions.

    Returns
    -------
    dict of tensors
        `centre_rough`, `centre_near` and `centre_nearest` (batch, 2) in pixels, one finer than the other; `centre_heat`
        (batch, 1024), the map's logits.
    """
    coarse = p2p.WindowOffsets(64, divisions=128, name="centre_window")
    x, y, spacing = coarse(image)
    value, _, level, shown = sample(x, y, spacing)
    maps = p2p.LookFeatures(name="centre_look")(value, shown, level, spacing)
    maps = layers.Conv2D(filters[0], 3, strides=2, padding="same", activation="silu", dtype=policy, name="centre_1")(
        maps
    )
    skip = layers.Conv2D(filters[0], 3, padding="same", activation="silu", dtype=policy, name="centre_2")(maps)
    maps = layers.Conv2D(filters[1], 3, strides=2, padding="same", activation="silu", dtype=policy, name="centre_3")(
        skip
    )
    maps = layers.Conv2D(filters[1], 3, strides=2, padding="same", activation="silu", dtype=policy, name="centre_4")(
        maps
    )
    maps = layers.Conv2D(filters[1], 3, padding="same", activation="silu", dtype=policy, name="centre_5")(maps)
    maps = layers.Conv2D(filters[1], 3, padding="same", activation="silu", dtype=policy, name="centre_6")(maps)
    maps = layers.UpSampling2D(4, dtype=policy, name="centre_up")(maps)
    maps = layers.Concatenate(dtype=policy, name="centre_skip")([skip, maps])
    maps = layers.Conv2D(filters[0], 3, padding="same", activation="silu", dtype=policy, name="centre_7")(maps)
    # Without a prior that the target is near the middle, a brighter neighbour is taken for it in 3 % of images.
    heat = layers.Conv2D(1, 1, dtype=policy, name="centre_heat")(maps)
    heat = layers.Reshape((32 * 32,), dtype="float32", name="centre_flat")(heat)
    heat = p2p.PositionBias(sigma=CENTRE_PRIOR_CELLS, name="centre_prior")(heat)
    grid = layers.Reshape((32, 32), dtype="float32", name="centre_grid")(heat)
    x32, y32, _ = p2p.WindowOffsets(32, divisions=64, smallest=2.0, name="centre_cells")(image)
    centre = rough = p2p.LocalSoftArgmax(name="centre_peak")(grid, x32, y32)
    fine = [
        layers.Conv2D(filters[0], 3, padding="same", activation="silu", dtype=policy, name="fine_1"),
        layers.Conv2D(filters[0], 3, padding="same", activation="silu", dtype=policy, name="fine_2"),
        # The peak is wanted to a fraction of a cell; and on a CPU PyTorch has no gradient of 3 x 3 kernels to one
        # channel in float16 ("slow_conv2d: grad_weight must be contiguous").
        layers.Conv2D(1, 3, padding="same", dtype="float32", name="fine_heat"),
        layers.Reshape((16, 16), dtype="float32", name="fine_grid"),
    ]
    fine_features = p2p.LookFeatures(name="fine_look")
    fine_peak = p2p.LocalSoftArgmax(reach=16, name="fine_peak")
    steps = []
    for name, divisions in (("near", 256), ("nearest", 4096)):
        x, y, spacing = p2p.WindowOffsets(16, divisions=divisions, name=f"fine_window_{name}")(image, centre)
        value, _, level, shown = sample(x, y, spacing)
        maps = fine_features(value, shown, level, spacing)
        for layer in fine:
            maps = layer(maps)
        centre = fine_peak(maps, x, y)
        steps.append(centre)
    return {"centre_rough": rough, "centre_near": steps[0], "centre_nearest": centre, "centre_heat": heat}
