"""Counts what goes from one folder, and the numbers of its events."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from otel_modeldata_receiver.layout.partition import SHADOW_SUFFIX

from ...auditing.number_ranges import NumberRanges
from ...lines.erased_rows import ranges_of, ranges_text, united
from ..tombstone import ErasedHour, ErasedNumbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .line_eraser import LineChange
    from .line_keys import LineKeys

__all__ = ["ErasedCounts", "joined_hours", "joined_numbers"]


class ErasedCounts:
    """What goes from the folder `{root}/{date}`."""

    def __init__(self, root: str, date: str) -> None:
        self._root = root
        self._date = date
        self._events = self._rows = self._lines = self._size = 0
        self._numbers: defaultdict[tuple[str, str, str], NumberRanges] = defaultdict(NumberRanges)

    def add(self, change: LineChange, before: int) -> None:
        """Count a change of a line that had `before` bytes."""
        self._rows += change.rows
        self._size += before - len(change.line) + change.object_size
        if change.new_object is not None:
            self._size -= len(change.new_object.content)
        if change.line:
            self._lines += 1
            return
        self._events += 1
        if change.keys is not None:
            self.add_number(change.keys)

    def add_number(self, keys: LineKeys) -> None:
        """Note the number of an event that goes."""
        if keys.producer and keys.sequence >= 0:
            self._numbers[keys.source, keys.type, keys.producer].add([keys.sequence])

    def add_event(self, *, rows: int, size: int) -> None:
        """Count an event that goes."""
        self._events += 1
        self._rows += rows
        self._size += size

    @property
    def hours(self) -> tuple[ErasedHour, ...]:
        """The counts; empty if nothing goes."""
        if not (self._events or self._lines):
            return ()
        return (
            ErasedHour(
                root=self._root,
                date=self._date,
                events=self._events,
                rows=self._rows,
                lines=self._lines,
                size=max(0, self._size),
            ),
        )

    @property
    def numbers(self) -> tuple[ErasedNumbers, ...]:
        """The numbers of the events that go; a copy that Azure ML's reader made has none of its own."""
        if self._root.endswith(SHADOW_SUFFIX):
            return ()
        return tuple(
            ErasedNumbers(
                root=self._root,
                date=self._date,
                source=source,
                type=event_type,
                producer=producer,
                numbers=ranges_text(tuple(found.ranges())),
            )
            for (source, event_type, producer), found in sorted(self._numbers.items())
        )


def joined_hours(parts: Iterable[ErasedHour]) -> tuple[ErasedHour, ...]:
    """The counts of each folder once, in the order of their names."""
    found: dict[tuple[str, str], ErasedHour] = {}
    for one in parts:
        before = found.get((one.root, one.date), ErasedHour(root=one.root, date=one.date))
        found[one.root, one.date] = ErasedHour(
            root=one.root,
            date=one.date,
            events=before.events + one.events,
            rows=before.rows + one.rows,
            lines=before.lines + one.lines,
            size=before.size + one.size,
        )
    return tuple(found[key] for key in sorted(found))


def joined_numbers(parts: Iterable[ErasedNumbers]) -> tuple[ErasedNumbers, ...]:
    """The numbers of each producer in a folder once."""
    found: defaultdict[tuple[str, str, str, str, str], list[tuple[int, int]]] = defaultdict(list)
    for one in parts:
        key = (one.root, one.date, one.source, one.type, one.producer)
        found[key] += ranges_of(one.numbers)
    return tuple(
        ErasedNumbers(
            root=root, date=date, source=source, type=kind, producer=producer, numbers=ranges_text(united(ranges))
        )
        for (root, date, source, kind, producer), ranges in sorted(found.items())
    )
