"""Train a network on shards of galaxies: ``python -m p2p_keras.fit``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from p2p_keras.core.program import Program, quiet_option
from p2p_keras.core.settings_file import SETTINGS, read_config
from p2p_keras.network.training.config import CHOICES, FitConfig, parse_assignment

__all__ = ["main"]

_KINDS: dict[str, Any] = {"int": int, "float": float, "str": str, "list[int]": str}
_METAVARS = {"int": "INTEGER", "float": "FLOAT", "str": "TEXT", "list[int]": "PX,PX,..."}


def _options(command):
    """One option for every setting of a run, so that none is missing here."""
    for setting in reversed(dataclasses.fields(FitConfig)):
        if setting.name == "model":
            continue
        default = setting.default if setting.default is not dataclasses.MISSING else ""
        flag = "--" + setting.name.replace("_", "-")
        if setting.name == "run":  # where others write by --output; a run's settings and Python call it `run`
            text = f"{setting.metadata['help'].rstrip('.')} [default: {setting.default}]."
            command = click.option("-o", "--output", "--run", "run", metavar="DIR", help=text)(command)
            continue
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


@click.command(cls=Program, further_settings=("model",))
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set any setting by its name, such as model.dim=96. May be repeated.",
)
@click.option("--resume", is_flag=True, help="Continue the run in --output from its last checkpoint.")
@quiet_option
@_options
@click.pass_context
def main(context: click.Context, assignments: tuple[str, ...], resume: bool, quiet: bool, **options: Any) -> None:
    """Train a network on shards of galaxies with known profiles, and export it.

    The run folder gets config.json, metrics.csv, TensorBoard logs, checkpoints, the best weights, the exported
    SavedModel and ONNX file, and a picture of held-out galaxies with true and predicted profiles. --resume
    continues a run that was interrupted or killed, with its own settings.
    """
    given = dict(parse_assignment(text) for text in assignments)
    settings_of_file = context.meta.get(SETTINGS, {})
    from_file = {k: v for k, v in settings_of_file.items() if k in options or k.partition(".")[0] == "model"}
    typed = {name for name in options if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE}
    options = {name: value for name, value in options.items() if name in typed and value is not None}

    def chosen(name: str, default: str) -> str:
        return str(options.get(name) or given.get(name) or from_file.get(name) or default)

    kept = Path(chosen("run", FitConfig.run)) / "config.json"
    start = read_config(kept) if resume and kept.exists() else {"preset": chosen("preset", FitConfig.preset)}
    settings = FitConfig.from_mapping(start, str(kept))
    settings.update(from_file, "--config")
    settings.update(given, "--set")
    settings.update(options, "command line")

    from p2p_keras.network.training.session import train_and_export

    train_and_export(settings, resume=resume, quiet=quiet)


if __name__ == "__main__":
    main()
