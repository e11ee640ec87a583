"""The time of the event in a line."""

from __future__ import annotations

from typing import Final

_TIME_KEY: Final = b'"timens":"'


def event_time(line: bytes) -> int:
    """The time of the event in a line, ns since the epoch; 0 where the line has none. Its keys follow its rows."""
    start = line.rfind(_TIME_KEY) + len(_TIME_KEY)
    digits = line[start : line.find(b'"', start)]
    return int(digits) if digits.isdigit() else 0
