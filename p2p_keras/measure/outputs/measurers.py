"""What measures for the program `predict`: a model, a server, or given ellipses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def measurer_of(model: str | None, server: str | None, threads: int | None, options: Mapping[str, Any]) -> Any:
    """Load the model, or connect to the server; or what measures along given ellipses."""
    from p2p_keras.measure.ellipse_measurers import WithPhotometry
    from p2p_keras.measure.known_sky import KnownSky
    from p2p_keras.measure.outputs.isophote_options import along_ellipses

    given = along_ellipses({**options, "model": model, "server": server})
    if given is not None:
        return given
    found = _model_or_server(model, server, threads)
    if options["sky"] is not None:
        found = KnownSky(found, options["sky"])
    return WithPhotometry(found) if options["photometry"] and not options["forced"] else found


def _model_or_server(model: str | None, server: str | None, threads: int | None) -> Any:
    """Load the model, or connect to the server."""
    if server is not None:
        from p2p_keras.client import ProfileClient
        from p2p_keras.core.contract import DEFAULT_MODEL
        from p2p_keras.measure.many_files import ServerMeasurer

        return ServerMeasurer(ProfileClient(server, model=model or DEFAULT_MODEL))
    from p2p_keras.measure.predictor import Predictor

    return Predictor.load(model, threads=threads)
