"""A training run from a configuration to a run folder that holds everything it made."""

from __future__ import annotations

import csv
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import keras

from p2p_keras import __version__
from p2p_keras.errors import UsageError
from p2p_keras.models import build_network, finish_model
from p2p_keras.pipeline import make_dataset
from p2p_keras.shards import find_shards, read_manifest, read_records, read_shards
from p2p_keras.training.calibration import calibrate
from p2p_keras.training.checkpoint import BEST, LAST, Checkpoint, load_state
from p2p_keras.training.config import FitConfig
from p2p_keras.training.schedule import WarmupCosine
from p2p_keras.training.trainer import ProfileTrainer

log = logging.getLogger(__name__)
MONITOR = "val_profile"  # the likelihood: rewards both a small error and an honest uncertainty


@dataclass
class RunResult:
    """What a run made: its folder, the figures of the best epoch, and how many epochs were trained."""

    folder: Path
    metrics: dict
    epochs: int


def fit(config: FitConfig, *, resume: bool = False, verbose: int = 1) -> RunResult:
    """Train a preset on shards.

    Parameters
    ----------
    config : FitConfig
    resume : bool
        Go on with the run of the same folder where its last checkpoint is; without one, start.
    verbose : int
        Of Keras' progress: 0 none, 1 a bar, 2 a line an epoch.

    Raises
    ------
    UsageError
        For a missing folder, shards of another schema, an empty split, or a run folder in use.
    """
    folder = Path(config.run)
    if (folder / LAST).exists() and not resume:
        raise UsageError(f"{folder} holds a run already: go on with --resume, or choose another --run")
    keras.utils.set_random_seed(config.seed)
    sizes = tuple(config.image_sizes) or (stored_size(config.data),)
    train = make_dataset(
        config.data,
        "train",
        batch_size=config.batch_size,
        image_sizes=sizes,
        augment=config.augment,
        shuffle=True,
        seed=config.seed,
        repeat=True,
    )
    validation = make_dataset(
        config.data, "val", batch_size=config.batch_size, image_sizes=sizes[-1:], seed=config.seed
    )
    steps = config.steps_per_epoch or max(1, count_galaxies(config.data, "train") // config.batch_size)
    validation_steps = -(-count_galaxies(config.data, "val") // config.batch_size)

    folder.mkdir(parents=True, exist_ok=True)
    _write_text(folder / "config.json", config.to_json())
    trainer = make_trainer(config, steps * config.epochs)
    if config.init:
        load_initial(trainer.network, config.init)
        trainer.reset_averages()
    progress: dict = {"epoch": 0, "version": __version__}
    if resume and (folder / LAST).exists():
        progress = load_state(trainer, folder / LAST)
        _keep_rows(folder / "metrics.csv", progress["epoch"])
        log.info("resuming %s after epoch %d", folder, progress["epoch"])

    checkpoint = Checkpoint(folder, config.checkpoint_minutes, progress, MONITOR)
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        checkpoint,
        keras.callbacks.CSVLogger(str(folder / "metrics.csv"), append=resume),
        keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
    ]
    if config.patience:
        callbacks.append(keras.callbacks.EarlyStopping(MONITOR, patience=config.patience, mode="min"))
    # A run killed within an epoch has done some of its steps: those are not done again.
    done = int(trainer.steps.numpy())
    first = done // steps
    common = {
        "callbacks": callbacks,
        "validation_data": validation.repeat(),
        "validation_steps": validation_steps,
        "verbose": verbose,
    }
    if done % steps:
        trainer.fit(train, initial_epoch=first, epochs=first + 1, steps_per_epoch=steps - done % steps, **common)
        first += 1
    if first < config.epochs and not trainer.stop_training:
        trainer.fit(train, initial_epoch=first, epochs=config.epochs, steps_per_epoch=steps, **common)

    trainer.network.load_weights(folder / BEST)
    trainer.reset_averages()
    calibrate(trainer.network, validation)
    trainer.network.save_weights(folder / ("part." + BEST))
    os.replace(folder / ("part." + BEST), folder / BEST)
    figures = {name: float(value) for name, value in trainer.evaluate(validation, return_dict=True, verbose=0).items()}
    metrics = {
        "validation": figures,
        "epochs": progress["epoch"],
        "best_epoch": progress.get("best_epoch"),
        "steps": int(trainer.steps.numpy()),
    }
    _write_text(folder / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    return RunResult(folder, metrics, progress["epoch"])


def make_trainer(config: FitConfig, total_steps: int) -> ProfileTrainer:
    """Network, optimizer and trainer of a configuration, built and compiled."""
    network = build_network(config.preset, dtype=config.precision, **config.model)
    trainer = ProfileTrainer(network, ema=config.ema, dtype=config.precision)
    optimizer = keras.optimizers.AdamW(
        WarmupCosine(config.learning_rate, config.warmup_steps, max(1, total_steps // config.accumulate)),
        weight_decay=config.weight_decay,
        global_clipnorm=config.clip_norm or None,
        gradient_accumulation_steps=config.accumulate if config.accumulate > 1 else None,
    )
    # Biases and norms are not drawn to 0.
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "position"])
    trainer.compile(optimizer=optimizer, jit_compile=False)
    trainer.optimizer.build(trainer.trainable_variables)
    return trainer


def load_run_model(folder: str | Path) -> keras.Model:
    """The float32 model of a run's best weights, with the contract's outputs, to export or predict with.

    Raises
    ------
    UsageError
        When the folder holds no finished run.
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
    """Start a network from a run folder or a shipped model (a folder with model.keras, or one of its versions)."""
    folder = Path(source)
    if (folder / BEST).exists():
        network.load_weights(folder / BEST)
        return
    for candidate in (folder, folder / "model.keras", folder.parent / "model.keras"):
        if candidate.suffix == ".keras" and candidate.is_file():
            given = keras.models.load_model(candidate, compile=False)
            weights = {v.path: v for v in given.variables}
            missing = [v.path for v in network.variables if v.path not in weights or weights[v.path].shape != v.shape]
            if missing:
                raise UsageError(f"{candidate} is a network with other settings: it lacks {missing[0]}")
            for variable in network.variables:
                variable.assign(weights[variable.path])
            return
    raise UsageError(f"{source}: neither a run folder ({BEST}) nor a model (model.keras)")


def stored_size(data: str) -> int:
    """Longer side in pixels of the first training image."""
    galaxy = next(iter(read_shards(find_shards(data, "train"))))
    return int(max(galaxy.image.shape))


def count_galaxies(data: str, split: str) -> int:
    """Training examples of a split, from dataset.json where there is one."""
    manifest = read_manifest(data)
    if manifest is not None and split in manifest.counts:
        return int(manifest.counts[split])
    return sum(1 for path in find_shards(data, split) for _ in read_records(path))


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
