"""The dtypes of the frame that rows would be, without the rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..rows.frames import to_pandas
from ..types.data_types import CODE_KEY
from .parquet_types import as_written, table_of_frame

__all__ = ["Description", "FrameSample"]

_ROWS: Final = 3
_KEY: Final = b"pandas"
_TEXT_CODES: Final = (b"", b"O")
"""Of columns of objects that are texts; pandas 2 reads texts as such objects."""


@dataclass(frozen=True, slots=True)
class Description:
    """How pandas describes a frame in a file.

    Attributes:
        metadata: the value of the key `pandas`.
        notes: columns that have another dtype when pandas reads the file.
    """

    metadata: bytes
    notes: tuple[str, ...]


class FrameSample:
    """A few values of each column that have the same dtype in a frame as all of them.

    These are the least and the greatest integer, and a null if there is one.

    Args:
        schema: of the rows.
        written: the columns as the file has them.
    """

    def __init__(self, schema: pa.Schema, written: pa.Schema) -> None:
        self._schema = schema
        self._written = {field.name: field.type for field in written}
        self._ends: list[list[int]] = [[] for _ in schema]
        self._has_null = [False] * len(schema)

    def add(self, batch: pa.RecordBatch) -> None:
        """See some rows."""
        for place, column in enumerate(batch.columns):
            self._has_null[place] |= column.null_count > 0
            if pa.types.is_integer(column.type) and len(column) > column.null_count:
                found = pc.min_max(column).as_py()
                values = [*self._ends[place], found["min"], found["max"]]
                self._ends[place] = [min(values), max(values)]

    def description(self) -> Description:
        """How pandas describes the frame of all rows seen."""
        columns: list[dict[str, Any]] = []
        notes = []
        found: dict[str, Any] = {}
        for field, ends, has_null in zip(self._schema, self._ends, self._has_null, strict=True):
            schema = pa.schema([field])
            sample = _sample(field.type, ends, has_null=has_null)
            kind = self._written.get(field.name, field.type)
            own = to_pandas(pa.table([sample], schema=schema))
            is_same = _is_read_again(own, field.name, kind)
            frame = own if is_same else _plain_frame(pa.table([sample], schema=schema), kind)
            found = json.loads(table_of_frame(frame).schema.metadata[_KEY])
            columns += found["columns"]
            dtype, other = _shown(own), _shown(frame)
            code = (field.metadata or {}).get(CODE_KEY, b"")
            if pa.types.is_dictionary(kind):  # pandas reads all of these with texts
                other = f"category of {pd.Index(['text']).dtype!r}"
                if other == dtype and code.startswith(b"c[O["):  # pandas 2 has texts as objects, too
                    other = "category of texts"
            elif pa.types.is_string(kind) and _is_object(own) and not (other == dtype and code in _TEXT_CODES):
                other = "text"
            if other != dtype:
                notes.append(f"column {field.name!r} is {dtype} here, and {other} when pandas reads the file")
        return Description(json.dumps(found | {"columns": columns}).encode(), tuple(notes))


def _sample(kind: Any, ends: list[int], *, has_null: bool) -> Any:
    if pa.types.is_integer(kind) and ends:
        return pa.array([*ends, None if has_null else ends[0]], kind)
    if pa.types.is_boolean(kind) and not has_null:
        return pa.array([True] * _ROWS, kind)
    if pa.types.is_null(kind) or has_null or not pa.types.is_primitive(kind):
        return pa.nulls(_ROWS, kind)
    return pa.array([0] * _ROWS, pa.int64()).cast(kind) if _has_zero(kind) else pa.nulls(_ROWS, kind)


def _has_zero(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind) and not pa.types.is_float16(kind))


def _plain(name: str, kind: Any) -> pa.Schema:
    return pa.schema([pa.field(name, kind)])


def _plain_frame(table: pa.Table, kind: Any) -> Any:
    schema = _plain(table.column_names[0], kind)
    return pa.table(as_written(table, schema).columns, schema=schema).to_pandas()


def _is_read_again(frame: Any, name: str, kind: Any) -> bool:
    """Whether pandas reads a column with its dtype, if the file has it by this type and says so."""
    try:
        own = table_of_frame(frame)
        if not _is_alike(own.schema.field(0).type, kind):
            return False
        described = _plain(name, kind).with_metadata(own.schema.metadata)
        again = pa.table([own[0].cast(kind)], schema=described).to_pandas()
    except (TypeError, ValueError, NotImplementedError, pa.ArrowException):  # what pandas and Arrow say of such a dtype
        return False
    return _shown(again) == _shown(frame)


def _is_alike(one: Any, other: Any) -> bool:
    if pa.types.is_dictionary(one) and pa.types.is_dictionary(other):
        return _is_alike(one.value_type, other.value_type)
    texts = (pa.types.is_string, pa.types.is_large_string)
    return bool(one == other) or all(any(is_text(kind) for is_text in texts) for kind in (one, other))


def _shown(frame: Any) -> str:
    """The dtype of the only column."""
    dtype = frame.dtypes.iloc[0]
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        return f"category of {categories.dtype!r}"
    shown = f"{dtype!r}"
    # pandas 2 shows Arrow's texts as it shows its own.
    return "Arrow's string" if shown == "string[pyarrow]" and isinstance(dtype, pd.ArrowDtype) else shown


def _is_object(frame: Any) -> bool:
    return bool(frame.dtypes.iloc[0].kind == "O" and frame.dtypes.iloc[0] == "object")
