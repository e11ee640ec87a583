"""Requests and rows by hour, counted while the rows pass."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..figures.report import Traffic, Volume
from .intervals import HOUR_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Volumes"]

_DAY_HOURS: Final = 24
_SHOWN_HOURS: Final = 31 * 24
_MOST_HOURS: Final = 200_000
"""22 years: times of hostile events may be any."""
_SHOWN_DAYS: Final = 3_660
_LAST_HOUR: Final = 253_402_300_800 // 3_600


class Volumes:
    """The hours of a collection, as its batches pass."""

    def __init__(self) -> None:
        self.requests = self.rows = self.untimed = 0
        self._hours: dict[int, list[int]] = {}
        self._last: str | None = None

    def of(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The batches, which have the envelope's columns; each is counted."""
        for batch in batches:
            if batch.num_rows:
                self._add(batch.column("time"), batch.column("event_id"))
            yield batch

    @property
    def hours(self) -> list[tuple[int, int]]:
        """Each hour since 1970 that has rows, and its rows."""
        return sorted((hour, rows) for hour, (_, rows) in self._hours.items())

    def traffic(self, collection: str) -> Traffic:
        """The figures."""
        return Traffic(
            collection=collection,
            requests=self.requests,
            rows=self.rows,
            untimed=self.untimed,
            **self._shown(),
        )

    def _add(self, times: Any, ids: Any) -> None:
        begins = self._begins(ids)
        known = times.is_valid().to_numpy(zero_copy_only=False)
        nanoseconds = pc.fill_null(times.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        self.requests += int(begins.sum())
        self.rows += len(begins)
        self.untimed += int(begins[~known].sum())
        hours, places = np.unique(nanoseconds[known] // HOUR_NS, return_inverse=True)
        requests = np.bincount(places, weights=begins[known], minlength=len(hours)).astype(np.int64).tolist()
        rows = np.bincount(places, minlength=len(hours)).tolist()
        for hour, of_requests, of_rows in zip(hours.tolist(), requests, rows, strict=True):
            if hour not in self._hours and len(self._hours) >= _MOST_HOURS:
                self.untimed += of_requests
                continue
            counts = self._hours.setdefault(hour, [0, 0])
            counts[0] += of_requests
            counts[1] += of_rows

    def _begins(self, ids: Any) -> Any:
        """Whether a row is the first one of its event: rows of an event are together. One without an id is an event."""
        begins = np.ones(len(ids), dtype=np.bool_)
        same = pc.fill_null(pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1)), False)
        begins[1:] = ~same.to_numpy(zero_copy_only=False)
        first, last = ids[0].as_py(), ids[len(ids) - 1].as_py()
        begins[0] = first is None or first != self._last
        self._last = last
        return begins

    def _shown(self) -> dict[str, Any]:
        """Every hour from the first one to the last one, or every day, or only the days that have rows."""
        hours = {hour: counts for hour, counts in self._hours.items() if 0 <= hour < _LAST_HOUR}
        if not hours:
            return {}
        first, last = min(hours), max(hours)
        if last - first < _SHOWN_HOURS:
            return {"volumes": tuple(_volume(one, hours.get(one, (0, 0))) for one in range(first, last + 1))}
        days: dict[int, list[int]] = {}
        for hour, (requests, rows) in hours.items():
            counts = days.setdefault(hour // _DAY_HOURS, [0, 0])
            counts[0] += requests
            counts[1] += rows
        first, last = min(days), max(days)
        every = range(first, last + 1) if last - first < _SHOWN_DAYS else sorted(days)
        return {
            "unit": "day",
            "volumes": tuple(_volume(one * _DAY_HOURS, days.get(one, (0, 0))) for one in every),
        }


def _volume(hour: int, counts: Any) -> Volume:
    moment = datetime.fromtimestamp(hour * 3_600, timezone.utc)
    return Volume(time=f"{moment:%Y-%m-%dT%H:%M:%SZ}", requests=counts[0], rows=counts[1])
