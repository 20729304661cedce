"""tf.Examples inside a graph, as a served model parses them."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.data.pipeline import parse_images
from p2p_keras.data.shards import encode_example


def edited(galaxy, edit) -> bytes:
    """A serialized example after a change to its features."""
    example = tf.train.Example.FromString(encode_example(galaxy))
    edit(example.features.feature)
    return example.SerializeToString()


def test_images_of_a_request(make_spot):
    """A client's images would be measured with other pixels or another image's calibration."""
    galaxies = [make_spot(shape=(50, 71)), make_spot(shape=(50, 71), x0=30.0, zero_point=27.0)]
    parsed = tf.function(parse_images)(tf.constant([encode_example(galaxy) for galaxy in galaxies]))
    np.testing.assert_array_equal(parsed.image, np.stack([galaxy.image for galaxy in galaxies]))
    assert parsed.zero_point.numpy().tolist() == [22.5, 27.0]


def test_images_of_several_sizes_are_not_stacked(make_spot):
    """Pixels of one image would be taken for another's; a served model parses each size apart."""
    examples = [encode_example(make_spot(shape=shape)) for shape in ((64, 64), (64, 64), (32, 128))]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be of one size") as caught:
        tf.function(parse_images)(tf.constant(examples))
    assert "[[2]]" in str(caught.value)


def test_it_can_be_saved_and_loaded(make_spot, tmp_path):
    """The serialized_example signature could not be exported."""
    module = tf.Module()
    module.parse = tf.function(
        lambda examples: parse_images(examples)._asdict(), input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path))
    galaxy = make_spot(shape=(48, 52))
    parsed = tf.saved_model.load(str(tmp_path)).parse(tf.constant([encode_example(galaxy)]))
    np.testing.assert_array_equal(parsed["image"][0], galaxy.image)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda f: f.pop("schema_version"), "feature schema_version is missing"),
        (lambda f: f["schema_version"].int64_list.value.__setitem__(0, 2), "another than 1"),
        (lambda f: f.pop("image"), "must hold 4 * height * width bytes"),
        (lambda f: f["image/width"].int64_list.value.__setitem__(0, 7), "must hold 4 * height * width bytes"),
        (lambda f: f.pop("image/height"), "image/height and image/width are missing"),
        (lambda f: f.pop("zero_point"), "feature zero_point is missing"),
        (
            lambda f: f["pixel_scale"].float_list.value.__setitem__(0, -0.4),
            "pixel_scale is missing or not positive",
        ),
    ],
)
def test_a_malformed_example_is_explained(make_spot, edit, sentence):
    """A client would get an op's name and a stack instead of what to mend."""
    examples = tf.constant([encode_example(make_spot()), edited(make_spot(), edit)])
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        tf.function(parse_images)(examples)
    assert sentence in str(caught.value)
    assert "example number" in str(caught.value)
    assert "[[1]]" in str(caught.value)
