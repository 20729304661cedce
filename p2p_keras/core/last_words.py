"""How a program ends, in one voice: what was done, where it is, what to do next."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

__all__ = ["per_second", "took", "write_last_words"]

_WIDTH = 14


def took(number: int, unit: str, seconds: float) -> str:
    """How long the work took, and its rate: ``12.0 s (3.1 galaxies/s)``."""
    if seconds < 90:
        spent = f"{seconds:.1f} s"
    else:
        spent = f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    return f"{spent} ({per_second(number / seconds, unit)})" if number > 1 and seconds > 0 else spent


def per_second(rate: float, unit: str) -> str:
    """A rate in figures that count: ``3.1 galaxies/s``, ``0.092 galaxies/s``."""
    return f"{rate:.1f} {unit}/s" if rate >= 1 else f"{rate:.2g} {unit}/s"


def write_last_words(
    done: str, places: Iterable[tuple[str, str | os.PathLike[str] | None]] = (), *, then: str = "", quiet: bool = False
) -> None:
    """Write a program's last words on standard error.

    Parameters
    ----------
    done : str
        What was done, in a sentence without its stop.
    places : iterable of (str, path)
        What lies where; None is left out.
    then : str
        A command that goes on from there.
    quiet : bool
        Say nothing.
    """
    if quiet:
        return
    lines = [done, *(f"{what:<{_WIDTH}}{os.fspath(where)}" for what, where in places if where is not None)]
    lines += [f"{'Next':<{_WIDTH}}{then}"] if then else []
    click.echo("\n".join(lines), err=True)
