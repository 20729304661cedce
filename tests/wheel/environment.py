"""An environment with what users install, outside the clone, and a home of its own with an accent in its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


class Environment:
    """A Python environment that holds nothing at first, and the person who works in it.

    Parameters
    ----------
    folder : Path
        An empty folder: gets the environment, an empty home and an empty working folder.
    """

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "environment"
        self.home = folder / "josé"
        self.work = self.home / "galaxies"
        self.work.mkdir(parents=True)
        self.python = self.prefix / "bin" / "python"
        python = os.environ.get("P2P_WHEEL_PYTHON") or sys.executable
        made = [sys.executable, "-m", "uv", "venv", "--quiet", "--python", python, str(self.prefix)]
        subprocess.run(made, check=True, timeout=120)

    def install(self, *words: str) -> str:
        """``pip install WORDS``, with the lock file's versions; by uv, or by pip where uv finds no packages.

        The home is the caller's here: uv links packages from its cache, where pip would copy 2.5 GB. Returns what the
        installer said.
        """
        words = ("--constraint", str(LOCK), *words)
        by_uv = [sys.executable, "-m", "uv", "pip", "install", "--python", str(self.python), *words]
        done = subprocess.run(by_uv, capture_output=True, text=True, timeout=900)
        if done.returncode:
            by_pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", *words]
            done = subprocess.run(by_pip, capture_output=True, text=True, timeout=1800)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables as a new user has them: nothing of ours, and no way back to the clone."""
        path = os.pathsep.join([str(self.prefix / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        limits = {name: os.environ[name] for name in THREADS if name in os.environ}
        return {"PATH": path, "HOME": str(self.home), "TF_CPP_MIN_LOG_LEVEL": "3"} | kept | limits

    def start(self, *command: str) -> subprocess.Popen:
        """Start a command in the working folder; its output is piped, as text."""
        return subprocess.Popen(
            [str(self.prefix / "bin" / command[0]), *command[1:]],
            cwd=self.work,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, status: int = 0, timeout: float = 900.0) -> subprocess.CompletedProcess:
        """Run a command of the environment in the working folder, and look at its exit status."""
        process = self.start(*command)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            process.kill()
        assert process.returncode == status, f"{' '.join(command)}: exit status {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def size(self) -> int:
        """Bytes of all files in the environment."""
        return sum(path.stat().st_size for path in self.prefix.rglob("*") if path.is_file() and not path.is_symlink())
