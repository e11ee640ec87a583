"""A window of time in parts that are read one after the other, and its ends as a reading takes them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from ...window import Window, held

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["HOUR_NS", "intervals_of", "moments_of"]

HOUR_NS: Final = 3_600 * 10**9
PART_ROWS: Final = 250_000


def intervals_of(hours: Sequence[tuple[int, int]], window: Window, most: int = PART_ROWS) -> list[Window]:
    """A window in parts of about `most` rows, cut between hours.

    Args:
        hours: each hour since 1970 that has rows, and its rows, in the order of time.
        window: the whole.
        most: rows; an hour that has more is a part of its own.
    """
    cuts: list[int | None] = []
    rows = 0
    for hour, count in hours:
        if rows and rows + count > most:
            cuts.append(held(hour * HOUR_NS))
            rows = 0
        rows += count
    ends = [window.since, *cuts, window.until]
    return [Window(since=first, until=last) for first, last in pairwise(ends)]


def moments_of(window: Window, earlier: int = 0, later: int = 0) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """The ends of a window for `Store.read`.

    Args:
        window: in nanoseconds.
        earlier: nanoseconds by which it begins earlier.
        later: nanoseconds by which it ends later.
    """
    import pandas as pd  # noqa: PLC0415 (slow to import)

    since = None if window.since is None else pd.Timestamp(held(window.since - earlier), tz="UTC")
    until = None if window.until is None else pd.Timestamp(held(window.until + later), tz="UTC")
    return since, until
