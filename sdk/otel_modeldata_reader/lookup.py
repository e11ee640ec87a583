"""Everything about one id: finds its events in a store, by the index where there is one, else by a scan of the bytes.

A scan searches the blobs for the text of the id, which is as fast as they are read, and decodes only lines that have
it. A lookup that scans much of what is complete also writes the index of it, so that the next one does not scan. An id
is a correlation id, a row id (`{correlation id}_{number}`), an event id or a trace id.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from .blobs.byte_ranges import ByteRange
from .blobs.dated_folder import is_closed
from .blobs.listing import collections_of, date_of
from .exceptions import StoreUnavailableError, UnknownNameError
from .progress import Progress
from .report import Place
from .spans import is_of_spans, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from .blobs.listing import CollectionBlobs
    from .blobs.store_access import StoreAccess
    from .index.id_search import IdSearch, Match
    from .index.index_file import Entry
    from .index.index_writer import IndexWriter
    from .index.store_index import StoreIndex
    from .spans import Span
    from .window import Window

logger = logging.getLogger(__name__)

__all__ = ["FoundEvent", "FoundId", "find_id"]

_LONGEST_LINE: Final = 64 << 20
_MOST_EVENTS: Final = 1000
_MOST_TRACES: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_WORTH_BYTES: Final = 16 << 20
"""Less is scanned in some hundredths of a second, and gets no file of its own."""
_MOST_DAMAGED: Final = 5
"""Places of damaged lines in a message."""
_INDEXED_BYTES: Final = 16 << 20
"""Longer lines are not in the index: of a hostile one, each text could be an id."""
_LINE_BYTES: Final = 64 << 10
"""First read of a line whose position is known."""


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
        is_missing: whether the payload is an object of its own that the store does not have.
        method: the HTTP method, of a request or response; None otherwise, as are the following.
        path: of the request.
        status_code: of the response.
        latency_ms: from the first byte of the request to the end of the response.
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


def find_id(
    store: StoreAccess,
    objects: Sequence[StoredObject],
    wanted: str,
    window: Window,
    *,
    index: bool = True,
) -> FoundId:
    """Search for an id.

    Args:
        store: has the blobs.
        objects: its listing.
        wanted: the id.
        window: only folders of this window are searched.
        index: whether to use the index, and to write it.

    Raises:
        UnknownNameError: no line has it.
        StoreUnavailableError: a blob cannot be read.
    """
    from .index.id_search import IdSearch  # noqa: PLC0415 (imported with the first lookup)
    from .index.store_index import StoreIndex  # noqa: PLC0415 (likewise)

    collections = collections_of(objects)
    blobs = {
        root: [ByteRange(one.name, 0, one.size) for one in found.within(window)] for root, found in collections.items()
    }
    size = sum(blob.size for found in blobs.values() for blob in found)
    known = StoreIndex(
        store, objects if index else (), {blob.blob: blob.size for found in blobs.values() for blob in found}
    )
    lookup = _Lookup(store, known, collections, blobs)
    search = IdSearch(wanted)
    found = lookup.find(search, blobs, write=index)
    spans = [root for root in blobs if is_of_spans(root)]
    for trace_id in sorted({one.trace_id for one in found} - {"", wanted})[:_MOST_TRACES]:
        places = {one.place for one in found}
        found += [one for one in lookup.find(IdSearch(trace_id), spans, write=False) if one.place not in places]
    if not found:
        damaged = f"; {', '.join(map(str, lookup.damaged))} has its text, and is damaged" if lookup.damaged else ""
        cure = "correct the id or the window" + (
            ", or search without the index" if index and lookup.scanned < size and search.is_possible else ""
        )
        searched = f"no line of {size:,} bytes has it{damaged}; {cure}"
        raise UnknownNameError(
            f"expected a correlation id, row id, event id or trace id of {store.shown}, got {wanted!r}: "
            + (searched if size else "there are no events to search in; correct the store or the window")
        )
    events = tuple(sorted(found, key=_order))
    return FoundId(
        id=wanted,
        events=events,
        scanned=lookup.scanned,
        size=size,
        notes=(*known.notes, *(f"expected an event, got a damaged line in {one}" for one in lookup.damaged)),
    )


class _Lookup:
    """Searches of one call, which share the listing and the index."""

    def __init__(
        self,
        store: StoreAccess,
        index: StoreIndex,
        collections: Mapping[str, CollectionBlobs],
        blobs: Mapping[str, Sequence[ByteRange]],
    ) -> None:
        self._store = store
        self._index = index
        self._collections = collections
        self._of_root = blobs
        self._blobs = {blob.blob: blob for found in blobs.values() for blob in found}
        self._may_write = True
        self._scanned: set[ByteRange] = set()
        self.damaged: list[Place] = []

    @property
    def scanned(self) -> int:
        """The bytes that were searched, those of two searches once."""
        return sum(part.size for part in self._scanned)

    def find(self, search: IdSearch, roots: Iterable[str], *, write: bool) -> list[FoundEvent]:
        """The events in some collections, by the index and by a scan of what it does not cover.

        Args:
            search: what to find.
            roots: the collections.
            write: whether to write the index of what is scanned.
        """
        from .index.line_ids import names_ids_in_rows  # noqa: PLC0415 (imported with the first lookup)

        if not search.is_possible:
            return []

        root_of = {blob.blob: root for root in roots for blob in self._of_root[root]}
        found = self._by_index(search, root_of)
        parts = [part for blob in map(self._blobs.__getitem__, root_of) for part in self._index.uncovered(blob)]
        self._scanned.update(parts)
        progress = Progress(self._store.shown, sum(part.size for part in parts))
        writer = _writer(parts) if write else None
        for part in parts:
            if len(found) >= _MOST_EVENTS:
                break
            root = root_of[part.blob]
            into = writer if is_closed(date_of(part.blob)) else None
            for place, line in self._lines_with(search, part, into, progress, in_rows=names_ids_in_rows(root)):
                if (match := search.match(line, root)) is not None:
                    found.append(self._event(match, root, place))
                elif len(self.damaged) < _MOST_DAMAGED and search.is_damaged(line) and place not in self.damaged:
                    self.damaged.append(place)
        if writer is not None:
            self._put(writer.finish())
        return found[:_MOST_EVENTS]

    def _by_index(self, search: IdSearch, root_of: Mapping[str, str]) -> list[FoundEvent]:
        """The events at the places that the index has; a file with a wrong place is used no more."""
        by_place: dict[tuple[str, int], tuple[str, Entry]] = {}
        for name, entry in self._index.entries(search.hashes, root_of):
            blob = self._blobs.get(entry.blob)
            if blob is not None and entry.blob in root_of and entry.end <= blob.end:
                by_place.setdefault((entry.blob, entry.start), (name, entry))
        entries = [by_place[place] for place in sorted(by_place)][:_MOST_EVENTS]
        found: list[tuple[str, FoundEvent]] = []
        for (name, entry), line in zip(entries, self._lines_at([entry for _, entry in entries]), strict=True):
            root = root_of[entry.blob]
            if line is None or not search.is_in(line, root):
                self._index.leave_out(name, f"it leads to {entry.blob}, line {entry.line}, which has not the id")
            elif (match := search.match(line, root)) is not None:
                found.append((name, self._event(match, root, Place(blob=entry.blob, line=entry.line))))
        return [event for name, event in found if self._index.has(name)]

    def _lines_at(self, entries: Sequence[Entry]) -> Iterator[bytes | None]:
        """The line at each entry; None where no line begins."""
        first = [ByteRange(one.blob, max(0, one.start - 1), min(one.end, one.start + _LINE_BYTES)) for one in entries]
        for entry, content in zip(entries, self._store.read_ranges(first), strict=True):
            if entry.start and not content.startswith(b"\n"):
                yield None
                continue
            line, more = content[entry.start > 0 :], _LINE_BYTES
            while b"\n" not in line and entry.start + len(line) < entry.end and len(line) <= _LONGEST_LINE:
                start = entry.start + len(line)
                more *= 2
                part = next(self._store.read_ranges([ByteRange(entry.blob, start, min(entry.end, start + more))]))
                if not part:  # the blob is shorter than it was listed
                    break
                line += part
            whole, end, _ = line.partition(b"\n")
            yield whole if end else None

    def _lines_with(
        self, search: IdSearch, part: ByteRange, writer: IndexWriter | None, progress: Progress, *, in_rows: bool
    ) -> Iterator[tuple[Place, bytes]]:
        """The lines that have one of some texts in them.

        Lines are counted only where such a line or the index needs their numbers: what is before is read again.
        """
        rest, start = b"", part.start
        lines: int | None = None if writer is None else self._lines_before(part.blob, start)
        for piece in self._store.pieces([part]):
            progress.add(len(piece.content))
            content = rest + piece.content if rest else piece.content
            end = content.rfind(b"\n") + 1
            if search.may_be_in(content):
                whole = content if piece.is_last else content[:end]
                first = 1 + (self._lines_before(part.blob, start) if lines is None else lines)
                for number, line in enumerate(whole.split(b"\n"), first):
                    if search.may_be_in(line):
                        yield Place(blob=part.blob, line=number), line
            if writer is not None and lines is not None:
                if end <= _INDEXED_BYTES:
                    self._put(writer.add(part.blob, start, lines + 1, content[:end], in_rows=in_rows))
                lines += content.count(b"\n")
            rest = content[end:]
            start += end
            if len(rest) > _LONGEST_LINE:
                rest, start, writer = b"", start + len(rest), None

    def _lines_before(self, blob: str, position: int) -> int:
        return sum(piece.content.count(b"\n") for piece in self._store.pieces([ByteRange(blob, 0, position)]))

    def _put(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write files of the index where the store may be written to."""
        for name, content in files:
            if not self._may_write:
                return
            try:
                self._store.put(name, content)
            except StoreUnavailableError as error:
                self._may_write = False
                logger.debug("the index is not written: %s", error)

    def _event(self, match: Match, root: str, place: Place) -> FoundEvent:
        from .lines.event_time import NO_TIME, times_of  # noqa: PLC0415 (imports NumPy, only for lines that are found)
        from .lines.payloads import Payloads  # noqa: PLC0415 (likewise)

        envelope = match.envelope
        payloads = Payloads(self._store, self._collections[root].objects)
        is_elsewhere = payloads.is_elsewhere(envelope)
        content = payloads.read(envelope, place.blob) if is_elsewhere else match.rows
        time = int(times_of([envelope])[0])
        return FoundEvent(
            collection=root,
            place=place,
            time_ns=None if time == NO_TIME else time,
            event_id=envelope.id,
            correlation_id=envelope.correlationid,
            trace_id=match.trace_id,
            span_id=match.span_id,
            content=bytes(envelope.data) if content is None else content,
            row=match.row,
            is_missing=is_elsewhere and content is None,
            method=envelope.method,
            path=envelope.path,
            status_code=envelope.statuscode,
            latency_ms=envelope.latencyms,
        )


def _writer(parts: Sequence[ByteRange]) -> IndexWriter | None:
    if sum(part.size for part in parts if is_closed(date_of(part.blob))) < _WORTH_BYTES:
        return None
    from .index.index_writer import IndexWriter  # noqa: PLC0415 (only where an index is written)

    return IndexWriter()


def _order(event: FoundEvent) -> tuple[int, str, int]:
    return event.time_ns or 0, event.place.blob, event.place.line
