"""Mixed precision trains the same network; accumulated gradients are those of the larger batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from p2p_keras.data.pipeline import make_dataset
from p2p_keras.network.training.checkpoint import KeepStatistics
from p2p_keras.network.training.config import FitConfig
from p2p_keras.network.training.run import make_trainer

from .conftest import SMALL as SMALL_ISOPHOTE

SMALL = {
    "isophote": {**SMALL_ISOPHOTE, "learning_rate": 4e-3},
    "pix2prof_transformer": {"model.width": 1 / 8, "model.blocks": 1, "learning_rate": 2e-3},
}
EPOCHS, STEPS = 6, 5


def trainer_of(preset, total_steps=EPOCHS * STEPS, **settings):
    values = {"preset": preset, "batch_size": 4, "warmup_steps": 5, "ema": 0.5, **SMALL[preset], **settings}
    return make_trainer(FitConfig.from_mapping(values, "test"), total_steps)


def data(shards, batch_size=4, **settings):
    return make_dataset(shards, "train", batch_size=batch_size, image_sizes=(64,), seed=0, **settings)


@pytest.fixture(scope="module")
def curve_in_float32(faint_shards, seed_shift):
    """Loss curves are computed once for each preset."""
    curves = {}

    def curve(preset, policy="float32"):
        if (preset, policy) not in curves:
            keras.utils.set_random_seed(seed_shift)  # what is put off by chance while training is put off alike
            trainer = trainer_of(preset, precision=policy)
            start = np.random.default_rng(seed_shift)
            for variable in trainer.network.trainable_variables:
                variable.assign(start.normal(0, 0.7 / max(1, np.prod(variable.shape[:-1])) ** 0.5, variable.shape))
            trainer.reset_averages()
            history = trainer.fit(data(faint_shards, repeat=True), epochs=EPOCHS, steps_per_epoch=STEPS, verbose=0)
            curves[preset, policy] = np.array(history.history["mu"]), trainer
        return curves[preset, policy]

    return curve


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("preset", sorted(SMALL))
def test_loss_curves_match(preset, policy, curve_in_float32, faint_shards):
    """Training in half precision would be faster and worse."""
    expected, _ = curve_in_float32(preset)
    curve, trainer = curve_in_float32(preset, policy)
    assert expected[-1] < 0.7 * expected[0], "nothing was learned, so nothing is compared"
    # Half precision reaches a steep part of the curve some steps earlier or later, so whole curves are compared: their
    # means, in units of the curve's height. At most 0.07 was seen (seeds, oneDNN on and
    # off); one that learns nothing differs by 0.3.
    assert curve[-1] < 0.8 * curve[0]
    assert abs(np.mean(curve) - np.mean(expected)) < 0.15 * expected.max()
    inputs, _ = next(iter(data(faint_shards)))
    for name, value in trainer.network(inputs, training=False).items():
        assert value.dtype == tf.float32, name
    assert all(v.dtype == "float32" for v in trainer.network.variables if "seed" not in v.path)
    half = {layer.name for layer in trainer.network.layers if "16" in str(layer.compute_dtype)}
    assert any(name.startswith(("second_", "stage")) for name in half), "nothing ran in half precision"
    exact = {"grid", "pyramid", "samples", "points", "physical", "sky", "shape", "nanomaggies", "decoder"}
    assert half & exact == set()


def test_accumulated_gradients_are_the_larger_batchs(faint_shards):
    """Accumulation would make another effective batch than it says."""
    inputs, targets = next(iter(data(faint_shards)))
    halves = [[{k: v[s] for k, v in part.items()} for part in (inputs, targets)] for s in (slice(2), slice(2, 4))]
    settings = {"schedule": "constant", "learning_rate": 1.0, "weight_decay": 0.0, "ema": 0.0}
    # Gradients are accumulated beside the network: the one that is compiled soonest.
    whole, parts = (trainer_of("pix2prof_transformer", accumulate=number, **settings) for number in (1, 2))
    for a, b in zip(whole.network.variables, parts.network.variables, strict=True):
        b.assign(a)
    for trainer in (whole, parts):
        trainer.optimizer.epsilon = 1.0  # the step then goes with the gradient, not with its sign alone
        trainer.ease_in_steps = 10**9  # else the second half would weigh the likelihood more than the first
        keep_statistics = KeepStatistics(0)  # else each half has its own
        keep_statistics.set_model(trainer)
        keep_statistics.on_epoch_begin(0)
    whole.run_eagerly = True  # one step is done before it would be compiled
    start = [np.asarray(v) for v in whole.network.trainable_variables]
    whole.train_on_batch(inputs, targets)
    for half in halves:
        parts.train_on_batch(*half)
    one, other = (
        np.concatenate([np.ravel(v - v0) for v, v0 in zip(t.network.trainable_variables, start, strict=True)])
        for t in (whole, parts)
    )
    largest = np.abs(one).max()
    assert largest > 1e-3
    np.testing.assert_allclose(other, one, atol=1e-3 * largest)
