"""Our server for tests: ``python -m p2p_keras.serve`` as a child process, or its library in a thread of this one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class RunningServer:
    """A server on a free loopback port.

    Parameters
    ----------
    base : Path
        Folder of models.
    options : str
        Further command-line options.
    """

    def __init__(self, base: Path, *options: str) -> None:
        command = [sys.executable, "-m", "p2p_keras.serve", "--model-base-path", str(base), "--port", "0", *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
        self.events: list[dict] = []
        self.other_lines: list[str] = []
        self._news = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            self.port = self.wait_for("listening")["port"]
        except AssertionError:
            self.process.kill()
            raise
        self.address = f"127.0.0.1:{self.port}"

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.other_lines.append(line)
                self._news.notify_all()
        with self._news:
            self.events.append({"event": "process ended"})
            self._news.notify_all()

    def wait_for(self, event: str, *, timeout: float = 240.0, after: int = 0, **fields: object) -> dict:
        """The first log entry of an event with these fields, from entry number `after` on; waits for it."""
        until = time.monotonic() + timeout
        with self._news:
            while True:
                for entry in self.events[after:]:
                    if entry["event"] == event and fields.items() <= entry.items():
                        return entry
                    if entry["event"] == "process ended" and event != "process ended":
                        raise AssertionError(f"the server ended: {self.events} {''.join(self.other_lines)[-2000:]}")
                left = until - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"no '{event}' {fields} within {timeout} s: {self.events}")
                self._news.wait(left)

    def memory_mib(self) -> float:
        """Resident memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Stop it and return its exit status."""
        if self.process.poll() is None:
            self.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class ServerInThread:
    """The server in this process: saves a second import of TensorFlow, the longest part of a test run.

    Parameters
    ----------
    base : Path
        Folder of models.
    **settings
        Of `ServerSettings`.
    """

    def __init__(self, base: Path, **settings) -> None:
        from p2p_keras.serving.server.model_server import ModelServer, ServerSettings

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server = self._do(self._start(ModelServer, ServerSettings(base, port=0, **settings)))
        self.address = f"127.0.0.1:{self.server.port}"

    def wait_for_a_model(self, *, timeout: float = 240.0) -> None:
        """Until it serves one."""
        until = time.monotonic() + timeout
        while not self.server.repository.names():
            assert time.monotonic() < until, f"no model within {timeout} s"
            time.sleep(0.05)

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @staticmethod
    async def _start(kind, settings):
        server = kind(settings)
        await server.start()
        return server

    def stop(self) -> None:
        """Stop it as SIGTERM would."""
        self._do(self.server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
