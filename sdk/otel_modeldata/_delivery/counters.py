"""In-memory counts of one producer: accepted, delivered and lost events by collection.

Not thread-safe: the owner of a `Counters` serializes the calls.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..report import CollectionReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class _CollectionCounters:
    __slots__ = ("accepted", "delivered", "lost")

    def __init__(self) -> None:
        self.accepted = 0
        self.delivered = 0
        self.lost: Counter[str] = Counter()


class Counters:
    """Counts events by collection."""

    def __init__(self) -> None:
        self._by_collection: dict[str, _CollectionCounters] = {}

    def accept(self, collection: str, count: int = 1) -> int:
        """Count accepted events; returns the sequence number of the first of them."""
        counters = self._counters(collection)
        number = counters.accepted
        counters.accepted += count
        return number

    def settle(self, collection: str, *, delivered: int, lost: int, reason: str) -> None:
        """Count accepted events as delivered, or as lost for `reason`."""
        counters = self._counters(collection)
        counters.delivered += delivered
        if lost:
            counters.lost[reason] += lost

    def settle_all(self, collections: Sequence[str], *, lost: int, reason: str) -> None:
        """Count accepted events, each by its collection, as delivered; `lost` of them as lost for `reason`.

        If only some are lost, it is not known which: those of the first collections.
        """
        for collection, count in Counter(collections).items():
            part = min(lost, count)
            lost -= part
            self.settle(collection, delivered=count - part, lost=part, reason=reason)

    def _counters(self, collection: str) -> _CollectionCounters:
        counters = self._by_collection.get(collection)
        if counters is None:
            counters = self._by_collection[collection] = _CollectionCounters()
        return counters

    def report(self, waiting: Mapping[str, int] | None = None) -> Mapping[str, CollectionReport]:
        """A copy of the counts as they are now.

        Args:
            waiting: events by collection that were accepted and are not counted here yet.
        """
        more = waiting or {}
        collections = {**self._by_collection, **{name: _CollectionCounters() for name in more}} | self._by_collection
        return {
            collection: CollectionReport(
                accepted=counters.accepted + more.get(collection, 0),
                delivered=counters.delivered,
                lost=dict(counters.lost),
                pending=counters.accepted + more.get(collection, 0) - counters.delivered - counters.lost.total(),
            )
            for collection, counters in collections.items()
        }
