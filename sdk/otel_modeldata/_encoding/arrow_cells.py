"""The cells of Arrow arrays, nested ones too. Needs pyarrow, which a frame with such a column has loaded.

Not by `to_pylist`, which makes float64 of float32 and times of Python of all others, nor by pandas, which makes floats
of integers in lists with a gap.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from .cells import array_cells, plain_all
from .column_names import ColumnNames
from .times import clock_text, duration_texts, time_texts, zoned_time_texts

_NAT: Final = -(2**63)
"""NumPy's integer for a missing time."""


def cells_of_arrow(array: Any) -> list[Any]:  # noqa: PLR0911 - one line per family of types reads best
    """The cells of an array or chunked array.

    Raises:
        TypeError: a cell has no JSON form.
        UnicodeDecodeError: text is not UTF-8.
    """
    if isinstance(array, pa.ChunkedArray):
        return [cell for chunk in array.chunks for cell in cells_of_arrow(chunk)]
    kind = array.type
    if not len(array):
        return []
    if types.is_floating(kind):
        return _with_gaps(array_cells(array.to_numpy(zero_copy_only=False)), array)
    if types.is_timestamp(kind):
        return _timestamps(array, kind)
    if types.is_date(kind):
        days = _counts(array.cast(pa.date32()), pa.int32()).view("M8[D]")
        return _with_gaps(np.datetime_as_string(days).tolist(), array)
    if types.is_duration(kind):
        return duration_texts(_counts(array).view(f"m8[{kind.unit}]"))
    if types.is_time(kind):
        counts = _counts(array, pa.int32() if types.is_time32(kind) else pa.int64()).tolist()
        return [None if count == _NAT else clock_text(count, kind.unit) for count in counts]
    if types.is_dictionary(kind):
        if len(array.dictionary) > len(array):
            return cells_of_arrow(array.dictionary_decode())
        values = [*cells_of_arrow(array.dictionary), None]
        return [values[-1 if code is None else code] for code in array.indices.to_pylist()]
    return _nested(array, kind)


def cells_of_scalar(scalar: Any) -> Any:
    """The cell of an Arrow scalar."""
    return cells_of_arrow(pa.array([scalar], type=scalar.type))[0]


def _nested(array: Any, kind: Any) -> list[Any]:
    # The order matters: several of these types have a `value_type`.
    if isinstance(kind, pa.BaseExtensionType):
        has_own_cells = type(array[0]).as_py is not pa.ExtensionScalar.as_py
        return plain_all(array.to_pylist()) if has_own_cells else cells_of_arrow(array.storage)
    if kind.id == getattr(pa.lib, "Type_RUN_END_ENCODED", None):
        return cells_of_arrow(pc.run_end_decode(array))
    if types.is_struct(kind):
        names = ColumnNames([kind.field(number).name for number in range(kind.num_fields)]).names
        fields = [cells_of_arrow(field) for field in array.flatten()]
        rows: Any = zip(*fields, strict=True) if fields else [()] * len(array)
        return _with_gaps([dict(zip(names, row, strict=True)) for row in rows], array)
    if types.is_map(kind):
        return _maps(array)
    if hasattr(kind, "value_type"):  # of a list of any kind
        return _lists(array)
    return plain_all(array.to_pylist())


def _lists(array: Any) -> list[Any]:
    cells, start = cells_of_arrow(pc.list_flatten(array)), 0
    result: list[Any] = []
    gaps = array.is_null().to_pylist()
    # A list of fixed size has a length where it is null, but no elements in the flat array.
    for length, gap in zip(pc.list_value_length(array).to_pylist(), gaps, strict=True):
        if gap:
            result.append(None)
        else:
            result.append(cells[start : start + length])
            start += length
    return result


def _maps(array: Any) -> list[Any]:
    """Each map as a list of pairs: its keys need not be text, and may be repeated."""
    offsets = array.offsets.to_pylist()
    first, count = offsets[0], offsets[-1] - offsets[0]
    keys, items = (cells_of_arrow(part.slice(first, count)) for part in (array.keys, array.items))
    pairs = [list(pair) for pair in zip(keys, items, strict=True)]
    return _with_gaps([pairs[start - first : end - first] for start, end in pairwise(offsets)], array)


def _timestamps(array: Any, kind: Any) -> list[Any]:
    times = _counts(array).view(f"M8[{kind.unit}]")
    if kind.tz is None:
        return time_texts(times)
    return zoned_time_texts(pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(kind.tz).array)


def _counts(array: Any, integers: Any = None) -> Any:
    """The integers behind times, as int64; a gap is NaT."""
    return array.cast(integers or pa.int64()).cast(pa.int64()).fill_null(_NAT).to_numpy(zero_copy_only=False)


def _with_gaps(cells: list[Any], array: Any) -> list[Any]:
    if not array.null_count:
        return cells
    return [None if gap else cell for cell, gap in zip(cells, array.is_null().to_pylist(), strict=True)]
