"""A training run: learns, survives being killed, refuses nonsense."""

import csv
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from p2p_keras.core.errors import UsageError
from p2p_keras.network.training.config import FitConfig, parse_assignment, read_config
from p2p_keras.network.training.uncertainty import calibration_factors

from .conftest import fit_command, small_config


def test_overfits_four_galaxies(shards, four, overfit, tmp_path):
    """Something between labels, network and loss would not fit together."""
    figures = overfit(small_config(shards, tmp_path / "run", learning_rate=4e-3), four, 120)
    # Trained with mu off by one ring, components of the ellipse swapped and x and y of the centre swapped, all at once:
    # 0.24 mag, 0.19 and 2.1 px.
    assert figures["mu"] < 0.02
    assert figures["ellipse"] < 0.03
    assert figures["centre"] < 0.1


@pytest.mark.slow
def test_killed_run_goes_on(killed_run, tmp_path, eagerly):
    """A night of training would be lost with the power."""
    from p2p_keras.fit import main

    run = tmp_path / "run"
    shutil.copytree(killed_run, run)
    with np.load(run / "last.npz") as saved:
        epochs_done = json.loads(str(saved["progress"]))["epoch"]
    assert epochs_done >= 1
    again = fit_command(run, "--epochs", str(epochs_done + 2), "--resume")
    done = CliRunner().invoke(main, again)
    assert done.exit_code == 0, (done.output, done.exception)
    with open(run / "metrics.csv", newline="") as file:
        epochs = [int(row["epoch"]) for row in csv.DictReader(file)]
    assert epochs == list(range(epochs_done + 2)), "an epoch is missing or there twice"
    assert (run / "examples.png").stat().st_size > 10_000


@pytest.mark.parametrize(("done", "calls"), [(7, []), (6, []), (5, [(2, 3, 1)]), (3, [(1, 2, 1), (2, 3, 2)])])
def test_resumed_run_ends_where_it_is_told_to(shards, tmp_path, done, calls):
    """`fit --resume --epochs 3` would finish a fourth epoch that was begun, and export what it made."""
    from p2p_keras.network.training import run

    made = []

    class Trainer:
        steps, stop_training = np.asarray(done), False

        def fit(self, data, *, initial_epoch, epochs, steps_per_epoch, **_):
            made.append((initial_epoch, epochs, steps_per_epoch))

    config = small_config(shards, tmp_path, epochs=3, steps_per_epoch=2)
    progress = {"epoch": done // 2, "steps_per_epoch": 2}
    run._train(config, Trainer(), run.held_out(config, "val", (64,)), progress, (64,), 0)
    assert made == calls


def test_a_part_is_trained_alone(shards, tmp_path, eagerly):
    """Training the search for the centre would change the rest of a good network, or nothing at all."""
    from p2p_keras.network.training.run import fit, load_run_model, make_trainer

    whole = make_trainer(small_config(shards, tmp_path / "whole"), 1).network
    (tmp_path / "whole").mkdir()
    whole.save_weights(tmp_path / "whole" / "best.weights.h5")
    before = {v.path: np.asarray(v) for v in whole.weights}
    settings = {"part": "centre", "init": str(tmp_path / "whole"), "epochs": 1, "steps_per_epoch": 4}
    result = fit(small_config(shards, tmp_path / "part", **settings), verbose=0)
    assert np.isfinite(result.metrics["val"]["error_bright"])
    changed = {
        v.path.split("/")[0]
        for v in load_run_model(tmp_path / "part").weights
        if v.path in before and not np.array_equal(before[v.path], np.asarray(v))
    }
    calibration = {"physical", "errors"}
    assert {"centre_1", "centre_7", "centre_heat", "fine_heat"} <= changed
    assert {name for name in changed - calibration if not name.startswith(("centre_", "fine_"))} == set()
    with pytest.raises(UsageError, match="part 'sky': isophote has centre"):
        small_config(shards, tmp_path, part="sky")


def test_wrong_use_gives_an_error(shards, tmp_path):
    """A typing error would cost a night, or end in a traceback."""
    from p2p_keras.network.training.run import fit

    with pytest.raises(UsageError, match="learning_rat"):
        small_config(shards, tmp_path, learning_rat=1)
    with pytest.raises(UsageError, match="precision"):
        small_config(shards, tmp_path, precision="float8")
    with pytest.raises(UsageError, match="epochs"):
        small_config(shards, tmp_path, epochs="many")
    with pytest.raises(UsageError, match="nowhere"):
        fit(small_config(tmp_path / "nowhere", tmp_path / "run"))
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "last.npz").write_bytes(b"")
    with pytest.raises(UsageError, match="--resume"):
        fit(small_config(shards, tmp_path / "used"))
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parse_assignment("dim")
    (tmp_path / "bad.toml").write_text("epochs = ")
    with pytest.raises(UsageError, match=r"bad\.toml"):
        read_config(tmp_path / "bad.toml")


def test_config_round_trip(tmp_path):
    """A run folder's config.json would not make the same run again."""
    config = FitConfig.from_mapping({"image_sizes": "128,256", "model.dim": 96, "augment": "false"}, "test")
    (tmp_path / "config.json").write_text(config.to_json())
    assert FitConfig.from_mapping(read_config(tmp_path / "config.json"), "test") == config
    assert config.image_sizes == [128, 256] and config.augment is False
    assert config.model == FitConfig.from_mapping({}, "test").model | {"dim": 96}


def test_calibration_makes_uncertainties_honest():
    """Error bars would be too small or too large, in a way that depends on their size."""
    rng = np.random.default_rng(0)
    raw = np.exp(rng.uniform(np.log(0.004), np.log(0.4), 600_000))
    true = raw * np.where(raw < 0.05, 3.0, 0.5)
    factors = calibration_factors(raw, rng.normal(0, 1, raw.size) * true)
    assert factors[1] == pytest.approx(np.log(3.0), abs=0.1)
    assert factors[6] == pytest.approx(np.log(0.5), abs=0.1)
