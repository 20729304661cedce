"""Everything that an evaluation leaves in a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from p2p_keras.evaluation.drawings import galaxies_at, random_galaxies, save_paper_figures
from p2p_keras.evaluation.html import write_report
from p2p_keras.evaluation.report import write_galaxies, write_json
from p2p_keras.evaluation.run import Evaluation
from p2p_keras.evaluation.summary import worst_galaxies

__all__ = ["write_evaluation"]


def write_evaluation(
    evaluations: Sequence[Evaluation],
    summaries: Sequence[dict[str, Any]],
    shards: Sequence[Path],
    folder: Path,
    *,
    examples: int = 8,
    worst: int = 10,
    seed: int = 0,
    formats: Sequence[str] = ("png", "pdf"),
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write figures, tables, report and the paper's figures of an evaluation.

    Parameters
    ----------
    evaluations, summaries : sequences
        Of the same models.
    shards : sequence of path
        What was evaluated, read again for the galaxies that are drawn.
    folder : Path
        Gets ``evaluation.json``, ``galaxies.ecsv``, ``report.html`` and ``figures/``.
    examples, worst : int
        Galaxies to draw: random ones drawn with `seed`, and the worst ones of each model.
    formats : sequence of {"png", "pdf", "svg"}
        Of the paper's figures.
    about : mapping, optional
        What was evaluated, kept in JSON and report.
    """
    write_json(summaries, folder / "evaluation.json", about)
    write_galaxies(evaluations, folder / "galaxies.ecsv")
    chosen = random_galaxies(evaluations, examples, seed)
    wanted = [place for evaluation in evaluations for place in worst_galaxies(evaluation, worst)]
    drawn = galaxies_at(evaluations, shards, [*chosen, *wanted])
    write_report(evaluations, summaries, drawn, folder / "report.html", examples=chosen, worst=worst, about=about)
    shown = [drawn[place] for place in chosen if place in drawn]
    save_paper_figures(evaluations, shown, folder / "figures", formats=formats)
