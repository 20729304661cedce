"""What a training does beside plain steps works on JAX and PyTorch too (`make test-jax`, `make test-torch`).

TensorFlow is tested by the other files of this folder; what they lack runs here on all three.
"""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from p2p_keras.data.pipeline import ShardBatches
from p2p_keras.network.training.checkpoint import KeepStatistics
from p2p_keras.network.training.config import FitConfig
from p2p_keras.network.training.run import fit, make_trainer

from .conftest import small_config

pytestmark = pytest.mark.backends
not_on_tensorflow = pytest.mark.skipif(
    keras.config.backend() == "tensorflow", reason="is tested with TensorFlow by other files"
)

SMALL = {
    "isophote": {
        "model.filters": [4, 8],
        "model.depths": [0, 1],
        "model.centre_filters": [4, 8],
        "model.dim": 16,
        "model.num_heads": 2,
        "model.sky_blocks": 1,
        "model.decoder_blocks": 1,
    },
    "pix2prof": {"model.width": 1 / 16, "model.num_layers": 2},
    "pix2prof_attention": {"model.width": 1 / 16},
    "pix2prof_transformer": {"model.width": 1 / 16, "model.blocks": 1, "model.num_heads": 2},
}
PRECISIONS = {
    "isophote": ("mixed_bfloat16", "mixed_float16"),
    "pix2prof_transformer": ("float32", "mixed_bfloat16", "mixed_float16"),
}
"""Compared with each other; a compilation takes most of the time of these tests."""
STEPS = 8


def config_of(preset, **settings):
    values = {"preset": preset, "batch_size": 4, "schedule": "constant", "learning_rate": 1e-3, "ema": 0.5}
    return FitConfig.from_mapping({**values, **SMALL[preset], **settings}, "test")


def trainer_of(preset, **settings):
    keras.utils.set_random_seed(1)
    trainer = make_trainer(config_of(preset, **settings), 1)
    start = np.random.default_rng(2)
    for variable in trainer.network.trainable_variables:
        if len(variable.shape) > 1:
            variable.assign(start.normal(0, 0.5 / np.sqrt(np.prod(variable.shape[:-1])), variable.shape))
    trainer.reset_averages()
    return trainer


def arrays(variables):
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def keep_statistics(trainer):
    """Batch normalisation by the statistics that it has, as in the second half of a run."""
    freeze = KeepStatistics(0)
    freeze.set_model(trainer)
    freeze.on_epoch_begin(0)


@pytest.fixture(scope="module")
def four(shards):
    """Four galaxies as one batch."""
    return next(iter(ShardBatches(shards, "train", batch_size=4, image_sizes=(64,), seed=0)))


@pytest.fixture(scope="module")
def trained(four):
    """Function of preset and precision: a trainer after some steps on the four galaxies, and the losses; made once."""
    made = {}

    def of(preset, precision):
        if (preset, precision) not in made:
            trainer = trainer_of(preset, precision=precision)
            losses = [float(trainer.train_on_batch(*four, return_dict=True)["loss"]) for _ in range(STEPS)]
            made[preset, precision] = trainer, np.array(losses)
        return made[preset, precision]

    return of


@not_on_tensorflow
@pytest.mark.parametrize("preset", [pytest.param("isophote", marks=pytest.mark.slow), "pix2prof_transformer"])
def test_half_precision_trains_the_same_network(preset, trained):
    """Training in half precision would crash, learn something else, or leave weights and profiles in 16 bits."""
    _, expected = trained(preset, PRECISIONS[preset][0])
    assert abs(expected[-1] - expected[0]) > 0.02, "nothing was learned, so nothing is compared"
    for precision in PRECISIONS[preset]:
        trainer, losses = trained(preset, precision)
        np.testing.assert_allclose(losses, expected, rtol=0.02, atol=0.05 * np.ptp(expected), err_msg=precision)
        assert all(v.dtype == "float32" for v in trainer.network.variables if "seed" not in v.path)
        assert {output.dtype for output in trainer.network.output.values()} == {"float32"}
        half = [layer for layer in trainer.network.layers if "16" in str(layer.compute_dtype)]
        assert bool(half) == (precision != "float32")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("preset", ["pix2prof", "pix2prof_attention"])
def test_captions_are_learned_in_half_precision(preset, precision, four):
    """The paper's networks would crash, or lose their weights to the first overflow."""
    trainer = trainer_of(preset, precision=precision)
    tokens, kinds = trainer.teaching.tokens, set()

    def noted(truth, step):
        kinds.add(keras.backend.standardize_dtype(keras.ops.convert_to_tensor(step).dtype))
        return tokens(truth, step)

    trainer.teaching.tokens = noted
    before = arrays(trainer.network.trainable_variables)
    losses = [float(trainer.train_on_batch(*four, return_dict=True)["loss"]) for _ in range(3)]
    after = arrays(trainer.network.trainable_variables)
    assert kinds == {"float32"}, "bfloat16 can't count past 256 steps"
    assert np.isfinite(losses).all() and all(np.isfinite(array).all() for array in after)
    assert np.mean([np.any(a != b) for a, b in zip(before, after, strict=True)]) > 0.9


@not_on_tensorflow
@pytest.mark.slow
def test_overfits_four_galaxies(shards, four, overfit, tmp_path):
    """Losses, gradients and optimizer would not fit together on this backend: a run would learn slowly or nothing."""
    figures = overfit(small_config(shards, tmp_path / "run", learning_rate=4e-3), four, 120)
    assert figures["mu"] < 0.02  # what faults leave: see `test_fit.py`
    assert figures["ellipse"] < 0.03
    assert figures["centre"] < 0.1


@not_on_tensorflow
def test_overflow_costs_one_step_and_no_weights(trained, four):
    """One overflow in float16 would make all weights NaN, or the loss scale stay where it overflows."""
    trainer, _ = trained("pix2prof_transformer", "mixed_float16")
    trainer.optimizer.dynamic_scale.assign(1e38)
    before = arrays(trainer.trainable_variables)
    trainer.train_on_batch(*four)
    for old, new in zip(before, arrays(trainer.trainable_variables), strict=True):
        np.testing.assert_array_equal(new, old)
    assert float(keras.ops.convert_to_numpy(trainer.optimizer.dynamic_scale)) == pytest.approx(5e37)
    trainer.optimizer.dynamic_scale.assign(256.0)
    trainer.train_on_batch(*four)
    assert any(np.any(old != new) for old, new in zip(before, arrays(trainer.trainable_variables), strict=True))
    assert all(np.isfinite(array).all() for array in arrays(trainer.averages))


@not_on_tensorflow
def test_moving_average_is_that_of_the_weights(trained, four):
    """Validation and export would be of other weights than those that were averaged."""
    trainer, _ = trained("pix2prof_transformer", "float32")
    averages, steps = arrays(trainer.averages), float(keras.ops.convert_to_numpy(trainer.steps))
    for step in range(2):
        trainer.train_on_batch(*four)
        momentum = min(trainer.ema, (2.0 + steps + step) / (11.0 + steps + step))
        present = arrays(trainer.averaged_variables)
        averages = [momentum * a + (1.0 - momentum) * p for a, p in zip(averages, present, strict=True)]
    for mine, theirs in zip(averages, arrays(trainer.averages), strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-5, atol=1e-6)
    with trainer.averaged():
        for mine, theirs in zip(averages, arrays(trainer.averaged_variables), strict=True):
            np.testing.assert_allclose(theirs, mine, rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(present, arrays(trainer.averaged_variables), strict=True):
        np.testing.assert_array_equal(theirs, mine)
    assert any(np.abs(a - p).max() > 1e-4 for a, p in zip(averages, present, strict=True))


@not_on_tensorflow
def test_accumulated_gradients_are_the_larger_batchs(four):
    """Accumulation would make another effective batch than it says, or change weights at each step."""
    settings = {"optimizer": "adam", "learning_rate": 1.0, "ema": 0.0, "clip_norm": 0.0, "precision": "mixed_float16"}
    moved = []
    for accumulate in (1, 2):
        trainer = trainer_of("pix2prof_transformer", accumulate=accumulate, **settings)
        keep_statistics(trainer)  # else each half has its own
        trainer.ease_in_steps = 10**9  # else the second half would weigh the likelihood more than the first
        inner = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
        inner.epsilon = 100.0  # the step then goes with the gradient, not with its sign alone
        start = arrays(trainer.network.trainable_variables)
        for part in range(accumulate):
            one = slice(part * 4 // accumulate, (part + 1) * 4 // accumulate)
            assert part == 0 or all(map(np.array_equal, start, arrays(trainer.network.trainable_variables)))
            trainer.train_on_batch(*({name: values[one] for name, values in group.items()} for group in four))
        end = arrays(trainer.network.trainable_variables)
        moved.append(np.concatenate([np.ravel(b - a) for a, b in zip(start, end, strict=True)]))
    largest = np.abs(moved[0]).max()
    assert largest > 1e-4
    np.testing.assert_allclose(moved[1], moved[0], atol=0.05 * largest)


@not_on_tensorflow
def test_part_centre_leaves_the_rest_alone(four):
    """`--part centre` would change the rest of a good network, or nothing at all."""
    trainer = trainer_of("isophote", part="centre", precision="mixed_float16")
    before = {v.path: a for v, a in zip(trainer.whole.weights, arrays(trainer.whole.weights), strict=True)}
    losses = [float(trainer.train_on_batch(*four, return_dict=True)["loss"]) for _ in range(2)]
    assert np.isfinite(losses).all()
    after = zip(trainer.whole.weights, arrays(trainer.whole.weights), strict=True)
    changed = {v.path.split("/")[0] for v, a in after if not np.array_equal(before[v.path], a)}
    assert {"centre_heat", "fine_heat"} <= changed
    assert {name for name in changed if not name.startswith(("centre_", "fine_"))} == set()


@not_on_tensorflow
def test_run_is_trained_and_measured(shards, tmp_path):
    """A run would stop where batch normalisation keeps its statistics, at its checkpoint, or at its figures."""
    settings = {"data": str(shards), "run": str(tmp_path / "run"), "epochs": 2, "steps_per_epoch": 2, "accumulate": 2}
    result = fit(config_of("pix2prof_transformer", precision="mixed_float16", **settings), verbose=0)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["epochs"], metrics["steps"], metrics["backend"]) == (2, 4, keras.config.backend())
    assert np.isfinite(result.metrics["val"]["error_bright"])
    assert (tmp_path / "run" / "last.npz").exists()
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) == 3
