"""The times that events may have: neither too old nor in the future.

The folder of a line follows from the time of its event, and senders choose that time. Events of 1970 and of 2100 would
open as many folders as they have hours, and a monitor would look for them in windows that it never reads.

An event out of the bounds goes to quarantine with the reason: in the hour of its arrival, a monitor would take it for
an event of that hour. Old data is loaded while the setting `limits.backfill` names its deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ...exceptions import BadRecordError
from ...layout.partition import NS_PER_SECOND
from ..cloudevent import time_text

if TYPE_CHECKING:
    from ...config.limits import LimitsConfig

__all__ = ["ANY_TIME", "EventTimes", "event_times"]

_SECONDS_PER_DAY: Final = 86_400
_LAST_NS: Final = 2**64
KIND: Final = "event time"


class EventTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on the time of an event, in ns since the epoch; both are the beginning of a second.

    Attributes:
        first_ns: the earliest time.
        end_ns: the time after the latest one.
    """

    first_ns: int
    end_ns: int

    def has(self, time_ns: int) -> bool:
        """Whether an event may have this time."""
        return self.first_ns <= time_ns < self.end_ns

    def check(self, time_ns: int) -> None:
        """Raise BadRecordError unless an event may have this time."""
        if time_ns < self.first_ns:
            raise BadRecordError(
                f"{KIND}: expected at the earliest {time_text(self.first_ns)} (limits.max_event_age_days), got "
                f"{time_text(time_ns)}; correct the sender's clock, or, for events that waited in an outage, raise it, "
                "or set limits.backfill while old data is loaded"
            )
        if time_ns >= self.end_ns:
            raise BadRecordError(
                f"{KIND}: expected at the latest {time_text(self.end_ns)} (limits.max_event_future_seconds), got "
                f"{time_text(time_ns)}; correct the clock of the sender"
            )


ANY_TIME: Final = EventTimes(first_ns=0, end_ns=_LAST_NS)
"""Every time."""


def event_times(limits: LimitsConfig, arrival_ns: int, endpoint: str = "", deployment: str = "") -> EventTimes:
    """The times that events of a deployment may have when they arrive at `arrival_ns`."""
    if limits.backfill and not {"*", f"{endpoint}/*", f"{endpoint}/{deployment}"}.isdisjoint(limits.backfill):
        return ANY_TIME
    arrival = arrival_ns // NS_PER_SECOND
    first = arrival - int(limits.max_event_age_days * _SECONDS_PER_DAY)
    end = arrival + int(limits.max_event_future_seconds) + 1
    return EventTimes(first_ns=max(0, first) * NS_PER_SECOND, end_ns=end * NS_PER_SECOND)
