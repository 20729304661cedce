"""The image as the paper's network sees it, and as its variants do."""

from __future__ import annotations

import keras
from keras import ops

from p2p_keras.core import units
from p2p_keras.network.layers.geometry import _Float32Layer
from p2p_keras.network.layers.per_backend import gathered

__all__ = ["PaperImage", "AsinhImage"]

_CLIPPED_SHARE = 1e-3  # pixels above the 99.9th percentile (Smith et al. 2021, sec. 2.2)
_LIMIT = 6e4  # float16 ends at 65504; no galaxy's surface is as bright as this (mu = 8.5)
_NO_PIXEL = -3e38


def _nanomaggies(image, zero_point, pixel_scale):
    """Nanomaggies per pixel of 0.396 arcsec, 0 where masked; and which pixels aren't masked."""
    factor = units.nanomaggies_factor(zero_point, pixel_scale, xp=ops)
    good = ops.isfinite(image)
    flux = ops.where(good, image, 0.0) * ops.reshape(factor, (-1, 1, 1))
    return ops.clip(flux, -_LIMIT, _LIMIT), good


@keras.saving.register_keras_serializable(package="p2p_keras")
class PaperImage(_Float32Layer):
    """Nanomaggies per pixel of 0.396 arcsec, clipped at the image's 99.9th percentile; masked pixels are 0, the sky.

    The paper's images are in these units already; those of other surveys are converted, so that the contract's zero
    points and pixel scales hold for its networks too. The percentile is numpy's (linear between ranks), of the pixels
    that aren't masked.

    Inputs: image (batch, height, width), linear flux, NaN or inf where masked; zero_point, pixel_scale (batch,);
    optionally measured (batch, height, width), not finite where the image was filled.
    Output: (batch, height, width, 1).
    """

    def call(self, image, zero_point, pixel_scale, measured=None):
        flux, good = _nanomaggies(image, zero_point, pixel_scale)
        if measured is not None:
            good = ops.isfinite(measured)
        shape = ops.shape(image)
        pixels = shape[1] * shape[2]
        ranked = ops.where(good, flux, _NO_PIXEL)
        brightest = ops.top_k(ops.reshape(ranked, (shape[0], pixels)), pixels // 1000 + 2)[0]
        count = ops.sum(ops.cast(good, "float32"), axis=(1, 2))
        rank = ops.reshape(_CLIPPED_SHARE * ops.maximum(count - 1.0, 0.0), (-1, 1))
        upper = ops.cast(rank, "int32")
        share = rank - ops.cast(upper, "float32")
        top, next_one = (gathered(brightest, upper + i) for i in range(2))
        # Of a single pixel there is no next one.
        limit = ops.where(next_one > 0.5 * _NO_PIXEL, (1.0 - share) * top + share * next_one, top)
        limit = ops.where(ops.reshape(count, (-1, 1)) > 0.0, limit, 0.0)
        return ops.expand_dims(ops.minimum(flux, ops.reshape(limit, (-1, 1, 1))), -1)

    def compute_output_shape(self, image_shape, *_):
        """(batch, height, width, 1)."""
        return (*image_shape, 1)


@keras.saving.register_keras_serializable(package="p2p_keras")
class AsinhImage(_Float32Layer):
    """Surface brightness on asinh scales, `units.asinh_nanomaggies`; masked pixels are 0, the sky.

    In nanomaggies a galaxy's outskirts are a thousandth of its core, and one bright galaxy rules the statistics of a
    batch: batch normalisation then normalises otherwise in training than afterwards.

    Inputs: image (batch, height, width), linear flux, NaN or inf where masked; zero_point, pixel_scale (batch,).
    Output: (batch, height, width, 3).
    """

    def call(self, image, zero_point, pixel_scale):
        flux, _ = _nanomaggies(image, zero_point, pixel_scale)
        return units.asinh_nanomaggies(flux, xp=ops)

    def compute_output_shape(self, image_shape, *_):
        """(batch, height, width, 3)."""
        return (*image_shape, 3)
