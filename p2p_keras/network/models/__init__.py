"""Keras functional models, one file a preset.

Every preset is a module with ``build_network(**settings, dtype=...) -> keras.Model``, whose inputs are a dict of image,
zero_point and pixel_scale and whose outputs hold the profile in physical units
(`p2p_keras.network.layers.PhysicalProfile`), the share of every ring that the image covers, and what training
supervises.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import keras

from p2p_keras.core.contract import ERROR_OUTPUTS
from p2p_keras.core.errors import UsageError

__all__ = ["PRESETS", "build_network", "finish_model", "build_model"]

PRESETS = {
    "isophote": "p2p_keras.network.models.isophote",
    "pix2prof": "p2p_keras.network.models.paper.pix2prof",
    "pix2prof_attention": "p2p_keras.network.models.paper.pix2prof_attention",
    "pix2prof_transformer": "p2p_keras.network.models.paper.pix2prof_transformer",
}
"""Module of every preset."""


def build_network(preset: str, *, dtype: str = "float32", **settings: Any) -> keras.Model:
    """Network of a preset with all stages as outputs, for training.

    Parameters
    ----------
    preset : str
        A key of `PRESETS`.
    dtype : str
        Keras precision policy of its convolutions and matrix products.
    **settings
        Arguments of the preset's own ``build_network``.

    Raises
    ------
    UsageError
        For an unknown preset or setting.
    """
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}: choose one of {', '.join(sorted(PRESETS))}")
    build = import_module(PRESETS[preset]).build_network
    unknown = set(settings) - set(build.__kwdefaults__)
    if unknown:
        raise UsageError(
            f"preset {preset!r} has no setting {', '.join(sorted(unknown))}: "
            f"it has {', '.join(sorted(set(build.__kwdefaults__) - {'dtype'}))}"
        )
    try:
        return build(**settings, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise UsageError(f"preset {preset!r} can't be built with {settings}: {error}") from error


def finish_model(network: keras.Model, *, attention: bool = False) -> keras.Model:
    """The model that is exported: the network (sharing its weights) with the contract's outputs alone.

    Parameters
    ----------
    network : keras.Model
        From `build_network`.
    attention : bool
        Also return which pixels made each radius, see `p2p_keras.network.models.attention`.

    Raises
    ------
    UsageError
        For attention of a preset that has none.
    """
    from p2p_keras.network.layers import ValidProfile

    raw = network.output
    names = (*_RING_OUTPUTS, *_GALAXY_OUTPUTS, *(name for name in ERROR_OUTPUTS if name in raw))
    outputs = ValidProfile(name="valid")({name: raw[name] for name in names}, raw["covered"])
    model = keras.Model(network.input, outputs, name=network.name)
    if not attention:
        return model
    from p2p_keras.network.models.attention import attention_model

    return attention_model(model)


_RING_OUTPUTS = ("snr", "sma", "mu", "mu_err", "ellipticity", "pa", "growth")
_GALAXY_OUTPUTS = ("x0", "y0", "mag_total", "sky")


def build_model(preset: str, *, return_attention: bool = False, **settings: Any) -> keras.Model:
    """Untrained model of a preset with the outputs of the serving contract, in float32.

    Parameters
    ----------
    preset : str
        A key of `PRESETS`.
    return_attention : bool
        Also return which pixels made each radius, see `p2p_keras.network.models.attention`.
    **settings
        Arguments of the preset's own ``build_network``.

    Raises
    ------
    UsageError
        For an unknown preset or setting, or for attention of a preset that has none.
    """
    return finish_model(build_network(preset, **settings), attention=return_attention)
