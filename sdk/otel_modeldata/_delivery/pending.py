"""Records between `collect` and settlement, with their producer, position on disk and charge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .. import semconv
from .._encoding.otlp_messages import LogRecord

if TYPE_CHECKING:
    from .._encoding.log_record import Parts, Record, RequestEnvelope
    from .counters import Counters
    from .segment_file import RecordPosition

OnError = Callable[[Exception], object]


class Producer(NamedTuple):
    """This process, or a dead process with adopted segments."""

    producer_id: str
    envelope: RequestEnvelope
    counters: Counters


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A record as encoded bytes, with its collection and event id."""

    collection: str
    event_id: str
    data: bytes

    @classmethod
    def of(cls, data: bytes) -> EncodedRecord:
        """Read collection and event id from the bytes.

        Raises:
            DecodeError: the bytes are not a `LogRecord`.
            KeyError: the collection or event id is missing.
        """
        texts = {item.key: item.value.string_value for item in LogRecord.FromString(data).attributes}
        return cls(texts[semconv.AZUREML_COLLECTION_NAME], texts[semconv.CLOUDEVENTS_EVENT_ID], data)

    def encode(self) -> bytes:
        """The OTLP `LogRecord`.

        Raises:
            ValueError: the record could not be read from disk.
        """
        if not self.data:
            raise ValueError("the record cannot be read from the spool")
        return self.data

    def parts(self) -> Parts:
        """The OTLP `LogRecord` as one piece."""
        return (self.encode(),)


UNREADABLE = "(unreadable)"
"""The collection of records that cannot be read from disk; no real collection can have this name."""


MergeKey = tuple[str, str, int | None, int | None]
"""Collection, correlation id, trace id (if any) and chosen event time: frames with equal keys may share an event."""


class PendingRecord(msgspec.Struct, eq=False, gc=False):
    """One event that was accepted and is not settled.

    Attributes:
        record: the record itself.
        charge: bytes charged against the queue's limit; 0 when it was read back from disk.
        since: when it was accepted, by the monotonic clock.
        on_error: called when it is lost.
        producer: the process that accepted it.
        position: where it is on disk; None when it is in memory only.
        key: frames with an equal key may join it; None when no frame may.
    """

    record: Record | EncodedRecord
    charge: int
    since: float
    on_error: OnError | None
    producer: Producer
    position: RecordPosition | None
    key: MergeKey | None = None


class Outcome(NamedTuple):
    """How events were settled: `delivered` of them are delivered, the others are lost for `reason`."""

    delivered: int = 0
    reason: str = ""
    detail: str = ""
