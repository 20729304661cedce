"""Lists of a profile's meta (flags, notes) as one text, where a format has no lists, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["SENTENCES", "joined", "split"]

SENTENCES = ("notes",)
"""Keys whose lists hold sentences; all others hold words."""

_BETWEEN_SENTENCES = " | "


def joined(values: Sequence[Any]) -> str:
    """Words joined by blanks, sentences by bars."""
    texts = [" ".join(str(value).split()) for value in values]
    return (_BETWEEN_SENTENCES if any(" " in text for text in texts) else " ").join(texts)


def split(key: str, text: str) -> list[str]:
    """The list that `joined` made a text of, under its key in meta."""
    if key in SENTENCES:
        return [part.strip() for part in text.split(_BETWEEN_SENTENCES.strip()) if part.strip()]
    return text.split()
