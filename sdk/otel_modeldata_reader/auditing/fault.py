"""Faults of stored lines: how many of a kind there are, and where the first ones are."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_LOCATIONS", "Fault", "Location"]

MAX_LOCATIONS: Final = 100
"""Locations kept for each kind of fault; every fault is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """The location of a line with a fault.

    Attributes:
        blob: name of the blob in the store.
        line: number of the line, from 1.
        reason: the expected content, and the content of the line.
    """

    blob: str
    line: int
    reason: str


@dataclass(slots=True)
class Fault:
    """The number of faults of one kind, and their first locations."""

    count: int = 0
    locations: list[Location] = field(default_factory=list)

    def add(self, blob: str, line: int, reason: str) -> None:
        """Count one more, in a line of a blob."""
        self.count += 1
        if len(self.locations) < MAX_LOCATIONS:
            self.locations.append(Location(blob=blob, line=line, reason=reason))

    def add_all(self, count: int, locations: Iterable[Location]) -> None:
        """Count more, of which the first ones have these locations."""
        self.count += count
        self.locations += islice(locations, MAX_LOCATIONS - len(self.locations))
