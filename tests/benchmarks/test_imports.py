"""Scripts beside the package import names that it has."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(path for folder in ("benchmarks", "examples", "docs") for path in (ROOT / folder).glob("*.py"))


def _has(module: str, name: str) -> bool:
    """Whether ``from module import name`` works."""
    if hasattr(import_module(module), name):
        return True
    try:
        import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False
    return True


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imported_names_exist(script):
    """A benchmark that runs for minutes would end with an ImportError when it writes its result."""
    imports = [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(script.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("p2p_keras")
        for alias in node.names
    ]
    assert [f"{module}: {name}" for module, name in imports if not _has(module, name)] == []
