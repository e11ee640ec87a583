"""The names of the ranges that numbers or times are cut into."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["range_names"]

_DIGITS: Final = range(4, 18)
"""Of numbers; 17 tell all floats apart."""
_PARTS: Final = ("minutes", "seconds", "milliseconds", "microseconds")


def range_names(cuts: Sequence[float], *, is_time: bool = False) -> list[str]:
    """One name more than there are cuts, in as few digits as tell the cuts apart.

    Args:
        cuts: in ascending order, all different and at least one; times in seconds since the epoch.
        is_time: whether they are times, which are shown in UTC.
    """
    texts = _times(cuts) if is_time else None
    below, above = ("before", "later") if texts else ("below", "above")
    texts = texts or _different([[f"{one:.{digits}g}" for one in cuts] for digits in _DIGITS])
    inner = [f"{low} to {high}" for low, high in pairwise(texts)]
    return [f"{below} {texts[0]}", *inner, f"{texts[-1]} and {above}"]


def _times(cuts: Sequence[float]) -> list[str] | None:
    """None for times that a calendar does not have."""
    try:
        moments = [dt.datetime.fromtimestamp(one, dt.timezone.utc).replace(tzinfo=None) for one in cuts]
    except (OverflowError, OSError, ValueError):
        return None
    return _different([[one.isoformat(" ", part) for one in moments] for part in _PARTS])


def _different(choices: Sequence[list[str]]) -> list[str]:
    return next((one for one in choices if len(set(one)) == len(one)), choices[-1])
