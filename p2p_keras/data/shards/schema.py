"""The one tf.Example schema: a galaxy image in one band with its profile.

=====================  ===========  ======================================================================
feature                type         meaning, unit, shape
=====================  ===========  ======================================================================
``schema_version``     int64 [1]    `SCHEMA_VERSION`
``name``               bytes [1]    the galaxy's name in UTF-8, the same in all its bands
``band``               bytes [1]    filter, such as ``r``; empty where unknown
``origin``             bytes [1]    how it was made
``image``              bytes [1]    height x width little-endian float32, row-major: linear flux per pixel, NaN = masked
``image/height``       int64 [1]    rows (y)
``image/width``        int64 [1]    columns (x)
``zero_point``         float [1]    AB magnitude of unit flux
``pixel_scale``        float [1]    arcsec per pixel
``center/x0``          float [1]    true centre, pixels; NaN where unknown
``center/y0``          float [1]    the same, rows
``extent``             float [1]    last sma at which the profile can be known, arcsec; NaN where unknown
``mag_total``          float [1]    total magnitude; NaN where unknown
``noise``              float [1]    1-sigma noise per pixel, flux; NaN where unknown
``sky``                float [1]    sky level left in the image, flux per pixel; NaN where unknown
``profile/sma``        float [N]    semi-major axes, arcsec, positive and increasing
``profile/mu``         float [N]    surface brightness, mag arcsec^-2; NaN where not known
``profile/ellipticity``  float [N]  optional: 1 - b/a
``profile/pa``         float [N]    optional: degrees counter-clockwise from +x
``profile/mu_err``     float [N]    optional: 1-sigma uncertainty of a measured label, mag arcsec^-2
=====================  ===========  ======================================================================

An image is bytes, not a float list: half the time to read, and exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError
from p2p_keras.data.labelled import LabelledGalaxy
from p2p_keras.data.shards.example import example_class

__all__ = [
    "SCHEMA_VERSION",
    "TEXT_FEATURES",
    "SCALAR_FEATURES",
    "REQUIRED_SEQUENCES",
    "OPTIONAL_SEQUENCES",
    "MAX_SIDE",
    "check_galaxy",
    "encode_example",
    "encode_image",
    "decode_example",
]

SCHEMA_VERSION = 1

TEXT_FEATURES = ("name", "band", "origin")
SCALAR_FEATURES = {
    "zero_point": "zero_point",
    "pixel_scale": "pixel_scale",
    "center/x0": "x0",
    "center/y0": "y0",
    "extent": "extent",
    "mag_total": "mag_total",
    "noise": "noise",
    "sky": "sky",
}
"""Feature to attribute of `LabelledGalaxy`."""
REQUIRED_SEQUENCES = {"profile/sma": "sma", "profile/mu": "mu"}
OPTIONAL_SEQUENCES = {"profile/ellipticity": "ellipticity", "profile/pa": "pa", "profile/mu_err": "mu_err"}

MAX_SIDE = 16384
"""No image of a galaxy is larger; a larger number is a damaged record."""


def check_galaxy(galaxy: LabelledGalaxy) -> None:
    """Check that a galaxy can be stored and trained on.

    Raises
    ------
    InputError
        Names the galaxy and the cause: a wrong shape, or a value that is missing or impossible.
    """
    source = galaxy.name or galaxy.origin or "galaxy without a name"

    def fail(cause: str) -> None:
        raise InputError(source, cause)

    if not galaxy.name:
        fail("has no name")
    image = np.asarray(galaxy.image)
    if image.ndim != 2 or 0 in image.shape:
        fail(f"image has shape {image.shape}, expected (height, width)")
    if max(image.shape) > MAX_SIDE:
        fail(f"image has shape {image.shape}, more than {MAX_SIDE} pixels a side")
    if not np.isfinite(galaxy.zero_point):
        fail(f"zero point is {galaxy.zero_point}")
    if not (np.isfinite(galaxy.pixel_scale) and galaxy.pixel_scale > 0):
        fail(f"pixel scale is {galaxy.pixel_scale}, expected arcsec per pixel > 0")
    sma = np.asarray(galaxy.sma, dtype=np.float32)
    if sma.ndim != 1 or sma.size == 0:
        fail(f"profile/sma has shape {sma.shape}, expected (N,) with N > 0")
    if not (np.all(np.isfinite(sma)) and np.all(sma > 0) and np.all(np.diff(sma) > 0)):
        fail("profile/sma must be finite, positive and increasing")
    for feature, attribute in {**REQUIRED_SEQUENCES, **OPTIONAL_SEQUENCES}.items():
        values = getattr(galaxy, attribute)
        if values is not None and np.shape(values) != sma.shape:
            fail(f"{feature} has shape {np.shape(values)}, profile/sma has {sma.shape}")
    if not np.any(np.isfinite(galaxy.mu)):
        fail("profile/mu has no finite value")


def encode_example(galaxy: LabelledGalaxy) -> bytes:
    """Serialize a galaxy as a tf.Example of this schema; the same bytes for the same galaxy.

    Raises
    ------
    InputError
        The image or the profile has a wrong shape or value.
    """
    check_galaxy(galaxy)
    example = _example_of_image(galaxy.image)
    feature = example.features.feature
    for key in TEXT_FEATURES:
        feature[key].bytes_list.value.append(str(getattr(galaxy, key)).encode("utf-8"))
    for key, attribute in SCALAR_FEATURES.items():
        feature[key].float_list.value.append(float(getattr(galaxy, attribute)))
    for key, attribute in {**REQUIRED_SEQUENCES, **OPTIONAL_SEQUENCES}.items():
        values = getattr(galaxy, attribute)
        if values is not None:
            feature[key].float_list.value.extend(np.asarray(values, dtype=np.float32).tolist())
    return example.SerializeToString(deterministic=True)


def encode_image(image: np.ndarray, zero_point: float, pixel_scale: float) -> bytes:
    """Serialize an image without a label: what a served model's ``serialized_example`` signature reads.

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
    example = _example_of_image(image)
    example.features.feature["zero_point"].float_list.value.append(float(zero_point))
    example.features.feature["pixel_scale"].float_list.value.append(float(pixel_scale))
    return example.SerializeToString(deterministic=True)


def _example_of_image(image: np.ndarray) -> Any:
    example = example_class()()
    feature = example.features.feature
    pixels = np.ascontiguousarray(image, dtype="<f4")
    feature["schema_version"].int64_list.value.append(SCHEMA_VERSION)
    feature["image"].bytes_list.value.append(pixels.tobytes())
    feature["image/height"].int64_list.value.append(pixels.shape[0])
    feature["image/width"].int64_list.value.append(pixels.shape[1])
    return example


def decode_example(serialized: bytes, source: object = "record") -> LabelledGalaxy:
    """Parse one record.

    Parameters
    ----------
    serialized : bytes
        A serialized tf.Example.
    source : str or path-like, optional
        What an error names: file and record number.

    Returns
    -------
    LabelledGalaxy
        Arrays are float32; optional sequences that are absent are None.

    Raises
    ------
    InputError
        When it is no tf.Example, of another schema, or a feature is missing or has a wrong size.
    """
    from google.protobuf.message import DecodeError

    try:
        feature = example_class().FromString(serialized).features.feature
    except DecodeError:
        raise InputError(source, "is not a tf.Example") from None

    def values(key: str, kind: str) -> list:
        if key not in feature:
            raise InputError(source, f"feature {key!r} is missing")
        if feature[key].WhichOneof("kind") not in (kind, None):
            raise InputError(source, f"feature {key!r} is a {feature[key].WhichOneof('kind')}, expected a {kind}")
        return getattr(feature[key], kind).value

    def single(key: str, kind: str):
        items = values(key, kind)
        if len(items) != 1:
            raise InputError(source, f"feature {key!r} has {len(items)} values, expected 1")
        return items[0]

    version = single("schema_version", "int64_list")
    if version != SCHEMA_VERSION:
        raise InputError(source, f"has schema version {version}, this software reads {SCHEMA_VERSION}")
    height, width = single("image/height", "int64_list"), single("image/width", "int64_list")
    raw = single("image", "bytes_list")
    if height < 1 or width < 1 or len(raw) != 4 * height * width:
        raise InputError(source, f"image has {len(raw)} bytes, expected 4 x {height} x {width} of float32")
    sequences: dict[str, Any] = {}
    for key, attribute in {**REQUIRED_SEQUENCES, **OPTIONAL_SEQUENCES}.items():
        if key in feature or key in REQUIRED_SEQUENCES:
            sequences[attribute] = np.array(values(key, "float_list"), dtype=np.float32)
    scalars: dict[str, Any] = {
        attribute: float(single(key, "float_list")) for key, attribute in SCALAR_FEATURES.items()
    }
    galaxy = LabelledGalaxy(
        **{key: single(key, "bytes_list").decode("utf-8", errors="replace") for key in TEXT_FEATURES},
        image=np.frombuffer(raw, dtype="<f4").reshape(height, width).astype(np.float32),
        **scalars,
        **sequences,
    )
    try:
        check_galaxy(galaxy)
    except InputError as error:
        raise InputError(source, f"galaxy {error}") from None
    return galaxy
