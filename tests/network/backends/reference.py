"""What every preset answers and learns on the backend of this process, from fixed weights and a fixed batch.

``python tests/network/backends/reference.py OUT.npz`` writes it, for a process of another backend to compare with.
"""

from __future__ import annotations

import sys
from importlib import import_module

import keras
import numpy as np

from p2p_keras.core import radii
from p2p_keras.network.models import build_network
from p2p_keras.network.training.recipes import RECIPES
from p2p_keras.network.training.teaching import teaching_of
from p2p_keras.network.training.trainer import ProfileTrainer

SIDE, BATCH, STEPS = 64, 4, 2
PRESETS = {
    "isophote": {
        "filters": (4, 8),
        "depths": (0, 1),
        "centre_filters": (4, 8),
        "dim": 16,
        "num_heads": 2,
        "sky_blocks": 1,
        "decoder_blocks": 1,
        "sky_free": True,
        "errors": True,
    },
    "pix2prof": {"width": 1 / 16, "num_layers": 2, "dropout": 0.0, "window": 20},
    "pix2prof_attention": {"width": 1 / 16, "dropout": 0.0, "window": 20},
    "pix2prof_transformer": {"width": 1 / 16, "blocks": 1, "num_heads": 2},
}


ANSWERS = ("mu", "mu_err", "covered", "x0", "y0", "growth")


class Telling(ProfileTrainer):
    """Tells the network's answers among its figures, so that they need no program of their own: JAX compiles each."""

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The trainer's figures and, without a teacher, the answers."""
        figures = super().compute_metrics(x, y, y_pred, sample_weight)
        return figures | {f"answer/{name}": y_pred[name] for name in ANSWERS if "mu" in y_pred}


def batch():
    """Four discs, one with masked pixels, with the profile that they have, as `make_dataset` gives it."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:SIDE, :SIDE].astype("float32")
    place = (SIDE - 1) / 2 + rng.normal(0, 2, (2, BATCH, 1, 1))
    q, scale = rng.uniform(0.5, 1, (BATCH, 1, 1)), rng.uniform(3, 5, (BATCH, 1, 1))
    distance = np.hypot(x - place[0], (y - place[1]) / q) / scale
    image = 400.0 * np.exp(-distance) + rng.normal(size=distance.shape)
    image[1, 20:28, 30:50] = np.nan
    sma = radii.grid_px(SIDE)
    mu = 22.5 + 5 * np.log10(0.4) - 2.5 * np.log10(400.0 * np.exp(-sma / scale[:, :, 0]))
    e1 = np.broadcast_to(((1 - q) / (1 + q))[:, :, 0], mu.shape)
    yes, every = np.ones(mu.shape, bool), np.ones(BATCH, bool)
    inputs = {"image": image, "zero_point": np.full(BATCH, 22.5), "pixel_scale": np.full(BATCH, 0.4)}
    targets = {"mu": mu, "e1": e1, "e2": 0 * mu, "x0": place[0, :, 0, 0], "y0": place[1, :, 0, 0]}
    targets |= {"mag_total": mu[:, 30] - 5.0, "noise": np.ones(BATCH), "sky": np.zeros(BATCH)}
    known = {"known": yes, "within": mu < 27, "geometry_known": yes, "centre_known": every}
    known |= {"mag_known": every, "sky_known": every}
    return (
        {name: value.astype("float32") for name, value in inputs.items()},
        {name: value.astype("float32") for name, value in targets.items()} | known,
    )


def results(preset: str) -> dict[str, np.ndarray]:
    """Profile and losses of a network with the same weights everywhere, and its averaged weights after two steps."""
    network = build_network(preset, **PRESETS[preset])
    rng = np.random.default_rng(2)
    for variable in network.weights:
        if np.ndim(variable) > 1 or variable.path.endswith("attention_v"):  # all that starts at random
            variable.assign(rng.normal(0, 0.5 / np.sqrt(np.prod(variable.shape[:-1])), variable.shape))
    recipe = RECIPES[preset]
    teaching = teaching_of(network, recipe.teaching, 10)
    losses = import_module(f"p2p_keras.network.training.{recipe.loss}")
    trainer = Telling(network, losses=losses, teaching=teaching, ema=0.5, ease_in_steps=5)
    # Nothing at random: each backend has its own generator.
    if teaching:
        teaching.share = lambda shape, step: keras.ops.ones(shape, "bool")
    for layer in network.layers:
        if layer.name == "centre_jitter":
            layer.share = 0.0
    # TensorFlow is done with so few steps long before it would have made their graphs; JAX takes minutes without them.
    eagerly, jit = (keras.config.backend() == name for name in ("tensorflow", "jax"))
    trainer.compile(keras.optimizers.SGD(1e-5, global_clipnorm=1.0), jit_compile=jit, run_eagerly=eagerly)
    trainer.optimizer.build(trainer.trainable_variables)
    inputs, targets = batch()
    tested = trainer.test_on_batch(inputs, targets, return_dict=True)
    arrays = {
        name if "/" in name else f"tested/{name}": np.asarray(keras.ops.convert_to_numpy(value), "float32")
        for name, value in tested.items()
    }
    for _ in range(STEPS):
        trained = trainer.train_on_batch(inputs, targets, return_dict=True)
    arrays["trained/loss"] = np.asarray(trained["loss"], "float32")
    before = network.trainable_variables
    arrays |= {
        f"moved/{variable.path}": keras.ops.convert_to_numpy(average)
        for variable, average in zip(before, trainer.averages, strict=False)
    }
    return arrays


if __name__ == "__main__":
    np.savez(sys.argv[1], **{f"{preset}/{name}": v for preset in PRESETS for name, v in results(preset).items()})
