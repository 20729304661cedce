"""Compare models with the truth of held-out shards: ``python -m p2p_keras.evaluate --data DIR``."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import click

from p2p_keras.program import Program


@click.command(cls=Program)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="DIR",
    help="SavedModel, .onnx file or run folder; several times to compare several.  [default: the shipped one]",
)
@click.option("--data", required=True, metavar="DIR", help="Folder of shards, one shard, or a pattern of either.")
@click.option("--split", default="test", help="Which split of the data.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write evaluation.json and figures there.  [default: only print]",
)
@click.option("--limit", type=click.IntRange(min=1), help="Use the first galaxies only.  [default: all]")
@click.option(
    "--examples", type=click.IntRange(min=0), default=8, help="Galaxies to draw: the first and the worst ones."
)
@click.option("--batch-size", type=click.IntRange(min=1), default=16, help="Images measured at a time.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the model.  [default: all cores]")
def main(
    models: tuple[str, ...],
    data: str,
    split: str,
    output: Path | None,
    limit: int | None,
    examples: int,
    batch_size: int,
    threads: int | None,
) -> None:
    """Measure galaxies of known profile and print how far off the models are.

    The error of a profile is the median over its radii of |mu_true - mu_pred|, as in Smith et al. (2021), over the
    truth's extent and where mu_true <= 26.5. A galaxy without a prediction counts as infinitely wrong.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a machine without a GPU is no error
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

    from p2p_keras.evaluation import evaluate_models, summarise_evaluation
    from p2p_keras.evaluation.report import text_tables, write_json
    from p2p_keras.predictor import Predictor
    from p2p_keras.shards import find_shards, read_shards

    shards = find_shards(data, split)
    predictors = [Predictor.load(model, threads=threads) for model in models or (None,)]
    console = Console(stderr=True)
    with Progress("measuring", MofNCompleteColumn(), TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("", total=limit)
        evaluations = evaluate_models(
            predictors,
            islice(read_shards(shards), limit),
            batch_size=batch_size,
            on_galaxy=lambda: progress.advance(task),
        )
    summaries = [summarise_evaluation(evaluation) for evaluation in evaluations]
    click.echo(text_tables(summaries))
    if output is not None:
        written = write_json(summaries, output / "evaluation.json", data=str(data), split=split)
        click.echo(f"figures in {written}", err=True)
        from p2p_keras.evaluation.drawings import draw_evaluation

        for path in draw_evaluation(evaluations, summaries, predictors, shards, output, examples=examples):
            click.echo(f"drawn {path}", err=True)


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.evaluate")
