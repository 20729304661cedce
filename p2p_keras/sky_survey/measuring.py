"""Cutouts -> rows of the result, with a model that is loaded once."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from p2p_keras.core.errors import InputError
from p2p_keras.core.model_files import ModelFiles, find_model
from p2p_keras.measure.predictor import Predictor, group_by_shape
from p2p_keras.profile.tables.building import measured_profiles
from p2p_keras.profile.tables.measured import MeasuredProfile
from p2p_keras.sky_survey.cutouts import Failure, FrameCutout
from p2p_keras.sky_survey.rows import failed_row, measured_row, table_of_rows

__all__ = ["Outputs", "ShippedModel", "run_model", "rows_from_outputs", "limit_threads"]

Outputs = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ShippedModel:
    """A model's files as bytes, so that no worker needs to have them.

    Attributes
    ----------
    name : str
        Folder or file under which they are laid out again: NAME/VERSION or NAME/model.onnx.
    files : dict of str to bytes
    """

    name: str
    files: dict[str, bytes]

    @classmethod
    def of(cls, model: str | None, *, on_gpu: bool) -> ShippedModel:
        """Pack a model; where both are there, the ONNX file for CPUs and the SavedModel for GPUs."""
        model_files = find_model(model)
        if model_files.kind == "saved_model" and not on_gpu and importlib.util.find_spec("onnxruntime"):
            model_files = _onnx_beside(model_files) or model_files
        if model_files.kind == "onnx":
            return cls(
                f"{model_files.path.resolve().parent.name}/{model_files.path.name}", {"": model_files.path.read_bytes()}
            )
        files = {
            str(path.relative_to(model_files.path)): path.read_bytes()
            for path in sorted(model_files.path.rglob("*"))
            # Warm-up requests and notes are no part of the computation.
            if path.is_file() and "assets.extra" not in path.parts
        }
        return cls(f"{model_files.name}/{model_files.version or 1}", files)

    def load(self, threads: int | None) -> Predictor:
        """Load it; the files are laid out in a temporary folder for as long as that takes."""
        with tempfile.TemporaryDirectory(prefix="p2p-keras-") as folder:
            target = Path(folder) / self.name
            for name, content in self.files.items():
                path = target / name if name else target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return Predictor.load(target, threads=threads)

    def to_bytes(self) -> bytes:
        """The files as an Arrow table, which holds nothing but names and bytes: reading it runs no code."""
        contents = pa.array(list(self.files.values()), pa.large_binary())
        table = pa.table({"file": pa.array(list(self.files), pa.string()), "content": contents})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue().to_pybytes())

    @classmethod
    def from_bytes(cls, content: bytes, name: str, sha256: str, source: str) -> ShippedModel:
        """Read what `to_bytes` gave, if it is the model of this checksum.

        The bytes may come from a store that others write to, so nothing of them is used before they are known.

        Raises
        ------
        InputError
            They are no such table, or of another model.
        """
        try:
            table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
            files = dict(zip(table["file"].to_pylist(), table["content"].to_pylist(), strict=True))
            model = cls(name, {str(file): bytes(data) for file, data in files.items()})
        except (pa.ArrowException, KeyError, TypeError) as error:
            raise InputError(
                source, "is not the model that this run wrote: something else has overwritten it"
            ) from error
        if model.sha256 != sha256:
            raise InputError(source, "contains another model than this run's: another run writes to the same output")
        return model

    @property
    def sha256(self) -> str:
        """What tells this model from another."""
        import hashlib

        digest = hashlib.sha256()
        for name in sorted(self.files):
            digest.update(name.encode() + b"\0" + self.files[name])
        return digest.hexdigest()


def _onnx_beside(model_files: ModelFiles) -> ModelFiles | None:
    """The ONNX file of a NAME/VERSION, where the newest version is meant."""
    path = model_files.path.resolve().parent / "model.onnx"
    versions = [int(p.name) for p in path.parent.iterdir() if p.name.isdigit()]
    if not path.is_file() or not model_files.version or int(model_files.version) != max(versions, default=0):
        return None
    return ModelFiles("onnx", path, model_files.name, "")


def run_model(
    predictor: Predictor, cutouts: Sequence[FrameCutout | Failure], batch_size: int
) -> list[Outputs | Failure]:
    """Raw outputs of each cutout, or why there are none.

    Batches are cut from the cutouts' own order and are the same in every run: with other companions an output may
    differ in its last bits.
    """
    results: list[Outputs | Failure] = [c if isinstance(c, Failure) else {} for c in cutouts]
    images = ((i, c) for i, c in enumerate(cutouts) if not isinstance(c, Failure))
    for group in group_by_shape(images, batch_size):
        for index, outputs in _run_group(predictor, group):
            results[index] = outputs
    return results


def _run_group(predictor: Predictor, group: Sequence[tuple[int, Any]]) -> list[tuple[int, Outputs | Failure]]:
    try:
        outputs = predictor.run([image for _, image in group])
        return [(index, {name: values[i] for name, values in outputs.items()}) for i, (index, _) in enumerate(group)]
    except Exception as error:  # one image that breaks the model must not cost its batch
        if len(group) == 1:
            return [(group[0][0], Failure("not_measured", f"{type(error).__name__}: {error}".splitlines()[0]))]
        return [pair for one in group for pair in _run_group(predictor, [one])]


def rows_from_outputs(
    planned: Sequence[Mapping[str, Any]],
    cutouts: Sequence[FrameCutout | Failure],
    outputs: Sequence[Outputs | Failure],
    model: str,
    model_version: str,
) -> pa.Table:
    """Rows of the result, in the order of the planned ones."""
    failures: dict[int, Failure] = {}
    for i, parts in enumerate(zip(cutouts, outputs, strict=True)):
        failure = next((part for part in parts if isinstance(part, Failure)), None)
        if failure is not None:
            failures[i] = failure
    good = [i for i in range(len(planned)) if i not in failures]
    profiles: dict[int, MeasuredProfile | Failure] = {}
    for first in range(0, len(good), _PROFILES_AT_ONCE):
        some = good[first : first + _PROFILES_AT_ONCE]
        profiles.update(
            zip(some, _profiles([(cutouts[i], outputs[i]) for i in some], model, model_version), strict=True)
        )
    rows = []
    for i, (plan, cutout) in enumerate(zip(planned, cutouts, strict=True)):
        answer = failures.get(i) or profiles[i]
        if isinstance(answer, Failure):
            rows.append(failed_row(plan, answer.flag, answer.cause, model, model_version))
        else:
            rows.append(measured_row(plan, answer.columns, answer.meta, max(cutout.shape)))  # type: ignore[union-attr]
    return table_of_rows(rows)


_PROFILES_AT_ONCE = 32


def _profiles(parts: Sequence[tuple[Any, Any]], model: str, model_version: str) -> list[MeasuredProfile | Failure]:
    """Profiles of cutouts with their outputs; by itself each where together they can't be made."""
    outputs = {name: np.stack([one[name] for _, one in parts]) for name in parts[0][1]}
    try:
        return list(
            measured_profiles(outputs, [cutout for cutout, _ in parts], model=model, model_version=model_version)
        )
    except Exception as error:  # numbers that no image should give: the row says so
        if len(parts) == 1:
            return [Failure("not_measured", f"{type(error).__name__}: {error}")]
        return [profile for one in parts for profile in _profiles([one], model, model_version)]


def limit_threads(threads: int) -> None:
    """Keep numerical libraries to some threads; before they are loaded."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, str(threads))
