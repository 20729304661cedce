"""Measure profiles on a server: the same tables as `p2p_keras.Predictor`, from a model that runs elsewhere.

>>> client = ProfileClient("localhost:8500")
>>> profile = client.profile("galaxy.fits")
>>> profiles = client.profiles(["a.fits", "b.fits"], timeout=60)
>>> profile = await client.profile_async("galaxy.fits")

It speaks TensorFlow Serving's public API, to TensorFlow Serving or to ``python -m p2p_keras.serve`` alike.
"""

from __future__ import annotations

from p2p_keras.serving.client.connection import Attempts, ServerError
from p2p_keras.serving.client.profile_client import ProfileClient

__all__ = ["Attempts", "ProfileClient", "ServerError"]
