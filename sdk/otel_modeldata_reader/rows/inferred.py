"""The types of rows whose lines say none: inferred over all of a reading, never from a sample.

Each part of the rows is parsed by itself. A column that has one JSON type in all parts has it in the result. Integers
and floats together are floats, if each integer equals one. Any other mixture becomes text, each value its JSON text, as
Spark does it. Every change is noted with its line. Dates and times stay texts, as they are in JSON.

Most parts are parsed at once (`_fast`). A part that the parser refuses, or in which something is new, is looked at
value by value (`_slow`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..report import TypeChange
from .column_types import ColumnTypes, kind_of_type
from .json_kinds import INTEGER, LIST, NUMBER, OBJECT, as_text, decode_rows, integer_range, kinds_of
from .json_table import JsonError, has_large_floats, large_integer, parsed, without_times
from .row_text import fast_text, single_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..lines.event_stream import Events
    from ..lines.tally import Tally

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
    """

    def __init__(self, tally: Tally, known: ColumnTypes | None = None) -> None:
        self._tally = tally
        self._is_known = known is not None
        self.columns = ColumnTypes() if known is None else known

    def rows(self, events: Events, payloads: Sequence[bytes]) -> InferredRows:
        """The rows of some events.

        Args:
            events: in the order of their lines.
            payloads: the JSON of the rows of each event, an array of objects.
        """
        text = fast_text(payloads)
        table = None if text is None else self._fast(text.text, sum(text.counts))
        if text is None or table is None:
            return self._slow(events, payloads)
        found = InferredRows(events, text.counts, table)
        return found if self._is_known or self._learn(found, text.text) else self._slow(events, payloads)

    def _fast(self, text: bytes, count: int) -> Any:
        """The table of rows, if it can be parsed at once."""
        try:
            table = self._parsed(text)
        except JsonError:
            return None
        return table if table.num_rows == count else None

    def _parsed(self, text: bytes) -> pa.Table:
        table = parsed(text, self._explicit())
        times = {field.name: without_times(field.type) for field in table.schema if _has_times(field.type)}
        if not times:
            return table
        self.columns.texts |= times
        return parsed(text, self._explicit() | times)

    def _explicit(self) -> dict[str, Any]:
        if self._is_known:
            return self.columns.explicit()
        return self.columns.texts | dict.fromkeys(self.columns.mixed, pa.string())

    def _learn(self, rows: InferredRows, text: bytes) -> bool:
        """Learn from rows that were parsed at once; False if they must be looked at value by value."""
        kinds = {field.name: kind_of_type(field.type) for field in rows.table.schema}
        for name, kind in kinds.items():
            if kind in {NUMBER, LIST, OBJECT} and has_large_floats(rows.table[name]):
                return False
            if kind == NUMBER and self._may_have_integers(name, rows.table[name], text):
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
                self.columns.add_nested(name, column.type)
        return True

    def _may_have_integers(self, name: str, column: Any, text: bytes) -> bool:
        """Whether a column of floats may have integers, which is noted once."""
        if INTEGER in self.columns.kinds(name) and NUMBER in self.columns.kinds(name):
            return False
        values = column.to_numpy()
        if not (values == np.floor(values)).any():
            return False
        if _PLAIN.fullmatch(name) is None:
            return True
        return re.search(rb'"%b"\s*:\s*-?\d+\s*[,}]' % re.escape(name.encode()), text) is not None

    def _slow(self, events: Events, payloads: Sequence[bytes]) -> InferredRows:
        """The rows of events, value by value."""
        decoded = [_decoded(payload) for payload in payloads]
        kept = [index for index, rows in enumerate(decoded) if rows is not None]
        for index, rows in enumerate(decoded):
            if rows is None:
                self._tally.skip("foreign", events.place(index), "expected rows: an array of JSON objects")
        if len(kept) < len(decoded):
            events = events.chosen(kept)
        by_event = [rows for rows in decoded if rows is not None]
        counts = [len(rows) for rows in by_event]
        every = [row for rows in by_event for row in rows]
        nested = self._study(InferredRows(events, counts, pa.table({})), every)
        for further in (set(), nested - self.columns.mixed):
            before = set(self.columns.mixed)
            self.columns.mixed |= further
            try:
                table = self._parsed(b"\n".join(as_text(every, self.columns.mixed)))
            except JsonError:
                self.columns.mixed = before
                continue
            return InferredRows(events, counts, self._with_ranges(table))
        return self._each(events, by_event)

    def _study(self, rows: InferredRows, every: Sequence[Mapping[str, bytes]]) -> set[str]:
        """Learn from rows value by value; returns the columns of lists and objects."""
        found = kinds_of(every)
        nested = {name for name, kinds in found.items() if {LIST, OBJECT} & set(kinds)}
        if self._is_known:
            return nested
        for name, kinds in found.items():
            self.columns.add_kind(name, None)
            for kind, row in sorted(kinds.items(), key=lambda one: one[1]):
                if kind not in self.columns.kinds(name):
                    self._note(name, kind, rows, row)
                    self.columns.add_kind(name, kind)
            if (numbers := integer_range(every, name)) is not None:
                self.columns.add_range(name, *numbers)
            if name in nested and any(large_integer(row[name]) for row in every if name in row):
                self.columns.mixed.add(name)
        for name, kind in self.columns.types().items():
            if _is_wide(kind):
                self.columns.texts[name] = kind
            elif name in found and _is_wide(self.columns.texts.get(name, kind)):
                del self.columns.texts[name]  # it has fractions, too
        return nested

    def _with_ranges(self, table: pa.Table) -> pa.Table:
        if not self._is_known:
            for field in table.schema:
                if pa.types.is_nested(field.type):
                    self.columns.add_nested(field.name, field.type)
        return table

    def _each(self, events: Events, by_event: Sequence[Sequence[Mapping[str, bytes]]]) -> InferredRows:
        """The rows of events of which some cannot be parsed, such as one with half of a surrogate pair."""
        kept, texts = [], []
        for index, rows in enumerate(by_event):
            text = b"\n".join(as_text(rows, self.columns.mixed))
            try:
                parsed(text, self._explicit())
            except JsonError as error:
                reason = str(error).removeprefix("JSON parse error: ").partition(" in row")[0].rstrip(".")
                self._tally.skip("foreign", events.place(index), f"expected rows that can be read, got: {reason}")
                continue
            kept.append(index)
            texts.append(text)
        table = self._with_ranges(self._parsed(b"\n".join(texts)))
        return InferredRows(events.chosen(kept), [len(by_event[index]) for index in kept], table)

    def _note(self, name: str, kind: str, rows: InferredRows, row: int) -> None:
        """Note that a column has a kind of values from a row on that it did not have before."""
        before = self.columns.last_kind(name)
        if before is not None:
            place = rows.events.place(rows.event_of(row))
            self._tally.change(TypeChange(column=name, before=before, after=kind, place=place, became=""))


_NUMBERS: Final = {INTEGER, NUMBER}


def _decoded(payload: bytes) -> list[dict[str, bytes]] | None:
    rows = single_rows(payload)
    try:
        return None if rows is None else decode_rows(rows)
    except (msgspec.DecodeError, RecursionError):
        return None


def _has_times(kind: pa.DataType) -> bool:
    return bool(without_times(kind) != kind)


def _is_wide(kind: pa.DataType) -> bool:
    """Whether a type must be given to the parser, which finds only 64 bits."""
    return bool(pa.types.is_decimal(kind) or kind == pa.uint64())
