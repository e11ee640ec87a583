"""How the receiver logs."""

from __future__ import annotations

import enum

__all__ = ["LogFormat", "LogLevel"]


class LogLevel(enum.Enum):
    """The least level of what is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(enum.Enum):
    """The format of a log line."""

    TEXT = "text"
    JSON = "json"
