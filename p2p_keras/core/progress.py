"""A progress bar for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2p_keras.core.log_file import note_in_log, terminal_stream

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Progress", "terminal_console"]


def terminal_console() -> Console:
    """Make a console on standard error, past the log file; colours where it is a terminal and NO_COLOR isn't set."""
    from rich.console import Console

    return Console(file=terminal_stream(), soft_wrap=True, highlight=False, markup=False)


class Progress:
    """A bar with galaxies per second on standard error, where that is a terminal; messages go above it.

    Parameters
    ----------
    doing : str
        What is done, for the bar.
    total : int or None
        None where it isn't known.
    quiet : bool
        No bar.
    unit : str
        What is counted, for the rate.
    time_left : bool
        Whether to show the time that is left; not where the caller's figures have it.

    Attributes
    ----------
    shown : bool
        Whether there is a bar.
    """

    def __init__(
        self, doing: str, total: int | None, *, quiet: bool = False, unit: str = "galaxies", time_left: bool = True
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
        columns += (progress.TimeRemainingColumn(),) if time_left else ()
        self.shown = self._console.is_terminal and not quiet and (total is None or total > 1)
        self._bar = progress.Progress(*columns, console=self._console, disable=not self.shown)
        self._total, self._unit = total, unit
        self._task = self._bar.add_task(doing, total=total, rate="", figures="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def say(self, message: str) -> None:
        """Write a line on standard error."""
        self._console.print(message)
        note_in_log(message)

    def restart(self, doing: str, total: int) -> None:
        """Begin the bar anew, for the next piece of the work."""
        self._total = total
        self._bar.reset(self._task, description=doing, total=total, rate="", figures="")

    def advance(self, done: int, rate: float, figures: str = "") -> None:
        """Show how much is done; a frame's galaxies may turn out to be more than the catalogue has rows."""
        if not self.shown:
            return
        total = None if self._total is None else max(done, self._total)
        self._bar.update(self._task, completed=done, total=total, rate=f"{rate:.1f} {self._unit}/s", figures=figures)
