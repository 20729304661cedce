"""Files that the project's text names are files of the project."""

from __future__ import annotations

import re

PLACES = ("p2p_keras", "docs", "examples", "benchmarks", "deploy", "tests", ".github")
ENDINGS = (".py", ".md", ".toml", ".yml", ".yaml")
DOCUMENT = re.compile(r"\b([A-Z][A-Z_]{3,})\.md\b")
CHAPTER = re.compile(r"\b(CONTRACTS?|PAPER|DESIGN|LAYOUT|STYLE|SERVING) (?:of|section|\d)")


def test_documents_that_are_named_exist(repository):
    """A reader would be sent to a document that isn't in the project."""
    texts = [path for place in PLACES for path in (repository / place).rglob("*") if path.suffix in ENDINGS]
    texts += [path for path in repository.iterdir() if path.is_file() and path.suffix in ENDINGS]
    assert len(texts) > 100
    exist = {path.name for path in texts} | {path.name for path in (repository / "saved_models").rglob("*.md")}
    lost = []
    for path in texts:
        text = path.read_text(encoding="utf-8")
        lost += [f"{path.name}: {name}.md" for name in DOCUMENT.findall(text) if f"{name}.md" not in exist]
        lost += [f"{path.name}: {chapter[0]}" for chapter in CHAPTER.finditer(text)]
    assert lost == []
