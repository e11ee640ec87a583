"""The figures of a column: its values in the window beside those of a baseline, and how far apart they are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from ..figures.column import CategoryCount, ColumnFigures, Drift, Histogram
from ..measures.bins import azure_edges, bin_counts, even_edges, fixed_edges, histogram
from ..measures.chi_square import chi_square
from ..measures.distances import (
    jensen_shannon,
    normalized_wasserstein,
    population_stability,
    psi_by_chance,
    wasserstein,
)
from ..measures.kolmogorov_smirnov import EXACT_VALUES, kolmogorov_smirnov

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..figures.column import Kind
    from ..measures.bins import Floats
    from .table_profile import ColumnProfile

__all__ = ["column_figures", "edges_of"]

SHOWN_CATEGORIES: Final = 20
_EXAMPLES: Final = 5
_NUMERIC: Final = frozenset({"number", "time"})
_ROUNDED: Final = "numbers with more digits than a float has, so that different ones are the same: not compared"
_NESTED: Final = "nested values, of which the window has the JSON: not compared"
_NESTED_TYPES: Final = ("struct", "list", "large_list", "fixed_size_list", "map")
_KIND_WORDS: Final = {
    "number": "numbers",
    "time": "times",
    "category": "texts",
    "text": "texts",
    "other": "nested or binary values",
}


def edges_of(profile: ColumnProfile) -> tuple[Floats, Floats] | None:
    """The bins of a column that its baseline fixes: those of the index and those of the chart; None without values."""
    if profile.kind not in _NUMERIC or not len(profile.values):
        return None
    return fixed_edges(profile.values), even_edges(profile.values)


def column_figures(name: str, window: ColumnProfile | None, baseline: ColumnProfile | None) -> ColumnFigures:
    """The figures of one column.

    Args:
        name: its name.
        window: its values; the counts of the baseline's bins (`edges_of`) among them.
        baseline: None without one, or where it lacks the column.
    """
    kind = _kind(window, baseline)
    figures: dict[str, object] = {
        "window": None if window is None else window.summary,
        "baseline": None if baseline is None else baseline.summary,
    }
    if window is None:
        return ColumnFigures(name=name, kind=kind, **figures)  # type: ignore[arg-type]
    if baseline is not None and (change := _type_change(window, baseline)) is not None:
        return ColumnFigures(name=name, kind=kind, type_change=change, **figures)  # type: ignore[arg-type]
    if baseline is not None and _is_json_of(window, baseline):
        figures["note"] = _NESTED
    elif kind == "text":
        figures["note"] = "texts with too many different values: not compared"
    elif kind in _NUMERIC:
        figures["histogram"] = _histogram(window, baseline)
        if baseline is not None and (window.are_rounded or baseline.are_rounded):
            figures["note"] = _ROUNDED
        elif baseline is not None and len(window.values) and len(baseline.values):
            figures["drift"] = _number_drift(window, baseline, is_time=kind == "time")
    elif kind == "category":
        figures |= _categories(window.categories, None if baseline is None else baseline.categories)
        if baseline is not None and window.categories and baseline.categories:
            figures["drift"] = _category_drift(window.categories, baseline.categories)
    return ColumnFigures(name=name, kind=kind, **figures)  # type: ignore[arg-type]


def _kind(window: ColumnProfile | None, baseline: ColumnProfile | None) -> Kind:
    """The kind of the side that has values; that of the window if both have."""
    found = [one for one in (window, baseline) if one is not None]
    with_values = [one for one in found if not one.is_empty] or found
    kinds: list[Kind] = [one.kind for one in with_values]
    return "text" if set(kinds) == {"text", "category"} else kinds[0]


def _type_change(window: ColumnProfile, baseline: ColumnProfile) -> str | None:
    """A sentence, if two columns have values of different kinds."""
    kinds = {window.kind, baseline.kind}
    if window.is_empty or baseline.is_empty or len(kinds) == 1 or kinds == {"text", "category"}:
        return None
    if _is_json_of(window, baseline):
        return None
    return (
        f"{_KIND_WORDS[window.kind]} ({window.summary.type}), but {_KIND_WORDS[baseline.kind]} "
        f"({baseline.summary.type}) in the baseline"
    )


def _is_json_of(window: ColumnProfile, baseline: ColumnProfile) -> bool:
    """Whether the window has as JSON what is nested in the baseline: objects are read as their JSON."""
    if baseline.kind != "other" or window.kind not in {"text", "category"}:
        return False
    is_nested = baseline.summary.type.startswith(_NESTED_TYPES)
    return is_nested and all(text.startswith(("{", "[")) for text in window.categories)


def _histogram(window: ColumnProfile, baseline: ColumnProfile | None) -> Histogram | None:
    if baseline is None or baseline.is_empty or (edges := edges_of(baseline)) is None:
        if (own := edges_of(window)) is None:
            return None
        counts = bin_counts(own[1], window.values)
        return Histogram(edges=tuple(own[1].tolist()), window=tuple(counts.tolist()))
    shown = edges[1]
    counts = window.binned[1] if window.binned else bin_counts(shown, window.values)
    of_baseline = bin_counts(shown, baseline.values)
    return Histogram(edges=tuple(shown.tolist()), window=tuple(counts.tolist()), baseline=tuple(of_baseline.tolist()))


def _number_drift(window: ColumnProfile, baseline: ColumnProfile, *, is_time: bool) -> Drift:
    edges = fixed_edges(baseline.values)
    of_window = window.binned[0] if window.binned else bin_counts(edges, window.values)
    of_baseline = bin_counts(edges, baseline.values)
    test = kolmogorov_smirnov(baseline.values, window.values)
    with np.errstate(over="ignore", invalid="ignore"):  # of values near the largest float
        distance = wasserstein(baseline.values, window.values)
        normalized = normalized_wasserstein(baseline.values, window.values)
    index = population_stability(of_baseline, of_window)
    return Drift(
        psi=index,
        psi_p_value=psi_by_chance(index, of_baseline, of_window),
        ks_statistic=test.statistic,
        ks_p_value=test.p_value,
        wasserstein=_held(distance),
        normalized_wasserstein=_held(normalized),
        jensen_shannon=jensen_shannon(of_baseline, of_window),
        azure={} if is_time else _azure_numbers(baseline.values, window.values, normalized, test.p_value),
        baseline_values=len(baseline.values),
        window_values=len(window.values),
    )


def _azure_numbers(baseline: Floats, window: Floats, normalized: float, p_value: float) -> dict[str, float]:
    """What Azure ML's monitors have for these values; they refuse the test for 10,000 values and more."""
    found = {}
    edges = azure_edges(baseline, window)
    if np.isfinite(edges).all() and (np.diff(edges) > 0).all():
        counts = histogram(edges, baseline), histogram(edges, window)
        found["PopulationStabilityIndex"] = population_stability(*counts)
        found["JensenShannonDistance"] = jensen_shannon(*counts)
    if math.isfinite(normalized):
        found["NormalizedWassersteinDistance"] = normalized
    if max(len(baseline), len(window)) < EXACT_VALUES:
        found["TwoSampleKolmogorovSmirnovTest"] = p_value
    return found


def _category_drift(window: Mapping[str, int], baseline: Mapping[str, int]) -> Drift:
    names = sorted(window.keys() | baseline.keys())
    of_window = np.array([window.get(name, 0) for name in names])
    of_baseline = np.array([baseline.get(name, 0) for name in names])
    test = chi_square(of_baseline, of_window)
    index, distance = population_stability(of_baseline, of_window), jensen_shannon(of_baseline, of_window)
    return Drift(
        psi=index,
        psi_p_value=psi_by_chance(index, of_baseline, of_window),
        jensen_shannon=distance,
        chi_square=_held(test.statistic),
        chi_square_p_value=test.p_value,
        azure={
            "PopulationStabilityIndex": index,
            "JensenShannonDistance": distance,
            "PearsonsChiSquaredTest": test.p_value,
        },
        baseline_values=int(of_baseline.sum()),
        window_values=int(of_window.sum()),
    )


def _categories(window: Mapping[str, int], baseline: Mapping[str, int] | None) -> dict[str, object]:
    """The most frequent categories of both, the others together, and the new ones."""
    known = baseline or {}

    def weight(name: str) -> float:
        share = window.get(name, 0) / max(1, sum_window)
        return max(share, known.get(name, 0) / max(1, sum_baseline))

    sum_window, sum_baseline = sum(window.values()), sum(known.values())
    names = sorted(window.keys() | known.keys(), key=lambda name: (-weight(name), name))

    def count(name: str) -> CategoryCount:
        return CategoryCount(
            value=name, window=window.get(name, 0), baseline=None if baseline is None else known.get(name, 0)
        )

    shown = tuple(count(name) for name in names[:SHOWN_CATEGORIES])
    found: dict[str, object] = {"categories": shown}
    if len(names) > SHOWN_CATEGORIES:
        rest = [count(name) for name in names[SHOWN_CATEGORIES:]]
        found["other_categories"] = CategoryCount(
            value=f"{len(rest):,} others",
            window=sum(one.window for one in rest),
            baseline=None if baseline is None else sum(one.baseline or 0 for one in rest),
        )
    if known:
        new = sorted((name for name in window if name not in known), key=lambda name: (-window[name], name))
        found |= {
            "new_categories": len(new),
            "new_category_rows": sum(window[name] for name in new),
            "new_examples": tuple(new[:_EXAMPLES]),
        }
    return found


def _held(value: float) -> float | None:
    return value if math.isfinite(value) else None
