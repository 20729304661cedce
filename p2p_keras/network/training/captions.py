"""Labels as captions: the surface brightness at whole-pixel steps, then the sky."""

from __future__ import annotations

import keras
from keras import ops

from p2p_keras.core import radii, units
from p2p_keras.network.layers.caption import smooth_radius

__all__ = ["SKY_STEPS", "caption_targets"]

SKY_STEPS = 100
"""Steps of sky behind the grid's last radius: as many as the paper's stop rule looks at."""


def caption_targets(targets: dict, side) -> tuple[tf.Tensor, tf.Tensor]:
    """True captions of a batch.

    Parameters
    ----------
    targets : dict
        `mu`, `known` and `within` (batch, K) of `p2p_keras.data.pipeline.make_dataset`.
    side : int tensor
        Longer side of the images in pixels.

    Returns
    -------
    caption : float32 (batch, steps)
        Normalised as `units.caption_from_mu`, at the radii of `radii.caption_px`: the label up to the last radius of
        the grid within the extent, `units.SKY_MU` from there on.
    known : bool (batch, steps)
        False where the label says nothing.
    """
    side = ops.cast(side, "float32")
    grid = radii.grid_px(side, xp=keras.ops)
    steps = ops.cast(radii.caption_length(side, xp=keras.ops), "int32") + SKY_STEPS
    steps = ops.minimum(steps, radii.CAPTION_MAX_STEPS)
    radius = tf.range(ops.cast(steps, "float32")) + radii.SMA_MIN_PX
    left = ops.searchsorted(grid, radius, side="right") - 1
    left = ops.clip(left, 0, radii.NUM_RADII - 2)
    low, high = (smooth_radius(tf.gather(grid, left + i)) for i in (0, 1))
    weight = ops.clip((smooth_radius(radius) - low) / (high - low), 0.0, 1.0)
    mu = [tf.gather(targets["mu"], left + i, axis=1) for i in (0, 1)]
    known = [tf.gather(targets["known"], left + i, axis=1) for i in (0, 1)]
    label = units.caption_from_mu(mu[0] + weight * (mu[1] - mu[0]))
    # On a radius of the grid the neighbour doesn't count.
    label_known = (known[0] | (weight >= 1.0)) & (known[1] | (weight <= 0.0))
    end = ops.max(ops.where(targets["within"], ops.reshape(grid, (1, -1)), 0.0), axis=1, keepdims=True)
    inside = ops.reshape(radius, (1, -1)) <= end
    sky = tf.fill(ops.shape(label), units.caption_from_mu(units.SKY_MU))
    return ops.where(inside, label, sky), label_known | ~inside
