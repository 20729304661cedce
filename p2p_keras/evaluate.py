"""Compare models with the truth of held-out shards: ``python -m p2p_keras.evaluate --data DIR``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice
from pathlib import Path

import click

from p2p_keras.core.json_lines import json_option
from p2p_keras.core.program import Program, quiet_option

__all__ = ["main"]


@click.command(cls=Program, old={"--processes": "--workers", "--figures": "--plot-format"})
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="DIR",
    help="SavedModel folder, .onnx file or run folder; repeat it to compare several.  [default: the shipped model]",
)
@click.option(
    "--classical", is_flag=True, help="Also measure the same images with photutils, which gets no help from the truth."
)
@click.option("--data", required=True, metavar="DIR", help="Folder of shards, one shard, or a pattern of either.")
@click.option("--split", default="test", help="Split of the data to use.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for report.html, evaluation.json, galaxies.ecsv and the paper's figures.  [default: only print]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Use only the first galaxies.  [default: all]")
@click.option("--examples", type=click.IntRange(min=0), default=8, help="Random galaxies to draw.")
@click.option(
    "--worst", type=click.IntRange(min=0), default=10, help="Galaxies with the largest errors to draw, for each model."
)
@click.option("--seed", default=0, help="Seed of the random choice of galaxies.")
@click.option(
    "--plot-format",
    "formats",
    type=click.Choice(["png", "pdf", "svg"]),
    multiple=True,
    default=("png", "pdf"),
    help="Format of the paper's figures; may be repeated.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=16, help="Images that the network takes at a time.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the model.  [default: all cores]")
@click.option("--workers", type=click.IntRange(min=1), help="Processes for --classical.  [default: all cores]")
@quiet_option
@json_option
@click.pass_context
def main(
    context: click.Context,
    models: tuple[str, ...],
    classical: bool,
    data: str,
    split: str,
    output: Path | None,
    limit: int | None,
    examples: int,
    worst: int,
    seed: int,
    formats: tuple[str, ...],
    batch_size: int,
    threads: int | None,
    workers: int | None,
    quiet: bool,
) -> None:
    """Measure galaxies whose true profiles are known, and print the errors of the models.

    The error of a profile is the median of |mu_true - mu_pred| over its radii, as in Smith et al. (2021), where
    the true profile exists and mu_true <= 26.5. A galaxy without a predicted profile has an infinite error.
    docs/evaluate.md explains every figure.
    """
    import time
    from contextlib import ExitStack

    from p2p_keras.core.last_words import took, write_last_words
    from p2p_keras.core.processes import available_cores
    from p2p_keras.core.progress import Progress
    from p2p_keras.core.settings_file import write_settings
    from p2p_keras.data.shards import find_shards, read_shards
    from p2p_keras.evaluation import ClassicalMethod, evaluate_models, summarise_evaluation
    from p2p_keras.evaluation.report import text_tables
    from p2p_keras.evaluation.write import write_evaluation
    from p2p_keras.measure.predictor import Predictor

    shards = find_shards(data, split)
    with ExitStack() as opened:
        methods: list[Predictor | ClassicalMethod] = []
        methods += [Predictor.load(model, threads=threads) for model in models or (None,)]
        if classical:
            methods.append(opened.enter_context(ClassicalMethod(workers or available_cores())))
        progress = opened.enter_context(Progress("measuring", _number(shards, limit), quiet=quiet))
        start, done = time.perf_counter(), count(1)

        def on_galaxy() -> None:
            number = next(done)
            progress.advance(number, number / (time.perf_counter() - start))

        evaluations = evaluate_models(
            methods,
            islice(read_shards(shards), limit),
            batch_size=batch_size,
            on_galaxy=on_galaxy,
        )
    number, seconds = next(done) - 1, time.perf_counter() - start
    summaries = [summarise_evaluation(evaluation) for evaluation in evaluations]
    if output is not None:
        write_evaluation(
            evaluations,
            summaries,
            shards,
            output,
            examples=examples,
            worst=worst,
            seed=seed,
            formats=formats,
            about={"data": str(data), "split": split},
        )
        write_settings(context, output, "evaluate")
    click.echo(text_tables(summaries))
    several = "1 method" if len(methods) == 1 else f"{len(methods)} methods"
    write_last_words(
        f"Compared {several} with {number} galaxies of known profile in {took(number, 'galaxies', seconds)}",
        []
        if output is None
        else [("Report", output / "report.html"), ("Figures", output / "figures"), ("Table", output / "galaxies.ecsv")],
        quiet=quiet,
    )


def _number(shards: Sequence[Path], limit: int | None) -> int | None:
    """Galaxies to be measured, by what dataset.json says; None where it doesn't."""
    from p2p_keras.data.shards import read_manifest

    manifests = {folder: read_manifest(folder) for folder in {path.parent for path in shards}}
    entries = [manifest.shards.get(path.name) for path in shards if (manifest := manifests[path.parent]) is not None]
    if len(entries) < len(shards) or None in entries:
        return limit
    number = sum(entry.records for entry in entries if entry is not None)
    return number if limit is None else min(limit, number)


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.evaluate")
