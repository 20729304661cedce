"""A third party's client of TensorFlow Serving's API, ovmsclient, gets its answers from our server.

Its stubs can't be loaded beside TensorFlow Serving's own, so it needs an environment of its own (``pip install
ovmsclient``); it runs where ``P2P_OVMSCLIENT`` names that environment's ``python``.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")

from served_model import galaxy

OVMSCLIENT = os.environ.get("P2P_OVMSCLIENT")
SCRIPT = Path(__file__).with_name("ovms_client.py")

pytestmark = pytest.mark.skipif(
    not OVMSCLIENT, reason="P2P_OVMSCLIENT names no python of an environment with ovmsclient"
)


def test_third_partys_client_gets_answers(serving, tmp_path):
    """Scripts written for TensorFlow Serving or OpenVINO's server would fail on ours, or measure other profiles."""
    import tensorflow as tf

    folder = max((serving.base / serving.model).glob("[0-9]*"), key=lambda path: int(path.name))
    images = np.stack([galaxy(96, flux=flux) for flux in (3.0, 30.0)]).astype("float32")
    np.save(tmp_path / "images.npy", images)
    files = tmp_path / "images.npy", tmp_path / "outputs.npz"
    command = [str(word) for word in (OVMSCLIENT, SCRIPT, serving.address, serving.model, folder.name, *files)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    deadline = time.monotonic() + 600
    while True:  # the model may still be loading
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if "UNAVAILABLE" not in ended.stderr or time.monotonic() > deadline:
            break
        time.sleep(5.0)
    assert ended.returncode == 0, ended.stderr[-2000:]
    answers = json.loads(ended.stdout)

    assert answers["status"][folder.name]["state"] == "AVAILABLE"
    assert set(answers["metadata"]["inputs"]) == {"image", "zero_point", "pixel_scale"}
    assert answers["too small"].startswith("InvalidInputError")
    assert answers["no such model"].startswith("ModelNotFoundError")
    model = tf.saved_model.load(str(folder))
    numbers = {name: tf.fill([2], value) for name, value in (("zero_point", 22.5), ("pixel_scale", 0.4))}
    expected = model.signatures["serving_default"](image=tf.constant(images), **numbers)
    with np.load(tmp_path / "outputs.npz") as outputs:
        assert set(outputs.files) == set(expected)
        valid = outputs["valid"]
        assert valid.any(axis=1).all()
        np.testing.assert_allclose(outputs["mu"][valid], expected["mu"].numpy()[valid], atol=1e-4)
