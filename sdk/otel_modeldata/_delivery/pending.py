"""A record between `collect` and its settlement: who produced it, where it waits, and what it takes of the limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from .. import semconv

if TYPE_CHECKING:
    from .._encoding.log_record import Parts, Record, RequestEnvelope
    from .counters import Counters
    from .segment_file import RecordPosition

OnError = Callable[[Exception], object]


class Producer(NamedTuple):
    """This process, or a dead one whose segments were adopted."""

    producer_id: str
    envelope: RequestEnvelope
    counters: Counters


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A record of which only the encoded bytes are left, or needed."""

    collection: str
    event_id: str
    data: bytes

    @classmethod
    def of(cls, data: bytes) -> EncodedRecord:
        """Read collection and event id from the bytes.

        Raises:
            DecodeError: they are no `LogRecord`.
            KeyError: they lack one of the two.
        """
        texts = {item.key: item.value.string_value for item in LogRecord.FromString(data).attributes}
        return cls(texts[semconv.AZUREML_COLLECTION_NAME], texts[semconv.CLOUDEVENTS_EVENT_ID], data)

    def encode(self) -> bytes:
        """The OTLP `LogRecord`.

        Raises:
            ValueError: it could not be read from the disk.
        """
        if not self.data:
            raise ValueError("the spool cannot read it back")
        return self.data

    def parts(self) -> Parts:
        """The same in one piece."""
        return (self.encode(),)


UNREADABLE = "(unreadable)"
"""Stands for the collection of records that cannot be read back from the disk; no collection can have this name."""


MergeKey = tuple[str, str, int | None, int | None]
"""Collection, correlation id, trace id (if any) and chosen event time: frames with equal keys may share an event."""


class PendingRecord(msgspec.Struct, eq=False, gc=False):
    """One event that was accepted and is not settled.

    Attributes:
        record: encodes itself.
        charge: bytes charged against the queue's limit; 0 when it was read back from disk.
        since: when it was accepted, by the monotonic clock.
        on_error: called when it is lost.
        producer: who accepted it.
        position: where it is on disk; None when it is in memory only.
        key: which frames may still join it; None when none may.
    """

    record: Record | EncodedRecord
    charge: int
    since: float
    on_error: OnError | None
    producer: Producer
    position: RecordPosition | None
    key: MergeKey | None = None


class Outcome(NamedTuple):
    """How some events were settled: `delivered` of them are delivered, the others are lost for `reason`."""

    delivered: int = 0
    reason: str = ""
    detail: str = ""
