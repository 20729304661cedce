"""Accuracy of models on held-out mocks: the sets are made (once), measured, and printed as docs/accuracy.md has them.

python benchmarks/accuracy.py --frames FOLDER_OF_FRAMES_NOT_TRAINED_ON [--model DIR ...] [--data FOLDER] [--count 400]

The sets: SDSS-like mocks, mocks in real frames (with --frames), and the other surveys with images of 200, 320 and
512 px. Their seeds are those of no training set. A galaxy without a profile counts as infinitely wrong.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import click

SURVEYS = ("legacy", "panstarrs", "hsc", "rubin")
SIZES = (200, 320, 512)


def sets_to_make(count: int, frames: str | None) -> dict[str, list[list[str]]]:
    """Options of `simulate` for every set; a set may be of several folders."""
    sets = {"SDSS": [["--survey", "sdss", "--count", str(count), "--seed", "7001"]]}
    if frames:
        sets["real SDSS frames"] = [
            ["--survey", "sdss", "--count", str(count), "--seed", "7002", "--backgrounds", frames]
        ]
    for survey in SURVEYS:
        sets[survey] = [
            ["--survey", survey, "--count", str(max(1, count // 8)), "--seed", str(7003 + i), "--size", str(size)]
            for i, size in enumerate(SIZES)
        ]
    return sets


def make_sets(folder: Path, count: int, frames: str | None) -> dict[str, list[Path]]:
    """Shards of every set, made where they are missing."""
    made: dict[str, list[Path]] = {}
    for name, runs in sets_to_make(count, frames).items():
        for options in runs:
            output = folder / "-".join(["set", *options[1::2][:3], *options[7:8]]).replace("/", "_")
            command = [sys.executable, "-m", "p2p_keras.simulate", *options, "--splits", "test=1", "--output"]
            subprocess.run([*command, str(output)], check=True, stdout=subprocess.DEVNULL)
            made.setdefault(name, []).append(output)
    return made


@click.command()
@click.option("--model", "models", multiple=True, help="SavedModel or .onnx file; the shipped ONNX file by default.")
@click.option("--frames", type=click.Path(exists=True, file_okay=False), help="Real frames that no training saw.")
@click.option("--data", default="data/held-out", help="Folder of the sets.", show_default=True)
@click.option("--count", default=400, help="Galaxies of the larger sets.", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False), help="Write all figures as JSON.")
def main(models: tuple[str, ...], frames: str | None, data: str, count: int, output: str | None) -> None:
    """Print a row a set and model."""
    from p2p_keras.core.model_files import find_model
    from p2p_keras.data.shards import find_shards, read_shards
    from p2p_keras.evaluation import evaluate_models, summarise_evaluation
    from p2p_keras.evaluation.report import plain
    from p2p_keras.measure.predictor import Predictor

    names = models or (str(find_model().path.parent / "model.onnx"),)
    predictors = [Predictor.load(name) for name in names]
    figures: dict[str, list[dict]] = {}
    click.echo("| set | model | galaxies | median | worst tenth | off by > 0.5 or missing | inside 1 sigma | deciles |")
    click.echo("|---|---|---|---|---|---|---|---|")
    rest = []
    for name, folders in make_sets(Path(data), count, frames).items():
        galaxies = (galaxy for folder in folders for galaxy in read_shards(find_shards(folder, "test")))
        for evaluation in evaluate_models(predictors, galaxies):
            summary = plain(summarise_evaluation(evaluation))
            figures.setdefault(name, []).append(summary)
            errors, scalars = summary["error_bright"], summary["scalars"]
            shares = [100 * part["coverage"] for parts in summary["deciles"].values() for part in parts]
            click.echo(
                f"| {name} | {summary['model']} | {summary['galaxies']} | {errors['median']:.4f} | "
                f"{number(errors['worst_tenth'])} | {100 * errors['share_bad']:.2f} % | "
                f"{100 * summary['coverage']['one_sigma']:.0f} % | {min(shares):.0f} to {max(shares):.0f} % |"
            )
            rest.append(
                f"| {name} | {summary['model']} | {scalars['ellipticity']['median']:.4f} | "
                f"{scalars['pa_deg']['median']:.2f} | {scalars['centre_px']['median']:.3f} | "
                f"{scalars['mag_total']['median']:.3f} | {100 * scalars['r50_relative']['median']:.1f} % |"
            )
    click.echo("\n| set | model | ellipticity | pa (deg) | centre (px) | total magnitude | r50 |")
    click.echo("|---|---|---|---|---|---|---|")
    click.echo("\n".join(rest))
    if output:
        Path(output).write_text(json.dumps(figures, indent=1) + "\n")


def number(value: float | None) -> str:
    """Three decimals; infinity where a tenth has no profile."""
    return f"{value:.3f}" if value is not None else "inf"


if __name__ == "__main__":
    main()
