"""Evaluates a condition for the rows of records in quarantine, as far as they can be decoded."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa

from otel_modeldata import semconv

from ...exceptions import ReaderError
from ...rows.result import where
from .selection import ALL_ROWS, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..rewriting.quarantine_eraser import QuarantinedRecord

__all__ = ["QuarantineCondition", "quarantine_condition"]

_ROW: Final = "__row__"
_rows: Final = msgspec.json.Decoder(list[dict[str, Any]])


class QuarantineCondition:
    """A condition about the rows of one collection; what it was true for is kept as a selection.

    Args:
        collection: `endpoint/deployment/collection`.
        chosen: the rows of a table for which it is true.

    Attributes:
        selection: the rows of the records for which it was true.
        undecided: how many records of the collection have rows that could not be decoded.
    """

    def __init__(self, collection: str, chosen: Callable[[pa.Table], pa.Table]) -> None:
        self._collection = collection.lower()
        self._chosen = chosen
        self.selection = Selection()
        self.undecided = 0

    def is_chosen(self, record: QuarantinedRecord) -> bool:
        """Whether a record has a row for which the condition is true."""
        keys = record.keys
        name = keys.type.removeprefix(semconv.EVENT_TYPE_PREFIX)
        if "/".join((*(record.origin.tenant or ()), name)).lower() != self._collection:
            return False
        try:
            numbers = self._numbers(record.body, record.keys.id, record.keys.correlation_id)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, pa.ArrowException, OverflowError, ReaderError):
            self.undecided += 1  # no rows, or rows that have not the columns of the condition
            return False
        if not numbers:
            return False
        rows = {} if keys.correlation_id is None else {keys.correlation_id: tuple((one, one) for one in numbers)}
        events = {keys.id: ALL_ROWS} if keys.id else {}
        self.selection = self.selection.merged(Selection(rows=rows, events=events))
        return True

    def is_all_chosen(self, body: bytes) -> bool | None:
        """Whether a condition is true for all rows of an object; None if for some, or if it cannot be said."""
        try:
            numbers = self._numbers(body, "", None)
            count = len(_rows.decode(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, pa.ArrowException, OverflowError, ReaderError):
            return None
        return len(numbers) == count if len(numbers) in {0, count} else None

    def _numbers(self, body: bytes, event_id: str, correlation_id: str | None) -> list[int]:
        rows = _rows.decode(body)
        if not rows:
            return []
        names = dict.fromkeys(name for row in rows for name in row)
        table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
        count = len(rows)
        row_ids = [f"{correlation_id or ''}_{number}" for number in range(count)]
        given = {"row_id": row_ids, "correlationid": [correlation_id] * count, "event_id": [event_id] * count}
        for name, values in given.items():
            if name not in names:
                table = table.append_column(name, pa.array(values, pa.string()))
        table = table.append_column(_ROW, pa.array(range(count)))
        found: list[int] = self._chosen(table)[_ROW].to_pylist()
        return found


@contextmanager
def quarantine_condition(collection: str, condition: str | None) -> Iterator[QuarantineCondition | None]:
    """The condition of a request; None if it has none.

    Raises:
        ReaderError: DuckDB is not installed.
    """
    if condition is None:
        yield None
        return
    with where(condition) as chosen:
        yield QuarantineCondition(collection, chosen)
