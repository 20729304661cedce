"""Many files -> profiles: threads read ahead while the model works on batches of one image shape."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from p2p_keras.errors import InputError, P2PError
from p2p_keras.predictor import DEFAULT_BATCH_SIZE, as_galaxy_image, group_by_shape

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage


@dataclass(frozen=True)
class Prediction:
    """What became of one input: an image with its profile, or an error."""

    source: str
    image: GalaxyImage | None = None
    profile: QTable | None = None
    error: P2PError | None = None


class Measurer(Protocol):
    """What measures a batch: `Predictor`, or `ServerMeasurer`."""

    def measure(self, images: Sequence[GalaxyImage]) -> Sequence[QTable | P2PError]:
        """Profiles of images of one shape; an error in the place of one that can't be measured."""
        ...


class ServerMeasurer:
    """Measures by a model server, see `p2p_keras.client.ProfileClient`.

    Parameters
    ----------
    client : ProfileClient
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def measure(self, images: Sequence[GalaxyImage]) -> Sequence[QTable | P2PError]:
        """Ask for the profiles of some images, several at a time."""
        return self.client.profiles(images, on_error="return")


def predict_files(
    predictor: Measurer,
    paths: Iterable[str | os.PathLike[str]],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    readers: int = 4,
    **options: Any,
) -> Iterator[Prediction]:
    """Measure many files, yielding each as soon as its batch is done.

    The order is that in which batches fill up: images of a rare shape come last. No more than a few batches of images
    are in memory at a time, however many files there are.

    Parameters
    ----------
    predictor : Predictor or ServerMeasurer
    paths : iterable of str or path
    batch_size : int
        Largest number of images in one run of the model; only images of one shape share one.
    readers : int
        Threads that read files.
    **options
        As `p2p_keras.images.read_image` takes them, the same for all.

    Yields
    ------
    Prediction
        One per input. An input that can't be used is yielded with its error and stops no other.

    Raises
    ------
    UsageError
        The options contradict each other.
    """
    failed: list[Prediction] = []
    done = 0

    def usable() -> Iterator[tuple[int, GalaxyImage]]:
        for number, read in enumerate(_read_ahead(paths, readers, 2 * batch_size, options)):
            if isinstance(read, InputError):
                failed.append(Prediction(read.source, error=read))
            else:
                yield number, read

    for group in group_by_shape(usable(), batch_size):
        images = [image for _, image in group]
        yield from failed[done:]
        done = len(failed)
        for image, measured in zip(images, predictor.measure(images), strict=True):
            if isinstance(measured, P2PError):
                named = measured if image.source in str(measured) else InputError(image.source, str(measured))
                yield Prediction(image.source, error=named)
            else:
                yield Prediction(image.source, image=image, profile=measured)
    yield from failed[done:]


def _read_ahead(
    paths: Iterable[str | os.PathLike[str]], readers: int, ahead: int, options: dict[str, Any]
) -> Iterator[GalaxyImage | InputError]:
    """Images in the order of the paths, up to `ahead` of them read before they are asked for."""

    def read(path: str | os.PathLike[str]) -> GalaxyImage | InputError:
        try:
            return as_galaxy_image(os.fspath(path), **options)
        except InputError as error:
            # Named as the user named it, also where a mask or another file beside it is at fault.
            return error if os.fspath(path) in str(error) else InputError(path, str(error))
        except MemoryError:
            return InputError(path, "not enough memory to read it")

    pool = ThreadPoolExecutor(max_workers=max(1, readers), thread_name_prefix="read")
    waiting: deque[Future[GalaxyImage | InputError]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(read, path))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
