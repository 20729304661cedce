"""Shards -> batches without TensorFlow: the images, labels and variations of `make_dataset`, in numpy.

The formulas are those of `augmentation` and `labels`, whose operations belong to tf.data's graph; tests hold both
against each other. The draws differ: there are two generators of random numbers.
"""

from __future__ import annotations

import copy
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np

from p2p_keras.core import ellipse, radii, units
from p2p_keras.core.processes import available_cores
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.pipeline.sources import (
    MOST_SIGMA,
    SHUFFLE_BUFFER,
    Augmentation,
    by_fitting_sizes,
    checked_shards,
    records_in,
)
from p2p_keras.data.shards import decode_example, read_records

__all__ = ["ShardBatches", "targets_on_grid", "crop", "turn"]

_AHEAD = 4  # batches that are made ready

Batch = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]


class ShardBatches(keras.utils.PyDataset):
    """Batches of images and targets from shards, for Keras' `fit` and `evaluate` on any backend, and to iterate over.

    Parameters and batches are those of `p2p_keras.data.pipeline.make_dataset`; arrays are numpy's. Keras asks for
    batches in their order (``shuffle=False``), since files are read from begin to end.

    Raises
    ------
    UsageError
        When there are no shards, no such split, or they are of another schema.
    InputError
        For a damaged record, when it is read.
    """

    def __init__(
        self,
        data: str | os.PathLike,
        split: str,
        *,
        batch_size: int,
        image_sizes: Sequence[int] = (256,),
        largest: bool = False,
        augment: bool | Augmentation = False,
        shuffle: bool = False,
        seed: int | None = None,
        repeat: bool = False,
        shuffle_buffer: int = SHUFFLE_BUFFER,
    ) -> None:
        super().__init__()
        paths = checked_shards(data, split, batch_size, image_sizes)
        groups = by_fitting_sizes(paths, tuple(map(int, image_sizes)), largest)
        self._groups = [(sizes, group, share) for sizes, (group, share) in groups.items()]
        self.batch_size, self._shuffled, self._buffer, self._endless = batch_size, shuffle, shuffle_buffer, repeat
        self._policy = Augmentation() if augment is True else (augment or None)
        self._seed = int(np.random.default_rng().integers(2**31)) if seed is None else int(seed)
        self._passes = 0
        self._stream: Iterator[Batch] | None = None

    @property
    def num_batches(self) -> int | None:
        """Batches of one pass; None where there is no end."""
        if self._endless:
            return None
        return sum(-(-records_in(group) // self.batch_size) for _, group, _ in self._groups)

    def repeat(self) -> ShardBatches:
        """The same batches for ever."""
        endless = copy.copy(self)
        endless._endless, endless._stream = True, None
        return endless

    def __getitem__(self, index: int) -> Batch:
        if index == 0 or self._stream is None:
            self._stream = iter(self)
        return next(self._stream)

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng([self._seed, self._passes])
        self._passes += self._shuffled  # other variations in each pass, the same in each run
        parts = [self._of_group(sizes, paths, rng.spawn(1)[0]) for sizes, paths, _ in self._groups]
        if not self._endless:
            for part in parts:
                yield from part
        shares = np.array([share for _, _, share in self._groups])
        while self._endless:
            yield next(parts[rng.choice(len(parts), p=shares / shares.sum())])

    def _of_group(self, sizes: tuple[int, ...], paths: list[Path], rng: np.random.Generator) -> Iterator[Batch]:
        records, made, ended = self._records(paths, rng), deque[list[Future]](), False
        with ThreadPoolExecutor(available_cores()) as pool:
            while made or not ended:
                while not ended and len(made) < _AHEAD:
                    size, examples = int(rng.choice(sizes)), list[Future]()
                    for record, source in records:
                        examples.append(pool.submit(_example, record, source, size, self._policy, rng.spawn(1)[0]))
                        if len(examples) == self.batch_size:
                            break
                    ended = len(examples) < self.batch_size
                    if examples:
                        made.append(examples)
                if made:
                    yield _batch([example.result() for example in made.popleft()])

    def _records(self, paths: list[Path], rng: np.random.Generator) -> Iterator[tuple[bytes, str]]:
        """Serialized examples and their places, shuffled while they are still compact."""

        def in_order() -> Iterator[tuple[bytes, str]]:
            while True:
                order = rng.permutation(len(paths)) if self._shuffled else range(len(paths))
                for i in order:
                    for number, record in enumerate(read_records(paths[i])):
                        yield record, f"{paths[i]}: record {number}"
                if not self._endless:
                    return

        if not self._shuffled:
            yield from in_order()
            return
        held: list[tuple[bytes, str]] = []
        for record in in_order():
            if len(held) < self._buffer:
                held.append(record)
                continue
            place = int(rng.integers(len(held)))
            yield held[place]
            held[place] = record
        rng.shuffle(held)  # type: ignore[arg-type]
        yield from held


def _batch(examples: list[Batch]) -> Batch:
    inputs, targets = zip(*examples, strict=True)
    return tuple({name: np.stack([one[name] for one in part]) for name in part[0]} for part in (inputs, targets))  # type: ignore[return-value]


def _example(record: bytes, source: str, size: int, policy: Augmentation | None, rng: np.random.Generator) -> Batch:
    """Crop, vary and label one galaxy."""
    galaxy = decode_example(record, source)
    dx = dy = turns = 0
    mirror = False
    if policy:
        normal = np.clip(rng.standard_normal(2), -MOST_SIGMA, MOST_SIGMA)
        dx, dy = (int(shift) for shift in np.round(normal * policy.wobble * size))
        turns = int(rng.integers(4)) if policy.rotate else 0
        mirror = bool(rng.integers(2)) if policy.flip else False
    image, left, top = crop(galaxy.image, size, dx, dy)
    targets = targets_on_grid(galaxy, size)
    place = np.float32(galaxy.x0 - left), np.float32(galaxy.y0 - top)
    image, x0, y0, targets["e1"], targets["e2"] = turn(
        image, *place, targets["e1"], targets["e2"], turns=turns, mirror=mirror
    )
    known = bool(np.isfinite(x0) and np.isfinite(y0))
    numbers = {"x0": x0 if known else 0.0, "y0": y0 if known else 0.0}
    for name in ("mag_total", "noise", "sky"):
        value = getattr(galaxy, name)
        numbers[name] = value if np.isfinite(value) else 0.0
    targets |= {name: np.asarray(value, "float32") for name, value in numbers.items()}
    targets["centre_known"] = np.asarray(known)
    targets["mag_known"], targets["sky_known"] = (np.asarray(np.isfinite(v)) for v in (galaxy.mag_total, galaxy.sky))
    inputs = {"image": image, "zero_point": galaxy.zero_point, "pixel_scale": galaxy.pixel_scale}
    return {name: np.asarray(value, "float32") for name, value in inputs.items()}, targets


def crop(image: np.ndarray, size: int, dx: int, dy: int) -> tuple[np.ndarray, int, int]:
    """`augmentation.crop` in numpy: the middle square, moved by (dx, dy), and where it begins in the image."""
    height, width = image.shape
    left, top = (width - size) // 2 - dx, (height - size) // 2 - dy
    square = np.full((size, size), np.nan, "float32")
    x0, x1 = np.clip((left, left + size), 0, width)
    y0, y1 = np.clip((top, top + size), 0, height)
    square[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return square, left, top


def turn(image, x0, y0, e1, e2, *, turns: int, mirror: bool):
    """`augmentation.turn` in numpy: a square image with its centre and ellipse vectors, mirrored in x, then turned."""
    last = np.float32(image.shape[0] - 1)
    if mirror:
        image, x0, e2 = image[:, ::-1], last - x0, -e2
    for _ in range(turns % 4):
        image, x0, y0, e1, e2 = image.T[::-1], y0, last - x0, -e1, -e2
    return image, x0, y0, e1, e2


def targets_on_grid(galaxy: LabelledGalaxy, size: int) -> dict[str, np.ndarray]:
    """`labels.targets_on_grid` in numpy: the label at the radii of an image of `size` pixels."""
    grid = radii.grid_px(size) * galaxy.pixel_scale
    absent = np.full(len(galaxy.sma), np.nan)
    ellipticity = absent if galaxy.ellipticity is None else np.asarray(galaxy.ellipticity, float)
    pa = absent if galaxy.pa is None else np.asarray(galaxy.pa, float)
    # The angle of a circle may be NaN: it has none.
    e1, e2 = ellipse.vector_from_angles(ellipticity, np.where(ellipticity == 0.0, 0.0, pa))
    (mu, e1, e2), (mu_known, e1_known, e2_known) = _interpolate(grid, galaxy.sma, np.stack([galaxy.mu, e1, e2]))
    extent = galaxy.extent if np.isfinite(galaxy.extent) else galaxy.sma[-1]
    return {
        "mu": np.where(mu_known, mu, units.FILL_MU).astype("float32"),
        "known": mu_known,
        "within": grid <= extent * (1.0 + radii.SAME_RADIUS),
        "e1": e1.astype("float32"),
        "e2": e2.astype("float32"),
        "geometry_known": e1_known & e2_known,
    }


def _interpolate(grid: np.ndarray, sma: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`labels.interpolate` in numpy; values and what is known of them (C, K)."""
    at, knots = np.log(grid), np.log(np.asarray(sma, float))
    inside = (at >= knots[0] - radii.SAME_RADIUS) & (at <= knots[-1] + radii.SAME_RADIUS)
    right = np.clip(np.searchsorted(knots, at, side="right"), 0, len(knots) - 1)
    left = np.maximum(right - 1, 0)
    x0, x1 = knots[left], knots[right]
    weight = np.clip(np.divide(at - x0, x1 - x0, out=np.zeros_like(at), where=x1 > x0), 0.0, 1.0)
    # On a knot the neighbour doesn't count, so that it may be NaN.
    weight = np.where(at - x0 < radii.SAME_RADIUS, 0.0, np.where(x1 - at < radii.SAME_RADIUS, 1.0, weight))
    y0, y1 = values[:, left], values[:, right]
    mixed = np.where(weight == 0.0, y0, np.where(weight == 1.0, y1, (1.0 - weight) * y0 + weight * y1))
    known = inside & np.isfinite(mixed)
    return np.where(known, mixed, 0.0), known
