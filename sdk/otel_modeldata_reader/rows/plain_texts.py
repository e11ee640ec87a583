"""The JSON texts of the values of a column: what a reading has where no type holds all values of a column.

A line has the text itself. Of values in Parquet it must be made again, which is certain for some types only. So a
compaction compares the two, and keeps the texts of a column where they differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from ..types.flat_rows import flat_rows
from .json_kinds import decode_rows, plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["texts_in_rows", "texts_of_values"]


def texts_of_values(column: Any) -> Any:
    """The texts of the values of a column; None for types whose texts are not known."""
    kind = column.type
    if types.is_dictionary(kind):
        return texts_of_values(column.cast(kind.value_type))
    if types.is_boolean(kind):
        return pc.if_else(column, "true", "false")
    if types.is_floating(kind):
        return _floats(column)
    return column.cast(pa.string()) if types.is_integer(kind) or types.is_string(kind) or types.is_null(kind) else None


def _floats(column: Any) -> Any:
    """The shortest texts that are read as the same numbers."""
    shown = repr if types.is_float64(column.type) else lambda value: str(np.float32(value))
    return pa.array([None if value is None else shown(value) for value in column.to_pylist()], pa.string())


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
