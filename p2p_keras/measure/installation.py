"""What is installed here: versions, the shipped model and where it lies, what would run it, and on which devices."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.core.model_files import find_model
from p2p_keras.core.processes import available_cores
from p2p_keras.core.version import __version__
from p2p_keras.measure.backends import onnx_twin

__all__ = ["describe_installation", "installation_lines"]

_DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tf-nightly"),
    "keras": ("keras",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "numpy": ("numpy",),
    "astropy": ("astropy",),
}
"""Packages whose versions change what is measured, with the names under which they are distributed."""


def describe_installation() -> dict[str, Any]:
    """Describe this installation in words and numbers that JSON has.

    TensorFlow takes seconds to load, and is loaded only where there is an NVIDIA GPU that it might use. ONNX Runtime
    loads the shipped model, which shows that the file is whole.

    Returns
    -------
    dict
        ``p2p_keras``, ``python``, ``executable``, ``platform`` : str;
        ``packages`` : their versions, None where one isn't installed;
        ``model`` : ``name``, ``version``, ``folder``, ``file`` (what `predict` runs), ``backend`` (``"onnxruntime"`` or
        ``"tensorflow"``) and ``error`` (a sentence where `predict` can't run it), each None where it doesn't apply;
        ``backends`` : for each that is installed, the devices that it finds here, ``"CPU"`` among them;
        ``devices`` : ``cores`` (those that this process may use), ``gpus`` (NVIDIA's device files).
    """
    packages = {name: _version(name) for name in _DISTRIBUTIONS}
    gpus = [str(path) for path in sorted(Path("/dev").glob("nvidia[0-9]*"))]
    return {
        "p2p_keras": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "packages": packages,
        "model": _shipped_model(packages),
        "backends": _backends(packages, gpus),
        "devices": {"cores": available_cores(), "gpus": gpus},
    }


def _version(module: str) -> str | None:
    """Version of an installed package, '?' where it can be imported but doesn't tell; imports nothing."""
    for distribution in _DISTRIBUTIONS[module]:
        try:
            return metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return "?" if importlib.util.find_spec(module) else None


def _shipped_model(packages: dict[str, str | None]) -> dict[str, str | None]:
    """The shipped model, and what would run it; see `describe_installation`."""
    described: dict[str, str | None] = dict.fromkeys(("name", "version", "folder", "file", "backend", "error"))
    try:
        model = find_model()
        described |= {"name": model.name, "version": model.version, "folder": str(model.path), "file": str(model.path)}
        twin = onnx_twin(None, model, None)
    except UsageError as error:
        return described | {"error": str(error)}
    if twin is not None:
        return described | {"file": str(twin.path), "backend": "onnxruntime"}
    if packages["tensorflow"]:
        return described | {"backend": "tensorflow"}
    cause = "can't be run: neither ONNX Runtime with its model.onnx nor TensorFlow is installed (pip install p2p-keras)"
    return described | {"error": f"{model.path} {cause}"}


def _backends(packages: dict[str, str | None], gpus: list[str]) -> dict[str, list[str]]:
    """Devices of each installed backend."""
    versions = {}
    if packages["onnxruntime"]:
        import onnxruntime

        providers = onnxruntime.get_available_providers()
        versions["onnxruntime"] = ["CPU", *(["CUDA"] if gpus and "CUDAExecutionProvider" in providers else [])]
    if packages["tensorflow"]:
        versions["tensorflow"] = ["CPU"]
        if gpus:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            import tensorflow as tf

            versions["tensorflow"] += [device.name for device in tf.config.list_physical_devices("GPU")]
    return versions


def installation_lines(described: dict[str, Any]) -> list[str]:
    """The same for a person, a fact a line."""
    model, devices = described["model"], described["devices"]
    rows = [("p2p_keras", described["p2p_keras"]), ("python", f"{described['python']} ({described['executable']})")]
    rows += [(name, version or "not installed") for name, version in described["packages"].items()]
    if model["name"]:
        rows.append(("model", f"{model['name']} {model['version']}".strip()))
        rows.append(("", model["folder"]))
    if model["error"]:
        rows.append(("error", model["error"]))
    else:
        rows.append(("measured by", f"{model['backend']}, from {model['file']}"))
    rows += [("backend", f"{name} on {', '.join(where)}") for name, where in described["backends"].items()]
    gpus = ", ".join(devices["gpus"]) or "no NVIDIA GPU"
    rows.append(("devices", f"{devices['cores']} cores, {gpus}"))
    rows.append(("platform", described["platform"]))
    return [f"{name:<12} {value}".rstrip() for name, value in rows]
