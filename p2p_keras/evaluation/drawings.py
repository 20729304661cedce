"""What an evaluation draws of single galaxies, and the paper's figures made of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.data.shards import read_shards
from p2p_keras.evaluation.error_figures import radius_figure, violins_figure
from p2p_keras.evaluation.galaxy import GalaxyResult
from p2p_keras.evaluation.run import Evaluation, image_of_label
from p2p_keras.profile.columns import COLUMN_UNITS
from p2p_keras.profile.plots import comparison_figure, save_figure
from p2p_keras.profile.tables.building import profile_table

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.figure import Figure

    from p2p_keras.data.labelled import LabelledGalaxy
    from p2p_keras.images import GalaxyImage

__all__ = [
    "DrawnGalaxy",
    "random_galaxies",
    "galaxies_at",
    "measured_profile",
    "galaxy_picture",
    "paper_figures",
    "save_paper_figures",
]


class DrawnGalaxy(NamedTuple):
    """A galaxy of the set with what every method measured."""

    image: GalaxyImage
    label: LabelledGalaxy
    profiles: dict[str, QTable]


def random_galaxies(evaluations: Sequence[Evaluation], count: int, seed: int = 0) -> list[int]:
    """Indices of randomly chosen galaxies, the same for the same set, in the order of the set."""
    total = len(evaluations[0].results) if evaluations else 0
    chosen = np.random.default_rng(seed).choice(total, min(count, total), replace=False)
    return sorted(int(number) for number in chosen)


def galaxies_at(
    evaluations: Sequence[Evaluation], shards: Sequence[Path], numbers: Sequence[int]
) -> dict[int, DrawnGalaxy]:
    """Images, truths and profiles of some galaxies of the set.

    Parameters
    ----------
    evaluations : sequence of Evaluation
    shards : sequence of path
        What was evaluated, read again as far as the last galaxy that is wanted.
    numbers : sequence of int
        Places in the set.

    Returns
    -------
    dict
        By place. One whose image no model could take is not in it.
    """
    wanted = set(numbers)
    drawn: dict[int, DrawnGalaxy] = {}
    if not wanted:
        return drawn
    for number, label in enumerate(read_shards(shards)):
        if number in wanted:
            try:
                image = image_of_label(label)
            except InputError:
                image = None
            if image is not None:
                profiles = {e.model: measured_profile(e.results[number], image) for e in evaluations}
                drawn[number] = DrawnGalaxy(image, label, profiles)
        if number >= max(wanted):
            break
    return drawn


def measured_profile(result: GalaxyResult, image: GalaxyImage) -> QTable:
    """What a method measured, as a profile table; without rows where it found none."""
    outputs: dict[str, Any] = dict.fromkeys((*COLUMN_UNITS, "valid"), np.empty(0))
    outputs |= dict.fromkeys(("x0", "y0", "extent", "mag_total", "sky"), float("nan"))
    return profile_table(outputs | result.measured, image)


def galaxy_picture(galaxy: DrawnGalaxy, model: str) -> Figure:
    """Draw one galaxy with the profiles of all methods; the ellipses on the image are those of `model`."""
    profiles = {model: galaxy.profiles[model]} | galaxy.profiles
    return comparison_figure([(galaxy.image, galaxy.label, profiles)], panels=("image", "profile", "residual"))


def paper_figures(evaluations: Sequence[Evaluation], examples: Sequence[DrawnGalaxy]) -> Iterator[tuple[str, Figure]]:
    """Draw figures 1, 3, 4 and 5 of Smith et al. (2021) from an evaluation, one after the other.

    Yields
    ------
    (str, Figure)
        ``figure1-galaxies`` (image and profile of some galaxies), ``figure3-predictions`` (random predictions over the
        truth, residuals below), ``figure4-violins`` and ``figure5-radius``.
    """
    entries = [(galaxy.image, galaxy.label, galaxy.profiles) for galaxy in examples]
    if entries:
        yield "figure1-galaxies", comparison_figure(entries[:4], panels=("image", "profile"))
        yield "figure3-predictions", comparison_figure(entries, panels=("profile", "residual"))
    yield "figure4-violins", violins_figure(evaluations)
    yield "figure5-radius", radius_figure(evaluations)


def save_paper_figures(
    evaluations: Sequence[Evaluation],
    examples: Sequence[DrawnGalaxy],
    folder: Path,
    *,
    formats: Sequence[str] = ("png", "pdf"),
) -> None:
    """Write the figures of `paper_figures` in every format."""
    for name, figure in paper_figures(evaluations, examples):
        for ending in formats:
            save_figure(figure, folder / f"{name}.{ending}")
            figure.set_layout_engine("none")  # laid out for the first format; to find the places takes half of the time
