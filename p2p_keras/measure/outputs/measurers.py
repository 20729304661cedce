"""What measures for the program `predict`: a model, or given ellipses; in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from p2p_keras.measure.known_sky import KnownSky, sky_option
from p2p_keras.measure.outputs.isophote_options import along_ellipses
from p2p_keras.measure.workers import Crew

if TYPE_CHECKING:
    from p2p_keras.measure.backends import Backend

__all__ = ["measurer_of", "crew_of", "in_worker"]


def measurer_of(options: Mapping[str, Any], load: Callable[[], Any]) -> Any:
    """What measures for these options; the model, or the connection to a server, is loaded only where it is needed.

    Parameters
    ----------
    options : mapping
        The program's, with ``model``, ``server`` and ``sky``.
    load : callable
        Gives the model.

    Raises
    ------
    UsageError
        The options contradict each other.
    """
    sky = sky_option(options["sky"])
    given = along_ellipses({**options, "sky": sky})
    if given is not None:
        return given
    measurer = load()
    if sky is not None:
        measurer = KnownSky(measurer, sky)
    if options["photometry"] and not options["forced"]:  # each forced band has its own
        from p2p_keras.measure.ellipse_measurers import WithPhotometry

        measurer = WithPhotometry(measurer)
    return measurer


def crew_of(
    options: Mapping[str, Any], model: Callable[[], Backend] | None, connect: Callable[[], Any], workers: int
) -> Crew:
    """The same in several processes; a model is loaded in this one.

    Parameters
    ----------
    options : mapping
        The program's.
    model : callable or None
        Gives the network, which runs batches side by side; None where a server or given ellipses measure.
    connect : callable
        Gives the connection to a server in each process; picklable.
    workers : int

    Raises
    ------
    UsageError
        The options contradict each other.
    """
    if model is None:
        along_ellipses({**options, "sky": sky_option(options["sky"])})  # what can't be read is told before any process
    return Crew(partial(in_worker, dict(options), connect), workers, None if model is None else model())


def in_worker(options: Mapping[str, Any], load: Callable[[], Any], network: Any) -> Any:
    """What measures in a worker process: by the network of its parent, where that has one."""
    from p2p_keras.measure.predictor import Predictor

    return measurer_of(options, load if network is None else lambda: Predictor(network))
