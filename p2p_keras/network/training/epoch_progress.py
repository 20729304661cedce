"""What a person sees of a training: a line for each epoch, and on a terminal a bar for the present one.

All metrics are in the run's metrics.csv and in TensorBoard; here are the few that tell whether it goes well.
"""

from __future__ import annotations

import csv
import math
import time
from pathlib import Path
from typing import Any

import keras

from p2p_keras.core.json_lines import json_lines
from p2p_keras.core.progress import Progress, time_left

__all__ = ["EpochProgress", "best_figure", "held_out_figure"]

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


class EpochProgress(keras.callbacks.Callback):
    """A line for each epoch on standard error, and on a terminal a bar; with ``--json`` a report a second.

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
        self._figures, self._epoch = "", 0
        self._facts: dict[str, Any] = {}

    def on_train_begin(self, logs=None):
        """Open the bar; a resumed run calls `fit` twice."""
        doing = f"epoch 1 of {self.epochs}" if json_lines() is None else "training"
        self._bar = Progress(doing, self.steps_per_epoch, unit="images", own_lines=True)
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
        self._epoch_first, self._epoch = self.step, epoch + 1
        if self._bar is not None and self._bar.shown:
            self._bar.restart(f"epoch {epoch + 1} of {self.epochs}", self.steps_per_epoch)
            self._bar.advance(self.step % self.steps_per_epoch, 0.0, self._figures)

    def on_train_batch_end(self, batch, logs=None):
        """Show the loss and the time left, a few times a second at most."""
        self.step += 1
        now = self._epoch_end = time.monotonic()
        if self._start is None:  # the first step also builds TensorFlow's graph, which says nothing of the others
            self._start = self._epoch_start = now
            self._epoch_first = self.first_step = self.step
        if now - self._shown < _EVERY_S:
            return
        self._shown = now
        self._show(self.step - (self.step - 1) // self.steps_per_epoch * self.steps_per_epoch, logs or {})

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
            self._facts = {name.replace("-", "_").replace(" ", "_"): value, "best": self.best}
        self._show(self.steps_per_epoch, logs)
        if self._bar is not None and not self._bar.reports:
            line = f"epoch {epoch + 1} of {self.epochs}  {_loss(logs)}{self._figures}"
            self._bar.write_line(f"{line}{self._rate():.1f} images/s  {self._left_in_words()}")

    def _show(self, done: int, logs: dict) -> None:
        """Show the present epoch on the bar, or report the whole run."""
        if self._bar is None:
            return
        if not self._bar.reports:
            self._bar.advance(done, self._rate(), f"{_loss(logs)}{self._figures}{self._left_in_words()}")
            return
        loss = {"loss": float(logs["loss"])} if "loss" in logs else {}
        left = self._left()
        facts: dict[str, Any] = {"seconds_left": None if left is None else round(left, 1)}
        facts |= {"epoch": self._epoch, "epochs": self.epochs, **loss, **self._facts}
        total = self.epochs * self.steps_per_epoch * self.batch_size
        self._bar.advance(self.step * self.batch_size, self._rate(), total=total, facts=facts)

    def _rate(self) -> float:
        """Images of this epoch in a second, without its validation and the first step of all; 0 before the second."""
        seconds = (self._epoch_end or time.monotonic()) - self._epoch_start
        return (self.step - self._epoch_first) * self.batch_size / max(seconds, 1e-6)

    def _left(self) -> float | None:
        """Seconds to the last epoch's end, by the time that this run's steps took, validation included."""
        steps = self.step - self.first_step
        left = max(0, self.epochs * self.steps_per_epoch - self.step)
        if not left:
            return 0.0
        return (time.monotonic() - self._start) / steps * left if steps and self._start is not None else None

    def _left_in_words(self) -> str:
        left = self._left()
        return "" if left is None else time_left(left)


def _loss(logs: dict) -> str:
    return f"loss {float(logs['loss']):.3f}  " if "loss" in logs else ""
