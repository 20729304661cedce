"""Is what was exported the model that was trained? Loads every form of it in fresh processes and compares the numbers.

``python -m p2p_keras.network.export.check saved_models/NAME [--version N]``

That a converter succeeded proves nothing. The Keras file, and the ONNX file, are run in this process, the SavedModel in
another one that never saw p2p_keras, by ``tf.saved_model.load`` and by the v1 Session loader (TensorFlow Serving's
family), by both signatures. Exit status 1 where mu differs by more than `MU_TOLERANCE` at a valid radius. The file with
float16 weights is measured too, but may differ: the export leaves it out above `half_precision.MEDIAN_LIMIT`.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import numpy as np

from p2p_keras.core.contract import OUTPUTS, outputs_of
from p2p_keras.network.export.check_cases import Arrays, cases, right_cases
from p2p_keras.network.export.half_precision import FILE_NAME as HALF_PRECISION

MU_TOLERANCE = 1e-3
"""Largest difference of mu (mag) that is let through, where valid."""

TOLERANCES = {
    "mu": MU_TOLERANCE,
    "growth": MU_TOLERANCE,
    "mag_total": MU_TOLERANCE,
    "sma": 1e-3,
    "mu_err": 1e-2,
}
TOLERANCES |= {"ellipticity": 1e-2, "x0": 0.05, "y0": 0.05, "pa": 1.0}
VALID_TOLERANCE = 0.02
"""Share of radii that may be valid in one runtime and not in the other: one at the very limit may fall either way."""

TIMED_CASE, TIMED_RUNS = "256x256", 5
"""The speeds told in the report are the best of so many runs of this case."""

_RUNNER = Path(__file__).with_name("saved_model_runner.py")


class CheckError(Exception):
    """The exported forms differ, or one of them doesn't run."""


def run_keras(path: Path, batches: Mapping[str, Arrays], modules: Iterable[str]) -> dict[str, Arrays]:
    """Outputs of the .keras file, which needs the modules that register its layers."""
    import keras

    for module in ("p2p_keras.network.layers", "p2p_keras.network.models", *modules):
        importlib.import_module(module)
    model = keras.models.load_model(path, compile=False)
    return {
        name: {key: keras.ops.convert_to_numpy(value) for key, value in model(batch, training=False).items()}
        for name, batch in batches.items()
    }


def run_onnx(path: Path, batches: Mapping[str, Arrays]) -> tuple[dict[str, Arrays], float]:
    """Outputs of an ONNX file in ONNX Runtime, and its speed in images a second."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    _check_names(names, path.name)
    answers = {name: dict(zip(names, session.run(names, dict(batch)), strict=True)) for name, batch in batches.items()}
    seconds = []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        session.run(names, dict(batches[TIMED_CASE]))
        seconds.append(time.perf_counter() - start)
    return answers, len(batches[TIMED_CASE]["image"]) / min(seconds)


def run_saved_model(path: Path, batches: Mapping[str, Arrays]) -> Arrays:
    """Results of `saved_model_runner` in a fresh, isolated process."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder) / "inputs.npz", Path(folder) / "outputs.npz"
        arrays = {f"{name}/{key}": value for name, batch in batches.items() for key, value in batch.items()}
        np.savez(inputs, **arrays)  # type: ignore[arg-type]
        command = [
            sys.executable,
            "-I",
            str(_RUNNER),
            str(path),
            str(inputs),
            str(outputs),
            TIMED_CASE,
            str(TIMED_RUNS),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise CheckError(f"the SavedModel can't be loaded and run in a fresh process:\n{done.stderr[-3000:]}")
        with np.load(outputs) as loaded:
            return dict(loaded)


def differences(reference: Arrays, answer: Arrays) -> dict[str, float]:
    """Largest difference of each output where both call a radius valid; everywhere if the reference has none.

    Position angles differ around the circle, and count by how far the ellipse is from a circle.
    """
    both = reference["valid"].astype(bool) & answer["valid"].astype(bool)
    rows = both if reference["valid"].any() else np.ones_like(both)
    found = {"valid": float(np.mean(reference["valid"].astype(bool) != answer["valid"].astype(bool)))}
    for name, output in outputs_of(reference).items():
        if name == "valid":
            continue
        difference = np.abs(reference[name].astype(float) - answer[name].astype(float))
        if name == "pa":
            difference = np.minimum(difference, 180.0 - difference) * reference["ellipticity"]
        if name in ("sky", "extent"):
            difference = difference / np.maximum(np.abs(reference[name]), 1e-3)
        found[name] = float(np.max(difference[rows] if output.radial else difference, initial=0.0))
    return found


def compare(reference: Mapping[str, Arrays], answers: Mapping[str, Arrays], label: str) -> dict[str, float]:
    """Largest differences over all cases.

    Raises
    ------
    CheckError
        If one is above its tolerance, an output is missing or not finite.
    """
    largest: dict[str, float] = {}
    for case, expected in reference.items():
        answer = answers[case]
        _check_outputs(answer, f"{label}, {case}")
        if missing := set(expected) - set(answer):
            raise CheckError(f"{label}, {case}: outputs are missing: {sorted(missing)}")
        for name, value in differences(expected, answer).items():
            largest[name] = max(largest.get(name, 0.0), value)
    limits = TOLERANCES | {"valid": VALID_TOLERANCE}
    wrong = {k: v for k, v in largest.items() if not v <= limits.get(k, np.inf)}
    if wrong:
        text = ", ".join(f"{name} by {value:.3g} (at most {limits[name]:g})" for name, value in wrong.items())
        raise CheckError(f"{label} differs from Keras: {text}")
    return largest


def compare_reduced(reference: Mapping[str, Arrays], answers: Mapping[str, Arrays], label: str) -> dict[str, float]:
    """Largest differences of a form of reduced precision, and as `mu_median` the median over all valid radii.

    Raises
    ------
    CheckError
        If an output is missing or not finite.
    """
    found: dict[str, float] = {}
    of_mu = []
    for case, expected in reference.items():
        answer = answers[case]
        _check_outputs(answer, f"{label}, {case}")
        for name, value in differences(expected, answer).items():
            found[name] = max(found.get(name, 0.0), value)
        both = expected["valid"].astype(bool) & answer["valid"].astype(bool)
        of_mu.append(np.abs(expected["mu"] - answer["mu"])[both])
    pooled = np.concatenate(of_mu)
    found["mu_median"] = float(np.median(pooled)) if pooled.size else found["mu"]
    return found


def _check_names(names: Iterable[str], label: str) -> None:
    expected = OUTPUTS | outputs_of(names)
    if set(names) != set(expected):
        raise CheckError(f"{label}: outputs are {sorted(names)}, expected {sorted(expected)}")


def _check_outputs(answer: Arrays, label: str) -> None:
    _check_names(answer, label)
    for name, value in answer.items():
        if value.dtype != (bool if name == "valid" else np.float32):
            raise CheckError(f"{label}: {name} is {value.dtype}")
        if not np.isfinite(value).all():
            raise CheckError(f"{label}: {name} is not finite")


def _by_case(results: Arrays, loader: str, signature: str) -> dict[str, Arrays]:
    found: dict[str, Arrays] = {}
    for key, value in results.items():
        parts = key.split("/")
        if parts[:2] == [loader, signature]:
            found.setdefault(parts[2], {})[parts[3]] = value
    return found


def check_export(folder: Path, version: int, modules: Iterable[str] = ()) -> dict[str, dict[str, float]]:
    """Compare all forms of an exported model.

    Parameters
    ----------
    folder : Path
        With VERSION/, model.keras and model.onnx.
    version : int
    modules : iterable of str
        Modules to import for layers that p2p_keras doesn't have.

    Returns
    -------
    dict
        For each form its largest differences from the Keras file, by output; and the forms' speeds on this machine.

    Raises
    ------
    CheckError
    """
    right, everything = right_cases(), cases()
    reference = run_keras(folder / "model.keras", right, modules)
    for_onnx = {**right, "no_pixel": everything["no_pixel"]}
    speeds = {}
    answers, speeds["onnx"] = run_onnx(folder / "model.onnx", for_onnx)
    report = {"onnx": compare(reference, answers, "ONNX")}
    if (folder / HALF_PRECISION).exists():
        answers, speeds["onnx float16"] = run_onnx(folder / HALF_PRECISION, for_onnx)
        report["onnx float16"] = compare_reduced(reference, answers, "ONNX with float16 weights")
    results = run_saved_model(folder / str(version), everything)
    speeds["saved_model.load"] = len(right[TIMED_CASE]["image"]) / float(results["seconds"])
    if results["python_functions"] or results["p2p_keras_loaded"]:
        raise CheckError("the SavedModel needs Python code: it has a PyFunc operation, or loading it imports p2p_keras")
    for loader in ("saved_model.load", "v1.Session"):
        images = _by_case(results, loader, "serving_default")
        examples = _by_case(results, loader, "serialized_example")
        _check_refusals({**images, **examples}, loader)
        report[f"{loader} serving_default"] = compare(reference, images, f"{loader}, serving_default")
        renamed = {case.removesuffix(".example"): answer for case, answer in examples.items()}
        report[f"{loader} serialized_example"] = compare(reference, renamed, f"{loader}, serialized_example")
        _check_mixed(reference, renamed["mixed"], loader)
        _check_no_pixel(reference["256x256"], images["no_pixel"], loader)
        described = _by_case(results, loader, "describe")["describe"]
        if int(described["model_version"]) != version:
            raise CheckError(f"{loader}: describe says version {described['model_version']}, not {version}")
    report["warm-up"] = {"requests": float(results["warmup_requests"])}
    report["images/s, 256 px"] = {form: round(speed, 1) for form, speed in speeds.items()}
    return report


def _check_refusals(answers: Mapping[str, Arrays], label: str) -> None:
    for case, answer in answers.items():
        if case.startswith("wrong") != ("error" in answer):
            problem = str(answer.get("error", "a wrong request was answered, not refused"))
            raise CheckError(f"{label}: {case}: {problem}")


def _check_mixed(reference: Mapping[str, Arrays], mixed: Arrays, label: str) -> None:
    """Examples of several sizes in one batch give what each gives alone."""
    together = {key: np.concatenate([reference["64x64"][key], reference["48x48"][key]]) for key in reference["64x64"]}
    compare({"mixed": together}, {"mixed": mixed}, f"{label}, examples of two sizes")


def _check_no_pixel(reference: Arrays, answer: Arrays, label: str) -> None:
    """An image without a finite pixel is invalid at every radius, and spoils no other of the batch."""
    _check_outputs(answer, f"{label}, an image without a finite pixel")
    if answer["valid"][1].any():
        raise CheckError(f"{label}: an image without a finite pixel has valid radii")
    others = [0, 2]
    compare(
        {"others": {key: value[others] for key, value in reference.items()}},
        {"others": {key: value[others] for key, value in answer.items()}},
        f"{label}, beside an image without a finite pixel",
    )


def check_in_fresh_process(folder: Path, version: int, modules: Iterable[str] = ()) -> dict[str, dict[str, float]]:
    """`check_export` in a process of its own: nothing of this one can help it.

    Raises
    ------
    CheckError
    """
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        command = [sys.executable, "-m", "p2p_keras.network.export.check", str(folder), "--version", str(version)]
        command += ["--report", str(report)]
        for module in modules:
            command += ["--import", module]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if not report.exists():
            raise CheckError(f"the check itself failed ({done.returncode}):\n{done.stderr[-3000:]}")
        found = json.loads(report.read_text(encoding="utf-8"))
        if "error" in found:
            raise CheckError(found["error"])
        return found


def report_lines(report: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The report for people: a line for each form."""
    lines = []
    for label, values in report.items():
        if "mu" not in values:
            lines.append(f"{label}: " + ", ".join(f"{key} {value:g}" for key, value in values.items()))
            continue
        median = f", median {values['mu_median']:.1e}" if "mu_median" in values else ""
        others = ", ".join(f"{key} {value:.1e}" for key, value in values.items() if key not in ("mu", "mu_median"))
        lines.append(f"{label}: largest difference of mu {values['mu']:.1e} mag{median}; {others}")
    return lines


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--version", type=int, help="Version to check; by default the newest.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the differences as JSON.")
@click.option("--import", "modules", multiple=True, help="Module that registers the model's own layers.")
def main(folder: Path, version: int | None, report: Path | None, modules: tuple[str, ...]) -> None:
    """Compare the Keras, SavedModel and ONNX forms of a model in FOLDER."""
    from p2p_keras.network.export.server_config import versions_of

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    versions = versions_of(folder)
    if not versions or (version is not None and version not in versions):
        raise click.UsageError(f"{folder} holds no version {version or ''} of a SavedModel")
    try:
        found = check_export(folder, version or versions[-1], modules)
    except CheckError as error:
        click.echo(f"{folder}: {error}", err=True)
        if report is not None:
            report.write_text(json.dumps({"error": str(error)}), encoding="utf-8")
        sys.exit(1)
    click.echo("\n".join(report_lines(found)))
    if report is not None:
        report.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
