"""``p2p-keras NAME``: every program of the package under one command.

A program is imported only when it is called, so that ``p2p-keras --help`` is quick and works whatever is installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from p2p_keras.core.program import Program, user_errors
from p2p_keras.core.version import __version__

__all__ = ["PROGRAMS", "Programs", "info", "completion", "main"]

PROGRAMS = {
    "fit": "Train a network on TFRecord shards.",
    "predict": "Measure the profiles of galaxies in FITS images.",
    "view": "Measure galaxies on a page in the browser, or look through a run.",
    "survey": "Measure the galaxies of a whole survey, on Ray.",
    "evaluate": "Compare models on galaxies whose true profiles are known.",
    "export": "Write the SavedModel and ONNX file of a training run.",
    "serve": "Serve a model over gRPC, where TensorFlow Serving can't be run.",
    "simulate": "Make mock galaxies with their true profiles.",
    "pack": "Put real images with their profiles into TFRecord shards.",
    "inspect": "Show what TFRecord shards contain.",
}


class Programs(click.Group):
    """A click group whose members are the modules named in `PROGRAMS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which a galaxy's data meet them."""
        return [*PROGRAMS, *(command.name or "" for command in (info, completion))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a program's module and return its command; None for an unknown name."""
        for command in (info, completion):
            if cmd_name == command.name:
                return command
        return import_module(f"p2p_keras.{cmd_name}").main if cmd_name in PROGRAMS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of programs without importing any."""
        with formatter.section("Programs"):
            formatter.write_dl(
                [
                    *PROGRAMS.items(),
                    ("info", "Print versions, the shipped model and devices."),
                    ("completion", "Print the script that completes commands in a shell."),
                ]
            )

    def invoke(self, ctx: click.Context) -> Any:
        """Run a program."""
        with user_errors():
            return super().invoke(ctx)


@click.command(cls=Program, settings=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def info(as_json: bool) -> None:
    """Print versions, the shipped model and its path, the program that runs it, and the devices.

    Please include this in a report of a problem. The exit status is 1 if the shipped model can't be run.
    """
    from p2p_keras.measure.installation import describe_installation, installation_lines

    described = describe_installation()
    if as_json:
        import json

        click.echo(json.dumps(described, indent=2))
    else:
        click.echo("\n".join(installation_lines(described)))
    if described["model"]["error"]:
        raise SystemExit(1)


@click.command(cls=Program, settings=False)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes `p2p-keras`, its programs and their options in a shell.

    For this shell only: eval "$(p2p-keras completion bash)". For all of them write it to a file once and source that in
    ~/.bashrc or ~/.zshrc; fish: p2p-keras completion fish > ~/.config/fish/completions/p2p-keras.fish
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(script(main, {}, "p2p-keras", "_P2P_KERAS_COMPLETE").source())


@click.command(cls=Programs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="p2p-keras")
def main() -> None:
    """Surface-brightness profiles of galaxies from images, by neural networks in Keras.

    `p2p-keras NAME` is `python -m p2p_keras.NAME`; each has its own --help.
    """


if __name__ == "__main__":
    main(prog_name="p2p-keras")
