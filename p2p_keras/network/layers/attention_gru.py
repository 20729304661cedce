"""One step of a GRU that looks at the image: additive attention (Bahdanau, Cho & Bengio 2015, arXiv:1409.0473)."""

from __future__ import annotations

import keras
from keras import layers, ops

__all__ = ["AttentionGRUCell"]

_MASKED = -1e9  # score of a masked position: its weight underflows to exactly 0


@keras.saving.register_keras_serializable(package="p2p_keras")
class AttentionGRUCell(keras.layers.Layer):
    """A GRU cell with additive attention over a memory, one step.

    The equations and their order are those of an attention wrapper with "Bahdanau" attention in TensorFlow Addons (its
    `AttentionWrapper`, without an attention layer), so that weights can be carried across:

    | | |
    |---|---|
    | cell input | ``[x, attention]`` (concatenated, attention of the last step; zeros at first) |
    | state, output | ``s = GRU(cell input, s)`` |
    | score of position j | ``v . tanh(W_q s + W_m m_j)``, no bias |
    | alignment | softmax of the scores over the positions that aren't masked |
    | attention | ``sum_j alignment_j m_j`` |

    Masked positions enter the memory as zeros and have an alignment of exactly 0. Where all are masked, the attention
    is zero, and so are all alignments.

    Parameters
    ----------
    units : int
        Size of the GRU's state and output.
    attention_units : int
        Size of the space in which query and memory meet.
    reset_after : bool, default True
        As in `keras.layers.GRUCell`: the reset gate acts after the recurrent product (cuDNN's form, two biases).

    Inputs: inputs (batch, features); state (batch, units); attention (batch, memory_dim); memory (batch, positions,
    memory_dim) and keys (batch, positions, attention_units), both from `prepare`; mask (batch, positions) bool, True
    where a position may be looked at, or None.
    Outputs: attention (batch, memory_dim), state (batch, units), alignments (batch, positions) float32.

    Weights, in the order of `get_weights`: `query_kernel` (units, attention_units), `memory_kernel` (memory_dim,
    attention_units), `attention_v` (attention_units,); the GRU's kernel (features + memory_dim, 3 units), recurrent
    kernel (units, 3 units) and bias.
    """

    def __init__(self, units: int, attention_units: int, reset_after: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.units, self.attention_units, self.reset_after = units, attention_units, reset_after
        self.cell = layers.GRUCell(units, reset_after=reset_after, dtype=self.dtype_policy, name="cell")

    def build(self, inputs_shape, state_shape, attention_shape, *_):
        memory_dim = attention_shape[-1]
        self.cell.build((inputs_shape[0], inputs_shape[-1] + memory_dim))
        shapes = {
            "query_kernel": (self.units, self.attention_units),
            "memory_kernel": (memory_dim, self.attention_units),
            "attention_v": (self.attention_units,),
        }
        for name, shape in shapes.items():
            setattr(self, name, self.add_weight(name=name, shape=shape, initializer="glorot_uniform"))

    def prepare(self, memory, mask=None):
        """Memory with masked positions set to zero, and its keys, once for all steps.

        Parameters
        ----------
        memory : tensor (batch, positions, memory_dim)
        mask : bool tensor (batch, positions), optional

        Returns
        -------
        memory, keys : tensors (batch, positions, memory_dim) and (batch, positions, attention_units)
        """
        memory = ops.cast(memory, self.compute_dtype)
        if mask is not None:
            memory = memory * ops.cast(ops.expand_dims(mask, -1), memory.dtype)
        return memory, ops.matmul(memory, ops.cast(self.memory_kernel, memory.dtype))

    def call(self, inputs, state, attention, memory, keys, mask=None):
        state, _ = self.cell(ops.concatenate([inputs, attention], axis=-1), [state])
        query = ops.expand_dims(ops.matmul(state, ops.cast(self.query_kernel, state.dtype)), 1)
        scores = ops.sum(ops.cast(self.attention_v, state.dtype) * ops.tanh(keys + query), axis=2)
        scores = ops.cast(scores, "float32")  # the softmax of half precision can't tell the positions apart
        if mask is None:
            alignments = ops.softmax(scores, axis=-1)
        else:
            scores = ops.where(mask, scores, _MASKED)
            alignments = ops.softmax(scores, axis=-1) * ops.cast(mask, "float32")
        weights = ops.expand_dims(ops.cast(alignments, memory.dtype), 1)
        attention = ops.squeeze(ops.matmul(weights, memory), 1)
        return attention, state, alignments

    def compute_output_shape(self, inputs_shape, state_shape, attention_shape, memory_shape, keys_shape, *_):
        """Shapes of attention, state and alignments."""
        return tuple(attention_shape), tuple(state_shape), tuple(memory_shape[:2])

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "attention_units": self.attention_units,
            "reset_after": self.reset_after,
        }
