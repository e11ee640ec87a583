"""Rows that were erased, as their line names them: the key `erasedrows`, such as `3,7-9`.

An erased row is `{}` in the line, because Azure ML's reader numbers rows by their positions, and the others must keep
their row ids. Its number is in `erasedrows`, so that this reader leaves it out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["RowRanges", "erased_of", "kept_numbers", "ranges_of", "ranges_text", "united", "without_rows"]

RowRanges = tuple[tuple[int, int], ...]
"""First and last number of each range of rows, ascending; at least one row is between two ranges."""
_RANGES: Final = re.compile(r"\d{1,18}(?:-\d{1,18})?(?:,\d{1,18}(?:-\d{1,18})?)*", re.ASCII)
_MOST_ROWS: Final = 1 << 40
"""No line has as many: their sums fit into 64 bits."""
_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])


def ranges_of(text: str | None) -> RowRanges:
    """The rows that a line names as erased; none if the text is not of the form that `ranges_text` makes."""
    if not text or _RANGES.fullmatch(text) is None:
        return ()
    pairs = (one.partition("-") for one in text.split(","))
    return united((int(first), int(last or first)) for first, _, last in pairs)


def ranges_text(ranges: RowRanges) -> str:
    """The text of some ranges: `3,7-9`."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def united(ranges: Iterable[tuple[int, int]]) -> RowRanges:
    """Ranges in ascending order, those that touch each other as one; reversed ones are left out."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if last < first:
            continue
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def erased_of(text: str | None, count: int) -> int:
    """How many of the first `count` rows are erased."""
    return sum(max(0, min(last, count - 1) - first + 1) for first, last in ranges_of(text))


def without_rows(data: bytes, text: str) -> bytes:
    """The rows of a line as JSON, without those that are erased; `data` itself if it is no list of rows."""
    ranges = ranges_of(text)
    if not ranges:
        return data
    try:
        rows: Sequence[msgspec.Raw] = _rows.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data
    kept: list[bytes] = []
    start = 0
    for first, last in ranges:
        kept += map(bytes, rows[start:first])
        start = last + 1
    kept += map(bytes, rows[start:])
    return b"[%b]" % b",".join(kept)


def kept_numbers(count: int, text: str | None) -> Any:
    """The numbers of the first `count` rows that are not erased, as an array."""
    numbers = np.arange(count)
    ranges = ranges_of(text)
    if not ranges:
        return numbers
    lengths = np.cumsum([min(last - first + 1, _MOST_ROWS) for first, last in ranges])
    firsts = np.array([first for first, _ in ranges])
    before = firsts - np.concatenate(([0], lengths[:-1]))  # how many rows are kept before each range
    passed = np.searchsorted(before, numbers, side="right")
    return numbers + np.concatenate(([0], lengths))[passed]
