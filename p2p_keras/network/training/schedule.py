"""Learning rate: a linear warm-up, then a cosine down to one hundredth."""

from __future__ import annotations

import math

import keras
from keras import ops

__all__ = ["WarmupCosine"]

_LAST_SHARE = 0.01


@keras.saving.register_keras_serializable(package="p2p_keras")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate of a step; beyond `total_steps` it stays at one hundredth of the peak.

    Parameters
    ----------
    peak : float
    warmup_steps, total_steps : int
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int):
        self.peak, self.warmup_steps, self.total_steps = peak, warmup_steps, total_steps

    def __call__(self, step):
        """Learning rate of a step, a tensor."""
        step = ops.cast(step, "float32")
        warmup = float(min(self.warmup_steps, max(1, self.total_steps // 5)))
        progress = ops.clip((step - warmup) / max(1.0, self.total_steps - warmup), 0.0, 1.0)
        cosine = _LAST_SHARE + (1.0 - _LAST_SHARE) * 0.5 * (1.0 + ops.cos(math.pi * progress))
        return self.peak * ops.minimum((step + 1.0) / max(1.0, warmup), cosine)

    def get_config(self):
        """The three arguments."""
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}
