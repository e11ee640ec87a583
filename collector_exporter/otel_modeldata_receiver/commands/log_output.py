"""The log of a command that runs for long: text for people, or one JSON object a line for programs."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

from ..config.logs import LogFormat

if TYPE_CHECKING:
    from ..config.logs import LogLevel

__all__ = ["start_log"]

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _JsonFormatter(logging.Formatter):
    """One object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def start_log(level: LogLevel, form: LogFormat) -> None:
    """Log to stderr from now on; a second call only changes level and format."""
    output = logging.StreamHandler()
    output.setFormatter(_JsonFormatter() if form is LogFormat.JSON else logging.Formatter(_TEXT))
    logging.basicConfig(level=level.value.upper(), handlers=[output], force=True)
    # Azure's client writes a dozen lines for every request at INFO.
    logging.getLogger("azure").setLevel(logging.WARNING)
