"""Run an exported model: a SavedModel by TensorFlow alone, or an ONNX file by ONNX Runtime alone.

Neither needs Keras or the code that made the model, and the ONNX backend imports no TensorFlow.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from p2p_keras.core.contract import INPUTS, OUTPUTS
from p2p_keras.core.errors import UsageError
from p2p_keras.core.model_files import ModelFiles, find_model
from p2p_keras.core.processes import available_cores

__all__ = ["Backend", "load_backend", "begin_loading", "load_onnx", "onnx_twin", "SavedModelBackend", "OnnxBackend"]


class Backend(Protocol):
    """A loaded model.

    Attributes
    ----------
    name, version : str
    path : Path
    at_once : int
        Runs that may go on at a time. A run that takes all cores is alone: two would only take twice the memory.
    survives_fork : bool
        Whether a forked process can run it: it has no threads of its own, which a fork would lose.
    """

    name: str
    version: str
    path: Path
    at_once: int
    survives_fork: bool

    def run(self, image: np.ndarray, zero_point: np.ndarray, pixel_scale: np.ndarray) -> dict[str, np.ndarray]:
        """Measure a batch: float32 (B, H, W) with NaN where masked, (B,) and (B,) -> arrays with a batch axis."""
        ...


def load_backend(
    model: str | os.PathLike[str] | None = None, *, threads: int | None = None, side_by_side: bool = False
) -> Backend:
    """Load a model for prediction.

    Parameters
    ----------
    model : str or path, optional
        See `p2p_keras.core.model_files.find_model`. A model asked for by its name, or its NAME folder, runs in ONNX
        Runtime where there is no GPU and the model.onnx beside it is of its newest version.
    threads : int, optional
        Threads of the computation; by default all cores. TensorFlow takes it only before its first use.
    side_by_side : bool
        Many batches are waiting at any time: in ONNX Runtime on a CPU each is run by one thread, and as many at a time
        as there are threads. One batch can't keep many cores busy: its 2,500 operations are small.

    Raises
    ------
    UsageError
        There is no such model, or it is none that fulfils the signature.
    """
    onnx_backend = load_onnx(model, threads=threads, side_by_side=side_by_side)
    return onnx_backend or SavedModelBackend(find_model(model), threads=threads)


def begin_loading(
    model: str | os.PathLike[str] | None = None, *, threads: int | None = None, side_by_side: bool = False
) -> Callable[[], Backend]:
    """Begin to load a model in a thread where ONNX Runtime runs it: the caller's imports and reading go on meanwhile.

    Loading takes a second of one core and holds no lock of Python's. TensorFlow is loaded only when the model is asked
    for: its imports could meet those of the caller.

    Parameters
    ----------
    model, threads, side_by_side
        As for `load_backend`.

    Returns
    -------
    callable
        Waits for the model and gives it, or raises what `load_backend` would.
    """
    begun: Future[OnnxBackend | None] | None = None
    with suppress(ModuleNotFoundError):
        import onnxruntime  # noqa: F401  here, for the same reason

        thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        begun = thread.submit(load_onnx, model, threads=threads, side_by_side=side_by_side)
        thread.shutdown(wait=False)

    def loaded() -> Backend:
        onnx_backend = None if begun is None else begun.result()
        return onnx_backend or load_backend(model, threads=threads, side_by_side=side_by_side)

    return loaded


def load_onnx(
    model: str | os.PathLike[str] | None = None, *, threads: int | None = None, side_by_side: bool = False
) -> OnnxBackend | None:
    """Load a model for prediction if ONNX Runtime is to run it, see `load_backend`; else None."""
    files = find_model(model)
    if files.kind == "onnx":
        return OnnxBackend(files, threads=threads, side_by_side=side_by_side)
    return onnx_twin(model, files, threads, side_by_side)


def onnx_twin(
    model: str | os.PathLike[str] | None, files: ModelFiles, threads: int | None, side_by_side: bool = False
) -> OnnxBackend | None:
    """Load the model.onnx beside the newest version, where that is the quicker way to the same profiles; else None.

    On two idle cores ONNX Runtime has the first profile 0.9 s after the start, TensorFlow after 9; a single image of
    256 px then takes half the time, and many at a time take the same (docs/serving.md, "Speed"). A GPU that only
    TensorFlow can use goes before. A folder of one version, asked for by its path, is taken as it is.
    """
    twin = files.path.parent / "model.onnx"
    asked = None if model is None else Path(model).expanduser()
    if not files.version or asked == files.path or not twin.is_file():
        return None
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    gpu = Path("/dev/nvidia0").exists() and "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
    if gpu and importlib.util.find_spec("tensorflow"):
        return None
    try:
        twin_files = ModelFiles("onnx", twin, files.name, "")
        backend = OnnxBackend(twin_files, threads=threads, side_by_side=side_by_side)
    except UsageError:
        return None
    return backend if backend.version == files.version else None


class SavedModelBackend:
    """A SavedModel's ``serving_default`` signature, by ``tf.saved_model.load`` alone."""

    at_once = 1
    survives_fork = False

    def __init__(self, files: ModelFiles, *, threads: int | None = None) -> None:
        # TensorFlow reports a machine without a GPU as an error; what matters is raised as an exception anyway.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            import tensorflow as tf
        except ModuleNotFoundError as error:
            raise UsageError(
                f"{files.path}: a SavedModel needs TensorFlow, which is not installed; use "
                f"{files.path.parent / 'model.onnx'}, or pip install tensorflow"
            ) from error

        self.path, self.name, self.version = files.path, files.name, files.version
        if threads:
            try:
                tf.config.threading.set_intra_op_parallelism_threads(threads)
                tf.config.threading.set_inter_op_parallelism_threads(threads)
            except RuntimeError:  # TensorFlow is running already
                pass
        try:
            self._loaded = tf.saved_model.load(os.fspath(files.path))
            self._signature = self._loaded.signatures["serving_default"]
        except KeyError as error:
            raise UsageError(f"{files.path}: the SavedModel has no signature serving_default") from error
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise UsageError(f"{files.path}: can't be loaded as a SavedModel ({_first_line(error)})") from error
        _check_names(files.path, self._signature.structured_input_signature[1], self._signature.structured_outputs)

    def run(self, image: np.ndarray, zero_point: np.ndarray, pixel_scale: np.ndarray) -> dict[str, np.ndarray]:
        """Measure a batch, see `Backend.run`."""
        import tensorflow as tf

        outputs = self._signature(
            image=tf.constant(image, tf.float32),
            zero_point=tf.constant(zero_point, tf.float32),
            pixel_scale=tf.constant(pixel_scale, tf.float32),
        )
        return {name: value.numpy() for name, value in outputs.items()}


class OnnxBackend:
    """An ONNX file in ONNX Runtime, on a GPU where ONNX Runtime has one; imports no TensorFlow."""

    def __init__(self, files: ModelFiles, *, threads: int | None = None, side_by_side: bool = False) -> None:
        import onnxruntime

        self.path = files.path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Threads that wait for the next operation by spinning take the cores from whatever else runs, be it the threads
        # that read the next files: on two busy cores batches of 16 took three times as long (median of 8).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = [p for p in onnxruntime.get_available_providers() if p.startswith(("CUDA", "CPU"))]
        apart = side_by_side and not any(provider.startswith("CUDA") for provider in providers)
        self.at_once = (threads or available_cores()) if apart else 1
        self.survives_fork = apart
        if threads or apart:
            options.intra_op_num_threads = 1 if apart else threads
        try:
            self._session = onnxruntime.InferenceSession(os.fspath(files.path), options, providers=providers)
        except Exception as error:  # ONNX Runtime's own errors have no common base class
            raise UsageError(f"{files.path}: can't be loaded by ONNX Runtime ({_first_line(error)})") from error
        described = self._session.get_modelmeta().custom_metadata_map
        self.name = str(described.get("model_name", "") or described.get("name", "") or files.name)
        self.version = str(described.get("model_version", "") or described.get("version", "") or files.version)
        self._output_names = [output.name for output in self._session.get_outputs()]
        _check_names(files.path, [i.name for i in self._session.get_inputs()], self._output_names)

    def run(self, image: np.ndarray, zero_point: np.ndarray, pixel_scale: np.ndarray) -> dict[str, np.ndarray]:
        """Measure a batch, see `Backend.run`."""
        feeds = {
            "image": np.asarray(image, np.float32),
            "zero_point": np.asarray(zero_point, np.float32),
            "pixel_scale": np.asarray(pixel_scale, np.float32),
        }
        return dict(zip(self._output_names, self._session.run(self._output_names, feeds), strict=True))


def _check_names(path: Path, inputs: Any, outputs: Any) -> None:
    """Refuse a model of another kind with a sentence, not with a KeyError at the first galaxy."""
    missing = [name for name in INPUTS if name not in inputs] + [name for name in OUTPUTS if name not in outputs]
    if missing:
        raise UsageError(f"{path}: this is not a profile model: it lacks {', '.join(missing)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
