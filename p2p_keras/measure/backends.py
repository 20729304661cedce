"""Run an exported model: a SavedModel by TensorFlow alone, or an ONNX file by ONNX Runtime alone.

Neither needs Keras or the code that made the model, and the ONNX backend imports no TensorFlow. `find_model` says which
files are meant by what a user typed.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from p2p_keras.core.contract import INPUTS, OUTPUTS
from p2p_keras.core.errors import UsageError

DEFAULT_MODEL = "isophote"
MODELS_VARIABLE = "P2P_KERAS_MODELS"
"""Environment variable: a folder of models (NAME/VERSION in it) to look in before the others."""


class Backend(Protocol):
    """A loaded model."""

    name: str
    version: str
    path: Path

    def run(self, image: np.ndarray, zero_point: np.ndarray, pixel_scale: np.ndarray) -> dict[str, np.ndarray]:
        """Measure a batch: float32 (B, H, W) with NaN where masked, (B,) and (B,) -> arrays with a batch axis."""
        ...


class ModelFiles(NamedTuple):
    """Where a model is: its kind (``"saved_model"`` or ``"onnx"``), files, name and version ('' where unknown)."""

    kind: str
    path: Path
    name: str
    version: str


def model_folders() -> list[Path]:
    """Folders in which models are looked for by name, the first one first.

    ``$P2P_KERAS_MODELS`` where set, ``saved_models`` beside the package (a clone of the repository), inside the package
    and in the environment's ``share/p2p_keras`` (an installation), and in the working folder.
    """
    package = Path(__file__).resolve().parent
    named = os.environ.get(MODELS_VARIABLE)
    folders = [Path(named).expanduser()] if named else []
    folders += [package.parent / "saved_models", package / "saved_models"]
    folders += [Path(sys.prefix) / "share" / "p2p_keras" / "saved_models", Path("saved_models").resolve()]
    return list(dict.fromkeys(folders))


def find_model(model: str | os.PathLike[str] | None = None) -> ModelFiles:
    """Find the files of a model.

    Parameters
    ----------
    model : str or path, optional
        NAME/VERSION (a folder with ``saved_model.pb``), NAME (a folder with versions: the newest), a file that ends in
        ``.onnx``, the run folder of a training (its export), or the bare name of a model in one of `model_folders`.
        None is the newest version of the shipped model.

    Raises
    ------
    UsageError
        There is none; the sentence says where it was looked for.
    """
    if model is None:
        return _find_by_name(DEFAULT_MODEL, "the shipped model")
    path = Path(model).expanduser()
    if path.is_file():
        if path.suffix.lower() != ".onnx":
            raise UsageError(f"{path}: not a model; give a SavedModel's folder (NAME or NAME/VERSION) or an .onnx file")
        return ModelFiles("onnx", path, path.resolve().parent.name, "")
    if path.is_dir():
        found = _in_folder(path)
        if found is None:
            raise UsageError(f"{path}: holds no model (no saved_model.pb, no version folders 1, 2, ..., no .onnx file)")
        return found
    if path.parent == Path(".") and path.suffix.lower() != ".onnx":
        return _find_by_name(str(model), f"the model {str(model)!r}")
    raise UsageError(f"{path}: no such model")


def _find_by_name(name: str, what: str) -> ModelFiles:
    folders = model_folders()
    for folder in folders:
        if (folder / name).is_dir() and (found := _in_folder(folder / name)):
            return found
    looked = ", ".join(str(folder / name) for folder in folders)
    raise UsageError(
        f"{what} was not found in {looked}; set {MODELS_VARIABLE} to the folder that holds {name}/, or give a model's "
        "folder or .onnx file (--model, Predictor.load(...))"
    )


def _in_folder(folder: Path) -> ModelFiles | None:
    """Find the newest model in NAME, NAME/VERSION or a run folder; None where there is none."""
    if (folder / "saved_model.pb").is_file():
        resolved = folder.resolve()
        if resolved.name.isdigit():
            return ModelFiles("saved_model", folder, resolved.parent.name, resolved.name)
        return ModelFiles("saved_model", folder, resolved.name, "")
    versions = [d for d in folder.iterdir() if d.name.isdigit() and (d / "saved_model.pb").is_file()]
    if versions:
        return _in_folder(max(versions, key=lambda d: int(d.name)))
    onnx = sorted(folder.glob("*.onnx"))
    if onnx:
        preferred = folder / "model.onnx"
        return ModelFiles("onnx", preferred if preferred in onnx else onnx[0], folder.resolve().name, "")
    # A run folder keeps its export in a folder of models of its own.
    for inner in ("saved_models", "saved_model", "export"):
        below = folder / inner
        if below.is_dir():
            if found := _in_folder(below):
                return found
            for name in sorted(p for p in below.iterdir() if p.is_dir()):
                if found := _in_folder(name):
                    return found
    return None


def load_backend(model: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> Backend:
    """Load a model for prediction.

    Parameters
    ----------
    model : str or path, optional
        See `find_model`. A model asked for by its name, or its NAME folder, runs in ONNX Runtime where there is no GPU
        and the model.onnx beside it is of its newest version.
    threads : int, optional
        Threads of the computation; by default all cores. TensorFlow takes it only before its first use.

    Raises
    ------
    UsageError
        There is no such model, or it is none that fulfils the signature.
    """
    files = find_model(model)
    if files.kind == "onnx":
        return OnnxBackend(files, threads=threads)
    return _onnx_twin(model, files, threads) or SavedModelBackend(files, threads=threads)


def _onnx_twin(model: str | os.PathLike[str] | None, files: ModelFiles, threads: int | None) -> OnnxBackend | None:
    """The model.onnx beside the newest version, where that is the quicker way to the same profiles.

    On two idle cores ONNX Runtime has the first profile 0.4 s after the start, TensorFlow after 8; a single image of
    256 px then takes less than half the time, 16 at a time the same, and 64 at a time a seventh more (docs/serving.md,
    "Speed"). A GPU that only TensorFlow can use goes before. A folder of one version, asked for by its path, is taken
    as it is.
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
        backend = OnnxBackend(ModelFiles("onnx", twin, files.name, ""), threads=threads)
    except UsageError:
        return None
    return backend if backend.version == files.version else None


class SavedModelBackend:
    """A SavedModel's ``serving_default`` signature, by ``tf.saved_model.load`` alone."""

    def __init__(self, files: ModelFiles, *, threads: int | None = None) -> None:
        # TensorFlow reports a machine without a GPU as an error; what matters is raised as an exception anyway.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            import tensorflow as tf
        except ModuleNotFoundError as error:
            raise UsageError(
                f"{files.path}: a SavedModel needs TensorFlow, which is not installed; "
                f"take {files.path.parent / 'model.onnx'}, or pip install tensorflow"
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

    def __init__(self, files: ModelFiles, *, threads: int | None = None) -> None:
        import onnxruntime

        self.path = files.path
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Threads that wait for the next operation by spinning take the cores from whatever else runs, be it the threads
        # that read the next files: on two busy cores batches of 16 took three times as long (median of 8).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads:
            options.intra_op_num_threads = threads
        providers = [p for p in onnxruntime.get_available_providers() if p.startswith(("CUDA", "CPU"))]
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
        raise UsageError(f"{path}: not a profile model, it lacks {', '.join(missing)}")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
