"""What requests may cost the server, in one place. Beyond a limit the answer is RESOURCE_EXHAUSTED."""

from __future__ import annotations

from dataclasses import dataclass

from p2p_keras.core.contract import MAX_SIDE

__all__ = ["MIB", "Limits"]

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Bounds on messages, images, queue and open calls.

    Attributes
    ----------
    message_bytes : int
        Largest message either way. gRPC's own default, 4 MiB, holds no 2048 x 2048 float32 image (16.8 MB).
    request_pixels : int
        Most elements in the tensors of one request; by default four images of 2048 x 2048.
    batch_size : int
        Most images in one run of the model, merged from several requests; 1 switches merging off. A single request
        may hold more: it then runs alone.
    batch_pixels : int
        Most elements in one merged run.
    batch_wait_s : float
        Seconds that a request waits for others to share its run. With 0 the server merges what has queued up while the
        last run lasted: alone, a request never waits.
    queue_length : int
        Requests waiting for a run.
    queue_pixels : int
        Elements in all waiting requests together: this, not the number of requests, bounds the memory.
    open_calls : int
        Predict calls open at once, also those whose message has not come in yet.
    receive_s : float
        Seconds within which the message of an opened call must have come in, so that dead clients hold no place.
    parallel_runs : int
        Runs at once. TensorFlow spreads each over the cores.
    """

    message_bytes: int = 64 * MIB
    request_pixels: int = 4 * MAX_SIDE**2
    batch_size: int = 16
    batch_pixels: int = 4 * MAX_SIDE**2
    batch_wait_s: float = 0.0
    queue_length: int = 256
    queue_pixels: int = 32 * MAX_SIDE**2
    open_calls: int = 512
    receive_s: float = 20.0
    parallel_runs: int = 1
