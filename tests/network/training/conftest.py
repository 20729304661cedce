"""Four galaxies to train on and four to validate with, made in a moment; and what a network made of them."""

import dataclasses
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from p2p_keras.core.units import mu_from_intensity
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.mocks.truth import measure_truth
from p2p_keras.data.shards import ShardWriter


def exponential_disc(index: int, side: int = 64) -> LabelledGalaxy:
    """A disc whose truth is measured on its noise-free image."""
    rng = np.random.default_rng(index)
    x0, y0 = (side - 1) / 2 + rng.normal(0, 1, 2)
    angle, q, scale = rng.uniform(0, np.pi), rng.uniform(0.5, 1), rng.uniform(3, 5)
    y, x = np.mgrid[:side, :side].astype(float)
    u = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
    v = (-(x - x0) * np.sin(angle) + (y - y0) * np.cos(angle)) / q
    clean = 400 * np.exp(-np.sqrt(u * u + v * v + 1) / scale)
    truth = measure_truth(clean, x0, y0)
    ok = np.isfinite(truth.intensity) & (truth.intensity > 0)
    return LabelledGalaxy(
        name=f"disc{index}",
        band="r",
        image=(clean + rng.normal(0, 1, clean.shape)).astype("float32"),
        zero_point=22.5,
        pixel_scale=0.4,
        sma=0.4 * truth.sma[ok],
        mu=mu_from_intensity(truth.intensity[ok], 22.5, 0.4),
        ellipticity=truth.ellipticity[ok],
        pa=truth.pa[ok],
        x0=x0,
        y0=y0,
        extent=0.4 * 5 * scale,
        mag_total=float(22.5 - 2.5 * np.log10(clean.sum())),
        noise=1.0,
        sky=0.0,
    )


SMALL = {
    "model.filters": [4, 8],
    "model.depths": [0, 1],
    "model.centre_filters": [4, 8],
    "model.dim": 16,
    "model.num_heads": 2,
    "model.sky_blocks": 1,
    "model.decoder_blocks": 1,
}


def small_config(shards, run, **settings):
    """Configuration of a network that is built in a moment."""
    from p2p_keras.network.training.config import FitConfig

    values = {"data": str(shards), "run": str(run), "batch_size": 4, "warmup_steps": 5, "export": False, **SMALL}
    return FitConfig.from_mapping({**values, **settings}, "test")


@pytest.fixture(scope="session")
def shards(made_once):
    def write(folder):
        for split, first, last in (("train", 0, 4), ("val", 4, 8)):
            with ShardWriter(folder / f"{split}-00000-of-00001.tfrecord") as shard:
                for index in range(first, last):
                    shard.write(exponential_disc(index))

    return made_once("shards-to-train-on", write)


@pytest.fixture(scope="session")
def faint_shards(tmp_path_factory):
    """The four galaxies at the surface brightnesses of real ones: their captions end near the sky's 30.

    Each is half a magnitude fainter than the one before. The paper's encoder learns from the profile alone, and the
    ellipse is read from what it learned: of galaxies with nearly the same profile, some seeds give both one ellipse.
    """
    folder = tmp_path_factory.mktemp("faint")
    for split in ("train", "val"):
        with ShardWriter(folder / f"{split}-00000-of-00001.tfrecord") as shard:
            for index in range(4):
                disc, fainter = exponential_disc(index), 8.0 + 0.5 * index
                shard.write(
                    dataclasses.replace(
                        disc, zero_point=22.5 + fainter, mu=disc.mu + fainter, mag_total=disc.mag_total + fainter
                    )
                )
    return folder


def batch_of_four(folder, side=64):
    """The four galaxies as one batch (inputs, targets)."""
    from p2p_keras.data.pipeline import make_dataset

    return next(iter(make_dataset(folder, "train", batch_size=4, image_sizes=(side,), seed=0)))


@pytest.fixture(scope="session")
def four(shards):
    """The batch of `shards`."""
    return batch_of_four(shards)


@pytest.fixture(scope="session")
def faint_four(faint_shards):
    """The batch of `faint_shards`, its images as small as they may be: a caption has a step for each pixel."""
    return batch_of_four(faint_shards, 48)


@pytest.fixture(autouse=True)
def quickly_compiled():
    """Without TensorFlow's optimizer of graphs, which takes longer than the few steps of a tiny network."""
    if keras.config.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})


@pytest.fixture
def eagerly():
    """Without TensorFlow's compiler: a few steps are done before their graph would be made."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def overfit():
    """Function that trains a configuration on one batch for some steps, and gives the errors that are left.

    They are means over the galaxies, taken from the network's own outputs: of the median over the rings of abs(dmu)
    (mu <= 26.5) and of the ellipse (length of the difference of (a - b) / (a + b) exp(2i pa)), and of the centre's
    distance in px.
    """
    from p2p_keras.core import units
    from p2p_keras.network.training.run import make_trainer

    def train(config, batch, steps: int) -> dict[str, float]:
        trainer = make_trainer(config, steps)
        for _ in range(steps):
            trainer.train_on_batch(*batch)
        inputs, targets = batch
        # One answer is there before TensorFlow's graph of it would be made; JAX takes minutes without one.
        answer = trainer.network if keras.config.backend() == "tensorflow" else trainer.network.predict_on_batch
        with trainer.averaged():
            answers = {name: keras.ops.convert_to_numpy(value) for name, value in answer(inputs).items()}
        true = {name: np.asarray(value) for name, value in targets.items()}
        length = answers["ellipticity"] / (2.0 - answers["ellipticity"])
        e = length * np.exp(2j * np.deg2rad(answers["pa"]))
        rings = true["known"] & true["within"]

        def typical(error, use):
            return float(np.mean([np.median(values[chosen]) for values, chosen in zip(error, use, strict=True)]))

        return {
            "mu": typical(np.abs(answers["mu"] - true["mu"]), rings & (true["mu"] <= units.FAINT_MU)),
            "ellipse": typical(np.abs(e - (true["e1"] + 1j * true["e2"])), rings & true["geometry_known"]),
            "centre": float(np.mean(np.hypot(answers["x0"] - true["x0"], answers["y0"] - true["y0"]))),
        }

    return train


def fit_command(run, *more):
    """The program `fit` for four galaxies; of the presets the one that is compiled soonest."""
    small = {"model.width": 1 / 16, "model.blocks": 1, "model.num_heads": 2}
    settings = ["--preset=pix2prof_transformer", *(f"--set={name}={value}" for name, value in small.items())]
    options = ["--run", str(run), "--batch-size", "4", "--steps-per-epoch", "3", "--quiet", "--no-export"]
    return [*options, *settings, *more]


# A few steps are done before their graph would be made.
EAGER_FIT = "import tensorflow; tensorflow.config.run_functions_eagerly(True); from p2p_keras.fit import main; main()"


@pytest.fixture(scope="session")
def killed_run(shards, made_once):
    """Folder of a run on TensorFlow that was killed after its first epoch; to be copied, not changed."""

    def begin(folder):
        run = folder / "run"
        options = ["--data", str(shards), "--epochs", "400", "--checkpoint-minutes", "0.001"]
        command = [sys.executable, "-c", EAGER_FIT, *fit_command(run, *options)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 900  # beside much else a first epoch takes minutes
            while process.poll() is None and time.monotonic() < deadline and not (run / "best.weights.h5").exists():
                time.sleep(0.2)
            time.sleep(1)
            process.kill()

    return made_once("killed-run", begin) / "run"
