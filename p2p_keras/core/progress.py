"""A progress bar for programs."""

from __future__ import annotations


class Progress:
    """A bar with galaxies per second on standard error, where that is a terminal; messages go above it.

    Parameters
    ----------
    doing : str
        What is done, for the bar.
    total : int
    quiet : bool
        No bar.
    """

    def __init__(self, doing: str, total: int, *, quiet: bool = False) -> None:
        from rich import progress
        from rich.console import Console

        self._console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
        columns = (
            doing,
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TimeRemainingColumn(),
        )
        hidden = quiet or total < 2 or not self._console.is_terminal
        self._bar = progress.Progress(*columns, console=self._console, disable=hidden)
        self._total = total
        self._task = self._bar.add_task("", total=total, rate="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def say(self, message: str) -> None:
        """Write a line on standard error."""
        self._console.print(message)

    def advance(self, done: int, rate: float) -> None:
        """Show how many galaxies are done; a frame's may turn out to be more than the catalogue has rows."""
        total = max(done, self._total)
        self._bar.update(self._task, completed=done, total=total, rate=f"{rate:.1f} galaxies/s")
