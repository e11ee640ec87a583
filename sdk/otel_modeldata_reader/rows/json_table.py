"""Rows as text to an Arrow table, by `pyarrow.json`.

With an explicit schema it is exact: it refuses a fraction in a column of integers. Without one it finds the types of
all rows that it is given, but it takes texts that look like times for times, and integers that need more than 64 bits
for floats. `inferred.py` knows that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["JsonError", "exact_limit", "has_large_floats", "large_integer", "parsed", "without_times"]

JsonError = pa.ArrowInvalid
"""What `parsed` raises."""
exact_limit: Final = 2**53
"""Every integer up to this one is a float64."""
_LARGE_INTEGER: Final = re.compile(rb"(?<![\d.eE+])\d{16,}(?![\d.eE])")


def parsed(text: bytes, types: Mapping[str, pa.DataType], columns: Sequence[str] | None = None) -> pa.Table:
    """The table of rows.

    Args:
        text: one JSON object per line.
        types: the types of some columns; those of the others are inferred.
        columns: only these columns, all of which have a type; None means all.

    Raises:
        JsonError: a row is not JSON, or a value has another type than its column.
    """
    if not text:
        return pa.table({})
    options = pj.ParseOptions(
        explicit_schema=pa.schema(list(types.items())) if types else None,
        unexpected_field_behavior="infer" if columns is None else "ignore",
    )
    # One block: a row must not be divided.
    reading = pj.ReadOptions(use_threads=False, block_size=len(text) + 1)
    try:
        table = pj.read_json(pa.BufferReader(text), read_options=reading, parse_options=options)
    except UnicodeDecodeError as error:  # the message of an error in a text that is no UTF-8
        raise JsonError(str(error)) from None
    return table if columns is None else table.select(columns)


def without_times(kind: pa.DataType) -> pa.DataType:
    """A type that was inferred, with texts where texts were taken for times."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(without_times(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, without_times(field.type)) for field in kind])
    return kind


def has_large_floats(column: Any) -> bool:
    """Whether a column of any type has floats that may have been integers with more digits."""
    return any(
        (most := pc.max(pc.abs(floats)).as_py()) is not None and most >= exact_limit for floats in _floats(column)
    )


def large_integer(value: bytes) -> bool:
    """Whether the JSON text of a value seems to have an integer that no float64 equals."""
    return _LARGE_INTEGER.search(value) is not None


def _floats(column: Any) -> Iterable[Any]:
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        if pa.types.is_floating(chunk.type):
            yield chunk
        elif pa.types.is_list(chunk.type):
            yield from _floats(chunk.flatten())
        elif pa.types.is_struct(chunk.type):
            for part in chunk.flatten():
                yield from _floats(part)
