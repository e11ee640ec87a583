"""Verifies the demo by reading the store, without asking the SDK or the receiver.

Blobs are read by a new client of the same kind of `Store` that wrote them. Each request must be stored as one line of
inputs and one line of outputs, at the same position of both files, with the same correlation id, the values that were
sent and answered, and the span of the request as its `traceparent`.
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


class LineKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys of a line that join it with its pair, its request and its trace."""

    correlationid: str
    data: list[dict[str, Any]]
    traceparent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob that was read from the store."""

    path: str
    size: int
    lines: list[LineKeys]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs and outputs with the correlation id of one request."""

    correlation_id: str
    trace_id: str
    request_trace_id: str
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The requests of the demo compared with the store.

    Attributes:
        scoring: the requests as the client sent them, and the SDK's final report.
        stored: blobs by collection, in the order of their names.
        seconds: time from the start of the receiver to the end of reading.
    """

    scoring: Scoring
    stored: Mapping[str, list[Blob]]
    seconds: float

    def lines(self, collection: str) -> list[LineKeys]:
        """Every line of a collection, in order."""
        return [line for blob in self.stored[collection] for line in blob.lines]

    @property
    def joined(self) -> int:
        """Requests whose two lines are stored at the same position, with the values, id and span of the request."""
        pairs = zip(self.scoring.requests, self.lines(INPUTS), self.lines(OUTPUTS), strict=False)
        return sum(_agree(request, inputs, outputs) for request, inputs, outputs in pairs)

    @property
    def last(self) -> Pair | None:
        """The newest line of outputs and the line of inputs with the same correlation id."""
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
        """The problems, each as part of a sentence; empty when everything is stored and joined."""
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
                yield f"expected {requests} lines of {collection} in the store, got {lines}"
        if self.joined != requests:
            yield (
                f"expected {requests} requests joined by correlation id and trace, got {self.joined}; "
                "see the errors above, and the blobs"
            )

    def facts(self) -> dict[str, Any]:
        """The result, for JSON."""
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


def _agree(request: Request, inputs: LineKeys, outputs: LineKeys) -> bool:
    return (
        inputs.correlationid == outputs.correlationid
        and inputs.traceparent == outputs.traceparent == request.traceparent
        and (inputs.data, outputs.data) == ([request.row], [request.answer])
    )


def _trace_id(traceparent: str) -> str:
    """The second field of `00-{trace id}-{span id}-{flags}`; empty without one."""
    return traceparent[3:35]


async def read_blobs(
    config: ReceiverConfig, endpoint: str, deployment: str, period_ns: tuple[int, int]
) -> dict[str, list[Blob]]:
    """The blobs of one receiver and deployment in the hours of a period, by collection.

    Args:
        config: has the store, and the instance id of the receiver.
        endpoint: name of the first folder.
        deployment: name of the second folder.
        period_ns: a time before the first event and one after the last, in ns since the epoch.

    Raises:
        StoreError: the store cannot be read.
    """
    store = open_store(config.store)
    hours = [hour * _NS_PER_HOUR for hour in range(period_ns[0] // _NS_PER_HOUR, period_ns[1] // _NS_PER_HOUR + 1)]
    stored: dict[str, list[Blob]] = {INPUTS: [], OUTPUTS: []}
    try:
        for collection, blobs in stored.items():
            for hour in hours:
                path = folder(f"{endpoint}/{deployment}/{collection}", hour, RollingRate.HOUR)
                for name in await store.blobs(f"{path}/{config.instance}"):
                    blobs.append(await _read(store, config.shown_store, name))
    finally:
        await store.close()
    return stored


async def _read(store: Store, root: str, name: str) -> Blob:
    state = await store.state(name)
    content = b"" if state is None else await store.read(name, 0, state.size)
    lines = [msgspec.json.decode(line, type=LineKeys) for line in content.splitlines()]
    return Blob(path=f"{root.rstrip('/')}/{name}", size=len(content), lines=lines)
