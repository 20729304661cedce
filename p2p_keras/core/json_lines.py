"""``--json``: what a program says on standard error as JSON lines, for other programs.

Each line of standard error is then an object with an ``event``:

``progress``
    ``doing`` and ``unit`` (words), ``done`` and ``total`` (numbers of units; total null where it isn't known), ``rate``
    (units a second, of this run) and ``seconds_left`` (null where it can't be told yet). Some programs add more: `fit`
    ``epoch``, ``epochs``, ``loss`` and its figure of held-out galaxies, `survey` ``failed``.
``message``
    ``text``: a line that the program says without the option.
``error``
    ``text``: why the program ended.

Results go where they always go: to files and standard output. An option that a program doesn't have is told in words.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from typing import Any, TextIO

import click

from p2p_keras.core.log_file import set_terminal_stream, terminal_stream, without_colours

__all__ = ["JsonLines", "json_lines", "json_option"]

_EVERY_S = 1.0


class JsonLines:
    """A stream that turns each line of text into a message, and takes reports of progress.

    Parameters
    ----------
    stream : file
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ""
        self._reported: float | None = None
        self._held: dict[str, Any] | None = None

    def write(self, text: str) -> int:
        """Take text; it goes out when its line is whole."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            self._put_line(line)
        return len(text)

    def _put_line(self, line: str) -> None:
        if line.strip():
            self.put({"event": "message", "text": without_colours(line).rstrip("\r")})

    def put(self, event: Mapping[str, Any]) -> None:
        """Write one object; numbers that JSON hasn't are null."""
        plain = {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in event.items()}
        self._stream.write(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n")
        self._stream.flush()

    def report(self, done: int, total: int | None, facts: Mapping[str, Any]) -> None:
        """Tell how far the work is: at its first and last unit, and once a second between."""
        self._held = {"event": "progress", "done": done, "total": total, **facts}
        if self._reported is None or done == total or time.monotonic() - self._reported >= _EVERY_S:
            self.report_last()

    def report_last(self) -> None:
        """Write the newest report, where it hasn't been written yet."""
        if self._held is not None:
            self.put(self._held)
            self._held, self._reported = None, time.monotonic()

    def flush(self) -> None:
        """Nothing waits but a line that isn't whole."""
        self._stream.flush()

    def end(self) -> None:
        """Write what isn't a whole line."""
        self._put_line(self._begun)
        self._begun = ""

    def isatty(self) -> bool:
        """No bars here, whatever the stream is."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def json_lines() -> JsonLines | None:
    """Where reports of progress go; None without ``--json``."""
    stream = terminal_stream()
    return stream if isinstance(stream, JsonLines) else None


def _start(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing:
        return
    before = terminal_stream()
    lines = JsonLines(before)
    set_terminal_stream(lines)  # type: ignore[arg-type]

    def stop() -> None:
        lines.end()
        set_terminal_stream(before)

    context.find_root().call_on_close(stop)


json_option = click.option(
    "--json",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_start,
    help="Progress and messages on standard error as JSON lines, for other programs.",
)
