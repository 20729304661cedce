"""The tf.Example schema: what is written is what is read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from p2p_keras.core.errors import InputError
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.shards import SCHEMA_VERSION, decode_example, encode_example

FLOAT32 = st.floats(width=32, allow_nan=True, allow_infinity=False)
# tf.Example holds float32, so only numbers that are float32 can come back as they were.
NAMES = st.text(st.characters(categories=("L", "M", "N", "P", "S")), min_size=1, max_size=20)


@st.composite
def galaxies(draw) -> LabelledGalaxy:
    """Any galaxy that may be stored."""
    count = draw(st.integers(1, 80))
    steps = draw(hnp.arrays(np.float32, count, elements=st.floats(0.0078125, 4.0, width=32)))
    sequence = hnp.arrays(np.float32, count, elements=FLOAT32)
    mu = draw(sequence)
    mu[draw(st.integers(0, count - 1))] = 21.0
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    optional = st.none() | sequence
    return LabelledGalaxy(
        name=draw(NAMES),
        band=draw(st.sampled_from(["", "g", "r", "F814W"])),
        image=draw(hnp.arrays(np.float32, shape, elements=st.floats(width=32))),
        zero_point=draw(st.floats(10, 40, width=32)),
        pixel_scale=draw(st.floats(0.0078125, 8, width=32)),
        sma=np.cumsum(steps, dtype=np.float32),
        mu=mu,
        ellipticity=draw(optional),
        pa=draw(optional),
        mu_err=draw(optional),
        x0=draw(FLOAT32),
        y0=draw(FLOAT32),
        extent=draw(FLOAT32),
        mag_total=draw(FLOAT32),
        noise=draw(FLOAT32),
        sky=draw(FLOAT32),
        origin=draw(NAMES),
    )


@settings(max_examples=25)
@given(galaxies())
def test_round_trip_is_exact(galaxy):
    """Training data would differ from what was measured or simulated."""
    back = decode_example(encode_example(galaxy))
    for field in dataclasses.fields(LabelledGalaxy):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(galaxy, field.name), err_msg=field.name)


def test_same_galaxy_same_bytes(make_galaxy):
    """The same seed would give shards with other checksums."""
    galaxy = make_galaxy(ellipticity=np.full(12, 0.3), pa=np.full(12, 20.0))
    assert encode_example(galaxy) == encode_example(dataclasses.replace(galaxy))


@pytest.mark.parametrize(
    ("attributes", "cause"),
    [
        ({"image": np.zeros(9, np.float32)}, "image has shape (9,)"),
        ({"zero_point": np.nan}, "zero point is nan"),
        ({"pixel_scale": 0.0}, "pixel scale is 0"),
        ({"sma": np.linspace(3, 1, 12)}, "increasing"),
        ({"sma": np.linspace(0, 1, 12)}, "positive"),
        ({"sma": np.array([]), "mu": np.array([])}, "N > 0"),
        ({"mu": np.ones(5)}, "profile/mu has shape (5,)"),
        ({"mu": np.full(12, np.nan)}, "no finite value"),
        ({"pa": np.ones(5)}, "profile/pa has shape (5,)"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(make_galaxy, attributes, cause):
    """A bad galaxy would break the training run instead of the command that made it."""
    with pytest.raises(InputError) as caught:
        encode_example(make_galaxy("ugc7", **attributes))
    assert "ugc7" in str(caught.value)
    assert cause in str(caught.value)


def _edited(galaxy, edit) -> bytes:
    from tensorflow.core.example.example_pb2 import Example

    example = Example.FromString(encode_example(galaxy))
    edit(example.features.feature)
    return example.SerializeToString()


@pytest.mark.parametrize(
    ("edit", "cause"),
    [
        (lambda f: f["schema_version"].int64_list.value.__setitem__(0, 99), f"this software reads {SCHEMA_VERSION}"),
        (lambda f: f.pop("schema_version"), "'schema_version' is missing"),
        (lambda f: f.pop("profile/mu"), "'profile/mu' is missing"),
        (lambda f: f["image/height"].int64_list.value.__setitem__(0, 7), "expected 4 x 7 x 52"),
        (lambda f: f["zero_point"].int64_list.value.append(3), "'zero_point' is a int64_list"),
        (lambda f: f["profile/mu"].float_list.value.pop(), "profile/mu has shape (11,)"),
    ],
)
def test_a_bad_record_is_named(make_galaxy, edit, cause):
    """Whoever writes shards with other software couldn't see what is wrong in them."""
    with pytest.raises(InputError) as caught:
        decode_example(_edited(make_galaxy(), edit), "train.tfrecord: record 3")
    assert "train.tfrecord: record 3" in str(caught.value)
    assert cause in str(caught.value)


def test_bytes_that_are_no_example():
    """A TFRecord file of something else would end in a traceback."""
    with pytest.raises(InputError, match=r"not a tf\.Example"):
        decode_example(b"\xff\x00nonsense", "x")
