"""Rows in JSON to an Arrow table, by `pyarrow.json`.

With an explicit schema it is exact: it refuses a fraction in a column of integers. Without one it finds the types of
all rows that it is given, but it takes texts that look like times for times, and integers that need more than 64 bits
for floats. `inferred.py` knows that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "EXACT_LIMIT",
    "MOST_DEPTH",
    "JsonError",
    "JsonRows",
    "TooWideError",
    "has_large_floats",
    "has_large_integers",
    "is_deep",
    "parsed",
    "without_times",
]

EXACT_LIMIT: Final = 2**53
"""Every integer up to this one is a float64."""
MOST_DEPTH: Final = 64
"""Levels of lists and objects in a column with a type; deeper values are texts."""
_BLOCK_BYTES: Final = 1 << 18
"""Small blocks stay in the cache of a core."""


class JsonError(ValueError):
    """Rows that the parser refuses."""


class TooWideError(JsonError):
    """Rows whose table would have far more cells than they have: each with columns that the others do not have."""


@dataclass(frozen=True, slots=True)
class JsonRows:
    """The rows of several events.

    Attributes:
        counts: how many rows each event has.
        table: the rows.
        text: the JSON that was parsed.
    """

    counts: Sequence[int]
    table: pa.Table
    text: bytes


def parsed(payloads: Sequence[bytes], types: Mapping[str, pa.DataType]) -> JsonRows:
    """The rows of events.

    Args:
        payloads: for each event an array of objects.
        types: the types of some columns; those of the others are inferred.

    Raises:
        JsonError: a payload is no array of objects, or a value has another type than its column.
        TooWideError: a table of all of them may take far more memory than their JSON.
    """
    # The parser reads objects only, so each array is the value of a key.
    text = b"".join([b'{"data":', b'}\n{"data":'.join(payloads), b"}\n"])
    if is_too_wide(text):
        raise TooWideError("expected fewer columns, or fewer rows")
    options = pj.ParseOptions(
        explicit_schema=pa.schema([("data", pa.list_(pa.struct(list(types.items()))))]) if types else None,
        unexpected_field_behavior="infer",
    )
    block = max(_BLOCK_BYTES, max(map(len, payloads), default=0) + _LINE_BYTES)
    try:
        table = pj.read_json(pa.BufferReader(text), pj.ReadOptions(use_threads=False, block_size=block), options)
        table.validate()  # nulls at the beginning of inner lists are lost where the type of the list is inferred
        lists = table["data"].combine_chunks()
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:  # the second one in the message of the first
        raise JsonError(str(error)) from None
    if len(lists) != len(payloads) or lists.null_count or not pa.types.is_list(lists.type):
        raise JsonError("expected an array of objects")
    rows = lists.flatten()
    if pa.types.is_null(rows.type) and not len(rows):
        rows = rows.cast(pa.struct([]))
    if not pa.types.is_struct(rows.type) or rows.null_count:
        raise JsonError("expected an array of objects")
    if is_deep(rows.type):
        raise JsonError(f"expected at most {MOST_DEPTH} levels of lists and objects")
    names = [field.name for field in rows.type]
    return JsonRows(lists.value_lengths().to_pylist(), pa.table(rows.flatten(), names=names), text)


def is_deep(kind: pa.DataType) -> bool:
    """Whether a type has more than `MOST_DEPTH` levels: what works level by level must not do so without end."""
    level = [kind]
    for _ in range(MOST_DEPTH):
        level = [one.field(number).type for one in level for number in range(one.num_fields)]
        if not level:
            return False
    return True


def is_too_wide(text: bytes) -> bool:
    """Whether a table of some rows may take far more memory than their JSON, because they have different columns.

    The parser makes a cell for each column of each row. Counting different names takes longer than parsing, so it is
    done only if one of the names that are looked at in equal distances is not in the first row.
    """
    objects = text.count(b"{")
    if objects * text.count(b":") <= _MOST_CELLS:
        return False
    end = _END_OF_ROW.search(text, 0, _FIRST_BYTES)
    first = set(_NAME.findall(text, 0, _FIRST_BYTES if end is None else end.start()))
    places = range(0, len(text), max(1, len(text) // _SAMPLES))
    sample = {found[1] for place in places if (found := _NAME.search(text, place, place + _FIRST_BYTES)) is not None}
    return not sample <= first and objects * len(set(_NAME.findall(text))) > _MOST_CELLS


_MOST_CELLS: Final = 32 << 20
"""Of 8 bytes."""
_NAME: Final = re.compile(rb'"(?<!\\")([^"\\]*(?:\\.[^"\\]*)*)"\s*:', re.DOTALL)
"""No name begins at an escaped quote: a text of many would be read again from each of them."""
_END_OF_ROW: Final = re.compile(rb"\}\s*(?:,\s*\{|\n)")
_SAMPLES: Final = 1000
_FIRST_BYTES: Final = 1 << 16
_LINE_BYTES: Final = 16
"""More than the key and the braces around an array."""


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
    return _has_beyond(_leaves(column, pa.types.is_floating), EXACT_LIMIT - 1)


def has_large_integers(column: Any) -> bool:
    """Whether a column of any type has integers that no float64 equals."""
    return _has_beyond(_leaves(column, pa.types.is_integer), EXACT_LIMIT)


def _has_beyond(arrays: Iterator[Any], limit: int) -> bool:
    limits = (pc.min_max(array).as_py() for array in arrays)
    return any(max(one["max"] or 0, -(one["min"] or 0)) > limit for one in limits)


def _leaves(column: Any, is_wanted: Callable[[pa.DataType], bool]) -> Iterator[Any]:
    """The values of a type that a column has, at any depth."""
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        if is_wanted(chunk.type):
            yield chunk
        elif pa.types.is_list(chunk.type):
            yield from _leaves(chunk.flatten(), is_wanted)
        elif pa.types.is_struct(chunk.type):
            for part in chunk.flatten():
                yield from _leaves(part, is_wanted)
