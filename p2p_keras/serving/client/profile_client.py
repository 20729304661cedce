"""The client itself; its parts are in `connection` and `messages`."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np

from p2p_keras.core.contract import DEFAULT_MODEL
from p2p_keras.core.errors import P2PError
from p2p_keras.images.image_options import ImageOptions
from p2p_keras.serving.client.connection import Attempts, error_of, open_channel
from p2p_keras.serving.client.messages import arrays_of, inputs_of, predict_request, table_of

if TYPE_CHECKING:
    import grpc
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["ProfileClient"]


class ProfileClient:
    """A client of one model on one server. Threads may share it.

    Parameters
    ----------
    address : str
        ``host:port``.
    model : str
        Name of the model.
    version : int, optional
        By default the newest that the server has.
    timeout : float
        Seconds for one image, all attempts together, unless a call says otherwise.
    attempts : int
        Most attempts while the server is UNAVAILABLE.
    concurrency : int
        Requests in flight in `profiles`; the server merges them into batches.
    tls : bool, path or grpc.ChannelCredentials
        False: plain text. True: TLS with the system's root certificates. A path: a PEM file of root certificates.

    Examples
    --------
    >>> with ProfileClient("localhost:8500") as client:
    ...     profile = client.profile(array, zero_point=22.5, pixel_scale=0.396)
    """

    def __init__(
        self,
        address: str,
        *,
        model: str = DEFAULT_MODEL,
        version: int | None = None,
        timeout: float = 30.0,
        attempts: int = 6,
        concurrency: int = 16,
        tls: bool | str | os.PathLike[str] | grpc.ChannelCredentials = False,
    ) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        import grpc
        from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

        self.address, self.model, self.version = address, model, version
        self.timeout, self.attempts, self.concurrency = timeout, attempts, concurrency
        self._tls = tls
        self._make_stub = PredictionServiceStub
        self._channel = open_channel(grpc, address, tls)
        self._stub = PredictionServiceStub(self._channel)
        self._async: tuple[Any, Any, Any] | None = None

    # --- one and many, waiting for the answer ---

    def profile(self, image: Any, *, timeout: float | None = None, **options: Unpack[ImageOptions]) -> QTable:
        """Measure the profile of one galaxy.

        Parameters
        ----------
        image : str, path, array (H, W) or GalaxyImage
        timeout : float, optional
            Seconds, all attempts together.
        **options
            See `p2p_keras.images.image_options.ImageOptions`.

        Returns
        -------
        astropy.table.QTable
            As `p2p_keras.profile` describes it.

        Raises
        ------
        InputError
            The image can't be used: found here or by the server.
        ServerError
            The server has no answer.
        """
        return self._profile(_read(image, options), timeout)

    def profiles(
        self,
        images: Iterable[Any],
        *,
        on_error: Literal["raise", "return"] = "raise",
        timeout: float | None = None,
        **options: Unpack[ImageOptions],
    ) -> list[Any]:
        """Measure many galaxies, several at once.

        Parameters
        ----------
        images : iterable of str, path, array or GalaxyImage
            Read as they are needed, `concurrency` at a time.
        on_error : {"raise", "return"}
            What becomes of an image without an answer: raise its `InputError` or `ServerError`, or put that in the list
            in place of the profile.
        timeout : float, optional
            Seconds for each image.
        **options
            As for `profile`, the same for all.

        Returns
        -------
        list of QTable
            In the order of `images`.
        """
        results: list[Any] = []
        in_flight: deque[Future] = deque()
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="profile") as pool:
            try:
                for index, image in enumerate(images):
                    if len(in_flight) >= self.concurrency:
                        results.append(_outcome(in_flight.popleft(), on_error))
                    in_flight.append(pool.submit(self._read_and_profile, image, index, timeout, options))
                while in_flight:
                    results.append(_outcome(in_flight.popleft(), on_error))
            finally:
                for future in in_flight:
                    future.cancel()
        return results

    def outputs(
        self, pixels: np.ndarray, zero_point: Any, pixel_scale: Any, *, timeout: float | None = None
    ) -> dict[str, np.ndarray]:
        """Raw outputs of the model for images of one shape.

        Parameters
        ----------
        pixels : float32 array (B, H, W)
        zero_point, pixel_scale : float or array (B,)

        Returns
        -------
        dict of str to array, batch first
        """
        batch = len(pixels)
        scalars = {"zero_point": zero_point, "pixel_scale": pixel_scale}
        values = {k: np.broadcast_to(np.asarray(v, np.float32), (batch,)) for k, v in scalars.items()}
        inputs = {"image": np.asarray(pixels, np.float32), **values}
        request = predict_request(inputs, model=self.model, version=self.version)
        return arrays_of(self._call(request, "request", timeout))

    # --- the same for programs with an event loop ---

    async def profile_async(
        self, image: Any, *, timeout: float | None = None, **options: Unpack[ImageOptions]
    ) -> QTable:
        """As `profile`, without blocking the event loop: files are read in a thread."""
        return await self._profile_async(image, 0, timeout, options)

    async def profiles_async(
        self,
        images: Iterable[Any],
        *,
        on_error: Literal["raise", "return"] = "raise",
        timeout: float | None = None,
        **options: Unpack[ImageOptions],
    ) -> list[Any]:
        """As `profiles`, without blocking the event loop."""
        places = asyncio.Semaphore(self.concurrency)

        async def one(image: Any, index: int) -> Any:
            async with places:
                try:
                    return await self._profile_async(image, index, timeout, options)
                except P2PError as error:
                    if on_error == "raise":
                        raise
                    return error

        tasks = [asyncio.ensure_future(one(image, index)) for index, image in enumerate(images)]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    # --- life ---

    def close(self) -> None:
        """Close the connection of the blocking calls."""
        self._channel.close()

    async def close_async(self) -> None:
        """Close both connections, that of the running event loop and that of the blocking calls."""
        if self._async is not None:
            await self._async[1].close()
            self._async = None
        self.close()

    def __enter__(self) -> ProfileClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> ProfileClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_async()

    # --- parts ---

    def _read_and_profile(self, image: Any, index: int, timeout: float | None, options: ImageOptions) -> QTable:
        return self._profile(_read(image, options, index), timeout)

    def _profile(self, image: GalaxyImage, timeout: float | None) -> QTable:
        response = self._call(self._request(image), image.source or image.name, timeout)
        return table_of(response, image)

    async def _profile_async(self, image: Any, index: int, timeout: float | None, options: ImageOptions) -> QTable:
        read = await asyncio.to_thread(_read, image, options, index)
        response = await self._call_async(self._request(read), read.source or read.name, timeout)
        return await asyncio.to_thread(table_of, response, read)

    def _request(self, image: GalaxyImage) -> Any:
        return predict_request(inputs_of(image), model=self.model, version=self.version)

    def _call(self, request: Any, source: str, timeout: float | None) -> Any:
        import grpc

        attempts = Attempts(self.timeout if timeout is None else timeout, self.attempts)
        while True:
            try:
                return self._stub.Predict(request, timeout=attempts.left())
            except grpc.RpcError as error:
                pause = attempts.pause_after(error.code())
                if pause is None:
                    raise error_of(error, self.address, source) from error
            time.sleep(pause)

    async def _call_async(self, request: Any, source: str, timeout: float | None) -> Any:
        import grpc

        attempts = Attempts(self.timeout if timeout is None else timeout, self.attempts)
        stub = self._async_stub()
        while True:
            try:
                return await stub.Predict(request, timeout=attempts.left())
            except grpc.RpcError as error:
                pause = attempts.pause_after(error.code())
                if pause is None:
                    raise error_of(error, self.address, source) from error
            await asyncio.sleep(pause)

    def _async_stub(self) -> Any:
        from grpc import aio

        # A channel belongs to the event loop in which it was made.
        loop = asyncio.get_running_loop()
        if self._async is None or self._async[0] is not loop:
            channel = open_channel(aio, self.address, self._tls)
            self._async = (loop, channel, self._make_stub(channel))
        return self._async[2]


def _read(image: Any, options: ImageOptions, index: int = 0) -> GalaxyImage:
    from p2p_keras.images.reading import as_galaxy_image

    return as_galaxy_image(image, index=index, **options)


def _outcome(future: Future, on_error: str) -> Any:
    try:
        return future.result()
    except P2PError as error:
        if on_error == "raise":
            raise
        return error
