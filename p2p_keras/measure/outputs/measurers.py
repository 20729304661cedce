"""What measures for the program `predict`: a model, or given ellipses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from p2p_keras.measure.known_sky import KnownSky, sky_option
from p2p_keras.measure.outputs.isophote_options import along_ellipses

__all__ = ["measurer_of"]


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
    if options["photometry"] and not options["forced"]:
        from p2p_keras.measure.ellipse_measurers import WithPhotometry

        measurer = WithPhotometry(measurer)
    return measurer
