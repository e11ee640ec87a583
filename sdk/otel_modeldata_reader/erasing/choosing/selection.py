"""What is erased: rows of requests, whole requests, events and traces, as ids that lines have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from otel_modeldata import semconv

from ...index.line_ids import id_of_row, ids_in_rows, names_ids_in_rows
from ...lines.erased_rows import RowRanges, united
from ...spans import is_of_spans
from .named_ids import CORRELATION_ID, EVENT_ID, ROW_ID, named_ids, texts_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ALL_ROWS", "Selection", "covers"]

ALL_ROWS: Final[RowRanges] = ((0, 10**9),)
"""Every row of an event."""
_any: Final = msgspec.json.Decoder()


class Selection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The chosen rows; one journal of an erasure has it as JSON until the erasure is complete.

    Attributes:
        rows: numbers of rows by correlation id: row n of each event of the request.
        requests: correlation ids of which every event is chosen.
        events: numbers of rows by event id.
        traces: trace ids of which every event is chosen.
        span_traces: trace ids of which only the spans are chosen.
        exact: collections in which an event that has an id is chosen only by that, not by its request.
    """

    rows: dict[str, RowRanges] = {}
    requests: frozenset[str] = frozenset()
    events: dict[str, RowRanges] = {}
    traces: frozenset[str] = frozenset()
    span_traces: frozenset[str] = frozenset()
    exact: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is chosen."""
        return not (self.rows or self.requests or self.events or self.traces)

    def has_any(self, event_id: str | None, correlation_id: str | None, trace_id: str) -> bool:
        """Whether an event with these ids may have chosen rows."""
        return (
            event_id in self.events
            or correlation_id in self.rows
            or correlation_id in self.requests
            or (bool(trace_id) and (trace_id in self.traces or trace_id in self.span_traces))
        )

    def rows_of(self, root: str, event_id: str | None, correlation_id: str | None, trace_id: str) -> RowRanges:
        """The chosen rows of an event of the collection `root`, by its own ids."""
        if trace_id and (trace_id in self.traces or (trace_id in self.span_traces and is_of_spans(root))):
            return ALL_ROWS
        found = self.events.get(event_id or "", ())
        if correlation_id is None or (event_id and root in self.exact):
            return found
        if correlation_id in self.requests:
            return ALL_ROWS
        found = united((*found, *self.rows.get(correlation_id, ())))
        # A body cannot be cut into rows, and spans have no numbers: of them everything about the request is chosen.
        return ALL_ROWS if found and _is_of_request(root) else found

    def names_any(self, root: str, row: bytes) -> bool:
        """Whether a row, as JSON, names what is chosen; see `names`."""
        try:
            return self.names(root, _any.decode(row))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False

    def names(self, root: str, row: Any) -> bool:
        """Whether a decoded row of the collection `root` names what is chosen: labels and spans do so.

        A row id names a chosen row. A correlation id, an event id and a trace id name what is chosen as a whole: else
        the row may be about other rows of it. A span belongs to the trace that it names.
        """
        return any(self._is_named(root, kind, text) for kind, text in named_ids(row))

    def _is_named(self, root: str, kind: str, text: str) -> bool:
        if kind == ROW_ID:
            row = id_of_row(text)
            if row is None:
                return False
            return row[0] in self.requests or covers(self.rows.get(row[0], ()), row[1], row[1])
        if kind == CORRELATION_ID:
            return text in self.requests
        if kind == EVENT_ID:
            return self.events.get(text) == ALL_ROWS
        return text in self.traces or (text in self.span_traces and is_of_spans(root))

    def mentions_any(self, row: bytes) -> bool:
        """Whether any value of a row, as JSON, is an id that is chosen, by chance or not."""
        try:
            return self.mentions(_any.decode(row))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False

    def mentions(self, row: Any) -> bool:
        """Whether any value of a decoded row is an id that is chosen, by chance or not."""
        return any(self.is_named(text) for text in texts_in(row))

    def is_named(self, text: str) -> bool:
        """Whether a text is a chosen id, or the row id of a chosen row."""
        if text in self.requests or text in self.traces or text in self.span_traces or text in self.events:
            return True
        row = id_of_row(text)
        return row is not None and covers(self.rows.get(row[0], ()), row[1], row[1])

    def is_in(self, content: bytes) -> bool:
        """Whether a damaged line has a chosen id as a text."""
        return any(text in self.rows or self.is_named(text) for text in ids_in_rows(content))

    def merged(self, other: Selection) -> Selection:
        """What is chosen here or there."""
        return Selection(
            rows=_merged(self.rows, other.rows),
            requests=self.requests | other.requests,
            events=_merged(self.events, other.events),
            traces=self.traces | other.traces,
            span_traces=self.span_traces | other.span_traces,
            exact=self.exact | other.exact,
        )

    @staticmethod
    def in_rows(root: str) -> bool:
        """Whether rows of a collection may name ids."""
        return names_ids_in_rows(root)


def covers(ranges: RowRanges, first: int, last: int) -> bool:
    """Whether all rows from `first` to `last` are in some ranges."""
    return any(one <= first and last <= end for one, end in ranges)


def _is_of_request(root: str) -> bool:
    return root.rpartition("/")[2] in semconv.PAYLOAD_COLLECTIONS or is_of_spans(root)


def _merged(one: Mapping[str, RowRanges], other: Mapping[str, RowRanges]) -> dict[str, RowRanges]:
    found = dict(one)
    for key, ranges in other.items():
        found[key] = _united(found.get(key, ()), ranges)
    return found


def _united(*ranges: Iterable[tuple[int, int]]) -> RowRanges:
    return united(pair for some in ranges for pair in some)
