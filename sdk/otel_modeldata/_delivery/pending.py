"""Records between `collect` and settlement, with their producer, position on disk and charge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from google.protobuf.message import DecodeError

from .. import semconv
from .._encoding.otlp_messages import LogRecord
from ..exceptions import RecordTooLargeError

if TYPE_CHECKING:
    from .._encoding.dataframe_json import Pause
    from .._encoding.log_record import Parts, Record, RequestEnvelope
    from .._settings.delivery import DeliveryLimits
    from .counters import Counters
    from .spool.segment_file import RecordPosition

OnError = Callable[[Exception], object]

RECORD_OVERHEAD_BYTES = 1350
"""Memory of a record beside its rows, attributes and span context. A frame with 184 bytes of numbers takes 1,670 bytes
of RSS, and 2,060 are counted."""

UNREADABLE = "(unreadable)"
"""The collection of records that cannot be read from disk; no real collection can have this name."""


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
    def restored(cls, data: bytes, collection: str = "") -> EncodedRecord:
        """A record that was read from the spool; one without data if it cannot be read.

        Args:
            data: its bytes.
            collection: its name, if it is known.
        """
        try:
            return cls.of(data)
        except (DecodeError, KeyError):
            return cls(collection or UNREADABLE, "", b"")

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

    def parts(self, _: Pause, /) -> Parts:
        """The OTLP `LogRecord` as one piece."""
        return (self.encode(),)


MergeKey = str | tuple[str, int, int]
"""What `merge_key` returns: frames with equal keys may share an event."""


def merge_key(collection: str, correlation_id: str, trace_id: int | None, chosen_ns: int | None) -> MergeKey:
    """The key of a frame: a text in the usual case, because the hash of a tuple takes several times as long.

    Args:
        collection: a name, which has no slash.
        correlation_id: of the frame.
        trace_id: of its span, if there is one.
        chosen_ns: the event time that the caller chose, if any.
    """
    key = f"{collection}/{correlation_id}"
    return (
        key if trace_id is None and chosen_ns is None else (key, trace_id or 0, -1 if chosen_ns is None else chosen_ns)
    )


class JoinedFrame(NamedTuple):
    """A frame that joins a pending event.

    Attributes:
        record: its rows.
        charge: bytes charged for them.
        rows: how many they are.
        nbytes: approximate memory of them.
    """

    record: Record
    charge: int
    rows: int
    nbytes: int


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
        joined: the frames that join it, in order; None in it ends the list: later ones are too late.
        is_taken: whether the delivery thread has taken it from the queue.
    """

    record: Record | EncodedRecord
    charge: int
    since: float
    on_error: OnError | None
    producer: Producer
    position: RecordPosition | None
    key: MergeKey | None = None
    joined: list[JoinedFrame | None] | None = None
    is_taken: bool = False


def check_size(record: Record, charge: int, limits: DeliveryLimits, *, in_memory: bool) -> None:
    """Refuse a record that can never be sent, or never wait.

    Args:
        record: as it was collected.
        charge: what it takes in memory.
        limits: of the queue.
        in_memory: it has to wait there.

    Raises:
        RecordTooLargeError: it is larger than a limit.
    """
    nbytes, most = record.body.nbytes, min(limits.record_bytes, limits.queue_bytes) - RECORD_OVERHEAD_BYTES
    if nbytes > most:
        raise RecordTooLargeError(nbytes, max(0, most))
    if in_memory and charge > limits.queue_bytes:
        raise RecordTooLargeError(charge - RECORD_OVERHEAD_BYTES, max(0, limits.queue_bytes - RECORD_OVERHEAD_BYTES))


class Outcome(NamedTuple):
    """How events were settled: `delivered` of them are delivered, the others are lost for `reason`."""

    delivered: int = 0
    reason: str = ""
    detail: str = ""
