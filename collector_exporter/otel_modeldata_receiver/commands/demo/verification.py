"""What the demo claims, checked against what the store holds: nothing here asks the SDK or the receiver.

Blobs are read back through the same `Store` that wrote them, by a new client. Each request must be there as one line of
inputs and one of outputs, at the same place of both files, with one correlation id, the values that were sent and
answered, and the span of the request as its `traceparent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...layout.partition import NS_PER_SECOND, RollingRate, folder
from ...storage.open_store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...config.receiver import ReceiverConfig
    from ...storage.store import Store
    from .app import Request, Scoring

INPUTS: Final = "model_inputs"
OUTPUTS: Final = "model_outputs"
_NS_PER_HOUR: Final = 3600 * NS_PER_SECOND


class JoinedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a line that join it: to its pair, to its request, to its trace."""

    correlationid: str
    data: list[dict[str, Any]]
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """One blob that was read back."""

    path: str
    size: int
    lines: list[JoinedKeys]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs and outputs of one request, found by their correlation id."""

    correlation_id: str
    trace_id: str
    request_trace_id: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was scored, what is stored, and whether they agree.

    Attributes:
        scoring: the requests as their sender saw them, and the SDK's final report.
        stored: blobs by collection, in the order of their names.
        seconds: from the start of the receiver to the end of reading.
    """

    scoring: Scoring
    stored: Mapping[str, list[Blob]]
    seconds: float

    def lines(self, collection: str) -> list[JoinedKeys]:
        """Every line of a collection, in order."""
        return [line for blob in self.stored[collection] for line in blob.lines]

    @property
    def joined(self) -> int:
        """Requests whose two lines are stored, at the same place, and say what was sent, answered and traced."""
        found = zip(self.scoring.requests, self.lines(INPUTS), self.lines(OUTPUTS), strict=False)
        return sum(_agree(request, inputs, outputs) for request, inputs, outputs in found)

    @property
    def last(self) -> Pair | None:
        """The newest line of outputs and the line of inputs that has its correlation id."""
        outputs = self.lines(OUTPUTS)
        inputs = {line.correlationid: line for line in self.lines(INPUTS)}
        if not outputs or outputs[-1].correlationid not in inputs:
            return None
        return Pair(
            correlation_id=outputs[-1].correlationid,
            trace_id=_trace_id(outputs[-1].traceparent),
            request_trace_id=_trace_id(self.scoring.requests[-1].traceparent),
            inputs=inputs[outputs[-1].correlationid].data,
            outputs=outputs[-1].data,
        )

    @property
    def problems(self) -> list[str]:
        """What is not as it must be, one sentence part each; empty when all is well."""
        return list(self._problems())

    def _problems(self) -> Iterator[str]:
        requests, delivery = len(self.scoring.requests), self.scoring.delivery
        if (delivery.accepted, delivery.delivered) != (2 * requests, 2 * requests):
            yield (
                f"expected {2 * requests} events accepted and delivered, got {delivery.accepted} and "
                f"{delivery.delivered}, lost {dict(delivery.lost)}, pending {delivery.pending}"
            )
        for collection in self.stored:
            if (lines := len(self.lines(collection))) != requests:
                yield f"expected {requests} lines of {collection} in the store, found {lines}"
        if self.joined != requests:
            yield (
                f"expected {requests} requests joined by correlation id and trace, found {self.joined}; "
                "look for errors above and into the blobs"
            )

    def facts(self) -> dict[str, Any]:
        """The summary for programs."""
        delivery, last = self.scoring.delivery, self.last
        return {
            "requests": len(self.scoring.requests),
            "accepted": delivery.accepted,
            "delivered": delivery.delivered,
            "lost": dict(delivery.lost),
            "pending": delivery.pending,
            "stored": sum(len(self.lines(collection)) for collection in self.stored),
            "joined": self.joined,
            "blobs": [
                {"collection": collection, "path": blob.path, "lines": len(blob.lines), "bytes": blob.size}
                for collection, blobs in self.stored.items()
                for blob in blobs
            ],
            "last": last and msgspec.structs.asdict(last),
            "problems": self.problems,
            "seconds": round(self.seconds, 3),
        }


def _agree(request: Request, inputs: JoinedKeys, outputs: JoinedKeys) -> bool:
    return (
        inputs.correlationid == outputs.correlationid
        and inputs.traceparent == outputs.traceparent == request.traceparent
        and (inputs.data, outputs.data) == ([request.row], [request.answer])
    )


def _trace_id(traceparent: str) -> str:
    """The second field of `00-{trace id}-{span id}-{flags}`; empty without one."""
    return traceparent[3:35]


async def read_back(
    config: ReceiverConfig, endpoint: str, deployment: str, period_ns: tuple[int, int]
) -> dict[str, list[Blob]]:
    """The blobs of one receiver and deployment in the hours of a period, by collection.

    Args:
        config: names the store, and the receiver whose blobs count.
        endpoint: the first folder.
        deployment: the second folder.
        period_ns: a moment before the first event and one after the last, in ns since the epoch.

    Raises:
        StoreError: the store cannot be read.
    """
    store = open_store(config.store)
    hours = [hour * _NS_PER_HOUR for hour in range(period_ns[0] // _NS_PER_HOUR, period_ns[1] // _NS_PER_HOUR + 1)]
    found: dict[str, list[Blob]] = {INPUTS: [], OUTPUTS: []}
    try:
        for collection, blobs in found.items():
            for hour in hours:
                place = folder(f"{endpoint}/{deployment}/{collection}", hour, RollingRate.HOUR)
                for name in await store.blobs(f"{place}/{config.instance}"):
                    blobs.append(await _read(store, config.shown_store, name))
    finally:
        await store.close()
    return found


async def _read(store: Store, root: str, name: str) -> Blob:
    state = await store.state(name)
    content = b"" if state is None else await store.read(name, 0, state.size)
    lines = [msgspec.json.decode(line, type=JoinedKeys) for line in content.splitlines()]
    return Blob(path=f"{root.rstrip('/')}/{name}", size=len(content), lines=lines)
