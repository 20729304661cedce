"""What measures for the program `predict`: a model, or given ellipses; in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from p2p_keras.measure.known_sky import KnownSky, sky_option
from p2p_keras.measure.outputs.isophote_options import along_ellipses

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


def crew_of(options: Mapping[str, Any], load: Callable[[], Any], workers: int) -> Any:
    """The same in several processes: a `p2p_keras.measure.workers.Crew`; a model is loaded in this one.

    Parameters
    ----------
    options : mapping
        The program's, with ``threads`` too.
    load : callable
        Gives the connection to a server in each process; picklable.
    workers : int

    Raises
    ------
    UsageError
        The options contradict each other.
    """
    from p2p_keras.measure.backends import load_backend
    from p2p_keras.measure.workers import Crew

    backend = None
    if options["server"] is None and along_ellipses({**options, "sky": sky_option(options["sky"])}) is None:
        backend = load_backend(options["model"], threads=options["threads"], side_by_side=True)
    return Crew(partial(in_worker, dict(options), load), workers, backend)


def in_worker(options: Mapping[str, Any], load: Callable[[], Any], network: Any) -> Any:
    """What measures in a worker process: by the network of its parent, where that has one."""
    from p2p_keras.measure.predictor import Predictor

    return measurer_of(options, load if network is None else lambda: Predictor(network))
