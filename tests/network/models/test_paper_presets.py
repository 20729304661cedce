"""The paper's network and its variants: the contract's outputs, what they may depend on, and where they look."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.core.contract import OUTPUTS
from p2p_keras.core.errors import UsageError
from p2p_keras.network.models import build_model, build_network, finish_model

WRITERS = ("pix2prof", "pix2prof_attention")
PRESETS = (*WRITERS, "pix2prof_transformer")
LOOKING = ("isophote", "pix2prof_attention", "pix2prof_transformer")
SMALL = {"width": 1 / 16, "sky_free": True}  # as they are trained
# Untrained captions are flat, and would halt at once; by the paper's window of 100 they would be sky for the most part.
SETTINGS = {name: {**SMALL, "tolerance": 1e-6, "window": 20} for name in WRITERS} | {
    "pix2prof_transformer": {**SMALL, "blocks": 2, "num_heads": 4},
    "isophote": {"filters": (8, 12, 12, 12), "centre_filters": (8, 12), "dim": 16, "num_heads": 2, "sky_blocks": 1},
}
CALIBRATION = {"zero_point": np.float32([22.5, 25.0]), "pixel_scale": np.float32([0.4, 0.2])}


def randomised(preset):
    """A small network whose weights are nowhere zero and whose captions are galaxies' surface brightnesses."""
    keras.utils.set_random_seed(1)
    network = build_network(preset, **SETTINGS[preset])
    rng = np.random.default_rng(0)
    for variable in network.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.02, variable.shape))
    if preset in WRITERS:
        network.get_layer("decoder").head.bias.assign([0.6])
    return network


SIGNATURE = [
    {
        "image": tf.TensorSpec([None, None, None]),
        "zero_point": tf.TensorSpec([None]),
        "pixel_scale": tf.TensorSpec([None]),
    }
]


@pytest.fixture(scope="module")
def models():
    """Compiled: step by step, captions take seconds."""

    def compiled(model):
        return tf.function(lambda inputs: model(inputs, training=False), input_signature=SIGNATURE, autograph=False)

    return {preset: compiled(finish_model(randomised(preset))) for preset in PRESETS}


@pytest.fixture(scope="module")
def images():
    y, x = np.mgrid[:80, :80] - 39.5
    galaxy = 50 * np.exp(-np.hypot(x, y / 0.6) / 5)
    return (galaxy + np.random.default_rng(1).normal(0, 0.1, (2, 80, 80))).astype("float32")


def run(model, images, **changes):
    inputs = {"image": images, **CALIBRATION, **changes}
    outputs = model({name: tf.constant(value) for name, value in inputs.items()})
    return {name: np.asarray(value) for name, value in outputs.items()}


@pytest.mark.parametrize("preset", PRESETS)
def test_contract(models, images, preset):
    """A preset's SavedModel would lack an output, or give NaN for an image that can't be measured."""
    outputs = run(models[preset], images)
    assert set(outputs) == set(OUTPUTS)
    assert outputs["valid"].any()
    hopeless = np.stack([np.full((64, 50), np.nan), np.full((64, 50), 1e30)]).astype("float32")
    for image in (hopeless, hopeless * 0, images[:, :48, :48]):
        for name, value in run(models[preset], image).items():
            assert np.isfinite(value.astype("float32")).all(), name


@pytest.mark.parametrize("preset", PRESETS)
def test_zero_point_only_converts(models, images, preset):
    """The same sky in another survey's counts would be another galaxy to the network."""
    one = run(models[preset], images)
    other = run(models[preset], 10 * images, zero_point=CALIBRATION["zero_point"] + np.float32(2.5))
    np.testing.assert_array_equal(one["valid"], other["valid"])
    for name in ("mu", "mag_total", "ellipticity", "x0"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("preset", PRESETS)
def test_masked_pixels_change_nothing(models, images, preset):
    """A star under a mask would leak into the profile."""
    a, b = images.copy(), images.copy()
    a[:, 10:20, 30:60], b[:, 10:20, 30:60] = np.nan, np.inf
    one, other = run(models[preset], a), run(models[preset], b)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_constant_sky_changes_nothing(models, images, preset):
    """A sky left in the image would be a part of the profile, and the sky of the answer would be 0."""
    one, *others = (run(models[preset], images + np.float32(sky)) for sky in (10, -30, 1000))
    # Weights at random pass a thousandth of the noise, which is what float32 leaves of 1000, on as 0.012 mag.
    for other, sky, atol in zip(others, (-30, 1000), (2e-3, 0.03), strict=True):
        np.testing.assert_array_equal(one["valid"], other["valid"])
        np.testing.assert_allclose(other["mu"], one["mu"], atol=atol)
        np.testing.assert_allclose(other["sky"] - one["sky"], sky - 10, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(one["sky"], 10, atol=0.05)
    np.testing.assert_array_equal(run(models[preset], images)["sky"], 0)


@pytest.mark.parametrize("preset", PRESETS)
def test_encoders_see_no_holes(images, preset):
    """Columns of zeros would be edges to convolutions; and the brightest pixels would be those of the fills."""
    network = build_network(preset, **SETTINGS[preset])
    first = next(layer for layer in network.layers if layer.name in ("nanomaggies", "asinh"))
    encoded = keras.Model(network.input, first.output)
    masked = images + np.float32(10)
    masked[:, :, 4::9] = np.nan
    masked[0, :, :30] = np.nan
    masked = {"image": masked, **CALIBRATION}
    whole, holed = (np.asarray(encoded(inputs))[..., 0] for inputs in ({**masked, "image": images + 10}, masked))
    away = (slice(1, None), slice(None), slice(None, 16))  # from the galaxy, whose core no fill can know
    noise = np.std(whole[1, :10])
    assert np.abs(holed - whole)[away].max() < 6 * noise
    if preset == "pix2prof":
        np.testing.assert_allclose(holed.max((1, 2)), whole.max((1, 2)), rtol=0.15)


def test_the_papers_input_is_as_it_was(images):
    """Without `sky_free` the network sees the image's zero, as the published one does."""
    network = build_network("pix2prof", width=1 / 16, window=20)
    inputs = {"image": images, **CALIBRATION}
    encoded = keras.Model(network.input, network.get_layer("nanomaggies").output)
    on_sky = {**inputs, "image": images + np.float32(10)}
    assert np.abs(np.asarray(encoded(on_sky)) - np.asarray(encoded(inputs))).min() > 1
    np.testing.assert_array_equal(network(on_sky, training=False)["sky"], 0)


@pytest.mark.parametrize("preset", LOOKING)
def test_attention_is_of_good_pixels(images, preset):
    """Pictures of the attention would show pixels that were never looked at."""
    model = build_model(preset, return_attention=True, **SETTINGS[preset])
    images = images.copy()
    images[:, 16:48, 32:64] = np.nan
    outputs = run(model, images)
    weight, x, y = (outputs[name] for name in ("attention", "attention_x", "attention_y"))
    assert set(outputs) == {*OUTPUTS, "attention", "attention_x", "attention_y", "attention_width"}
    total = weight.sum(-1)
    seen = total > 0
    np.testing.assert_allclose(total[seen], 1.0, atol=1e-5)
    assert seen[outputs["valid"]].all()
    x, y, width = (np.broadcast_to(v, weight.shape) for v in (x, y, outputs["attention_width"][..., None]))
    # Well inside of the hole, where no sample reaches a good pixel. A cell of an image reaches half its width; a sample
    # of the pyramid is bilinear, from pixels up to 1.32 of its width: one and a half of those.
    reach = (2.0 if preset == "isophote" else 0.5) * width
    hidden = (x - 31.5 >= reach) & (63.5 - x > reach) & (y - 15.5 >= reach) & (47.5 - y > reach)
    assert hidden.any()
    assert np.all(weight[hidden] == 0)


def test_the_paper_has_no_attention():
    """Who asks for it would get a traceback, or something made up."""
    with pytest.raises(UsageError, match=r"pix2prof.*no attention"):
        build_model("pix2prof", return_attention=True, **SMALL)


def test_paper_size():
    """The preset called the paper's would be another network: 11.2 million weights of ResNet-18, 4.7 of three GRUs."""
    network = build_network("pix2prof")
    assert network.get_layer("z").output.shape == (None, 512)
    decoder = network.get_layer("decoder")
    assert [cell.units for cell in decoder.cells] == [512, 512, 512]
    assert (decoder.window, decoder.tolerance, decoder.max_steps, decoder.dropout) == (100, 0.01, 1024, 0.2)
    encoder = sum(v.shape.num_elements() for v in network.trainable_variables if "stage" in v.path or "stem" in v.path)
    assert encoder == 11_170_240  # torchvision's resnet18 less two input channels and its last layer


@pytest.mark.parametrize("preset", ["pix2prof", "pix2prof_attention"])
def test_a_graph_of_one_image(preset):
    """The published batch of one could not be compiled where its size is known."""
    network = build_network(preset, width=1 / 16, window=20)
    run = tf.function(lambda inputs: network(inputs, training=False)["mu"], autograph=False)
    image = np.random.default_rng(0).normal(0, 1, (1, 64, 64)).astype("float32")
    inputs = {"image": image, "zero_point": np.float32([22.5]), "pixel_scale": np.float32([0.396])}
    mu = run({name: tf.constant(value) for name, value in inputs.items()})
    np.testing.assert_allclose(mu, network(inputs, training=False)["mu"], atol=1e-3)
