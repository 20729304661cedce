"""Galaxies from many processes, in order."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from p2p_keras.core.processes import in_order
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.mocks.job import Job
from p2p_keras.data.mocks.scene import simulate_galaxy

if TYPE_CHECKING:
    from p2p_keras.data.mocks.backgrounds import Backgrounds
    from p2p_keras.data.mocks.templates import Templates

__all__ = ["simulated", "start_worker", "simulate_index", "simulate_bands"]


def simulated(job: Job, order: list[int], workers: int) -> Generator[list[LabelledGalaxy], None, None]:
    """Lists of galaxies (one for each band), in the order of the indices."""
    return in_order(simulate_index, order, workers=workers, setup=start_worker, setup_arguments=(job,))


_state: dict[str, Any] = {}


def start_worker(job: Job) -> None:
    """Remember the job and open its frames, once a process."""
    _state["job"] = job
    _state["backgrounds"] = _state["templates"] = None
    if job.backgrounds:
        from p2p_keras.data.mocks.backgrounds import Backgrounds

        _state["backgrounds"] = Backgrounds(job.backgrounds)
    if job.templates:
        from p2p_keras.data.mocks.templates import Templates

        _state["templates"] = Templates(job.templates)


def simulate_index(index: int) -> list[LabelledGalaxy]:
    """One galaxy in all bands of the job."""
    return simulate_bands(_state["job"], index, _state["backgrounds"], _state["templates"])


def simulate_bands(
    job: Job, index: int, backgrounds: Backgrounds | None = None, templates: Templates | None = None
) -> list[LabelledGalaxy]:
    """The images of one galaxy of a job."""
    if job.troubles:
        from p2p_keras.data.mocks.troubles import simulate_trouble

        truth = job.extras.truth if job.extras else "survey"
        return [
            simulate_trouble(job.survey, job.seed, index, size=job.size, band=band, truth=truth)
            for band in (job.bands or (None,))
        ]
    return [
        simulate_galaxy(
            job.survey,
            job.seed,
            index,
            size=job.size,
            band=band,
            backgrounds=backgrounds,
            background_share=job.background_share,
            templates=templates,
            template_share=job.template_share,
            near_star_share=job.near_star_share,
            extras=job.extras,
        )
        for band in (job.bands or (None,))
    ]
