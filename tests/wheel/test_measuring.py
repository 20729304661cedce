"""The install of those who only measure: the README's two lines, and no TensorFlow."""

from __future__ import annotations

import json
import tomllib

import pytest
from conftest import readme_lines
from environment import ROOT
from journey import MEASURE_ARRAY, draw_galaxy, measure


def test_readme_lists_what_is_tested():
    """The README's line would install something else than the group that the container image is made of."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    assert sorted(readme_lines()[1]) == sorted(groups["predict"])
    assert readme_lines()[0] == ["--no-deps", "p2p-keras"]


def test_there_is_no_tensorflow(measuring):
    """The small install would be as large as the whole one."""
    facts = json.loads(measuring.run("p2p-keras", "info", "--json").stdout)
    assert facts["packages"]["tensorflow"] is None
    assert facts["packages"]["keras"] is None
    assert facts["model"]["backend"] == "onnxruntime"
    print(f"installed without TensorFlow: {measuring.size() / 1e9:.2f} GB")


def test_predict(measuring):
    """Who only measures would have to install TensorFlow after all."""
    draw_galaxy(measuring)
    profile, truth = measure(measuring)
    assert profile["mag_total"] == pytest.approx(truth, abs=0.1)


def test_from_python(measuring):
    """A notebook without TensorFlow could not measure an array."""
    draw_galaxy(measuring)
    measured = json.loads(measuring.run("python", "-c", MEASURE_ARRAY).stdout)
    assert measured["tensorflow"] is False
    assert measured["rows"] > 10


@pytest.mark.parametrize(
    "command",
    [
        ("fit", "--data", "."),
        ("export", "run"),
        ("serve",),
        ("simulate", "--count", "1", "--output", "shards"),
        ("predict", "galaxy.fits", "--output", "out", "--attention", "pictures"),
    ],
    ids=lambda command: command[0],
)
def test_what_is_missing_is_named(measuring, command):
    """Who trains without TensorFlow would see a traceback, not what to install."""
    draw_galaxy(measuring)
    (measuring.work / "run").mkdir(exist_ok=True)
    for name in ("config.json", "metrics.json"):  # a finished run, as far as can be seen without TensorFlow
        (measuring.work / "run" / name).write_text("{}")
    message = measuring.run("p2p-keras", *command, status=2).stderr.strip()
    assert "pip install" in message.splitlines()[-1]
    assert "Traceback" not in message


def test_what_is_named_helps(measuring):
    """The sentence of `fit` would name a command that installs nothing, as the package is there already."""
    assert "tensorflow" in measuring.install("--dry-run", "p2p-keras")
