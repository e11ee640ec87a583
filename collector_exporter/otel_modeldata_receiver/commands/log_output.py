"""The log of a command that runs for long: text for people, or one JSON object a line for programs."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader.printable import printable

from ..config.logs import LogFormat
from .terminal import wrapped

if TYPE_CHECKING:
    from ..config.logs import LogLevel

__all__ = ["end_with", "start_log"]

logger = logging.getLogger(__name__)

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _TextFormatter(logging.Formatter):
    """One line for people; a message cannot begin another line, nor steer a terminal, whatever a client sent."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the base class names it)
        """The line without a traceback."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 (likewise)
        """A traceback, in which a value of a client may be."""
        return "\n".join(printable(line) for line in super().formatException(ei).split("\n"))


class _JsonFormatter(logging.Formatter):
    """One object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self.formatException(record.exc_info)
        # Surrogates, from names that are no UTF-8, are no valid JSON for most readers.
        return json.dumps({key: value.encode(errors="replace").decode() for key, value in line.items()})


def _message(record: logging.LogRecord) -> str:
    """The message; its unformatted text if its arguments do not fit, because every line must be JSON."""
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001 (a value's own `__str__` may raise anything)
        text = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        return f"{text} ({type(error).__name__} in its arguments)"


def start_log(level: LogLevel, form: LogFormat) -> None:
    """Log to stderr from now on; a second call only changes level and format."""
    output = logging.StreamHandler()
    output.setFormatter(_JsonFormatter() if form is LogFormat.JSON else _TextFormatter(_TEXT))
    logging.basicConfig(level=level.value.upper(), handlers=[output], force=True)
    logging.captureWarnings(capture=True)  # warnings of Python are lines of the log too
    # Azure's client writes a dozen lines for every request at INFO.
    logging.getLogger("azure").setLevel(logging.WARNING)


def end_with(error: Exception) -> None:
    """Write the error that ends a command on stderr: a line of the log if that is JSON, else one sentence."""
    if any(isinstance(handler.formatter, _JsonFormatter) for handler in logging.getLogger().handlers):
        logger.error("%s", error)
    else:
        # The sentence of a failed conversion has the value, which a client may have sent.
        lines = [printable(line) for line in f"otel-modeldata: {error}".split("\n")]
        with contextlib.suppress(OSError):  # a full disk; the exit code says that there is an error
            shown = wrapped(lines, whole_words=True) if sys.stderr.isatty() else lines
            sys.stderr.write("".join(f"{line}\n" for line in shown))
            sys.stderr.flush()
