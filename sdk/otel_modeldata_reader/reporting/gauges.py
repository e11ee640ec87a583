"""Figures as gauges: numbers with attributes of bounded number, so that a monitor can alert on them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .figures.column import ColumnFigures
    from .figures.report import CollectionFigures, Figures

__all__ = ["GAUGES", "TIME", "Gauge", "gauges_of"]

MOST_COLUMNS: Final = 100
"""Columns of a collection that have gauges: those with the largest drift."""
TIME: Final = "otel_modeldata.report.time"
GAUGES: Final = {
    TIME: ("s", "When the last report was made, in seconds since 1970."),
    "otel_modeldata.report.findings": ("{findings}", "Figures that reach their threshold."),
    "otel_modeldata.report.rows": ("{rows}", "Rows in the window, by collection."),
    "otel_modeldata.report.requests": ("{requests}", "Requests in the window."),
    "otel_modeldata.report.skipped": ("{lines}", "Lines that could not be read, by collection."),
    "otel_modeldata.report.drift": ("1", "Drift against the baseline, by collection, column and measure."),
    "otel_modeldata.report.nulls": ("1", "Share of nulls, by collection and column."),
    "otel_modeldata.report.new_categories": ("{categories}", "That the baseline lacks, by collection and column."),
    "otel_modeldata.report.type_changes": ("{columns}", "That changed their type, by collection."),
    "otel_modeldata.report.latency": ("s", "Of requests, by quantile (measure): p50, p90, p99."),
    "otel_modeldata.report.errors": ("1", "Share of requests with an error."),
    "otel_modeldata.report.performance": ("1", "Predictions against labels, by measure."),
    "otel_modeldata.report.labeled": ("1", "Share of scored rows that have a label."),
}
"""Each gauge, with its unit and its meaning."""
_MEASURES: Final = (
    *("psi", "ks_statistic", "ks_p_value", "wasserstein", "normalized_wasserstein", "jensen_shannon"),
    "chi_square_p_value",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One number.

    Attributes:
        name: one of `GAUGES`.
        value: finite.
        attributes: `endpoint` and `deployment`, and `collection`, `column` and `measure` where it is of one.
    """

    name: str
    value: float
    attributes: Mapping[str, str]


def gauges_of(figures: Figures) -> Iterator[Gauge]:
    """The gauges of a report."""
    endpoint, deployment, *_ = (*figures.name.split("/"), "", "")
    names = {"endpoint": endpoint, "deployment": deployment}
    found = list(_of_deployment(figures))
    for collection in figures.collections:
        found += _of_collection(collection)
    for name, value, attributes in found:
        if value is not None and math.isfinite(value):
            yield Gauge(name=f"otel_modeldata.report.{name}", value=float(value), attributes=names | attributes)


_Found: TypeAlias = "tuple[str, float | None, dict[str, str]]"


def _of_deployment(figures: Figures) -> Iterator[_Found]:
    yield "findings", len(figures.findings), {}
    if figures.traffic is not None:
        yield "requests", figures.traffic.requests, {}
    if figures.latency is not None:
        for name in ("p50", "p90", "p99"):
            yield "latency", getattr(figures.latency, name) / 1e3, {"measure": name}
    if figures.errors is not None and figures.errors.requests:
        yield "errors", figures.errors.failed / figures.errors.requests, {}
    if figures.labels is not None and figures.labels[1]:
        yield "labeled", figures.labels[0] / figures.labels[1], {}
    if figures.performance is not None:
        for name, measure in figures.performance.every.measures.items():
            yield "performance", measure.value, {"measure": name}


def _of_collection(collection: CollectionFigures) -> Iterator[_Found]:
    of = {"collection": collection.name.rpartition("/")[2]}
    yield "rows", collection.rows, of
    yield "skipped", sum(collection.skipped.values()), of
    yield "type_changes", len(_changed(collection)), of
    for column in sorted(collection.columns, key=_drift, reverse=True)[:MOST_COLUMNS]:
        of_column = of | {"column": column.name}
        if column.window is not None:
            yield "nulls", column.window.null_share, of_column
        if column.kind == "category" and column.baseline is not None:
            yield "new_categories", column.new_categories, of_column
        if column.drift is not None:
            for name in _MEASURES:
                yield "drift", getattr(column.drift, name), of_column | {"measure": name}


def _changed(collection: CollectionFigures) -> list[str]:
    of_baseline = [one.name for one in collection.columns if one.type_change is not None]
    return [*collection.type_changes, *of_baseline]


def _drift(column: ColumnFigures) -> float:
    return -1.0 if column.drift is None or column.drift.psi is None else column.drift.psi
