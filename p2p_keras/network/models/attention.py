"""Which pixels made which radius: the attention of a preset's decoder as an output, in one form for all.

Works on a model that was just built and on one loaded from a .keras file alike: the layers are found by their names.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers

from p2p_keras.core.errors import UsageError
from p2p_keras.network import layers as p2p
from p2p_keras.network.models.paper.pix2prof_attention import STRIDE

__all__ = ["attention_model"]


def attention_model(model: keras.Model) -> keras.Model:
    """A model with its attention besides its outputs, sharing its weights.

    Parameters
    ----------
    model : keras.Model
        With the contract's outputs, of a preset; from `finish_model` or a .keras file.

    Returns
    -------
    keras.Model
        Further outputs, float32: `attention` (batch, K, samples), which sums to one over the samples that aren't masked
        and is exactly 0 for those that are (all 0 where a radius sees no good pixel); `attention_x`, `attention_y`
        (batch, K or 1, samples), the samples' middles in pixels; `attention_width` (batch, K), the side in pixels of
        the square that each stands for.

    Raises
    ------
    UsageError
        For a preset whose decoder has no attention.
    """
    if model.name not in _OUTPUTS:
        known = ", ".join(sorted(_OUTPUTS))
        raise UsageError(f"the model {model.name!r} has no attention: its decoder doesn't look at pixels; {known} do")
    weight, x, y, width = _OUTPUTS[model.name](model)
    outputs = {**model.output, "attention": weight, "attention_x": x, "attention_y": y, "attention_width": width}
    return keras.Model(model.input, outputs, name=model.name)


def _isophote(model: keras.Model):
    """The third look: samples along the corrected ellipses."""
    x, y, width = model.get_layer("fine_points").output
    _, weight, *_ = model.get_layer("copied").input
    return weight, x, y, width


def _tokens(model: keras.Model):
    sma = model.get_layer("grid").output
    _, mask, _, x, y = model.get_layer("tokens").output
    one_row = layers.Reshape((1, -1), dtype="float32", name="attention_places")
    return sma, mask, one_row(x), one_row(y), p2p.Constant(float(STRIDE), name="attention_width")(sma)


def _pix2prof_attention(model: keras.Model):
    """The alignments of the step that wrote each radius."""
    sma, mask, x, y, width = _tokens(model)
    z, memory = (model.get_layer(name).output for name in ("z", "memory"))
    caption, *_ = model.get_layer("on_grid").input
    weight = p2p.AlignmentsAt(model.get_layer("decoder"), name="alignments")(z, memory, mask, caption, sma)
    return weight, x, y, width


def _pix2prof_transformer(model: keras.Model):
    """The mean over blocks and heads of the cross-attention."""
    _, _, x, y, width = _tokens(model)
    looks = [layer.output[1] for layer in model.layers if isinstance(layer, p2p.CrossAttention)]
    weight = layers.Average(dtype="float32", name="attention_mean")(looks) if len(looks) > 1 else looks[0]
    return weight, x, y, width


_OUTPUTS: dict[str, Callable] = {
    "isophote": _isophote,
    "pix2prof_attention": _pix2prof_attention,
    "pix2prof_transformer": _pix2prof_transformer,
}
