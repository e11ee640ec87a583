"""What became of the events that a process accepted: what `flush` and `shutdown` answer, and the final report."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionReport:
    """What became of the events of one collection; accepted = delivered + lost + pending."""

    accepted: int = 0
    delivered: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the JSON of a report."""
        counts: dict[str, Any] = {"accepted": self.accepted, "delivered": self.delivered, "lost": dict(self.lost)}
        return counts | ({"pending": self.pending} if self.pending else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What became of the events that this process accepted.

    Two reports are equal when their totals are: the accounts below are the same figures in finer grain.

    Attributes:
        accepted: taken by `collect`; equals delivered + lost + pending.
        delivered: the endpoint answered for them.
        lost: by reason: `rejected` (the endpoint took the others of the request; our receiver keeps what it rejects in
            quarantine), `refused`, `too_large`, `unencodable`, `shutdown`.
        pending: still waiting; after `shutdown` in the spool, for the next process.
        producer: the id of this process in the events' `producer`.
        collections: the accounts by collection.
        replayed: what this process took over from the spools of dead ones, by their producer and collection; what
            could not be read there is lost as `corrupt`, of the collection `(unreadable)`.
    """

    accepted: int = 0
    delivered: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0
    producer: str = field(default="", compare=False)
    collections: Mapping[str, CollectionReport] = field(default_factory=dict, compare=False)
    replayed: Mapping[str, Mapping[str, CollectionReport]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        producer: str,
        collections: Mapping[str, CollectionReport],
        replayed: Mapping[str, Mapping[str, CollectionReport]],
    ) -> DeliveryReport:
        """The report whose totals are the sums of these accounts."""
        lost: Counter[str] = Counter()
        for account in collections.values():
            lost.update(account.lost)
        return cls(
            accepted=sum(account.accepted for account in collections.values()),
            delivered=sum(account.delivered for account in collections.values()),
            lost=dict(lost),
            pending=sum(account.pending for account in collections.values()),
            producer=producer,
            collections=collections,
            replayed=replayed,
        )

    def to_json(self) -> str:
        """What `otel-modeldata audit --report` reads: the producer and its accounts by collection."""
        document: dict[str, Any] = {"producer": self.producer, "collections": _as_dicts(self.collections)}
        if self.replayed:
            document["replayed"] = {producer: _as_dicts(accounts) for producer, accounts in self.replayed.items()}
        return json.dumps(document)


def _as_dicts(accounts: Mapping[str, CollectionReport]) -> dict[str, dict[str, Any]]:
    return {collection: account.as_dict() for collection, account in accounts.items()}
