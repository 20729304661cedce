"""The sky level of an image from blocks of its pixels, before anything is known of what is on it."""

from __future__ import annotations

from keras import ops

from p2p_keras.network.layers.quiet_noise import ranked_value

__all__ = ["BLOCK_LEVEL", "FLAT_LEVEL", "border_level", "lower_level", "flat_blocks"]

BLOCK_LEVEL = 3
"""Blocks of 8 x 8 pixels: the median of their means along a border of 256 px is known to 0.01 of the pixel noise."""

FLAT_LEVEL = 1
"""Whether a block has one value is seen in its means of 2 x 2 pixels: sixteen equal ones are no chance."""

_LEAST_SHARE = 0.25  # of a block's pixels that must be good
_FEWEST = 8  # blocks along the border; where there are fewer, the whole image is asked
_LOW = 0.2  # of all blocks: below the middle, since the galaxy has a part of them


def border_level(flux, mask, flat, height, width):
    """Median of the means of the blocks along an image's border.

    Parameters
    ----------
    flux, mask : tensors (batch, rows, columns)
        Of pyramid level `BLOCK_LEVEL`: sum of good flux over number of pixels, and their good share.
    flat : bool tensor (batch, rows, columns)
        Blocks of exactly one value, which are no sky.
    height, width : int or int tensor
        Of the image in pixels; its pyramid may be padded.

    Returns
    -------
    level : tensor (batch,)
        0 where no block is usable.
    enough : bool tensor (batch,)
        Whether there were as many blocks as a median needs.
    """
    side = 2**BLOCK_LEVEL
    last_row, last_column = height // side - 1, width // side - 1  # the last that lie whole on the image

    def along_border(x):
        sides = (x[:, 0, :], x[:, last_row, :], x[:, :, 0], x[:, :, last_column])
        return ops.concatenate(sides, axis=1)

    known = along_border((mask >= _LEAST_SHARE) & ~flat)
    level = ranked_value(along_border(flux / ops.maximum(mask, _LEAST_SHARE)), known, 0.5, otherwise=0.0)
    return level, ops.sum(ops.cast(known, "int32"), axis=1) >= _FEWEST


def lower_level(flux, mask, flat):
    """The mean of a block that a fifth of all blocks lie below: for images whose border holds no data.

    Parameters and level as for `border_level`.
    """
    shape = ops.shape(flux)
    size = (shape[0], shape[1] * shape[2])
    known = ops.reshape((mask >= _LEAST_SHARE) & ~flat, size)
    return ranked_value(ops.reshape(flux / ops.maximum(mask, _LEAST_SHARE), size), known, _LOW, otherwise=0.0)


def flat_blocks(flux, mask):
    """Which blocks have exactly one value: corners without data, borders that a program filled.

    Parameters
    ----------
    flux, mask : tensors (batch, rows, columns)
        Of pyramid level `FLAT_LEVEL`.

    Returns
    -------
    bool tensor (batch, rows / 4, columns / 4)
        At level `BLOCK_LEVEL`; blocks that aren't wholly good have none.
    """
    across = 2 ** (BLOCK_LEVEL - FLAT_LEVEL)
    shape = ops.shape(flux)
    batch, rows, columns = shape[0], shape[1] // across, shape[2] // across

    def extreme(x, reduce):
        x = reduce(ops.reshape(x, (batch, rows, across, shape[2])), axis=2)
        return reduce(ops.reshape(x, (batch, rows, columns, across)), axis=3)

    return (extreme(flux, ops.max) == extreme(flux, ops.min)) & (extreme(mask, ops.min) > 0.999)
