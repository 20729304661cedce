"""The server of the page: where it listens, whom it answers, how much it takes."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from p2p_keras.core.errors import UsageError
from p2p_keras.page.token import TokenAuth
from p2p_keras.page.widgets import MAX_UPLOAD

__all__ = ["is_own", "start_server"]

_MESSAGE_BYTES = 20 * 2**20
_IDLE_MS = 15_000


def is_own(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def start_server(
    pages: dict[str, Callable[[], Any]],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str = "",
    title: str = "p2p_keras",
) -> Any:
    """Start to listen; the caller runs the loop.

    Parameters
    ----------
    pages : dict of str to callable
        Address -> what makes the page for a session.
    host : str
    port : int
        0 takes a free one.
    token : str
        Asked for, where it isn't empty; needed for a host that others reach.
    title : str

    Returns
    -------
    panel.io.server.Server
        With ``port``; ``io_loop.start()`` runs it.

    Raises
    ------
    UsageError
        The port is taken, or the host isn't one of this machine's.
    """
    import panel as pn
    from bokeh.settings import settings
    from tornado.ioloop import IOLoop

    if not is_own(host) and not token:
        raise ValueError("a page that others reach needs a token")
    logging.getLogger("bokeh").setLevel(logging.ERROR)
    logging.getLogger("tornado").setLevel(logging.ERROR)
    settings.perform_document_validation.set_value(False)  # it warns developers, and takes a tenth of each page's time
    port = port or _free_port(host)
    names = ["localhost", "127.0.0.1"] if is_own(host) else own_names(host)
    pn.extension("filedropper", "tabulator", notifications=False)
    options: dict[str, Any] = {
        "cookie_secret": secrets.token_hex(32),
        "websocket_max_message_size": _MESSAGE_BYTES,
        "unused_session_lifetime_milliseconds": _IDLE_MS,
        "check_unused_sessions_milliseconds": _IDLE_MS // 3,
        "max_buffer_size": MAX_UPLOAD,
    }
    if token:
        options["auth_provider"] = TokenAuth(token)
    try:
        server = pn.io.server.get_server(
            pages, port=port, address=host, title=title, start=False, show=False, loop=IOLoop.current(),
            websocket_origin=[f"{name}:{port}" for name in names], **options,
        )  # fmt: skip
    except OSError as error:
        raise UsageError(f"{host}:{port}: can't listen there ({error.strerror or error})") from error
    return server


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise UsageError(f"{host}: can't listen there ({error.strerror or error})") from error
        return int(probe.getsockname()[1])


def own_names(host: str) -> list[str]:
    """Names under which a browser may come to a host that others reach."""
    names = {host, socket.gethostname(), socket.getfqdn(), "localhost", "127.0.0.1"}
    if host in ("0.0.0.0", "::"):
        names.discard(host)
        with suppress(OSError):
            names.update(
                str(address[4][0]) for address in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
            )
    return sorted(name.lower() for name in names)
