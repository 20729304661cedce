"""What tests of networks share: processes of another backend, and which of them a processor that is held back skips."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

# As in the Makefile: to optimize what is compiled takes longer than to run the tiny networks of tests.
UNOPTIMIZED = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false"
)


@pytest.fixture(scope="session")
def environment_of_backend() -> Callable[[str], dict[str, str]]:
    """Function of a Keras backend's name: the environment of a process that runs on it."""

    def environment(backend: str) -> dict[str, str]:
        variables = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)}
        if backend == "jax":
            variables["XLA_FLAGS"] = f"{UNOPTIMIZED} {os.environ.get('XLA_FLAGS', '')}"
        return variables

    return environment


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Under ``ONEDNN_MAX_CPU_ISA`` TensorFlow still asks the processor whether it has 16-bit products.

    oneDNN, which is held back, has none then, and the process ends with a segmentation fault (TensorFlow 2.21).
    """
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() not in {"SSE41", "AVX", "AVX2"}:
        return
    skip = pytest.mark.skip(reason="oneDNN is held back: TensorFlow's 16-bit products would end the process")
    for item in items:
        if "float16" in item.name and "tests/network/" in item.nodeid:
            item.add_marker(skip)
