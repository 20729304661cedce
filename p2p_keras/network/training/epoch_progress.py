"""What a person sees of a training: a line for each epoch, and on a terminal a bar for the present one.

All metrics are in the run's metrics.csv and in TensorBoard; here are the few that tell whether it goes well.
"""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path

import keras

from p2p_keras.core.progress import Progress

__all__ = ["EpochProgress", "best_figure", "held_out_figure", "time_left"]

_EVERY_S = 0.25


def held_out_figure(logs: dict) -> tuple[str, float] | None:
    """Name and value of the figure of held-out galaxies: the profile's error in mag; for a part's training its loss."""
    for key, name in (("val_error_bright", "held-out error"), ("val_loss", "held-out loss")):
        if key in logs and logs[key] not in ("", None):
            return name, float(logs[key])
    return None


def best_figure(path: Path) -> float | None:
    """Least figure of held-out galaxies in a run's metrics.csv; None where it has none that is finite."""
    if not path.exists():
        return None
    with open(path, newline="", encoding="utf-8") as file:
        figures = [held_out_figure(row) for row in csv.DictReader(file)]
    return min((figure[1] for figure in figures if figure is not None and math.isfinite(figure[1])), default=None)


def time_left(seconds: float) -> str:
    """Time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"


class EpochProgress(keras.callbacks.Callback):
    """A line for each epoch on standard error, and on a terminal a bar.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    steps_per_epoch : int
    batch_size : int
    first_step : int
        Steps that the run has done before.
    best : float, optional
        Best figure of held-out galaxies before.
    """

    def __init__(
        self, epochs: int, steps_per_epoch: int, batch_size: int, *, first_step: int = 0, best: float | None = None
    ) -> None:
        super().__init__()
        self.epochs, self.steps_per_epoch, self.batch_size = epochs, steps_per_epoch, batch_size
        self.first_step, self.step, self.best = first_step, first_step, best
        self._bar: Progress | None = None
        self._start: float | None = None
        self._shown = 0.0
        self._figures = ""

    def on_train_begin(self, logs=None):
        """Open the bar; a resumed run calls `fit` twice."""
        self._bar = Progress(f"epoch 1 of {self.epochs}", self.steps_per_epoch, unit="images", time_left=False)
        self._bar.__enter__()

    def on_train_end(self, logs=None):
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Close the bar; where training ended by an error Keras doesn't say so."""
        if self._bar is not None:
            self._bar.__exit__()
            self._bar = None

    def on_epoch_begin(self, epoch, logs=None):
        """Begin the bar of this epoch."""
        self._epoch_start, self._epoch_end = time.monotonic(), None
        self._epoch_first = self.step
        if self._bar is not None:
            self._bar.restart(f"epoch {epoch + 1} of {self.epochs}", self.steps_per_epoch)
            self._bar.advance(self.step % self.steps_per_epoch, 0.0, self._figures)

    def on_train_batch_end(self, batch, logs=None):
        """Show the loss and the time left, a few times a second at most."""
        self.step += 1
        now = self._epoch_end = time.monotonic()
        if self._start is None:  # the first step also builds TensorFlow's graph, which says nothing of the others
            self._start = self._epoch_start = now
            self._epoch_first = self.first_step = self.step
        if self._bar is None or not self._bar.shown or now - self._shown < _EVERY_S:
            return
        self._shown = now
        done = self.step - (self.step - 1) // self.steps_per_epoch * self.steps_per_epoch
        loss = f"loss {float(logs['loss']):.3f}  " if logs and "loss" in logs else ""
        self._bar.advance(done, self._rate(), f"{loss}{self._figures}{self._left()}")

    def on_epoch_end(self, epoch, logs=None):
        """Write the epoch's line."""
        logs = logs or {}
        figure = held_out_figure(logs)
        if figure is not None:
            name, value = figure
            if math.isfinite(value):
                self.best = value if self.best is None else min(self.best, value)
            unit = " mag" if name.endswith("error") else ""
            best = "none yet" if self.best is None else f"{self.best:.4f}"
            self._figures = f"{name} {value:.4f}{unit} (best {best})  "
        loss = f"loss {float(logs['loss']):.3f}  " if "loss" in logs else ""
        line = f"epoch {epoch + 1} of {self.epochs}  {loss}{self._figures}{self._rate():.1f} images/s  {self._left()}"
        if self._bar is not None:
            self._bar.advance(self.steps_per_epoch, self._rate(), f"{loss}{self._figures}{self._left()}")
            self._bar.say(line)

    def _rate(self) -> float:
        """Images of this epoch in a second, without its validation and the first step of all; 0 before the second."""
        seconds = (self._epoch_end or time.monotonic()) - self._epoch_start
        return (self.step - self._epoch_first) * self.batch_size / max(seconds, 1e-6)

    def _left(self) -> str:
        """Time to the last epoch's end, by the time that this run's steps took, validation included."""
        steps = self.step - self.first_step
        if not steps or self._start is None:
            return "0 s left" if self.step >= self.epochs * self.steps_per_epoch else ""
        left = max(0, self.epochs * self.steps_per_epoch - self.step)
        return time_left((time.monotonic() - self._start) / steps * left)
