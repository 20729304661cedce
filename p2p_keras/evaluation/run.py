"""Measure labelled galaxies with one or several models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from p2p_keras.core.errors import InputError
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.evaluation.galaxy import GalaxyResult, compare_with_truth, has_bright_radii, within_extent
from p2p_keras.images import GalaxyImage
from p2p_keras.images.reading import as_galaxy_image
from p2p_keras.measure.predictor import DEFAULT_BATCH_SIZE, group_by_shape

__all__ = ["Method", "Evaluation", "evaluate_models", "image_of_label"]


class Method(Protocol):
    """What can be evaluated: a `p2p_keras.measure.predictor.Predictor`, or `p2p_keras.evaluation.ClassicalMethod`."""

    @property
    def model_name(self) -> str:
        """Name of the method."""

    @property
    def model_version(self) -> str:
        """Its version, '' where it has none."""

    def run(self, images: Sequence[GalaxyImage]) -> dict[str, Any]:
        """Raw outputs, with a batch axis, of images of one shape; ``failure`` (texts) may be among them."""


@dataclass
class Evaluation:
    """One method's results on a set of galaxies, in the set's order.

    Attributes
    ----------
    model : str
        Name and version.
    results : list of GalaxyResult
    seconds : float
        Time that the model took (not the reading of shards).
    """

    model: str
    results: list[GalaxyResult] = field(default_factory=list)
    seconds: float = 0.0


def evaluate_models(
    methods: Sequence[Method],
    galaxies: Iterable[LabelledGalaxy],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    on_galaxy: Callable[[], None] | None = None,
) -> list[Evaluation]:
    """Measure galaxies with every method; they are read once.

    Parameters
    ----------
    methods : sequence of Predictor or ClassicalMethod
    galaxies : iterable of LabelledGalaxy
        For instance ``p2p_keras.data.shards.read_shards(paths)``.
    batch_size : int
    on_galaxy : callable, optional
        Called after each galaxy, for a progress bar.

    Returns
    -------
    list of Evaluation
        One per model. A galaxy that a model can't take is in it, with NaN and its cause.
    """
    evaluations = [Evaluation(label) for label in _labels_of(methods)]
    results: list[dict[int, GalaxyResult]] = [{} for _ in methods]
    labels: dict[int, LabelledGalaxy] = {}

    def images() -> Iterator[tuple[int, GalaxyImage]]:
        for number, label in enumerate(galaxies):
            try:
                image = image_of_label(label)
            except InputError as error:
                for result in results:
                    result[number] = _without_prediction(label, error.cause)
                if on_galaxy:
                    on_galaxy()
                continue
            labels[number] = label
            yield number, image

    for group in group_by_shape(images(), batch_size):
        for method, evaluation, result in zip(methods, evaluations, results, strict=True):
            start = time.perf_counter()
            outputs = method.run([image for _, image in group])
            evaluation.seconds += time.perf_counter() - start
            for i, (number, image) in enumerate(group):
                raw = {name: values[i] for name, values in outputs.items()}
                offset = (image.x_offset, image.y_offset)
                result[number] = compare_with_truth(labels[number], raw, offset=offset)
        for number, _ in group:
            del labels[number]
            if on_galaxy:
                on_galaxy()
    for evaluation, result in zip(evaluations, results, strict=True):
        evaluation.results = [result[number] for number in sorted(result)]
    return evaluations


def image_of_label(label: LabelledGalaxy) -> GalaxyImage:
    """Image of a labelled galaxy as a user would hand it in: without its label.

    Raises
    ------
    InputError
        It can't be one (every pixel is masked, a size that no model takes).
    """
    return as_galaxy_image(
        label.image, zero_point=label.zero_point, pixel_scale=label.pixel_scale, name=label.name, band=label.band
    )


def _without_prediction(label: LabelledGalaxy, cause: str) -> GalaxyResult:
    sma, mu = within_extent(label)
    size = float(sma[-1]) / label.pixel_scale if sma.size else float("nan")
    return GalaxyResult(label.name, label.band, extent_px=size, has_bright=has_bright_radii(mu), failure=cause)


def _labels_of(methods: Sequence[Method]) -> list[str]:
    """Names of the methods for tables; with their file or a number where two would be alike."""
    names = [f"{method.model_name} {method.model_version}".strip() for method in methods]
    if len(set(names)) < len(names):
        files = [getattr(getattr(method, "backend", None), "path", None) for method in methods]
        names = [f"{name} ({file.name})" if file else name for name, file in zip(names, files, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{name} #{number}" for number, name in enumerate(names, start=1)]
    return names
