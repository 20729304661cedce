"""What is to be measured, as the page has it: the options of `predict` by their names, and their command line."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import PurePath
from typing import Any, Self

from p2p_keras.core.errors import UsageError
from p2p_keras.images.targets import IMAGE_OPTIONS

__all__ = ["NUMBERS", "Request", "options_of_text"]

NUMBERS = ("zero_point", "pixel_scale", "x", "y")
IN_LINK = (
    "zero_point", "pixel_scale", "band", "hdu", "plane", "ra", "dec", "x", "y", "size", "sky", "fixed", "photometry",
    "to_ab",
)  # fmt: skip
"""Options that a link to a page holds: those that name no file."""


@dataclass(frozen=True)
class Request:
    """A galaxy to be measured. All but the first two are options of the program `predict`; None is its default.

    Attributes
    ----------
    path : str
        The image.
    shown : str
        How to call it on the page and in the command line: a dropped file lies in a folder that goes with the session.
    mask, ellipses : str
        Files.
    """

    path: str = ""
    shown: str = ""
    zero_point: float | None = None
    pixel_scale: float | None = None
    band: str | None = None
    hdu: str | None = None
    plane: str | None = None
    ra: str | None = None
    dec: str | None = None
    x: float | None = None
    y: float | None = None
    size: int | None = None
    mask: str | None = None
    sky: str | None = None
    fixed: str | None = None
    ellipses: str | None = None
    model: str | None = None
    photometry: bool = False
    to_ab: bool = False

    def of_file(self, path: str, shown: str) -> Self:
        """Another file, of which nothing is known yet; model and photometry stay as they were chosen."""
        kept = {key: getattr(self, key) for key in ("model", "photometry")}
        return type(self)(path=path, shown=shown, **kept)

    def at(self, x: float | None, y: float | None) -> Self:
        """Another target in the same file: a pixel of the file, or None for its middle."""
        return replace(self, x=x, y=y, ra=None, dec=None)

    def image_options(self) -> dict[str, Any]:
        """What `p2p_keras.images.read_image` takes of it."""
        asked = {key: getattr(self, key) for key in IMAGE_OPTIONS if hasattr(self, key)}
        return {key: value for key, value in asked.items() if value not in (None, False)}

    def measurer_options(self) -> dict[str, Any]:
        """What `p2p_keras.measure.outputs.measurers.measurer_of` takes of it."""
        none = dict.fromkeys(("server", "radii", "statistic", "pixels", "forced"))
        return none | {key: getattr(self, key) for key in ("model", "sky", "photometry", "ellipses", "fixed")}

    def command_line(self, output: str = "profile.ecsv") -> str:
        """The command that gives the same numbers; files that were made on the page are called as they are saved."""
        words = ["p2p-keras", "predict", self.shown or self.path]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("path", "shown") or value is None or value is False:
                continue
            words.append("--" + field.name.replace("_", "-"))
            if value is not True:
                words.append(_word(field.name, value))
        return shlex.join([*words, "--output", output])

    def link(self) -> dict[str, str]:
        """The part of it that a link holds, as text; empty where there is no file on disk."""
        values = {key: getattr(self, key) for key in IN_LINK}
        chosen = {key: value for key, value in values.items() if value not in (None, False)}
        return {key: f"{value:.6g}" if isinstance(value, float) else str(value) for key, value in chosen.items()}


def _word(name: str, value: Any) -> str:
    if name in ("mask", "ellipses"):
        return PurePath(value).name
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def options_of_text(given: Mapping[str, str]) -> dict[str, Any]:
    """Options of a `Request` from what a user typed, or from a link; empty text is left out.

    Raises
    ------
    UsageError
        A number isn't one.
    """
    options: dict[str, Any] = {}
    for key, text in given.items():
        text = str(text).strip()
        if key not in IN_LINK or not text:
            continue
        if key in ("photometry", "to_ab"):
            options[key] = text.lower() in ("1", "true", "yes")
        elif key in NUMBERS or key == "size":
            try:
                options[key] = int(text) if key == "size" else float(text)
            except ValueError:
                raise UsageError(f"--{key.replace('_', '-')} {text}: expected a number") from None
        else:
            options[key] = text
    return options
