"""Where models lie: which files are meant by what a user typed, or by nothing at all. Loads none of them.

The shipped model has one home in the repository, ``saved_models/``; a wheel carries a copy of it inside the package
(setup.py puts it there), so that an installed package has it and a clone uses its own.
"""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from p2p_keras.core.contract import DEFAULT_MODEL
from p2p_keras.core.errors import UsageError

__all__ = ["MODELS_VARIABLE", "ModelFiles", "model_folders", "find_model", "keras_file", "served_folder"]

MODELS_VARIABLE = "P2P_KERAS_MODELS"
"""Environment variable: a folder of models (NAME/VERSION in it) to look in before the others."""


class ModelFiles(NamedTuple):
    """Where a model is: its kind (``"saved_model"`` or ``"onnx"``), files, name and version ('' where unknown)."""

    kind: str
    path: Path
    name: str
    version: str


def model_folders() -> list[Path]:
    """Folders in which models are looked for by name, the first one first.

    ``$P2P_KERAS_MODELS`` where set, ``saved_models`` inside the package (a wheel) and beside it (a clone, also where it
    is installed as editable), and in the working folder.
    """
    package = Path(str(resources.files("p2p_keras"))).resolve()
    named = os.environ.get(MODELS_VARIABLE)
    folders = [Path(named).expanduser()] if named else []
    folders += [package / "saved_models", package.parent / "saved_models", Path("saved_models").resolve()]
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
            raise UsageError(
                f"{path}: this is not a model; give the folder of a SavedModel (NAME or NAME/VERSION) or an .onnx file"
            )
        return ModelFiles("onnx", path, path.resolve().parent.name, "")
    if path.is_dir():
        files = _in_folder(path)
        if files is None:
            raise UsageError(
                f"{path}: contains no model (no saved_model.pb, no version folders 1, 2, ..., no .onnx file)"
            )
        return files
    if path.parent == Path(".") and path.suffix.lower() != ".onnx":
        return _find_by_name(str(model), f"the model {str(model)!r}")
    raise UsageError(f"{path}: no such model")


def keras_file(model: str | os.PathLike[str] | None = None, *, needed_by: str = "--attention") -> Path:
    """The Keras file ``model.keras`` beside a model's versions, which belongs to the newest of them.

    Parameters
    ----------
    model : str or path, optional
        As `find_model` takes it.
    needed_by : str
        The option that needs the file, for the errors' sentences.

    Raises
    ------
    UsageError
        There is none beside the model, or the model isn't the newest version, to which that file belongs.
    """
    files = find_model(model)
    folder = files.path.resolve().parent
    path = folder / "model.keras"
    if not path.is_file():
        raise UsageError(
            f"{needed_by} needs the Keras file, and there is no {path}: the exported graphs lack its layers"
        )
    newest = max((int(p.name) for p in folder.iterdir() if p.name.isdigit()), default=0)
    if files.version and int(files.version) != newest:
        raise UsageError(
            f"{path} belongs to version {newest}, not to {files.version}: {needed_by} needs the newest version"
        )
    return path


def served_folder() -> Path:
    """The folder of models that a server serves by default: ``saved_models`` here, else the one with the shipped model.

    Raises
    ------
    UsageError
        There is neither.
    """
    here = Path("saved_models")
    return here if here.is_dir() else find_model().path.parents[1]


def _find_by_name(name: str, what: str) -> ModelFiles:
    folders = model_folders()
    for folder in folders:
        if (folder / name).is_dir() and (files := _in_folder(folder / name)):
            return files
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
            if files := _in_folder(below):
                return files
            for name in sorted(p for p in below.iterdir() if p.is_dir()):
                if files := _in_folder(name):
                    return files
    return None
