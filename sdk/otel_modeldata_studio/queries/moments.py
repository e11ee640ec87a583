"""Moments as ISO 8601 texts in UTC."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final

__all__ = ["iso", "iso_of_seconds"]

_NANOSECONDS: Final = 1_000_000_000


def iso(nanoseconds: int) -> str:
    """Nanoseconds since the epoch as text, with as many digits as it needs; the ends of what a text has beyond."""
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    try:
        text = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "0001-01-01T00:00:00Z" if nanoseconds < 0 else "9999-12-31T23:59:59Z"
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return f"{text}{fraction}Z"


def iso_of_seconds(seconds: float) -> str:
    """Seconds since the epoch as text, to the microsecond."""
    return iso(round(seconds * 1e6) * 1_000)
