"""What a store has about an id."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from .spans import is_of_spans, tree_of

if TYPE_CHECKING:
    from .report import Place
    from .spans import Span

__all__ = ["FoundEvent", "FoundId"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundEvent:
    """One event of an id.

    Attributes:
        collection: the folder of its collection in the store.
        place: its blob and line.
        time_ns: when it happened, in nanoseconds since the epoch; None if the line does not say it.
        event_id: its own id.
        correlation_id: the id of its request.
        trace_id: 32 hex digits; empty outside of a trace.
        span_id: 16 hex digits; empty outside of a trace.
        content: its rows or its payload as JSON, each number as the line has it. Of a line that was compacted and
            dropped, the values as JSON.
        row: the number of the row that a row id names.
        is_missing: whether the payload is an object of its own that the store does not have.
        method: the HTTP method, of a request or response; None otherwise, as are the following.
        path: of the request.
        status_code: of the response.
        latency_ms: from the first byte of the request to the end of the response.
        content_type: the media type of the payload, if the line says it.
        line: the first 64 KiB of the line. Of a line that was compacted and dropped, the same keys and values as JSON.
    """

    collection: str
    place: Place
    time_ns: int | None
    event_id: str | None
    correlation_id: str | None
    trace_id: str
    span_id: str
    content: bytes
    row: int | None = None
    is_missing: bool = False
    method: str | None = None
    path: str | None = None
    status_code: str | None = None
    latency_ms: str | None = None
    content_type: str | None = None
    line: bytes = field(default=b"", repr=False, compare=False)

    @property
    def time(self) -> datetime | None:
        """When it happened, in UTC and whole microseconds."""
        return None if self.time_ns is None else _EPOCH + timedelta(microseconds=self.time_ns // 1000)

    @property
    def rows(self) -> Any:
        """The content as Python objects; only the row that was asked for, if it was a row id."""
        import msgspec  # noqa: PLC0415 (only for lines that are found)

        try:
            decoded = msgspec.json.decode(self.content)
        except (ValueError, RecursionError):
            return self.content
        if self.row is not None and isinstance(decoded, list):
            return decoded[self.row : self.row + 1]
        return decoded


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundId:
    """What a store has about an id.

    Attributes:
        id: as it was asked for.
        events: in the order of their times.
        scanned: bytes that were searched; those that the index covers were not.
        size: bytes in the blobs that have been looked up.
        notes: files of the index that are damaged or foreign, and were not used; damaged lines with the text of the id.
    """

    id: str
    events: tuple[FoundEvent, ...]
    scanned: int
    size: int = 0
    notes: tuple[str, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans among the events, each below its parent, siblings by their start."""
        rows = [(event.rows, event.place) for event in self.events if is_of_spans(event.collection)]
        return tree_of((row, place) for found, place in rows if isinstance(found, list) for row in found)
