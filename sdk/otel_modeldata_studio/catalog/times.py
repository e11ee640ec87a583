"""Moments as the page gets them: ISO 8601 in UTC."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final

from otel_modeldata_reader.blobs.listing import hours_of

__all__ = ["hour_text", "time_text"]

_LAST_SECOND: Final = 253_402_300_799
"""Of a datetime."""
_NANOSECONDS: Final = 1_000_000_000


def time_text(seconds: float) -> str:
    """A moment in seconds since the epoch, in whole seconds; the nearest one that a datetime can be for others."""
    moment = datetime.fromtimestamp(min(max(seconds, 0.0), _LAST_SECOND), timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def hour_text(date: str) -> str | None:
    """The beginning of a folder's time; None for no date."""
    start, end = hours_of(date) if date else (0, 0)
    return time_text(start / _NANOSECONDS) if end else None
