"""The values of one row, each with its place in the baseline."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from otel_modeldata_reader.exceptions import WindowError
from otel_modeldata_reader.reporting.profiles.kinds import short_category
from otel_modeldata_reader.window import window_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile

    from ..profiles.ranks import Rank
    from ..tables.deployment_rows import Side

__all__ = ["Place", "RowValue", "exact_values", "place_of", "row_cells", "row_values"]

_MOST_COLUMNS: Final = 2_000
_MOST_TEXT: Final = 4 << 10
_EXACT: Final = 2**53
"""Up to here a float has every whole number."""
_MOST_EXACT: Final = 20
"""Columns of a row whose places need a query."""
_rows: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value is among those of the baseline.

    Attributes:
        percentile: of numbers and times: how many percent of the baseline are lower, and half of those that are equal.
        is_new: whether the baseline has no such category.
        is_null: whether it is null.
        share: of categories: the share of rows of the baseline that have it; of a null, that of nulls.
        low: the 5 % quantile of the baseline.
        high: the 95 % quantile.
    """

    percentile: float | None = None
    is_new: bool = False
    is_null: bool = False
    share: float | None = None
    low: float | None = None
    high: float | None = None


class RowValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a row; long texts are `{"cut": text, "length": n}`, and nested ones are texts of JSON."""

    column: str
    kind: str
    value: Any
    place: Place | None = None


def row_cells(content: bytes, number: int | None) -> dict[str, msgspec.Raw]:
    """The cells of one row of an event, as JSON; empty if the content has no such row.

    Args:
        content: of the event.
        number: of the row; None is the first one.
    """
    try:
        found = _rows.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    at = number or 0
    return found[at] if at < len(found) else {}


def exact_values(
    role: str, cells: Mapping[str, msgspec.Raw], profiles: Mapping[str, ColumnProfile | None]
) -> dict[str, int]:
    """The whole numbers of a row whose places need a rank: the baseline has numbers that floats do not hold apart.

    Args:
        role: prefix of its columns.
        cells: of the row.
        profiles: of the baseline, by the names of columns with their role.
    """
    found: dict[str, int] = {}
    for own, raw in cells.items():
        profile = profiles.get(name := f"{role}.{own}")
        if profile is None or not len(profile.values) or len(found) >= _MOST_EXACT:
            continue
        value, _ = _value(bytes(raw))
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and (profile.are_rounded or abs(value) >= _EXACT):
            found[name] = value
    return found


def row_values(
    role: str,
    cells: Mapping[str, msgspec.Raw],
    side: Side | None,
    profiles: Mapping[str, ColumnProfile | None],
    ranks: Mapping[str, Rank],
) -> list[RowValue]:
    """The values of a row.

    Args:
        role: prefix of its columns.
        cells: of the row.
        side: its collection, which knows the kinds of its columns; None if it is not known.
        profiles: of the baseline, by the names of columns with their role.
        ranks: of `exact_values` in the baseline.
    """
    columns = {} if side is None else side.columns
    values = []
    for name, raw in list(cells.items())[:_MOST_COLUMNS]:
        value, is_whole = _value(bytes(raw))
        known = columns.get(name)
        kind = _kind(value) if known is None else known.kind
        profile, rank = profiles.get(f"{role}.{name}"), ranks.get(f"{role}.{name}")
        place = place_of(value, kind, profile, rank) if profile is not None and is_whole else None
        values.append(RowValue(column=f"{role}.{name}", kind=kind, value=_shown(value), place=place))
    return values


def place_of(value: Any, kind: str, baseline: ColumnProfile, rank: Rank | None = None) -> Place | None:
    """Where a value is in a baseline; None where they cannot be compared, and where the place says nothing.

    Args:
        value: as JSON has it.
        kind: of its column.
        baseline: of the column.
        rank: of the value, where floats do not hold the numbers of the baseline apart.
    """
    rows = baseline.summary.rows
    if value is None:
        return Place(is_null=True, share=baseline.summary.nulls / rows if rows else None)
    if len(baseline.values):
        number = _number(value, kind)
        if number is None or (kind == "time" and number > baseline.values.max()):
            return None  # a moment after a baseline that is over says nothing
        return _percentile(number, baseline, rank)
    if baseline.kind == "text":
        return None  # of ids nearly each is new
    if baseline.categories:
        count = baseline.categories.get(short_category(_text(value)), 0)
        return Place(is_new=not count, share=count / rows)
    return None


def _percentile(number: float, baseline: ColumnProfile, rank: Rank | None) -> Place:
    values = baseline.values
    low, high = (float(one) for one in np.quantile(values, [0.05, 0.95]))
    if rank is not None and rank.of:
        return Place(percentile=100 * (rank.lower + rank.equal / 2) / rank.of, low=low, high=high)
    if baseline.are_rounded:
        return Place(low=low, high=high)
    lower = int(np.count_nonzero(values < number))
    equal = int(np.count_nonzero(values == number))
    return Place(percentile=100 * (lower + equal / 2) / len(values), low=low, high=high)


def _value(raw: bytes) -> tuple[Any, bool]:
    """A cell, and whether it is whole."""
    if len(raw) > 4 * _MOST_TEXT:
        text = raw[: 4 * _MOST_TEXT].decode(errors="replace").removeprefix('"')
        return {"cut": text[:_MOST_TEXT], "length": len(raw)}, False
    try:
        return msgspec.json.decode(raw), True
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw.decode(errors="replace"), False


def _shown(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"cut", "length"}:
        return value
    if isinstance(value, (dict, list)):
        value = msgspec.json.encode(value).decode()
    if isinstance(value, str) and len(value) > _MOST_TEXT:
        return {"cut": value[:_MOST_TEXT], "length": len(value)}
    return value


def _kind(value: Any) -> str:
    """The kind of a value whose column is not known."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "nested" if isinstance(value, (dict, list)) else "text"


def _number(value: Any, kind: str) -> float | None:
    """A value as profiles have it: times are seconds since the epoch."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        number = float(value) if abs(value) < 1e308 else math.inf
        return number if math.isfinite(number) else None
    if kind == "time" and isinstance(value, str):
        try:
            moment = window_of(value, None).since
        except WindowError:
            return None
        return None if moment is None else moment / 1e9
    return None


def _text(value: Any) -> str:
    """A value as categories have it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
