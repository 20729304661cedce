"""What a person sees of a training: a line for each epoch, without colour codes, and a bar on a terminal."""

from __future__ import annotations

import io
import json
import sys

import pytest

from p2p_keras.core import progress
from p2p_keras.core.json_lines import JsonLines
from p2p_keras.core.progress import time_left
from p2p_keras.network.training.epoch_progress import EpochProgress, best_figure

from .conftest import small_config


def train(shown: EpochProgress, epochs: int, figures: list[float]) -> None:
    """Call the callback as Keras does."""
    shown.on_train_begin()
    for epoch in range(epochs):
        shown.on_epoch_begin(epoch)
        for batch in range(4):
            shown.on_train_batch_end(batch, {"loss": 2.5})
        shown.on_epoch_end(epoch, {"loss": 2.5, "val_loss": 9.0, "val_error_bright": figures[epoch], "copied": 1.0})
    shown.on_train_end()


def test_a_line_for_each_epoch(capsys):
    """A log file would have hundreds of lines of seventeen figures in colour codes, or none at all."""
    train(EpochProgress(3, 4, 16), 3, [0.05, float("nan"), 0.06])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("epoch 1 of 3  loss 2.500  held-out error 0.0500 mag (best 0.0500)")
    assert "nan" in lines[1] and "(best 0.0500)" in lines[1]
    assert "held-out error 0.0600 mag (best 0.0500)" in lines[2]
    assert all("images/s" in line and line.endswith(" left") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_a_bar_on_a_terminal(monkeypatch):
    """A person at a terminal would wait for an epoch's end, an hour perhaps, without a sign of life."""
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(progress, "terminal_stream", lambda: screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    train(EpochProgress(2, 4, 16), 2, [0.05, 0.04])
    text = screen.getvalue()
    assert "epoch 2 of 2" in text and "4/4" in text
    assert "loss 2.500" in text and "images/s" in text
    assert "epoch 2 of 2  loss 2.500  held-out error 0.0400 mag (best 0.0400)" in text  # stays above the bar


def test_reports_for_other_programs(monkeypatch):
    """A program that watches a training would learn nothing of it, or of the present epoch alone."""
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", JsonLines(screen))
    train(EpochProgress(2, 4, 16), 2, [0.05, float("nan")])
    reports = [json.loads(line) for line in screen.getvalue().splitlines()]
    assert {event["event"] for event in reports} == {"progress"}
    first, last = reports[0], reports[-1]
    assert (first["doing"], first["unit"], first["total"], first["loss"]) == ("training", "images", 128, 2.5)
    assert (last["done"], last["epoch"], last["epochs"], last["seconds_left"]) == (128, 2, 2, 0.0)
    assert (last["held_out_error"], last["best"]) == (None, 0.05)


def test_held_out_galaxies_are_seen_in_tensorboard(shards, tmp_path, monkeypatch):
    """TensorBoard's image tab would be empty, or its pictures would show no galaxies."""
    from tensorboard.compat.proto.event_pb2 import Event

    from p2p_keras.data.shards import read_records
    from p2p_keras.network.training import examples
    from p2p_keras.network.training.run import make_trainer

    drawn = []
    real = examples.examples_figure

    def figure(model, galaxies, title):
        drawn.append((len(galaxies), "mu" in model.output))
        return real(model, galaxies[:1], title)

    monkeypatch.setattr(examples, "examples_figure", figure)
    pictures = examples.HeldOutPictures(tmp_path, str(shards), every=2, epochs=3)
    pictures.set_model(make_trainer(small_config(shards, tmp_path), 1))
    for epoch in range(3):
        pictures.on_epoch_end(epoch)
    assert drawn == [(4, True), (4, True)]
    events = [Event.FromString(bytes(r)) for path in tmp_path.glob("pictures/*") for r in read_records(path)]
    summaries = {event.step: value for event in events for value in event.summary.value}
    assert sorted(summaries) == [2, 3]
    width, height, png = (summaries[3].tensor.string_val[i] for i in range(3))
    assert int(width) > 200 and int(height) > 400 and len(png) > 20_000  # 9 kB without a galaxy


def test_a_resumed_run_knows_its_best(tmp_path, capsys):
    """A resumed training would call its first epoch the best."""
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,loss,val_error_bright,val_loss\n0,3,nan,1\n1,3,0.03,1\n2,3,0.04,1\n")
    assert best_figure(path) == 0.03
    assert best_figure(tmp_path / "none.csv") is None
    shown = EpochProgress(4, 4, 16, first_step=12, best=best_figure(path))
    shown.on_train_begin()
    shown.on_epoch_begin(3)
    shown.on_train_batch_end(0, {"loss": 1.0})
    shown.on_epoch_end(3, {"loss": 1.0, "val_error_bright": 0.05})
    shown.on_train_end()
    assert "epoch 4 of 4" in (printed := capsys.readouterr().err)
    assert "held-out error 0.0500 mag (best 0.0300)" in printed


@pytest.mark.parametrize(("seconds", "words"), [(30, "30 s left"), (600, "10 min left"), (7200, "2.0 h left")])
def test_time_left(seconds, words):
    """A night's training would be told in seconds."""
    assert time_left(seconds) == words
