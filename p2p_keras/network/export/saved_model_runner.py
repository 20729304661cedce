"""Run a SavedModel on stored inputs, in both ways that TensorFlow has, knowing nothing of p2p_keras.

A script of its own: ``python -I saved_model_runner.py SAVED_MODEL INPUTS.npz OUTPUTS.npz TIMED_CASE RUNS``. It imports
numpy and TensorFlow alone, as somebody else's server would. Inputs are named ``CASE/INPUT``, outputs
``LOADER/SIGNATURE/CASE/OUTPUT``; of a request that was refused as INVALID_ARGUMENT the sentence is kept as
``LOADER/SIGNATURE/CASE/error``. ``seconds`` is the shortest of so many runs of the timed case.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"


def read_cases(path: str) -> dict[str, dict[str, np.ndarray]]:
    """Inputs of every case."""
    cases: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            case, name = key.rsplit("/", 1)
            # Strings travel as arrays of bytes with a length of their own: numpy drops trailing zeros of its S type.
            cases.setdefault(case, {})[name] = arrays[key]
    for inputs in cases.values():
        if "examples" in inputs:
            lengths = inputs.pop("lengths")
            pieces = np.split(inputs["examples"], np.cumsum(lengths)[:-1])
            inputs["examples"] = np.array([piece.tobytes() for piece in pieces], dtype=object)
    return cases


def signature_of(inputs: dict[str, np.ndarray]) -> str:
    """Signature that a case is for."""
    if not inputs:
        return "describe"
    return "serialized_example" if "examples" in inputs else "serving_default"


def run_cases(loader: str, run, cases: dict, results: dict) -> None:
    """Run every case; `run(signature, inputs)` returns a dict of arrays."""
    for case, inputs in cases.items():
        signature = signature_of(inputs)
        prefix = f"{loader}/{signature}/{case}"
        try:
            outputs = run(signature, inputs)
        except tf.errors.InvalidArgumentError as error:
            results[f"{prefix}/error"] = np.array(error.message)
            continue
        for name, value in outputs.items():
            array = np.asarray(value)  # a string scalar comes as bytes
            results[f"{prefix}/{name}"] = array.astype(np.str_) if array.dtype.kind in "OS" else array


def main(saved_model: str, inputs_path: str, outputs_path: str, timed_case: str, runs: str) -> None:
    """Run both loaders and the warm-up file."""
    cases = {**read_cases(inputs_path), "describe": {}}
    results: dict[str, np.ndarray] = {}

    loaded = tf.saved_model.load(saved_model)

    def run_loaded(signature, inputs):
        outputs = loaded.signatures[signature](**{key: tf.constant(value) for key, value in inputs.items()})
        return {key: value.numpy() for key, value in outputs.items()}

    run_cases("saved_model.load", run_loaded, cases, results)
    results["warmup_requests"] = np.array(replay_warmup(saved_model, run_loaded))
    results["seconds"] = np.array(shortest(int(runs), lambda: run_loaded("serving_default", cases[timed_case])))

    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, [tf.saved_model.SERVING], saved_model)

        def run_session(signature, inputs):
            definition = graph.signature_def[signature]
            feed = {definition.inputs[key].name: value for key, value in inputs.items()}
            names = {key: tensor.name for key, tensor in definition.outputs.items()}
            return session.run(names, feed)

        run_cases("v1.Session", run_session, cases, results)

    results["p2p_keras_loaded"] = np.array("p2p_keras" in sys.modules)
    results["python_functions"] = np.array(count_python_functions(saved_model))
    np.savez(outputs_path, **results)  # type: ignore[arg-type]


def shortest(runs: int, call) -> float:
    """Seconds of the quickest of several calls."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def replay_warmup(saved_model: str, run) -> int:
    """Answer the warm-up requests as a server does; returns their number (0 without the file)."""
    path = os.path.join(saved_model, WARMUP_FILE)
    if not os.path.exists(path):
        return 0
    from tensorflow_serving.apis import prediction_log_pb2

    count = 0
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        run(request.model_spec.signature_name, {key: tf.make_ndarray(value) for key, value in request.inputs.items()})
        count += 1
    return count


def count_python_functions(saved_model: str) -> int:
    """Number of operations in the graph that call back into Python: no server has them."""
    from tensorflow.core.protobuf import saved_model_pb2

    with open(os.path.join(saved_model, "saved_model.pb"), "rb") as file:
        graphs = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs
    nodes = [node for g in graphs for f in g.graph_def.library.function for node in f.node_def]
    nodes += [node for g in graphs for node in g.graph_def.node]
    return sum(node.op in {"PyFunc", "EagerPyFunc", "PyFuncStateless"} for node in nodes)


if __name__ == "__main__":
    main(*sys.argv[1:])
