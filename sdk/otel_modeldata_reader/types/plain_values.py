"""Batches whose values JSON and CSV can have: times are ISO 8601 texts with all their digits, bytes are base64."""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..exceptions import ReaderError
from .short_floats import short_floats

__all__ = ["json_rows", "plain_batch"]

_YEARS: Final = ("-32000-01-01", "32000-01-01")
_encoder: Final = msgspec.json.Encoder(enc_hook=str, decimal_format="string")


def plain_batch(batch: pa.RecordBatch, *, nested: bool) -> pa.RecordBatch:
    """A batch with columns of texts, numbers, truths and nulls.

    Args:
        batch: any.
        nested: whether lists and structures stay; else they are JSON texts.
    """
    columns = [_plain(column, nested=nested) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def json_rows(batch: pa.RecordBatch) -> bytes:
    """The rows as JSON, one object a line. What is no number (NaN) is null; a decimal is a text with all its digits.

    Whole decimals, such as the sum of integers in SQL, are numbers where 64 bits hold all of the batch.
    """
    plain = plain_batch(batch, nested=True)
    columns = [_values(column) for column in plain.columns]
    if not columns:
        return b"{}\n" * int(batch.num_rows)
    names = plain.schema.names
    rows = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return b"".join(_encoder.encode(row) + b"\n" for row in rows)


def _plain(column: Any, *, nested: bool) -> Any:  # noqa: PLR0911 (a table of kinds)
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type), nested=nested)
    if pa.types.is_nested(kind):
        column = short_floats(column)
        if nested:
            return column
        texts = [None if value is None else _encoder.encode(value).decode() for value in _values(column)]
        return pa.array(texts, pa.string())
    if (pa.types.is_timestamp(kind) or pa.types.is_date(kind)) and _has_far_years(column):
        return _far_times(column)
    if pa.types.is_timestamp(kind):
        return _times(column)
    if pa.types.is_duration(kind) or kind == pa.month_day_nano_interval():
        return pa.array([None if value is None else _span(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        texts = [None if value is None else base64.b64encode(value).decode() for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    if pa.types.is_decimal(kind) and kind.scale == 0:
        return _whole_numbers(column)
    if pa.types.is_decimal(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        return column.cast(pa.string())
    return short_floats(column) if nested else column  # CSV has the shortest text of its own


def _whole_numbers(column: Any) -> Any:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:  # one is beyond 64 bits
        return column.cast(pa.string())


def _values(column: Any) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError) as error:
        raise ReaderError(
            f"expected times of the years 1 to 9999 in lists and structures, got others: {error}: select them as "
            "columns of their own"
        ) from None
    return values


def _unit(kind: Any) -> Any:
    if pa.types.is_date32(kind):
        return "D"
    return "ms" if pa.types.is_date64(kind) else str(kind.unit)


def _has_far_years(column: Any) -> bool:
    """Whether Arrow's texts of some times are wrong: it has years of 16 bits."""
    limits = pc.min_max(column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64())).as_py()
    unit = _unit(column.type)
    if unit == "ns" or limits["min"] is None:
        return False
    first, last = (int(np.datetime64(year, unit).astype(np.int64)) for year in _YEARS)
    return bool(limits["min"] < first or limits["max"] > last)


def _far_times(column: Any) -> Any:
    """The same texts as `_times`, for any year."""
    kind = column.type
    numbers = column.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64()).to_pylist()
    zone = "Z" if pa.types.is_timestamp(kind) and kind.tz is not None else ""
    shown = f"datetime64[{'D' if pa.types.is_date(kind) else kind.unit}]"
    times = [None if one is None else np.datetime64(one, _unit(kind)).astype(shown) for one in numbers]
    return pa.array([None if one is None else f"{one}{zone}" for one in times], pa.string())


def _times(column: Any) -> Any:
    """`2026-11-22T10:00:00.000000001Z`; a time without a zone has no Z."""
    if column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    return pc.replace_substring(column.cast(pa.string()), pattern=" ", replacement="T", max_replacements=1)


def _span(value: Any) -> str:
    if isinstance(value, pa.MonthDayNano):
        return f"P{value.months}M{value.days}DT{value.nanoseconds / 1e9:.9f}S"
    import pandas as pd  # noqa: PLC0415 (slow to import)

    return str(pd.Timedelta(value).isoformat())
