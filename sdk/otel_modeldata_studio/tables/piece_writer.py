"""Writes rows that the reader decoded from lines as Parquet files of the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from otel_modeldata_reader.rows.envelope_columns import ENVELOPE
from otel_modeldata_reader.sql.column_types import stored, stored_type
from otel_modeldata_reader.types.plain_arrays import numbers_array, numbers_of

from .piece import LAST_TIME, Group, Piece, StoredColumn, kind_of

if TYPE_CHECKING:
    from typing import Any

    from .cache_folder import CacheFolder

__all__ = ["KEPT", "write_piece"]

KEPT: Final = ("row_id", "correlationid", "time", "traceparent", "modelversion", "event_id")
"""The columns of the envelope that differ within a collection."""
_GROUP_ROWS: Final = 65_536


def write_piece(cache: CacheFolder, date: str, rows: pa.Table, start: int) -> Piece:
    """Write a file.

    Own columns have the names `c0`, `c1` and so on in it: DuckDB ignores case, and a name can be any text.

    Args:
        cache: takes the file.
        date: the folder of the lines.
        rows: with the envelope's columns, at least one row.
        start: the time of rows without one, in nanoseconds since the epoch.

    Raises:
        CacheFullError: there is no space for it.
    """
    times = _times(rows["time"], start)
    arrays: dict[str, Any] = {name: rows[name] for name in KEPT}
    arrays["time"] = numbers_array(times).cast(ENVELOPE.field("time").type)
    columns: dict[str, StoredColumn] = {}
    for field in rows.schema:
        if field.name in ENVELOPE.names or pa.types.is_null(field.type):
            continue
        kind, alias = stored_type(field.type), f"c{len(columns)}"
        arrays[alias] = stored(rows[field.name], kind)
        columns[field.name] = StoredColumn(stored=alias, type=kind, logical=field.type, kind=kind_of(field.type))
    path = cache.new()
    with cache.writing(path) as partial:
        pq.write_table(pa.table(arrays), partial, compression="zstd", compression_level=1, row_group_size=_GROUP_ROWS)
    return Piece(path=str(path), date=date, groups=tuple(_groups(times)), columns=columns)


def _times(moments: Any, start: int) -> Any:
    """Nanoseconds since the epoch, also of rows without a time."""
    numbers = moments.cast(pa.int64())
    if numbers.null_count:
        numbers = numbers.fill_null(start)
    return np.clip(numbers_of(numbers), -LAST_TIME, LAST_TIME)


def _groups(times: Any) -> list[Group]:
    found = []
    for start in range(0, len(times), _GROUP_ROWS):
        some = np.asarray(times[start : start + _GROUP_ROWS])
        found.append(Group(start=start, rows=len(some), first=int(some.min()), last=int(some.max())))
    return found
