"""How the values of one column are spread, over all rows and over time, beside a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 (msgspec reads the annotations)
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from otel_modeldata_reader.reporting.measures.bins import bin_counts, fixed_edges
from otel_modeldata_reader.reporting.measures.distances import population_stability
from otel_modeldata_reader.reporting.profiles.table_profile import are_free_texts

from ..profiles.facet import Facet, bins_of, edges_for, facet_of
from ..profiles.last_day import LEAST_ROWS
from ..queries.joined_rows import joined_rows
from ..queries.spreads import binned, categories_over_time, category_counts, number_of, quantiles
from ..tables.slices import even_slices

if TYPE_CHECKING:
    from otel_modeldata_reader.reporting.figures.column import Kind
    from otel_modeldata_reader.reporting.measures.bins import Floats
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile
    from otel_modeldata_reader.window import Window

    from ..queries.filters import Filter
    from ..queries.joined_rows import Chosen, OwnColumn
    from ..queries.sql import Sql
    from ..studio import Studio
    from ..tables.deployment_rows import DeploymentRows
    from .steps import Steps

__all__ = ["NO_QUANTILES", "ColumnBins", "ColumnRows", "Quantiles", "Spread", "spread_of", "with_same_bins"]

_SORTED_ROWS: Final = 1_000_000
"""Rows whose quantiles are taken; of more a sample."""
_MOST_CATEGORIES: Final = 10_000
_TIMED_CATEGORIES: Final = 200
"""Categories that are counted over time one by one; the others are counted together."""
_SHOWN_SHARES: Final = 6
_LEVELS: Final = ("p05", "p25", "p50", "p75", "p95")


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles over time; null where a step of time has no value."""

    p05: Sequence[float | None] = ()
    p25: Sequence[float | None] = ()
    p50: Sequence[float | None] = ()
    p75: Sequence[float | None] = ()
    p95: Sequence[float | None] = ()


NO_QUANTILES: Final = Quantiles()


@dataclass(frozen=True, slots=True)
class ColumnRows:
    """The rows of a column: of a deployment in a window, as far as filters choose them."""

    studio: Studio
    found: DeploymentRows
    own: OwnColumn
    filters: Sequence[Filter]
    window: Window

    def chosen(self) -> Chosen:
        """The query of these rows."""
        return joined_rows(self.found, [self.own], self.filters, self.window)

    def answer(self, query: Sql) -> list[tuple[Any, ...]]:
        """The rows of a query about them."""
        return self.studio.tables.database.rows(query.text, query.parameters)

    def sampled(self) -> Chosen:
        """The query of these rows; of very many those of even places, for what is sorted."""
        base, _ = even_slices(self.found.base.pieces, self.window, _SORTED_ROWS)
        return joined_rows(self.found, [self.own], self.filters, self.window, base=base)


@dataclass(frozen=True, slots=True)
class ColumnBins:
    """Bins of numbers: those that are shown, and those of the stability index with the baseline's counts in them."""

    shown: Floats
    fixed: Floats
    baseline: Any

    @classmethod
    def of(cls, window: ColumnProfile, baseline: ColumnProfile | None) -> ColumnBins | None:
        """The bins; None for a column without numbers."""
        is_comparable = baseline is not None and (window.is_empty or baseline.kind == window.kind)
        compared = baseline if is_comparable else None
        shown = edges_for(window, compared)
        if shown is None:
            return None
        if compared is None or not len(compared.values):
            return cls(shown, np.empty(0), None)
        fixed = fixed_edges(compared.values)
        return cls(shown, fixed, bin_counts(fixed, compared.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """What is known of a column.

    Attributes:
        facet: without bins, which `with_same_bins` adds.
        quantiles: by step of time.
        null_rate: by step.
        psi: by step; empty without a baseline.
        shares: of the most frequent categories by step.
        counts: in the bins that are shown, of numbers.
        limits: the least and the largest value, of numbers.
        type: of the values, of times.
    """

    facet: Facet
    quantiles: Quantiles = NO_QUANTILES
    null_rate: Sequence[float | None] = ()
    psi: Sequence[float | None] = ()
    shares: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    counts: Any = ()
    limits: Sequence[float] = ()
    type: str | None = None


def spread_of(  # noqa: PLR0913, PLR0917 (what a column is compared with)
    rows: ColumnRows,
    sampled: ColumnProfile,
    baseline: ColumnProfile | None,
    share: float,
    steps: Steps,
    bins: ColumnBins | None,
) -> Spread:
    """How the values of a column are spread.

    Args:
        rows: all of them.
        sampled: the profile of a sample.
        baseline: what they are compared with; None without one.
        share: of the sample.
        steps: of time.
        bins: of numbers.

    Raises:
        ReaderError: a query cannot be run.
    """
    if bins is not None and rows.own.kind in {"number", "integer", "time"}:
        return _of_numbers(rows, sampled, baseline, steps, bins)
    if rows.own.kind in {"category", "text", "boolean"}:
        return _of_categories(rows, sampled, baseline, share, steps)
    facet = facet_of(rows.own, sampled, baseline, share)
    return Spread(facet=facet)


def _of_numbers(
    rows: ColumnRows, sampled: ColumnProfile, baseline: ColumnProfile | None, steps: Steps, bins: ColumnBins
) -> Spread:
    """All rows are counted; the sample says only which values there are."""
    chosen = rows.chosen()
    number = number_of(chosen.aliases[rows.own.name], rows.own.kind)
    shown = np.zeros(len(bins.shown) + 1, np.int64)
    fixed = np.zeros((steps.count, len(bins.fixed) + 1), np.int64)
    totals, nulls = np.zeros(steps.count, np.int64), np.zeros(steps.count, np.int64)
    limits: list[float] = []
    query = binned(chosen, number, steps.first, steps.step, (bins.shown, bins.fixed))
    for at, one, other, count, least, largest in rows.answer(query):
        place = min(max(int(at), 0), steps.count - 1)
        totals[place] += count
        if one is None:
            nulls[place] += count
        else:
            limits += [least, largest]
            shown[int(one)] += count
            fixed[place, int(other)] += count
    compared = baseline if bins.baseline is not None else None
    # As in a report: numbers that floats do not hold apart are not compared.
    has_psi = compared is not None and not (sampled.are_rounded or compared.are_rounded)
    facet = msgspec.structs.replace(
        facet_of(rows.own, sampled, compared, 1.0),
        rows=int(totals.sum()),
        nulls=int(nulls.sum()),
        psi=_stability(bins.baseline, fixed.sum(axis=0)) if has_psi else None,
        sample=1.0,
    )
    found: dict[int, Sequence[float]] = {}
    for at, levels in rows.answer(quantiles(rows.sampled(), number, steps.first, steps.step)):
        found[min(max(int(at), 0), steps.count - 1)] = levels
    bands = {
        level: [None if at not in found else float(found[at][place]) for at in range(steps.count)]
        for place, level in enumerate(_LEVELS)
    }
    psi = [] if facet.psi is None else [_stability_of_step(bins.baseline, one) for one in fixed]
    return Spread(
        facet=facet,
        quantiles=Quantiles(**bands),
        null_rate=_rates(nulls, totals),
        psi=psi,
        counts=shown,
        limits=(min(limits), max(limits)) if limits else (),
        type=sampled.summary.type if facet.kind == "time" else None,
    )


def with_same_bins(spreads: Sequence[Spread], bins: ColumnBins | None, baseline: ColumnProfile | None) -> list[Facet]:
    """The facets of all deployments with the same bins: an outer one is there if one of them has values in it."""
    if bins is None or not all(len(one.counts) for one in spreads):
        return [one.facet for one in spreads]
    known = baseline.values if bins.baseline is not None and baseline is not None else np.empty(0)
    of_baseline = bin_counts(bins.shown, known)
    limits = [*known.tolist(), *(limit for one in spreads for limit in one.limits)]
    together = sum((one.counts for one in spreads), of_baseline)
    found = []
    for one in spreads:
        ends = (min(limits, default=0.0), max(limits, default=0.0))
        every = bins_of(bins.shown, together.tolist(), None, ends, time=one.type)
        first = int(together[0] == 0)
        counts, others = one.counts[first : first + len(every)], of_baseline[first : first + len(every)]
        shown = [
            msgspec.structs.replace(bin_, count=int(count), baseline=None if bins.baseline is None else int(of_other))
            for bin_, count, of_other in zip(every, counts, others, strict=True)
        ]
        found.append(msgspec.structs.replace(one.facet, bins=shown))
    return found


def _of_categories(
    rows: ColumnRows, sampled: ColumnProfile, baseline: ColumnProfile | None, share: float, steps: Steps
) -> Spread:
    chosen = rows.chosen()
    alias = chosen.aliases[rows.own.name]
    counted = rows.answer(category_counts(chosen, alias, _MOST_CATEGORIES + 2))
    counts = {text: int(count) for text, count in counted if text is not None}
    if len(counts) > _MOST_CATEGORIES:
        facet = facet_of(rows.own, sampled, baseline, share)
    else:
        nulls = sum(int(count) for text, count in counted if text is None)
        summary = msgspec.structs.replace(
            sampled.summary, rows=sum(counts.values()) + nulls, nulls=nulls, distinct=len(counts)
        )
        kind: Kind = "text" if are_free_texts(len(counts), sum(counts.values())) else "category"
        exact = replace(sampled, kind=kind, is_empty=not counts, categories=counts, summary=summary)
        facet = facet_of(rows.own, exact, baseline, 1.0)
    # Of free texts only those that are frequent are counted over time.
    names = [one.value for one in facet.values if one.count] if facet.kind == "text" else list(counts)
    names = names[:_TIMED_CATEGORIES]
    totals, nulls_at = np.zeros(steps.count, np.int64), np.zeros(steps.count, np.int64)
    timed = {name: np.zeros(steps.count, np.int64) for name in names}
    for at, is_null, text, count in rows.answer(categories_over_time(chosen, alias, steps.first, steps.step, names)):
        place = min(max(int(at), 0), steps.count - 1)
        totals[place] += count
        if is_null:
            nulls_at[place] += count
        elif text is not None:
            timed[text][place] += count
    known = None if facet.psi is None or baseline is None else baseline.categories
    psi = [] if known is None else _category_psi(known, timed, totals - nulls_at)
    shares = {name: _rates(timed[name], totals) for name in names[:_SHOWN_SHARES]}
    return Spread(facet=facet, null_rate=_rates(nulls_at, totals), psi=psi, shares=shares)


def _category_psi(baseline: Mapping[str, int], timed: Mapping[str, Any], totals: Any) -> list[float | None]:
    """The index of each step; categories that are not counted one by one are one together."""
    names = list(timed)
    known = np.array([*(baseline.get(name, 0) for name in names), 0])
    known[-1] = sum(baseline.values()) - known.sum()
    found = []
    for at in range(len(totals)):
        counts = np.array([*(timed[name][at] for name in names), 0])
        counts[-1] = totals[at] - counts.sum()
        found.append(_stability_of_step(known, counts))
    return found


def _stability(baseline: Any, counts: Any) -> float | None:
    return population_stability(baseline, counts) if baseline is not None and counts.sum() else None


def _stability_of_step(baseline: Any, counts: Any) -> float | None:
    """None of few rows: by chance alone they differ much from any baseline."""
    return _stability(baseline, counts) if counts.sum() >= LEAST_ROWS else None


def _rates(part: Any, whole: Any) -> list[float | None]:
    return [None if not total else float(one / total) for one, total in zip(part, whole, strict=True)]
