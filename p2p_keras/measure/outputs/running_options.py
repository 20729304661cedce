"""Options of `predict` that change how it runs and no number of its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

__all__ = ["RUNNING", "running_options"]

RUNNING = ("model", "server", "batch_size", "workers", "readers", "threads", "config", "quiet", "json", "log_file")
"""Names of the options about running, in the order of the help; some are of the program or of all programs."""

_OPTIONS = (
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        default=16,
        help="Images of one shape that the network takes at a time.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="Processes that measure, each on a core of its own; 1: threads of one process.  [default: one for each "
        "core and 128 galaxies; where they can't share the model, one for each three cores]",
    ),
    click.option(
        "--readers", type=click.IntRange(min=1), default=4, help="Threads that read files, of all workers together."
    ),
    click.option("--threads", type=click.IntRange(min=1), help="Threads of the model.  [default: all cores]"),
)


def running_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command, as a decorator."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
