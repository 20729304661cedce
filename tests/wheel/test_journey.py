"""A new user's first hour with what ``pip install p2p-keras`` gives, in an empty folder outside the clone."""

from __future__ import annotations

import json
import threading
import time

import numpy as np
import pytest
from environment import ROOT
from journey import MEASURE_ARRAY, draw_galaxy, info, measure

from p2p_keras.core.model_files import find_model

ASK_SERVER = """
import json, sys
from p2p_keras.client import ProfileClient

profile = ProfileClient(sys.argv[1], timeout=240).profile("galaxy.fits")
print(json.dumps([float(mu) for mu in profile["mu"].value]))
"""


@pytest.fixture
def galaxy(installed):
    """A mock galaxy, drawn by the installed package."""
    return draw_galaxy(installed)


def test_info(installed, wheel):
    """A report of a fault would not say which package and model made it, or would wait for TensorFlow to say so."""
    facts = info(installed)
    assert facts["p2p_keras"] == wheel.name.split("-")[1]
    assert facts["model"]["version"] == find_model(ROOT / "saved_models" / "isophote").version
    assert facts["model"]["folder"].startswith(str(installed.prefix))
    assert facts["model"]["backend"] == "onnxruntime"
    lines = installed.run("p2p-keras", "info").stdout
    assert f"{facts['model']['name']} {facts['model']['version']}" in lines
    print(f"installed in all: {installed.size() / 1e9:.2f} GB")


def test_predict(installed, galaxy):
    """The first thing that a user does, and looks at, would fail: a profile, its picture, where the network looked."""
    profile, truth = measure(installed, "--plot", "plots", "--attention", "attention")
    assert profile["mag_total"] == pytest.approx(truth, abs=0.1)
    assert len(list((installed.work / "plots").iterdir())) == 1
    assert len(list((installed.work / "attention").iterdir())) == 1


def test_from_python(installed, galaxy):
    """A notebook could not measure an array with the shipped model, or would load TensorFlow for it."""
    measured = json.loads(installed.run("python", "-c", MEASURE_ARRAY).stdout)
    assert measured["model"] == "{name} {version}".format(**info(installed)["model"])
    assert measured["tensorflow"] is False
    assert measured["rows"] > 10


def test_server_and_client(installed, galaxy):
    """`serve` without an option would find no model, or answer with another profile than `predict` gives."""
    server = installed.start("p2p-keras", "serve", "--port", "0", "--no-warm-up")
    lines: list[str] = []
    threading.Thread(target=lambda: lines.extend(iter(server.stderr.readline, "")), daemon=True).start()
    try:
        port = _event(lines, server, "listening")["port"]
        _event(lines, server, "ready")
        served = json.loads(installed.run("python", "-c", ASK_SERVER, f"127.0.0.1:{port}").stdout)
    finally:
        server.terminate()
        assert server.wait(60) == 0
    measured, _ = measure(installed)
    np.testing.assert_allclose(served, measured["table"]["mu"].value, atol=2e-3)


def _event(lines: list[str], server, name: str) -> dict:
    """Wait for an entry of the server's log; long, as the machine may be busy."""
    until = time.monotonic() + 300
    while time.monotonic() < until and server.poll() is None:
        for line in list(lines):
            if line.startswith("{") and (entry := json.loads(line))["event"] == name:
                return entry
        time.sleep(0.05)
    raise AssertionError(f"no {name!r} in the server's log: {''.join(lines)}")


@pytest.fixture(scope="module")
def shards(installed):
    """Folder of shards of the user's own mocks."""
    simulate = "simulate --survey sdss --count 24 --size 64 --splits train=0.6,val=0.2,test=0.2 --output shards"
    installed.run("p2p-keras", *simulate.split())
    return installed.work / "shards"


STEPS = "--epochs 1 --steps-per-epoch 3 --batch-size 4 --quiet"


def test_fit_and_measure(installed, galaxy, shards):
    """Training would end without a model, or with one that can't be used. A small network: the way is the same."""
    small = "model.filters=[8,12,12,12] model.centre_filters=[8,12] model.dim=16 model.num_heads=2 "
    small += "model.sky_blocks=1 model.decoder_blocks=1"
    settings = [word for setting in small.split() for word in ("--set", setting)]
    installed.run(
        "p2p-keras", "fit", "--data", "shards", "--run", "runs/first", *STEPS.split(), *settings, timeout=1800
    )
    exported = installed.work / "runs/first/saved_models/isophote"
    assert (exported / "1/saved_model.pb").is_file()
    assert (exported / "model.onnx").is_file()
    installed.run("p2p-keras", "predict", "galaxy.fits", "--model", "runs/first", "--output", "mine.ecsv")
    assert (installed.work / "mine.ecsv").stat().st_size > 0


def test_fit_starts_from_the_shipped_model(installed, shards):
    """Who installed the package could not fine-tune its model."""
    fit = f"fit --data shards --run runs/tuned --init isophote --no-export {STEPS}"
    installed.run("p2p-keras", *fit.split(), timeout=1800)
    metrics = json.loads((installed.work / "runs/tuned/metrics.json").read_text())
    error = metrics["test"]["error_bright"]
    assert error < 0.3, "weights that were not taken over are off by magnitudes"
