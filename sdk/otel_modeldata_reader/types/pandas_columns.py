"""Columns of pandas with the dtypes that were collected."""

from __future__ import annotations

import datetime as dt
import decimal
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from .arrow_types import is_json_text
from .clock_texts import duration_count
from .data_types import CODE_KEY
from .grammar import categories_in, parsed, text_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from .grammar import Code

__all__ = ["series_of", "to_pandas"]

_pd: Final[Any] = pd
"""Its stubs know fewer dtypes than it has."""
_NAT: Final = -(2**63)
_NO_VALUES: Final = (ArithmeticError, LookupError, TypeError, ValueError, msgspec.DecodeError, pa.ArrowException)
"""What is raised for a text that is no value of a type; pandas raises the first ones."""
_NUMPY: Final = re.compile(r">?[biuf]\d*")


def to_pandas(table: Any, unconverted: Callable[[str], object] = lambda _: None) -> pd.DataFrame:
    """A frame of a table; its columns have the dtypes that were collected.

    A column of integers or truths that has nulls, as after a join, gets pandas' nullable dtype. A column without a code
    is converted by Arrow's rules.

    Args:
        table: its fields have their codes in the metadata.
        unconverted: called with the name of each column that has a cell which is no value of its code, as no SDK writes
            it. This column is converted by Arrow's rules, too: its periods or objects are texts.
    """
    rows, names = len(table), table.schema.names
    series = [series_of(column, field, unconverted) for column, field in zip(table.columns, table.schema, strict=True)]
    frame = pd.DataFrame(dict(enumerate(series)), index=pd.RangeIndex(rows))
    frame.columns = pd.Index(names)
    return frame


def series_of(column: Any, field: Any, unconverted: Callable[[str], object] = lambda _: None) -> Any:
    """A column as a Series with the dtype that was collected; its memory is its own.

    Args:
        column: of a table.
        field: it has the code in its metadata.
        unconverted: called with the name of the column, as for `to_pandas`.
    """
    code = ((field.metadata or {}).get(CODE_KEY) or b"").decode()
    if _NUMPY.fullmatch(code) and not column.null_count:
        return pd.Series(_copied(column, _numpy(code)), copy=False)
    try:
        values = column_of(column, code) if code else column.to_pandas()
    except _NO_VALUES:
        unconverted(field.name)
        values = column.to_pandas()
    # A Series of objects stays one; pandas looks for another type in an array of them.
    return pd.Series(values, dtype=values.dtype, copy=True)


def _copied(column: Any, dtype: np.dtype[Any]) -> Any:
    """The chunks of a column of numbers, each copied once, to where it stays."""
    values, start = np.empty(len(column), dtype), 0
    for chunk in column.chunks:
        values[start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=False)
        start += len(chunk)
    return values


def column_of(column: Any, code: str) -> Any:
    """The pandas or NumPy array of a chunked array whose column had this code."""
    parts = parsed(code)
    if is_json_text(code):
        return _objects([None if text is None else _read_json(text, code) for text in column.to_pylist()])
    if _NUMPY.fullmatch(parts.word):
        return _numbers(column, parts.word)
    make = _MAKERS.get(parts.word)
    if make is not None:
        return make(column, parts)
    return _pd.api.types.pandas_dtype(parts.word).__from_arrow__(column)


def _numbers(column: Any, word: str) -> Any:
    dtype = _numpy(word)
    if not column.null_count:
        return column.to_numpy().astype(dtype, copy=False)
    if dtype.kind == "f":
        return np.array([np.nan if value is None else value for value in column.to_pylist()], dtype)
    name = "boolean" if dtype.kind == "b" else dtype.newbyteorder("=").name.replace("i", "I", 1).replace("u", "U", 1)
    return _pd.api.types.pandas_dtype(name).__from_arrow__(column)


def _numpy(word: str) -> np.dtype[Any]:
    """The dtype of a number."""
    return np.dtype({"b": "bool", "f16": "longdouble"}.get(word, word))


def _counts(column: Any, dtype: str) -> Any:
    """Times as an array of NumPy."""
    return column.cast(pa.int64()).fill_null(_NAT).to_numpy().view(dtype)


def _times(column: Any, parts: Code) -> Any:
    return _counts(column, f"M8[{parts.items[0]}]").astype(f"{parts.word}[{parts.items[0]}]")


def _durations(column: Any, parts: Code) -> Any:
    return _counts(column, f"m8[{parts.items[0]}]").astype(f"{parts.word}[{parts.items[0]}]")


def _zoned(column: Any, parts: Code) -> Any:
    unit, zone = parts.items
    moments = pd.DatetimeIndex(_counts(column, f"M8[{unit}]")).tz_localize("UTC")
    try:
        return moments.tz_convert(text_in(zone)).array
    except (KeyError, ValueError, TypeError):  # a zone that is not known here
        return moments.array


def _texts(column: Any, parts: Code) -> Any:
    storage = "python" if parts.items == ("python",) else "pyarrow"
    if parts.word == "string":
        return _pd.StringDtype(storage).__from_arrow__(column)
    try:
        return _pd.StringDtype(storage, na_value=np.nan).__from_arrow__(column)
    except TypeError:  # an old release of pandas
        return _pd.StringDtype(storage).__from_arrow__(column)


def _categories(column: Any, parts: Code) -> Any:
    categories = categories_in(parts)
    column = pa.chunked_array(column.chunks, column.type).unify_dictionaries().combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # an old release of Arrow
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    values = pa.chunked_array([column.dictionary])
    if categories.texts is not None:
        return pd.Categorical.from_codes(codes, _index(values, categories.code), ordered=categories.ordered)
    used = np.unique(codes[codes >= 0])
    places = np.full(len(values) + 1, -1)
    index = _index(values.take(pa.array(used)), categories.code)
    try:
        order = np.asarray(index.argsort())
    except TypeError:  # values that cannot be compared
        order = np.arange(len(used))
    places[used[order]] = np.arange(len(used))
    return pd.Categorical.from_codes(places[codes], index.take(order))


def _index(values: Any, code: str) -> Any:
    column = column_of(values, code)
    return _pd.Index(column, dtype=column.dtype)


def _periods(column: Any, parts: Code) -> Any:
    dtype = _pd.PeriodDtype(text_in(parts.items[0]))
    unit = _PERIODS.get(str(dtype)[len("period[") : -1])
    if unit is not None:
        counts = np.array(["NaT" if text is None else text for text in column.to_pylist()], f"M8[{unit}]")
        return _pd.arrays.PeriodArray(counts.astype(np.int64), dtype=dtype)
    # The text of a week has both of its ends.
    texts = [text and text.partition("/")[0] for text in column.to_pylist()]
    try:
        return _pd.array([text and _pd.Period(text, dtype.freq) for text in texts], dtype=dtype)
    except ValueError:  # pandas cannot read some years above 9999, which it can write
        return _objects(column.to_pylist())


_PERIODS: Final = {
    **{unit: unit for unit in ("M", "D", "h", "s", "ms", "us", "ns")},
    "H": "h",
    "T": "m",
    "min": "m",
    "S": "s",
    "L": "ms",
    "U": "us",
    "N": "ns",
}
"""Frequencies, also by the names that old releases of pandas have, whose periods NumPy counts as pandas does."""


def _intervals(column: Any, parts: Code) -> Any:
    subtype, closed = parts.items
    texts = column.to_pylist()
    ends = [(None, None) if text is None else _ends(text) for text in texts]
    kind = parsed(subtype)
    left, right = (_bounds(list(side), kind) for side in (zip(*ends, strict=True) if ends else ((), ())))
    return _pd.arrays.IntervalArray.from_arrays(left, right, closed=closed)


def _ends(text: str) -> tuple[str, str]:
    left, comma, right = text[1:-1].rpartition(", ")
    if text[:1] not in ("[", "(") or text[-1:] not in ("]", ")") or not comma:
        raise ValueError(text)
    return left, right


def _bounds(texts: list[Any], kind: Code) -> Any:
    if kind.word in ("M8", "datetime64"):
        unit, *zone = kind.items
        dtype: Any = _pd.DatetimeTZDtype(unit, text_in(zone[0])) if zone else f"M8[{unit}]"
        return pd.DatetimeIndex([None if text is None else pd.Timestamp(text) for text in texts], dtype=dtype)
    if kind.word == "m8":
        spans = [None if text is None else pd.Timedelta(text) for text in texts]
        return _pd.TimedeltaIndex(spans, dtype=f"m8[{kind.items[0]}]")
    read: Callable[[str], Any] = float if kind.word[0] == "f" else int
    has_gaps = None in texts
    dtype = "f8" if has_gaps else kind.word
    return _pd.Index([np.nan if text is None else read(text) for text in texts], dtype=dtype)


def _sparse(column: Any, parts: Code) -> Any:
    subtype, fill = parts.items
    values = column_of(column, subtype)
    kind = values.dtype
    if not isinstance(kind, np.dtype):  # nulls where no subtype has them
        return values
    return pd.arrays.SparseArray(values, dtype=pd.SparseDtype(kind, _fill(text_in(fill), kind)))


def _fill(text: str, kind: np.dtype[Any]) -> Any:
    if kind.kind == "b":
        return text == "True"
    if kind.kind in "Mm":
        return kind.type("NaT") if text == "NaT" else np.array([text]).astype(kind)[0]
    if kind.kind == "O":
        return np.nan if text == "nan" else None if text == "None" else text
    if kind.kind in "iu" and text.lstrip("-").isdigit():
        return kind.type(int(text))
    return kind.type(text) if kind.kind == "f" else np.float64(text)


def _arrow(column: Any, _: Code) -> Any:
    return pd.arrays.ArrowExtensionArray(column)


def _cells(column: Any, parts: Code) -> Any:
    values = column.to_pylist()
    if not parts.items:
        return _objects(values)
    (item,) = parts.items
    inner = parsed(item)
    if inner.word == "list":
        return _objects(values)
    if inner.word == "array":
        dtype = _numpy(inner.items[0])
        # In an array of floats, None becomes NaN.
        return _objects([None if value is None else np.array(value, dtype=dtype) for value in values])
    read = _OBJECTS.get(item)
    if read is None and item not in _SAME:
        read = _numpy(item).type
    return _objects(values if read is None else [None if value is None else read(value) for value in values])


def _objects(values: list[Any]) -> Any:
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):  # a list of lists would become an array of two dimensions
        column[row] = value
    return column


def _read_json(text: str, code: str) -> Any:
    if code == "O[decimal]":
        return decimal.Decimal(text)
    value = msgspec.json.decode(text)
    return tuple(value) if code == "O[tuple]" else value


_OBJECTS: Final[dict[str, Callable[[Any], Any]]] = {
    "time": dt.time.fromisoformat,
    "datetime": dt.datetime.fromisoformat,
    "timedelta": lambda text: dt.timedelta(microseconds=duration_count(text, "us")),
    "Timestamp": pd.Timestamp,
    "Timedelta": pd.Timedelta,
    "uuid": uuid.UUID,
}
"""Kinds of objects whose Arrow column has text."""
_SAME: Final = frozenset({"bool", "int", "float", "bytes", "date"})
"""Kinds of objects that Arrow gives as they were."""
_MAKERS: Final[dict[str, Callable[[Any, Code], Any]]] = {
    **dict.fromkeys(("M8", ">M8"), _times),
    **dict.fromkeys(("m8", ">m8"), _durations),
    "datetime64": _zoned,
    **dict.fromkeys(("s", "string"), _texts),
    "c": _categories,
    "period": _periods,
    "interval": _intervals,
    "Sparse": _sparse,
    "arrow": _arrow,
    "O": _cells,
}
"""By the word of the code; the nullable dtypes have pandas' own names."""
