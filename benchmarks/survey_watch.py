"""What benchmarks/survey.py sees of processes (memory, CPU time) and gives to them (a share of a core)."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import click


class Watch:
    """Memory and CPU time of a process and all below it, each half second, while the ``with`` block lasts.

    Attributes
    ----------
    peak : float
        Largest resident memory, MiB; memory that processes share (Ray's object store, libraries) is counted once.
    peak_driver, peak_private, peak_shared : float
        Largest of the process itself, of what none shares, and of what is shared.
    """

    def __init__(self, pid: int) -> None:
        import psutil

        self._root = psutil.Process(pid)
        self.peak = self.peak_driver = self.peak_private = self.peak_shared = 0.0
        self._cpu: dict[int, tuple[str, float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            self.look()

    def look(self) -> None:
        """Note what each process has."""
        import psutil

        private = shared = 0
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                with process.oneshot():
                    info, times, name = process.memory_info(), process.cpu_times(), process.name()
            except psutil.Error:
                continue
            if process == self._root:
                self.peak_driver = max(self.peak_driver, (info.rss - info.shared) / 2**20)
                kind = "driver"
            else:
                # Workers are called by what they do, and python while they start.
                works = name.startswith(("ray::", "python")) and "Agent" not in name
                kind = "workers" if works else "Ray's own"
            self._cpu[process.pid] = kind, times.user + times.system
            private += info.rss - info.shared
            shared = max(shared, info.shared)
        self.peak_private = max(self.peak_private, private / 2**20)
        self.peak_shared = max(self.peak_shared, shared / 2**20)
        self.peak = max(self.peak, (private + shared) / 2**20)

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds by kind of process until now, also of processes that have ended."""
        totals = dict.fromkeys(("workers", "Ray's own", "driver"), 0.0)
        for kind, seconds in list(self._cpu.values()):
            totals[kind] += seconds
        return totals


class Share:
    """A control group of Linux in which a node's processes get a share of a core, and no more.

    Parameters
    ----------
    number : int
        Of the node.
    cores : float
    """

    _V1, _V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")

    def __init__(self, number: int, cores: float) -> None:
        self._old = (self._V1 / "cpu.cfs_quota_us").exists()
        top = self._V1 if self._old else self._V2
        self._top = top
        self._group = top / f"p2p-keras-{os.getpid()}-{number}"
        self._quota = round(cores * 50_000)
        try:
            self._group.mkdir()
        except OSError as error:
            raise click.ClickException(
                f"{self._group}: can't be made ({error.strerror}): run without --share"
            ) from error

    def __enter__(self) -> None:
        """What this process starts from here on is in the group, so far without a limit: Ray waits 15 s for its own."""
        (self._group / "cgroup.procs").write_text(str(os.getpid()))

    def __exit__(self, *exception: object) -> None:
        (self._top / "cgroup.procs").write_text(str(os.getpid()))

    def limit(self) -> None:
        """Enforce the share."""
        if self._old:
            (self._group / "cpu.cfs_period_us").write_text("50000")
            (self._group / "cpu.cfs_quota_us").write_text(str(self._quota))
        else:
            (self._group / "cpu.max").write_text(f"{self._quota} 50000")

    def remove(self) -> None:
        """Remove the group, once its processes have ended."""
        for _ in range(50):
            try:
                self._group.rmdir()
                return
            except OSError:
                time.sleep(0.2)
