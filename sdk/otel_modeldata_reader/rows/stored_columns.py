"""The columns of the Parquet files of a compacted folder, and the values that they keep of a line."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from pyarrow import types

from ..compacted.part_file import BLOB
from ..types import parse
from ..types.categories import with_categories
from ..types.nested import as_dictionary, is_run_end_encoded, run_end_encoded
from .envelope_columns import ENVELOPE, free_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "BLOB",
    "DATA",
    "EVENT",
    "LINE",
    "ORIGIN",
    "ROW",
    "own_schema",
    "restored",
    "storage_type",
    "stored_names",
    "text_name",
]

LINE: Final = "_line"
"""The number of the line in the blob, from 1."""
ROW: Final = "_row"
"""The number of the row in its event, from 0; it is in the row's id."""
EVENT: Final = "_event"
"""The JSON of the line without its `data`; only in the first row of an event."""
DATA: Final = "data"
"""The JSON of `data`, in a file of events."""
ORIGIN: Final = pa.schema([(BLOB, pa.string()), (LINE, pa.int64()), (ROW, pa.int32()), (EVENT, pa.string())])
"""The columns of a row that say where it is from."""


@lru_cache(maxsize=256)
def stored_names(columns: tuple[str, ...]) -> tuple[str, ...]:
    """The names of own columns in a file: another one where the file has that name already."""
    taken = {*ENVELOPE.names, *ORIGIN.names, *columns}
    names = []
    for name in columns:
        stored = name
        if name in ENVELOPE.names or name in ORIGIN.names:
            stored = free_name(name, taken)
            taken.add(stored)
        names.append(stored)
    return tuple(names)


def text_name(stored: str, names: Sequence[str]) -> str:
    """The column that has the JSON texts of an own column: the other one cannot say them."""
    return free_name(f"_text.{stored}", {*ENVELOPE.names, *ORIGIN.names, *names})


def own_schema(text: str, columns: Sequence[str]) -> pa.Schema:
    """The own columns of a file of rows, as a line that says these types has them.

    Args:
        text: the `datatypes` of the lines.
        columns: the names.

    Raises:
        TypesError: the text is none.
        RowsMismatchError: the text has another number of columns.
    """
    return parse(text).schema(columns)


def storage_type(kind: Any) -> Any:
    """The type by which Parquet has a column; None where it has none that gives the values back."""
    if types.is_dictionary(kind) or is_run_end_encoded(kind):
        return storage_type(kind.value_type)
    if types.is_float16(kind):
        return pa.float32()
    if isinstance(kind, pa.BaseExtensionType) or types.is_union(kind) or kind == pa.month_day_nano_interval():
        return None
    return kind


def restored(column: Any, field: pa.Field, code: str) -> Any:
    """An own column as a line has it, of what a file has.

    Raises:
        ValueError: a value is none of the type.
    """
    kind = field.type
    if types.is_dictionary(kind):
        if not types.is_dictionary(column.type):
            column = column.cast(storage_type(kind))
        chunks = [with_categories(_encoded(chunk, kind), code) for chunk in column.chunks]
        return pa.chunked_array(chunks, kind)
    if is_run_end_encoded(kind):
        return pa.chunked_array([run_end_encoded(chunk, kind) for chunk in column.chunks], kind)
    return column if column.type == kind else column.cast(kind)


def _encoded(chunk: Any, kind: Any) -> Any:
    if not types.is_dictionary(chunk.type):
        return as_dictionary(chunk, kind)
    return pa.DictionaryArray.from_arrays(
        chunk.indices.cast(kind.index_type), chunk.dictionary.cast(kind.value_type), ordered=kind.ordered
    )
