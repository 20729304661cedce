"""Keras model -> ONNX file with the inputs and outputs of ``serving_default``, by tf2onnx."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from p2p_keras.core.contract import ALL_OUTPUTS, INPUTS, OUTPUTS, outputs_of
from p2p_keras.network.export.signatures import IMAGE_SIGNATURE, RADII_FORMULA, make_measure

__all__ = ["HANDLERS", "OPSET", "write_onnx", "metadata"]

OPSET = 17
_DIMENSIONS = {"image": ("batch", "height", "width"), "zero_point": ("batch",), "pixel_scale": ("batch",)}


def write_onnx(model: keras.Model, path: Path, name: str, version: int, card: Mapping[str, Any]) -> None:
    """Write `model` as ONNX, with free batch, height and width, and with its description as metadata.

    Checks of inputs stay behind: ONNX has no assertion. The size of images is for the caller to check.

    Parameters
    ----------
    model : keras.Model
        Float32, with the outputs of `contract.OUTPUTS`.
    path : Path
    name, version : str, int
    card : mapping
        Model card.

    Raises
    ------
    ValueError
        If the converter left an operation that ONNX doesn't have (it logs that, but doesn't fail).
    """
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    function = tf.function(make_measure(model), input_signature=IMAGE_SIGNATURE, autograph=False)

    def convert() -> Any:
        return tf2onnx.convert.from_function(
            function,
            input_signature=IMAGE_SIGNATURE,
            opset=OPSET,
            custom_op_handlers=HANDLERS,
        )

    with _in_reasonable_time():
        try:
            with _without_copies():
                proto, _ = convert()
        except Exception:  # of an optimizer, perhaps: with copies it is left out
            proto, _ = convert()
    _refuse_unknown_operations(proto)
    _shorten_names_of_branches(proto.graph, {})
    for value in proto.graph.input:
        for dimension, label in zip(value.type.tensor_type.shape.dim, _DIMENSIONS[value.name], strict=True):
            dimension.dim_param = label
    for value in proto.graph.output:
        sizes = value.type.tensor_type.shape
        del sizes.dim[:]
        sizes.dim.add().dim_param = "batch"
        if ALL_OUTPUTS[value.name].radial:
            sizes.dim.add().dim_param = "radii"
    proto.producer_name, proto.model_version = "p2p_keras", version
    proto.doc_string = str(card.get("summary", ""))
    onnx.helper.set_model_props(proto, metadata(name, version, card))
    onnx.checker.check_model(proto, full_check=True)
    Path(path).write_bytes(proto.SerializeToString())


@contextmanager
def _in_reasonable_time() -> Iterator[None]:
    """Within, tf2onnx looks only at what it needs to.

    By itself (1.17) it notes every node of a branch as a user of every name in it when it renames a name: gigabytes,
    and many minutes, for a branch of a few thousand nodes. And it goes through the whole graph anew for each output to
    find the nodes in use, after every one of its optimizations.
    """
    from tf2onnx.graph import Graph

    replace, extract = Graph.replace_all_inputs, Graph.extract_sub_graph_nodes

    def replace_all_inputs(self: Any, old_input: str, new_input: str, ops: Any = None) -> None:
        users = None if ops is None else [node for node in ops if old_input in node.input]
        replace(self, old_input, new_input, users)

    def extract_sub_graph_nodes(
        self: Any, outputs_name: Any, input_checker: Any = None, remove_unused_inputs: bool = True
    ) -> list:
        if input_checker is not None:
            return extract(self, outputs_name, input_checker, remove_unused_inputs)
        names = [*outputs_name, *([] if remove_unused_inputs else (node.output[0] for node in self.inputs))]
        reached: dict[Any, None] = {}
        while names:
            node = self.get_node_by_output(names.pop(), search_in_parent_graphs=False)
            if node and node not in reached:
                reached[node] = None
                names += [*node.input, *node.get_implicit_inputs()]
        return list(reached)

    Graph.replace_all_inputs, Graph.extract_sub_graph_nodes = replace_all_inputs, extract_sub_graph_nodes
    try:
        yield
    finally:
        Graph.replace_all_inputs, Graph.extract_sub_graph_nodes = replace, extract


@contextmanager
def _without_copies() -> Iterator[None]:
    """Within, tf2onnx copies no graph before each optimization, to go back to where one fails: a third of its time."""
    from tf2onnx import optimizer

    original = optimizer.optimize_graph
    optimizer.optimize_graph = lambda graph, catch_errors=True, optimizers=None: original(graph, False, optimizers)
    try:
        yield
    finally:
        optimizer.optimize_graph = original


def metadata(name: str, version: int, card: Mapping[str, Any]) -> dict[str, str]:
    """Custom metadata of the file: what the SavedModel's ``describe`` signature tells."""
    return {
        "model_name": name,
        "model_version": str(version),
        "software_version": str(card.get("software_version", "")),
        "commit": str(card.get("commit", "")),
        "training_data_hash": str(card.get("training_data_hash", "")),
        "inputs": json.dumps(INPUTS),
        "units": json.dumps({output: about.unit for output, about in outputs_of(card.get("outputs", OUTPUTS)).items()}),
        "radii": RADII_FORMULA,
        "precision": "float32",
        "card": json.dumps(card, sort_keys=True, default=str),
    }


def _shorten_names_of_branches(graph: Any, outer: dict[str, str]) -> None:
    """Number what the graphs inside of nodes (branches, loops) define; the main graph keeps its names.

    tf2onnx puts the names of all functions around a branch before each of its names, some 250 letters: a third of the
    file.

    Parameters
    ----------
    graph : onnx.GraphProto
        Changed in place.
    outer : dict
        New names, by the old ones, of what `graph` sees of the graphs around it.
    """
    for node in graph.node:
        for attribute in node.attribute:
            if not attribute.HasField("g"):
                continue
            inner, place = attribute.g, f"{node.name}/{attribute.name}"
            defined = [*inner.input, *inner.initializer]
            names = [value.name for value in defined] + [name for part in inner.node for name in part.output if name]
            new = outer | {name: f"{place}/{number}" for number, name in enumerate(names)}
            for value in (*defined, *inner.output):
                value.name = new.get(value.name, value.name)
            for number, part in enumerate(inner.node):
                part.name = f"{place}/{part.op_type}_{number}"
                part.input[:] = [new.get(name, name) for name in part.input]
                part.output[:] = [new.get(name, name) for name in part.output]
            inner.name = place
            del inner.value_info[:]
            _shorten_names_of_branches(inner, new)


def _where(context, node, name, args):
    """Convert SelectV2 to Where.

    tf2onnx itself makes ``condition * x + (1 - condition) * y`` of it, where a masked NaN or inf survives as 0 * NaN:
    every ``tf.where(tf.math.is_finite(x), x, 0)`` would let it through.
    """
    node.type = "Where"
    return node


def _gathered(context, node, name, args):
    """Convert a gather along the rows of a matrix to GatherElements, and any other as tf2onnx does.

    tf2onnx itself makes GatherND of it, which takes thirteen times as long in ONNX Runtime: a tenth of an image's time.
    """
    from tf2onnx.onnx_opset.tensor import GatherV2

    values, index, axis = node.input
    of_rows = node.get_attr_value("batch_dims", 0) == 1 and node.inputs[2].is_const()
    of_rows = of_rows and node.inputs[2].get_tensor_value() == 1
    if not (of_rows and context.get_rank(values) == context.get_rank(index) == 2):
        GatherV2.version_12(context, node)
        return node
    context.remove_input(node, axis, 2)
    node.type = "GatherElements"
    node.set_attr("axis", 1)
    return node


HANDLERS: dict[str, tuple[Any, list[str]]] = {"SelectV2": (_where, []), "GatherV2": (_gathered, [])}
"""What tf2onnx is told to convert otherwise than it would."""


def _refuse_unknown_operations(proto) -> None:
    """Say which operations tf2onnx could not convert."""
    from onnx.defs import OpSchema, get_schema

    def names(graph):
        for node in graph.node:
            yield node.domain, node.op_type
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    yield from names(attribute.g)

    unknown = []
    for domain, kind in sorted(set(names(proto.graph))):
        try:
            schema: OpSchema | None = get_schema(kind, OPSET, domain)
        except Exception:  # onnx's SchemaError is a plain C++ exception class
            schema = None
        if schema is None:
            unknown.append(kind)
    if unknown:
        raise ValueError(f"tf2onnx can't convert these operations: {', '.join(unknown)}; use others in the layer")
