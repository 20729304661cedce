"""The functions of a SavedModel: all of them funnel into one `measure`, and all checks of inputs live here.

What a request can get wrong comes back as INVALID_ARGUMENT with a sentence. What only spoils one image of a batch (no
finite pixel, a network that gives NaN) leaves the others alone: that image's `valid` is false everywhere and its
outputs are finite fill values. An exception would fail every request that a server has joined into the same batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from p2p_keras.core import radii
from p2p_keras.core.contract import INPUTS, MAX_SIDE, MIN_SIDE, OUTPUTS, outputs_of

__all__ = [
    "IMAGE_SIGNATURE",
    "EXAMPLES_SIGNATURE",
    "RADII_FORMULA",
    "Outputs",
    "checked_inputs",
    "finite_outputs",
    "make_measure",
    "make_serving_default",
    "make_serialized_example",
    "make_describe",
]

IMAGE_SIGNATURE = (
    tf.TensorSpec([None, None, None], tf.float32, name="image"),
    tf.TensorSpec([None], tf.float32, name="zero_point"),
    tf.TensorSpec([None], tf.float32, name="pixel_scale"),
)
EXAMPLES_SIGNATURE = (tf.TensorSpec([None], tf.string, name="examples"),)

RADII_FORMULA = (
    f"sma[k] = {radii.SMA_MIN_PX} px * ({radii.SMA_MAX_FRACTION} * longer_side_px / {radii.SMA_MIN_PX} px)"
    f" ** (k / {radii.NUM_RADII - 1}) * pixel_scale, k = 0 ... {radii.NUM_RADII - 1}"
)

Outputs = dict[str, tf.Tensor]


def _require(condition: tf.Tensor, sentence: str, values: tuple = ()) -> tf.Operation:
    """Operation that fails with INVALID_ARGUMENT and `sentence`, its ``{}`` filled in, unless all of `condition`.

    The raw operation is used since ``tf.debugging.assert_*`` wrap the sentence in the tensors' names and shapes.
    """
    data = [tf.strings.format(sentence, values) if values else tf.constant(sentence)]
    return tf.raw_ops.Assert(condition=tf.reduce_all(condition), data=data, summarize=8)


def checked_inputs(image: tf.Tensor, zero_point: tf.Tensor, pixel_scale: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Hand the inputs on once they are known to make sense.

    Nothing is computed from an image before its size is accepted, so that a huge one costs no more than its message.

    Parameters
    ----------
    image : float32 [B, H, W]
        B at least 1; H and W from `MIN_SIDE` to `MAX_SIDE`.
    zero_point, pixel_scale : float32 [B]
        Finite; pixel_scale positive.

    Returns
    -------
    tuple of the three tensors

    Raises
    ------
    tf.errors.InvalidArgumentError
        When run.
    """
    shape = tf.shape(image)
    batch, height, width = shape[0], shape[1], shape[2]
    counts = tf.stack([tf.size(zero_point), tf.size(pixel_scale)])
    checks = [
        _require(batch > 0, "the batch is empty: send at least one image"),
        _require(
            (shape[1:] >= MIN_SIDE) & (shape[1:] <= MAX_SIDE),
            f"images are {{}} x {{}} px (height x width), but each side must be {MIN_SIDE} to {MAX_SIDE} px",
            (height, width),
        ),
        _require(
            tf.equal(counts, batch),
            "zero_point and pixel_scale must have one value for each of the {} images, but have {} and {}",
            (batch, counts[0], counts[1]),
        ),
        _require(tf.math.is_finite(zero_point), "zero_point must be finite, but is {}", (zero_point,)),
        _require(
            tf.math.is_finite(pixel_scale) & (pixel_scale > 0),
            "pixel_scale must be finite and above 0 (arcsec per pixel), but is {}",
            (pixel_scale,),
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(image), tf.identity(zero_point), tf.identity(pixel_scale)


def finite_outputs(outputs: Mapping[str, tf.Tensor], image: tf.Tensor) -> Outputs:
    """Make sure that no NaN or inf leaves the model, and that nothing made up is called valid.

    Parameters
    ----------
    outputs : mapping
        The Keras model's outputs, named as `contract.OUTPUTS`.
    image : float32 [B, H, W]

    Returns
    -------
    dict
        `valid` is false at a radius where any output isn't finite, and at all radii of an image where a number of the
        whole image (centre, extent, total, sky) isn't finite or no pixel is. What isn't finite became its fill value.
    """
    # A finite sum says it at once; else each pixel is asked, which takes five times as long.
    summed = tf.math.is_finite(tf.reduce_sum(image, axis=[1, 2]))
    seen = tf.cond(tf.reduce_all(summed), lambda: summed, lambda: tf.reduce_any(tf.math.is_finite(image), axis=[1, 2]))
    usable_image, usable_radius = seen, tf.cast(outputs["valid"], tf.bool)
    answer: Outputs = {}
    of_contract = outputs_of(outputs)
    for name, output in of_contract.items():
        if name == "valid":
            continue
        value = tf.cast(outputs[name], tf.float32)
        finite = tf.math.is_finite(value)
        if output.radial:
            usable_radius &= finite
        else:
            usable_image &= finite
        answer[name] = tf.where(finite, value, tf.fill(tf.shape(value), output.fill))
    answer["valid"] = usable_radius & tf.reshape(usable_image, [-1, 1])
    return {name: answer[name] for name in of_contract}


def make_measure(model: keras.Model) -> Callable[..., Outputs]:
    """Images to finite outputs, without checks of the inputs: what the ONNX file holds."""

    def measure(image: tf.Tensor, zero_point: tf.Tensor, pixel_scale: tf.Tensor) -> Outputs:
        inputs = {"image": image, "zero_point": zero_point, "pixel_scale": pixel_scale}
        return finite_outputs(model(inputs, training=False), image)

    return measure


def make_serving_default(model: keras.Model) -> Callable[..., Outputs]:
    """``serving_default``: images of one size."""
    measure = make_measure(model)

    def serving_default(image: tf.Tensor, zero_point: tf.Tensor, pixel_scale: tf.Tensor) -> Outputs:
        return measure(*checked_inputs(image, zero_point, pixel_scale))

    return serving_default


def make_serialized_example(
    serving_default: Callable[..., Outputs], names: Iterable[str]
) -> Callable[[tf.Tensor], Outputs]:
    """``serialized_example``: tf.Examples, whose images may differ in size.

    Examples of one size go through the network as a batch. Where sizes differ, each goes through alone: padded to a
    common size, an image would be measured on other radii, and a profile must not depend on what else is in the batch.

    Parameters
    ----------
    serving_default : tf.function
        Traced once; both branches call the same graph.
    names : iterable of str
        Its outputs.
    """
    from p2p_keras.data.pipeline.parsing import IMAGE_FEATURES, parse_images

    sizes = {name: IMAGE_FEATURES[name] for name in ("image/height", "image/width")}
    one_row = {
        name: tf.TensorSpec([radii.NUM_RADII] if output.radial else [], tf.bool if name == "valid" else tf.float32)
        for name, output in outputs_of(names).items()
    }

    def together(examples: tf.Tensor) -> Outputs:
        parsed = parse_images(examples)
        return dict(serving_default(parsed.image, parsed.zero_point, parsed.pixel_scale))

    def alone(example: tf.Tensor) -> Outputs:
        return {name: tf.squeeze(value, axis=0) for name, value in together(tf.reshape(example, [1])).items()}

    def serialized_example(examples: tf.Tensor) -> Outputs:
        check = _require(tf.size(examples) > 0, "the batch is empty: send at least one example")
        with tf.control_dependencies([check]):
            examples = tf.identity(examples)
        parsed = tf.io.parse_example(examples, sizes)
        same = [tf.reduce_all(tf.equal(value, tf.reshape(value, [-1])[:1])) for value in parsed.values()]
        return tf.cond(
            tf.reduce_all(tf.stack(same)),
            lambda: together(examples),
            lambda: tf.map_fn(alone, examples, fn_output_signature=one_row, parallel_iterations=2),
        )

    return serialized_example


def make_describe(
    name: str, version: int, card: Mapping[str, Any], outputs: Iterable[str] = OUTPUTS
) -> Callable[[], Outputs]:
    """``describe``: what this model is, in constants, since TensorFlow Serving tells clients no metadata of ours.

    It takes no inputs. A TensorFlow Serving that joins requests into batches can't join these, and then answers only
    one that names the outputs it wants (``output_filter``): such requests run by themselves.
    """
    constants = {
        "model_name": name,
        "model_version": version,
        "software_version": str(card.get("software_version", "")),
        "commit": str(card.get("commit", "")),
        "training_data_hash": str(card.get("training_data_hash", "")),
        "radii": RADII_FORMULA,
        "radii_256_px": radii.grid_px(256).astype("float32"),
        "outputs": list(outputs_of(outputs)),
        "units": [output.unit for output in outputs_of(outputs).values()],
        "inputs": list(INPUTS),
        "input_units": list(INPUTS.values()),
        "card": json.dumps(card, sort_keys=True, default=str),
    }

    def describe() -> Outputs:
        return {
            key: tf.constant(value, dtype=tf.int64 if isinstance(value, int) else None)
            for key, value in constants.items()
        }

    return describe
