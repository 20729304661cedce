"""How far a program is: a bar on a terminal, a line now and then elsewhere, or JSON lines (``--json``)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from p2p_keras.core.json_lines import json_lines
from p2p_keras.core.last_words import per_second
from p2p_keras.core.log_file import note_in_log, terminal_stream

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress", "terminal_console", "time_left"]

_LINE_EVERY_S = 30.0


def terminal_console() -> Console:
    """Make a console on standard error, past the log file; colours where it is a terminal and NO_COLOR isn't set."""
    from rich.console import Console

    return Console(file=terminal_stream(), soft_wrap=True, highlight=False, markup=False)


def time_left(seconds: float) -> str:
    """Time as a person says it."""
    if seconds < 90:
        return f"{seconds:.0f} s left"
    return f"{seconds / 60:.0f} min left" if seconds < 5400 else f"{seconds / 3600:.1f} h left"


class Progress:
    """What a program shows of its work on standard error.

    On a terminal a bar with rate and time left; messages go above it. Elsewhere a line every half minute. With
    ``--json`` (`p2p_keras.core.json_lines`) a report a second.

    Parameters
    ----------
    doing : str
        What is done.
    total : int or None
        None where it isn't known.
    quiet : bool
        Nothing of all this; messages are written all the same.
    unit : str
        What is counted, for the rate.
    own_lines : bool
        The caller writes its own lines where there is no bar, and its figures have the time that is left.

    Attributes
    ----------
    shown : bool
        Whether there is a bar.
    reports : bool
        Whether progress goes out as JSON lines.
    """

    def __init__(
        self, doing: str, total: int | None, *, quiet: bool = False, unit: str = "galaxies", own_lines: bool = False
    ) -> None:
        from rich import progress

        self._console = terminal_console()
        columns: tuple[progress.ProgressColumn, ...] = (
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}", markup=False),
            progress.TextColumn("{task.fields[figures]}", markup=False),
        )
        columns += () if own_lines else (progress.TextColumn("{task.fields[left]}", markup=False),)
        self._lines = None if quiet else json_lines()
        self.reports = self._lines is not None
        self.shown = self._console.is_terminal and not quiet and self._lines is None and (total is None or total > 1)
        self._bar = progress.Progress(*columns, console=self._console, disable=not self.shown)
        self._doing, self._total, self._unit = doing, total, unit
        self._says_lines = not (quiet or self.shown or self._lines or own_lines)
        self._line_written = time.monotonic()
        self._task = self._bar.add_task(doing, total=total, rate="", figures="", left="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the bar, or tell the last report."""
        self._bar.stop()
        if self._lines is not None:
            self._lines.report_last()

    def write_line(self, message: str) -> None:
        """Write a line on standard error."""
        self._console.print(message)
        note_in_log(message)

    def restart(self, doing: str, total: int) -> None:
        """Begin the bar anew, for the next piece of the work."""
        self._doing, self._total = doing, total
        self._bar.reset(self._task, description=doing, total=total, rate="", figures="", left="")

    def advance(
        self,
        done: int,
        rate: float,
        figures: str = "",
        *,
        total: int | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Show how much is done.

        Parameters
        ----------
        done : int
        rate : float
            Units a second, of this run alone.
        figures : str
            What else a person should see.
        total : int, optional
            Where it has become known, or is another one. It is never less than `done`: a frame's galaxies may turn out
            to be more than the catalogue has rows.
        facts : mapping, optional
            What else a program should see that reads ``--json``.
        """
        self._total = total if total is not None else self._total
        if self._lines is None and not self.shown and not self._says_lines:
            return
        total = None if self._total is None else max(done, self._total)
        left = None if total is None or not rate else (total - done) / rate
        if self._lines is not None:
            line: dict[str, Any] = {"doing": self._doing, "unit": self._unit, "rate": round(rate, 3)}
            line["seconds_left"] = None if left is None else round(left, 1)
            self._lines.report(done, total, {**line, **(facts or {})})
            return
        words: dict[str, Any] = {
            "rate": per_second(rate, self._unit) if rate else "",
            "left": "" if left is None else time_left(left),
        }
        if self.shown:
            self._bar.update(self._task, completed=done, total=total, figures=figures, **words)
        elif time.monotonic() - self._line_written >= _LINE_EVERY_S:
            self._line_written = time.monotonic()
            whole = "" if total is None else f" of {total}"
            parts = (f"{self._doing}: {done}{whole} {self._unit}", words["rate"], words["left"], figures)
            self.write_line(", ".join(part for part in parts if part))
