"""An event between `collect` and its settlement: the record, whose it is, and what it holds of the bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from .. import semconv

if TYPE_CHECKING:
    from .._encoding.log_record import Parts, Record, RequestFrame
    from .counters import Accounts
    from .disk_queue import Place

OnError = Callable[[Exception], object]


class Origin(NamedTuple):
    """A producer: this process, or a dead one whose spool was taken over."""

    producer: str
    frame: RequestFrame
    accounts: Accounts


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A record of which the bytes are all that is left, or all that is needed."""

    collection: str
    event_id: str
    data: bytes

    @classmethod
    def of(cls, data: bytes) -> EncodedRecord:
        """Read its names back from the bytes."""
        texts = {item.key: item.value.string_value for item in LogRecord.FromString(data).attributes}
        return cls(texts[semconv.AZUREML_COLLECTION_NAME], texts[semconv.CLOUDEVENTS_EVENT_ID], data)

    def encode(self) -> bytes:
        """The OTLP `LogRecord`.

        Raises:
            ValueError: it could not be read back.
        """
        if not self.data:
            raise ValueError("the spool does not give it back")
        return self.data

    def parts(self) -> Parts:
        """The same as one piece."""
        return (self.encode(),)


UNREADABLE = "(unreadable)"
"""Stands for the collection of records that the spool does not give back; no collection can have this name."""


MergeKey = tuple[str, str, int | None, int | None]
"""Collection, correlation id, trace id (if any) and chosen event time: frames of one key may share an event."""


class Waiting(msgspec.Struct, eq=False, gc=False):
    """One event that was accepted and is not settled.

    Attributes:
        record: encodes itself.
        charge: what it holds of the queue's bound in bytes; 0 when it was read back from disk.
        since: when it was accepted, by the monotonic clock.
        on_error: who wants to hear of its loss.
        origin: who accepted it.
        place: where it stands on disk; None when it is in memory only.
        key: which frames may still join it; None when none may.
    """

    record: Record | EncodedRecord
    charge: int
    since: float
    on_error: OnError | None
    origin: Origin
    place: Place | None
    key: MergeKey | None = None
