"""The main job: train, export, draw, and report what was done."""

from __future__ import annotations

import datetime
import logging
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from p2p_keras.core.errors import P2PError
from p2p_keras.core.last_words import took, write_last_words
from p2p_keras.network.training.config import FitConfig

__all__ = ["log", "train_and_export", "run_card", "draw_examples"]

log = logging.getLogger(__name__)


def train_and_export(config: FitConfig, *, resume: bool = False, quiet: bool = False) -> Path:
    """Train by a configuration, export the result, draw held-out galaxies and print a summary on stdout.

    With `quiet` neither the epochs nor the summary are told.

    Returns
    -------
    Path
        The run's folder.
    """
    import keras

    from p2p_keras.network.training.run import fit, load_run_model

    started = time.monotonic()
    result = fit(config, resume=resume, verbose=0 if quiet else 1)
    model = load_run_model(result.folder)
    picture = draw_examples(model, config, result.folder / "examples.png")
    exported = None
    if config.export:
        name = config.name or config.preset
        root = result.folder / "saved_models"
        version = 1 + max((int(p.name) for p in (root / name).glob("[0-9]*") if p.name.isdigit()), default=0)
        if keras.config.backend() == "tensorflow":
            from p2p_keras.network.export.write_version import export_model

            card = run_card(config, result.metrics)
            exported = export_model(model, root, name, version, card=card, metrics=result.metrics)
        else:
            exported = _exported_by_tensorflow(result.folder, root, name, version)
    if not quiet:
        _report(result, picture, exported, time.monotonic() - started)
    return result.folder


def _exported_by_tensorflow(run: Path, root: Path, name: str, version: int) -> Path | None:
    """Export a run of another backend in a process of TensorFlow's; None, with a note, where it isn't installed.

    Raises
    ------
    P2PError
    """
    if not find_spec("tensorflow"):
        log.warning("TensorFlow isn't installed: %s is exported by `p2p-keras export` where it is", run)
        return None
    command = [sys.executable, "-m", "p2p_keras.export", str(run), "--name", name, "--version", str(version)]
    ended = subprocess.run([*command, "--output", str(root), "--quiet"], stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        raise P2PError(f"{run} was trained, but exporting it failed; `p2p-keras export {run}` tries it again")
    return Path(ended.stdout.strip())


def run_card(config: FitConfig, metrics: dict) -> dict:
    """What a model's card says of how it was trained."""
    from p2p_keras.data.shards import data_hash, read_manifest

    manifest = read_manifest(config.data)
    return {
        "preset": config.preset,
        "data": config.data,
        "training_data_hash": data_hash(config.data),
        "data_origin": {"program": manifest.program, "seed": manifest.seed, "settings": dict(manifest.settings)}
        if manifest
        else None,
        "seed": config.seed,
        "epochs": metrics.get("epochs"),
        "steps": metrics.get("steps"),
        "batch_size": config.batch_size,
        "precision": config.precision,
        "backend": metrics.get("backend"),
        "settings": config.model,
        "commit": _commit(),
        "date": datetime.date.today().isoformat(),
    }


def draw_examples(model, config: FitConfig, path: Path) -> Path:
    """Draw held-out galaxies with true and predicted profiles and their uncertainty."""
    from p2p_keras.network.training.examples import examples_figure, first_galaxies
    from p2p_keras.network.training.run_data import held_out_splits
    from p2p_keras.profile.plots import save_figure

    galaxies = first_galaxies(config.data, held_out_splits(config.data)[-1])
    return save_figure(examples_figure(model, galaxies, "Held-out galaxies: true and predicted profiles"), path)


def _commit() -> str:
    """Commit of the working tree; empty outside a checkout.

    An environment often lies in the checkout of the user's own project, whose commit says nothing about this code: the
    commit counts only where this very file is tracked.
    """

    def git(*words: str) -> str:
        here = Path(__file__).resolve()
        run = subprocess.run(["git", *words], cwd=here.parent, capture_output=True, text=True, timeout=10, check=True)
        return run.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("describe", "--always", "--dirty")
    except (OSError, subprocess.SubprocessError):
        return ""


def _report(result, picture: Path, exported: Path | None, seconds: float) -> None:
    split = "test" if "test" in result.metrics else "val"
    figures = {name: float("nan") if value is None else value for name, value in result.metrics[split].items()}
    epochs = f"{result.epochs} {'epoch' if result.epochs == 1 else 'epochs'}"
    write_last_words(
        f"Trained {epochs} ({result.metrics['steps']} steps) in {took(0, '', seconds)}, exports and pictures included\n"
        f"Galaxies of the {split} split: median error {figures['error_bright']:.3f} mag where mu < 26.5 "
        f"(worst tenth from {figures['error_bright_p90']:.3f}), {figures['error_all']:.3f} to the profile's end; "
        f"{100 * figures['coverage']:.0f} % of truths inside 1 sigma",
        [
            ("Run folder", f"{result.folder} (config.json, metrics.csv, metrics.json)"),
            ("Picture", picture),
            ("Curves", f"tensorboard --logdir {result.folder / 'tensorboard'}"),
            ("SavedModel", exported),
            ("ONNX", None if exported is None else exported.parent / "model.onnx"),
        ],
        then=f"python -m p2p_keras.predict IMAGE.fits --model {exported} --output profile.ecsv --plot plots"
        if exported is not None
        else f"python -m p2p_keras.export {result.folder}",
    )
