"""The page's own style sheet, scripts and templates. None comes from the net."""

from __future__ import annotations

from functools import cache
from importlib import resources

__all__ = ["asset", "style_sheet"]


@cache
def asset(name: str) -> str:
    """Text of a file of this package, such as ``page.css`` or ``measuring/link.js``."""
    return resources.files("p2p_keras.page").joinpath(name).read_text(encoding="utf-8")


def style_sheet() -> str:
    """The page's style sheet."""
    return asset("page.css")
