"""One column: how its values are spread in the window and in the baseline, and over time, beside other deployments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence  # noqa: TC003 (msgspec reads the annotations)
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from otel_modeldata_reader.exceptions import ReaderError, UnknownNameError
from otel_modeldata_reader.reporting.measures.bins import bin_counts, fixed_edges
from otel_modeldata_reader.reporting.measures.distances import population_stability

from ..profiles.baseline_profiles import profile
from ..profiles.facet import Facet, bins_of, edges_for, facet_of
from ..profiles.sample import sample_of
from ..queries.filters import parse_filters
from ..queries.joined_rows import joined_rows, own_column
from ..queries.spreads import binned, categories_over_time, category_counts, number_of, quantiles
from .explored import explored
from .noted_columns import note_column
from .steps import Steps, steps_of

if TYPE_CHECKING:
    from otel_modeldata_reader.reporting.measures.bins import Floats
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile
    from otel_modeldata_reader.window import Window

    from ..queries.filters import Filter
    from ..queries.joined_rows import Chosen, OwnColumn
    from ..studio import Studio
    from ..tables.deployment_rows import DeploymentRows

__all__ = ["FeatureAnswer", "OtherDeployment", "Quantiles", "feature"]

_BUCKETS: Final = 48
_MOST_OTHERS: Final = 4
_EXACT_ROWS: Final = 2_000_000
"""Quantiles of more rows are estimated."""
_SAMPLE_ROWS: Final = 100_000
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


_NONE: Final = Quantiles()


class OtherDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """The same column of another deployment, in the same bins and steps of time; `note` says why it has no facet."""

    name: str
    facet: Facet | None
    quantiles: Quantiles = _NONE
    null_rate: Sequence[float | None] = ()
    psi: Sequence[float | None] = ()
    note: str = ""


class FeatureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The screen.

    Attributes:
        column: with its role, such as `inputs.age`.
        kind: of its values.
        facet: of all rows of the window; of a column of very many different texts, of a sample.
        times: the beginnings of steps of time, ISO 8601 in UTC.
        step_seconds: their length.
        quantiles: of numbers, and of times in seconds since the epoch, by step.
        null_rate: the share of rows without a value, by step.
        psi: population stability index against the baseline, by step; empty without a baseline.
        shares: of the most frequent categories, by step.
        deployments: others beside it.
        baseline: what the window is compared with; None without one.
        pending: bytes of lines that are not read yet: ask again in a second.
    """

    column: str
    kind: str
    facet: Facet
    times: list[str]
    step_seconds: float
    quantiles: Quantiles
    null_rate: Sequence[float | None]
    psi: Sequence[float | None]
    shares: Mapping[str, Sequence[float | None]]
    deployments: Sequence[OtherDeployment]
    baseline: str | None
    pending: int = 0


def feature(  # noqa: PLR0913 (keywords: the query of the URL)
    studio: Studio,
    *,
    deployment: str,
    column: str,
    since: str | None = None,
    until: str | None = None,
    f: str | None = None,
    baseline: str | None = None,
    others: tuple[str, ...] = (),
) -> FeatureAnswer:
    """What the screen shows.

    Args:
        studio: has the store.
        deployment: `endpoint/deployment`.
        column: with its role, such as `inputs.age`.
        since: as for `Store.read`.
        until: likewise.
        f: filters as a JSON list, which all must hold.
        baseline: a window or a file; by default that of Studio.
        others: deployments beside it.

    Raises:
        UnknownNameError: there is no such deployment or column.
        ReaderError: a wrong argument, or the store cannot be read.
    """
    if len(others) > _MOST_OTHERS:
        raise ReaderError(f"expected at most {_MOST_OTHERS} deployments beside one, got {len(others)}: choose fewer")
    filters = parse_filters(f or "")
    found, window = explored(studio, deployment, since, until, (column, *(one.column for one in filters)))
    own = own_column(found, column)
    steps = steps_of(found.base.pieces, window, _BUCKETS)
    profiles = studio.baselines.profiles(deployment, found, baseline or studio.baseline, [own])
    known = profiles.columns.get(own.name)
    sample = sample_of(studio.tables.database, found, [own], filters, window, _SAMPLE_ROWS)
    sampled = profile(sample.table, [own.name])[own.name]
    bins = _Bins.of(sampled, known)
    rows = _Rows(studio, found, own, filters, window)
    spread = _spread(rows, sampled, known, sample.share, steps, bins)
    if not filters:
        note_column(studio, deployment, window, spread.facet, known)
    return FeatureAnswer(
        column=own.name,
        kind=spread.facet.kind,
        facet=spread.facet,
        times=steps.texts,
        step_seconds=steps.seconds,
        quantiles=spread.quantiles,
        null_rate=spread.null_rate,
        psi=spread.psi,
        shares=spread.shares,
        deployments=[_other(studio, name, own, filters, (since, until), known, steps, bins) for name in others],
        baseline=(baseline or studio.baseline) if known is not None else None,
        pending=found.pending + profiles.pending,
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a column."""

    studio: Studio
    found: DeploymentRows
    own: OwnColumn
    filters: Sequence[Filter]
    window: Window

    def chosen(self) -> Chosen:
        return joined_rows(self.found, [self.own], self.filters, self.window)

    def answer(self, query: Any) -> list[tuple[Any, ...]]:
        return self.studio.tables.database.rows(query.text, query.parameters)

    @property
    def count(self) -> int:
        """About how many, before filters."""
        return sum(one.rows for one in self.found.base.pieces)


@dataclass(frozen=True, slots=True)
class _Bins:
    """Bins of numbers: those that are shown, and those of the stability index with the baseline's counts in them."""

    shown: Floats
    fixed: Floats
    baseline: Any

    @classmethod
    def of(cls, window: ColumnProfile, baseline: ColumnProfile | None) -> _Bins | None:
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
class _Spread:
    """What is known of a column."""

    facet: Facet
    quantiles: Quantiles = _NONE
    null_rate: Sequence[float | None] = ()
    psi: Sequence[float | None] = ()
    shares: Mapping[str, Sequence[float | None]] = field(default_factory=dict)


def _spread(  # noqa: PLR0913, PLR0917 (what a column is compared with)
    rows: _Rows,
    sampled: ColumnProfile,
    baseline: ColumnProfile | None,
    share: float,
    steps: Steps,
    bins: _Bins | None,
) -> _Spread:
    if bins is not None and rows.own.kind in {"number", "integer", "time"}:
        return _of_numbers(rows, sampled, baseline, steps, bins)
    if rows.own.kind in {"category", "text", "boolean"}:
        return _of_categories(rows, sampled, baseline, share, steps)
    facet = facet_of(rows.own, sampled, baseline, share)
    return _Spread(facet=facet)


def _of_numbers(
    rows: _Rows, sampled: ColumnProfile, baseline: ColumnProfile | None, steps: Steps, bins: _Bins
) -> _Spread:
    """All rows are counted; the sample says only which values there are."""
    chosen = rows.chosen()
    number = number_of(chosen.aliases[rows.own.name], rows.own.kind)
    shown = np.zeros(len(bins.shown) + 1, np.int64)
    fixed = np.zeros((steps.count, len(bins.fixed) + 1), np.int64)
    totals, nulls = np.zeros(steps.count, np.int64), np.zeros(steps.count, np.int64)
    query = binned(chosen, number, steps.first, steps.step, (bins.shown, bins.fixed))
    for at, one, other, count in rows.answer(query):
        place = min(max(int(at), 0), steps.count - 1)
        totals[place] += count
        if one is None:
            nulls[place] += count
        else:
            shown[int(one)] += count
            fixed[place, int(other)] += count
    compared = baseline if bins.baseline is not None else None
    facet = _with_counts(facet_of(rows.own, sampled, compared, 1.0), sampled, compared, bins.shown, shown)
    facet = msgspec.structs.replace(
        facet,
        rows=int(totals.sum()),
        nulls=int(nulls.sum()),
        psi=None if facet.psi is None else _stability(bins.baseline, fixed.sum(axis=0)),
    )
    found: dict[int, Sequence[float]] = {}
    for at, levels in rows.answer(
        quantiles(chosen, number, steps.first, steps.step, is_exact=rows.count <= _EXACT_ROWS)
    ):
        found[min(max(int(at), 0), steps.count - 1)] = levels
    bands = {
        level: [None if at not in found else float(found[at][place]) for at in range(steps.count)]
        for place, level in enumerate(_LEVELS)
    }
    psi = [] if facet.psi is None else [_stability(bins.baseline, one) for one in fixed]
    return _Spread(facet=facet, quantiles=Quantiles(**bands), null_rate=_rates(nulls, totals), psi=psi)


def _with_counts(
    facet: Facet, sampled: ColumnProfile, baseline: ColumnProfile | None, edges: Floats, counts: Any
) -> Facet:
    """The facet with the counts of all rows in its bins."""
    both = [one.values for one in (sampled, baseline) if one is not None and len(one.values)]
    if not both:
        return facet
    limits = (min(float(one.min()) for one in both), max(float(one.max()) for one in both))
    if sampled.summary.least is not None and sampled.summary.largest is not None:
        limits = (min(limits[0], sampled.summary.least), max(limits[1], sampled.summary.largest))
    of_baseline = None if baseline is None else bin_counts(edges, baseline.values).tolist()
    bins = bins_of(edges, counts.tolist(), of_baseline, limits, is_time=facet.kind == "time")
    return msgspec.structs.replace(facet, bins=bins, sample=1.0)


def _of_categories(
    rows: _Rows, sampled: ColumnProfile, baseline: ColumnProfile | None, share: float, steps: Steps
) -> _Spread:
    chosen = rows.chosen()
    alias = chosen.aliases[rows.own.name]
    counted = rows.answer(category_counts(chosen, alias, _MOST_CATEGORIES + 2))
    counts = {text: int(count) for text, count in counted if text is not None}
    compared = baseline if baseline is not None and baseline.categories else None
    if len(counts) > _MOST_CATEGORIES or (sampled.kind == "text" and compared is None):
        facet = facet_of(rows.own, sampled, baseline, share)  # too many different texts to compare
        names: list[str] = []
    else:
        nulls = sum(int(count) for text, count in counted if text is None)
        summary = msgspec.structs.replace(
            sampled.summary, rows=sum(counts.values()) + nulls, nulls=nulls, distinct=len(counts)
        )
        exact = replace(sampled, kind="category", is_empty=not counts, categories=counts, summary=summary)
        facet = facet_of(rows.own, exact, compared, 1.0)
        names = list(counts)[:_TIMED_CATEGORIES]
    totals, nulls_at = np.zeros(steps.count, np.int64), np.zeros(steps.count, np.int64)
    timed = {name: np.zeros(steps.count, np.int64) for name in names}
    for at, is_null, text, count in rows.answer(categories_over_time(chosen, alias, steps.first, steps.step, names)):
        place = min(max(int(at), 0), steps.count - 1)
        totals[place] += count
        if is_null:
            nulls_at[place] += count
        elif text is not None:
            timed[text][place] += count
    psi = [] if facet.psi is None or compared is None else _category_psi(compared.categories, timed, totals - nulls_at)
    shares = {name: _rates(timed[name], totals) for name in names[:_SHOWN_SHARES]}
    return _Spread(facet=facet, null_rate=_rates(nulls_at, totals), psi=psi, shares=shares)


def _category_psi(baseline: Mapping[str, int], timed: Mapping[str, Any], totals: Any) -> list[float | None]:
    """The index of each step; categories that are not counted one by one are one together."""
    names = list(timed)
    known = np.array([*(baseline.get(name, 0) for name in names), 0])
    known[-1] = sum(baseline.values()) - known.sum()
    found = []
    for at in range(len(totals)):
        counts = np.array([*(timed[name][at] for name in names), 0])
        counts[-1] = totals[at] - counts.sum()
        found.append(_stability(known, counts))
    return found


def _stability(baseline: Any, counts: Any) -> float | None:
    return population_stability(baseline, counts) if baseline is not None and counts.sum() else None


def _rates(part: Any, whole: Any) -> list[float | None]:
    return [None if not total else float(one / total) for one, total in zip(part, whole, strict=True)]


def _other(  # noqa: PLR0913, PLR0917 (what the first deployment is compared with)
    studio: Studio,
    name: str,
    own: OwnColumn,
    filters: Sequence[Filter],
    window: tuple[str | None, str | None],
    baseline: ColumnProfile | None,
    steps: Steps,
    bins: _Bins | None,
) -> OtherDeployment:
    names = (own.name, *(one.column for one in filters))
    found, bounds = explored(studio, name, *window, names)
    try:
        of_other = own_column(found, own.name)
        sample = sample_of(studio.tables.database, found, [of_other], filters, bounds, _SAMPLE_ROWS)
    except UnknownNameError as error:
        return OtherDeployment(name=name, facet=None, note=str(error))
    sampled = profile(sample.table, [own.name])[own.name]
    spread = _spread(_Rows(studio, found, of_other, filters, bounds), sampled, baseline, sample.share, steps, bins)
    return OtherDeployment(
        name=name, facet=spread.facet, quantiles=spread.quantiles, null_rate=spread.null_rate, psi=spread.psi
    )
