"""The scripts that take a survey to Slurm and Kubernetes, without either of them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from p2p_keras.survey import main

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
BYTES = {"": 1, "Mi": 2**20, "Gi": 2**30}
STAND_INS = {
    "scontrol": 'printf "n1\\nn2\\n"',
    # Drops its own options and runs the rest here.
    "srun": 'while [[ $1 == -* ]]; do [ "$1" = -w ] && { echo "on $2" >> "$LOG"; shift; }; shift; done; exec "$@"',
    "hostname": "echo 10.0.0.1",
    "ray": 'echo "ray $* $RAY_AUTH_MODE ${#RAY_AUTH_TOKEN}" >> "$LOG"; exec sleep 60',
    "python": '[ "$1" = -c ] && { echo 2; exit; }; echo "python $*" >> "$LOG"; exit 3',
}


def size_of(text: str) -> int:
    """Bytes of a quantity as Kubernetes writes it."""
    number, unit = re.fullmatch(r"(\d+)(\w*)", str(text)).groups()
    return int(number) * BYTES[unit]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_slurm_script_starts_nodes_and_driver(tmp_path):
    """A night's allocation would pass with one node working, with nothing done, or with a failure that nobody sees."""
    for name, text in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"
    variables = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_CPUS_PER_TASK": "8", "LOG": str(log)}
    arguments = ["sky.parquet", "--images", "a folder", "--output", "out"]
    command = ["bash", str(DEPLOY / "slurm" / "survey.sbatch"), *arguments]
    environment = os.environ | variables | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=environment, timeout=30, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    lines = log.read_text().splitlines()
    assert "python -m p2p_keras.survey --address 10.0.0.1:6379 sky.parquet --images a folder --output out" in lines
    head, other = sorted(
        (line for line in lines if line.startswith("ray start")), key=lambda line: "--head" not in line
    )
    assert "--head --node-ip-address=10.0.0.1 --port=6379" in head and "--address=10.0.0.1:6379" in other
    assert all("--num-cpus=8" in line and line.endswith("token 64") for line in (head, other))
    assert {"on n1", "on n2"} <= set(lines)


def test_kuberay_job_fits_the_program_and_itself():
    """The job would end at an option that there isn't, or its pods with no room for what Ray takes."""
    yaml = pytest.importorskip("yaml")
    spec = yaml.safe_load((DEPLOY / "kuberay" / "survey.yaml").read_text())["spec"]
    python, module, name, *arguments = shlex.split(spec["entrypoint"])
    assert [python, module, name] == ["python", "-m", "p2p_keras.survey"]
    assert main.make_context(name, arguments).params["address"] == "auto"
    cluster = spec["rayClusterSpec"]
    assert cluster["rayVersion"] == version("ray")
    head, (workers,) = cluster["headGroupSpec"], cluster["workerGroupSpecs"]
    assert workers["minReplicas"] == workers["replicas"] == workers["maxReplicas"]
    for group in (head, workers):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
    pod = workers["template"]["spec"]
    (volume,) = pod["volumes"]
    (container,) = pod["containers"]
    assert container["volumeMounts"] == [{"mountPath": "/dev/shm", "name": volume["name"]}]
    shared, memory = size_of(volume["emptyDir"]["sizeLimit"]), size_of(container["resources"]["limits"]["memory"])
    assert size_of(workers["rayStartParams"]["object-store-memory"]) < shared < memory / 2
