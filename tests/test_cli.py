"""The programs as a shell sees them: quick help, sentences instead of tracebacks, exit statuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from p2p_keras import cli
from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.core.program import Program

HEAVY = (
    "astropy",
    "galsim",
    "grpc",
    "keras",
    "matplotlib",
    "onnxruntime",
    "photutils",
    "scipy",
    "tensorflow",
    "tf2onnx",
)

# Runs `python -m MODULE --help` inside a process that then tells its own CPU time (start of Python included) and which
# large packages it has loaded. CPU time, since a busy machine must not fail the test.
PROBE = """
import contextlib, io, json, runpy, sys, time
module, *sys.argv[1:] = sys.argv[1:]
status, out = 0, io.StringIO()
try:
    with contextlib.redirect_stdout(out):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
except SystemExit as error:
    status = error.code or 0
heavy = [name for name in {heavy!r} if name in sys.modules]
print(json.dumps(dict(status=status, seconds=time.process_time(), heavy=heavy, out=out.getvalue())))
"""


def run_help(module: str) -> dict:
    """Answer of ``python -m MODULE --help`` in a fresh process."""
    command = [sys.executable, "-c", PROBE.format(heavy=HEAVY), module, "--help"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COV_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("module", ["p2p_keras", "p2p_keras.cli", *(f"p2p_keras.{name}" for name in cli.PROGRAMS)])
def test_help_is_quick_and_loads_nothing_large(module):
    """Asking a program how it works would take seconds, or fail where an optional package is missing."""
    answer = run_help(module)
    assert answer["status"] == 0
    assert "Usage:" in answer["out"]
    assert "--help" in answer["out"]
    assert answer["heavy"] == []
    assert answer["seconds"] < 1.0


@pytest.mark.parametrize("name", [*cli.PROGRAMS, "info"])
def test_every_option_says_what_it_is(name):
    """A person who reads --help would meet an option without a word about it."""
    command = cli.main.get_command(click.Context(cli.main), name)
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_import_of_package_is_light():
    """``import p2p_keras`` in a notebook or a small script would load TensorFlow."""
    program = f"import p2p_keras, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_version():
    """``p2p-keras --version`` would not tell what is installed."""
    result = CliRunner().invoke(cli.main, ["--version"])
    assert result.exit_code == 0
    assert result.output.split()[-1][0].isdigit()


def test_unknown_program_is_wrong_usage():
    """A script with a misspelt program would go on as if all were done."""
    result = CliRunner().invoke(cli.main, ["predcit"])
    assert result.exit_code == 2
    assert "predcit" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell):
    """The script of the documentation would not complete programs and options."""
    result = CliRunner().invoke(cli.main, ["completion", shell])
    assert result.exit_code == 0
    assert "_P2P_KERAS_COMPLETE" in result.output
    typed, word = {"bash": ("p2p-keras predict --resu", "2"), "zsh": ("p2p-keras pred", "1")}.get(
        shell, ("p2p-keras pred", "pred")
    )
    environment = {"_P2P_KERAS_COMPLETE": f"{shell}_complete", "COMP_WORDS": typed, "COMP_CWORD": word}
    answer = CliRunner().invoke(cli.main, [], prog_name="p2p-keras", env=environment)
    assert ("--resume" if shell == "bash" else "predict") in answer.output


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UsageError("no folder 'shards': make it with p2p_keras.simulate"), 2, "no folder 'shards'"),
        (InputError("a.fits", "is empty"), 1, "a.fits: is empty"),
        (ModuleNotFoundError("No module named 'sep'", name="sep"), 2, "pip install 'p2p-keras[pack]'"),
        (ModuleNotFoundError("No module named 'x'", name="grpc.aio"), 2, "pip install 'p2p-keras[serve]'"),
        (
            ModuleNotFoundError("No module named 'x'", name="keras"),
            2,
            "TensorFlow with Keras, which is not installed: pip",
        ),
        (ModuleNotFoundError("No module named 'x'", name="google_crc32c"), 2, "google-crc32c"),
        (ModuleNotFoundError("No module named 'x'", name="google.protobuf"), 2, "protobuf"),
        (ModuleNotFoundError("No module named 'x'", name="tf2onnx"), 2, "pip install p2p-keras"),
    ],
)
def test_errors_become_sentences(error, status, words):
    """A user would see a traceback, or a script the wrong exit status."""

    @click.command(cls=Program)
    def main():
        raise error

    result = CliRunner().invoke(main, [])
    assert result.exit_code == status
    assert words in result.output
    assert "Traceback" not in result.output


def test_bugs_keep_their_traceback():
    """A failure of our own would be hidden behind a sentence that blames the user."""

    @click.command(cls=Program)
    def main():
        raise ModuleNotFoundError("No module named 'p2p_keras.nothing'", name="p2p_keras.nothing")

    result = CliRunner().invoke(main, [])
    assert isinstance(result.exception, ModuleNotFoundError)


# Runs a program of the package where some packages can't be imported, as where they aren't installed.
WITHOUT = """
import sys
missing = set(sys.argv.pop(1).split(","))
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from p2p_keras.cli import main
main(prog_name="p2p-keras")
"""


def run_without(packages: str, *arguments: str, cwd) -> subprocess.CompletedProcess:
    """``p2p-keras ARGUMENTS`` in a fresh process where `packages` (a,b,c) can't be imported."""
    command = [sys.executable, "-c", WITHOUT, packages, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd)


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "--data", "."),
        ("export", "run"),
        ("serve",),
        ("predict", "x.fits", "--output", "out", "--attention", "pictures"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_without_tensorflow_a_sentence_says_what_to_install(arguments, tmp_path):
    """Who measures without TensorFlow, and then trains, would see a traceback."""
    (tmp_path / "run").mkdir()
    for name in ("config.json", "metrics.json"):
        (tmp_path / "run" / name).write_text("{}")
    done = run_without("tensorflow,keras,tensorboard", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert "needs TensorFlow with Keras" in lines[-1]
    assert "pip install p2p-keras" in lines[-1]
    assert "Traceback" not in done.stderr


def test_info_for_scripts(tmp_path):
    """A pipeline's log, or a report of a fault, would not tell which model measured, or from where."""
    done = run_without("", "info", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["p2p_keras"] == cli.__version__
    assert facts["model"]["name"] == "isophote"
    assert facts["model"]["folder"].endswith("/isophote/" + facts["model"]["version"])
    assert os.path.isfile(facts["model"]["file"])
    assert set(facts["backends"]) == {"onnxruntime", "tensorflow"}
    assert facts["devices"]["cores"] >= 1


def test_info_loads_no_tensorflow_without_a_gpu():
    """A look at the versions would take as long as TensorFlow takes to load."""
    if list(Path("/dev").glob("nvidia[0-9]*")):
        pytest.skip("there is a GPU, whose devices TensorFlow is asked for")
    program = (
        "import sys; from p2p_keras.measure.installation import describe_installation as d; "
        "d(); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


def test_info_without_a_model(tmp_path, monkeypatch):
    """A broken installation would look whole until the first galaxy."""
    from p2p_keras.core import model_files

    monkeypatch.setattr(model_files, "model_folders", lambda: [tmp_path])
    result = CliRunner().invoke(cli.main, ["info"])
    assert result.exit_code == 1
    assert "the shipped model was not found" in result.output
    assert cli.__version__ in result.output
