"""A running server of the public API: the one that the environment names, else ours on a free port."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = os.environ.get("P2P_SERVING_ADDRESS")
MODEL = os.environ.get("P2P_SERVING_MODEL", "isophote")
SHIPPED = Path(os.environ.get("P2P_SERVING_MODELS", ROOT / "saved_models"))
HAS_SHIPPED = any((SHIPPED / MODEL).glob("[0-9]*/saved_model.pb"))


@dataclass
class Serving:
    """Where to send requests, and for which model."""

    address: str
    model: str
    standin: bool
    server: object = None
    base: Path = SHIPPED


@pytest.fixture(scope="session")
def standin_models(made_once) -> Path:
    """A folder with version 1 of the stand-in model; to be copied, not changed."""
    from served_model import write_model

    return made_once("standin-models", lambda base: write_model(base, version=1))


@pytest.fixture(scope="session", params=["address"] if ADDRESS else ["standin"] + ["shipped"] * HAS_SHIPPED)
def serving(request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A server of the stand-in and, where it is there, one of the shipped model; or P2P_SERVING_ADDRESS alone."""
    pytest.importorskip("tensorflow_serving", reason="needs p2p-keras[serve]")
    if request.param == "address":
        yield Serving(str(ADDRESS), MODEL, standin=False)
        return
    if request.param == "shipped" and SHIPPED == ROOT / "saved_models":
        server = request.getfixturevalue("shipped_server")
        yield Serving(server.address, MODEL, False, server)
        return
    from running_server import ServerInThread

    standin = request.param == "standin"
    base = request.getfixturevalue("standin_models") if standin else SHIPPED
    server = ServerInThread(base, settle_s=0.2, poll_s=0.5)
    try:
        yield Serving(server.address, "standin" if standin else MODEL, standin, server, base)
    finally:
        server.stop()
