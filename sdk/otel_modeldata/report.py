"""How many of the events that a process accepted were delivered or lost: returned by `flush` and `shutdown`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CollectionReport", "DeliveryReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionReport:
    """The counts of one collection; accepted = delivered + lost + pending."""

    accepted: int = 0
    delivered: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The counts as in the JSON report."""
        counts: dict[str, Any] = {"accepted": self.accepted, "delivered": self.delivered, "lost": dict(self.lost)}
        return counts | ({"pending": self.pending} if self.pending else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """The counts of the events that this process accepted.

    Two reports are equal when their totals are equal: `collections` and `replayed` only break them down.

    Attributes:
        accepted: accepted by `collect`; equals delivered + lost + pending.
        delivered: acknowledged by the endpoint.
        lost: by reason: `rejected` (the endpoint accepted the rest of the request; the receiver keeps rejected records
            in quarantine), `refused`, `too_large`, `unencodable`, `shutdown`.
        pending: not settled yet; after `shutdown` they are in the spool, for the next process.
        producer: the id of this process in the events' `producer`.
        deployment: `endpoint/deployment` of its events; the report accounts for events of no other one.
        collections: the counts by collection.
        replayed: the counts of events adopted from dead processes, by their producer and collection; unreadable records
            are lost as `corrupt`, in the collection `(unreadable)`.
    """

    accepted: int = 0
    delivered: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0
    producer: str = field(default="", compare=False)
    deployment: str = field(default="", compare=False)
    collections: Mapping[str, CollectionReport] = field(default_factory=dict, compare=False)
    replayed: Mapping[str, Mapping[str, CollectionReport]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        producer: str,
        collections: Mapping[str, CollectionReport],
        replayed: Mapping[str, Mapping[str, CollectionReport]],
        *,
        deployment: str = "",
    ) -> DeliveryReport:
        """The report whose totals are the sums over these collections."""
        lost: Counter[str] = Counter()
        for counts in collections.values():
            lost.update(counts.lost)
        return cls(
            accepted=sum(counts.accepted for counts in collections.values()),
            delivered=sum(counts.delivered for counts in collections.values()),
            lost=dict(lost),
            pending=sum(counts.pending for counts in collections.values()),
            producer=producer,
            deployment=deployment,
            collections=collections,
            replayed=replayed,
        )

    def to_json(self) -> str:
        """The file that `otel-modeldata audit --report` reads: the producer and its counts by collection."""
        document: dict[str, Any] = {
            "producer": self.producer,
            "deployment": self.deployment,
            "collections": _as_dicts(self.collections),
        }
        if self.replayed:
            document["replayed"] = {producer: _as_dicts(counts) for producer, counts in self.replayed.items()}
        return json.dumps(document)


def _as_dicts(collections: Mapping[str, CollectionReport]) -> dict[str, dict[str, Any]]:
    return {collection: counts.as_dict() for collection, counts in collections.items()}
