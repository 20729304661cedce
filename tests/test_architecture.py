"""The house itself: which way the arrows run, how long a file is, what may stand in the tracked tree."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from p2p_keras.cli import PROGRAMS
from p2p_keras.program import EXTRA_OF_PACKAGE

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "p2p_keras"
FILES = sorted(PACKAGE.rglob("*.py"))

# Part of the package -> parts and packages that it may not import, not even inside a function (docs/architecture.md).
FORBIDDEN = {
    "models": ("images", "shards", "mocks", "pipeline", "training", "serving", "server", "predictor", "plots"),
    "layers": (
        "images",
        "shards",
        "mocks",
        "pipeline",
        "models",
        "training",
        "serving",
        "server",
        "predictor",
        "plots",
    ),
    "images": ("shards", "mocks", "pipeline", "layers", "models", "training", "serving", "tensorflow", "keras"),
    "mocks": ("pipeline", "layers", "models", "training", "serving", "predictor", "tensorflow", "keras"),
    "shards": ("pipeline", "layers", "models", "training", "serving", "predictor", "tensorflow", "keras"),
    "pipeline": ("layers", "models", "training", "serving", "predictor"),
    "client": ("layers", "models", "training", "mocks", "pipeline", "server"),
    "server": ("layers", "models", "training", "mocks", "pipeline"),
    "sky_survey": ("layers", "models", "training", "mocks", "pipeline", "server", "tensorflow", "keras"),
}
CORE = ("errors", "units", "ellipse", "radii", "extent", "labelled")
MAX_LINES = 350


def imports_of(path: Path) -> set[str]:
    """Everything that a file imports, at any depth, as dotted names; relative imports are resolved."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found.add(module)
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def parts_of(imported: set[str]) -> set[str]:
    """``p2p_keras.images.read`` -> ``images``; ``tensorflow.io`` -> ``tensorflow``."""
    names = (name.split(".") for name in imported)
    return {name[1] if name[0] == "p2p_keras" and len(name) > 1 else name[0] for name in names}


def tracked_texts() -> list[tuple[str, str]]:
    """(path, text) of the tracked files that are text."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    texts = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.stat().st_size < 2_000_000:
            data = path.read_bytes()
            if b"\0" not in data:
                texts.append((name, data.decode("utf-8", "replace")))
    return texts


@pytest.mark.parametrize("part", FORBIDDEN)
def test_arrows_run_one_way(part):
    """A part could no longer be used, tested or installed without the parts further down the street."""
    wrong = {
        str(path.relative_to(ROOT)): sorted(set(FORBIDDEN[part]) & parts_of(imports_of(path)))
        for path in (PACKAGE / part).rglob("*.py")
    }
    assert {path: found for path, found in wrong.items() if found} == {}


@pytest.mark.parametrize("name", CORE)
def test_core_modules_import_no_part(name):
    """The definitions that all parts share would drag a part in with them."""
    parts = parts_of(imports_of(PACKAGE / f"{name}.py"))
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert parts & (folders | set(PROGRAMS)) == set()


def test_programs_are_imported_by_nobody():
    """Library code inside a program could not be used from a notebook."""
    modules = {f"p2p_keras.{name}" for name in PROGRAMS}
    wrong = {str(path.relative_to(ROOT)): sorted(modules & imports_of(path)) for path in FILES}
    assert {path: found for path, found in wrong.items() if found} == {}


def test_files_are_short():
    """A file with two rooms in it is one where a reader looks in vain."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_no_names_that_say_nothing():
    """A module named for nothing is found by nobody."""
    assert [path.name for path in FILES if path.stem in {"utils", "helpers", "common", "misc"}] == []


def test_every_extra_is_declared():
    """The sentence about a missing package would name an extra that pip does not know."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(EXTRA_OF_PACKAGE.values()) <= set(project["optional-dependencies"])


def test_no_package_index_is_named():
    """An environment could be made only where one particular package index is reached."""
    options = "|".join("--" + option for option in ("index-url", "extra-index-url", "find-links", "trusted-host"))
    hosts = "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "https?://[^ \"'>]*/sim" + "ple"))
    pattern = re.compile(rf"^\s*(?:{options})|https?://[^ \"'>]*(?:{hosts})|{hosts}", re.MULTILINE)
    wrong = [(name, match.group()) for name, text in tracked_texts() if (match := pattern.search(text))]
    assert wrong == []


def test_links_in_documents_lead_somewhere():
    """A reader of README.md or docs/ would follow a link to nothing."""
    wrong = []
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target) and not (document.parent / target).exists():
                wrong.append(f"{document.relative_to(ROOT)}: {target}")
    assert wrong == []
