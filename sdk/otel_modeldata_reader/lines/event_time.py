"""The time of an event: `timens` with nanoseconds, else `time`, which Azure's lines have with whole seconds."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .envelope import Envelope

__all__ = ["NO_TIME", "times_of"]

NO_TIME: Final = -(2**63)
"""Stands for no time in arrays of nanoseconds, as in NumPy and Arrow."""
_FRACTION: Final = re.compile(r"\.([0-9]+)")
_DIGITS: Final = re.compile(r"[0-9]{1,4000}")
"""Python refuses to read more than 4,300 digits."""
_LATEST: Final = 2**63 - 1
_timens: Final = attrgetter("timens")


def times_of(envelopes: Sequence[Envelope]) -> Any:
    """The times of events in nanoseconds since the epoch, as an array of int64."""
    try:
        texts = list(map(_timens, envelopes))
        digits = "".join(texts)  # a missing one is an error
        if digits.isascii() and digits.isdecimal():  # int() takes blanks, signs, underscores and other digits, too
            return np.array(list(map(int, texts)), dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        pass
    return np.fromiter(map(_time_of, envelopes), dtype=np.int64, count=len(envelopes))


def _time_of(envelope: Envelope) -> int:
    if envelope.timens is not None and _DIGITS.fullmatch(envelope.timens) and int(envelope.timens) <= _LATEST:
        return int(envelope.timens)
    return NO_TIME if envelope.time is None else _read(envelope.time)


@lru_cache(maxsize=4096)
def _read(text: str) -> int:
    """RFC 3339, also without a zone, which is UTC then."""
    fraction = _FRACTION.search(text)
    try:
        # Python 3.10 reads neither "Z" nor fractions of other than 3 or 6 digits.
        moment = datetime.fromisoformat(_FRACTION.sub("", text.upper()).replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        nanoseconds = int(fraction[1][:9].ljust(9, "0")) if fraction is not None else 0
        found = int(moment.timestamp()) * 1_000_000_000 + nanoseconds
    except (ValueError, OverflowError):
        return NO_TIME
    return found if -_LATEST <= found <= _LATEST else NO_TIME
