"""What a caption's decoder is fed while it learns: now the truth, now its own last output."""

from __future__ import annotations

import keras
from keras import ops

from p2p_keras.network.training.captions import caption_targets

__all__ = ["SEQUENCE_SHARE", "Teaching", "teaching_of"]

SEQUENCE_SHARE = 0.4
"""Share of the captions that are fed the truth at every step (Smith et al. 2021); the others are fed themselves."""


class Teaching:
    """A network with a teacher: the same layers, and so the same weights, with one more input.

    Parameters
    ----------
    network : keras.Model
        Of a preset whose layer ``decoder`` takes a teacher.
    method : str
        ``"sequence"``: whole captions are fed the truth, with the paper's probability (teacher forcing).
        ``"scheduled"``: at each step the truth with a probability that falls from 1 to 0 over `decay_steps` (scheduled
        sampling, Bengio et al. 2015, arXiv:1506.03099).
    decay_steps : int

    Attributes
    ----------
    model : keras.Model
        Inputs of the network and `teacher` (batch, steps): normalised captions, NaN where a step is to be fed its own
        output. Outputs: a dict of `caption`, `e` and `centre`.
    """

    def __init__(self, network: keras.Model, method: str, decay_steps: int):
        decoder = network.get_layer("decoder")
        teacher = keras.Input((None,), name="teacher", dtype="float32")
        caption, _ = decoder(*decoder.input, teacher=teacher)
        outputs = {"caption": caption, "e": network.output["e"], "centre": network.output["centre"]}
        self.model = keras.Model({**network.input, "teacher": teacher}, outputs)
        self.share = {"sequence": self._sequence, "scheduled": self._scheduled}[method]
        self.decay_steps = max(1, decay_steps)

    def tokens(self, inputs: dict, targets: dict, step: tf.Tensor) -> tf.Tensor:
        """Teacher of a batch, drawn at random: (batch, steps), NaN where its own output is to be fed.

        Parameters
        ----------
        inputs, targets : dict
            A batch of `p2p_keras.data.pipeline.make_dataset`.
        step : float tensor
            Steps trained so far.
        """
        caption, known = caption_targets(targets, ops.max(ops.shape(inputs["image"])[1:]))
        taught = known & self.share(ops.shape(caption), step)
        return ops.where(taught, caption, tf.fill(ops.shape(caption), float("nan")))

    def _sequence(self, shape: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        return tf.random.uniform(ops.stack([shape[0], 1])) < SEQUENCE_SHARE

    def _scheduled(self, shape: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        return tf.random.uniform(shape) < 1.0 - step / self.decay_steps


def teaching_of(network: keras.Model, method: str, total_steps: int) -> Teaching | None:
    """Teaching of a network by a recipe's method; None where it needs none."""
    return Teaching(network, method, total_steps // 2) if method else None
