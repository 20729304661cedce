"""A run goes on on another backend than the one it began on."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from p2p_keras.core.errors import UsageError
from p2p_keras.network.training.config import FitConfig
from p2p_keras.network.training.run import fit, load_run_model


def test_several_devices_need_jax(shards, tmp_path):
    """`--devices 2` would train on one device without a word."""
    config = FitConfig(data=str(shards), run=str(tmp_path / "run"), devices=2)
    with pytest.raises(UsageError, match="KERAS_BACKEND=jax"):
        fit(config)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")
def test_run_begun_on_tensorflow_goes_on_on_jax(killed_run, tmp_path, environment_of_backend):
    """Optimizer, averages and steps would start anew on another machine's backend, or its weights be lost to export."""
    folder = tmp_path / "run"
    shutil.copytree(killed_run, folder)
    with np.load(folder / "last.npz") as state:
        names, epochs = state.files, json.loads(str(state["progress"]))["epoch"] + 1
    options = ["--run", str(folder), "--resume", "--epochs", str(epochs), "--no-export"]
    subprocess.run([sys.executable, "-m", "p2p_keras.fit", *options], env=environment_of_backend("jax"), check=True)

    metrics = json.loads((folder / "metrics.json").read_text())
    assert (metrics["backend"], metrics["epochs"], metrics["steps"]) == ("jax", epochs, 3 * epochs)
    with open(folder / "metrics.csv", newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == [str(epoch) for epoch in range(epochs)]
    with np.load(folder / "last.npz") as state:
        assert state.files == names
    answer = load_run_model(folder)(
        {
            "image": np.random.default_rng(1).normal(size=(1, 64, 64)).astype("float32"),
            "zero_point": np.float32([22.5]),
            "pixel_scale": np.float32([0.4]),
        }
    )
    assert np.isfinite(answer["mu"]).all()
