"""The ONNX file's smaller sister: weights kept as float16, all arithmetic still in float32.

What was weighed on the first shipped model (96 mocks; median and largest difference of mu where valid, in mag):

=====================================  =======  =======  ====================================
weights of the network as float16      0.00002  0.010    0.6 of the size
every constant as float16              0.0004   0.044    also rounds the radial grid
int8 matrix products, by ONNX Runtime  0.0006   0.040    0.95 of the size
int8 convolutions, calibrated          0.005    0.22     a galaxy's own median up to 0.07
int8 for all                           0.012    1.8      one radius in five changes validity
=====================================  =======  =======  ====================================

The first is as fast as float32 (docs/serving.md); the others' speeds could not be told apart. Half-precision
arithmetic is not offered: forced on convolutions and matrix products it gave the very numbers of the first row, so that
ONNX Runtime seems to compute them in float32 here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from p2p_keras.core.errors import InputError

FILE_NAME = "model_float16.onnx"
MEDIAN_LIMIT = 5e-3
"""Median difference of mu (mag, where valid) up to which the file is shipped."""
PRECISION = "float16 weights, float32 arithmetic"

_WEIGHTS = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (1,), "MatMul": (0, 1), "GRU": (1, 2), "LSTM": (1, 2)}
"""Inputs of these operations that are weights; anything else (grids, tables, biases) keeps its float32."""
_FEWEST = 64


def write_half_precision(source: str | os.PathLike, target: str | os.PathLike) -> int:
    """Write a copy of an ONNX file with the network's weights as float16.

    ONNX Runtime turns them back into float32 once, when it loads the file.

    Parameters
    ----------
    source, target : path
        `target` is written under a temporary name and renamed.

    Returns
    -------
    int
        Number of weights that became float16.

    Raises
    ------
    InputError
        `source` is no ONNX file.
    """
    import onnx
    from onnx import helper, numpy_helper

    try:
        model = onnx.load(os.fspath(source))
    except Exception as error:  # protobuf's DecodeError, in one of its several implementations
        raise InputError(source, f"is no ONNX file ({error})") from error
    graph = model.graph
    wanted = set(_weight_names(graph))
    casts, kept, count = [], [], 0
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name not in wanted or not _fits(values):
            kept.append(tensor)
            continue
        half = f"{tensor.name}/float16"
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [tensor.name], name=f"{half}/cast", to=onnx.TensorProto.FLOAT))
        count += values.size
    nodes = [*casts, *graph.node]
    for field, content in ((graph.initializer, kept), (graph.node, nodes)):
        del field[:]
        field.extend(content)
    described = {entry.key: entry.value for entry in model.metadata_props} | {"precision": PRECISION}
    helper.set_model_props(model, described)
    onnx.checker.check_model(model, full_check=True)
    part = Path(target).with_name(f".{Path(target).name}.part")
    part.write_bytes(model.SerializeToString())
    os.replace(part, target)
    return count


def _fits(values: np.ndarray) -> bool:
    return (
        values.dtype == np.float32 and values.size >= _FEWEST and np.abs(values).max() < float(np.finfo(np.float16).max)
    )


def _weight_names(graph: Any) -> Iterator[str]:
    """Names of the weights of a graph and of the graphs inside its loops and branches."""
    for node in graph.node:
        for index in _WEIGHTS.get(node.op_type, ()):
            if index < len(node.input):
                yield node.input[index]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _weight_names(attribute.g)
