"""Surface-brightness profiles of galaxies from images, by neural networks in Keras."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["Predictor", "Profile", "__version__"]

if TYPE_CHECKING:
    from p2p_keras.predictor import Predictor
    from p2p_keras.profile_object import Profile

_LAZY = {"Predictor": "p2p_keras.predictor", "Profile": "p2p_keras.profile_object"}


def __getattr__(name: str) -> Any:
    """Import public classes on first use, so that ``import p2p_keras`` loads no TensorFlow."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
