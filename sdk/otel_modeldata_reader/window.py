"""A window of event time: half open, from `since` on and up to, not including, `until`.

Times without a zone are refused where they could mean two moments: a `datetime` must have one. Dates and texts without
a zone are UTC, because folders are named in UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import Final, TypeAlias

from .exceptions import WindowError

__all__ = ["Moment", "Window", "held", "window_of"]

Moment: TypeAlias = "str | date | datetime | timedelta | None"
"""What `since` and `until` may be."""

_RELATIVE: Final = re.compile(r"-\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|m|min|h|d|w)", re.ASCII)
_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_FRACTION: Final = re.compile(r"\.(\d{1,9})\d*(?=$|[+-])", re.ASCII)
_HOUR: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d)", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FORMS: Final = "'-7d', '2026-11-22', '2026-11-22T10:30:00+01:00', a date, or a datetime with a zone"
_MICROSECOND: Final = timedelta(microseconds=1)
_EARLIEST: Final = -(2**63) + 1
"""-(2**63) is no time in NumPy and Arrow."""
_LATEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window in nanoseconds since the epoch; None is open.

    A moment that an int64 does not hold (before 1677, after 2262) is the nearest one that it holds.

    Attributes:
        since: the first moment inside.
        until: the first moment after it.
    """

    since: int | None = None
    until: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether every moment is inside."""
        return self.since is None and self.until is None

    @property
    def bounds(self) -> tuple[int, int]:
        """The bounds as numbers, also where the window is open."""
        return _EARLIEST if self.since is None else self.since, _LATEST if self.until is None else self.until

    def overlaps(self, start: int, end: int) -> bool:
        """Whether a moment from `start` up to, not including, `end` may be inside."""
        return (self.until is None or start < self.until) and (self.since is None or end > self.since)


def window_of(since: Moment, until: Moment, now: datetime | None = None) -> Window:
    """The window that a caller means.

    Args:
        since: `-7d` (also `s`, `m`, `h`, `w`) or a timedelta before now, a date (its midnight in UTC), a datetime with
            a zone, or one of them as an ISO 8601 text, in UTC if it has no zone.
        until: likewise.
        now: the present, with a zone.

    Raises:
        WindowError: one of them is no time, or `until` is not after `since`.
    """
    now = now or datetime.now(timezone.utc)
    first, last = _moment("since", since, now), _moment("until", until, now)
    # The ends of an int64 stand for all moments beyond, so these are not reversed.
    is_beyond = first == last and first in {_EARLIEST, _LATEST}
    if first is not None and last is not None and last <= first and not is_beyond:
        raise WindowError(f"expected since before until, got since {since!r} and until {until!r}: swap them")
    return Window(since=None if first is None else held(first), until=None if last is None else held(last))


def held(nanoseconds: int) -> int:
    """A moment as an int64 holds it, which is the nearest one for a moment before 1677 or after 2262."""
    return min(max(nanoseconds, _EARLIEST), _LATEST)


def _moment(name: str, value: Moment, now: datetime) -> int | None:
    if value is None:
        return None
    nanoseconds = getattr(value, "nanosecond", 0)  # a pandas Timestamp
    if isinstance(value, str):
        value, nanoseconds = _read(value.strip())
    if isinstance(value, timedelta):
        return _since_epoch(now) - abs(value) // _MICROSECOND * 1_000
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise WindowError(
                f"expected a {name} with a zone, got {value.isoformat()!r}: pass for example "
                "datetime(2026, 11, 22, tzinfo=timezone.utc)"
            )
        return _since_epoch(value) + int(nanoseconds)
    if isinstance(value, date):
        return _since_epoch(datetime.combine(value, time(), timezone.utc))
    raise WindowError(f"expected a time like {_FORMS}, got {value!r:.80}: pass one of these")


def _read(text: str) -> tuple[datetime | timedelta, int]:
    if (relative := _RELATIVE.fullmatch(text)) is not None:
        try:
            return timedelta(seconds=float(relative["number"]) * _UNITS[relative["unit"]]), 0
        except OverflowError:
            return timedelta.max, 0
    nanoseconds = 0
    iso = text.upper().replace("Z", "+00:00")
    if (fraction := _FRACTION.search(iso)) is not None:  # Python 3.10 reads 3 or 6 digits only
        digits = fraction[1].ljust(9, "0")
        iso = f"{iso[: fraction.start()]}.{digits[:6]}{iso[fraction.end() :]}"
        nanoseconds = int(digits[6:])
    if _HOUR.fullmatch(iso) is not None:
        iso += ":00"
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        raise WindowError(f"expected a time like {_FORMS}, got {text!r:.80}: write one of these") from None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)), nanoseconds


def _since_epoch(moment: datetime) -> int:
    span = moment - _EPOCH
    return ((span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds) * 1_000
