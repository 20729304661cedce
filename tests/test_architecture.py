"""The house itself: which way the arrows run, how long a file is, what may stand in the tracked tree."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
from pathlib import Path

import pytest

from p2p_keras.cli import PROGRAMS
from p2p_keras.core.program import EXTRA_OF_PACKAGE

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "p2p_keras"
FILES = sorted(PACKAGE.rglob("*.py"))

# A wing imports only wings that stand above it here; the root's files stand below all of them.
WINGS = (
    "core",
    "images",
    "profile",
    "data",
    "network",
    "measure",
    "evaluation",
    "serving",
    "sky_survey",
    "page",
)
# Inside a wing that has rooms of its own: the same rule.
ROOMS = {
    "profile": (
        "isophotes",
        "columns",
        "surroundings",
        "flags",
        "painting",
        "harmonic_painting",
        "plots",
        "tables",
        "derived",
    ),
    "data": ("labelled", "shards", "pipeline", "mocks", "packing", "shard_sheet"),
    "network": ("layers", "models", "export", "training"),
    "measure": (
        "backends",
        "along",
        "ellipse_measurers",
        "installation",
        "predictor",
        "attention",
        "attention_figure",
        "reading_ahead",
        "many_files",
        "workers",
        "bands",
        "outputs",
    ),
    "serving": ("server", "client"),
}
# Wings that start at once and run in small workers: they import neither TensorFlow nor Keras.
WITHOUT_TENSORFLOW = ("core", "images", "profile", "sky_survey")
MAX_LOOSE_FILES = 15
MAX_LINES = 350


@functools.cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    named = {}
    for path in FILES:
        parts = path.relative_to(ROOT).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    """Modules that a file imports, at any depth and for types alone too, as dotted names.

    ``from package import name`` imports the module ``package.name`` where there is one, else the package.
    """
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    targets: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (base, node.module or "") if part)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                targets.add(full if full in modules() else base)
    return frozenset(targets)


@functools.cache
def arrows() -> dict[str, set[str]]:
    """Module -> modules of the package that it imports."""
    return {name: {target for target in imports_of(path) if target in modules()} for name, path in modules().items()}


def wing_of(module: str) -> str:
    """``p2p_keras.images.reading`` -> ``images``; a file of the root -> ``""``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in WINGS else ""


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


def test_every_folder_is_a_wing():
    """A room outside the plan is found by nobody, and nothing says what it may import."""
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= set(WINGS)


def test_few_files_stand_loose():
    """The root is the hall of the house: programs and doors, no furniture."""
    loose = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(loose) <= MAX_LOOSE_FILES, loose


def test_arrows_run_one_way():
    """A wing could no longer be used, tested or installed without the wings below it."""
    order = {wing: i for i, wing in enumerate((*WINGS, ""))}
    wrong = [
        f"{module} -> {target}"
        for module, targets in arrows().items()
        for target in targets
        if order[wing_of(target)] > order[wing_of(module)]
    ]
    assert sorted(wrong) == []


@pytest.mark.parametrize("wing", ROOMS)
def test_arrows_run_one_way_inside(wing):
    """The rooms of a wing would lean on each other, and none could be read alone."""
    order = {f"p2p_keras.{wing}.{room}": i for i, room in enumerate(ROOMS[wing])}

    def room_of(module: str) -> int | None:
        return next((i for room, i in order.items() if module == room or module.startswith(f"{room}.")), None)

    wrong = [
        f"{module} -> {target}"
        for module, targets in arrows().items()
        for target in targets
        if (here := room_of(module)) is not None and (there := room_of(target)) is not None and there > here
    ]
    assert sorted(wrong) == []


def test_no_circle():
    """Two modules that import each other are one module in two files, and one of them loads half made."""
    graph = arrows()
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> list[str] | None:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return None
        for target in sorted(graph[module]):
            if circle := walk(target, (*way, module)):
                return circle
        done.add(module)
        return None

    # The root's names are imported on first use: a module that imports the root needs its version alone.
    graph["p2p_keras"] = set()
    assert [circle for module in sorted(graph) if (circle := walk(module, ()))] == []


@pytest.mark.parametrize("wing", WITHOUT_TENSORFLOW)
def test_wings_without_tensorflow(wing):
    """Reading an image, or a worker of a survey, would load gigabytes that it doesn't use."""
    heavy = {"tensorflow", "keras"}
    wrong = {
        name: sorted(heavy & {target.split(".")[0] for target in imports_of(path)})
        for name, path in modules().items()
        if wing_of(name) == wing
    }
    assert {name: imports for name, imports in wrong.items() if imports} == {}


def test_the_root_is_imported_by_nobody():
    """The package's doors would be part of its rooms."""
    users = {name for name, targets in arrows().items() if "p2p_keras" in targets}
    assert users <= {"p2p_keras.__main__"}


def test_programs_are_imported_by_nobody():
    """Library code inside a program could not be used from a notebook."""
    modules = {f"p2p_keras.{name}" for name in PROGRAMS}
    wrong = {str(path.relative_to(ROOT)): sorted(modules & imports_of(path)) for path in FILES}
    assert {path: imports for path, imports in wrong.items() if imports} == {}


def test_files_are_short():
    """A file with two rooms in it is one where a reader looks in vain."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


@pytest.mark.parametrize("wing", ["", *WINGS])
def test_public_modules_say_what_is_public(wing):
    """A user could not tell what a module offers from what it merely uses."""
    wrong = []
    for name, path in modules().items():
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assigned = {
            target.id
            for node in body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        empty = all(isinstance(node, ast.Expr) for node in body)
        if wing_of(name) == wing and not path.stem.startswith("_") and not empty and "__all__" not in assigned:
            wrong.append(name)
    assert wrong == []


def test_public_functions_name_their_keywords():
    """A mistyped keyword would be passed on, or fail somewhere inside; and nobody could look up which there are."""
    wrong = []
    for name, path in modules().items():
        if name.partition(".")[2] in PROGRAMS or wing_of(name) in ("network", "profile", "page"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for owner in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
            for node in owner.body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.args.kwarg:
                    kind = node.args.kwarg.annotation
                    if kind is None or ast.unparse(kind) == "Any":
                        wrong.append(f"{name}.{node.name}(**{node.args.kwarg.arg})")
    assert wrong == []


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
