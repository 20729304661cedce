"""Optimizer and learning rate of a run: a linear warm-up, then a cosine down to one hundredth."""

from __future__ import annotations

import math
import warnings

import keras
from keras import ops

from p2p_keras.network.training.config import FitConfig

__all__ = ["make_optimizer", "WarmupCosine"]


_LAST_SHARE = 0.01


@keras.saving.register_keras_serializable(package="p2p_keras")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate of a step; beyond `total_steps` it stays at one hundredth of the peak."""

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


_FIRST_LOSS_SCALE = 2.0**8
"""Keras begins at 2^15, where the first losses overflow: it then skips steps until the scale has been halved enough."""


class _OfSome(keras.optimizers.Optimizer):
    """On JAX, an optimizer that goes on when some of its variables were frozen, as on the other backends."""

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        trained = [variable.trainable for variable in self._trainable_variables]
        if len(trainable_variables) == len(trained):
            return super().stateless_apply(optimizer_variables, grads, trainable_variables)
        given = zip(grads, trainable_variables, strict=True)
        # Keras leaves out what has no gradient.
        pairs = [
            next(given) if is_trained else (None, ops.zeros(variable.shape))
            for variable, is_trained in zip(self._trainable_variables, trained, strict=True)
        ]
        grads, values = map(list, zip(*pairs, strict=True))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Gradients do not exist")
            values, optimizer_variables = super().stateless_apply(optimizer_variables, grads, values)
        return [value for value, is_trained in zip(values, trained, strict=True) if is_trained], optimizer_variables


class _Adam(_OfSome, keras.optimizers.Adam):
    pass


class _AdamW(_OfSome, keras.optimizers.AdamW):
    pass


def make_optimizer(config: FitConfig, total_steps: int) -> keras.optimizers.Optimizer:
    """Optimizer of a configuration.

    Parameters
    ----------
    config : FitConfig
    total_steps : int
        Steps of the whole run.
    """
    learning_rate = config.learning_rate
    if config.schedule == "cosine":
        # Keras counts every step for the schedule, also those that only accumulate gradients.
        learning_rate = WarmupCosine(config.learning_rate, config.warmup_steps * config.accumulate, total_steps)
    common = {
        "global_clipnorm": config.clip_norm or None,
        "gradient_accumulation_steps": config.accumulate if config.accumulate > 1 else None,
    }
    if config.optimizer == "adam":
        optimizer = _Adam(learning_rate, name="adam", **common)
    else:
        optimizer = _AdamW(learning_rate, name="adamw", weight_decay=config.weight_decay, **common)
        # Biases and norms are not drawn to 0.
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "position"])
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=_FIRST_LOSS_SCALE)
    return optimizer
