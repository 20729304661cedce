"""Train a network on shards of galaxies: ``python -m p2p_keras.fit``."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import click

from p2p_keras.core.program import Program
from p2p_keras.network.training.config import CHOICES, FitConfig, parse_assignment, read_config

_KINDS: dict[str, Any] = {"int": int, "float": float, "str": str, "list[int]": str}
_METAVARS = {"int": "INTEGER", "float": "FLOAT", "str": "TEXT", "list[int]": "PX,PX,..."}


def _options(command):
    """One option for every setting of a run, so that none is missing here."""
    for setting in reversed(dataclasses.fields(FitConfig)):
        if setting.name == "model":
            continue
        default = setting.default if setting.default is not dataclasses.MISSING else ""
        flag = "--" + setting.name.replace("_", "-")
        text = setting.metadata["help"].rstrip(".") + (f" [default: {default}]." if default != "" else ".")
        if setting.type == "bool":
            option = click.option(f"{flag}/--no-{flag[2:]}", default=None, help=text)
        elif setting.name in CHOICES:
            option = click.option(flag, type=click.Choice(CHOICES[setting.name]), default=None, help=text)
        else:
            option = click.option(
                flag, type=_KINDS[setting.type], default=None, help=text, metavar=_METAVARS[setting.type]
            )
        command = option(command)
    return command


@click.command(cls=Program)
@click.option("--config", type=str, help="TOML or JSON file of settings; options on the command line win over it.")
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="Any setting, such as model.dim=96.")
@click.option("--resume", is_flag=True, help="Go on with the run in --run where its last checkpoint is.")
@click.option("--quiet", is_flag=True, help="A line an epoch instead of a progress bar.")
@_options
def main(config: str | None, assignments: tuple[str, ...], resume: bool, quiet: bool, **options: Any) -> None:
    """Train a network on shards of galaxies with known profiles, and export it.

    The run folder then holds config.json, metrics.csv, TensorBoard logs, checkpoints, the best weights, the exported
    SavedModel and ONNX file, and a picture of held-out galaxies with true and predicted profiles. An interrupted run,
    even one that was killed, goes on with --resume, with the settings that it has.
    """
    given = dict(parse_assignment(text) for text in assignments)
    from_file = read_config(config) if config else {}

    def chosen(name: str, default: str) -> str:
        return str(options.get(name) or given.get(name) or from_file.get(name) or default)

    kept = Path(chosen("run", FitConfig.run)) / "config.json"
    start = read_config(kept) if resume and kept.exists() else {"preset": chosen("preset", FitConfig.preset)}
    settings = FitConfig.from_mapping(start, str(kept))
    settings.update(from_file, str(config))
    settings.update(given, "--set")
    settings.update({name: value for name, value in options.items() if value is not None}, "command line")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a machine without a GPU is no error
    from p2p_keras.network.training.session import train_and_export

    train_and_export(settings, resume=resume, verbose=2 if quiet else 1)


if __name__ == "__main__":
    main()
