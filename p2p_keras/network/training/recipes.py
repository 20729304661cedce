"""How each preset is trained: its loss, what it is fed while it learns to write, its own defaults of the settings.

Imports neither TensorFlow nor Keras: the command line is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Recipe", "RECIPES"]


@dataclass(frozen=True)
class Recipe:
    """What differs between presets in a training run.

    Attributes
    ----------
    loss : str
        Module of `p2p_keras.network.training` with ``WEIGHTS`` (names of the terms and their factors) and
        ``loss_terms``.
    monitor : str
        Term of the loss whose least validation value makes the best epoch.
    teaching : str
        ``""``: the network needs no teacher; ``"sequence"`` or ``"scheduled"``: see
        `p2p_keras.network.training.teaching`.
    settings : dict
        Defaults of `FitConfig` for this preset.
    own_statistics : float
        Share of the epochs after which batch normalisation no longer takes a batch's statistics but keeps those that it
        has, so that the rest of the training is of the network that is exported.
    parts : dict
        Parts of the network that can be trained alone: name to loss and monitor; such a loss has ``OUTPUTS`` besides,
        what it reads of the network.
    """

    loss: str
    monitor: str
    teaching: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    own_statistics: float = 1.0
    parts: dict[str, tuple[str, str]] = field(default_factory=dict)


_PAPER = {
    # Smith et al. 2021, sec. 3: Adam at a constant 2e-4, turns by 90 degrees, the epoch of the least validation loss.
    "optimizer": "adam",
    "schedule": "constant",
    "learning_rate": 2e-4,
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "ema": 0.0,
    "flip": False,
    # Not the paper's, whose images are of one survey that subtracts the sky.
    "model": {"sky_free": True},
}

RECIPES = {
    # The likelihood rewards both a small error and an honest uncertainty.
    "isophote": Recipe(
        loss="losses",
        monitor="profile",
        settings={"model": {"sky_free": True, "errors": True}},
        # No gradient of a profile reaches the search for the centre, and alone a step takes a third of the time.
        parts={"centre": ("centre_losses", "centre")},
    ),
    "pix2prof": Recipe(
        loss="caption_losses", monitor="caption", teaching="sequence", settings=_PAPER, own_statistics=0.5
    ),
    "pix2prof_attention": Recipe(
        loss="caption_losses",
        monitor="caption",
        teaching="scheduled",
        settings={"learning_rate": 1e-3, "model": {"sky_free": True}},
        own_statistics=0.5,
    ),
    "pix2prof_transformer": Recipe(
        loss="parallel_losses",
        monitor="profile",
        settings={"learning_rate": 1e-3, "model": {"sky_free": True}},
        own_statistics=0.5,
    ),
}
"""Recipe of every preset of `p2p_keras.network.models.PRESETS`."""
