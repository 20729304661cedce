"""What a caption's decoder is fed while it learns: now the truth, now its own last output."""

from __future__ import annotations

from typing import Any

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
    seeds : keras.random.SeedGenerator
        Of the draws; it belongs to the trainer's state.
    """

    def __init__(self, network: keras.Model, method: str, decay_steps: int):
        decoder = network.get_layer("decoder")
        teacher = keras.Input((None,), name="teacher", dtype="float32")
        caption, _ = decoder(*decoder.input, teacher=teacher)
        outputs = {"caption": caption, "e": network.output["e"], "centre": network.output["centre"]}
        self.model = keras.Model({**network.input, "teacher": teacher}, outputs)
        self.share = {"sequence": self._sequence, "scheduled": self._scheduled}[method]
        self.decay_steps = max(1, decay_steps)
        self.seeds = keras.random.SeedGenerator()

    def truth(self, inputs: dict, targets: dict) -> Any:
        """True captions of a batch of `p2p_keras.data.pipeline.make_dataset`: (batch, steps), NaN where not known."""
        caption, known = caption_targets(targets, inputs["image"])
        return ops.where(known, caption, float("nan"))

    def tokens(self, truth: Any, step: Any) -> Any:
        """Teacher of a batch, drawn at random: (batch, steps), NaN where its own output is to be fed.

        Parameters
        ----------
        truth : tensor (batch, steps)
            From `truth`.
        step : float tensor
            Steps trained so far.
        """
        return ops.where(self.share(ops.shape(truth), step), truth, float("nan"))

    def _sequence(self, shape: Any, step: Any) -> Any:
        return keras.random.uniform((shape[0], 1), seed=self.seeds) < SEQUENCE_SHARE

    def _scheduled(self, shape: Any, step: Any) -> Any:
        return keras.random.uniform(shape, seed=self.seeds) < 1.0 - step / self.decay_steps


def teaching_of(network: keras.Model, method: str, total_steps: int) -> Teaching | None:
    """Teaching of a network by a recipe's method; None where it needs none."""
    return Teaching(network, method, total_steps // 2) if method else None
