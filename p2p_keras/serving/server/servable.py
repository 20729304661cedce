"""One loaded version of a model: a SavedModel with its signatures, and the requests that hold it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from p2p_keras.serving.server.refusals import Refusal, invalid
from p2p_keras.serving.server.tensors import check_inputs

__all__ = ["MOST_WARM_UP_RECORDS", "WARM_UP_FILE", "Servable", "load", "output_names"]

WARM_UP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_WARM_UP_RECORDS = 1000
"""TensorFlow Serving refuses a file with more."""


class Servable:
    """A loaded SavedModel.

    Parameters
    ----------
    name : str
    version : int
    path : Path
        The version's folder.

    Attributes
    ----------
    signatures : dict of str to SignatureDef
        As they stand in the SavedModel, for metadata and for checks.
    in_use : int
        Requests that hold this version (`lease`); it may be unloaded at 0.
    """

    def __init__(self, name: str, version: int, path: Path) -> None:
        import tensorflow as tf
        from tensorflow.core.protobuf import saved_model_pb2

        self.name, self.version, self.path = name, version, Path(path)
        saved_model = saved_model_pb2.SavedModel.FromString((self.path / "saved_model.pb").read_bytes())
        graphs = [g for g in saved_model.meta_graphs if "serve" in g.meta_info_def.tags]
        if not graphs:
            raise ValueError("the SavedModel has no graph tagged 'serve'")
        self.signatures = dict(graphs[0].signature_def)
        self._loaded = tf.saved_model.load(str(self.path), tags=["serve"])
        self._functions = dict(self._loaded.signatures)
        self.in_use = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def lease(self) -> Iterator[Servable]:
        """Keep this version loaded while a request needs it. Called in the event loop's thread only."""
        self.in_use += 1
        self._idle.clear()
        try:
            yield self
        finally:
            self.in_use -= 1
            if not self.in_use:
                self._idle.set()

    async def drained(self) -> None:
        """Return once no request holds this version."""
        await self._idle.wait()

    def signature(self, name: str):
        """SignatureDef of a request's signature name ('' is serving_default).

        Raises
        ------
        Refusal
            FAILED_PRECONDITION, as TensorFlow Serving answers, where there is none of that name.
        """
        import grpc

        name = name or "serving_default"
        if name not in self._functions:
            there = ", ".join(sorted(self._functions))
            raise Refusal(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found (there are: {there})'
            )
        return self.signatures[name]

    def mergeable(self, name: str) -> bool:
        """Whether requests of a signature may share a run: every tensor is batch-first, and no input is a string.

        Examples that are decoded in the graph may hold images of different sizes, which don't stack.
        """
        import tensorflow as tf

        signature = self.signature(name)
        tensors = [*signature.inputs.values(), *signature.outputs.values()]
        batch_first = all(
            not t.tensor_shape.unknown_rank and t.tensor_shape.dim and t.tensor_shape.dim[0].size < 0 for t in tensors
        )
        strings = any(t.dtype == tf.string.as_datatype_enum for t in signature.inputs.values())
        return bool(signature.inputs) and batch_first and not strings

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a signature. Blocks; called in a worker thread.

        Raises
        ------
        tf.errors.OpError
            As the graph raises it.
        """
        import tensorflow as tf

        tensors = {k: tf.constant(v, dtype=tf.string if v.dtype.hasobject else v.dtype) for k, v in inputs.items()}
        outputs = self._functions[signature or "serving_default"](**tensors)
        return {k: v.numpy() for k, v in outputs.items()}

    def warm_up(self) -> int:
        """Replay the requests of ``assets.extra/tf_serving_warmup_requests``.

        Returns
        -------
        int
            Requests replayed; 0 where the version brings no such file.

        Raises
        ------
        ValueError, Refusal, tf.errors.OpError
            A warm-up request that fails makes the version unfit to serve.
        """
        import tensorflow as tf
        from tensorflow_serving.apis import prediction_log_pb2

        path = self.path / WARM_UP_FILE
        if not path.exists():
            return 0
        count = 0
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            if count > MOST_WARM_UP_RECORDS:
                raise ValueError(f"more than {MOST_WARM_UP_RECORDS} warm-up requests")
            request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
            name = request.model_spec.signature_name
            check_inputs(request.inputs, self.signature(name), max_elements=2**31)
            # Not by `to_array`: in the maker's file a short list of values may stand for a batch (tensor.proto).
            self.run(name, {k: tf.make_ndarray(v) for k, v in request.inputs.items()})
        return count

    def close(self) -> None:
        """Let go of the graph and its weights."""
        self._functions = {}
        self._loaded = None


def load(name: str, version: int, path: Path, *, warm_up: bool = True) -> tuple[Servable, dict[str, float]]:
    """Load a version and warm it up.

    Returns
    -------
    servable : Servable
    facts : dict
        ``load_seconds``, ``warm_up_seconds``, ``warm_up_requests``.
    """
    start = time.perf_counter()
    servable = Servable(name, version, path)
    loaded = time.perf_counter()
    count = servable.warm_up() if warm_up else 0
    return servable, {
        "load_seconds": round(loaded - start, 3),
        "warm_up_seconds": round(time.perf_counter() - loaded, 3),
        "warm_up_requests": count,
    }


def output_names(signature, wanted: list[str]) -> list[str]:
    """Choose the outputs to answer with: those of a request's output_filter, or all.

    Raises
    ------
    Refusal
        INVALID_ARGUMENT for an unknown or repeated name.
    """
    for name in wanted:
        if name not in signature.outputs:
            there = ", ".join(sorted(signature.outputs))
            raise invalid(f"output tensor alias not found in signature: {name} (there are: {there})")
    if len(set(wanted)) != len(wanted):
        raise invalid("duplicate output tensor alias in the output filter")
    return list(wanted) or sorted(signature.outputs)
