"""Columns of catalogues that are text however they look: a galaxy may be called 007, or by nineteen digits."""

from __future__ import annotations

from collections.abc import Iterable


def as_text(names: Iterable[str]) -> dict[str, type]:
    """What tells astropy's readers of text (``converters``) to leave columns of these names as they are, in any case.

    Without it a name of digits becomes a number: leading zeros go, and beyond 2^53 or beside a missing value digits.
    """

    def either(letter: str) -> str:
        return f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter

    return {"".join(either(letter) for letter in name): str for name in names}
