"""The facet of one column over all rows, not of a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from otel_modeldata_reader.reporting.measures.bins import bin_counts, fixed_edges
from otel_modeldata_reader.reporting.measures.distances import population_stability
from otel_modeldata_reader.reporting.profiles.table_profile import are_free_texts

from ..queries.histograms import MOST_VALUES, binned, counted
from ..queries.joined_rows import joined_rows
from .facet import bins_of, counted_facet, edges_for, text_facet

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata_reader.reporting.measures.bins import Floats
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile
    from otel_modeldata_reader.window import Window

    from ..queries.filters import Filter
    from ..queries.joined_rows import Chosen, OwnColumn
    from ..tables.database import Database
    from ..tables.deployment_rows import DeploymentRows
    from .facet import Facet

__all__ = ["exact_facet"]

_NUMBERS: Final = frozenset({"number", "integer", "time"})


def exact_facet(  # noqa: PLR0913, PLR0917 (what a query takes)
    database: Database,
    rows: DeploymentRows,
    column: OwnColumn,
    filters: Sequence[Filter],
    window: Window,
    sampled: Facet,
    profiles: tuple[ColumnProfile, ColumnProfile | None],
) -> Facet:
    """The facet of a column with the same bins as that of a sample, and the counts of all rows.

    Args:
        database: has the rows.
        rows: of the deployment.
        column: which one.
        filters: all must hold.
        window: only rows of this window.
        sampled: the facet of a sample; it is returned for a column whose values are not counted, such as texts.
        profiles: of the sample, and of the baseline.

    Raises:
        ReaderError: a filter does not fit.
    """
    chosen = joined_rows(rows, [column], filters, window)
    own, baseline = profiles
    if column.kind in _NUMBERS and sampled.bins:
        edges = edges_for(own, baseline)
        time = own.summary.type if column.kind == "time" else None
        return sampled if edges is None else _binned(database, chosen, column, sampled, edges, baseline, time)
    if sampled.values and sampled.kind in {"category", "boolean"}:
        return _counted(database, chosen, column, sampled, baseline)
    return sampled


def _binned(  # noqa: PLR0913, PLR0917 (as above)
    database: Database,
    chosen: Chosen,
    column: OwnColumn,
    sampled: Facet,
    edges: Floats,
    baseline: ColumnProfile | None,
    time: str | None,
) -> Facet:
    known = baseline.values if baseline is not None and sampled.psi is not None else None
    fixed = np.array([0.0]) if known is None else fixed_edges(known)
    text = binned(chosen, column.name, column.kind, edges, fixed)
    counts: Any = np.zeros(len(edges) + 1, dtype=np.int64)
    of_fixed: Any = np.zeros(len(fixed) + 1, dtype=np.int64)
    total = nulls = 0
    limits: list[float] = []
    for at, place, count, least, largest in database.rows(text.text, text.parameters):
        total += count
        if at is None:
            nulls += count
            continue
        counts[at] += count
        of_fixed[place] += count
        limits += [least, largest]
    if not limits:
        return msgspec.structs.replace(sampled, rows=total, nulls=nulls, bins=(), psi=None, sample=1.0)
    of_baseline = None if baseline is None or not len(baseline.values) else bin_counts(edges, baseline.values).tolist()
    if baseline is not None and len(baseline.values):
        limits += [float(baseline.values.min()), float(baseline.values.max())]
    ends = (min(limits), max(limits))
    return msgspec.structs.replace(
        sampled,
        rows=total,
        nulls=nulls,
        bins=bins_of(edges, counts.tolist(), of_baseline, ends, time=time),
        psi=None if known is None else population_stability(bin_counts(fixed, known), of_fixed),
        sample=1.0,
    )


def _counted(
    database: Database, chosen: Chosen, column: OwnColumn, sampled: Facet, baseline: ColumnProfile | None
) -> Facet:
    text = counted(chosen, column.name)
    found = database.rows(text.text, text.parameters)
    if len(found) > MOST_VALUES:
        return sampled
    nulls = sum(count for value, count in found if value is None)
    counts = {value: count for value, count in found if value is not None}
    whole = msgspec.structs.replace(
        sampled, rows=nulls + sum(counts.values()), nulls=nulls, distinct=len(counts), sample=1.0
    )
    if are_free_texts(len(counts), sum(counts.values())):
        return text_facet(msgspec.structs.replace(whole, kind="text"), counts)
    return counted_facet(whole, counts, None if baseline is None else baseline.categories)
