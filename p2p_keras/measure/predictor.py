"""Image -> profile with an exported model."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import numpy as np

from p2p_keras.core.errors import InputError, P2PError
from p2p_keras.images.image_options import ImageOptions
from p2p_keras.images.reading import as_galaxy_image
from p2p_keras.measure.along import with_photometry
from p2p_keras.measure.backends import Backend, load_backend
from p2p_keras.measure.known_sky import KnownSky

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage
    from p2p_keras.profile.tables.measured import MeasuredProfile

__all__ = ["DEFAULT_BATCH_SIZE", "WAITING_PIXELS", "Predictor", "group_by_shape"]

DEFAULT_BATCH_SIZE = 16
PIXELS_PER_BATCH = 64 * 256 * 256
"""A batch holds no more pixels than this (one image at least): large images would fill the memory."""

WAITING_PIXELS = 4 * PIXELS_PER_BATCH
"""Images of rare shapes wait for others of theirs until so many pixels wait, then the fullest batch is run."""


class Predictor:
    """Measures profiles with an exported model.

    Parameters
    ----------
    backend : Backend
        A loaded model; `Predictor.load` makes one from files.

    Examples
    --------
    >>> predictor = Predictor.load()
    >>> profile = predictor.predict("galaxy.fits")
    >>> profile = predictor.predict(array, zero_point=22.5, pixel_scale=0.396)
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._running = threading.BoundedSemaphore(getattr(backend, "at_once", 1))

    @classmethod
    def load(cls, model: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> Predictor:
        """Load a SavedModel (NAME/VERSION, or NAME for its newest version) or an ONNX file.

        Parameters
        ----------
        model : str or path, optional
            By default the newest version of the shipped model ``isophote``; see
            `p2p_keras.core.model_files.find_model`.
        threads : int, optional
            Threads of the computation; by default all cores.

        Raises
        ------
        UsageError
            There is no such model.
        """
        return cls(load_backend(model, threads=threads))

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self.backend.name

    @property
    def model_version(self) -> str:
        """Version of the model, '' where it has none."""
        return self.backend.version

    def predict(
        self,
        image: Any,
        *,
        photometry: bool = False,
        sky: float | str | None = None,
        **options: Unpack[ImageOptions],
    ) -> QTable:
        """Measure the profile of one galaxy.

        Parameters
        ----------
        image : str, path, array (H, W) or GalaxyImage
            FITS file; or linear flux with NaN (or a numpy mask) where a pixel is to be ignored.
        photometry : bool
            Measure the pixels along the profile's ellipses too: ``intensity``, ``n_pix``, harmonics, errors of shapes
            (`p2p_keras.measure.along.with_photometry`).
        sky : float or "unknown", optional
            A level in flux per pixel that is subtracted first; ``"unknown"`` where the image's zero says nothing of its
            sky (`p2p_keras.measure.known_sky.KnownSky`).
        **options
            What the header lacks or has wrong: ``zero_point`` (AB magnitude of unit flux) and ``pixel_scale`` (arcsec),
            needed for an array, ``mask``, ``band``, ``ra``, ``dec``, ``hdu``, ... All are named by
            `p2p_keras.images.image_options.ImageOptions`.

        Returns
        -------
        astropy.table.QTable
            See `p2p_keras.profile`.

        Raises
        ------
        InputError
            The image can't be used; it says why.
        """
        return self.predict_batch([image], photometry=photometry, sky=sky, **options)[0]

    @overload
    def predict_batch(
        self,
        images: Iterable[Any],
        *,
        on_error: Literal["raise"] = ...,
        batch_size: int = ...,
        photometry: bool = ...,
        sky: float | str | None = ...,
        **options: Unpack[ImageOptions],
    ) -> list[QTable]: ...
    @overload
    def predict_batch(
        self,
        images: Iterable[Any],
        *,
        on_error: Literal["return"],
        batch_size: int = ...,
        photometry: bool = ...,
        sky: float | str | None = ...,
        **options: Unpack[ImageOptions],
    ) -> list[QTable | InputError]: ...

    def predict_batch(
        self,
        images: Iterable[Any],
        *,
        on_error: Literal["raise", "return"] = "raise",
        batch_size: int = DEFAULT_BATCH_SIZE,
        photometry: bool = False,
        sky: float | str | None = None,
        **options: Unpack[ImageOptions],
    ) -> Any:
        """Measure many galaxies; images of one shape share a batch.

        Parameters
        ----------
        images : iterable of str, path, array or GalaxyImage
        on_error : {"raise", "return"}
            What becomes of an image that can't be used: raise its `InputError`, or put it in the list in place of the
            profile.
        batch_size : int
            Largest number of images in one batch.
        photometry : bool
            As for `predict`.
        sky, **options
            As for `predict`, the same for all.

        Returns
        -------
        list of QTable
            In the order of `images`.
        """
        if on_error not in ("raise", "return"):
            raise ValueError(f"on_error must be 'raise' or 'return', not {on_error!r}")
        measurer = self if sky is None else KnownSky(self, sky)
        usable: list[tuple[int, GalaxyImage]] = []
        results: dict[int, QTable | P2PError] = {}
        number = -1
        for number, image in enumerate(images):
            try:
                usable.append((number, as_galaxy_image(image, index=number, **options)))
            except InputError as error:
                if on_error == "raise":
                    raise
                results[number] = error
        for group in group_by_shape(usable, batch_size):
            for (index, image), profile in zip(group, measurer.measure([image for _, image in group]), strict=True):
                if on_error == "raise" and isinstance(profile, P2PError):
                    raise profile
                if isinstance(profile, P2PError):
                    results[index] = profile
                else:
                    results[index] = (with_photometry(profile, image) if photometry else profile).table()
        return [results[i] for i in range(number + 1)]

    def measure(self, images: Sequence[GalaxyImage]) -> list[MeasuredProfile]:
        """Measure images that all have one shape, in one run of the model.

        Parameters
        ----------
        images : sequence of GalaxyImage

        Returns
        -------
        list of MeasuredProfile
            In the same order; `MeasuredProfile.table` makes tables.
        """
        from p2p_keras.profile.tables.building import measured_profiles

        return measured_profiles(self.run(images), images, model=self.model_name, model_version=self.model_version)

    def run(self, images: Sequence[GalaxyImage]) -> dict[str, np.ndarray]:
        """Raw outputs of the model for images that all have one shape.

        Parameters
        ----------
        images : sequence of GalaxyImage

        Returns
        -------
        dict of arrays
            The outputs of `p2p_keras.core.contract`, with a batch axis: (B,) or (B, K).
        """
        inputs = (
            np.stack([np.asarray(image.pixels, dtype=np.float32) for image in images]),
            np.array([image.zero_point for image in images], dtype=np.float32),
            np.array([image.pixel_scale for image in images], dtype=np.float32),
        )
        with self._running:
            return self.backend.run(*inputs)


_PATIENCE = 8


def group_by_shape(
    images: Iterable[tuple[int, GalaxyImage]], batch_size: int = DEFAULT_BATCH_SIZE, *, masked_apart: bool = False
) -> Iterator[list[tuple[int, GalaxyImage]]]:
    """Yield batches of one shape each as soon as they are full, the rest at the end.

    Parameters
    ----------
    images : iterable of (index, GalaxyImage)
    batch_size : int
        Largest number of images in a batch; fewer for large ones (`PIXELS_PER_BATCH`).
    masked_apart : bool
        Images with masked pixels have batches of their own: to fill holes takes the network a quarter of its time, for
        all images of a batch. A batch that isn't full after eight times as many other images is yielded as it is.
    """
    waiting: dict[tuple[int, ...], list[tuple[int, GalaxyImage]]] = {}
    begun: dict[tuple[int, ...], int] = {}
    pixels = 0
    for number, (index, image) in enumerate(images):
        shape = np.shape(image.pixels)
        if masked_apart:
            shape = (*shape, int(not np.isfinite(np.sum(image.pixels))))
            first = next(iter(waiting), None)
            if first is not None and number - begun[first] > _PATIENCE * batch_size:
                pixels -= first[0] * first[1] * len(waiting[first])
                yield waiting.pop(first)
        group = waiting.setdefault(shape, [])
        if not group:
            begun[shape] = number
        group.append((index, image))
        area = shape[0] * shape[1]
        pixels += area
        if len(group) >= min(batch_size, max(1, PIXELS_PER_BATCH // area)):
            pixels -= area * len(group)
            yield waiting.pop(shape)
        elif pixels > WAITING_PIXELS:
            fullest = max(waiting, key=lambda shape: shape[0] * shape[1] * len(waiting[shape]))
            pixels -= fullest[0] * fullest[1] * len(waiting[fullest])
            yield waiting.pop(fullest)
    yield from waiting.values()
