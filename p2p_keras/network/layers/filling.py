"""Holes of a pyramid, filled from what is around them.

Means are pulled up the pyramid, weighted by what is good under them, and pushed down to where something is missing
(Gortler et al. 1996, The Lumigraph, sec. 3.4): small holes get their neighbours' mean, large ones a smooth surface.
"""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = ["SHOWN_WEIGHT", "filled"]

FILL_WEIGHT = 1e-3
"""Weight of a filled pixel beside that of a good one, where what fills it is as near as can be."""

_WEIGHT_A_LEVEL = 0.5  # factor on that weight for every level that the fill comes from further up
_LEAST = 2.0**-10

SHOWN_WEIGHT = 0.1 * FILL_WEIGHT
"""Fills of less weight come from beyond some ten pixels: a missing part of the image, not a hole in it."""


def filled(fluxes, masks, level, wanted, batch, sizes):
    """A pyramid without holes.

    Parameters
    ----------
    fluxes, masks : lists of tensors (batch, height, width), finest first
        Sum of good flux over number of pixels, and their good share.
    level : tensor (batch,)
        What is taken where nothing is good even under the coarsest pixels.
    wanted : tensor (batch,)
        1 for images whose holes are to be filled, 0 for those that stay as they are.
    batch : int or int tensor
    sizes : list of (height, width)
        Of the levels.

    Returns
    -------
    fluxes, masks : lists like the inputs
        With what fills the missing share added, with a weight of `FILL_WEIGHT` and less: flux / mask is finite
        everywhere, and where anything is good it is that of the good pixels to one part in a thousand.
    """
    around = ops.reshape(level, (-1, 1, 1)) * ops.ones_like(masks[-1])
    near, wanted = ops.zeros_like(masks[-1]), FILL_WEIGHT * ops.reshape(wanted, (-1, 1, 1))
    out: list[tuple[Any, Any]] = []
    for flux, mask, size in zip(reversed(fluxes), reversed(masks), reversed(sizes), strict=True):
        if out:
            both = _twice_as_fine(ops.concatenate([around, near], axis=0), *size)
            around, near = both[:batch], both[batch:]
        missing = 1.0 - mask
        weight = wanted * missing * ops.maximum(near, _LEAST)
        out.append((flux + weight * around, mask + weight))
        # Where a part is good, the coarser mean fills the rest.
        around, near = flux + missing * around, _WEIGHT_A_LEVEL * (mask + missing * near)
    return [flux for flux, _ in reversed(out)], [mask for _, mask in reversed(out)]


def _twice_as_fine(x, height, width):
    """Bilinear values at the centres of pixels half as wide; (batch, height, width)."""
    above, below = ops.concatenate([x[:, :1], x[:, :-1]], axis=1), ops.concatenate([x[:, 1:], x[:, -1:]], axis=1)
    near = 0.75 * x
    x = ops.reshape(ops.stack([near + 0.25 * above, near + 0.25 * below], axis=2), (-1, height, width // 2))
    left, right = (
        ops.concatenate([x[:, :, :1], x[:, :, :-1]], axis=2),
        ops.concatenate([x[:, :, 1:], x[:, :, -1:]], axis=2),
    )
    near = 0.75 * x
    return ops.reshape(ops.stack([near + 0.25 * left, near + 0.25 * right], axis=3), (-1, height, width))
