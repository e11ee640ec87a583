"""Labels of rows: the last one by time wins in each column, and the earlier ones are the row's history.

A label names its row in the column `row_id`; the reader calls it `data.row_id`, because `row_id` is the label's own.
Without it, a label belongs to the row with its own row id: that of a frame which was collected again with the
correlation context of its request. `label_time` says since when the label holds, else it is the time of the event.

A null is no label: a label of one column leaves those of the others as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..exceptions import UnknownNameError
from .columns import ROW_ID, TIME, own_columns
from .repeated_ids import NO_TIME, nanoseconds
from .row_keys import encode, one_array

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from .row_keys import Codes, Mask

LABEL_ROW_ID: Final = "row_id"
"""The column of a collected label that names its row."""
LABEL_TIME: Final = "label_time"
"""The column of a collected label that says since when it holds, and that column of a joined table."""
LABEL_HISTORY: Final = "label_history"
"""The column of a joined table that has all labels of a row."""
RENAMED_ROW_ID: Final = f"data.{LABEL_ROW_ID}"
"""`LABEL_ROW_ID` in a table that has the envelope's columns too."""

_DATE: Final = r"^\d{4}-\d{2}-\d{2}$"
_WITH_ZONE: Final = r"(?i)\d:\d{2}.*(?:Z|[+-]\d{2}(?::?\d{2})?)$"
"""A time of ISO 8601 that ends with its zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """What became of the labels that were read.

    Attributes:
        read: labels, which are rows of the collection.
        rows: different rows that they name.
        superseded: labels that are not the last one of their row.
        unknown: rows that they name and that are neither in the inputs nor in the outputs.
        ambiguous: rows that they name and whose row id repeats: they are not joined.
        empty: labels without a row id or without any value; they are not among `rows`.
        unread_times: labels whose `label_time` is no time: the time of their event counts.
    """

    read: int = 0
    rows: int = 0
    superseded: int = 0
    unknown: int = 0
    ambiguous: int = 0
    empty: int = 0
    unread_times: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRows:
    """Labels by row, and within a row by time.

    Attributes:
        row_ids: of each row, once.
        first: the number of the first label of each row, and at the end the number of labels.
        times: ns since 1970 of each label.
        values: the columns of each label.
        counts: how many there are; `unknown` and `ambiguous` are 0.
    """

    row_ids: pa.Array
    first: Codes
    times: Codes
    values: pa.Table
    counts: LabelCounts

    @classmethod
    def of(cls, labels: pa.Table, envelope: Collection[str], label_id: str | None) -> LabelRows:
        """Labels as they were read.

        Args:
            labels: with the envelope's columns, or at least with a row id.
            envelope: names of columns that are no label.
            label_id: the column that names the row; the one that the module describes when missing.

        Raises:
            UnknownNameError: no column names the row.
        """
        ids, id_column = _row_ids(labels, label_id)
        times, unread = _times(labels)
        own = [name for name in own_columns(labels, envelope) if name not in {id_column, LABEL_TIME}]
        values = labels.select(own)
        (codes,), count = encode([ids])
        useful = np.flatnonzero((codes >= 0) & _any_valid(values))
        written = nanoseconds(labels[TIME]) if TIME in labels.column_names else times
        order = useful[np.lexsort((useful, written[useful], times[useful], codes[useful]))]
        codes = codes[order]
        first = np.flatnonzero(np.diff(codes, prepend=-1, append=count))
        return cls(
            row_ids=one_array(ids).take(order[first[:-1]]),
            first=first,
            times=times[order],
            values=values.take(order),
            counts=LabelCounts(
                read=len(labels),
                rows=len(first) - 1,
                superseded=len(order) - len(first) + 1,
                empty=len(labels) - len(order),
                unread_times=unread,
            ),
        )

    def last(self) -> pa.Table:
        """The last label of each row: the last value of each column, and the time of the last label."""
        columns = {name: self._last_valid(self.values[name]) for name in self.values.column_names}
        columns[LABEL_TIME] = _moments(self.times[self.first[1:] - 1])
        return pa.table(columns)

    def history(self) -> pa.Array:
        """All labels of each row, the earliest first: a list of structs, each with its time."""
        times, names = _moments(self.times), self.values.column_names
        columns = [one_chunk(self.values[name]) for name in names]
        labels = pa.StructArray.from_arrays([times, *columns], names=[LABEL_TIME, *names])
        return pa.LargeListArray.from_arrays(pa.array(self.first), labels)

    def _last_valid(self, column: Any) -> Any:
        if not len(column):
            return column
        valid = pc.is_valid(column).to_numpy().astype(np.bool_)
        found = np.maximum.reduceat(np.where(valid, np.arange(len(column)), -1), self.first[:-1])
        return column.take(nullable(found))


def nullable(positions: Codes) -> pa.Array:
    """Positions to take; negative ones take null."""
    return pa.array(positions, mask=positions < 0)


def one_chunk(column: Any) -> pa.Array:
    """A column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _row_ids(labels: pa.Table, label_id: str | None) -> tuple[Any, str]:
    names = labels.column_names
    if label_id is not None and label_id not in names:
        raise UnknownNameError(
            f"expected a column of row ids in the labels, got no {label_id!r} among {', '.join(names) or 'none'}: "
            "label_id= names it"
        )
    column = label_id or (RENAMED_ROW_ID if RENAMED_ROW_ID in names else ROW_ID)
    if column not in names:
        raise UnknownNameError(
            f"expected the column {LABEL_ROW_ID} in the labels, got {', '.join(names) or 'none'}: "
            "label_id= names the column of row ids"
        )
    ids = _texts(labels[column])
    if label_id is None and column != ROW_ID and ROW_ID in names:
        ids = pc.coalesce(ids, labels[ROW_ID].cast(pa.large_string()))
    return ids, column


def _texts(column: Any) -> Any:
    """Row ids as texts. Where a column has others than texts, such as lists, its values name no row."""
    try:
        return column.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.large_string())


def _times(labels: pa.Table) -> tuple[Codes, int]:
    """The time of each label, and the number of those that say one that cannot be read."""
    of_events = nanoseconds(labels[TIME]) if TIME in labels.column_names else np.full(len(labels), NO_TIME)
    if LABEL_TIME not in labels.column_names:
        return of_events, 0
    said, unread = _moments_of(labels[LABEL_TIME])
    return np.where(said == NO_TIME, of_events, said), unread


def _moments_of(column: Any) -> tuple[Codes, int]:
    """Times of any type of column as ns since 1970; without a zone they are UTC. And how many are no times."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _moments_of(column.cast(kind.value_type))
    if pa.types.is_date(kind):
        return _moments_of(column.cast(pa.timestamp("s")))
    if pa.types.is_timestamp(kind):
        found = nanoseconds(column if kind.tz else column.cast(pa.timestamp(kind.unit, "UTC")))
        return found, int((found == NO_TIME).sum()) - column.null_count
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return np.full(len(column), NO_TIME), len(column) - column.null_count
    kind = pa.large_string()
    texts = pc.utf8_trim_whitespace(column.cast(kind))
    zones = pc.if_else(
        pc.match_substring_regex(texts, _DATE),
        pa.scalar(" 00:00Z", kind),
        pc.if_else(pc.match_substring_regex(texts, _WITH_ZONE), pa.scalar("", kind), pa.scalar("Z", kind)),
    )
    with_zones = pc.binary_join_element_wise(texts, zones, pa.scalar("", kind))
    found = _parsed(with_zones)
    return found, int((found == NO_TIME).sum()) - column.null_count


def _parsed(texts: Any) -> Codes:
    """Texts of ISO 8601 with a zone as ns since 1970; NO_TIME for others."""
    try:
        return nanoseconds(texts)
    except pa.ArrowInvalid:
        if len(texts) == 1:
            return np.array([NO_TIME])
    middle = len(texts) // 2  # wrong ones are few
    return np.concatenate([_parsed(texts[:middle]), _parsed(texts[middle:])])


def _moments(times: Codes) -> pa.Array:
    return pa.array(times, mask=times == NO_TIME).cast(pa.timestamp("ns", "UTC"))


def _any_valid(table: pa.Table) -> Mask:
    found = np.zeros(len(table), dtype=np.bool_)
    for name in table.column_names:
        found |= pc.is_valid(table[name]).to_numpy().astype(np.bool_)
    return found
