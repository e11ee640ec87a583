"""Everything about one id: finds its events in a store, by the index where there is one, else by a scan of the bytes.

A scan searches the blobs for the text of the id, which is as fast as they are read, and decodes only lines that have
it. A lookup that scans much of what is complete also writes the index of it, so that the next one does not scan. An id
is a correlation id, a row id (`{correlation id}_{number}`), an event id or a trace id. The x-request-id of a request is
none of them: a scan that finds nothing else has seen which correlation ids came with it, and these are found.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from .blobs.byte_ranges import ByteRange
from .blobs.dated_folder import is_closed
from .blobs.listing import collections_of, date_of
from .exceptions import StoreUnavailableError, UnknownNameError
from .found_id import FoundEvent, FoundId
from .progress import Progress
from .report import Place
from .spans import is_of_spans
from .window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from .blobs.listing import CollectionBlobs
    from .blobs.store_access import StoreAccess
    from .index.dropped_search import DroppedSearch
    from .index.id_search import IdSearch, Match
    from .index.index_file import Entry
    from .index.index_writer import IndexWriter
    from .index.store_index import StoreIndex

logger = logging.getLogger(__name__)

__all__ = ["find_id"]

_AN_ID: Final = "a correlation id, row id, event id, trace id or x-request-id"

_ALWAYS: Final = Window()
_LONGEST_LINE: Final = 64 << 20
_MOST_EVENTS: Final = 1000
_MOST_TRACES: Final = 20
_MOST_REQUESTS: Final = 20
"""With one x-request-id: a client that tries again sends the same one."""
_WORTH_BYTES: Final = 16 << 20
"""Less is scanned in some hundredths of a second, and gets no file of its own."""
_MOST_DAMAGED: Final = 5
"""Places of damaged lines in a message."""
_INDEXED_BYTES: Final = 16 << 20
"""Longer lines are not in the index: of a hostile one, each text could be an id."""
_SHOWN_BYTES: Final = 64 << 10
"""Of a line, for those who look at it."""
_LINE_BYTES: Final = 64 << 10
"""First read of a line whose position is known."""


def find_id(  # noqa: PLR0913 (most are keywords)
    store: StoreAccess,
    objects: Sequence[StoredObject],
    wanted: str,
    window: Window,
    *,
    index: bool = True,
    write: bool = True,
    near: Window = _ALWAYS,
    unknown: str | None = None,
) -> FoundId:
    """Search for an id.

    Args:
        store: has the blobs.
        objects: its listing.
        wanted: the id.
        window: only folders of this window are searched.
        index: whether to use the index, and to write it.
        write: whether the index may be written.
        near: when it happened, as far as it is known: of Parquet files only these row groups are searched.
        unknown: what the error says if nothing has the id; by default that, and what to do.

    Raises:
        UnknownNameError: no event has it, or none can.
        StoreUnavailableError: a blob cannot be read.
    """
    from .index.id_search import IdSearch  # noqa: PLC0415 (imported with the first lookup)
    from .index.parked_search import parked_note  # noqa: PLC0415 (likewise)
    from .index.store_index import StoreIndex  # noqa: PLC0415 (likewise)

    search = IdSearch(wanted)
    if not search.is_possible:
        raise UnknownNameError(f"expected {_AN_ID}, got {wanted!r:.200}: no event can have it")
    collections = collections_of(objects)
    blobs = {
        root: [ByteRange(one.name, 0, one.size) for one in found.within(window)] for root, found in collections.items()
    }
    dropped = _dropped(store, collections, window, near)
    if dropped is not None:
        blobs = {root: [*found, *dropped.ranges(root)] for root, found in blobs.items()}
    size = sum(blob.size for found in blobs.values() for blob in found)
    known = StoreIndex(
        store, objects if index else (), {blob.blob: blob.size for found in blobs.values() for blob in found}
    )
    lookup = _Lookup(store, known, collections, blobs, dropped)
    found = lookup.find(search, blobs, write=index and write)
    requests = [] if found else sorted(lookup.requests)[:_MOST_REQUESTS]
    for request in requests:
        places = {one.place for one in found}
        found += [one for one in lookup.find(IdSearch(request), blobs, write=False) if one.place not in places]
    spans = [root for root in blobs if is_of_spans(root)]
    for trace_id in sorted({one.trace_id for one in found} - {"", wanted})[:_MOST_TRACES]:
        places = {one.place for one in found}
        found += [one for one in lookup.find(IdSearch(trace_id), spans, write=False) if one.place not in places]
    parked = parked_note(store, objects, search, window, {one.event_id for one in found})
    if not found and parked:
        raise UnknownNameError(f"expected a stored event of {wanted!r:.200} in {store.shown}, got none: {parked}")
    if not found:
        cure = "correct the id" if window.is_open else "correct the id or the window"
        if index and lookup.scanned < size:
            cure += ", or search without the index, which has no x-request-id"
        damaged = f"; {', '.join(map(str, lookup.damaged))} has its text, and is damaged" if lookup.damaged else ""
        missing = f"{unknown}{damaged}" if unknown else f"no event has it{damaged}; {cure}"
        nothing = "there are no events to search in; correct the store or the window"
        raise UnknownNameError(
            f"expected {_AN_ID} of {store.shown}, got {wanted!r:.200}: " + (missing if size or unknown else nothing)
        )
    events = tuple(sorted(found, key=_order))
    return FoundId(
        id=wanted,
        events=events,
        scanned=lookup.scanned,
        size=size,
        notes=(
            *known.notes,
            *((_about_requests(wanted, requests, more=len(lookup.requests) > len(requests)),) if requests else ()),
            *(dropped.notes if dropped is not None else ()),
            *(f"expected an event, got a damaged line in {one}" for one in lookup.damaged),
            *((parked,) if parked else ()),
        ),
    )


def _about_requests(wanted: str, requests: Sequence[str], *, more: bool) -> str:
    others = " and others, which are not shown" if more else ""
    return f"{wanted!r:.200} is the x-request-id of {', '.join(map(repr, requests))}{others}"


class _Lookup:
    """Searches of one call, which share the listing and the index."""

    def __init__(
        self,
        store: StoreAccess,
        index: StoreIndex,
        collections: Mapping[str, CollectionBlobs],
        blobs: Mapping[str, Sequence[ByteRange]],
        dropped: DroppedSearch | None,
    ) -> None:
        self._store = store
        self._index = index
        self._collections = collections
        self._of_root = blobs
        self._dropped = dropped
        self._blobs = {blob.blob: blob for found in blobs.values() for blob in found}
        self._may_write = True
        self._scanned: set[ByteRange] = set()
        self.damaged: list[Place] = []
        self.requests: set[str] = set()
        """The correlation ids of requests whose x-request-id is the text that is searched."""

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
            if self._is_dropped(part.blob):
                continue
            root = root_of[part.blob]
            into = writer if is_closed(date_of(part.blob)) else None
            for place, line in self._lines_with(search, part, into, progress, in_rows=names_ids_in_rows(root)):
                if (match := search.match(line, root)) is not None:
                    found.append(self._event(match, root, place, line))
                elif request := search.request_in(line):
                    if len(self.requests) <= _MOST_REQUESTS:  # one more says that there are more
                        self.requests.add(request)
                elif len(self.damaged) < _MOST_DAMAGED and search.is_damaged(line) and place not in self.damaged:
                    self.damaged.append(place)
        found += self._in_dropped(search, parts, root_of, writer)
        if writer is not None:
            self._put(writer.finish())
        return found[:_MOST_EVENTS]

    def _is_dropped(self, blob: str) -> bool:
        return self._dropped is not None and blob in self._dropped

    def _in_dropped(
        self, search: IdSearch, parts: Sequence[ByteRange], root_of: Mapping[str, str], writer: IndexWriter | None
    ) -> list[FoundEvent]:
        """The events in blobs that are in Parquet files only, and that the index does not cover."""
        blobs = sorted({part.blob for part in parts if self._is_dropped(part.blob)})
        found: list[FoundEvent] = []
        if self._dropped is None or not blobs:
            return found
        for place, line, files in self._dropped.found(search, blobs, writer):
            self._put(files)
            if place is not None and (match := search.match(line, root_of[place.blob])) is not None:
                found.append(self._event(match, root_of[place.blob], place, line))
                if len(found) >= _MOST_EVENTS:
                    break
        return found

    def _by_index(self, search: IdSearch, root_of: Mapping[str, str]) -> list[FoundEvent]:
        """The events at the places that the index has; a file with a wrong place is used no more."""
        by_place: dict[tuple[str, int], tuple[str, Entry]] = {}
        for name, entry in self._index.entries(search.hashes, root_of):
            blob = self._blobs.get(entry.blob)
            if blob is not None and entry.blob in root_of and entry.end <= blob.end:
                by_place.setdefault((entry.blob, entry.start), (name, entry))
        entries = [by_place[place] for place in sorted(by_place)][:_MOST_EVENTS]
        found: list[tuple[str, FoundEvent]] = []
        for (name, entry), line in zip(entries, self._lines_of([entry for _, entry in entries]), strict=True):
            root = root_of[entry.blob]
            if line is None or not search.is_in(line, root):
                self._index.leave_out(name, f"it leads to {entry.blob}, line {entry.line}, which has not the id")
            elif (match := search.match(line, root)) is not None:
                found.append((name, self._event(match, root, Place(blob=entry.blob, line=entry.line), line)))
        return [event for name, event in found if self._index.has(name)]

    def _lines_of(self, entries: Sequence[Entry]) -> Iterator[bytes | None]:
        """The line at each entry, also of blobs that are in Parquet files only."""
        places = [(one.blob, one.line) for one in entries if self._is_dropped(one.blob)]
        dropped = self._dropped.lines_at(places) if self._dropped is not None and places else {}
        others = self._lines_at([one for one in entries if not self._is_dropped(one.blob)])
        for one in entries:
            yield dropped.get((one.blob, one.line)) if self._is_dropped(one.blob) else next(others)

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

    def _event(self, match: Match, root: str, place: Place, line: bytes) -> FoundEvent:
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
            content_type=envelope.datacontenttype,
            line=line[:_SHOWN_BYTES],
        )


def _dropped(
    store: StoreAccess, collections: Mapping[str, CollectionBlobs], window: Window, near: Window
) -> DroppedSearch | None:
    """What is in Parquet files only; None if nothing is compacted."""
    if not any(one.compacted for one in collections.values()):
        return None
    from .index.dropped_search import DroppedSearch  # noqa: PLC0415 (imports pyarrow)

    return DroppedSearch(store, collections, window, near)


def _writer(parts: Sequence[ByteRange]) -> IndexWriter | None:
    if sum(part.size for part in parts if is_closed(date_of(part.blob))) < _WORTH_BYTES:
        return None
    from .index.index_writer import IndexWriter  # noqa: PLC0415 (only where an index is written)

    return IndexWriter()


def _order(event: FoundEvent) -> tuple[int, str, int]:
    return event.time_ns or 0, event.place.blob, event.place.line
