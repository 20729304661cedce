"""Every preset gives the same numbers on TensorFlow, JAX and PyTorch, and learns the same from the same batch.

The process' own backend (``KERAS_BACKEND``) is held against the file that ``P2P_BACKENDS_REFERENCE`` names, or against
another process: JAX where this is TensorFlow, TensorFlow elsewhere.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from p2p_keras.network import load_network

pytestmark = pytest.mark.backends

SCRIPT = Path(__file__).with_name("reference.py")
_spec = importlib.util.spec_from_file_location("backends_reference", SCRIPT)
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, environment_of_backend):
    """Results of another backend."""
    if given := os.environ.get("P2P_BACKENDS_REFERENCE"):
        return np.load(given)
    other = "jax" if keras.config.backend() == "tensorflow" else "tensorflow"
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} isn't installed")
    path = tmp_path_factory.mktemp("backends") / f"{other}.npz"
    subprocess.run([sys.executable, str(SCRIPT), str(path)], env=environment_of_backend(other), check=True)
    return np.load(path)


@pytest.mark.parametrize("preset", reference.PRESETS)
def test_preset_gives_the_same_numbers(preset, elsewhere):
    """A user of another backend would measure other profiles, or train another network, with the same weights."""
    names = [name for name in elsewhere.files if name.startswith(f"{preset}/")]
    here = reference.results(preset)
    assert {f"{preset}/{name}" for name in here} == set(names)
    for name, value in here.items():
        other = elsewhere[f"{preset}/{name}"]
        # 1e-4 mag is asked of profiles; a sum of losses over radii has the rounding of each.
        tolerance = {"atol": 1e-4} if name == "answer/mu" else {"rtol": 2e-3, "atol": 2e-4}
        np.testing.assert_allclose(value, other, err_msg=f"{preset}: {name}", **{"rtol": 0.0, **tolerance})


def test_shipped_model_opens(repository):
    """`keras.models.load_model` would fail on this backend, or the model measure something else."""
    model = load_network(repository / "saved_models" / "isophote" / "model.keras")
    y, x = np.mgrid[:64, :64].astype("float32")
    image = 400.0 * np.exp(-np.hypot(x - 30.0, y - 33.0) / 4.0) + np.random.default_rng(3).normal(size=(64, 64))
    inputs = {"image": image[None], "zero_point": [22.5], "pixel_scale": [0.4]}
    # TensorFlow has answered long before it would have made a graph; JAX takes minutes without one.
    run = model if keras.config.backend() == "tensorflow" else model.predict_on_batch
    answer = run({name: np.asarray(value, "float32") for name, value in inputs.items()})
    answer = {name: keras.ops.convert_to_numpy(value) for name, value in answer.items()}
    valid = answer["valid"][0]
    true = 22.5 + 5 * np.log10(0.4) - 2.5 * np.log10(400.0 * np.exp(-answer["sma"][0] / 0.4 / 4.0))
    assert valid.sum() > 30
    assert np.median(np.abs(answer["mu"][0] - true)[valid]) < 0.05
    assert np.hypot(answer["x0"] - 30.0, answer["y0"] - 33.0) < 0.3
