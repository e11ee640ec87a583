"""From the events of lines to the tables of Parquet files: rows in their types, and events that are kept as JSON.

Rows are taken as a reading takes them: by the types that their lines say. What has no types, or has others, what is no
rows, and what is an object of its own stays JSON, and is read as a line is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..blobs.listing import hours_of
from ..compacted.content_digest import content_digest
from ..lines.event_time import NO_TIME
from ..lines.tally import Tally
from ..rows.column_types import MISMATCH, ColumnTypes
from ..rows.envelope_columns import ENVELOPE, envelope_columns
from ..rows.inferred import InferredRows
from ..rows.plain_texts import texts_in_rows, texts_of_values
from ..rows.row_tables import PAYLOAD_TYPES, is_tabular, is_too_wide, runs_of
from ..rows.stored_columns import (
    BLOB,
    DATA,
    EVENT,
    LINE,
    ORIGIN,
    ROW,
    own_schema,
    restored,
    storage_type,
    stored_names,
    text_name,
)
from ..rows.typed import TypedRows
from ..window import held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..lines.envelope import Envelope
    from ..lines.event_stream import Events

__all__ = ["EVENTS_SCHEMA", "GroupTable", "group_tables"]

_MARK: Final = b"\xef\xbb\xbf"
_KEPT_KEYS: Final = ("correlationid", "time", "traceparent", "event_id")
EVENTS_SCHEMA: Final = pa.schema(
    [
        *(ENVELOPE.field(name) for name in _KEPT_KEYS),
        *(ORIGIN.field(name) for name in (BLOB, LINE, EVENT)),
        (DATA, pa.string()),
    ]
)
"""The columns of a file of events."""
_MOST_ROWS: Final = 1 << 20
"""Of a table; an event of more rows stays JSON."""
_event: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NOT_STORED: Final = (*MISMATCH, pa.ArrowException, OSError, OverflowError)
"""What Arrow raises for columns that Parquet does not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """Some rows or events for a row group of a Parquet file.

    Attributes:
        kind: as `compacted.manifest.Part` has it.
        types: likewise.
        columns: likewise.
        table: the columns of the file.
        events: how many events.
        first: the earliest time of an event, in nanoseconds since the epoch.
        last: the latest one.
        misplaced: events whose time is that of another folder.
        size: bytes of their lines.
    """

    kind: Literal["rows", "events"]
    types: str
    columns: tuple[str, ...]
    table: pa.Table
    events: int
    first: int
    last: int
    misplaced: int
    size: int


def group_tables(
    events: Events,
    names: tuple[str, str, str] | None,
    date: str,
    has_room: Callable[[str, Sequence[str]], bool] = lambda _types, _columns: True,
) -> Iterator[GroupTable]:
    """The tables of some events of a folder, in the order in which a reading has their rows.

    Args:
        events: with their lines.
        names: endpoint, deployment and collection, where the folder names them.
        date: the span of time, as the folder has it.
        has_room: whether there may be a file for rows with these types and own columns; else they stay JSON.
    """
    start, end = hours_of(date)
    maker = _Maker(names, held(start), held(end), has_room)
    for types, indices in runs_of([_types_of(one) for one in events.envelopes]):
        chosen = events if len(indices) == len(events.envelopes) else events.chosen(indices)
        yield from maker.rows(chosen, types) if types is not None else [maker.events(chosen)]


def _types_of(envelope: Envelope) -> str | None:
    """The types of rows that are in the line; None for everything else."""
    is_elsewhere = envelope.dataref is not None or envelope.datainblob is not None
    if is_elsewhere or envelope.type in PAYLOAD_TYPES or envelope.erasedrows is not None:
        return None
    return envelope.datatypes if envelope.datatypes and is_tabular(bytes(envelope.data)) else None


class _KeptAsEvents:
    """Stands for the inference of rows whose lines say no types, or others: they stay JSON."""

    def __init__(self) -> None:
        self.columns = ColumnTypes()
        self.codes: dict[str, dict[str, None]] = {}

    def rows(self, events: Events, payloads: Sequence[bytes]) -> Iterator[InferredRows]:
        yield InferredRows(events, [0] * len(payloads), pa.table({}))


class _Maker:
    def __init__(
        self,
        names: tuple[str, str, str] | None,
        start: int,
        end: int,
        has_room: Callable[[str, Sequence[str]], bool],
    ) -> None:
        self._names = names
        self._has_room = has_room
        self._start = start
        self._end = end

    def events(self, events: Events) -> GroupTable:
        counts = [1] * len(events.envelopes)
        columns = envelope_columns(events, counts, self._names, _KEPT_KEYS)
        datas = [bytes(one.data).decode() if one.data else None for one in events.envelopes]
        columns |= {
            BLOB: pa.array(events.blobs, pa.string()),
            LINE: pa.array(events.numbers, pa.int64()),
            EVENT: pa.array(_without_data(events), pa.string()),
            DATA: pa.array(datas, pa.string()),
        }
        table = pa.table([columns[name] for name in EVENTS_SCHEMA.names], schema=EVENTS_SCHEMA)
        return self._group(events, "events", "", (), table)

    def rows(self, events: Events, types: str) -> Iterator[GroupTable]:
        as_events: Any = _KeptAsEvents()
        typed = TypedRows(Tally(strict=False), as_events)
        payloads = [one.data for one in events.envelopes]
        flat = typed.flat(events, payloads, types)
        for found in [flat] if flat is not None else typed.rows(events, list(map(bytes, payloads)), types):
            pairs = zip(found.events.envelopes, found.counts, strict=True)
            is_row = np.array([count > 0 and not is_too_wide(one, count) for one, count in pairs], np.bool_)
            is_table = found.table.num_columns and is_row.any() and found.table.num_rows <= _MOST_ROWS
            if not is_table or not self._has_room(types, found.table.column_names):
                yield self.events(found.events)
                continue
            kept = found if is_row.all() else _some(found, is_row)
            yield self._typed(kept, types) or self.events(kept.events)
            if kept is not found:
                yield self.events(found.events.chosen(np.flatnonzero(~is_row).tolist()))

    def _typed(self, found: InferredRows, types: str) -> GroupTable | None:
        """The rows of events in their types; None if Parquet does not give them back."""
        columns = tuple(found.table.column_names)
        names = stored_names(columns)
        own = _in_own_types(found.table, types, columns)
        fields: dict[str, Any] = envelope_columns(found.events, found.counts, self._names, ENVELOPE.names)
        fields |= _origin(found)
        schema = [*ENVELOPE, *ORIGIN]
        for name, stored in zip(columns, names, strict=True):
            kind = storage_type(own.schema.field(name).type)
            if kind is None:
                return None
            fields[stored] = _decoded(own[name]) if own[name].type != kind else own[name]
            if fields[stored].type != kind:
                fields[stored] = fields[stored].cast(kind)
            schema.append(pa.field(stored, kind))
        texts = texts_in_rows([bytes(one.data) for one in found.events.envelopes], columns)
        for name, stored in zip(columns, names, strict=True):
            made = texts_of_values(own[name])
            if made is None or not _chunked(made).equals(_chunked(texts[name])):
                extra = text_name(stored, columns)
                fields[extra] = texts[name]
                schema.append(pa.field(extra, pa.string()))
        table = pa.table([fields[field.name] for field in schema], schema=pa.schema(schema))
        if not _comes_back(table, own, names):
            return None
        return self._group(found.events, "rows", types, columns, table)

    def _group(
        self, events: Events, kind: Literal["rows", "events"], types: str, columns: tuple[str, ...], table: pa.Table
    ) -> GroupTable:
        times = np.where(events.times == NO_TIME, self._start, events.times)
        return GroupTable(
            kind=kind,
            types=types,
            columns=columns,
            table=table,
            events=len(events.envelopes),
            first=int(times.min()),
            last=int(times.max()),
            misplaced=int(np.count_nonzero((times < self._start) | (times >= self._end))),
            size=sum(map(len, events.texts)),
        )


def _some(rows: InferredRows, is_kept: Any) -> InferredRows:
    counts = [count for count, kept in zip(rows.counts, is_kept.tolist(), strict=True) if kept]
    table = rows.table.filter(pa.array(np.repeat(is_kept, rows.counts)))
    return InferredRows(rows.events.chosen(np.flatnonzero(is_kept).tolist()), counts, table)


def _in_own_types(table: pa.Table, types: str, columns: tuple[str, ...]) -> pa.Table:
    """The columns in the types that their lines say: objects that are all missing have none so far."""
    schema = own_schema(types, columns)
    return pa.table(
        [
            pa.nulls(len(column), field.type) if pa.types.is_null(column.type) and column.type != field.type else column
            for field, column in zip(schema, table.columns, strict=True)
        ],
        schema=schema,
    )


def _origin(found: InferredRows) -> dict[str, Any]:
    events, counts = found.events, found.counts
    ends = np.cumsum(counts)
    rows = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
    index = pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))
    at_first = pa.array(np.repeat(np.arange(len(counts), dtype=np.int32), counts), mask=rows != 0)
    return {
        BLOB: pa.array(events.blobs, pa.string()).take(index),
        LINE: pa.array(events.numbers, pa.int64()).take(index),
        ROW: pa.array(rows, pa.int32()),
        EVENT: pa.array(_without_data(events), pa.string()).take(at_first),
    }


def _without_data(events: Events) -> list[str]:
    """The JSON of each line without its `data`."""
    found = []
    for one, text, number in zip(events.envelopes, events.texts, events.numbers, strict=True):
        try:
            keys: dict[str, Any] = _event.decode(text.removeprefix(_MARK) if number == 1 else text)
        except (msgspec.DecodeError, UnicodeDecodeError):  # a key of another writer that is no text of Unicode
            keys = {name: value for name, value in msgspec.structs.asdict(one).items() if value is not None}
        keys.pop(DATA, None)
        found.append(msgspec.json.encode(keys).decode())
    return found


def _decoded(column: Any) -> Any:
    """The plain values of a column."""
    if pa.types.is_dictionary(column.type):
        return pa.chunked_array([chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type)
    return column


def _chunked(column: Any) -> Any:
    return column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])


def _comes_back(table: pa.Table, own: pa.Table, names: Sequence[str]) -> bool:
    """Whether Parquet gives the own columns back; known for simple types."""
    plain = [field for field in own.schema if _is_plain(field.type)]
    if len(plain) == own.num_columns:
        return True
    try:
        sink = pa.BufferOutputStream()
        pq.write_table(table.select(list(names)), sink)
        back = pq.read_table(pa.BufferReader(sink.getvalue()))
        codes = [field.metadata[b"modeldata.type"].decode() for field in own.schema]
        columns = [
            restored(back[name], field, code) for name, field, code in zip(names, own.schema, codes, strict=True)
        ]
        return content_digest(pa.table(columns, schema=own.schema)) == content_digest(own)
    except (ValueError, *_NOT_STORED):
        return False


def _is_plain(kind: Any) -> bool:
    kinds = pa.types
    if kinds.is_dictionary(kind):
        return bool(kinds.is_string(kind.value_type))
    is_number = kinds.is_integer(kind) or kinds.is_float32(kind) or kinds.is_float64(kind)
    return bool(is_number or kinds.is_boolean(kind) or kinds.is_string(kind) or kinds.is_null(kind))
