"""The pixel noise of an image, read off its quiet parts."""

from __future__ import annotations

from keras import ops

__all__ = ["NOISE_LEVEL", "quiet_noise", "ranked_value"]

NOISE_LEVEL = 2
"""Noise is read off means of 4 x 4 pixels: resampling correlates neighbours over 1 or 2 pixels only."""

LEAST_SHARE = 0.2
"""Least good share of such a mean: 4 of 16 pixels."""

_TILE = 4  # tiles of 4 x 4 such means
_QUIET_QUANTILE = 0.25
_FLOOR_OF_PEAK = 1e-5  # a noise-free image would otherwise get a unit of zero
# Mean |second difference| of unit white noise: sqrt(6) * sqrt(2 / pi).
_MEAN_ABS_SECOND_DIFFERENCE = 1.9544
_UNKNOWN = 3e38


def quiet_noise(flux, mask):
    """White-noise equivalent per pixel, from second differences of means in the quietest quarter of the image.

    Second differences are blind to a sky level and to gradients; means of 4 x 4 pixels are hardly touched by the
    correlation that resampling makes. A mean over fewer good pixels has more noise, which is allowed for.

    Parameters
    ----------
    flux, mask : float tensors (batch, height, width)
        Of pyramid level `NOISE_LEVEL`: sum of good flux over number of pixels, and their good share.

    Returns
    -------
    tensor (batch,)
        In the unit of flux; 1 where an image has no noise at all.
    """
    shape = ops.shape(flux)
    batch, h, w = shape[0], shape[1], shape[2]
    usable = ops.cast(mask >= LEAST_SHARE, "float32")
    variance = 1.0 / ops.maximum(mask, LEAST_SHARE)  # of a mean, in units of that of all 16 pixels
    mean = flux * variance

    def up_and_down(x):
        return x[:, 2:, 1:-1], x[:, :-2, 1:-1]

    def left_and_right(x):
        return x[:, 1:-1, 2:], x[:, 1:-1, :-2]

    total, whole = ops.zeros_like(mean[:, 1:-1, 1:-1]), usable[:, 1:-1, 1:-1]
    for ends in (up_and_down, left_and_right):
        (a, c), b = ends(mean), mean[:, 1:-1, 1:-1]
        (noise_a, noise_c), noise_b = ends(variance), variance[:, 1:-1, 1:-1]
        difference = ops.abs(a - 2.0 * b + c) * ops.rsqrt((noise_a + 4.0 * noise_b + noise_c) / 6.0)
        here, there = ends(usable)
        total, whole = total + difference, whole * here * there
    rows, cols = (h - 2) // _TILE, (w - 2) // _TILE

    def tile_sum(x):
        tiles = ops.reshape(x[:, : rows * _TILE, : cols * _TILE], (batch, rows, _TILE, cols, _TILE))
        return ops.reshape(ops.sum(tiles, axis=(2, 4)), (batch, rows * cols))

    count = tile_sum(whole)
    mean_abs = tile_sum(total * whole) / (2.0 * ops.maximum(count, 1.0))
    # A tile needs half its means; one that is exactly flat is padding, not sky.
    known = (count >= 0.5 * _TILE * _TILE) & (mean_abs > 0.0)
    quiet = ranked_value(mean_abs, known, _QUIET_QUANTILE, otherwise=0.0)
    # The mean over 4 x 4 pixels of unit noise has 1/4 of it.
    noise = quiet * (2.0**NOISE_LEVEL / _MEAN_ABS_SECOND_DIFFERENCE)
    noise = ops.maximum(noise, _FLOOR_OF_PEAK * ops.max(ops.abs(flux), axis=(1, 2)))
    return ops.where(noise > 0.0, noise, ops.ones_like(noise))


def ranked_value(values, known, share, otherwise):
    """The value below which a share of the known ones lies, of each image; `otherwise` where none is known.

    Parameters
    ----------
    values, known : tensors (batch, n), float and bool
    share : float
        From 0, the least, to 1.
    otherwise : float or tensor (batch,)
    """
    ranked = ops.sort(ops.where(known, values, ops.full_like(values, _UNKNOWN)), axis=-1)
    number = ops.sum(ops.cast(known, "int32"), axis=-1, keepdims=True)
    index = ops.cast(share * ops.cast(number, "float32"), "int32")
    places = ops.reshape(ops.arange(ops.shape(values)[1], dtype="int32"), (1, -1))
    # No gather: a sum over one that isn't zero is the same in every framework and format.
    value = ops.sum(ops.where((places == index) & (places < number), ranked, ops.zeros_like(ranked)), axis=-1)
    return ops.where(number[:, 0] > 0, value, otherwise * ops.ones_like(value))
