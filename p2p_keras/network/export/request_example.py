"""A request's tf.Example: an image with its zero point and pixel scale, without a label."""

from __future__ import annotations

import numpy as np

from p2p_keras.data.shards.schema import SCHEMA_VERSION


def encode_request(image: np.ndarray, zero_point: float, pixel_scale: float) -> bytes:
    """Serialize an image for the ``serialized_example`` signature: the features of the shards' schema that it reads.

    Parameters
    ----------
    image : array (H, W)
        Linear flux per pixel; NaN where masked.
    zero_point : float, mag
    pixel_scale : float, arcsec per pixel

    Returns
    -------
    bytes
    """
    from tensorflow.core.example.example_pb2 import Example

    pixels = np.ascontiguousarray(image, dtype="<f4")
    example = Example()
    feature = example.features.feature
    feature["schema_version"].int64_list.value.append(SCHEMA_VERSION)
    feature["image"].bytes_list.value.append(pixels.tobytes())
    feature["image/height"].int64_list.value.append(pixels.shape[0])
    feature["image/width"].int64_list.value.append(pixels.shape[1])
    feature["zero_point"].float_list.value.append(float(zero_point))
    feature["pixel_scale"].float_list.value.append(float(pixel_scale))
    return example.SerializeToString(deterministic=True)
