"""``--log-file``: what a program says on standard error, in a file too, without bars and colours."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, TextIO

import click

__all__ = ["CopiedStream", "log_file_option", "note_in_log", "terminal_stream"]

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class CopiedStream:
    """A stream whose text goes to a log file too.

    Attributes
    ----------
    terminal : file
        The stream alone: for bars, which are drawn over and over.
    """

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self.terminal, self._log = terminal, log

    def write(self, text: str) -> int:
        """Write to both."""
        self.note(text)
        return self.terminal.write(text)

    def note(self, text: str) -> None:
        """Write to the log alone."""
        self._log.write(_COLOURS.sub("", text))
        self._log.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.terminal, name)


def terminal_stream() -> TextIO:
    """Standard error without the log file."""
    return getattr(sys.stderr, "terminal", sys.stderr)


def note_in_log(line: str) -> None:
    """Put a line into the log file, where there is one."""
    if isinstance(sys.stderr, CopiedStream):
        sys.stderr.note(line + "\n")


def log_file_option() -> click.Option:
    """Make the option ``--log-file``."""

    def start(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
        if value is None or ctx.resilient_parsing:
            return
        try:
            value.parent.mkdir(parents=True, exist_ok=True)
            log = open(value, "a", encoding="utf-8")  # noqa: SIM115 - closed with the command
        except OSError as error:
            raise click.UsageError(f"{value}: can't be written ({error.strerror})", ctx) from error
        before = sys.stderr
        sys.stderr = CopiedStream(before, log)  # type: ignore[assignment]

        def stop() -> None:
            sys.stderr = before
            log.close()

        ctx.find_root().call_on_close(stop)

    return click.Option(
        ["--log-file"],
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=start,
        help="Also append the messages on standard error to this file, without progress bars.",
    )
