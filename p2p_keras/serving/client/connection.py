"""How the client reaches a server: channel options, TLS, when to try again, and what an error means."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2p_keras.core.errors import InputError, P2PError, UsageError

if TYPE_CHECKING:
    import grpc

__all__ = ["CHANNEL_OPTIONS", "MESSAGE_BYTES", "Attempts", "ServerError", "credentials", "error_of", "open_channel"]

MESSAGE_BYTES = 64 * 1024 * 1024
"""Largest message; gRPC's own limit, 4 MiB, is less than one image of 1100 x 1100."""

CHANNEL_OPTIONS = [
    # A name that stands for several servers: take turns, not all calls to the first.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    # The pauses between attempts are ours (`Attempts`); gRPC's own, up to two minutes, would outlast the deadline.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
]


class ServerError(P2PError):
    """The server did not answer, or refused for a reason that is not the image's.

    Attributes
    ----------
    code : grpc.StatusCode
        UNAVAILABLE (after all attempts), DEADLINE_EXCEEDED, NOT_FOUND (no such model), RESOURCE_EXHAUSTED, ...
    """

    def __init__(self, address: str, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{address}: {code.name}: {details}")
        self.code = code


class Attempts:
    """When to try again: on UNAVAILABLE only, after growing random pauses, within the deadline of the whole.

    UNAVAILABLE says that the request was not taken up. After any other error a second try would fail as the first, or
    add to an overload.

    Parameters
    ----------
    timeout : float
        Seconds for all attempts together.
    most : int
        Attempts in all.
    first_pause, longest_pause : float
        Bounds of the pauses in seconds; the upper one doubles from the first to the longest.
    """

    def __init__(self, timeout: float, most: int, first_pause: float = 0.1, longest_pause: float = 5.0) -> None:
        self._until = time.monotonic() + timeout
        self._most, self._first, self._longest = most, first_pause, longest_pause
        self._made = 0

    def left(self) -> float:
        """Seconds until the deadline, for the next attempt."""
        self._made += 1
        return max(self._until - time.monotonic(), 0.001)

    def pause_after(self, code: grpc.StatusCode) -> float | None:
        """Seconds to wait before the next attempt; None if there is to be none."""
        if code.name != "UNAVAILABLE" or self._made >= self._most:
            return None
        ceiling = min(self._first * 2.0 ** (self._made - 1), self._longest)
        # Random, so that clients who lost the same server do not all come back at once.
        pause = random.uniform(0.5 * ceiling, ceiling)
        return pause if time.monotonic() + pause < self._until else None


def credentials(tls: Any) -> Any:
    """Make channel credentials; None for plain text.

    Parameters
    ----------
    tls : bool, path or grpc.ChannelCredentials
        See `ProfileClient`.

    Raises
    ------
    UsageError
        The file of root certificates can't be read.
    """
    import grpc

    if tls is False or tls is None:
        return None
    if tls is True:
        return grpc.ssl_channel_credentials()
    if isinstance(tls, (str, os.PathLike)):
        try:
            return grpc.ssl_channel_credentials(root_certificates=Path(tls).read_bytes())
        except OSError as error:
            raise UsageError(f"{tls}: root certificates can't be read ({error.strerror})") from error
    return tls


def open_channel(grpc_module: Any, address: str, tls: Any) -> Any:
    """Open a channel, blocking (`grpc`) or of the running event loop (`grpc.aio`)."""
    secret = credentials(tls)
    if secret is None:
        return grpc_module.insecure_channel(address, options=CHANNEL_OPTIONS)
    return grpc_module.secure_channel(address, secret, options=CHANNEL_OPTIONS)


def error_of(error: Any, address: str, source: str) -> P2PError:
    """Turn a gRPC error into one that names the image, where the image is at fault, or else the server."""
    if error.code().name == "INVALID_ARGUMENT":
        return InputError(source, error.details())
    return ServerError(address, error.code(), error.details())
