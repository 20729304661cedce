"""The ONNX file behind somebody else's server: MLServer, KServe's v2 protocol.

MLServer needs an older protobuf, and so an environment of its own (``pip install mlserver onnxruntime``); it runs where
``P2P_MLSERVER`` names its ``mlserver`` program.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from p2p_keras.network.export.warmup import galaxy_like_image

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "saved_models" / "isophote" / "model.onnx"
MLSERVER = os.environ.get("P2P_MLSERVER")

pytestmark = pytest.mark.skipif(not MLSERVER or not MODEL.exists(), reason="P2P_MLSERVER names no mlserver program")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """Where the running server answers."""
    folder = tmp_path_factory.mktemp("mlserver") / "served"
    shutil.copytree(ROOT / "deploy" / "mlserver", folder)
    shutil.copy(MODEL, folder)
    http, grpc, metrics = free_ports(3)
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    (folder / "settings.json").write_text(json.dumps({"host": "127.0.0.1", "parallel_workers": 0, **ports}))
    environment = dict(os.environ, PYTHONPATH=str(folder))
    process = subprocess.Popen([str(MLSERVER), "start", "."], cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{http}/v2/models/isophote/ready", timeout=5)
                break
            except OSError:
                assert process.poll() is None, "mlserver ended"
                time.sleep(0.5)
        yield f"http://127.0.0.1:{http}/v2/models/isophote/infer"
    finally:
        process.terminate()
        process.wait(60)


def infer(url: str, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs for float32 inputs."""
    inputs = [
        {"name": name, "shape": list(array.shape), "datatype": "FP32", "data": array.ravel().tolist()}
        for name, array in arrays.items()
    ]
    request = urllib.request.Request(url, json.dumps({"inputs": inputs}).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        outputs = json.load(answer)["outputs"]
    return {output["name"]: np.array(output["data"]).reshape(output["shape"]) for output in outputs}


def batch(size: int) -> dict[str, np.ndarray]:
    """Two galaxies of two cameras."""
    image = np.stack([galaxy_like_image(96, seed)[:size] for seed in (1, 2)])
    return {"image": image, "zero_point": np.float32([22.5, 25.0]), "pixel_scale": np.float32([0.4, 0.2])}


def test_profiles_are_those_of_onnx_runtime(url):
    """A KServe platform would measure other profiles than a laptop."""
    from p2p_keras.measure.backends import load_backend

    expected = load_backend(MODEL).run(**batch(96))
    got = infer(url, **batch(96))
    assert set(got) == set(expected)
    assert expected["valid"].any()
    for name, value in expected.items():
        # MLServer writes [B] as [B, 1].
        np.testing.assert_allclose(got[name].reshape(value.shape), value, rtol=1e-5, atol=1e-5, err_msg=name)


def test_wrong_sizes_are_refused(url):
    """An image too small for the radial grid would be answered with nonsense."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        infer(url, **batch(20))
    assert caught.value.code == 400
    assert "48 to 2048" in caught.value.read().decode()
