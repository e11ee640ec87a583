"""Rows whose lines say the types of their columns (`datatypes`): each group of equal types is read by these types."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ..report import TypeChange
from ..types import RowsMismatchError, TooLargeError, TypesError, family, parse
from ..types.arrow_types import arrow_type
from ..types.data_types import OBJECTS
from .column_types import is_kind_of
from .inferred import InferredRows
from .json_kinds import decode_rows, first_names, plain_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import msgspec

    from ..lines.event_stream import Events
    from ..lines.tally import Tally
    from ..report import Place
    from ..types import DataTypes
    from .inferred import Inference

__all__ = ["TypedRows"]


class TypedRows:
    """Reads rows with types.

    Args:
        tally: notes columns that change their types, and rows that do not have the types that their line says.
        inference: reads these.
    """

    def __init__(self, tally: Tally, inference: Inference) -> None:
        self._tally = tally
        self._inference = inference

    def flat(self, events: Events, payloads: Sequence[bytes | msgspec.Raw], text: str) -> InferredRows | None:
        """The rows of some events, read the fast way; None if some of them cannot be read so. See `rows`."""
        types, names = _types(text), first_names(payloads[0])
        if types is None or names is None or not self._inference.columns.mixed.isdisjoint(names):
            return None
        read = types.read_flat(payloads, names)
        if read is None:
            return None
        return InferredRows(events, read[1], self._noted(read[0], types.codes, events.place(0)))

    def rows(self, events: Events, payloads: Sequence[bytes], text: str) -> Iterator[InferredRows]:
        """The rows of some events.

        Args:
            events: in the order of their lines.
            payloads: the JSON of the rows of each event, an array of objects.
            text: their `datatypes`.
        """
        types = _types(text)
        if types is None:
            yield from self._mismatched(events, payloads, f"expected types of columns, got {text[:80]!r}")
            return
        names = next((found for payload in payloads if (found := first_names(payload)) is not None), ())
        try:
            read = self._read(events, payloads, types, names)
        except TooLargeError:  # one by one they would take as much
            yield from self._mismatched(events, payloads, "expected types whose nulls fit into memory")
            return
        if read is not None:
            yield read
            return
        # Columns with other names, or one event with other values.
        groups: dict[tuple[str, ...], list[int]] = {}
        for index, payload in enumerate(payloads):
            groups.setdefault(first_names(payload) or (), []).append(index)
        for group, indices in groups.items():
            chosen, own = events.chosen(indices), [payloads[index] for index in indices]
            read = self._read(chosen, own, types, group) if len(groups) > 1 else None
            if read is not None:
                yield read
                continue
            for index, payload in enumerate(own):
                one = chosen.chosen([index])
                if bytes(payload[:64]).translate(None, b" \t\r\n") == b"[]":  # no rows, which have all types
                    yield from self._inference.rows(one, [payload])
                    continue
                reason = "expected rows of the types that their line says, got others"
                read = self._read(one, [payload], types, group)
                yield from self._mismatched(one, [payload], reason) if read is None else (read,)

    def _read(
        self, events: Events, payloads: Sequence[bytes], types: DataTypes, names: Sequence[str]
    ) -> InferredRows | None:
        try:
            table, counts = types.read(payloads, names)
        except TooLargeError:
            raise
        except RowsMismatchError:
            return None
        table = self._noted(table, types.codes, events.place(0))
        mixed = self._inference.columns.mixed.intersection(names)
        return InferredRows(events, counts, _with_texts(table, payloads, mixed) if mixed else table)

    def _mismatched(self, events: Events, payloads: Sequence[bytes], reason: str) -> Iterator[InferredRows]:
        for index in range(len(payloads)):
            self._tally.skip("mismatched", events.place(index), reason)
        yield from self._inference.rows(events, payloads)

    def stored(self, table: pa.Table, codes: Mapping[str, str], texts: Mapping[str, Any], place: Place) -> pa.Table:
        """Rows that were read from Parquet, as those of lines are.

        Args:
            table: the columns that are wanted, in the types that their lines say.
            codes: the code of each column of the lines, also of those that are not wanted.
            texts: for each column of the table that is mixed, its texts.
            place: of the first line.
        """
        table = self._noted(table, [codes[name] for name in table.column_names], place)
        for name, code in codes.items():
            if code != OBJECTS and name not in table.column_names:
                self._note(name, code, place)
        for name, column in texts.items():
            table = table.set_column(table.schema.get_field_index(name), pa.field(name, pa.string()), column)
        return table

    def _noted(self, table: pa.Table, codes: Sequence[str], place: Place) -> pa.Table:
        """`table`, in which objects that are all missing have no type: a later line says what they are."""
        for number, (name, code) in enumerate(zip(table.column_names, codes, strict=True)):
            if code == OBJECTS and table[number].null_count == table.num_rows:
                field = table.schema.field(number)
                table = table.set_column(number, field.with_type(pa.null()), pa.nulls(table.num_rows))
            else:
                self._note(name, code, place)
        return table

    def _note(self, name: str, code: str, place: Place) -> None:
        # Categories in another order are another type; without an order they are united.
        kind = code if pa.types.is_dictionary(found := arrow_type(code)) and found.ordered else family(code)
        known = self._inference.codes.setdefault(name, {})
        if kind in known:
            return
        before = next(reversed(known), None)
        if before is None and (other := self._inference.columns.last_kind(name)) is not None:
            before = None if is_kind_of(code, other) else other
        if before is not None:
            self._tally.change(TypeChange(column=name, before=before, after=kind, place=place, became=""))
        known[kind] = None


@lru_cache(maxsize=256)
def _types(text: str) -> DataTypes | None:
    try:
        return parse(text)
    except TypesError:
        return None


def _with_texts(table: pa.Table, payloads: Sequence[bytes], columns: set[str]) -> pa.Table:
    """`table` with some columns as texts, because no type holds their values in all lines."""
    rows = [row for payload in payloads for row in decode_rows(payload) or ()]
    for name in columns:
        place = table.schema.get_field_index(name)
        texts: list[Any] = [plain_text(row[name]) if name in row else None for row in rows]
        table = table.set_column(place, pa.field(name, pa.string()), pa.array(texts, pa.string()))
    return table
