"""A run folder, as fit leaves it, to a served model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.network.export.server_config import versions_of

__all__ = ["ExportedRun", "export_run"]


class ExportedRun(NamedTuple):
    """The version's folder and the lines of the check."""

    path: Path
    check: list[str]


def export_run(run: Path, saved_models: Path, name: str, version: int | None = None) -> ExportedRun:
    """Export the best model of a run.

    Parameters
    ----------
    run : Path
        Folder with config.json, the best weights and metrics.json, and optionally card.json: what a person adds to the
        model's card (`summary`, `intended_use`, `limits`, `training_data`, ...).
    saved_models : Path
    name : str
    version : int, optional
        One above the newest by default.

    Raises
    ------
    UsageError
        For a folder that is no run, or an existing version.
    ExportError
    """
    newest = max(versions_of(Path(saved_models) / name), default=0)
    version = newest + 1 if version is None else version
    if (Path(saved_models) / name / str(version)).exists():  # refused before the minute that loading takes
        raise UsageError(f"{Path(saved_models) / name / str(version)} exists already: choose another version")
    metrics = _read_json(Path(run) / "metrics.json")
    config = _read_json(Path(run) / "config.json")

    from p2p_keras.network.export.check import report_lines
    from p2p_keras.network.export.write_version import export_model
    from p2p_keras.network.training.config import FitConfig
    from p2p_keras.network.training.run import load_run_model
    from p2p_keras.network.training.session import run_card

    model = load_run_model(run)
    card = run_card(FitConfig.from_mapping(config, str(Path(run) / "config.json")), metrics)
    if (Path(run) / "card.json").exists():
        card |= _read_json(Path(run) / "card.json")
    path = export_model(model, saved_models, name, version, card=card, metrics=metrics)
    written = _read_json(path.parent / "metrics.json")
    return ExportedRun(path, report_lines(written["export_check"]))


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(
            f"{path.parent} is not a finished run: it has no {path.name}; train one with python -m p2p_keras.fit"
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(path, f"is not JSON ({error})") from None
