"""Compare models with the truth of held-out shards: ``python -m p2p_keras.evaluate --data DIR``."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import click

from p2p_keras.core.program import Program


@click.command(cls=Program)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="DIR",
    help="SavedModel, .onnx file or run folder; several times to compare several.  [default: the shipped one]",
)
@click.option("--classical", is_flag=True, help="Measure the same images by photutils too, with no help by the truth.")
@click.option("--data", required=True, metavar="DIR", help="Folder of shards, one shard, or a pattern of either.")
@click.option("--split", default="test", help="Which split of the data.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write report.html, evaluation.json, galaxies.ecsv and the paper's figures there.  [default: only print]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Use the first galaxies only.  [default: all]")
@click.option("--examples", type=click.IntRange(min=0), default=8, help="Galaxies to draw, chosen by chance.")
@click.option("--worst", type=click.IntRange(min=0), default=10, help="Worst galaxies of each model to draw.")
@click.option("--seed", default=0, help="Of the choice by chance.")
@click.option(
    "--figures",
    "formats",
    type=click.Choice(["png", "pdf", "svg"]),
    multiple=True,
    default=("png", "pdf"),
    help="Format of the paper's figures; several times for several.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=16, help="Images measured at a time.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the model.  [default: all cores]")
@click.option("--processes", type=click.IntRange(min=1), help="Processes of --classical.  [default: all cores]")
def main(
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
    processes: int | None,
) -> None:
    """Measure galaxies of known profile and say how far off the models are.

    The error of a profile is the median over its radii of |mu_true - mu_pred|, as in Smith et al. (2021), over the
    truth's extent and where mu_true <= 26.5. A galaxy without a prediction counts as infinitely wrong. What each figure
    means: docs/evaluate.md.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a machine without a GPU is no error
    from contextlib import ExitStack

    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    from p2p_keras.data.shards import find_shards, read_shards
    from p2p_keras.evaluation import ClassicalMethod, evaluate_models, summarise_evaluation
    from p2p_keras.evaluation.report import text_tables
    from p2p_keras.evaluation.write import write_evaluation
    from p2p_keras.measure.predictor import Predictor

    shards = find_shards(data, split)
    console = Console(stderr=True)
    with ExitStack() as opened:
        methods: list[Predictor | ClassicalMethod] = []
        methods += [Predictor.load(model, threads=threads) for model in models or (None,)]
        if classical:
            methods.append(opened.enter_context(ClassicalMethod(processes or os.cpu_count() or 1)))
        progress = opened.enter_context(
            Progress("measuring", MofNCompleteColumn(), TimeElapsedColumn(), console=console)
        )
        task = progress.add_task("", total=limit)
        evaluations = evaluate_models(
            methods,
            islice(read_shards(shards), limit),
            batch_size=batch_size,
            on_galaxy=lambda: progress.advance(task),
        )
    summaries = [summarise_evaluation(evaluation) for evaluation in evaluations]
    if output is not None:
        for path in write_evaluation(
            evaluations,
            summaries,
            shards,
            output,
            examples=examples,
            worst=worst,
            seed=seed,
            formats=formats,
            about={"data": str(data), "split": split},
        ):
            click.echo(f"written {path}", err=True)
    click.echo(text_tables(summaries))


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.evaluate")
