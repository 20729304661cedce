"""Write the figures of an evaluation, with some galaxies drawn: the first of the set and the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.errors import InputError
from p2p_keras.evaluation.run import Evaluation, image_of_label
from p2p_keras.plots import comparison_figure, save_figure
from p2p_keras.plots.evaluation import calibration_figure, error_violins, residuals_figure
from p2p_keras.predictor import Predictor
from p2p_keras.shards import read_shards


def draw_evaluation(
    evaluations: Sequence[Evaluation],
    summaries: Sequence[dict[str, Any]],
    predictors: Sequence[Predictor],
    shards: Sequence[Path],
    folder: Path,
    *,
    examples: int = 8,
) -> Iterator[Path]:
    """Draw errors, residuals and calibration of all models, and galaxies as the first model sees them.

    Parameters
    ----------
    shards : sequence of path
        What was evaluated, read again for the galaxies to be drawn.
    examples : int
        How many galaxies in each of the two drawings; 0 for none.

    Yields
    ------
    Path
        Files as they are written.
    """
    yield save_figure(error_violins(evaluations), folder / "errors.png")
    yield save_figure(residuals_figure(evaluations), folder / "residuals.png")
    yield save_figure(calibration_figure(evaluations, summaries), folder / "calibration.png")
    if not examples:
        return
    errors = np.array([r.error for r in evaluations[0].results], dtype=float)
    # A galaxy without a prediction sorts as the worst.
    worst = np.argsort(-np.nan_to_num(errors, nan=np.inf), kind="stable")[:examples]
    wanted = {"examples": list(range(min(examples, errors.size))), "worst": [int(i) for i in worst]}
    numbers = {number for chosen in wanted.values() for number in chosen}
    drawn: dict[int, tuple[Any, Any, Any]] = {}
    for number, label in enumerate(read_shards(shards)):
        if number in numbers:
            try:
                image = image_of_label(label)
            except InputError:
                continue
            drawn[number] = (image, label, predictors[0].measure([image])[0])
        if number >= max(numbers, default=-1):
            break
    for name, chosen in wanted.items():
        galaxies = [drawn[number] for number in chosen if number in drawn]
        if galaxies:
            yield save_figure(comparison_figure(galaxies), folder / f"{name}.png", dpi=120)
