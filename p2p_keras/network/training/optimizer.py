"""Optimizer and learning rate of a run."""

from __future__ import annotations

import keras

from p2p_keras.network.training.config import FitConfig
from p2p_keras.network.training.schedule import WarmupCosine

__all__ = ["make_optimizer"]

_FIRST_LOSS_SCALE = 2.0**8
"""Keras begins at 2^15, where the first losses overflow: it then skips steps until the scale has been halved enough."""


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
        optimizer = keras.optimizers.Adam(learning_rate, **common)
    else:
        optimizer = keras.optimizers.AdamW(learning_rate, weight_decay=config.weight_decay, **common)
        # Biases and norms are not drawn to 0.
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "position"])
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=_FIRST_LOSS_SCALE)
    return optimizer
