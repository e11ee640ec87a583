"""The JSON texts of the values of a column: what a reading has where no type holds all values of a column.

A line has the text itself. Of values in Parquet it must be made again, as the SDK makes it; other writers may do it in
another way. So a compaction compares the two, and keeps the texts of a column where they differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from ..types.flat_rows import flat_rows
from .json_kinds import decode_rows, plain_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["texts_in_rows", "texts_of_values"]


def texts_of_values(column: Any) -> Any:
    """The texts of the values of a column, an array; None for types whose texts are not known."""
    return _texts(pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) and column.chunks else column)


def texts_in_rows(payloads: Sequence[bytes], names: Sequence[str]) -> Mapping[str, Any]:
    """The text of each value in the rows of some events, by column.

    Args:
        payloads: the rows of each event, an array of objects.
        names: the keys of each object, in their order.
    """
    rows = flat_rows(payloads, names)
    found = {} if rows is None else {name: cells.plain() for name, cells in rows.columns.items()}
    if rows is not None and all(column is not None for column in found.values()):
        return found
    every = [row for payload in payloads for row in decode_rows(payload) or ()]
    return {
        name: pa.array([plain_text(row[name]) if name in row else None for row in every], pa.string()) for name in names
    }


def _texts(array: Any) -> Any:
    """Likewise, of an array."""
    kind = array.type
    if types.is_dictionary(kind):
        return _texts(array.cast(kind.value_type))
    made = next((make for is_kind, make in _MAKERS if is_kind(kind)), None)
    return None if made is None else made(array)


def _doubles(array: Any) -> Any:
    texts = msgspec.json.encode(array.to_pylist())[1:-1].decode().split(",") if len(array) else []
    return pc.if_else(array.is_valid(), pa.array(texts, pa.string()), None)


def _singles(array: Any) -> Any:
    texts = pc.replace_substring(array.cast(pa.string()), "e+", "e")
    is_whole = pc.invert(pc.match_substring_regex(texts, "[.e]"))
    return pc.if_else(is_whole, pc.binary_join_element_wise(texts, ".0", ""), texts)


def _moments(array: Any) -> Any:
    """ISO 8601 with as many digits as a value has: none, six or nine."""
    if array.type.tz not in {None, "UTC"}:
        return None
    texts = pc.replace_substring(array.cast(pa.string()), " ", "T", max_replacements=1)
    texts = pc.replace_substring_regex(texts, r"\.0+(Z?)$", r"\1")
    texts = pc.replace_substring_regex(texts, r"(\.\d{3})(Z?)$", r"\1000\2")
    texts = pc.replace_substring_regex(texts, r"(\.\d{6})000(Z?)$", r"\1\2")
    return pc.replace_substring_regex(texts, "Z$", "+00:00")


def _lists(array: Any) -> Any:
    kind = array.type
    if types.is_float32(kind.value_type) or types.is_float64(kind.value_type):
        values = array.flatten()
        texts = pc.fill_null(_texts(values), "null")
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        offsets = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths.cast(pa.int64()))])
        inner = pc.binary_join(pa.LargeListArray.from_arrays(offsets, texts), ",")
        joined = pc.binary_join_element_wise("[", inner, "]", "")
        return pc.if_else(array.is_valid(), joined, None)
    if types.is_integer(kind.value_type) or types.is_string(kind.value_type) or types.is_boolean(kind.value_type):
        cells = array.to_pylist()
        return pa.array([None if cell is None else msgspec.json.encode(cell).decode() for cell in cells], pa.string())
    return None


def _as_arrow(array: Any) -> Any:
    return array.cast(pa.string())


_MAKERS: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...]] = (
    (types.is_boolean, lambda array: pc.if_else(array, "true", "false")),
    (types.is_float64, _doubles),
    (types.is_float32, _singles),
    (types.is_timestamp, _moments),
    (types.is_list, _lists),
    (types.is_large_list, _lists),
    (types.is_integer, _as_arrow),
    (types.is_string, _as_arrow),
    (types.is_null, _as_arrow),
    (types.is_date32, _as_arrow),
)
