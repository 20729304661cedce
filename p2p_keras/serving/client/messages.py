"""Images to PredictRequests, PredictResponses to profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from astropy.table import QTable

    from p2p_keras.images import GalaxyImage

__all__ = ["arrays_of", "inputs_of", "predict_request", "table_of"]


def inputs_of(image: GalaxyImage) -> dict[str, np.ndarray]:
    """Make a batch of one image."""
    return {
        "image": np.asarray(image.pixels, np.float32)[None],
        "zero_point": np.array([image.zero_point], np.float32),
        "pixel_scale": np.array([image.pixel_scale], np.float32),
    }


def predict_request(inputs: dict[str, np.ndarray], *, model: str, version: int | None) -> Any:
    """Write a PredictRequest for ``serving_default`` of float32 arrays."""
    from tensorflow.core.framework import types_pb2
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    if version is not None:
        request.model_spec.version.value = version
    for name, array in inputs.items():
        proto = request.inputs[name]
        proto.dtype = types_pb2.DT_FLOAT
        for n in array.shape:
            proto.tensor_shape.dim.add().size = n
        proto.tensor_content = np.ascontiguousarray(array, "<f4").tobytes()
    return request


def arrays_of(response: Any) -> dict[str, np.ndarray]:
    """Read the outputs of a PredictResponse."""
    import tensorflow as tf

    return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}


def table_of(response: Any, image: GalaxyImage) -> QTable:
    """Make the profile of the image from the response to its request, as `Predictor` does."""
    from p2p_keras.profile.tables.building import profile_table

    outputs = {name: array[0] for name, array in arrays_of(response).items()}
    return profile_table(
        outputs, image, model=response.model_spec.name, model_version=str(response.model_spec.version.value)
    )
