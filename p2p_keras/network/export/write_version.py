"""Write a trained model as a new version for servers, scripts and ONNX Runtime; all of it, or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from p2p_keras.core.contract import INPUTS, OUTPUTS, outputs_of
from p2p_keras.core.errors import P2PError, UsageError
from p2p_keras.network.export.card import complete_card, model_card_markdown
from p2p_keras.network.export.check import CheckError, check_export, report_lines
from p2p_keras.network.export.onnx_export import write_onnx
from p2p_keras.network.export.server_config import versions_of, write_server_config
from p2p_keras.network.export.signatures import (
    EXAMPLES_SIGNATURE,
    IMAGE_SIGNATURE,
    make_describe,
    make_serialized_example,
    make_serving_default,
)
from p2p_keras.network.export.warmup import write_warmup_requests

__all__ = ["BESIDE", "ExportError", "export_model", "write_saved_model"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
BESIDE = ("model.keras", "model.onnx", "metrics.json", "MODEL_CARD.md")
"""Files beside the version folders; they belong to the newest version."""
_NO_LONGER_WRITTEN = "model_float16.onnx"


class ExportError(P2PError):
    """The exported forms don't agree with the Keras model, or one can't be loaded; nothing was left behind."""


def export_model(
    keras_model: keras.Model,
    saved_models_root: str | os.PathLike,
    name: str,
    version: int,
    *,
    card: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Path:
    """Export a model, check every exported form in a fresh process, and only then put it in place.

    Parameters
    ----------
    keras_model : keras.Model
        Float32, from a dict of `contract.INPUTS` to a dict of `contract.OUTPUTS`, in physical units.
    saved_models_root : path
        Folder of models. Gets ``NAME/VERSION`` (SavedModel), ``NAME/model.onnx``, ``NAME/model.keras``,
        ``NAME/metrics.json``, ``NAME/MODEL_CARD.md`` and the configuration files of TensorFlow Serving.
    name : str
    version : int
        Positive, above all that exist.
    card : mapping
        What the model is; ``summary``, ``training_data_hash``, ``commit`` and ``software_version`` are also in the
        ``describe`` signature.
    metrics : mapping
        Its measured figures. The check's largest differences are added as ``export_check``.

    Returns
    -------
    Path
        ``NAME/VERSION``.

    Raises
    ------
    UsageError
        Before anything is written: an existing or older version, a model of other inputs, outputs or precision.
    ExportError
        If a form differs from Keras by more than `check.MU_TOLERANCE`.
    """
    folder = Path(saved_models_root) / name
    _refuse(keras_model, folder, name, version)
    full_card = complete_card(card, name, version, keras_model.output)
    with _stage(folder, version) as stage:
        write_saved_model(keras_model, stage / str(version), name, version, full_card)
        keras_model.save(stage / "model.keras", include_optimizer=False)
        try:
            write_onnx(keras_model, stage / "model.onnx", name, version, full_card)
            report = check_export(stage, version, _modules_of(keras_model))
        except (CheckError, ValueError) as error:
            raise ExportError(f"{name} version {version} was not exported: {error}") from error
        full_metrics = {**metrics, "export_check": report}
        _write_json(stage / "metrics.json", full_metrics)
        _write_json(stage / str(version) / "assets.extra" / "model_card.json", full_card)
        markdown = model_card_markdown(full_card, metrics, report_lines(report))
        (stage / "MODEL_CARD.md").write_text(markdown, encoding="utf-8")
        # The version's folder comes last: a server that watches it finds everything in place, and an export that was
        # interrupted here can be repeated.
        for file in BESIDE:
            os.replace(stage / file, folder / file)
        (folder / _NO_LONGER_WRITTEN).unlink(missing_ok=True)  # of an older version
        os.rename(stage / str(version), folder / str(version))
    write_server_config(Path(saved_models_root))
    return folder / str(version)


def write_saved_model(model: keras.Model, path: Path, name: str, version: int, card: Mapping[str, Any]) -> None:
    """Write the SavedModel with its signatures and warm-up requests, without any check."""
    # No archive.track(model): endpoints track the variables that they use, and a second tracking stores each twice.
    archive = keras.export.ExportArchive()
    serve = archive.add_endpoint("serving_default", make_serving_default(model), list(IMAGE_SIGNATURE))
    archive.add_endpoint("serialized_example", make_serialized_example(serve, model.output), list(EXAMPLES_SIGNATURE))
    describe = tf.function(make_describe(name, version, card, model.output), input_signature=[])
    describe.get_concrete_function()  # Keras wants it traced where it has no signature to trace it by
    archive.add_endpoint("describe", describe)
    archive.write_out(str(path), verbose=False)
    write_warmup_requests(path, name)


def _refuse(model: keras.Model, folder: Path, name: str, version: int) -> None:
    """Raise UsageError for what can't be exported."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"a model's name is made of letters, digits, - and _, and starts with a letter: not {name!r}")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise UsageError(f"a version is a positive whole number, not {version!r}")
    if (folder / str(version)).exists():
        raise UsageError(f"{folder / str(version)} exists already, and versions are never overwritten: choose another")
    newest = max(versions_of(folder), default=0)
    if newest > version:
        raise UsageError(f"{folder} has version {newest}, and servers use the newest: give a version above it")
    wanted_outputs = OUTPUTS | (outputs_of(model.output) if isinstance(model.output, dict) else {})
    for kind, given, wanted in (("inputs", model.input, INPUTS), ("outputs", model.output, wanted_outputs)):
        if not isinstance(given, dict) or set(given) != set(wanted):
            have = sorted(given) if isinstance(given, dict) else type(given).__name__
            raise UsageError(f"the model's {kind} are {have}, expected a dict of {sorted(wanted)}")
    mixed = sorted({layer.compute_dtype for layer in model._flatten_layers() if "16" in str(layer.compute_dtype)})
    if mixed:
        raise UsageError(f"the model computes in {mixed[0]}; export a float32 copy with the same weights")


def _modules_of(model: keras.Model) -> list[str]:
    """Modules outside of Keras and p2p_keras whose classes the .keras file needs."""
    modules = {type(layer).__module__ for layer in model._flatten_layers()}
    return sorted(m for m in modules if m.partition(".")[0] not in {"keras", "p2p_keras", "__main__"})


@contextmanager
def _stage(folder: Path, version: int) -> Iterator[Path]:
    """A hidden folder beside the versions (the same file system, so that renaming is atomic), gone at the end."""
    existed = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{version}.part-", dir=folder))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if not existed and not any(folder.iterdir()):
            folder.rmdir()


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, default=_plain) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as JSON has them; anything else as text."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
