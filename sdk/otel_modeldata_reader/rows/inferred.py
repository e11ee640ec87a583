"""The types of rows whose lines say none: inferred over all of a reading, never from a sample.

Each part of the rows is parsed by itself. A column that has one JSON type in all parts has it in the result. Integers
and floats together are floats, if each integer equals one. Any other mixture becomes text, each value its JSON text, as
Spark does it. Every change is noted with its line. Dates and times stay texts, as they are in JSON.

Most parts are parsed at once (`_fast`). A part that the parser refuses, or in which something is new, is looked at
value by value (`_slow`).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..report import TypeChange
from ..types.flat_rows import flat_rows
from .column_types import ColumnTypes, is_kind_of, kind_of_type
from .json_kinds import INTEGER, LIST, NUMBER, OBJECT, decode_rows, first_names, integer_range, kinds_of, with_texts
from .json_table import JsonError, JsonRows, TooWideError, has_large_floats, has_large_integers, parsed, without_times
from .nested_types import nested_type, without_nulls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import msgspec

    from ..lines.event_stream import Events
    from ..lines.tally import Tally
    from ..types.flat_rows import FlatRows

__all__ = ["Inference", "InferredRows"]

_PLAIN: Final = re.compile(r"[^\"\\\x00-\x1f\x7f-\U0010ffff]*")


@dataclass(frozen=True, slots=True)
class InferredRows:
    """Rows of events without types.

    Attributes:
        events: those that could be read.
        counts: how many rows each has.
        table: the rows.
    """

    events: Events
    counts: Sequence[int]
    table: pa.Table

    def event_of(self, row: int) -> int:
        """The index of the event that has a row."""
        return int(np.searchsorted(list(accumulate(self.counts)), row, side="right"))


class Inference:
    """Reads rows without types, and learns the types of their columns.

    Args:
        tally: notes changes of types, and rows that cannot be read.
        known: what an earlier pass over the same rows has learned; then every table has the final types.

    Attributes:
        columns: what is known about the columns.
        codes: the codes that the lines with types have said for each column, in the order of their first ones.
    """

    def __init__(self, tally: Tally, known: ColumnTypes | None = None) -> None:
        self._tally = tally
        self._is_known = known is not None
        self.columns = ColumnTypes() if known is None else known
        self.codes: dict[str, dict[str, None]] = {}

    def flat(self, events: Events, payloads: Sequence[bytes | msgspec.Raw]) -> InferredRows | None:
        """The rows of some events, read the fast way; None if some of them cannot be read so. See `rows`."""
        names = first_names(payloads[0])
        rows = None if names is None else flat_rows(payloads, names)
        if rows is None:
            return None
        types = self.columns.explicit() if self._is_known else self.columns.so_far()
        columns: dict[str, Any] = {}
        for name, cells in rows.columns.items():
            column = cells.array(types[name]) if name in types else cells.inferred()
            if column is None:
                return None
            columns[name] = column
        for name in columns:
            self.columns.add_kind(name, None)
        found = InferredRows(events, rows.counts, pa.table(columns))
        if self._is_known or self._learn(found, partial(_cells_have_integers, rows)):
            return found
        return self._slow(events, list(map(bytes, payloads)))

    def rows(self, events: Events, payloads: Sequence[bytes]) -> Iterator[InferredRows]:
        """The rows of some events: in parts, if one table of all of them would take too much memory.

        Args:
            events: in the order of their lines.
            payloads: the JSON of the rows of each event, an array of objects.
        """
        try:
            rows = self._rows(events, payloads)
        except TooWideError:
            middle = len(payloads) // 2
            if not middle:
                reason = "expected rows with columns in common, got a table far larger than its JSON"
                self._tally.skip("foreign", events.place(0), reason)
                return
            for part in (range(middle), range(middle, len(payloads))):
                yield from self.rows(events.chosen(part), [payloads[index] for index in part])
        else:
            yield rows

    def _rows(self, events: Events, payloads: Sequence[bytes]) -> InferredRows:
        try:
            rows = self._parsed(payloads, {})
        except TooWideError:
            raise
        except JsonError:
            return self._slow(events, payloads)
        found = InferredRows(events, rows.counts, rows.table)
        return (
            found
            if self._is_known or self._learn(found, partial(_has_integers, rows.text))
            else self._slow(events, payloads)
        )

    def _parsed(self, payloads: Sequence[bytes], nested: dict[str, Any]) -> JsonRows:
        types = self.columns.explicit() if self._is_known else nested | self.columns.so_far()
        rows = parsed(payloads, types)
        for name in rows.table.column_names:  # before those with a type come first
            self.columns.add_kind(name, None)
        times = {field.name: without_times(field.type) for field in rows.table.schema if _has_times(field.type)}
        if not times:
            return rows
        self.columns.texts |= times
        return parsed(payloads, types | times)

    def _learn(self, rows: InferredRows, has_integers: Callable[[str, Any], bool]) -> bool:
        """Learn from rows that were parsed at once; False if they must be looked at value by value.

        Args:
            rows: the rows.
            has_integers: whether a column may have an integer in some rows.
        """
        kinds = {field.name: _kind_of(rows.table[field.name]) for field in rows.table.schema}
        for name, kind in kinds.items():
            if kind in {NUMBER, LIST, OBJECT} and has_large_floats(rows.table[name]):
                return False
            if kind in {LIST, OBJECT} and self.columns.clashes(name, rows.table[name].type):
                return False
            if kind == NUMBER and self._may_have_integers(name, rows.table[name], has_integers):
                return False
            known = set(self.columns.kinds(name))
            if name not in self.columns.mixed and len(known | {kind} - {None}) > 1 and known | {kind} != _NUMBERS:
                return False
        for name, kind in kinds.items():
            column = rows.table[name]
            if kind is not None and kind not in self.columns.kinds(name) and name not in self.columns.mixed:
                first = int(pc.index(pc.is_valid(column), pa.scalar(value=True)).as_py())
                self._note(name, kind, rows, first)
            if name not in self.columns.mixed:
                self.columns.add_kind(name, kind)
            if kind == INTEGER:
                self.columns.add_range(name, *pc.min_max(column).as_py().values())
            elif kind in {LIST, OBJECT}:
                self._add_nested(name, column, column.type)
        return True

    def _add_nested(self, name: str, column: Any, kind: pa.DataType) -> None:
        self.columns.add_nested(name, kind)
        if has_large_integers(column):
            self.columns.add_large(name, kind)

    def _may_have_integers(self, name: str, column: Any, has_integers: Callable[[str, Any], bool]) -> bool:
        """Whether a column of floats may have integers, which is noted once."""
        if INTEGER in self.columns.kinds(name) and NUMBER in self.columns.kinds(name):
            return False
        values = column.to_numpy()
        whole = np.flatnonzero(values == np.floor(values))
        return len(whole) > 0 and has_integers(name, whole)

    def _slow(self, events: Events, payloads: Sequence[bytes]) -> InferredRows:
        """The rows of events, value by value."""
        decoded = [decode_rows(payload) for payload in payloads]
        for index, rows in enumerate(decoded):
            if rows is None:
                self._tally.skip("foreign", events.place(index), "expected rows: an array of JSON objects")
        kept = [index for index, rows in enumerate(decoded) if rows is not None]
        events = events.chosen(kept)
        by_event = [rows for rows in decoded if rows is not None]
        counts = [len(rows) for rows in by_event]
        every = [row for rows in by_event for row in rows]
        types = self._study(InferredRows(events, counts, pa.table({})), every)
        try:
            rest = self._parsed([with_texts(rows, self.columns.mixed) for rows in by_event], types)
        except TooWideError:
            raise
        except JsonError:
            return self._each(events, by_event, types)
        for name in types:
            if name in rest.table.column_names and has_large_integers(rest.table[name]):
                self.columns.add_large(name, types[name])
        return InferredRows(events, rest.counts, rest.table)

    def _study(self, rows: InferredRows, every: Sequence[Mapping[str, bytes]]) -> dict[str, Any]:
        """Learn from rows value by value; returns the types of their lists and objects."""
        if self._is_known:
            return {}
        types: dict[str, Any] = {}
        for name, kinds in kinds_of(every).items():
            self.columns.add_kind(name, None)
            for kind, row in sorted(kinds.items(), key=lambda one: one[1]):
                if kind not in self.columns.kinds(name):
                    self._note(name, kind, rows, row)
                    self.columns.add_kind(name, kind)
            if (numbers := integer_range(every, name)) is not None:
                self.columns.add_range(name, *numbers)
            if not {LIST, OBJECT} & set(kinds) or name in self.columns.mixed:
                continue
            nested = nested_type(row[name] for row in every if name in row)
            if nested is None or self.columns.clashes(name, nested):
                self._note_clash(name, rows, every)
                self.columns.mixed.add(name)
            else:
                types[name] = without_nulls(nested)
                self.columns.add_nested(name, nested)
        return {name: kind for name, kind in types.items() if name not in self.columns.mixed}

    def _each(
        self, events: Events, by_event: Sequence[Sequence[Mapping[str, bytes]]], types: dict[str, Any]
    ) -> InferredRows:
        """The rows of events of which some cannot be parsed, such as one with half of a surrogate pair."""
        kept, payloads = [], []
        for index, rows in enumerate(by_event):
            payload = with_texts(rows, self.columns.mixed)
            try:
                self._parsed([payload], types)
            except JsonError as error:
                reason = str(error).removeprefix("JSON parse error: ").partition(" in row")[0].rstrip(".")
                self._tally.skip("foreign", events.place(index), f"expected rows that can be read, got: {reason}")
                continue
            kept.append(index)
            payloads.append(payload)
        if not kept:
            return InferredRows(events.chosen(kept), [], pa.table({}))
        rest = self._parsed(payloads, types)
        return InferredRows(events.chosen(kept), rest.counts, rest.table)

    def _note_clash(self, name: str, rows: InferredRows, every: Sequence[Mapping[str, bytes]]) -> None:
        """Note the first row whose lists or objects have no type in common with those before."""
        here = [number for number, row in enumerate(every) if name in row]

        def type_of(count: int) -> Any:
            return nested_type(every[number][name] for number in here[:count])

        def clashes(count: int) -> bool:
            return (found := type_of(count)) is None or self.columns.clashes(name, found)

        first = bisect_left(range(1, len(here) + 1), True, key=clashes)
        if not first and self.columns.nested(name) is None:  # it has no type of its own
            return
        before, after = self.columns.nested(name) or type_of(first), nested_type([every[here[first]][name]])
        place = rows.events.place(rows.event_of(here[first]))
        self._tally.change(
            TypeChange(column=name, before=str(before), after=str(after or "mixed"), place=place, became="")
        )

    def _note(self, name: str, kind: str, rows: InferredRows, row: int) -> None:
        """Note that a column has a kind of values from a row on that it did not have before."""
        before = self.columns.last_kind(name)
        if before is None:  # or the code that a line with types has said
            code = next(reversed(self.codes.get(name, {})), None)
            before = None if code is None or is_kind_of(code, kind) else code
        if before is not None:
            place = rows.events.place(rows.event_of(row))
            self._tally.change(TypeChange(column=name, before=before, after=kind, place=place, became=""))


_NUMBERS: Final = {INTEGER, NUMBER}


def _kind_of(column: Any) -> str | None:
    """The kind of values in a column; None if all are null, as where a column with a given type is missing."""
    return None if column.null_count == len(column) else kind_of_type(column.type)


def _has_integers(text: bytes, name: str, _: Any) -> bool:
    """Whether a column may have integers, by the JSON of its rows."""
    if _PLAIN.fullmatch(name) is None:
        return True
    return re.search(rb'"%b"\s*:\s*-?\d+\s*[,}]' % re.escape(name.encode()), text) is not None


def _cells_have_integers(rows: FlatRows, name: str, places: Any) -> bool:
    """The same, exactly."""
    return bool(rows.columns[name].are_integers(places).any())


def _has_times(kind: pa.DataType) -> bool:
    return bool(without_times(kind) != kind)
