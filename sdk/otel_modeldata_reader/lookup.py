"""Everything about one id: finds its events in a store by a scan of the bytes, without an index.

The bytes of the blobs are searched for the text of the id, which is as fast as they are read. Only lines that have it
are decoded. An id is a correlation id, a row id (`{correlation id}_{number}`), an event id or a trace id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from .exceptions import UnknownNameError
from .report import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from .blobs.listing import CollectionBlobs
    from .blobs.store_access import StoreAccess
    from .lines.envelope import Envelope

__all__ = ["FoundEvent", "FoundId", "find_id"]

_ROW_ID: Final = re.compile(r"(?P<id>.+)_(?P<row>\d{1,9})", re.DOTALL)
_LONGEST_LINE: Final = 64 << 20
_MOST_EVENTS: Final = 1000
_MOST_TRACES: Final = 20
_SPANS: Final = "app_traces"
"""The collection of spans. They have the trace id of an event, but not its correlation id."""
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
        content: its rows or its payload as JSON, each number as the line has it.
        row: the number of the row that a row id names.
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
        except msgspec.DecodeError:
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
        scanned: bytes that were searched.
    """

    id: str
    events: tuple[FoundEvent, ...]
    scanned: int


def find_id(
    store: StoreAccess,
    collections: Sequence[CollectionBlobs],
    wanted: str,
    blobs_of: Callable[[CollectionBlobs], Sequence[StoredObject]],
) -> FoundId:
    """Search for an id.

    Args:
        store: has the blobs.
        collections: where to search.
        wanted: the id.
        blobs_of: the blobs of a collection to search.

    Raises:
        UnknownNameError: no line has it.
        StoreUnavailableError: a blob cannot be read.
    """
    found, scanned = _scan(store, collections, _Search(wanted), blobs_of) if wanted else ([], 0)
    spans = [one for one in collections if one.root.rpartition("/")[2] == _SPANS]
    for trace_id in sorted({one.trace_id for one in found} - {"", wanted})[:_MOST_TRACES]:
        known = {one.place for one in found}
        further, more = _scan(store, spans, _Search(trace_id), blobs_of)
        found += [one for one in further if one.place not in known]
        scanned += more
    if not found:
        raise UnknownNameError(
            f"expected a correlation id, row id, event id or trace id of {store.shown}, got {wanted!r}: no line of "
            f"{scanned:,} bytes has it; correct the id or the window"
        )
    return FoundId(id=wanted, events=tuple(sorted(found, key=_order)), scanned=scanned)


def _scan(
    store: StoreAccess,
    collections: Sequence[CollectionBlobs],
    search: _Search,
    blobs_of: Callable[[CollectionBlobs], Sequence[StoredObject]],
) -> tuple[list[FoundEvent], int]:
    """The events that a search finds, and how many bytes were searched."""
    found: list[FoundEvent] = []
    scanned = 0
    for collection in collections:
        blobs = blobs_of(collection)
        scanned += sum(blob.size for blob in blobs)
        for place, line in _lines_with(store, blobs, search.needles):
            if (event := search.event(store, collection, place, line)) is not None:
                found.append(event)
            if len(found) >= _MOST_EVENTS:
                return found, scanned
    return found, scanned


class _Search:
    """What to look for, and whether a line with these bytes is about it."""

    def __init__(self, wanted: str) -> None:
        import msgspec  # noqa: PLC0415 (see above)

        match = _ROW_ID.fullmatch(wanted)
        self._ids = {wanted}
        self._row = None
        if match is not None:  # or a correlation id that looks like a row id
            self._ids.add(match["id"])
            self._row = int(match["row"])
        self._wanted = wanted
        shortest = min(self._ids, key=len)
        self._texts = {msgspec.json.encode(wanted), _ascii(wanted)}
        self.needles = [text[1:-1] for text in {msgspec.json.encode(shortest), _ascii(shortest)}]

    def event(self, store: StoreAccess, collection: CollectionBlobs, place: Place, line: bytes) -> FoundEvent | None:
        """The event of a line, if the line is about the id."""
        from .lines.envelope import decode_line  # noqa: PLC0415 (see above)
        from .lines.event_time import NO_TIME, times_of  # noqa: PLC0415 (see above)
        from .lines.payloads import Payloads  # noqa: PLC0415 (see above)

        envelope = decode_line(line)
        if envelope is None:
            return None
        trace = (envelope.traceparent or "").split("-")
        trace_id, span_id = (trace[1], trace[2]) if len(trace) >= 4 else ("", "")
        is_exact = self._wanted in {envelope.id, envelope.correlationid, trace_id}
        is_row = not is_exact and self._row is not None and envelope.correlationid in self._ids
        if not (is_exact or is_row or self._is_in(bytes(envelope.data))):
            return None
        payloads = Payloads(store, collection.objects)
        content = payloads.read(envelope, place.blob) if payloads.is_elsewhere(envelope) else bytes(envelope.data)
        time = int(times_of([envelope])[0])
        return FoundEvent(
            collection=collection.root,
            place=place,
            time_ns=None if time == NO_TIME else time,
            event_id=envelope.id,
            correlation_id=envelope.correlationid,
            trace_id=trace_id,
            span_id=span_id,
            content=_without_null(content, envelope),
            row=self._row if is_row else None,
        )

    def _is_in(self, data: bytes) -> bool:
        """Whether rows have the id as a whole value, as labels and spans have it."""
        return any(re.search(rb"%b\s*[,}\]]" % re.escape(text), data) for text in self._texts)


def _lines_with(
    store: StoreAccess, blobs: Sequence[StoredObject], needles: Sequence[bytes]
) -> Iterator[tuple[Place, bytes]]:
    """The lines that have one of some texts in them.

    Lines are counted only in blobs that have such a line: the part before it is read again.
    """
    rest, start = b"", 0
    for piece in store.pieces(blobs):
        if piece.start == 0:
            rest, start = b"", 0
        content = rest + piece.content if rest else piece.content
        end = len(content) if piece.is_last else content.rfind(b"\n") + 1
        if any(needle in content for needle in needles):
            before = store.read(piece.blob, start).count(b"\n")
            for number, line in enumerate(content[:end].split(b"\n"), before + 1):
                if any(needle in line for needle in needles):
                    yield Place(blob=piece.blob, line=number), line
        rest = content[end:]
        start += end
        if len(rest) > _LONGEST_LINE:
            rest, start = b"", start + len(rest)


def _ascii(text: str) -> bytes:
    import json  # noqa: PLC0415 (see above)

    return json.dumps(text).encode()


def _without_null(content: bytes | None, envelope: Envelope) -> bytes:
    return bytes(envelope.data) if content is None else content


def _order(event: FoundEvent) -> tuple[int, str, int]:
    return event.time_ns or 0, event.place.blob, event.place.line
