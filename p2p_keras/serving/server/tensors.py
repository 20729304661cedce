"""TensorProto to numpy and back, with every claim of a request checked before memory is spent on it.

A TensorProto may say "10000 x 10000" and carry a single value that stands for all: shapes are held against the limit
first, and what a request carries against its shape.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from p2p_keras.serving.server.refusals import exhausted, invalid

__all__ = ["check_inputs", "shape_text", "to_array", "to_proto"]

_LARGEST_RANK = 8
# Field of a TensorProto that holds a dtype's values (tensorflow/core/framework/tensor.proto).
_FIELDS = {
    np.dtype("float32"): "float_val",
    np.dtype("float64"): "double_val",
    np.dtype("int32"): "int_val",
    np.dtype("int64"): "int64_val",
    np.dtype("bool"): "bool_val",
    np.dtype("object"): "string_val",
}


def shape_text(shape) -> str:
    """``[batch, 256, 256]`` of a sequence of sizes, None or negative where free."""
    return "[" + ", ".join("any" if n is None or n < 0 else str(n) for n in shape) + "]"


def check_inputs(protos: Mapping, signature, *, max_elements: int) -> None:
    """Hold a request's tensors against the signature and the limit, from their headers alone.

    Parameters
    ----------
    protos : mapping of input name to TensorProto
    signature : SignatureDef
    max_elements : int
        Most elements of all inputs together.

    Raises
    ------
    Refusal
        INVALID_ARGUMENT for names, dtypes, ranks or sizes that the signature does not take, RESOURCE_EXHAUSTED where
        there are too many elements.
    """
    import tensorflow as tf

    extra, missing = sorted(set(protos) - set(signature.inputs)), sorted(set(signature.inputs) - set(protos))
    if extra or missing:
        takes = ", ".join(sorted(signature.inputs)) or "none"
        what = [f"unknown inputs: {', '.join(extra)}"] if extra else []
        what += [f"missing inputs: {', '.join(missing)}"] if missing else []
        raise invalid(f"{'; '.join(what)} (this signature takes: {takes})")
    total = 0
    batch: dict[int, str] = {}
    for name, proto in protos.items():
        want = signature.inputs[name]
        if proto.dtype != want.dtype:
            raise invalid(f"input '{name}' must be {_dtype_name(tf, want.dtype)}, not {_dtype_name(tf, proto.dtype)}")
        if proto.tensor_shape.unknown_rank or len(proto.tensor_shape.dim) > _LARGEST_RANK:
            raise invalid(f"input '{name}' has no shape, or more than {_LARGEST_RANK} dimensions")
        shape = [d.size for d in proto.tensor_shape.dim]
        if any(n < 0 for n in shape):
            raise invalid(f"input '{name}' has a negative size: {shape}")
        if not want.tensor_shape.unknown_rank:
            free = [d.size for d in want.tensor_shape.dim]
            if len(free) != len(shape):
                raise invalid(f"input '{name}' must have {len(free)} dimensions {shape_text(free)}, not {len(shape)}")
            if any(w >= 0 and w != n for w, n in zip(free, shape, strict=True)):
                raise invalid(f"input '{name}' must have the shape {shape_text(free)}, not {shape_text(shape)}")
            if free and free[0] < 0:
                batch.setdefault(shape[0], name)
        total += math.prod(shape)
    if len(batch) > 1:
        sizes = ", ".join(f"{name} {n}" for n, name in batch.items())
        raise invalid(f"all inputs must have the same batch size ({sizes})")
    if 0 in batch:
        raise invalid("the batch is empty: send at least one image")
    if total > max_elements:
        raise exhausted(f"the request holds {total} values; this server takes at most {max_elements} in one request")


def _dtype_name(tf, enum: int) -> str:
    try:
        return tf.as_dtype(enum).name
    except TypeError:
        return f"dtype {enum}"


def to_array(name: str, proto) -> np.ndarray:
    """Values of a TensorProto whose header passed `check_inputs`; strings as an object array of bytes.

    Raises
    ------
    Refusal
        INVALID_ARGUMENT where the data do not fill the shape.
    """
    import tensorflow as tf

    dtype = np.dtype(tf.as_dtype(proto.dtype).as_numpy_dtype)
    shape = tuple(d.size for d in proto.tensor_shape.dim)
    size = math.prod(shape)
    content = proto.tensor_content  # once: each look at it copies it out of the message
    if content:
        if dtype.hasobject or len(content) != size * dtype.itemsize:
            raise invalid(
                f"input '{name}' of shape {shape_text(shape)} needs {size * dtype.itemsize} bytes of {dtype}, "
                f"but {len(content)} came"
            )
        # A view of these bytes: read-only, and keeps them alive.
        return np.frombuffer(content, dtype=dtype).reshape(shape)
    field = _FIELDS.get(dtype)
    if field is None:
        raise invalid(f"input '{name}': {dtype} is only taken as tensor_content")
    values = getattr(proto, field)
    if len(values) == size:
        return np.array(list(values) if dtype.hasobject else values, dtype=dtype).reshape(shape)
    if len(values) == 1 and not dtype.hasobject:
        # TensorFlow's own short form of a constant tensor.
        return np.full(shape, values[0], dtype=dtype)
    raise invalid(f"input '{name}' of shape {shape_text(shape)} needs {size} values, but {len(values)} came")


def to_proto(array: np.ndarray, proto) -> None:
    """Write an array into an empty TensorProto, in the typed field as TensorFlow Serving does by default."""
    import tensorflow as tf

    array = np.asarray(array)
    if array.dtype.kind in "SU":
        array = array.astype(object)
    proto.dtype = tf.as_dtype(array.dtype).as_datatype_enum
    for n in array.shape:
        proto.tensor_shape.dim.add().size = n
    field = _FIELDS.get(array.dtype)
    if field is None:
        proto.tensor_content = array.tobytes()
    else:
        getattr(proto, field).extend(array.ravel().tolist())
