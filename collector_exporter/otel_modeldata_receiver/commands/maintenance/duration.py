"""Durations on the command line: `15m`, `1h`, `90d`."""

from __future__ import annotations

import argparse
import math
import re
from typing import Final

__all__ = ["duration_argument", "shown_duration"]

_FORM: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,9})?)(?P<unit>s|m|h|d|w)", re.ASCII)
_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}


def duration_argument(text: str) -> float:
    """The seconds of a duration.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a duration like 90s, 15m, 1h or 90d, got {text!r}")
    return float(found["number"]) * _UNITS[found["unit"]]


def shown_duration(seconds: float) -> str:
    """A duration as the command line takes it: in the largest unit of which it is a whole number."""
    for unit, size in _UNITS.items():
        if seconds >= size and math.fmod(seconds, size) == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
