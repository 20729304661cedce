"""benchmarks/gpu.py runs from its bundle, on a machine that has only Python, numpy, scipy and JAX."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AT_HAND = "numpy numpy.libs scipy scipy.libs jax jaxlib opt_einsum"
PARTS = ["compare", "inference", "training", "pipeline", "simulation"]  # not `longer`, a plain `fit` that takes longest


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """A Python of an environment with JAX and what it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    here = Path(find_spec("jax").origin).parents[1]
    for name in AT_HAND.split():
        if (here / name).exists():
            (site / name).symlink_to(here / name)
    return folder / "bin" / "python"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="needs JAX")
def test_runs_from_a_bare_copy(bare_python, tmp_path):
    """The few minutes on a card that somebody lends would end with a traceback."""
    given = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KERAS_BACKEND")}
    # Tiny networks take no time; LLVM's optimizations of them would take most of it.
    flags = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
    environment = {**given, "XLA_FLAGS": f"{flags} --xla_cpu_use_fusion_emitters=false"}
    copy = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--bundle", str(tmp_path / "bundle")]
    subprocess.run(copy, env=environment, check=True, capture_output=True)
    size = sum(path.stat().st_size for path in (tmp_path / "bundle").rglob("*") if path.is_file())
    assert size < 60e6
    command = [str(bare_python), str(tmp_path / "bundle" / "gpu.py"), "--small", "--minutes", "60", "--output", "found"]
    command += ["--parts", *PARTS]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    results = json.loads((tmp_path / "found" / "gpu.json").read_text())
    assert {part: figures["ended"] for part, figures in results["parts"].items()} == dict.fromkeys(PARTS, "done"), (
        ended.stderr[-4000:]
    )
    assert all(len(figures) > 1 for figures in results["parts"].values()), "a part has no figure"
    assert results["parts"]["compare"]["largest difference of mu (mag), matrix units: highest"] < 1e-3
    assert "simulation" in (tmp_path / "found" / "gpu.md").read_text()
