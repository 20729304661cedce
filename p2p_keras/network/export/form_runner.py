"""Run one exported form of a model on stored requests, in a process of its own, as somebody else's program would.

A script: ``python -I form_runner.py KIND FILE REQUESTS ANSWERS [MODULE ...]`` with KIND one of `KINDS`. Apart from the
Keras file, whose layers need their modules, it imports no p2p_keras: numpy, and TensorFlow or ONNX Runtime alone.
REQUESTS is a pickled `Requests`, ANSWERS is where the pickled `Answers` go.
"""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

__all__ = ["KINDS", "Answers", "Arrays", "Loaded", "run_form"]

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

Arrays = dict[str, np.ndarray]
Answers = dict[str, dict[str, Any]]
"""By loader: ``answers`` (by case its `Arrays`, or the sentence of a refusal), of `TIMED` ones ``images_per_s``, and
further facts."""

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
TIMED_CASE, TIMED_RUNS = "256x256", 5
"""The speed in the report is the best of so many runs of this case."""
TIMED = ("onnx", "saved_model.load")
"""Loaders that users measure with; of the others nobody asks the speed, and it takes minutes of a large model."""


class Loaded(NamedTuple):
    """A form ready to run: a function of (signature, inputs), and what else is to be known of it."""

    run: Callable[[str, Arrays], Arrays]
    facts: dict[str, Any]


def signature_of(inputs: Arrays) -> str:
    """Signature that a request is for, by its inputs."""
    if not inputs:
        return "describe"
    return "serialized_example" if "examples" in inputs else "serving_default"


def load_keras(file: str, modules: Iterable[str]) -> dict[str, Loaded]:
    """Load a ``.keras`` file, which needs the modules that register its layers."""
    import keras

    for module in modules:
        importlib.import_module(module)
    model = keras.models.load_model(file, compile=False)

    def run(_signature: str, inputs: Arrays) -> Arrays:
        return {key: keras.ops.convert_to_numpy(value) for key, value in model(inputs, training=False).items()}

    return {"keras": Loaded(run, {})}


def load_onnx(file: str, _modules: Iterable[str]) -> dict[str, Loaded]:
    """Load an ONNX file in ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return {"onnx": Loaded(lambda _, inputs: dict(zip(names, session.run(names, inputs), strict=True)), {})}


def load_saved_model(folder: str, _modules: Iterable[str]) -> dict[str, Loaded]:
    """Load a SavedModel in both ways that TensorFlow has: the second is of TensorFlow Serving's family."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)

    def run_loaded(signature: str, inputs: Arrays) -> Arrays:
        outputs = loaded.signatures[signature](**{key: tf.constant(value) for key, value in inputs.items()})
        return {key: value.numpy() for key, value in outputs.items()}

    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], folder)

    def run_session(signature: str, inputs: Arrays) -> Arrays:
        definition = graph.signature_def[signature]
        feed = {definition.inputs[key].name: value for key, value in inputs.items()}
        return session.run({key: tensor.name for key, tensor in definition.outputs.items()}, feed)

    # Operations that call back into Python: no server has them.
    python = {"PyFunc", "EagerPyFunc", "PyFuncStateless"}
    definition = session.graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    facts = {
        "warm_up_requests": replay_warmup(folder, run_loaded),
        "needs_python": any(node.op in python for node in nodes) or "p2p_keras" in sys.modules,
    }
    return {"saved_model.load": Loaded(run_loaded, facts), "v1.Session": Loaded(run_session, {})}


def replay_warmup(folder: str, run: Callable[[str, Arrays], Arrays]) -> int:
    """Answer the warm-up requests as a server does; returns their number (0 without the file)."""
    path = os.path.join(folder, WARMUP_FILE)
    if not os.path.exists(path):
        return 0
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    count = 0
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        run(request.model_spec.signature_name, {key: tf.make_ndarray(value) for key, value in request.inputs.items()})
        count += 1
    return count


KINDS: dict[str, Callable[[str, Iterable[str]], dict[str, Loaded]]] = {
    "keras": load_keras,
    "onnx": load_onnx,
    "saved_model": load_saved_model,
}


def run_form(kind: str, file: str, requests: dict[str, Arrays], modules: Iterable[str] = ()) -> Answers:
    """Load a form in all its ways, and run every request in each.

    Parameters
    ----------
    kind : str
        Of `KINDS`.
    file : str
    requests : dict of str to `Arrays`
        By case; without inputs it is for ``describe``.
    modules : iterable of str
        Imported before a Keras file is loaded.

    Returns
    -------
    `Answers`
    """
    return {name: _run(form, requests, name in TIMED) for name, form in KINDS[kind](file, modules).items()}


def _run(form: Loaded, requests: dict[str, Arrays], is_timed: bool) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    for case, inputs in requests.items():
        try:
            answers[case] = form.run(signature_of(inputs), inputs)
        except Exception as error:
            # TensorFlow's InvalidArgumentError is how a request is refused; this process may not have TensorFlow.
            if type(error).__name__ != "InvalidArgumentError":
                raise
            answers[case] = str(getattr(error, "message", error))
    facts = dict(form.facts, answers=answers)
    if is_timed and TIMED_CASE in requests:
        timed = requests[TIMED_CASE]
        seconds = []
        for _ in range(TIMED_RUNS):
            start = time.perf_counter()
            form.run(signature_of(timed), timed)
            seconds.append(time.perf_counter() - start)
        facts["images_per_s"] = len(timed["image"]) / min(seconds)
    return facts


if __name__ == "__main__":
    _kind, _file, _requests, _answers, *_modules = sys.argv[1:]
    _stored = pickle.loads(Path(_requests).read_bytes())
    Path(_answers).write_bytes(pickle.dumps(run_form(_kind, _file, _stored, _modules)))
