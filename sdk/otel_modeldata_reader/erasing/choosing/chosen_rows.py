"""From a condition or from ids to the rows that are erased.

A condition is about rows of one collection; the same rows of other collections have the same row ids. That holds while
a correlation id is that of one request. So it is checked here: if an event that was not chosen has the row id of a
chosen row, too, nothing is erased before somebody says what is meant.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ...exceptions import ReaderError
from ...index.line_ids import id_of_row, plain_id, span_ids_of
from ...lines.envelope import decode_line
from ...lines.erased_rows import ranges_of, united
from ...lines.event_stream import event_batches
from ...lines.known_ids import NoIds
from ...lines.payloads import Payloads
from ...lines.tally import Tally
from ...reading import Reading, Request
from ...rows.stored_columns import BLOB
from ...window import window_of
from ..rewriting.compacted_rows import dropped_blobs, manifests_of, row_groups
from ..rewriting.line_keys import keys_of, members_of
from .edited_folders import edited_folders
from .selection import ALL_ROWS, Selection, covers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ...blobs.listing import CollectionBlobs
    from ...blobs.store_access import StoreAccess
    from ...lines.erased_rows import RowRanges
    from .request import EraseRequest

__all__ = ["Chosen", "choose_by_condition", "choose_by_ids"]

_MOST_ROWS: Final = 2_000_000
"""Their ids are in memory: about 300 MB."""
_COLUMNS: Final = ("row_id", "correlationid", "event_id", "traceparent")
_rows: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen.

    Attributes:
        selection: the rows.
        rows: how many rows a condition chose.
        of: of how many.
        unidentified: chosen rows whose line has no id by which they can be erased, so that they stay.
        unread: lines that could not be read, so that no condition is true for them.
        distrusted: folders whose Parquet files cannot be read, so that no condition is true for what only they have.
        undecided: records in quarantine, and payloads without a line, of which it is not known whether they have rows
            that are meant.
        unfound: given ids that no event has.
        shared: how many rows that were not chosen have the row id of a chosen one.
        repeated: how many rows that were not chosen have the event id and the number of a chosen one.
        later: chosen rows that came while others were erased, so that they stay.
        ambiguous: given ids that mean several things, such as a request and a row of another one.
    """

    selection: Selection
    rows: int = 0
    of: int = 0
    unidentified: int = 0
    unread: int = 0
    distrusted: int = 0
    undecided: int = 0
    unfound: tuple[str, ...] = ()
    shared: int = 0
    repeated: int = 0
    ambiguous: tuple[str, ...] = ()
    later: int = 0


class _Event(NamedTuple):
    """An event of the collection: its ids, and the numbers of its rows that are not erased, if they can be read."""

    id: str | None
    correlation_id: str | None
    trace_id: str
    present: RowRanges
    is_known: bool = True


def choose_by_condition(store: StoreAccess, collection: CollectionBlobs, request: EraseRequest) -> Chosen:
    """The rows for which a condition is true, of the collection that the request names.

    Raises:
        ReaderError: it is no condition, or is true for more rows than fit into memory.
    """
    by_event: defaultdict[tuple[str | None, str | None], list[tuple[int, int]]] = defaultdict(list)
    traces: set[str] = set()
    reading = _read(store, _every_line(store, collection), request, by_event, traces)
    rows = sum(len(found) for found in by_event.values())
    in_edited: defaultdict[tuple[str | None, str | None], list[tuple[int, int]]] = defaultdict(list)
    edited = edited_folders(store, collection, request.window)
    for side in edited.sides:
        _read(store, side, request, in_edited, traces)
    more = 0
    for key, numbers in in_edited.items():
        new = set(numbers).difference(by_event[key])
        by_event[key].extend(new)
        more += len(new)
    report = reading.report
    unidentified = sum(len(found) for key, found in by_event.items() if not any(key))
    by_event.pop((None, None), None)
    if request.only:  # a correlation id may be that of rows which were not chosen
        nameless = {key: len(found) for key, found in by_event.items() if not key[0]}
        unidentified += sum(nameless.values())
        for key in nameless:
            del by_event[key]
    return _completed(
        store,
        collection,
        Chosen(
            selection=_selection({key: united(found) for key, found in by_event.items()}, traces, collection.root),
            rows=rows + more,
            of=report.rows + more,
            unidentified=unidentified,
            unread=report.torn + report.foreign + report.missing_payloads,
            distrusted=max(0, report.distrusted - edited.noticed),
        ),
        only=request.only,
    )


def _read(
    store: StoreAccess,
    collection: CollectionBlobs,
    request: EraseRequest,
    by_event: defaultdict[tuple[str | None, str | None], list[tuple[int, int]]],
    traces: set[str],
) -> Reading:
    """Add the rows for which the condition is true, by the ids of their events."""
    reading = Reading(
        store,
        Request(
            collection=collection,
            window=request.window,
            columns=_COLUMNS,
            where=request.where,
            envelope=True,
            repeated=True,
        ),
    )
    rows = 0
    for batch in reading.batches():
        rows += batch.num_rows
        if rows > _MOST_ROWS:
            raise ReaderError(
                f"expected at most {_MOST_ROWS:,} rows for which the condition is true, got more: erase them in "
                "several runs, with since and until"
            )
        columns = (batch.column(name).to_pylist() for name in _COLUMNS)
        for row_id, correlation_id, event_id, parent in zip(*columns, strict=True):
            number = int(row_id.rpartition("_")[2])
            by_event[event_id, correlation_id].append((number, number))
            if parent and len(parts := parent.split("-")) >= 4:
                traces.add(parts[1])
    return reading


def _every_line(store: StoreAccess, collection: CollectionBlobs) -> CollectionBlobs:
    """A collection of which the lines are read, where Parquet files leave out some because of their ids."""
    if not collection.compacted:
        return collection
    there = {blob.name for blob in collection.blobs}
    better = {
        one.date
        for one in manifests_of(store, collection)
        if one.counts.duplicates and not dropped_blobs(one) and there.issuperset(blob.name for blob in one.blobs)
    }
    return replace(
        collection, compacted={date: files for date, files in collection.compacted.items() if date not in better}
    )


def _selection(
    by_event: Mapping[tuple[str | None, str | None], RowRanges], traces: Iterable[str], root: str
) -> Selection:
    rows: dict[str, RowRanges] = {}
    events: dict[str, RowRanges] = {}
    for (event_id, correlation_id), ranges in by_event.items():
        if event_id:
            events[event_id] = united((*events.get(event_id, ()), *ranges))
        if correlation_id is not None:
            rows[correlation_id] = united((*rows.get(correlation_id, ()), *ranges))
    return Selection(rows=rows, events=events, span_traces=frozenset(traces), exact=frozenset({root}))


def _completed(store: StoreAccess, collection: CollectionBlobs, chosen: Chosen, *, only: bool) -> Chosen:
    """What was chosen, with the requests of which every row is; and how many other rows have the same row ids."""
    selection = chosen.selection
    if selection.is_empty:
        return chosen
    partial: set[str] = set()
    partial_events: set[str | None] = set()
    shared = covered = 0
    for event in _events(store, collection):
        corr = event.correlation_id
        own = selection.events.get(event.id, ()) if event.id else selection.rows.get(corr or "", ())
        covered += sum(covers(own, row, row) for first, last in event.present for row in range(first, last + 1))
        if event.id in selection.events and not (
            event.is_known and all(covers(own, *ranges) for ranges in event.present)
        ):
            partial_events.add(event.id)
        if corr is None or corr not in selection.rows:
            continue
        others = [row for first, last in event.present for row in range(first, last + 1) if not covers(own, row, row)]
        if others or not event.is_known:
            partial.add(corr)
            shared += sum(covers(selection.rows[corr], row, row) for row in others)
    whole = frozenset(selection.rows).difference(partial)
    events = {
        event_id: ranges if event_id in partial_events else ALL_ROWS for event_id, ranges in selection.events.items()
    }
    selection = msgspec.structs.replace(selection, requests=whole, events=events)
    if only:  # neither rows of other collections, nor those that share an id
        selection = msgspec.structs.replace(selection, rows={}, requests=frozenset(), span_traces=frozenset())
        shared = 0
    return Chosen(
        selection=selection,
        rows=chosen.rows,
        of=chosen.of,
        unidentified=chosen.unidentified,
        unread=chosen.unread,
        distrusted=chosen.distrusted,
        shared=shared,
        # The condition was evaluated for each row of each line, so what is more are rows for which it is not true.
        repeated=max(0, covered - (chosen.rows - chosen.unidentified)),
    )


def choose_by_ids(store: StoreAccess, collections: Iterable[CollectionBlobs], request: EraseRequest) -> Chosen:
    """Everything about some ids.

    A correlation id chooses its request, a trace id the requests of its events, a row id that row of each event, and
    an event id the rows of the event, in all collections.
    """
    wanted = [plain_id(one) for one in request.ids]
    rows: dict[str, RowRanges] = {}
    for one in wanted:
        if (row := id_of_row(one)) is not None:
            rows[row[0]] = united((*rows.get(row[0], ()), (row[1], row[1])))
    selection = Selection(
        rows=rows,
        requests=frozenset(wanted),
        events=dict.fromkeys(wanted, ALL_ROWS),
        traces=frozenset(wanted),
        span_traces=frozenset(),
    )
    collections = [one for one in collections if not request.only or one.root == request.scope]
    named = frozenset(wanted)
    found: dict[str, RowRanges] = {}
    requests: set[str] = set()
    traces: set[str] = set()
    meanings = _Meanings(wanted)
    for collection in collections:
        for event in _events(store, collection):
            meanings.see(event)
            is_named = not named.isdisjoint({event.id, event.correlation_id, event.trace_id})
            if event.trace_id and (is_named or event.correlation_id in rows):
                traces.add(event.trace_id)
            if event.correlation_id is None or event.correlation_id in named:
                continue
            if event.trace_id in named:
                requests.add(event.correlation_id)
            elif event.id in named and event.present:  # none of an empty frame, and of a payload that cannot be read
                found[event.correlation_id] = united((*found.get(event.correlation_id, ()), *event.present))
    chosen = Chosen(selection=selection, ambiguous=meanings.ambiguous, unfound=meanings.unfound)
    if request.only:
        return chosen
    more = Selection(rows=found, requests=frozenset(requests), span_traces=frozenset(traces))
    shared = 0 if more.is_empty else sum(_shared(store, one, selection, more) for one in collections)
    return replace(chosen, selection=selection.merged(more), shared=shared)


class _Meanings:
    """What given ids are ids of: one may be a request, and a row or an event of another one."""

    def __init__(self, wanted: Iterable[str]) -> None:
        self._found: dict[str, set[str]] = {one: set() for one in wanted}
        self._rows: dict[str, list[tuple[int, str]]] = {}
        for one in self._found:
            if (row := id_of_row(one)) is not None:
                self._rows.setdefault(row[0], []).append((row[1], one))

    def see(self, event: _Event) -> None:
        """Take in what an event says."""
        corr = event.correlation_id
        if corr in self._found:
            self._found[corr].add("request")
        elif event.id in self._found:
            self._found[event.id].add("event")
        if event.trace_id in self._found:
            self._found[event.trace_id].add("trace")
        for number, one in self._rows.get(corr or "", ()):
            if any(first <= number <= last for first, last in event.present):
                self._found[one].add("row")

    @property
    def unfound(self) -> tuple[str, ...]:
        """The ids that no event has."""
        return tuple(one for one, found in self._found.items() if not found)

    @property
    def ambiguous(self) -> tuple[str, ...]:
        """The ids that mean several things; a trace is that of its requests."""
        return tuple(
            one for one, found in self._found.items() if len(found - {"trace"}) > 1 or found >= {"row", "trace"}
        )


def _shared(store: StoreAccess, collection: CollectionBlobs, named: Selection, more: Selection) -> int:
    """How many events of a collection with a named one have a correlation id that follows from that, but are others."""
    own: set[str] = set()
    others: dict[str, int] = {}
    for event in _events(store, collection):
        corr = event.correlation_id
        if corr is None or not (corr in more.rows or corr in more.requests):
            continue
        if event.id in named.events or event.trace_id in named.traces:
            own.add(corr)
        else:
            others[corr] = others.get(corr, 0) + 1
    return sum(count for corr, count in others.items() if corr in own)


def _events(store: StoreAccess, collection: CollectionBlobs) -> Iterator[_Event]:
    """The events of a collection: those of its lines, then those of Parquet files whose lines are dropped."""
    payloads = Payloads(store, collection.objects)
    everything = window_of(None, None)
    manifests = list(manifests_of(store, collection))
    dropped = frozenset[str]().union(*map(dropped_blobs, manifests))
    reused = {one.name for manifest in manifests for one in manifest.blobs if not one.dropped and one.name in dropped}
    in_lines: set[str | None] = set()
    """The ids of events in blobs that have the names of dropped ones: the files do not say which of the two it is."""
    for events in event_batches(store, collection.blobs, everything, Tally(strict=False), ids=NoIds()):
        for one, blob in zip(events.envelopes, events.blobs, strict=True):
            if blob in reused and one.id:
                in_lines.add(one.id)
            data = payloads.read(one, blob) if one.dataref is not None else bytes(one.data)
            trace_id = span_ids_of(one.traceparent)[0]
            present = _present(data, one.erasedrows)
            yield _Event(one.id, one.correlationid, trace_id, present, is_known=data is not None)
    for manifest in manifests:
        for group in row_groups(store, manifest):
            if group.part.kind == "rows":
                for found in group.events():
                    if found.id not in in_lines:
                        yield _Event(found.id, found.correlation_id, found.trace_id, found.numbers)
                continue
            for line, name in zip(group.lines(), group.table[BLOB].to_pylist(), strict=True):
                keys, envelope = keys_of(members_of(line) or {}), decode_line(line)
                if (keys.id or None) in in_lines:
                    continue
                is_elsewhere = envelope is not None and envelope.dataref is not None
                content = payloads.read(envelope, name) if envelope is not None and is_elsewhere else keys.data
                present = _present(content, keys.erased)
                yield _Event(keys.id or None, keys.correlation_id, keys.trace_id, present, is_known=content is not None)


def _present(data: bytes | None, erased: str | None) -> RowRanges:
    """The numbers of the rows of an event that are not erased; a payload that is no list is row 0."""
    try:
        count = len(_rows.decode(data or b"[]"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        count = 1
    found: list[tuple[int, int]] = []
    start = 0
    for first, last in ranges_of(erased):
        found.append((start, min(first, count) - 1))
        start = last + 1
    found.append((start, count - 1))
    return united(found)
