"""TensorFlow's start-up lines stay away from the user; all else that it says is passed on.

While TensorFlow is imported, its C++ code writes to file descriptor 2 before it has read any setting: that oneDNN is
on, that there is no CUDA, and a warning of these very messages. No setting of its own silences them (TensorFlow 2.21).
So during the import the descriptor leads through a small process that leaves those lines out. It is a process, not a
thread, so that the last words of an import that kills the program are still shown.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import subprocess
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

__all__ = ["LEVEL", "install", "without_startup_lines"]

LEVEL = "TF_CPP_MIN_LOG_LEVEL"

# absl's and TensorFlow's own heads of informative lines, and the lines that belong to them.
_FILTER = r"""
import re, sys
drop = re.compile(
    rb"(I\d{4} |[WE]0000 .*(?:cuda_(?:dnn|fft|blas)|computation_placer|cudart_stub)|\d{4}-\d\d-\d\d [\d:.]+: I "
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [WE] \S*(?:cuda_(?:dnn|fft|blas)|computation_placer|cudart_stub)"
    rb"|WARNING: All log messages before absl::InitializeLog|To enable the following instructions: )"
)
for line in sys.stdin.buffer:
    if not drop.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


@contextmanager
def without_startup_lines() -> Iterator[None]:
    """Within, what C++ code writes to standard error is passed on without TensorFlow's informative lines.

    Whoever sets ``TF_CPP_MIN_LOG_LEVEL`` to 0 or 1 gets all of it.
    """
    if os.environ.setdefault(LEVEL, "3") in {"0", "1"}:
        yield
        return
    try:
        sys.stderr.flush()
        kept = os.dup(2)
        command = [sys.executable, "-I", "-S", "-c", _FILTER]
        sieve = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=kept, start_new_session=True)
    except (OSError, ValueError):  # no descriptor 2, or no room for a process: then the lines are shown
        yield
        return
    assert sieve.stdin is not None
    os.dup2(sieve.stdin.fileno(), 2)
    sieve.stdin.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)  # the sieve's input ends here, and it with it
        os.close(kept)
        with suppress(subprocess.TimeoutExpired):  # a process started meanwhile may still hold its input
            sieve.wait(timeout=2)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow once, and lets it be executed without its start-up lines."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: types.ModuleType) -> None:
                with without_startup_lines():
                    execute(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Let the first import of TensorFlow in this process be quiet; without effect where it is imported already.

    Its level of messages becomes 3 where the user has set none: TensorFlow calls a machine without a GPU an error, and
    what matters is raised as an exception anyway.
    """
    os.environ.setdefault(LEVEL, "3")
    if "tensorflow" not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
