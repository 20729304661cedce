"""State of a run on disk: weights, optimizer and moving average in one file, written whole or not at all."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from p2p_keras.core.errors import InputError

__all__ = ["LAST", "BEST", "save_state", "load_state", "save_best", "KeepStatistics", "Checkpoint"]

LAST = "last.npz"
BEST = "best.weights.h5"


class LossIsNaN(RuntimeError):
    """The loss isn't finite any more: nothing can be learnt from there."""


class StopAtNaN(keras.callbacks.Callback):
    """Ends a training with `LossIsNaN` as soon as a batch's loss isn't finite."""

    def on_batch_end(self, batch, logs=None):
        """See the class."""
        loss = (logs or {}).get("loss")
        if loss is not None and not np.isfinite(loss):
            raise LossIsNaN(f"loss {loss} at batch {batch}")


def _state(trainer: keras.Model) -> list:
    weights = [*trainer.whole.variables, *trainer.averages, trainer.steps]
    return [*weights, *trainer.optimizer.variables]


def save_state(trainer: keras.Model, path: Path, progress: dict) -> None:
    """Write everything that a resumed run needs.

    Parameters
    ----------
    trainer : ProfileTrainer, compiled and built
    path : Path
    progress : dict
        JSON-able: epoch, best figure and the like.
    """
    arrays: dict[str, Any] = {f"v{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(_state(trainer))}
    if not all(np.isfinite(array).all() for array in arrays.values()):
        return  # the last good state is worth more
    arrays["progress"] = np.asarray(json.dumps(progress))
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load_state(trainer: keras.Model, path: Path) -> dict:
    """Restore a run's state; returns its progress.

    Raises
    ------
    InputError
        When the file is of another network.
    """
    with np.load(path) as saved:
        state = _state(trainer)
        shapes = [saved[f"v{i}"].shape for i in range(len(saved.files) - 1)]
        if shapes != [tuple(v.shape) for v in state]:
            raise InputError(path, "this checkpoint is of a network with other settings; use those of its config.json")
        for i, variable in enumerate(state):
            variable.assign(saved[f"v{i}"].astype(variable.dtype))  # seeds are of another kind on each backend
        return json.loads(str(saved["progress"]))


def save_best(trainer: keras.Model, path: Path) -> None:
    """Write the weights of the whole network, those that are trained averaged."""
    temporary = path.with_name("part." + path.name)
    with trainer.averaged():
        trainer.whole.save_weights(temporary)
    os.replace(temporary, path)


class KeepStatistics(keras.callbacks.Callback):
    """From an epoch on, batch normalisation keeps the statistics that it has.

    Fluxes have long tails: a batch of 16 without a bright galaxy has other statistics than the moving average, in which
    the bright ones rule, and a network that was trained by the one is another with the other.

    Parameters
    ----------
    epoch : int
        The first such epoch, counted from 0.
    """

    def __init__(self, epoch: int):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        """Freeze the layers, once."""
        norms = [la for la in self.model.whole.layers if isinstance(la, keras.layers.BatchNormalization)]
        if epoch >= self.epoch and any(layer.trainable for layer in norms):
            for layer in norms:
                layer.trainable = False
            self.model.make_train_function(force=True)


class Checkpoint(keras.callbacks.Callback):
    """Keep the last state (each epoch, and every few minutes) and the best averaged weights.

    Parameters
    ----------
    folder : Path
    minutes : float
        Between checkpoints within an epoch.
    progress : dict
        Updated in place; `best` is the least validation figure so far, `cpu_seconds` processor time, summed up.
    monitor : str
        Figure of the epoch's logs that is to be least.
    patience : int
        Stop after so many epochs without a better figure, counted across resumed runs; 0: never.
    """

    def __init__(self, folder: Path, minutes: float, progress: dict, monitor: str, patience: int = 0):
        super().__init__()
        self.patience = patience
        self.folder, self.seconds, self.progress, self.monitor = folder, 60.0 * minutes, progress, monitor
        self.saved_at = time.monotonic()
        self.counted_to = time.process_time()

    def on_train_batch_end(self, batch, logs=None):
        """Save when the time has come."""
        # An epoch's last step is saved with its validation: a kill in between would lose the epoch's figures.
        last = batch + 1 == (self.params or {}).get("steps")
        if time.monotonic() - self.saved_at > self.seconds and not last:
            self.save()

    def on_epoch_end(self, epoch, logs=None):
        """Save, and keep the best."""
        value = float((logs or {}).get(self.monitor, float("inf")))
        self.progress["epoch"] = epoch + 1
        if value < self.progress.get("best", float("inf")):
            self.progress.update(best=value, best_epoch=epoch + 1)
            save_best(self.model, self.folder / BEST)
        if self.patience and epoch + 1 - self.progress.get("best_epoch", epoch + 1) >= self.patience:
            self.model.stop_training = True
        self.save()

    def save(self) -> None:
        """Write the last state now."""
        now = time.process_time()
        self.progress["cpu_seconds"] = self.progress.get("cpu_seconds", 0.0) + now - self.counted_to
        self.counted_to = now
        save_state(self.model, self.folder / LAST, self.progress)
        self.saved_at = time.monotonic()
