"""The traffic of the demo: the flights that left New York on a day of 2013, as if that day ended now.

`data/README.md` says where they are from. From 18:00 of that day on the gate system reports seconds where it reported
minutes, so the feature `departure_delay` drifts; nothing else is changed but the dates.
"""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DAY", "DRIFTING", "EVENING", "HISTORY", "Flight", "flights_of_the_day"]

HISTORY: Final = Path(__file__).with_name("data") / "history.csv.gz"
"""What the model is trained on: 3,000 flights of the weeks before."""
DRIFTING: Final = "departure_delay"
DAY, EVENING = "-24h..-8h", "-7h"
"""The window before the feature drifts, and since when it does, as on a command line."""
_FILE: Final = HISTORY.with_name("day.csv.gz")
_SECONDS_FROM: Final = datetime(2013, 7, 11, 22, 0, tzinfo=timezone.utc)  # 18:00 in New York
_LATE_MINUTES: Final = 15
"""A flight that arrives 15 minutes late is not on time, for the Bureau of Transportation Statistics."""
_WHOLE: Final = frozenset({"departure_delay", "distance", "seats"})
_DECIMAL: Final = frozenset({"temperature", "visibility"})
_AFTER_LANDING: Final = ("air_minutes", "arrival_delay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """One flight.

    Attributes:
        row: what is known when it leaves the gate, as the request has it.
        departed: when it leaves, in UTC.
        drifts: whether its delay is in seconds.
        landed: when it lands; None if it was diverted.
        late: whether it arrives late, which is known when it has landed.
    """

    row: dict[str, Any]
    departed: datetime
    drifts: bool
    landed: datetime | None
    late: bool | None


def flights_of_the_day(count: int | None, now: datetime) -> list[Flight]:
    """Flights in the order in which they leave; the last one leaves at `now`.

    Args:
        count: how many: fewer than all are spread over the day, more are repeated; all if it is None.
        now: in UTC.
    """
    with gzip.open(_FILE, "rt", encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["departed"])
    last = _time(rows[-1]["departed"])
    shift = now.replace(second=0, microsecond=0) - last
    return [_flight(row, shift) for row in _chosen(rows, len(rows) if count is None else count)]


def _chosen(rows: list[dict[str, str]], count: int) -> Iterator[dict[str, str]]:
    """`count` of the rows, evenly over the day and with the last one."""
    for number in range(1, count + 1):
        yield rows[number * len(rows) // count - 1] if count <= len(rows) else rows[(number - 1 - count) % len(rows)]


def _flight(cells: dict[str, str], shift: timedelta) -> Flight:
    departed = _time(cells["departed"])
    row: dict[str, Any] = {name: _value(name, text) for name, text in cells.items() if name not in _AFTER_LANDING}
    row["departed"] = (departed + shift).isoformat()
    if drifts := departed >= _SECONDS_FROM:
        row[DRIFTING] *= 60
    is_known = bool(cells["air_minutes"] and cells["arrival_delay"])
    return Flight(
        row=row,
        departed=departed + shift,
        drifts=drifts,
        landed=departed + shift + timedelta(minutes=int(cells["air_minutes"])) if is_known else None,
        late=int(cells["arrival_delay"]) >= _LATE_MINUTES if is_known else None,
    )


def _value(name: str, text: str) -> object:
    if not text:
        return None
    return int(text) if name in _WHOLE else float(text) if name in _DECIMAL else text


def _time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%MZ").replace(tzinfo=timezone.utc)
