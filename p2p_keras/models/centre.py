"""The target's centre in three steps: a heat map of the image's inner half, then two fine windows around its peak.

1. The inner half at 1/128 of the image's side, down to 8 x 8 cells and up again to 32 x 32, beside the whole image at
   half of that resolution: what surrounds a clump or a bar says whether it is the centre.
2. A prior that the target is near the middle, without which a brighter neighbour is taken for it in 3 % of images.
3. Windows of 16 x 16 px, the second where the first peaks. How far a window's peak may lie from where it looks is the
   first step's to say: in a clumpy disc the brightest pixels near the centre aren't the centre.
"""

from __future__ import annotations

from keras import layers

from p2p_keras import layers as p2p

CENTRE_PRIOR_CELLS = 2.0
"""1-sigma of the prior on the target's place, in cells of 1/64 of the image's longer side: 8 px of 256."""

OUTPUTS = ("centre", "centre_rough", "centre_near", "centre_heat")


def find_centre(image, pyramid, filters, policy):
    """Centre of the target, with what deep supervision looks at.

    Parameters
    ----------
    image : tensor (batch, height, width)
    pyramid : tensors
        Of `ImagePyramid`.
    filters : tuple of int
        Channels at 32, 16 and 8 cells a side.
    policy : str
        Precision policy of the convolutions.

    Returns
    -------
    dict of tensors
        `OUTPUTS`: centre, rough and near centres (batch, 2) in pixels; heat map's logits (batch, 1024).
    """
    sampler = p2p.PyramidSampler(name="centre_samples")
    show = p2p.LookFeatures(name="centre_look")

    def window(name, size, divisions, smallest):
        x, y, spacing = p2p.WindowOffsets(size, divisions=divisions, smallest=smallest, name=f"centre_{name}")(image)
        value, good, level = sampler(image, *pyramid, x, y, spacing)
        return show(value, good, level, spacing)

    def convolved(x, channels, name, size=3, strides=1, activation="silu"):
        conv = layers.Conv2D(channels, size, strides=strides, padding="same", dtype=policy, name=f"centre_{name}")
        return (
            layers.Activation(activation, dtype=policy, name=f"centre_{name}_act")(conv(x)) if activation else conv(x)
        )

    def residual(x, name):
        y = convolved(convolved(x, x.shape[-1], f"{name}a"), x.shape[-1], f"{name}b", activation=None)
        return layers.Activation("silu", dtype=policy, name=f"centre_{name}_out")(
            layers.Add(dtype=policy, name=f"centre_{name}_add")([x, y])
        )

    def doubled(x, channels, name):
        return layers.UpSampling2D(2, dtype=policy, name=f"centre_{name}_up")(convolved(x, channels, name, size=1))

    # === The whole image, 32 x 32 cells of twice the size: its inner half are 16 x 16 of them ===
    narrow, middle, wide = filters
    field = residual(convolved(window("field", 32, 32, 4.0), narrow, "field1"), "field2")
    around = residual(convolved(field, middle, "field3", strides=2), "field4")
    deep = residual(convolved(around, wide, "field5", strides=2), "field6")
    around = layers.Add(dtype=policy, name="centre_field_add")([around, doubled(deep, middle, "field7")])
    field = layers.Concatenate(dtype=policy, name="centre_field_join")([field, doubled(around, middle, "field8")])
    field = layers.Cropping2D(8, dtype=policy, name="centre_field_inner")(field)

    # === Its inner half: 32, 16 and 8 cells a side, and back ===
    fine = residual(convolved(window("inner", 64, 128, 1.0), narrow, "1", strides=2), "2")
    half = layers.Concatenate(dtype=policy, name="centre_join16")([convolved(fine, middle, "3", strides=2), field])
    half = residual(convolved(half, middle, "4"), "5")
    deep = residual(residual(convolved(half, wide, "6", strides=2), "7"), "8")
    half = residual(layers.Add(dtype=policy, name="centre_add16")([half, doubled(deep, middle, "9")]), "10")
    fine = layers.Concatenate(dtype=policy, name="centre_join32")([fine, doubled(half, narrow, "11")])
    heat = convolved(convolved(fine, narrow, "12"), 1, "heat", size=1, activation=None)
    heat = layers.Reshape((32 * 32,), dtype="float32", name="centre_flat")(heat)
    heat = p2p.PositionBias(sigma=CENTRE_PRIOR_CELLS, name="centre_prior")(heat)
    grid = layers.Reshape((32, 32), dtype="float32", name="centre_grid")(heat)
    x, y, _ = p2p.WindowOffsets(32, divisions=64, smallest=2.0, name="centre_cells")(image)
    centre = rough = p2p.LocalSoftArgmax(name="centre_peak")(grid, x, y)

    # === Fine windows ===
    pooled = layers.GlobalAveragePooling2D(dtype="float32", name="centre_pool")(deep)
    pooled = layers.Dense(wide, activation="silu", dtype="float32", name="centre_reach_hidden")(pooled)
    convolutions = [
        layers.Conv2D(narrow, 3, padding="same", dilation_rate=rate, activation="silu", dtype=policy, name=f"fine_{i}")
        for i, rate in enumerate((1, 2, 4), start=1)
    ]
    convolutions.append(layers.Conv2D(1, 3, padding="same", dtype=policy, name="fine_heat"))
    fine_features = p2p.LookFeatures(name="fine_look")
    fine_peak = p2p.LocalSoftArgmax(reach=16, name="fine_peak")
    steps = []
    for name, divisions in (("near", 256), ("nearest", 4096)):
        x, y, spacing = p2p.WindowOffsets(16, divisions=divisions, name=f"fine_window_{name}")(image, centre)
        value, good, level = sampler(image, *pyramid, x, y, spacing)
        maps = fine_features(value, good, level, spacing)
        for layer in convolutions:
            maps = layer(maps)
        maps = layers.Reshape((16, 16), dtype="float32", name=f"fine_grid_{name}")(maps)
        reach = layers.Dense(2, kernel_initializer="zeros", dtype="float32", name=f"fine_reach_{name}")(pooled)
        maps = p2p.WindowPrior(name=f"fine_prior_{name}")(maps, reach)
        centre = fine_peak(maps, x, y)
        steps.append(centre)
    return {"centre": centre, "centre_rough": rough, "centre_near": steps[0], "centre_heat": heat}
