"""Many files -> profiles: threads read ahead while the model works on batches of one image shape."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, Unpack

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.images.image_options import FileOptions
from p2p_keras.measure.predictor import DEFAULT_BATCH_SIZE, group_by_shape
from p2p_keras.measure.reading_ahead import Cutting, read_ahead
from p2p_keras.profile.tables.measured import MeasuredProfile, as_plain, as_table

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage, InputFile, Target

__all__ = ["Prediction", "Finish", "Measurer", "ServerMeasurer", "predict_files", "predict_inputs"]


@dataclass(frozen=True)
class Prediction:
    """What became of one galaxy: an image with its profile, or an error.

    Attributes
    ----------
    source : str
        Its file.
    image : GalaxyImage or None
    measured : MeasuredProfile or None
        Its profile in plain arrays; `profile` is the table of it.
    error : P2PError or None
    target : Target or None
        Which galaxy of the file was meant; None where the file as a whole is at fault.
    """

    source: str
    image: GalaxyImage | None = None
    measured: MeasuredProfile | None = None
    error: P2PError | None = None
    target: Target | None = None

    @functools.cached_property
    def profile(self) -> QTable | None:
        """The profile as a table, made when it is asked for."""
        return as_table(self.measured)


Finish = Callable[[Sequence[Any], Sequence[Any]], Sequence[Any]]
"""What is done with the profiles of a batch before they are handed on, given their targets too; an error for one that
can't be used."""


class Measurer(Protocol):
    """What measures a batch: `Predictor`, or `ServerMeasurer`."""

    def measure(self, images: Sequence[GalaxyImage]) -> Sequence[MeasuredProfile | QTable | P2PError]:
        """Profiles of images of one shape, plain or as tables; an error in the place of one that can't be measured."""
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
    **options: Unpack[FileOptions],
) -> Iterator[Prediction]:
    """Measure many files with the same options for all, yielding each as soon as its batch is done.

    Parameters
    ----------
    predictor : Predictor or ServerMeasurer
    paths : iterable of str or path
    batch_size, readers : int
        As for `predict_inputs`.
    **options
        Of `p2p_keras.images.image_options.FileOptions`.

    Yields
    ------
    Prediction
        One per file.

    Raises
    ------
    UsageError
        The options contradict each other.
    """
    from p2p_keras.images.targets import files_as_inputs

    inputs = files_as_inputs(paths, **options)
    return predict_inputs(predictor, inputs, batch_size=batch_size, readers=readers)


def predict_inputs(
    predictor: Measurer,
    inputs: Iterable[InputFile],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    readers: int = 4,
    skip: Callable[[str, Target], bool] | None = None,
    finish: Finish | None = None,
    batches_ahead: int = 2,
    masked_apart: bool = False,
) -> Iterator[Prediction]:
    """Measure galaxies of many files, yielding each as soon as its batch is done.

    The order is that in which batches fill up: images of a rare shape come last. No more than a few batches of images
    are in memory at a time, however many files there are, and a file is open once for all its galaxies.

    Parameters
    ----------
    predictor : Predictor or ServerMeasurer
    inputs : iterable of InputFile
        See `p2p_keras.images.targets` and `p2p_keras.images.catalogue`.
    batch_size : int
        Largest number of images in one run of the model; only images of one shape share one.
    readers : int
        Threads that read files.
    skip : callable, optional
        Called with a file and a target; true: leave it out.
    finish : callable, optional
        Called with the profiles of a batch (`MeasuredProfile`) and their targets, in the threads that measure; gives
        what takes their place.
    batches_ahead : int
        Batches that are measured while another one is written; 0: all is done in turns, without a thread for it.
    masked_apart : bool
        As for `p2p_keras.measure.predictor.group_by_shape`.

    Yields
    ------
    Prediction
        One per galaxy that isn't skipped. What can't be used is yielded with its error and stops nothing else.

    Raises
    ------
    UsageError
        The options contradict each other.
    """
    failed: list[Prediction] = []
    cuttings: dict[int, Cutting] = {}

    def usable() -> Iterator[tuple[int, GalaxyImage]]:
        reading = read_ahead(inputs, readers=readers, ahead=2 * batch_size, skip=skip)
        for number, cutting in enumerate(reading):
            if cutting.image is None:
                failed.append(Prediction(cutting.source, error=cutting.error, target=cutting.target))
            else:
                cuttings[number] = cutting
                yield number, cutting.image

    def failures() -> Iterator[Prediction]:
        while failed:
            yield failed.pop(0)

    def measured_batch(group: list[tuple[int, GalaxyImage]]) -> list[Any]:
        answers = [as_plain(answer) for answer in predictor.measure([image for _, image in group])]
        if finish is None:
            return answers
        good = [i for i, answer in enumerate(answers) if not isinstance(answer, P2PError)]
        targets = [cuttings[group[i][0]].target for i in good]
        for i, finished in zip(good, finish([answers[i] for i in good], targets), strict=True):
            answers[i] = finished
        return answers

    groups = group_by_shape(usable(), batch_size, masked_apart=masked_apart)
    for group, answers in _measured(measured_batch, groups, batches_ahead):
        yield from failures()
        for (number, image), measured in zip(group, answers, strict=True):
            done = Prediction(image.source, target=cuttings.pop(number).target)
            if isinstance(measured, P2PError):
                named = measured if image.source in str(measured) else InputError(image.source, str(measured))
                yield replace(done, error=named)
            else:
                yield replace(done, image=image, measured=measured)
    yield from failures()


def _measured(
    measure: Callable[[list[tuple[int, GalaxyImage]]], list[Any]],
    groups: Iterable[list[tuple[int, GalaxyImage]]],
    ahead: int,
) -> Iterator[tuple[list[tuple[int, GalaxyImage]], list[Any]]]:
    """Measure the next batches in threads while the caller writes the last one.

    Several at a time: while the tables of one are made, the network has the other.
    """
    if ahead < 1:
        yield from ((group, measure(group)) for group in groups)
        return
    pool = ThreadPoolExecutor(max_workers=ahead, thread_name_prefix="measure")
    running: deque[tuple[list[tuple[int, GalaxyImage]], Future[list[Any]]]] = deque()
    try:
        for group in groups:
            running.append((group, pool.submit(measure, group)))
            if len(running) > ahead:
                done, answers = running.popleft()
                yield done, answers.result()
        while running:
            done, answers = running.popleft()
            yield done, answers.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
