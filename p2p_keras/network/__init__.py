"""The networks: layers, Keras functional models, their training and their export."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

__all__ = ["load_network"]


def load_network(path: str | os.PathLike[str]) -> keras.Model:
    """Load a trained network from its Keras file, whichever version of the package wrote it.

    The same as ``keras.models.load_model(path, compile=False)`` after the package's layers were registered, which
    ``import p2p_keras`` does by itself only in a process that has imported Keras before.

    Parameters
    ----------
    path : str or path
        A ``.keras`` file, such as ``saved_models/isophote/model.keras``.

    Returns
    -------
    keras.Model
        Inputs: a dict of image (batch, H, W), zero_point and pixel_scale (batch,).
    """
    import keras

    from p2p_keras.network import layers, models  # noqa: F401 - registers every layer that a file may name

    return keras.models.load_model(path, compile=False)
