"""Is what was exported the model that was trained? Loads every form of it in fresh processes and compares the numbers.

``python -m p2p_keras.network.export.check saved_models/NAME [--version N]``

That a converter succeeded proves nothing. Each file is run by `form_runner` in a process of its own; all but Keras'
never see p2p_keras. The SavedModel is run by ``tf.saved_model.load`` and by the v1 Session loader (TensorFlow Serving's
family), by both signatures. Exit status 1 where mu differs by more than `MU_TOLERANCE` at a valid radius.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import numpy as np

from p2p_keras.core.contract import OUTPUTS, outputs_of
from p2p_keras.network.export import form_runner
from p2p_keras.network.export.check_cases import cases, right_cases
from p2p_keras.network.export.form_runner import Answers, Arrays

__all__ = [
    "MU_TOLERANCE",
    "TOLERANCES",
    "VALID_TOLERANCE",
    "CheckError",
    "check_export",
    "compare",
    "differences",
    "report_lines",
    "run_in_fresh_process",
]

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

_LAYERS = ("p2p_keras.network.layers", "p2p_keras.network.models")


class CheckError(Exception):
    """The exported forms differ, or one of them doesn't run."""


def run_in_fresh_process(
    kind: str, path: Path, requests: Mapping[str, Arrays], modules: Iterable[str] | None = None
) -> Answers:
    """Run a form of the model in a process of its own: nothing of this one can help it.

    Parameters
    ----------
    kind : str
        Of `form_runner.KINDS`.
    path : Path
    requests : mapping of str to `Arrays`
        By case.
    modules : iterable of str, optional
        To import first, from where this process imports. Without it the process is isolated.

    Raises
    ------
    CheckError
        It can't be loaded and run.
    """
    with tempfile.TemporaryDirectory() as folder:
        stored, answers = Path(folder) / "requests", Path(folder) / "answers"
        stored.write_bytes(pickle.dumps(dict(requests)))
        # -P: the folder of the script is no place to import from.
        command = [sys.executable, "-I" if modules is None else "-P", form_runner.__file__]
        command += [kind, str(path), str(stored), str(answers), *(modules or ())]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise CheckError(f"{path.name} can't be loaded and run in a fresh process:\n{done.stderr[-3000:]}")
        return pickle.loads(answers.read_bytes())


def differences(reference: Arrays, answer: Arrays) -> dict[str, float]:
    """Largest difference of each output where both call a radius valid; everywhere if the reference has none.

    Position angles differ around the circle, and count by how far the ellipse is from a circle.
    """
    both = reference["valid"].astype(bool) & answer["valid"].astype(bool)
    rows = both if reference["valid"].any() else np.ones_like(both)
    largest = {"valid": float(np.mean(reference["valid"].astype(bool) != answer["valid"].astype(bool)))}
    for name, output in outputs_of(reference).items():
        if name == "valid":
            continue
        difference = np.abs(reference[name].astype(float) - answer[name].astype(float))
        if name == "pa":
            difference = np.minimum(difference, 180.0 - difference) * reference["ellipticity"]
        if name in ("sky", "extent"):
            difference = difference / np.maximum(np.abs(reference[name]), 1e-3)
        largest[name] = float(np.max(difference[rows] if output.radial else difference, initial=0.0))
    return largest


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
    keras_file = run_in_fresh_process("keras", folder / "model.keras", right, [*_LAYERS, *modules])
    reference = keras_file["keras"]["answers"]
    _check_refusals(reference, "Keras")
    for_onnx = {**right, "no_pixel": everything["no_pixel"]}
    onnx = run_in_fresh_process("onnx", folder / "model.onnx", for_onnx)
    _check_refusals(onnx["onnx"]["answers"], "ONNX")
    report = {"onnx": compare(reference, onnx["onnx"]["answers"], "ONNX")}
    _check_no_pixel(reference["256x256"], onnx["onnx"]["answers"]["no_pixel"], "ONNX")
    saved_model = run_in_fresh_process("saved_model", folder / str(version), {**everything, "describe": {}})
    facts = saved_model["saved_model.load"]
    if facts["needs_python"]:
        raise CheckError("the SavedModel needs Python code: it has a PyFunc operation, or loading it imports p2p_keras")
    for loader, loaded in saved_model.items():
        answers = loaded["answers"]
        _check_refusals(answers, loader)
        examples = {case.removesuffix(".example"): answers[case] for case in answers if case.endswith(".example")}
        report[f"{loader} serving_default"] = compare(reference, answers, f"{loader}, serving_default")
        report[f"{loader} serialized_example"] = compare(reference, examples, f"{loader}, serialized_example")
        _check_mixed(reference, examples["mixed"], loader)
        _check_no_pixel(reference["256x256"], answers["no_pixel"], loader)
        described = int(answers["describe"]["model_version"])
        if described != version:
            raise CheckError(f"{loader}: describe says version {described}, not {version}")
    report["warm-up"] = {"requests": float(facts["warm_up_requests"])}
    speeds = {"onnx": onnx["onnx"], "saved_model.load": facts}
    report["images/s, 256 px"] = {form: round(facts["images_per_s"], 1) for form, facts in speeds.items()}
    return report


def _check_refusals(answers: Mapping[str, Arrays | str], label: str) -> None:
    for case, answer in answers.items():
        if case.startswith("wrong") != isinstance(answer, str):
            problem = answer if isinstance(answer, str) else "a wrong request was answered, not refused"
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


def report_lines(report: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The report for people: a line for each form."""
    lines = []
    for label, values in report.items():
        if "mu" not in values:
            lines.append(f"{label}: " + ", ".join(f"{key} {value:g}" for key, value in values.items()))
            continue
        others = ", ".join(f"{key} {value:.1e}" for key, value in values.items() if key != "mu")
        lines.append(f"{label}: largest difference of mu {values['mu']:.1e} mag; {others}")
    return lines


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--version", type=int, help="Version to check; by default the newest.")
@click.option("--import", "modules", multiple=True, help="Module that registers the model's own layers.")
def main(folder: Path, version: int | None, modules: tuple[str, ...]) -> None:
    """Compare the Keras, SavedModel and ONNX forms of a model in FOLDER."""
    from p2p_keras.network.export.server_config import versions_of

    versions = versions_of(folder)
    if not versions or (version is not None and version not in versions):
        raise click.UsageError(f"{folder} holds no version {version or ''} of a SavedModel")
    try:
        report = check_export(folder, version or versions[-1], modules)
    except CheckError as error:
        click.echo(f"{folder}: {error}", err=True)
        sys.exit(1)
    click.echo("\n".join(report_lines(report)))


if __name__ == "__main__":
    main()
