"""A training run, from a configuration to a folder that holds everything it made."""

from __future__ import annotations

import csv
import json
import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.core.model_files import keras_file
from p2p_keras.core.version import __version__
from p2p_keras.data.pipeline import Augmentation
from p2p_keras.data.shards import find_damage, find_shards
from p2p_keras.network import load_network
from p2p_keras.network.layers import SkyFreePyramid
from p2p_keras.network.models import build_network, finish_model
from p2p_keras.network.training.checkpoint import (
    BEST,
    LAST,
    Checkpoint,
    KeepStatistics,
    LossIsNaN,
    StopAtNaN,
    load_state,
    save_best,
)
from p2p_keras.network.training.config import FitConfig
from p2p_keras.network.training.epoch_progress import EpochProgress, best_figure
from p2p_keras.network.training.optimizer import make_optimizer
from p2p_keras.network.training.recipes import RECIPES
from p2p_keras.network.training.run_data import batches, count_galaxies, held_out, held_out_splits, stored_size
from p2p_keras.network.training.teaching import teaching_of
from p2p_keras.network.training.trainer import ProfileTrainer
from p2p_keras.network.training.uncertainty import calibrate, reset_calibration

__all__ = ["log", "RunResult", "fit", "make_trainer", "load_run_model", "load_initial"]

log = logging.getLogger(__name__)


@dataclass
class RunResult:
    """What a run made: its folder, the figures of the best epoch, and how many epochs were trained."""

    folder: Path
    metrics: dict
    epochs: int


def fit(config: FitConfig, *, resume: bool = False, verbose: int = 1) -> RunResult:
    """Train a preset on shards; or, for no epochs, only calibrate given weights on their `val` split.

    Parameters
    ----------
    config : FitConfig
    resume : bool
        Go on with the run of the same folder where its last checkpoint is; without one, start.
    verbose : int
        0 says nothing of the epochs; else a line for each on standard error, and a bar where that is a terminal.

    Raises
    ------
    UsageError
        For a missing folder, shards of another schema, an empty split, or a run folder in use.
    """
    folder = Path(config.run)
    if (folder / LAST).exists() and not resume:
        raise UsageError(f"{folder} contains a run already: continue it with --resume, or choose another --run")
    if not config.epochs and not config.init:
        raise UsageError("with 0 epochs only the calibration is fitted: give the weights by --init")
    _share_among_devices(config)
    keras.utils.set_random_seed(config.seed)
    seen = "train" if config.epochs else "val"
    sizes = tuple(config.image_sizes) or (stored_size(config.data, seen),)
    steps = config.steps_per_epoch or max(1, count_galaxies(config.data, seen) // config.batch_size)
    validation = held_out(config, "val", sizes)
    trainer = make_trainer(config, steps * max(config.epochs, 1))
    progress: dict = {"epoch": 0, "steps_per_epoch": steps, "version": __version__}
    resuming = resume and (folder / LAST).exists()
    if resuming:
        progress = load_state(trainer, folder / LAST)
        if progress.setdefault("steps_per_epoch", steps) != steps:
            raise UsageError(
                f"{folder}: its epochs have {progress['steps_per_epoch']} steps, these settings make {steps}; "
                "resume with the same --data, --batch-size and --steps-per-epoch"
            )
        _keep_rows(folder / "metrics.csv", progress["epoch"])
        log.info("resuming %s after epoch %d", folder, progress["epoch"])
    elif config.init:
        load_initial(trainer.whole, config.init)
        # Calibration is fitted to the weights at the end, not trained.
        reset_calibration(trainer.whole)
        trainer.reset_averages()
    folder.mkdir(parents=True, exist_ok=True)
    _write_text(folder / "config.json", config.to_json())

    if config.epochs:
        _train(config, trainer, validation, progress, sizes, verbose)
        keras.distribution.set_distribution(None)
    else:
        save_best(trainer, folder / BEST)
    if not (folder / BEST).exists():
        raise InputError(folder, "no epoch was finished with a finite validation figure; there is nothing to export")

    steps_done = int(keras.ops.convert_to_numpy(trainer.steps))
    if config.part:  # figures are of the whole network
        trainer = make_trainer(replace(config, part=""), steps)
    trainer.network.load_weights(folder / BEST)
    trainer.reset_averages()
    calibrate(trainer.network, validation)
    trainer.network.save_weights(folder / ("part." + BEST))
    os.replace(folder / ("part." + BEST), folder / BEST)
    metrics: dict = {
        "epochs": progress["epoch"],
        "best_epoch": progress.get("best_epoch"),
        "steps": steps_done,
        "backend": keras.config.backend(),
        "core_hours": round(progress.get("cpu_seconds", 0.0) / 3600, 3),
    }
    for split in held_out_splits(config.data):
        figures = trainer.evaluate(held_out(config, split, sizes), return_dict=True, verbose=0)
        metrics[split] = {name: float(value) if np.isfinite(value) else None for name, value in figures.items()}
    _write_text(folder / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    return RunResult(folder, metrics, progress["epoch"])


def _share_among_devices(config: FitConfig) -> None:
    """Let each batch be shared by the first devices, each with a copy of the weights.

    Raises
    ------
    UsageError
        The backend can't, there are fewer devices, or they can't share a batch evenly.
    """
    if config.devices == 1:
        return
    if keras.config.backend() != "jax":
        raise UsageError(f"--devices {config.devices} needs JAX: set KERAS_BACKEND=jax")
    devices = keras.distribution.list_devices()
    if len(devices) < config.devices:
        raise UsageError(f"--devices {config.devices}: there are {len(devices)} ({', '.join(devices)})")
    if config.batch_size % config.devices:
        raise UsageError(f"--devices {config.devices}: a batch of {config.batch_size} can't be shared evenly")
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices[: config.devices]))


def _train(
    config: FitConfig,
    trainer: ProfileTrainer,
    validation: Any,
    progress: dict,
    sizes: tuple[int, ...],
    verbose: int,
) -> None:
    """Train from where `progress` is to the last epoch; the folder then has the best weights and the last state."""
    folder, steps = Path(config.run), progress["steps_per_epoch"]
    done = int(keras.ops.convert_to_numpy(trainer.steps))
    train = batches(
        config.data,
        "train",
        batch_size=config.batch_size,
        image_sizes=sizes,
        augment=Augmentation(wobble=config.wobble, flip=config.flip) if config.augment else False,
        shuffle=True,
        seed=(config.seed + 1000003 * done) % 2**31,  # a resumed run goes on with other galaxies
        repeat=True,
    )
    monitor = f"val_{_loss_of(config)[1]}"
    checkpoint = Checkpoint(folder, config.checkpoint_minutes, progress, monitor, config.patience)
    done_before = progress["epoch"]
    callbacks = [
        StopAtNaN(),  # before the checkpoint: the last good state stays
        keras.callbacks.CSVLogger(str(folder / "metrics.csv"), append=done_before > 0),
        KeepStatistics(round(RECIPES[config.preset].own_statistics * config.epochs)),
        checkpoint,
    ]
    if find_spec("tensorflow"):  # which Keras writes TensorBoard's files by, on every backend
        callbacks.append(keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False))
        if config.pictures_every and not config.part:  # a part has no profiles
            from p2p_keras.network.training.examples import HeldOutPictures  # with astropy, which a bare copy lacks

            pictures = HeldOutPictures(folder / "tensorboard", config.data, config.pictures_every, config.epochs)
            callbacks.append(pictures)
    best = best_figure(folder / "metrics.csv") if done_before else None
    shown = EpochProgress(config.epochs, steps, config.batch_size, first_step=done, best=best)
    callbacks += [shown] if verbose else []
    common = {
        "callbacks": callbacks,
        "validation_data": validation.repeat(),
        "validation_steps": -(-count_galaxies(config.data, "val") // config.batch_size),
        "verbose": 0,
    }
    first = done // steps
    with _explained(config, checkpoint), closing(shown):
        # A run killed within an epoch has done some of its steps: those are not done again. An epoch beyond those that
        # are asked for now stays as it is.
        if done % steps and first < config.epochs:
            trainer.fit(train, initial_epoch=first, epochs=first + 1, steps_per_epoch=steps - done % steps, **common)
            first += 1
        if first < config.epochs and not trainer.stop_training:
            trainer.fit(train, initial_epoch=first, epochs=config.epochs, steps_per_epoch=steps, **common)


@contextmanager
def _explained(config: FitConfig, checkpoint: Checkpoint) -> Iterator[None]:
    """Turn what can end a training into a sentence; an interrupted one is saved first."""
    try:
        yield
    except KeyboardInterrupt:
        checkpoint.save()
        raise UsageError(f"interrupted; {config.run} can be continued with --resume") from None
    except LossIsNaN as error:
        cause = f"the loss became NaN; {LAST} is from before: continue with --resume and a lower --learning-rate"
        raise InputError(config.run, cause) from error
    except Exception as error:
        if type(error).__name__ != "DataLossError":  # TensorFlow's, which needn't be there
            raise
        damage = find_damage(find_shards(config.data, "train")) or find_damage(find_shards(config.data, "val"))
        raise damage or InputError(config.data, str(error)) from error


def make_trainer(config: FitConfig, total_steps: int) -> ProfileTrainer:
    """Network, optimizer and trainer of a configuration, built and compiled."""
    network = build_network(config.preset, dtype=config.precision, **config.model)
    recipe = RECIPES[config.preset]
    losses = import_module(f"p2p_keras.network.training.{_loss_of(config)[0]}")
    trainer = ProfileTrainer(
        network,
        losses=losses,
        outputs=losses.OUTPUTS if config.part else (),
        teaching=teaching_of(network, recipe.teaching, total_steps),
        ema=config.ema ** (1.0 / config.accumulate),
        ease_in_steps=min(500, total_steps // 5),
        dtype=config.precision,
    )
    # JAX without its compiler takes minutes for a step; TensorFlow with it (XLA) is slower on a CPU.
    jit = "auto" if keras.config.backend() == "jax" else False
    trainer.compile(optimizer=make_optimizer(config, total_steps), jit_compile=jit)
    trainer.optimizer.build(trainer.trainable_variables)
    return trainer


def _loss_of(config: FitConfig) -> tuple[str, str]:
    """Loss and monitored term of a configuration."""
    recipe = RECIPES[config.preset]
    return recipe.parts[config.part] if config.part else (recipe.loss, recipe.monitor)


def load_run_model(folder: str | Path) -> keras.Model:
    """The float32 model of a run's best weights, with the contract's outputs, to export or predict with.

    Raises
    ------
    UsageError
        When the folder holds no run with a finished epoch.
    """
    folder = Path(folder)
    if not (folder / "config.json").exists() or not (folder / BEST).exists():
        raise UsageError(f"{folder} holds no run: no config.json and {BEST}; train one with python -m p2p_keras.fit")
    config = FitConfig.from_mapping(json.loads((folder / "config.json").read_text()), str(folder / "config.json"))
    # A float32 twin, whatever the run's precision: ONNX Runtime refuses bfloat16 graphs.
    network = build_network(config.preset, **config.model)
    network.load_weights(folder / BEST)
    return finish_model(network)


def load_initial(network: keras.Model, source: str) -> None:
    """Start a network from a run folder or an exported model (its name, its folder, or its newest version's).

    Raises
    ------
    UsageError
        There is no such model, none with a Keras file, or one of a network with other settings.
    """
    folder = Path(source).expanduser()
    if (folder / BEST).exists():
        if (folder / "config.json").exists():
            config = json.loads((folder / "config.json").read_text())
            _same_first_layer(network, config.get("model", {}).get("sky_free", False), source)
        try:
            network.load_weights(folder / BEST)
        except ValueError as error:
            cause = "is of a network with other settings; use those of its config.json"
            raise UsageError(f"{folder / BEST} {cause}") from error
        return
    given = load_network(_initial_file(folder))
    _same_first_layer(network, _is_sky_free(given), source)
    weights = {v.path: v for v in given.weights}
    layers = {path.split("/")[0] for path in weights}
    # Its calibration belongs to its own weights alone. A layer that it hasn't, of a later version, starts anew.
    wanted = [v for v in network.weights if "/calibration" not in v.path and v.path.split("/")[0] in layers]
    missing = [v.path for v in wanted if v.path not in weights or weights[v.path].shape != v.shape]
    if missing:
        raise UsageError(f"{source} is a network with other settings: it lacks {missing[0]}")
    for variable in wanted:
        variable.assign(weights[variable.path])


def _is_sky_free(network: keras.Model) -> bool:
    return any(isinstance(layer, SkyFreePyramid) for layer in network.layers)


def _same_first_layer(network: keras.Model, sky_free: bool, source: str) -> None:
    """Refuse weights of a network that sees the image's sky, or the reverse: that layer has no weights to tell."""
    if _is_sky_free(network) != sky_free:
        raise UsageError(
            f"{source} is a network with other settings: start it with --set model.sky_free={str(sky_free).lower()}"
        )


def _initial_file(source: Path) -> Path:
    """The Keras file that --init means: itself, one in a folder, or that of a model by its folder or name."""
    for candidate in (source, source / "model.keras"):
        if candidate.suffix == ".keras" and candidate.is_file():
            return candidate
    return keras_file(source, needed_by="--init")


def _write_text(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text)
    os.replace(temporary, path)


def _keep_rows(path: Path, epochs: int) -> None:
    """Drop rows of the metrics table that a killed run wrote after its last checkpoint."""
    if not path.exists():
        return
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    kept = [row for i, row in enumerate(rows) if i == 0 or (row and row[0].isdigit() and int(row[0]) < epochs)]
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "w", newline="") as file:
        csv.writer(file).writerows(kept)
    os.replace(temporary, path)
