"""What a release says of itself: one version, one list of requirements, links that lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import p2p_keras
from p2p_keras.core.contract import DEFAULT_MODEL

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
RECIPE = yaml.safe_load((ROOT / "deploy" / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def step(words: str) -> str:
    """The commands of the release's step with these words in its name."""
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["build"]["steps"]
    (command,) = [entry["run"] for entry in steps if words in entry.get("name", "")]
    return command


def test_one_version():
    """A paper would cite another version than the one that measured, or a release would lack its place in the log."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest, date = re.findall(r"^## \[(\d[^\]]*)\] - (\d{4}-\d\d-\d\d)$", text, re.MULTILINE)[0]
    assert CITATION["version"] == newest == p2p_keras.__version__ == RECIPE["context"]["version"]
    assert str(CITATION["date-released"]) == date


def test_tag_must_be_the_version():
    """A tag on the wrong commit would publish one version under another's name."""
    command = step("the tag is the package's version").replace("python -c", f"{sys.executable} -c")
    for tag, status in ((f"v{p2p_keras.__version__}", 0), ("v9.9.9", 1)):
        environment = {"GITHUB_REF_NAME": tag, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        done = subprocess.run(["bash", "-euc", command], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == status, done.stderr


def test_links_of_the_published_readme(tmp_path):
    """The package index shows the README, and its links to the documentation would be dead there."""
    (tmp_path / "README.md").write_text((ROOT / "README.md").read_text(encoding="utf-8"), encoding="utf-8")
    names = {"GITHUB_SERVER_URL": "https://host", "GITHUB_REPOSITORY": "a/b", "GITHUB_REF_NAME": "v1"}
    environment = names | {"PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-euc", step("links of the README")], cwd=tmp_path, env=environment, check=True)
    targets = re.findall(r"\]\(([^)]+)\)", (tmp_path / "README.md").read_text(encoding="utf-8"))
    ours = [target for target in targets if target.startswith("https://host/a/b/blob/v1/")]
    assert len(ours) > 10
    assert all((ROOT / target.removeprefix("https://host/a/b/blob/v1/").partition("#")[0]).exists() for target in ours)
    assert [target for target in targets if not re.match("https?:|#", target)] == []


def test_publishing_needs_no_password():
    """A token would have to be kept, and could be stolen; or a pull request could publish."""
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    assert "secrets." not in WORKFLOW.read_text(encoding="utf-8")
    assert workflow[True] == {"push": {"tags": ["v*"]}}  # YAML reads the key `on` as true
    assert workflow["jobs"]["publish"]["permissions"] == {"id-token": "write"}
    assert workflow["jobs"]["publish"]["needs"] == "build"
    assert all(re.search(r"@[0-9a-f]{40}$", action) for action in re.findall(r"uses: (\S+)", WORKFLOW.read_text()))


def test_conda_recipe_has_the_same_requirements():
    """Who installs by conda would lack a package, or get one that is too old."""
    wanted = {re.sub(r"\s*(>=.*)", r" \1", line) for line in PROJECT["dependencies"]}
    wanted |= {f"python {PROJECT['requires-python']}"}
    assert {line.replace("matplotlib-base", "matplotlib") for line in RECIPE["requirements"]["run"]} == wanted


def test_setup_copies_the_default_model():
    """The wheel would carry another model than the one that `predict` looks for."""
    (named,) = re.findall(r'^MODEL = "(\w+)"$', (ROOT / "setup.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert named == DEFAULT_MODEL


def test_small_install_is_a_part_of_the_whole():
    """`pip install p2p-keras` after the small install would change the versions that were measured with."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    extras = PROJECT["optional-dependencies"]
    assert set(groups["predict"]) <= {*PROJECT["dependencies"], *extras["parquet"]}


def test_readme_installs_the_same_group():
    """The README's line would install something else than the group that the container image is made of."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^pip install --no-deps p2p-keras\npip install ((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert sorted(shlex.split(line.replace("\\\n", " "))) == sorted(groups["predict"])
