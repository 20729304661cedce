"""Work in many processes: in order, and nothing hangs or stays behind when a process dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from p2p_keras.core import processes
from p2p_keras.core.processes import ProcessKilledError, in_order


def test_results_come_in_order():
    """Galaxies would stand in the shards in another order on each machine."""
    assert list(in_order(abs, range(-100, 0), workers=2)) == list(range(100, 0, -1))


def test_a_killed_process_is_reported():
    """A run whose worker was killed for its memory would wait for ever."""
    with pytest.raises(ProcessKilledError, match="fewer --workers"):
        list(in_order(os._exit, [1, 1], workers=2))


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_processes_end_with_their_parent():
    """Killed runs would leave processes behind that hold memory and never end."""
    code = """
import time
from p2p_keras.core.processes import in_order
if __name__ == "__main__":
    for _ in in_order(time.sleep, [0, 600, 600], workers=2, setup=print, setup_arguments=("up",)):
        print("working", flush=True)
"""
    # A spawned child imports its parent's main module, so that must be a file or nothing: here it is nothing.
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout is not None
    while "working" not in parent.stdout.readline():
        assert parent.poll() is None
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            os.killpg(parent.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(parent.pid, signal.SIGKILL)
    pytest.fail("processes outlived their parent by 30 s")


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        ({"cpu.max": "250000 100000\n"}, 3),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)
def test_a_containers_share_of_the_cores(files, cores, tmp_path, monkeypatch):
    """In a container of two cores on a machine of 64 a run would start 64 processes, and memory would run out."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(processes, "_CGROUP", tmp_path)
    monkeypatch.setattr(processes.os, "cpu_count", lambda: 8)
    monkeypatch.setattr(processes.os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert processes.available_cores() == cores
