"""Filters of the page: decoded from JSON, and as conditions in SQL. All filters must hold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.window import window_of

from .sql import Sql, joined, moment
from .texts import is_short, short_text

if TYPE_CHECKING:
    from ..tables.piece import Kind

__all__ = ["Filter", "condition", "parse_filters"]

_MOST_FILTERS: Final = 64
_MOST_VALUES: Final = 1_000
_MOST_BYTES: Final = 256 << 10
_EXACT: Final = 2**53
_WIDEST: Final = 2**127
"""DuckDB's largest integers are smaller."""
_FORM: Final = '{"column": "inputs.age", "op": "between", "low": 40, "high": 50}'


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A condition for one column.

    Attributes:
        column: with its role, such as `inputs.age`; or `time`, `latency_ms`, `status`, `correlationid`.
        op: `between` two values, `in` a list of values, `null` or `not_null`.
        low: from this value on; None is open. Of times an ISO 8601 text, or seconds since the epoch.
        high: up to, not including, this value; None is open.
        closed: whether `high` is included.
        values: of `in`: numbers and times as `low` is, others compared as texts. A long text may be its short form in a
            facet.
    """

    column: str
    op: Literal["between", "in", "null", "not_null"]
    low: int | float | str | None = None
    high: int | float | str | None = None
    closed: bool = False
    values: tuple[str | int | float | bool | None, ...] = ()


def parse_filters(text: str) -> tuple[Filter, ...]:
    """The filters of a JSON list; none for an empty text.

    Raises:
        ReaderError: it is no list of filters.
    """
    if not text:
        return ()
    if len(text) > _MOST_BYTES:
        raise ReaderError(f"expected filters of at most {_MOST_BYTES:,} bytes, got {len(text):,}: remove some")
    try:
        found = msgspec.json.decode(text, type=tuple[Filter, ...])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeEncodeError) as error:
        raise ReaderError(f"expected a JSON list of filters such as [{_FORM}], got another text: {error}") from None
    if len(found) > _MOST_FILTERS or any(len(one.values) > _MOST_VALUES for one in found):
        raise ReaderError(f"expected at most {_MOST_FILTERS} filters of {_MOST_VALUES:,} values, got more: remove some")
    return found


def condition(one: Filter, column: str, kind: Kind) -> Sql:
    """A filter in SQL.

    Args:
        one: the filter.
        column: the expression of its column.
        kind: of the column.

    Raises:
        ReaderError: the filter does not fit the column.
    """
    if one.op == "null":
        return Sql(f"({column} IS NULL)")
    if one.op == "not_null":
        return Sql(f"({column} IS NOT NULL)")
    if one.op == "in":
        return _in(one, column, kind)
    bounds = [("low", ">=", one.low), ("high", "<=" if one.closed else "<", one.high)]
    if kind == "time":
        parts = [
            Sql(_compared(one, column, sign, _time(name, value))) for name, sign, value in bounds if value is not None
        ]
    elif kind in {"number", "integer"}:
        parts = [
            Sql(f"{column} {sign} ?", (_number(name, value),)) for name, sign, value in bounds if value is not None
        ]
        if kind == "number":
            parts.append(Sql(f"NOT isnan(CAST({column} AS DOUBLE))"))
    else:
        raise ReaderError(f"expected a column of numbers or times for 'between', got {one.column!r:.80}: use 'in'")
    parts = parts or [Sql(f"{column} IS NOT NULL")]
    return "(" + joined(" AND ", parts) + ")"


def _in(one: Filter, column: str, kind: Kind) -> Sql:
    known = [value for value in one.values if value is not None]
    parts = []
    if kind in {"number", "integer"}:
        numbers = [_number("value", value) for value in known]
        if numbers:
            parts.append(Sql(f"{column} IN ({', '.join('?' for _ in numbers)})", tuple(numbers)))
    elif kind == "time":
        parts += [Sql(_compared(one, column, "=", _time("value", value))) for value in known]
    elif known:
        texts = tuple(value if isinstance(value, str) else msgspec.json.encode(value).decode() for value in known)
        text = column if kind == "text" else f"CAST({column} AS VARCHAR)"
        parts.append(Sql(f"{text} IN ({', '.join('?' for _ in texts)})", texts))
        if short := tuple(value for value in texts if is_short(value)):
            parts.append(Sql(f"{short_text(text)} IN ({', '.join('?' for _ in short)})", short))
    if len(known) < len(one.values):
        parts.append(Sql(f"{column} IS NULL"))
    if not parts:
        return Sql("(false)")
    return "(" + joined(" OR ", parts) + ")"


def _compared(one: Filter, column: str, sign: str, nanoseconds: int) -> str:
    """A column of times compared with a moment.

    DuckDB compares naive times in nanoseconds with no time that has a zone, and other times only where they have
    nanoseconds (1677 to 2262): the others are compared in microseconds.
    """
    if one.column == "time":  # of the envelope; so DuckDB skips row groups
        return f"{column} {sign} {moment(nanoseconds)}"
    least = moment(nanoseconds // 1_000 * 1_000).replace("TIMESTAMPTZ_NS", "TIMESTAMPTZ", 1)
    return (
        f"coalesce(TRY_CAST({column} AS TIMESTAMPTZ_NS) {sign} {moment(nanoseconds)}, "
        f"CAST({column} AS TIMESTAMPTZ) {sign} {least})"
    )


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or value is None:
        raise ReaderError(f"expected a number as {name} of a filter, got {value!r}: write one")
    if isinstance(value, str):
        try:
            return int(value) if value.lstrip("-").isdigit() and len(value) < 39 else float(value)
        except ValueError:
            raise ReaderError(f"expected a number as {name} of a filter, got {value!r:.80}: write one") from None
    if isinstance(value, int) and abs(value) < _WIDEST:
        return value
    try:
        number = float(value)
    except OverflowError:
        raise ReaderError(f"expected a number as {name} of a filter, got a larger one than floats are") from None
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _time(name: str, value: Any) -> int:
    if isinstance(value, str):
        found = window_of(value, None).since
        assert found is not None  # noqa: S101 - a text is a moment, or an error
        return found
    if isinstance(value, bool) or abs(value) > 9_000_000_000 or not math.isfinite(value):
        raise ReaderError(f"expected a time as {name} of a filter, got {value!r}: write an ISO 8601 text")
    return round(float(value) * 1_000_000_000)
