"""The image as a pyramid of means in units of its own noise, whatever constant sky and whatever holes it has."""

from __future__ import annotations

import keras
from keras import ops

from p2p_keras.network.layers.filling import SHOWN_WEIGHT, filled
from p2p_keras.network.layers.geometry import _Float32Layer
from p2p_keras.network.layers.pyramid import NUM_LEVELS, padded_size
from p2p_keras.network.layers.quiet_noise import NOISE_LEVEL, quiet_noise
from p2p_keras.network.layers.sky_blocks import BLOCK_LEVEL, FLAT_LEVEL, border_level, flat_blocks, lower_level

__all__ = ["SkyFreePyramid", "SkyFreeImage", "share_taken_off"]

FRAME_KNOWS = 1.0
"""Up to this level (noise units) nothing is subtracted: the survey has subtracted the sky already."""

FRAME_KNOWS_NOTHING = 3.0
"""From this level (noise units) on it is subtracted completely: the sky was left in the image."""

_OFF_LEVEL = 2.0  # noise units from the level beyond which blocks of exactly one value are no data


@keras.saving.register_keras_serializable(package="p2p_keras")
class SkyFreePyramid(_Float32Layer):
    """Pyramid of 2 x 2 means of an image less its sky level, its holes filled from what is around them.

    The level (`p2p_keras.network.layers.sky_blocks`) follows a constant and a factor exactly. While it is small against
    the noise it stays in, since the zero of a sky-subtracted frame is knowledge that a galaxy filling the frame needs;
    when it is large it is taken off. Between `FRAME_KNOWS` and `FRAME_KNOWS_NOTHING` noise units a smooth step joins
    both.

    No data are pixels that aren't finite, and, in images with blocks of exactly one value that lies off the level, all
    pixels of that value: the empty corners of a drizzled image whose background was left in. Blocks of one value near
    the level are data: an image of few photons is full of zeros.

    Holes get the value of what is around them (`p2p_keras.network.layers.filling`) with a weight far below that of any
    good pixel, so that the good share still says what is measured, and convolutions see no holes.

    Input: image (batch, height, width), linear flux, NaN or inf where masked.
    Output: a tuple of
    flux (batch, pixels of all levels): sum of good flux over number of pixels, less a reference of the image;
    good (the same shape): the good share of those pixels;
    log_noise (batch,): natural log of the flux of one noise unit;
    offset (batch,): what is still to be taken off flux / good;
    level (batch,): all that is taken off the image by then, in its own unit.
    """

    def call(self, image):
        image = ops.cast(image, "float32")
        shape = ops.shape(image)
        batch, height, width = shape[0], shape[1], shape[2]
        padded = padded_size(height), padded_size(width)
        padding = ((0, 0), (0, padded[0] - height), (0, padded[1] - width))
        sizes = [(padded[0] // 2**level, padded[1] // 2**level) for level in range(NUM_LEVELS)]

        # First as if there were no holes, for most batches have none: their sums say whether every pixel is finite, and
        # one mask is then that of all. With a mask for each image the layer took more than twice the time.
        total = ops.sum(image, axis=(1, 2))
        mean = total / ops.cast(height * width, "float32")
        fluxes = _means(ops.pad(image - _as_image(mean), padding), sizes)
        mask = _masks_of_whole(height, width, sizes)
        masks = [ops.broadcast_to(one, (batch, *size)) for one, size in zip(mask, sizes, strict=True)]
        noise, level, border = _noise_and_level(fluxes, masks, height, width)
        off_value = _value_without_data(fluxes, masks, noise, level, -mean)
        holes = ~ops.isfinite(total) | ops.isfinite(off_value) | ~border

        def with_holes():
            good = ops.isfinite(image)
            mask = ops.cast(good, "float32")
            flux = ops.where(good, image, ops.zeros_like(image))
            number = ops.sum(mask, axis=(1, 2))
            # Sums of a large constant would cost the precision of what stands on it: the mean goes first.
            mean = ops.sum(flux, axis=(1, 2)) / ops.maximum(number, 1.0)
            # A product takes a sixth of a `where`.
            flux, mask = ops.pad((flux - _as_image(mean)) * mask, padding), ops.pad(mask, padding)
            fluxes, masks = _means(flux, sizes), _means(mask, sizes)
            noise, level, border = _noise_and_level(fluxes, masks, height, width)
            off_value = _value_without_data(fluxes, masks, noise, level, -mean)
            holes = (number < ops.cast(height * width, "float32")) | ops.isfinite(off_value) | ~border

            def without_false_data():
                data = mask * ops.cast(flux != _as_image(off_value), "float32")
                fluxes, masks = _means(flux * data, sizes), _means(data, sizes)
                noise, level, border = _noise_and_level(fluxes, masks, height, width)
                flat = flat_blocks(fluxes[FLAT_LEVEL], masks[FLAT_LEVEL])
                lower = lower_level(fluxes[BLOCK_LEVEL], masks[BLOCK_LEVEL], flat)
                return fluxes, masks, noise, ops.where(border, level, lower)

            fluxes, masks, noise, level = ops.cond(
                ops.any(ops.isfinite(off_value) | ~border), without_false_data, lambda: (fluxes, masks, noise, level)
            )
            # Images without holes stay as they are alone, whatever else is in their batch.
            fluxes, masks = filled(fluxes, masks, level, ops.cast(holes, "float32"), batch, sizes)
            return _flat(fluxes, sizes), _flat(masks, sizes), noise, level, mean

        def without_holes():
            good = _flat(mask, sizes)
            return _flat(fluxes, sizes), ops.broadcast_to(good, (batch, ops.shape(good)[1])), noise, level, mean

        flux, good, noise, level, mean = ops.cond(ops.any(holes), with_holes, without_holes)
        whole = mean + level
        stays = whole * (1.0 - share_taken_off(ops.abs(whole) / noise))
        return flux, good, ops.log(noise), level - stays, whole - stays

    def compute_output_shape(self, input_shape):
        """Shapes of flux, good, log_noise, offset and level."""
        one = (input_shape[0],)
        return (*one, None), (*one, None), one, one, one


@keras.saving.register_keras_serializable(package="p2p_keras")
class SkyFreeImage(_Float32Layer):
    """The image less its sky, from `SkyFreePyramid`.

    Inputs: image (batch, height, width), only for its shape; flux, good (batch, pixels) and offset (batch,) of
    `SkyFreePyramid`.
    Outputs: seen (batch, height, width), linear flux in the image's unit, finite everywhere: holes are filled; measured
    (the same shape), the same with NaN where there are no data.
    """

    def call(self, image, flux, good, offset):
        _, height, width = ops.shape(image)
        rows, columns = padded_size(height), padded_size(width)
        flux, good = (
            ops.reshape(x[:, : rows * columns], (-1, rows, columns))[:, :height, :width] for x in (flux, good)
        )
        seen = flux / ops.maximum(good, 1e-3 * SHOWN_WEIGHT) - _as_image(offset)
        return seen, ops.where(good > 0.5, seen, float("nan"))

    def compute_output_shape(self, image_shape, *_):
        """Shapes of seen and measured."""
        return tuple(image_shape), tuple(image_shape)


def share_taken_off(level):
    """Share of a level (noise units, not negative) that is taken off: a smooth step from 0 to 1."""
    t = ops.clip((level - FRAME_KNOWS) / (FRAME_KNOWS_NOTHING - FRAME_KNOWS), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _noise_and_level(fluxes, masks, height, width):
    """Noise and border level (batch,), and whether the border has enough blocks for it."""
    noise = quiet_noise(fluxes[NOISE_LEVEL], masks[NOISE_LEVEL])
    flat = flat_blocks(fluxes[FLAT_LEVEL], masks[FLAT_LEVEL])
    return noise, *border_level(fluxes[BLOCK_LEVEL], masks[BLOCK_LEVEL], flat, height, width)


def _value_without_data(fluxes, masks, noise, level, zero):
    """The value (batch,) that pixels without data have; inf where all have data.

    Above the level only the image's own zero counts: a saturated star is a block of one value too.
    """
    flux = fluxes[BLOCK_LEVEL]
    off = flat_blocks(fluxes[FLAT_LEVEL], masks[FLAT_LEVEL])
    off = off & (ops.abs(flux - _as_image(level)) > _OFF_LEVEL * _as_image(noise))
    off = off & ((flux < _as_image(level)) | (flux == _as_image(zero)))
    return ops.min(ops.where(off, flux, ops.full_like(flux, float("inf"))), axis=(1, 2))


def _as_image(x):
    return ops.reshape(x, (-1, 1, 1))


def _means(x, sizes):
    """All levels of the pyramid of x (batch, height, width), finest first; `sizes` are the levels'.

    Sums over a reshape in two steps: twenty times faster on CPUs than average pooling of one channel.
    """
    levels = [x]
    for h, w in sizes[1:]:
        rows = ops.sum(ops.reshape(x, (-1, h, 2, 2 * w)), axis=2)
        x = 0.25 * ops.sum(ops.reshape(rows, (-1, h, w, 2)), axis=3)
        levels.append(x)
    return levels


def _masks_of_whole(height, width, sizes):
    """All levels (1, h, w) of the mask of an image without holes: padding alone is no data."""
    rows, columns = (
        ops.pad(ops.ones((side,), "float32"), ((0, padded - side),))
        for side, padded in zip((height, width), sizes[0], strict=True)
    )
    shares = [(rows, columns)]
    for _ in sizes[1:]:
        shares.append(tuple(0.5 * ops.sum(ops.reshape(x, (-1, 2)), axis=1) for x in shares[-1]))
    return [ops.reshape(rows, (1, -1, 1)) * ops.reshape(columns, (1, 1, -1)) for rows, columns in shares]


def _flat(levels, sizes):
    """All levels in one row, finest first."""
    rows = [ops.reshape(level, (-1, h * w)) for level, (h, w) in zip(levels, sizes, strict=True)]
    return ops.concatenate(rows, axis=1)
