"""Structured logs: one JSON object a line on standard error."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

__all__ = ["LOGGER", "JsonFormatter", "configure", "log"]

LOGGER = logging.getLogger("p2p_keras.serving.server")


class JsonFormatter(logging.Formatter):
    """``{"time": ..., "level": ..., "event": ..., ...}``, fields of the event beside it."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record as one line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.name != LOGGER.name:
            entry["logger"] = record.name
        entry.update(getattr(record, "fields", {}))
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def configure(level: str = "info") -> None:
    """Send all logging of the process to standard error as JSON. Called by the program, never by the library."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    LOGGER.setLevel(level.upper())


def log(event: str, *, level: int = logging.INFO, exc_info=None, **fields: object) -> None:
    """Log an event with its fields."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, event, exc_info=exc_info, extra={"fields": fields})
