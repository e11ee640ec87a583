"""What the last day is compared with: the baseline that Studio was started with, else the day before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

from otel_modeldata_reader.reporting.profiles.baselines import WindowBaseline, baseline_of
from otel_modeldata_reader.window import Window, window_of

from ..queries.moments import iso

__all__ = ["ComparedWindows", "compared_windows"]

_DAY_NS: Final = 86_400 * 1_000_000_000
_HOUR_NS: Final = 3_600 * 1_000_000_000
_MINUTE_NS: Final = 60 * 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedWindows:
    """The last day, and what it is compared with.

    Attributes:
        day: the last 24 hours; of those that are in the baseline only what comes after it.
        before: the window of the baseline; None where it is a file.
        baseline: as `report --baseline` takes it: moments, or the file.
    """

    day: Window
    before: Window | None
    baseline: str

    @property
    def since(self) -> str:
        """The beginning of the day, ISO 8601 in UTC."""
        return iso(self.day.bounds[0])

    @property
    def until(self) -> str:
        """The moment after the day."""
        return iso(self.day.bounds[1])

    @property
    def hours(self) -> str:
        """How long the day is, such as `24 hours`."""
        first, last = self.day.bounds
        return f"{(last - first) / _HOUR_NS:.3g} hours"


def compared_windows(now_ns: int, baseline: str | None) -> ComparedWindows:
    """The last day up to a moment, and what it is compared with.

    Args:
        now_ns: the moment, of which the minute counts.
        baseline: as for `report --baseline`; None is the day before the last one.

    Raises:
        ReaderError: it is no baseline.
    """
    until = now_ns - now_ns % _MINUTE_NS
    day = Window(since=until - _DAY_NS, until=until)
    if baseline is None:
        before = Window(since=until - 2 * _DAY_NS, until=until - _DAY_NS)
        return ComparedWindows(day=day, before=before, baseline=_text(before))
    given = baseline_of(baseline)
    if not isinstance(given, WindowBaseline):
        return ComparedWindows(day=day, before=None, baseline=baseline)
    before = window_of(given.since, given.until, datetime.fromtimestamp(until // 1_000_000_000, timezone.utc))
    last = before.bounds[1]
    if day.bounds[0] < last < until:
        day = Window(since=last, until=until)
    return ComparedWindows(day=day, before=before, baseline=_text(before))


def _text(window: Window) -> str:
    return f"{iso(window.bounds[0])}..{'' if window.until is None else iso(window.until)}"
