"""Histograms and counts of values over all rows, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .sql import Sql
from .texts import short_text

if TYPE_CHECKING:
    from otel_modeldata_reader.reporting.measures.bins import Floats

    from ..tables.piece import Kind
    from .joined_rows import Chosen

__all__ = ["MOST_VALUES", "bin_of", "binned", "counted"]

MOST_VALUES: Final = 10_000
"""A column with more different texts is no category, as in a report."""


def binned(chosen: Chosen, name: str, kind: Kind, *edges: Floats) -> Sql:
    """For each set of bins the number of a bin, then the rows in all of them, the least and the largest value.

    The number is null for rows without a finite value.

    Args:
        chosen: the rows.
        name: of the column.
        kind: of it: numbers, or times, which become seconds since the epoch.
        edges: the inner edges of each set of bins.
    """
    bins = [bin_of(one) for one in edges]
    items = "".join(f"{text.text} AS b{at}, " for at, text in enumerate(bins))
    numbers = ", ".join(f"b{at}" for at in range(len(bins)))
    value = number(chosen.aliases[name], kind)
    parameters = tuple(value for text in bins for value in text.parameters)
    return (
        Sql(f"SELECT {numbers}, count(*), min(v), max(v) FROM (SELECT {items}v FROM (", parameters)
        + f"SELECT CASE WHEN isfinite({value}) THEN {value} END AS v FROM ("
        + chosen.of_columns([name])
        + f"))) GROUP BY {numbers}"
    )


def counted(chosen: Chosen, name: str) -> Sql:
    """How often each text is there, long ones by their short forms, the most frequent first; null is one of them."""
    text = short_text(f"CAST({chosen.aliases[name]} AS VARCHAR)")
    return (
        f"SELECT {text}, count(*) FROM ("
        + chosen.of_columns([name])
        + f") GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_VALUES + 1}"
    )


def number(column: str, kind: Kind) -> str:
    """The value of a column as a float: times as seconds since the epoch, divided as a profile does it."""
    if kind != "time":
        return f"CAST({column} AS DOUBLE)"
    nanoseconds = f"epoch_ns(TRY_CAST({column} AS TIMESTAMP_NS)) / 1e9"
    is_fine = f"typeof({column}) IN ('TIMESTAMP_NS', 'TIMESTAMPTZ_NS')"
    return f"CASE WHEN {is_fine} THEN {nanoseconds} ELSE epoch_us(CAST({column} AS TIMESTAMP)) / 1e6 END"


def bin_of(edges: Floats) -> Sql:
    """The number of the bin of `v`: how many edges are not above it, as `bin_counts` of a report has it."""
    if len(edges) > 2 and _is_even(edges):
        # The same products and sums as those of the edges, so that a value at an edge is in the same bin.
        low, step = _float(edges[0]), _float(edges[1] - edges[0])
        at = f"floor((v - {low}) / {step})"
        exact = f"{at} + CAST(v >= {low} + {step} * ({at} + 1) AS INT) - CAST(v < {low} + {step} * {at} AS INT)"
        clamped = f"greatest(least({exact}, {len(edges) - 1}), -1)"  # of which none is null where `v` is
        return Sql(f"CASE WHEN v IS NOT NULL THEN CAST({clamped} AS INT) + 1 END")
    parts = " + ".join("CAST(v >= ? AS INT)" for _ in edges)
    return Sql(f"({parts or 'v - v'})", tuple(float(one) for one in edges))


def _is_even(edges: Floats) -> bool:
    """Whether edges are the sums of the first one and whole steps, to the last digit."""
    with np.errstate(over="ignore", invalid="ignore"):
        even = edges[0] + (edges[1] - edges[0]) * np.arange(len(edges))
        return bool(np.isfinite(even).all() and np.array_equal(even, edges))


def _float(value: float) -> str:
    """A literal: DuckDB takes one without quotes for a decimal."""
    return f"'{float(value)!r}'::DOUBLE"
