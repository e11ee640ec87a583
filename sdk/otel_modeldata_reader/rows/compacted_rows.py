"""The rows of a compacted folder, as its lines would give them: the same columns, types, order and counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..blobs.listing import hours_of
from ..compacted.part_file import DamagedPartError, PartFile
from ..lines.envelope import decode_line
from ..lines.event_stream import Events, selected
from ..lines.event_time import times_of
from ..report import Place
from ..types import RowsMismatchError, TypesError, parse
from ..window import held
from .column_types import MISMATCH
from .envelope_columns import ENVELOPE
from .plain_texts import texts_of_values
from .row_tables import Part
from .stored_columns import BLOB, DATA, EVENT, LINE, ORIGIN, restored, stored_names, text_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from ..blobs.store_access import StoreAccess
    from ..compacted.manifest import Manifest, RowGroup
    from ..compacted.manifest import Part as PartEntry
    from ..lines.known_ids import KnownIds
    from ..lines.tally import Tally
    from ..window import Window
    from .column_types import ColumnTypes
    from .row_tables import RowTables
    from .typed import TypedRows

__all__ = ["CompactedRows", "events_of", "line_of", "logical_table", "own_columns", "places_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactedRows:
    """Reads the rows of compacted folders.

    Attributes:
        store: has them.
        window: only events of this window.
        tally: the counts.
        ids: of the events that were read before.
        tables: reads events that are kept as lines.
        typed: notes the types of columns.
        columns: what is known about them.
        wanted: says whether a column of the result is needed; None means all.
        without: lines whose rows are left out, without being counted: the blob, and the number of the line.
        limits: of some blobs, how many lines are read; the rows of later ones are left out likewise.
    """

    store: StoreAccess
    window: Window
    tally: Tally
    ids: KnownIds
    tables: RowTables
    typed: TypedRows
    columns: ColumnTypes
    wanted: Callable[[str], bool] | None = None
    without: Collection[tuple[str, int]] = ()
    limits: Mapping[str, int] | None = None

    def file(self, manifest: Manifest, part: PartEntry, sizes: Mapping[str, int]) -> PartFile:
        """A file of a folder.

        Args:
            manifest: of the folder.
            part: what it says of the file.
            sizes: of the objects in the folder by name, as they were listed.

        Raises:
            DamagedPartError: the file is not what the manifest says.
            StoreUnavailableError: the file cannot be read.
        """
        if (size := sizes.get(part.name)) != part.size:
            found = "none" if size is None else f"{size:,} bytes"
            raise DamagedPartError(f"expected {part.size:,} bytes in {manifest.part_name(part)}, got {found}")
        return PartFile.opened(self.store, manifest, part)

    def group(self, file: PartFile, number: int, date: str) -> Iterator[Part]:
        """The rows of a row group, in the order of their lines. The first one comes when the whole group was read.

        Raises:
            DamagedPartError: the file is not what the manifest says.
            StoreUnavailableError: the file cannot be read.
        """
        group = file.part.groups[number]
        if not self._overlaps(group):
            self.tally.add("outside", group.events)
            self.tally.add("misplaced", group.misplaced)
        elif file.part.kind == "rows":
            yield from self._rows(file, number, date)
        else:
            events = events_of(file, number)
            if self.without or self.limits:
                events = events.chosen([index for index, one in enumerate(_places(events)) if self._is_read(one)])
            events = selected(events, self.window, self.ids, self.tally)
            if events.envelopes:
                yield from self.tables.parts(events)

    def _is_read(self, place: tuple[str, int]) -> bool:
        blob, line = place
        return place not in self.without and (not self.limits or line <= self.limits.get(blob, line))

    def _overlaps(self, group: RowGroup) -> bool:
        return self.window.overlaps(group.first, group.last + 1)

    def _rows(self, file: PartFile, number: int, date: str) -> Iterator[Part]:
        part, group = file.part, file.part.groups[number]
        names = self._wanted_columns(part)
        mixed = self.columns.mixed.intersection(names)
        stored = dict(zip(part.columns, stored_names(part.columns), strict=True))
        texts = {name: text_name(stored[name], part.columns) for name in mixed}
        wanted = [name for name in ENVELOPE.names if self._is_wanted(name)] if self.tables.envelope else []
        envelope = [name for name in wanted if name not in self._of_folder]
        table = file.read(
            number, {BLOB, LINE, "time", "event_id", *envelope, *(stored[name] for name in names), *texts.values()}
        )
        _check(table, {BLOB, LINE, "time", "event_id", *envelope, *(stored[name] for name in names)}, file)
        own = own_columns(table, part, names, file.name)  # before anything is counted: it may be damaged
        starts = _starts(table, group)
        if self.without or self.limits:
            places = zip(table[BLOB].take(starts).to_pylist(), table[LINE].take(starts).to_pylist(), strict=True)
            others = np.array([self._is_read(place) for place in places], np.bool_)
            table, own = _of_events(table, own, starts, others)
            starts = _starts(table, None)
        self.tally.add("misplaced", group.misplaced)
        kept = self._kept(table, starts, date)
        if kept is not None:
            table, own = _of_events(table, own, starts, kept)
            starts = _starts(table, None)
        if not len(starts):
            return
        self.tally.add("lines", len(starts))
        self.tally.add("rows", table.num_rows)
        found = {
            name: table[column] if column in table.column_names else texts_of_values(own[name])
            for name, column in texts.items()
        }
        place = Place(blob=table[BLOB][0].as_py(), line=table[LINE][0].as_py())
        codes = dict(zip(part.columns, parse(part.types).codes, strict=True))
        own = self.typed.stored(own, codes, found, place)
        yield Part(self._envelope(table, wanted) if self.tables.envelope else {}, own)

    def _kept(self, table: pa.Table, starts: Any, date: str) -> Any:
        """Which events are inside of the window and new, as an array of truths; None if all are."""
        kept = None
        if not self.window.is_open:
            first, last = self.window.bounds
            times = table["time"].take(starts).cast(pa.int64()).fill_null(held(hours_of(date)[0])).to_numpy()
            inside = (times >= first) & (times < last)
            if not inside.all():
                self.tally.add("outside", int(len(inside) - inside.sum()))
                kept, starts = inside, starts[inside]
        ids = table["event_id"].take(starts).to_pylist()
        given = list(filter(None, ids))
        if self.ids.are_new(given):
            return kept
        named = [index for index, one in enumerate(ids) if one]
        is_new = np.ones(len(ids), np.bool_)
        is_new[named] = self.ids.new_ones(given)
        for index in np.flatnonzero(~is_new).tolist():
            row = int(starts[index])
            place = Place(blob=table[BLOB][row].as_py(), line=table[LINE][row].as_py())
            self.tally.skip("duplicates", place, f"expected each id once, got {ids[index]!r} again")
        if kept is None:
            return is_new
        every = kept.copy()
        every[np.flatnonzero(kept)] = is_new
        return every

    def _envelope(self, table: pa.Table, wanted: Sequence[str]) -> Mapping[str, Any]:
        repeated = self._of_folder
        found: dict[str, Any] = {}
        for field in ENVELOPE:
            if field.name not in wanted:
                found[field.name] = pa.nulls(table.num_rows, field.type)
            elif field.name in repeated:
                found[field.name] = pa.repeat(pa.scalar(repeated[field.name], pa.string()), table.num_rows)
            else:
                found[field.name] = table[field.name]
        return found

    @property
    def _of_folder(self) -> Mapping[str, str]:
        """The columns of the envelope that the folder says, and their values."""
        names = self.tables.names
        return {} if names is None else dict(zip(("endpoint", "deployment", "collection"), names, strict=True))

    def _wanted_columns(self, part: PartEntry) -> list[str]:
        if self.wanted is None:
            return list(part.columns)
        return [name for name in part.columns if self._is_wanted(name) or name in ENVELOPE.names]

    def _is_wanted(self, name: str) -> bool:
        return self.wanted is None or self.wanted(name)


def _of_events(table: pa.Table, own: pa.Table, starts: Any, kept: Any) -> tuple[pa.Table, pa.Table]:
    """The rows of some events: those that are true in `kept`."""
    is_row = pa.array(np.repeat(kept, np.diff([*starts, table.num_rows])))
    return table.filter(is_row), own.filter(is_row) if own.num_columns else own


def _places(events: Events) -> Iterator[tuple[str, int]]:
    return zip(events.blobs, events.numbers, strict=True)


def logical_table(table: pa.Table, part: PartEntry, file: str) -> pa.Table:
    """A row group of rows as its digest is made of it: the own columns have the types that their lines say.

    Args:
        table: all columns of the file.
        part: what the manifest says of the file.
        file: name of the file, for errors.

    Raises:
        DamagedPartError: they are not what the manifest says.
    """
    place = table.schema.get_field_index(BLOB)
    table = table.set_column(place, pa.field(BLOB, pa.string()), table[BLOB].cast(pa.string()))
    if part.kind == "events":
        return table
    own = own_columns(table, part, part.columns, file)
    for name, stored in zip(part.columns, stored_names(part.columns), strict=True):
        table = table.set_column(
            table.schema.get_field_index(stored), own.schema.field(name).with_name(stored), own[name]
        )
    return table


def own_columns(table: pa.Table, part: PartEntry, names: Sequence[str], file: str) -> pa.Table:
    """The own columns of rows that were read from Parquet, in the types that their lines say.

    Args:
        table: with the columns under their names in the file.
        part: what the manifest says of the file.
        names: the columns.
        file: name of the file, for errors.

    Raises:
        DamagedPartError: they are not what the manifest says.
    """
    stored = dict(zip(part.columns, stored_names(part.columns), strict=True))
    try:
        types = parse(part.types)
        schema = types.schema(part.columns)
        codes = dict(zip(part.columns, types.codes, strict=True))
        columns = [restored(table[stored[name]], schema.field(name), codes[name]) for name in names]
        return pa.table(columns, schema=pa.schema([schema.field(name) for name in names]))
    except (TypesError, RowsMismatchError, KeyError, ValueError, *MISMATCH) as error:
        raise DamagedPartError(f"expected columns of the types of {part.types!r:.80} in {file}: {error}") from None


def events_of(file: PartFile, number: int) -> Events:
    """The events of a row group of a file of events.

    Raises:
        DamagedPartError: they are none.
        StoreUnavailableError: the file cannot be read.
    """
    table = file.read(number)
    _check(table, (BLOB, LINE, EVENT, DATA), file)
    blobs, numbers = table[BLOB].to_pylist(), table[LINE].to_pylist()
    envelopes = []
    for event, data in zip(table[EVENT].to_pylist(), table[DATA].to_pylist(), strict=True):
        found = decode_line(line_of(event or "", data).encode(errors="surrogatepass"))
        if found is None:
            raise DamagedPartError(f"expected events in {file.name}, got {event!r:.80}")
        envelopes.append(found)
    return Events(envelopes=envelopes, times=times_of(envelopes), blobs=blobs, numbers=numbers)


def places_of(file: PartFile, number: int) -> set[tuple[str, int]]:
    """The lines whose rows a group has: the name of the blob, and the number of the line.

    Raises:
        DamagedPartError: the file is not what the manifest says.
    """
    table = file.read(number, (BLOB, LINE))
    return set(zip(table[BLOB].to_pylist(), table[LINE].to_pylist(), strict=True))


def line_of(event: str, data: str | None) -> str:
    """A line again, of its keys but `data`, and of this."""
    if data is None:
        return event
    return f'{event[:-1]}{"," if len(event) > len("{}") else ""}"data":{data}}}'


def _check(table: pa.Table, names: Collection[str], file: PartFile) -> None:
    missing = set(names).difference(table.column_names)
    if missing:
        raise DamagedPartError(f"expected the column {min(missing)!r} in {file.name}, got none")
    for field in table.schema:
        kind = next((known.field(field.name).type for known in (ENVELOPE, ORIGIN) if field.name in known.names), None)
        found = field.type.value_type if field.name == BLOB and pa.types.is_dictionary(field.type) else field.type
        if kind is not None and found != kind:
            raise DamagedPartError(f"expected {kind} of {field.name!r} in {file.name}, got {field.type}")


def _starts(table: pa.Table, group: RowGroup | None) -> Any:
    """The first row of each event."""
    rows = table.num_rows
    if group is not None and group.rows == group.events:
        return np.arange(rows)
    if not rows:
        return np.arange(0)
    lines = table[LINE].to_numpy()
    is_first = np.ones(rows, np.bool_)
    is_first[1:] = lines[1:] != lines[:-1]
    blobs = table[BLOB].unify_dictionaries().combine_chunks()
    indices = (pa.concat_arrays(blobs.chunks) if isinstance(blobs, pa.ChunkedArray) else blobs).indices.to_numpy()
    is_first[1:] |= indices[1:] != indices[:-1]
    return np.flatnonzero(is_first)
