"""On a Ray cluster of two nodes: killed workers, nodes and drivers cost no row, and change no byte."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from astropy.table import vstack
from inline_engine import InlineEngine

from p2p_keras.sky_survey.run import run_survey

psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.slow
STORE = 100_000_000
# Starting processes takes long on a busy machine.
PATIENCE = 300.0


@pytest.fixture(scope="module")
def cluster():
    """A head and a second node, of one core each."""
    import ray
    from ray.cluster_utils import Cluster

    changes = {
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "60",
        "RAY_agent_register_timeout_ms": "600000",
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    made = None
    for attempt in range(3):
        try:
            head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
            made = Cluster(initialize_head=True, head_node_args=head)
            break
        except Exception:
            if attempt == 2:
                raise
    yield made
    ray.shutdown()
    made.shutdown()
    for name, value in before.items():
        os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture(scope="module")
def many(sky, tmp_path_factory):
    """Settings of a survey that takes long enough to be disturbed, and its undisturbed result."""
    folder = tmp_path_factory.mktemp("many")
    tables = []
    for copy in range(15):
        table = sky.table.copy()
        table["objid"] = [f"{name}-{copy}" for name in table["objid"]]
        tables.append(table)
    vstack(tables).write(folder / "many.parquet")
    settings = sky.settings(folder / "result", catalogue=str(folder / "many.parquet"), rows_per_partition=200)
    run_survey(settings, engine=InlineEngine())
    return settings


@contextmanager
def driver(settings, cluster, output):
    """``python -m p2p_keras.survey`` on the cluster, in a process of its own."""
    command = [sys.executable, "-m", "p2p_keras.survey", settings.catalogue, "--images", settings.images]
    command += ["--output", str(output), "--model", settings.model, "--address", cluster.address]
    command += ["--rows-per-part", "7", "--rows-per-partition", "200", "--batch-size", "4"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for_parts(output, count, process):
    """Wait until so many parts have been written."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        written = len(list(output.glob("work/parts/*/*.parquet")))
        if written >= count:
            return written
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    raise AssertionError(f"{count} parts were not written in {PATIENCE} s")


def kill_a_worker():
    """Kill one process that holds the model."""
    for process in psutil.process_iter(["cmdline"]):
        title = " ".join(process.info["cmdline"] or [])
        if title.startswith("ray::") and "_RayWorker" in title and process.uids().real == os.getuid():
            process.kill()
            return True
    return False


def test_killed_worker_and_node_cost_nothing(sky, many, cluster, tmp_path):
    """A survey on hundreds of machines would end with the first of them that fails, or lose its rows."""
    node = cluster.add_node(num_cpus=1, object_store_memory=STORE)
    output = tmp_path / "result"  # the name is in its properties
    with driver(many, cluster, output) as process:
        first = wait_for_parts(output, 3, process)
        assert kill_a_worker()
        wait_for_parts(output, first + 10, process)
        cluster.remove_node(node, allow_graceful=False)
        _, errors = process.communicate(timeout=2 * PATIENCE)
        assert process.returncode == 0, errors
    assert sky.result_of(output) == sky.result_of(Path(many.output))


def test_killed_driver_goes_on(sky, many, cluster, tmp_path):
    """A login node that is rebooted would cost all that was measured, or leave rows twice."""
    output = tmp_path / "result"
    with driver(many, cluster, output) as process:
        wait_for_parts(output, 10, process)
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    assert list(output.glob("work/parts/*/*.parquet"))
    with driver(many, cluster, output) as process:
        _, errors = process.communicate(timeout=2 * PATIENCE)
        assert process.returncode == 0, errors
        assert "rows have been measured already" in errors
    assert sky.result_of(output) == sky.result_of(Path(many.output))
