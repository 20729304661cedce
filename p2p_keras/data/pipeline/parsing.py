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
    """Images of a batch of examples, on one canvas.

    Attributes
    ----------
    image : float32 [B, H, W]
        Linear flux; NaN where masked and around images that are smaller than the largest.
    zero_point, pixel_scale : float32 [B]
    x_offset, y_offset : float32 [B]
        Where pixel (0, 0) of each image lies on the canvas: subtract them from a position to have the image's own.
    """

    image: tf.Tensor
    zero_point: tf.Tensor
    pixel_scale: tf.Tensor
    x_offset: tf.Tensor
    y_offset: tf.Tensor


# No quotes in a sentence: a graph shows them escaped.
def _require(condition: tf.Tensor, sentence: str, *values: tf.Tensor) -> tf.Operation:
    """Stop with a sentence where any element of `condition` is false, and say which element of the batch."""
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
        tf.Examples with the features of `IMAGE_FEATURES`; others are ignored.

    Returns
    -------
    ParsedImages
        Images of different sizes are centred on a NaN canvas as large as the largest.

    Raises
    ------
    tf.errors.InvalidArgumentError
        When run: for a malformed example, with a sentence that says which feature of which example.
    """
    parsed = _checked(tf.io.parse_example(serialized, IMAGE_FEATURES))
    height, width = parsed["image/height"], parsed["image/width"]
    canvas_height, canvas_width = tf.reduce_max(height), tf.reduce_max(width)
    top, left = (canvas_height - height) // 2, (canvas_width - width) // 2

    def place(element: tuple) -> tf.Tensor:
        raw, rows, columns, y, x = element
        image = tf.reshape(tf.io.decode_raw(raw, tf.float32, little_endian=True), [rows, columns])
        return tf.pad(image, [[y, canvas_height - rows - y], [x, canvas_width - columns - x]], constant_values=_NAN)

    image = tf.map_fn(
        place,
        (parsed["image"], height, width, top, left),
        fn_output_signature=tf.TensorSpec([None, None], tf.float32),
    )
    return ParsedImages(
        image=image,
        zero_point=parsed["zero_point"],
        pixel_scale=parsed["pixel_scale"],
        x_offset=tf.cast(left, tf.float32),
        y_offset=tf.cast(top, tf.float32),
    )


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
