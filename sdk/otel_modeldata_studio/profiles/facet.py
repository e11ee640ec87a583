"""A facet: how the values of a column are spread in a window, beside a baseline that fixes the bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from otel_modeldata_reader.reporting.measures.bins import bin_counts, even_edges, fixed_edges
from otel_modeldata_reader.reporting.measures.distances import population_stability

from ..queries.moments import edge_of_seconds, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_modeldata_reader.reporting.measures.bins import Floats
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile

    from ..queries.joined_rows import OwnColumn

__all__ = [
    "Bin",
    "Facet",
    "Value",
    "are_texts",
    "bins_of",
    "comparable",
    "counted_facet",
    "edges_for",
    "facet_of",
    "psi_of",
    "text_facet",
]

_SHOWN_VALUES: Final = 20
_FREQUENT: Final = 0.01
"""The share of the values of a column that a free text has at least, to be shown."""


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Values from `low` up to, not including, `high`; of times as ISO 8601 texts."""

    low: float | str
    high: float | str
    count: int
    baseline: int | None = None


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """How often a value is there."""

    value: str
    count: int
    baseline: int | None = None


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """A column; `rows`, `nulls` and all counts are of the sample, which is `sample` of the rows of the window.

    Free texts (`kind` is `text`) have no `psi`, and in `values` only those that are frequent; `distinct` says how many
    there are, and is None where they are more than were counted.
    """

    column: str
    kind: str
    rows: int
    nulls: int
    distinct: int | None = None
    bins: Sequence[Bin] = ()
    values: Sequence[Value] = ()
    other: int = 0
    other_baseline: int | None = None
    psi: float | None = None
    sample: float = 1.0


def facet_of(column: OwnColumn, window: ColumnProfile, baseline: ColumnProfile | None, share: float) -> Facet:
    """The facet of a column.

    Args:
        column: which one.
        window: its values.
        baseline: None without one, or where it has no values of this kind.
        share: of the rows of the window that the profile is of.
    """
    is_text = are_texts(window, baseline)
    baseline = comparable(window, baseline)
    facet = Facet(
        column=column.name,
        kind="text" if is_text else _kind(column, window),
        rows=window.summary.rows,
        nulls=window.summary.nulls,
        distinct=window.summary.distinct,
        sample=share,
    )
    if window.kind in {"number", "time"} or (window.is_empty and baseline is not None and len(baseline.values)):
        return _binned(facet, window, baseline, is_time=column.kind == "time")
    if is_text:
        return text_facet(facet, window.categories)
    if window.kind == "category":
        return counted_facet(facet, window.categories, None if baseline is None else baseline.categories)
    return facet


def are_texts(window: ColumnProfile, baseline: ColumnProfile | None) -> bool:
    """Whether a column has free texts, such as ids: on one side too many of them differ, so they are not compared."""
    sides = [one for one in (window, baseline) if one is not None and not one.is_empty]
    return {one.kind for one in sides} <= {"category", "text"} and any(one.kind == "text" for one in sides)


def edges_for(window: ColumnProfile, baseline: ColumnProfile | None) -> Floats | None:
    """The inner edges of the bins that are shown; None without any value."""
    values = baseline.values if baseline is not None and len(baseline.values) else window.values
    with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest float
        return even_edges(values) if len(values) else None


def bins_of(
    edges: Floats,
    counts: Sequence[int],
    baseline: Sequence[int] | None,
    limits: tuple[float, float],
    *,
    time: str | None,
) -> list[Bin]:
    """The bins of some edges; empty ones at the ends are left out.

    Args:
        edges: the inner ones.
        counts: one more than there are edges.
        baseline: likewise.
        limits: the least and the largest value, which are the outer edges.
        time: the Arrow type of the times that are seconds since the epoch here; None for numbers.
    """
    ends = [min(limits[0], float(edges[0])), *map(float, edges), max(limits[1], float(edges[-1]))]
    filled = [bool(count) or (baseline is not None and bool(baseline[at])) for at, count in enumerate(counts)]
    first, last = 0 if filled[0] else 1, len(counts) - (1 if filled[-1] else 2)
    if first > last:
        return []
    if filled[last]:  # the last bin has its upper edge, too
        ends[last + 1] = limits[1]
    shown: list[float | str] = list(ends)
    if time is not None:
        unit = unit_of(time)
        shown = [edge_of_seconds(one, unit, is_closed=at == last + 1) for at, one in enumerate(ends)]
    return [
        Bin(
            low=shown[at],
            high=shown[at + 1],
            count=int(counts[at]),
            baseline=None if baseline is None else int(baseline[at]),
        )
        for at in range(first, last + 1)
    ]


def psi_of(window: ColumnProfile, baseline: ColumnProfile | None) -> float | None:
    """The population stability index, as a report has it; None if there is nothing to compare."""
    if baseline is None:
        return None
    if len(window.values) and len(baseline.values):
        if window.are_rounded or baseline.are_rounded:
            return None
        with np.errstate(over="ignore", invalid="ignore"):
            edges = fixed_edges(baseline.values)
        return population_stability(bin_counts(edges, baseline.values), bin_counts(edges, window.values))
    if window.categories and baseline.categories:
        names = sorted(window.categories.keys() | baseline.categories.keys())
        of = [np.array([counts.get(name, 0) for name in names]) for counts in (baseline.categories, window.categories)]
        return population_stability(*of)
    return None


def _binned(facet: Facet, window: ColumnProfile, baseline: ColumnProfile | None, *, is_time: bool) -> Facet:
    edges = edges_for(window, baseline)
    if edges is None:
        return facet
    both = [window.values] if baseline is None else [window.values, baseline.values]
    limits = (min(float(one.min()) for one in both if len(one)), max(float(one.max()) for one in both if len(one)))
    of_baseline: Any = None if baseline is None else bin_counts(edges, baseline.values)
    time = window.summary.type if is_time else None
    bins = bins_of(edges, bin_counts(edges, window.values).tolist(), of_baseline, limits, time=time)
    return msgspec.structs.replace(facet, bins=bins, psi=psi_of(window, baseline))


def text_facet(facet: Facet, window: Mapping[str, int]) -> Facet:
    """A facet of free texts: only those that are frequent, if there are some, and the others together."""
    total = sum(window.values())
    frequent = [(count, name) for name, count in window.items() if count > 1 and count >= _FREQUENT * total]
    frequent.sort(key=lambda one: (-one[0], one[1]))
    values = [Value(value=name, count=count) for count, name in frequent[:_SHOWN_VALUES]]
    return msgspec.structs.replace(facet, values=values, other=total - sum(one.count for one in values), psi=None)


def counted_facet(facet: Facet, window: Mapping[str, int], baseline: Mapping[str, int] | None) -> Facet:
    """A facet of categories: the most frequent values of both, and the others together."""
    known = baseline or {}
    totals = max(1, sum(window.values())), max(1, sum(known.values()))

    def weight(name: str) -> float:
        return max(window.get(name, 0) / totals[0], known.get(name, 0) / totals[1])

    names = sorted(window.keys() | known.keys(), key=lambda name: (-weight(name), name))
    values = [
        Value(value=name, count=window.get(name, 0), baseline=None if baseline is None else known.get(name, 0))
        for name in names[:_SHOWN_VALUES]
    ]
    return msgspec.structs.replace(
        facet,
        values=values,
        other=sum(window.get(name, 0) for name in names[_SHOWN_VALUES:]),
        other_baseline=None if baseline is None else sum(known.get(name, 0) for name in names[_SHOWN_VALUES:]),
        psi=population_stability(
            np.array([known.get(name, 0) for name in names]), np.array([window.get(name, 0) for name in names])
        )
        if known and window
        else None,
    )


def _kind(column: OwnColumn, window: ColumnProfile) -> str:
    """Texts with few different values are categories."""
    if column.kind in {"text", "category"} and not window.is_empty:
        return "category" if window.kind == "category" else "text"
    return column.kind


def comparable(window: ColumnProfile, baseline: ColumnProfile | None) -> ColumnProfile | None:
    """A baseline, if it has values of the same kind."""
    if baseline is None or baseline.is_empty or not (window.is_empty or window.kind == baseline.kind):
        return None
    return baseline
