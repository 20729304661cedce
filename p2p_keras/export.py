"""``python -m p2p_keras.export RUN --name isophote --version 4``: a training run becomes a served model."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path

import click

from p2p_keras.core.last_words import took, write_last_words
from p2p_keras.core.program import Program, quiet_option
from p2p_keras.core.settings_file import write_settings

__all__ = ["main"]


@click.command(cls=Program, old={"--saved-models": "--output"})
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--name", default="isophote", help="Name of the model, which clients use.")
@click.option("--version", type=click.IntRange(min=1), help="Version number.  [default: one above the newest]")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    default=Path("saved_models"),
    help="Folder of models.",
)
@quiet_option
@click.pass_context
def main(context: click.Context, run: Path, name: str, version: int | None, output: Path, quiet: bool) -> None:
    """Export the best model of RUN, a folder that fit wrote.

    This writes the SavedModel OUTPUT/NAME/VERSION and beside it model.onnx, model.keras, MODEL_CARD.md and
    metrics.json. Each of them is first loaded in a fresh process and compared with Keras. If one differs,
    nothing is written and the exit status is 1. An existing version is never overwritten.
    """
    # SavedModels and ONNX files are made by TensorFlow, whichever backend trained the run.
    os.environ["KERAS_BACKEND"] = "tensorflow"

    start = time.perf_counter()
    from p2p_keras.network.training.run_export import export_run

    result = export_run(run, output, name, version)
    context.params["version"] = int(result.path.name)
    write_settings(context, result.path.parent, "export")
    for line in [] if quiet else result.check:
        click.echo(line, err=True)
    folder = result.path.parent
    write_last_words(
        f"Exported {run} in {took(0, '', time.perf_counter() - start)}",
        [("SavedModel", result.path), ("ONNX", folder / "model.onnx"), ("Model card", folder / "MODEL_CARD.md")],
        then=f"python -m p2p_keras.predict IMAGE.fits --model {shlex.quote(str(result.path))} --output profile.ecsv",
        quiet=quiet,
    )
    click.echo(result.path)


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.export")
