"""Module paths of version 0.1: what still imports them, and files that name them, find the modules of today.

`.keras` files name the module of each layer, and scripts were written by the documentation of their day. An import of
an old path gives the module of today itself, so that classes and functions exist once. The paths that version 0.1
documented for users warn; they go with version 0.4. Paths inside saved models stay.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
import warnings
from collections.abc import Sequence
from typing import Any

__all__ = ["OLD_PATHS", "install"]

OLD_PATHS: dict[str, tuple[str, ...]] = {
    # Named by `.keras` files and run folders.
    "layers": ("network.layers",),
    "layers.look": ("network.layers.sampling",),
    "models": ("network.models",),
    "models.pix2prof": ("network.models.paper.pix2prof",),
    "models.pix2prof_attention": ("network.models.paper.pix2prof_attention",),
    "models.pix2prof_transformer": ("network.models.paper.pix2prof_transformer",),
    "models.resnet": ("network.models.paper.resnet",),
    # Documented for users.
    "accuracy": ("core.accuracy",),
    "attention": ("measure.attention", "measure.outputs.attention_drawing"),
    "backends": ("measure.backends",),
    "derived": ("profile.derived",),
    "ellipse": ("core.ellipse",),
    "errors": ("core.errors",),
    "extent": ("core.extent",),
    "flags": ("profile.flags",),
    "forced": ("measure.bands",),
    "growth": ("core.growth",),
    "labelled": ("data.labelled",),
    "mocks": ("data.mocks",),
    "packing": ("data.packing",),
    "painting": ("profile.painting",),
    "pipeline": ("data.pipeline",),
    "plots": ("profile.plots", "measure.attention_figure"),
    "plots.calibration": ("evaluation.coverage_figures",),
    "plots.errors": ("evaluation.error_figures",),
    "plots.shard_sheet": ("data.shard_sheet",),
    "plots.truth": ("profile.plots.panels",),
    "prediction": ("measure.many_files",),
    "predictor": ("measure.predictor",),
    "profile_files": ("profile.tables.files", "core.atomic_files"),
    "profile_object": ("profile.tables.profile_object",),
    "radii": ("core.radii",),
    "serving.contract": ("core.contract",),
    "serving.server_config": ("network.export.server_config",),
    "serving.warmup": ("network.export.warmup",),
    "shards": ("data.shards",),
    "training": ("network.training",),
    "training.means": ("network.training.metrics",),
    "training.schedule": ("network.training.optimizer",),
    "units": ("core.units",),
}
"""Old path below ``p2p_keras`` -> today's, each with all below it; of several, the first that has a name gives it."""

_SILENT = ("layers", "models")


def _today(old: str) -> tuple[str, ...] | None:
    """Today's modules for an old path below ``p2p_keras``, by the longest part of it that is known."""
    parts = old.split(".")
    for length in range(len(parts), 0, -1):
        if places := OLD_PATHS.get(".".join(parts[:length])):
            return tuple(".".join(("p2p_keras", place, *parts[length:])) for place in places)
    return None


class _OldPath(importlib.abc.Loader):
    """Puts the module of today in place of an old path."""

    def __init__(self, places: Sequence[str]) -> None:
        self.places = places

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        name = module.__name__
        modules = []
        for place in self.places:
            try:
                modules.append(importlib.import_module(place))
            except ModuleNotFoundError as error:
                if not f"{place}.".startswith(f"{error.name}."):
                    raise  # a package that isn't installed
        if not modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name.split(".")[1] not in _SILENT:
            # The frames between here and the import statement are importlib's, which `warnings` leaves out.
            warnings.warn(
                f"{name} is now {' and '.join(module.__name__ for module in modules)}", FutureWarning, stacklevel=2
            )
        if len(modules) == 1:
            sys.modules[name] = modules[0]
            return

        def find(attribute: str) -> Any:
            for part in modules:
                if hasattr(part, attribute):
                    return getattr(part, attribute)
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")

        module.__path__ = []  # modules below it are found as those of any old path
        module.__getattr__ = find  # type: ignore[method-assign]


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the old paths, before Python's own finder would load a module of today a second time under its old name."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith("p2p_keras.") or not (places := _today(fullname.removeprefix("p2p_keras."))):
            return None
        return importlib.machinery.ModuleSpec(fullname, _OldPath(places), is_package=True)


def install() -> None:
    """Let old paths be imported; the second call does nothing."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
