"""Compares the answered requests with the lines in the store, without asking the SDK or the receiver.

Each flight must be stored as four lines, each once: the body of the request, the frames of both Collectors and the body
of the answer, with the id and the trace that the client chose, and with the values that were sent and answered. Each
message with landings must be stored as three: two bodies, and a frame with the labels.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from otel_modeldata.report import DeliveryReport

    from .stored_lines import Blob, LineKeys
    from .traffic import Request

__all__ = ["COLLECTIONS", "Verification", "expected_events"]

_OF_A_FLIGHT: Final = ("request", "model_inputs", "model_outputs", "response")
_OF_A_LANDING: Final = ("request", "ground_truth", "response")
COLLECTIONS: Final = (*_OF_A_FLIGHT, "ground_truth")
_TIME: Final = "departed"


def expected_events(flights: int, landings: int) -> int:
    """How many events the service collects of these messages."""
    return len(_OF_A_FLIGHT) * flights + len(_OF_A_LANDING) * landings


@dataclass(frozen=True, kw_only=True)
class Verification:
    """The requests of the demo compared with the store.

    Attributes:
        requests: flights, as the client sent them.
        landings: messages with landings.
        labels: flights in these messages.
        killed_after: how many flights were answered when the receiver was killed.
        delivery: the final report of the service.
        blobs: every blob of this run, but not those of spans.
        seconds: of the whole run.
    """

    requests: Sequence[Request]
    landings: int
    labels: int
    killed_after: int
    delivery: DeliveryReport
    blobs: Sequence[Blob]
    seconds: float

    @cached_property
    def stored(self) -> int:
        """All lines of this run."""
        return sum(len(blob.lines) for blob in self.blobs)

    @cached_property
    def joined(self) -> int:
        """Flights whose four lines are stored, each once, with the id, the trace and the values of the request."""
        lines = [self._by_id(collection) for collection in _OF_A_FLIGHT]
        return sum(_agree(one, [found.get(one.id, []) for found in lines]) for one in self.requests)

    @cached_property
    def problems(self) -> list[str]:
        """The problems, each as part of a sentence; empty when accepted = stored and the ids are equal."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        flights, delivery = len(self.requests), self.delivery
        expected = expected_events(flights, self.landings)
        if (delivery.accepted, delivery.delivered) != (expected, expected):
            yield (
                f"expected {expected} events accepted and delivered, got {delivery.accepted} and "
                f"{delivery.delivered}, lost {dict(delivery.lost)}, pending {delivery.pending}"
            )
        if self.stored != delivery.accepted:
            yield f"expected {delivery.accepted} lines in the store, as many as were accepted, got {self.stored}"
        events = Counter(line.id for blob in self.blobs for line in blob.lines)
        if copies := events.total() - len(events):
            yield f"expected each event once in the store, got {copies} copies"
        if self.joined != flights:
            yield (
                f"expected {flights} flights with the ids, traces and values of their requests in the store, "
                f"got {self.joined}"
            )
        if (labels := self._stored_labels()) != self.labels:
            yield f"expected {self.labels} labels in the store, got {labels}"

    def facts(self) -> dict[str, Any]:
        """The result, for JSON."""
        return {
            "requests": len(self.requests),
            "killed_after": self.killed_after,
            "accepted": self.delivery.accepted,
            "delivered": self.delivery.delivered,
            "lost": dict(self.delivery.lost),
            "pending": self.delivery.pending,
            "stored": self.stored,
            "joined": self.joined,
            "landings": self.landings,
            "labels": self.labels,
            "blobs": [
                {"collection": blob.collection, "path": blob.path, "lines": len(blob.lines), "bytes": blob.size}
                for blob in self.blobs
            ],
            "last": self._last(),
            "problems": self.problems,
            "seconds": round(self.seconds, 3),
        }

    def _last(self) -> dict[str, Any] | None:
        """The last request, and what the store has of it."""
        if not self.requests:
            return None
        last = self.requests[-1]
        stored = {name: [line.data for line in self._by_id(name).get(last.id, [])] for name in _OF_A_FLIGHT}
        return {"correlation_id": last.id, "trace_id": last.trace_id, **stored}

    def _stored_labels(self) -> int:
        return sum(len(line.data) for blob in self.blobs if blob.collection == "ground_truth" for line in blob.lines)

    def _by_id(self, collection: str) -> Mapping[str, list[LineKeys]]:
        return self._by_collection_and_id[collection]

    @cached_property
    def _by_collection_and_id(self) -> Mapping[str, Mapping[str, list[LineKeys]]]:
        found: dict[str, defaultdict[str, list[LineKeys]]] = {name: defaultdict(list) for name in COLLECTIONS}
        for blob in self.blobs:
            for line in blob.lines:
                found[blob.collection][line.correlationid].append(line)
        return found


def _agree(request: Request, stored: Sequence[Sequence[LineKeys]]) -> bool:
    """Whether these are the lines of a request, in the order of `_OF_A_FLIGHT`."""
    if [len(lines) for lines in stored] != [1] * len(_OF_A_FLIGHT):
        return False
    if {line.traceparent[3:35] for (line,) in stored} != {request.trace_id}:
        return False
    body, inputs, outputs, answer = (line.data for (line,) in stored)
    row = _read(request.flight.row)
    return (
        body == request.flight.row
        and [_read(one) for one in inputs] == [row]
        and outputs == [request.answer]
        and answer == request.answer
    )


def _read(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose time is a value: a frame writes the same time as another text than the client."""
    return {**row, _TIME: msgspec.convert(row.get(_TIME), datetime | None, strict=False)}
