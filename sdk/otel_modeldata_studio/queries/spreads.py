"""How the values of a column are spread over time: counts in bins, quantiles and categories, in one query each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .histograms import bin_of
from .histograms import number as plain_number
from .sql import Sql, step_number
from .texts import short_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata_reader.reporting.measures.bins import Floats

    from ..tables.piece import Kind
    from .joined_rows import Chosen

__all__ = ["binned", "categories_over_time", "category_counts", "number_of", "quantiles"]

_LEVELS = "[0.05, 0.25, 0.5, 0.75, 0.95]"


def number_of(alias: str, kind: Kind) -> str:
    """A column of numbers or times as a float: times are seconds since the epoch; null for NaN and infinities."""
    value = plain_number(alias, kind)
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def binned(chosen: Chosen, number: str, first: int, step: int, edges: tuple[Floats, Floats]) -> Sql:
    """Rows of `(step of time, bin, other bin, count, least, largest)`; a bin is null for rows without a value.

    Args:
        chosen: the rows.
        number: the expression of the values.
        first: beginning of the first step, in nanoseconds since the epoch.
        step: nanoseconds.
        edges: the inner edges of bins, twice: a value is in the bin after all edges that it reaches.
    """
    one, other = (bin_of(found) for found in edges)
    items = ", ".join(f"CASE WHEN v IS NOT NULL THEN {found.text} END" for found in (one, other))
    return (
        Sql(f"SELECT bucket, {items}, count(*), min(v), max(v) FROM (", one.parameters + other.parameters)
        + f"SELECT {step_number(first, step)} AS bucket, {number} AS v FROM ("
        + chosen.sql
        + ")) GROUP BY 1, 2, 3"
    )


def quantiles(chosen: Chosen, number: str, first: int, step: int) -> Sql:
    """Rows of `(step of time, list of five quantiles)`.

    Args:
        chosen: the rows.
        number: the expression of the values.
        first: beginning of the first step, in nanoseconds since the epoch.
        step: nanoseconds.
    """
    return (
        f"SELECT bucket, quantile_cont(v, {_LEVELS}) FROM ("
        f"SELECT {step_number(first, step)} AS bucket, {number} AS v FROM ("
        + chosen.sql
        + ")) WHERE v IS NOT NULL GROUP BY 1"
    )


def category_counts(chosen: Chosen, alias: str, most: int) -> Sql:
    """Rows of `(text, count)`, the most frequent first; those of null have a null."""
    text = short_text(f"CAST({alias} AS VARCHAR)")
    return f"SELECT {text} AS v, count(*) AS n FROM (" + chosen.sql + f") GROUP BY 1 ORDER BY n DESC, v LIMIT {most}"


def categories_over_time(chosen: Chosen, alias: str, first: int, step: int, values: Sequence[str]) -> Sql:
    """Rows of `(step of time, is null, text, count)`; the text is null for other values.

    Args:
        chosen: the rows.
        alias: of the column.
        first: beginning of the first step, in nanoseconds since the epoch.
        step: nanoseconds.
        values: those that are counted one by one.
    """
    text = short_text(f"CAST({alias} AS VARCHAR)")
    known = f"CASE WHEN v IN ({', '.join('?' for _ in values)}) THEN v END" if values else "NULL"
    query = (
        f"SELECT bucket, v IS NULL, {known}, count(*) FROM ("
        f"SELECT {step_number(first, step)} AS bucket, {text} AS v FROM (" + chosen.sql + ")) GROUP BY 1, 2, 3"
    )
    return Sql(query.text, (*values, *query.parameters))
