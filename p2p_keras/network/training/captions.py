"""Labels as captions: the surface brightness at whole-pixel steps, then the sky."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from p2p_keras.core import radii, units
from p2p_keras.network.layers.caption import smooth_radius
from p2p_keras.network.layers.geometry import longer_side

__all__ = ["SKY_STEPS", "caption_targets"]

SKY_STEPS = 100
"""Steps of sky behind the grid's last radius: as many as the paper's stop rule looks at."""


def caption_targets(targets: dict, image) -> tuple[Any, Any]:
    """True captions of a batch.

    Parameters
    ----------
    targets : dict
        `mu`, `known` and `within` (batch, K) of `p2p_keras.data.pipeline.make_dataset`.
    image : tensor (batch, height, width)
        For its shape.

    Returns
    -------
    caption : float32 (batch, steps)
        Normalised as `units.caption_from_mu`, at 0.5, 1.5, 2.5, ... px: the label up to the last radius of
        the grid within the extent, `units.SKY_MU` from there on.
    known : bool (batch, steps)
        False where the label says nothing.
    """
    grid = radii.grid_px(longer_side(image), xp=ops)
    radius = ops.cast(ops.arange(_steps(image), dtype="int32"), "float32") + radii.SMA_MIN_PX
    left = ops.searchsorted(grid, radius, side="right") - 1
    left = ops.clip(left, 0, radii.NUM_RADII - 2)
    low, high = (smooth_radius(ops.take(grid, left + i, axis=0)) for i in (0, 1))
    weight = ops.clip((smooth_radius(radius) - low) / (high - low), 0.0, 1.0)
    mu = [ops.take(targets["mu"], left + i, axis=1) for i in (0, 1)]
    known = [ops.take(targets["known"], left + i, axis=1) for i in (0, 1)]
    label = units.caption_from_mu(mu[0] + weight * (mu[1] - mu[0]))
    # On a radius of the grid the neighbour doesn't count.
    label_known = (known[0] | (weight >= 1.0)) & (known[1] | (weight <= 0.0))
    end = ops.max(ops.where(targets["within"], ops.reshape(grid, (1, -1)), 0.0), axis=1, keepdims=True)
    inside = ops.reshape(radius, (1, -1)) <= end
    return ops.where(inside, label, units.caption_from_mu(units.SKY_MU)), label_known | ~inside


def _steps(image):
    """Steps of the captions of images: an int where their size is known by now, which JAX must know of any array."""
    _, height, width = ops.shape(image)
    if isinstance(height, int) and isinstance(width, int):
        needed = int(radii.caption_length(np.float32(max(height, width)))) + SKY_STEPS
        return min(needed, radii.CAPTION_MAX_STEPS)
    needed = ops.cast(radii.caption_length(longer_side(image), xp=ops), "int32") + SKY_STEPS
    return ops.minimum(needed, radii.CAPTION_MAX_STEPS)
