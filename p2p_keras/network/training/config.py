"""All settings of a training run: one dataclass, for the command line, configuration files and the run folder alike.

Imports neither TensorFlow nor Keras: ``--help`` is made from it.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.core.settings_file import read_config
from p2p_keras.network.training.recipes import RECIPES

__all__ = ["PRECISIONS", "CHOICES", "FitConfig", "read_config", "parse_assignment"]

_RANGES = {
    "epochs": (0, math.inf),
    "batch_size": (1, math.inf),
    "accumulate": (1, math.inf),
    "steps_per_epoch": (0, math.inf),
    "learning_rate": (0, 1),
    "warmup_steps": (0, math.inf),
    "weight_decay": (0, math.inf),
    "clip_norm": (0, math.inf),
    "ema": (0, 1),
    "patience": (0, math.inf),
    "devices": (1, math.inf),
    "wobble": (0, 0.2),
    "checkpoint_minutes": (0, math.inf),
}
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
CHOICES = {"precision": PRECISIONS, "optimizer": ("adamw", "adam"), "schedule": ("cosine", "constant")}
"""Settings that are one of a few words."""


def _setting(default: Any, help_text: str) -> Any:
    return field(metadata={"help": help_text}, default=default)


@dataclass
class FitConfig:
    """Settings of a training run; `help` of each field is its description on the command line."""

    data: str = _setting("tfrecords", "Folder of TFRecord shards.")
    preset: str = _setting("isophote", "Network to train.")
    run: str = _setting("runs/first", "Folder that the run writes: checkpoints, metrics, logs, exported model.")
    epochs: int = _setting(30, "Epochs to train for; 0, with --init: only calibrate its weights on this data.")
    steps_per_epoch: int = _setting(0, "Steps per epoch; 0: all training galaxies once.")
    batch_size: int = _setting(16, "Galaxies per step.")
    accumulate: int = _setting(1, "Batches whose gradients are averaged before the weights are changed.")
    precision: str = _setting("float32", f"Precision policy: {', '.join(PRECISIONS)}.")
    optimizer: str = _setting("adamw", "Optimizer: adamw or adam.")
    schedule: str = _setting("cosine", "Learning rate after the warm-up: a cosine down to 1 %, or constant.")
    learning_rate: float = _setting(1.5e-3, "Peak learning rate.")
    warmup_steps: int = _setting(200, "Steps over which the learning rate rises from 0.")
    weight_decay: float = _setting(1e-3, "Decoupled weight decay.")
    clip_norm: float = _setting(1.0, "Largest global norm of the gradients.")
    ema: float = _setting(0.998, "Momentum of the moving average of the weights that is validated and exported.")
    image_sizes: list[int] = field(
        default_factory=list,
        metadata={"help": "Sides of training images in px, one drawn for each batch; empty: as stored."},
    )
    augment: bool = _setting(True, "Shift, mirror and rotate training images at random.")
    wobble: float = _setting(
        10.0 / 256.0, "Random shift of the centre in x and in y: its 1 sigma, as a fraction of the image's side."
    )
    flip: bool = _setting(True, "Mirror half of the training images too.")
    patience: int = _setting(0, "Stop after this many epochs without a better validation error; 0: never.")
    devices: int = _setting(1, "Devices that share each batch (JAX: KERAS_BACKEND=jax).")
    seed: int = _setting(0, "Random seed of weights, order and augmentation.")
    init: str = _setting("", "Fine-tune: start from this model (isophote: the shipped one) or run folder.")
    part: str = _setting("", "Train only this part of the network (isophote: centre); empty: all of it.")
    checkpoint_minutes: float = _setting(3.0, "Minutes between checkpoints within an epoch.")
    export: bool = _setting(True, "Export SavedModel and ONNX at the end.")
    name: str = _setting("", "Name of the exported model; empty: the preset's.")
    model: dict = field(
        default_factory=dict, metadata={"help": "Settings of the preset's network, such as model.dim=96."}
    )

    @classmethod
    def from_mapping(cls, values: dict[str, Any], source: str) -> FitConfig:
        """Make a configuration from names and values, else of the preset's own defaults; `source` is named in errors.

        Raises
        ------
        UsageError
            For an unknown setting or a value of a wrong kind.
        """
        config = cls()
        recipe = RECIPES.get(str(values.get("preset", config.preset)))
        if recipe is not None:  # an unknown preset is named where networks are built
            config.update(recipe.settings, "preset")
        if "model" in values:  # a run's own network, which may be older than the preset's defaults
            config.model = {}
        config.update(values, source)
        return config

    def update(self, values: dict[str, Any], source: str) -> None:
        """Set several settings; see `from_mapping`."""
        kinds = {f.name: str(f.type) for f in dataclasses.fields(self)}
        for name, value in values.items():
            if name.startswith("model.") and len(name) > 6:
                self.model = {**self.model, name[6:]: value}
                continue
            if name == "model":
                self.model = {**self.model, **_converted(name, value, "dict", source)}
                continue
            if name not in kinds:
                raise UsageError(
                    f"{source}: unknown setting {name!r}; there are {', '.join(sorted(kinds))}, model.NAME"
                )
            setattr(self, name, _converted(name, value, kinds[name], source))
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise UsageError(f"{source}: {name} {getattr(self, name)!r} is none of {', '.join(words)}")
        recipe = RECIPES.get(self.preset)
        if self.part and recipe is not None and self.part not in recipe.parts:
            parts = ", ".join(recipe.parts) or "no parts that can be trained alone"
            raise UsageError(f"{source}: part {self.part!r}: {self.preset} has {parts}")
        for name, (low, high) in _RANGES.items():
            if not low <= getattr(self, name) <= high:  # so NaN fails too
                raise UsageError(f"{source}: {name} must be from {low:g} to {high:g}, not {getattr(self, name)}")

    def to_json(self) -> str:
        """The configuration as the run folder keeps it."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"


def _converted(name: str, value: Any, kind: str, source: str) -> Any:
    try:
        if kind == "bool":
            if isinstance(value, str):
                return {"true": True, "false": False, "1": True, "0": False}[value.lower()]
            return bool(value)
        if kind == "int":
            if float(value) != int(float(value)):
                raise ValueError
            return int(float(value))
        if kind == "float":
            return float(value)
        if kind == "list[int]":
            parts = value.replace(",", " ").split() if isinstance(value, str) else value
            return [int(v) for v in (parts if isinstance(parts, list | tuple) else [parts])]
        if kind == "dict":
            return dict(value)
        return str(value)
    except (KeyError, OverflowError, TypeError, ValueError):
        raise UsageError(f"{source}: {name} must be of type {kind}, not {value!r}") from None


def parse_assignment(text: str) -> tuple[str, Any]:
    """Name and value of ``NAME=VALUE``; the value is read as JSON where it is JSON, else as text."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise UsageError(f"--set {text}: expected NAME=VALUE")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), value
