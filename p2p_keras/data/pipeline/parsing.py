"""Serialized tf.Example -> tensors, in TensorFlow operations alone, so that it also works inside a SavedModel."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from p2p_keras.data.shards.schema import (
    MAX_SIDE,
    OPTIONAL_SEQUENCES,
    REQUIRED_SEQUENCES,
    SCALAR_FEATURES,
    SCHEMA_VERSION,
)

__all__ = ["IMAGE_FEATURES", "ParsedImages", "parse_images", "parse_galaxy"]

_NAN = float("nan")

IMAGE_FEATURES = {
    # Defaults stand for "missing", so that the message names the feature and not an op of TensorFlow.
    "schema_version": tf.io.FixedLenFeature([], tf.int64, -1),
    "image": tf.io.FixedLenFeature([], tf.string, ""),
    "image/height": tf.io.FixedLenFeature([], tf.int64, -1),
    "image/width": tf.io.FixedLenFeature([], tf.int64, -1),
    "zero_point": tf.io.FixedLenFeature([], tf.float32, _NAN),
    "pixel_scale": tf.io.FixedLenFeature([], tf.float32, _NAN),
}
"""What a client of a served model must send."""


class ParsedImages(NamedTuple):
    """Images of a batch of examples.

    Attributes
    ----------
    image : float32 [B, H, W]
        Linear flux; NaN where masked.
    zero_point, pixel_scale : float32 [B]
    """

    image: tf.Tensor
    zero_point: tf.Tensor
    pixel_scale: tf.Tensor


# No quotes in a sentence: a graph shows them escaped.
def _require(condition: tf.Tensor, sentence: str, *values: tf.Tensor) -> tf.Operation:
    """Stop with a sentence where any element of `condition` is false, naming the element of the batch."""
    where = tf.where(tf.logical_not(tf.reshape(condition, [-1])))
    return tf.debugging.Assert(tf.reduce_all(condition), [sentence, "example number", where, *values], summarize=8)


def _checked(parsed: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Pass the features of `IMAGE_FEATURES` on where they make an image; scalars or batches alike."""
    height, width = parsed["image/height"], parsed["image/width"]
    sized = (height > 0) & (width > 0) & (height <= MAX_SIDE) & (width <= MAX_SIDE)
    length = tf.cast(tf.strings.length(parsed["image"]), tf.int64)
    scale = parsed["pixel_scale"]
    checks = [
        _require(
            tf.equal(parsed["schema_version"], SCHEMA_VERSION),
            f"feature schema_version is missing (-1) or another than {SCHEMA_VERSION}, the one this model reads;",
            parsed["schema_version"],
        ),
        _require(sized, "features image/height and image/width are missing (-1) or no size;", height, width),
        _require(
            tf.equal(length, 4 * height * width) | ~sized,
            "feature image must hold 4 * height * width bytes of little-endian float32;",
            length,
        ),
        _require(tf.math.is_finite(parsed["zero_point"]), "feature zero_point is missing or not finite;"),
        _require(tf.math.is_finite(scale) & (scale > 0), "feature pixel_scale is missing or not positive;", scale),
    ]
    with tf.control_dependencies(checks):
        return {key: tf.identity(value) for key, value in parsed.items()}


def parse_images(serialized: tf.Tensor) -> ParsedImages:
    """Images of serialized examples, for a model's `serialized_example` signature.

    Parameters
    ----------
    serialized : string tensor [B]
        At least one tf.Example, with the features of `IMAGE_FEATURES`; others are ignored. All images must be of one
        size: a profile must not depend on what else is in a batch, as it would on a common canvas.

    Returns
    -------
    ParsedImages

    Raises
    ------
    tf.errors.InvalidArgumentError
        When run: for a malformed example, with a sentence that says which feature of which example.
    """
    parsed = _checked(tf.io.parse_example(serialized, IMAGE_FEATURES))
    height, width = parsed["image/height"], parsed["image/width"]
    alike = tf.equal(height, height[:1]) & tf.equal(width, width[:1])
    with tf.control_dependencies([_require(alike, "images of a batch must be of one size;", height, width)]):
        pixels = tf.io.decode_raw(parsed["image"], tf.float32, little_endian=True)
    shape = tf.stack([tf.size(height, out_type=tf.int64), height[0], width[0]])
    return ParsedImages(tf.reshape(pixels, shape), parsed["zero_point"], parsed["pixel_scale"])


def parse_galaxy(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """One example with its label.

    Parameters
    ----------
    serialized : string tensor []

    Returns
    -------
    dict
        `image` float32 [H, W]; the scalars and sequences under their names in `LabelledGalaxy`. Sequences are [N];
        optional ones that are absent are NaN [N].
    """
    features = dict(IMAGE_FEATURES)
    features |= {key: tf.io.FixedLenFeature([], tf.float32, _NAN) for key in SCALAR_FEATURES}
    sequences = {**REQUIRED_SEQUENCES, **OPTIONAL_SEQUENCES}
    features |= {key: tf.io.FixedLenSequenceFeature([], tf.float32, allow_missing=True) for key in sequences}
    parsed = _checked(tf.io.parse_single_example(serialized, features))
    galaxy = {attribute: parsed[key] for key, attribute in SCALAR_FEATURES.items()}
    galaxy["image"] = tf.reshape(
        tf.io.decode_raw(parsed["image"], tf.float32, little_endian=True),
        tf.stack([parsed["image/height"], parsed["image/width"]]),
    )
    count = tf.shape(parsed["profile/sma"])[0]
    for key, attribute in sequences.items():
        values = parsed[key]
        if key in OPTIONAL_SEQUENCES:
            values = tf.cond(tf.equal(tf.size(values), 0), lambda: tf.fill([count], _NAN), lambda v=values: v)
        check = tf.debugging.Assert(
            tf.equal(tf.shape(values)[0], count),
            [f"feature {key} has another length than profile/sma:", tf.shape(values)[0], count],
        )
        with tf.control_dependencies([check]):
            galaxy[attribute] = tf.identity(values)
    return galaxy
