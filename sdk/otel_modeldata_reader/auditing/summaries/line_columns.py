"""Checks a value of many decoded lines at once, with the same result as one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec import UNSET

from otel_modeldata_receiver.mapping.cloudevent import content_range

from .. import stored_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..stored_line import StoredLine

__all__ = ["are_mistimed", "numbers_of", "unusual"]

_MOST_SIZES: Final = 100_000
"""Content ranges that are kept as texts."""
_MOST_DIGITS: Final = 18
_Z: Final = ord("Z")


class _Ranges(dict[int, str]):
    def __missing__(self, size: int) -> str:
        text = content_range(size)
        if len(self) < _MOST_SIZES:
            self[size] = text
        return text


_RANGES: Final = _Ranges()


def are_mistimed(lines: Sequence[StoredLine], prefix: str) -> NDArray[np.bool_]:
    """Whether the time of each line is another one than those that this receiver writes into the folder."""
    times = [line.time for line in lines]
    joined = "".join(times)
    length = len(times[0])
    if not joined.isascii() or length <= len(prefix) or list(map(len, times)).count(length) != len(times):
        return np.array([not (time.startswith(prefix) and time.endswith("Z")) for time in times], np.bool_)
    table = np.frombuffer(joined.encode(), np.uint8).reshape(len(times), length)
    begins = np.frombuffer(prefix.encode(), np.uint8)
    found: NDArray[np.bool_] = (table[:, : len(begins)] != begins).any(axis=1) | (table[:, -1] != _Z)
    return found


def unusual(lines: Sequence[StoredLine]) -> list[int]:
    """The places of lines whose payload is elsewhere, or has not the size that a line usually states."""
    payloads = [line.data for line in lines]
    given = [line.contentrange for line in lines]
    if not (
        payloads.count(UNSET)
        or [line.dataref for line in lines].count(UNSET) < len(lines)
        or [line.datainblob for line in lines].count(UNSET) < len(lines)
    ):
        usual: list[str] = list(map(_RANGES.__getitem__, map(len, payloads)))  # type: ignore[arg-type] # none is unset
        return [] if given == usual else [place for place, one in enumerate(usual) if one != given[place]]
    return list(range(len(lines)))


def numbers_of(lines: Sequence[StoredLine]) -> NDArray[np.int64]:
    """The number of each event; -1 without one."""
    texts = [line.producersequence for line in lines]
    joined = "".join(texts)
    lengths = list(map(len, texts))
    if (
        [line.producer for line in lines].count("")
        or not (joined.isascii() and joined.isdecimal())
        or not 0 < min(lengths) <= max(lengths) <= _MOST_DIGITS
    ):
        return np.array([stored_line.sequence_of(line) for line in lines], np.int64)
    if lengths.count(length := lengths[0]) < len(lengths):
        return np.array(list(map(int, texts)), np.int64)
    digits = np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), length) - np.int64(ord("0"))
    return digits @ (10 ** np.arange(length - 1, -1, -1, dtype=np.int64))
