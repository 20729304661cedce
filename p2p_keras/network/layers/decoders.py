"""Decoders that write a profile as a caption: mu at one radius after another, each told what it said before.

Generation is one compiled loop with a buffer of fixed length: the same code in training, SavedModel and ONNX. Under
every precision policy the recurrence is in float32: rounding adds up over hundreds of steps.
"""

from __future__ import annotations

import keras
from keras import layers, ops

from p2p_keras.core import radii
from p2p_keras.core import units as physical
from p2p_keras.network.layers.attention_gru import AttentionGRUCell
from p2p_keras.network.layers.geometry import longer_side

__all__ = ["START_TOKEN", "has_reached_sky", "CaptionDecoder", "GRUDecoder", "AttentionDecoder", "AlignmentsAt"]

_SKY = physical.caption_from_mu(physical.SKY_MU)
START_TOKEN = 0.0


def has_reached_sky(recent, tolerance):
    """Whether the last outputs of each caption (batch, window) have a standard deviation of `tolerance` or less."""
    mean = ops.mean(recent, axis=1, keepdims=True)
    return ops.sqrt(ops.mean(ops.square(recent - mean), axis=1)) <= tolerance


class CaptionDecoder(keras.layers.Layer):
    """Base: the loop, what is fed back, and when to halt.

    Each step is fed the output of the step before it (at first `START_TOKEN`), or, where a teacher is given and has a
    finite number, that number. A caption halts once `window` outputs in a row have a standard deviation of at most
    `tolerance` (in the caption's normalised units, in which the network speaks); those outputs and all that follow are
    the sky. Without a teacher the loop ends when all captions of the batch have halted, or where the outermost radius
    of the contract's grid would be known to be sky, or after `max_steps`. With a teacher every step is taken.

    Parameters
    ----------
    units : int
        Size of the state.
    window : int, default 100
    tolerance : float, default 0.01
    max_steps : int, default 1024
        Length of the buffer.
    dropout : float, default 0
        Share of the state that is dropped while training.

    Outputs: caption (batch, max_steps), or (batch, teacher's steps), normalised as `units.caption_from_mu`, the sky's 1
    where it wasn't written; length (batch,), steps before the sky.
    """

    def __init__(
        self,
        units: int,
        window: int = 100,
        tolerance: float = 0.01,
        max_steps: int = radii.CAPTION_MAX_STEPS,
        dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        if not 0 < window <= max_steps:
            raise ValueError(f"window must be from 1 to max_steps={max_steps}, but window={window} came")
        self.units, self.window, self.tolerance, self.max_steps = units, window, tolerance, max_steps
        self.dropout = dropout
        self.seeds = keras.random.SeedGenerator()
        self.head = layers.Dense(1, dtype="float32", name="head")

    def _steps(self, image):
        """Most steps that anything reads: the grid's last radius and the window that may call it sky."""
        needed = ops.cast(radii.caption_length(longer_side(image), xp=ops), "int32") + self.window
        return ops.minimum(needed, self.max_steps)

    def _write(self, state, advance, image, teacher):
        """Run the loop.

        Parameters
        ----------
        state : tuple of tensors (batch, ...)
        advance : function of (token (batch, 1), state, step) to (output (batch, 1), state)
        image : tensor (batch, height, width)
        teacher : tensor (batch, steps) or None

        Returns
        -------
        caption, length
        """
        return self._alone(state, advance, image) if teacher is None else self._taught(state, advance, teacher)

    def _taught(self, state, advance, teacher):
        """A caption as long as its teacher: a fixed number of steps, which gradients pass through on any backend."""
        batch, steps = ops.shape(teacher)
        place = ops.reshape(ops.arange(steps, dtype="int32"), (1, -1))
        by_step = ops.transpose(teacher)

        def step(i, carried):
            token, caption, *state = carried
            output, state = advance(token, tuple(state), i)
            given = ops.reshape(ops.take(by_step, i, axis=0), (batch, 1))
            return ops.where(ops.isfinite(given), given, output), ops.where(place == i, output, caption), *state

        first = ops.full((batch, 1), START_TOKEN, "float32"), ops.full((batch, steps), _SKY, "float32"), *state
        _, caption, *_ = ops.fori_loop(0, steps, step, first)
        return caption, ops.zeros((batch,)) + ops.cast(steps, "float32")

    def _alone(self, state, advance, image):
        """A caption that is fed itself, until all of its batch have halted. JAX has no gradient of it."""
        batch, last = ops.shape(state[0])[0], self._steps(image)
        place = ops.reshape(ops.arange(self.max_steps, dtype="int32"), (1, -1))

        def unfinished(i, token, caption, length, *state):
            return (i < last) & ops.any(length >= last)

        def step(i, token, caption, length, *state):
            output, state = advance(token, state, i)
            # A caption that has halted stays at the sky, whatever its batch still does.
            output = ops.where(ops.reshape(length < last, (batch, 1)), _SKY, output)
            caption = ops.where(place == i, output, caption)
            begin = ops.maximum(i + 1 - self.window, 0)
            recent = ops.slice(caption, (0, begin), (batch, self.window))
            halted = has_reached_sky(recent, self.tolerance) & (i + 1 >= self.window) & (length >= last)
            return (i + 1, output, caption, ops.where(halted, begin, length), *state)

        first = (
            ops.convert_to_tensor(0, "int32"),
            ops.full((batch, 1), START_TOKEN, "float32"),
            ops.full((batch, self.max_steps), _SKY, "float32"),
            ops.zeros((batch,), "int32") + last,
            *state,
        )
        _, _, caption, length, *_ = ops.while_loop(unfinished, step, first)
        return caption, ops.cast(length, "float32")

    def _dropped(self, teacher, batch, training, masks):
        """Masks of dropout for all steps at once (masks, steps, batch, units); None without dropout."""
        if not (training and self.dropout):
            return None
        steps = self.max_steps if teacher is None else ops.shape(teacher)[1]
        ones = ops.ones((masks, steps, batch, self.units))
        return keras.random.dropout(ones, self.dropout, seed=self.seeds)

    def _spec(self, batch, teacher):
        steps = self.max_steps if teacher is None else teacher.shape[1]
        return keras.KerasTensor((batch, steps), "float32"), keras.KerasTensor((batch,), "float32")

    def get_config(self):
        names = ("units", "window", "tolerance", "max_steps", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="p2p_keras")
class GRUDecoder(CaptionDecoder):
    """The paper's decoder: a stack of GRU layers, each starting from the image's vector z; a ReLU and one dense unit.

    Dropout is between the layers, as in a stacked GRU. After z the decoder doesn't see the image again.

    Parameters
    ----------
    units, window, tolerance, max_steps, dropout
        As `CaptionDecoder`.
    num_layers : int, default 3

    Inputs: z (batch, units); image (batch, height, width), for its shape; teacher (batch, steps), optional: normalised
    true captions, NaN where a step is to be fed its own output. Outputs: as `CaptionDecoder`.
    """

    def __init__(self, units: int, num_layers: int = 3, **kwargs):
        super().__init__(units, **kwargs)
        self.num_layers = num_layers
        self.cells = [layers.GRUCell(units, dtype="float32", name=f"gru{i}") for i in range(num_layers)]

    def build(self, *_):
        for i, cell in enumerate(self.cells):
            cell.build((None, self.units if i else 1))
        self.head.build((None, self.units))

    def step(self, token, state, masks=None):
        """One step.

        Parameters
        ----------
        token : tensor (batch, 1)
        state : sequence of num_layers tensors (batch, units)
        masks : sequence of num_layers - 1 tensors (batch, units), optional
            Dropout's factors between the layers.

        Returns
        -------
        output (batch, 1), state
        """
        x, new = token, []
        for i, cell in enumerate(self.cells):
            x, _ = cell(x, [state[i]])
            new.append(x)
            if masks is not None and i + 1 < self.num_layers:
                x = x * masks[i]
        return self.head(ops.relu(x)), tuple(new)

    def call(self, z, image, teacher=None, training=False):
        dropped = self._dropped(teacher, ops.shape(z)[0], training, self.num_layers - 1)

        def advance(token, state, i):
            masks = None if dropped is None else [ops.take(dropped[n], i, axis=0) for n in range(self.num_layers - 1)]
            return self.step(token, state, masks)

        return self._write((z,) * self.num_layers, advance, image, teacher)

    def compute_output_spec(self, z, image, teacher=None, training=False):
        """Specs of caption and length."""
        return self._spec(z.shape[0], teacher)

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}


@keras.saving.register_keras_serializable(package="p2p_keras")
class AttentionDecoder(CaptionDecoder):
    """A GRU that looks at the image anew at every step, by additive attention; a ReLU and one dense unit.

    Parameters
    ----------
    units, window, tolerance, max_steps, dropout
        As `CaptionDecoder`; dropout is before the ReLU.
    attention_units : int
        As `AttentionGRUCell`.

    Inputs: z (batch, units), the GRU's first state; memory (batch, positions, dim); mask (batch, positions), above 0
    where a position may be looked at; image (batch, height, width), for its shape; teacher as `GRUDecoder`. Outputs: as
    `CaptionDecoder`; `AlignmentsAt` gives the attention besides.
    """

    def __init__(self, units: int, attention_units: int, **kwargs):
        super().__init__(units, **kwargs)
        self.attention_units = attention_units
        self.cell = AttentionGRUCell(units, attention_units, dtype="float32", name="cell")

    def build(self, z_shape, memory_shape, *_):
        self.cell.build((None, 1), (None, self.units), (None, memory_shape[-1]))
        self.head.build((None, self.units + memory_shape[-1]))

    def step(self, token, state, memory, keys, mask, dropped=None):
        """One step.

        Parameters
        ----------
        token : tensor (batch, 1)
        state : tuple of attention (batch, dim) and the GRU's state (batch, units)
        memory, keys, mask
            As `AttentionGRUCell`.
        dropped : tensor (batch, units), optional
            Dropout's factors on the GRU's output.

        Returns
        -------
        output (batch, 1), state, alignments (batch, positions)
        """
        attention, hidden, alignments = self.cell(token, state[1], state[0], memory, keys, mask)
        shown = hidden if dropped is None else hidden * dropped
        return self.head(ops.relu(ops.concatenate([shown, attention], axis=1))), (attention, hidden), alignments

    def call(self, z, memory, mask, image, teacher=None, training=False):
        batch = ops.shape(z)[0]
        mask = mask > 0.0
        memory, keys = self.cell.prepare(memory, mask)
        dropped = self._dropped(teacher, batch, training, 1)
        nothing = ops.zeros((batch, memory.shape[2]))

        def advance(token, state, i):
            factors = None if dropped is None else ops.take(dropped[0], i, axis=0)
            output, state, _ = self.step(token, state, memory, keys, mask, factors)
            return output, state

        return self._write((nothing, z), advance, image, teacher)

    def compute_output_spec(self, z, memory, mask, image, teacher=None, training=False):
        """Specs of caption and length."""
        return self._spec(z.shape[0], teacher)

    def get_config(self):
        return {**super().get_config(), "attention_units": self.attention_units}


@keras.saving.register_keras_serializable(package="p2p_keras")
class AlignmentsAt(keras.layers.Layer):
    """The attention that an `AttentionDecoder` had at some radii, by reading its finished caption out to it again.

    Inputs: z, memory and mask of the decoder; caption (batch, steps) that it wrote; sma (batch, K), radii in pixels.
    Output: (batch, K, positions), the alignments of the step next to each radius: they sum to one over the positions
    that aren't masked, and are exactly 0 elsewhere.

    Parameters
    ----------
    decoder : AttentionDecoder
        Its weights are shared, not copied.
    """

    def __init__(self, decoder: AttentionDecoder, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.decoder = decoder

    def build(self, z_shape, memory_shape, *_):
        if not self.decoder.built:
            self.decoder.build(z_shape, memory_shape)

    def call(self, z, memory, mask, caption, sma):
        mask = mask > 0.0
        memory, keys = self.decoder.cell.prepare(memory, mask)
        steps = ops.cast(ops.shape(caption)[1], "float32")
        at = ops.cast(ops.clip(ops.round(sma - radii.SMA_MIN_PX), 0.0, steps - 1.0), "int32")
        batch = ops.shape(z)[0]
        by_step = ops.transpose(caption)

        def body(i, token, chosen, attention, hidden):
            _, (attention, hidden), alignments = self.decoder.step(token, (attention, hidden), memory, keys, mask)
            chosen = ops.where(ops.expand_dims(at == i, -1), ops.expand_dims(alignments, 1), chosen)
            return i + 1, ops.reshape(ops.take(by_step, i, axis=0), (batch, 1)), chosen, attention, hidden

        first = (
            ops.convert_to_tensor(0, "int32"),
            ops.full((batch, 1), START_TOKEN, "float32"),
            ops.zeros((batch, ops.shape(at)[1], ops.shape(memory)[1])),
            ops.zeros((batch, memory.shape[2])),
            z,
        )
        return ops.while_loop(lambda i, *_: i <= ops.max(at), body, first)[2]

    def compute_output_spec(self, z, memory, mask, caption, sma):
        """Spec of the attention."""
        return keras.KerasTensor((*sma.shape, memory.shape[1]), "float32")

    def get_config(self):
        return {**super().get_config(), "decoder": keras.saving.serialize_keras_object(self.decoder)}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "decoder": keras.saving.deserialize_keras_object(config["decoder"])})
