"""Surface-brightness profiles of galaxies from images, by neural networks in Keras."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from p2p_keras.core import old_paths
from p2p_keras.core.version import __version__

__all__ = [
    "Predictor",
    "Profile",
    "__version__",
    "load_network",
    "measure_along",
    "read_image",
    "read_profiles",
    "write_profiles",
]

if TYPE_CHECKING:
    from p2p_keras.images import read_image
    from p2p_keras.measure.along import measure_along
    from p2p_keras.measure.predictor import Predictor
    from p2p_keras.network import load_network
    from p2p_keras.profile.tables.files import read_profiles, write_profiles
    from p2p_keras.profile.tables.profile_object import Profile

_LAZY = {
    "Predictor": "p2p_keras.measure.predictor",
    "Profile": "p2p_keras.profile.tables.profile_object",
    "load_network": "p2p_keras.network",
    "measure_along": "p2p_keras.measure.along",
    "read_image": "p2p_keras.images",
    "read_profiles": "p2p_keras.profile.tables.files",
    "write_profiles": "p2p_keras.profile.tables.files",
}

old_paths.install()

# `keras.models.load_model` imports no package but Keras' own: it finds our layers only once they are registered.
if "keras" in sys.modules:
    import_module("p2p_keras.network.layers")


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that ``import p2p_keras`` loads no TensorFlow."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
