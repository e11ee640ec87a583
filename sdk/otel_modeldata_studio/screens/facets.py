"""The facets of Explore: how the values of each column are spread, beside the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ..profiles.baseline_profiles import profile
from ..profiles.exact_facet import exact_facet
from ..profiles.facet import Facet, comparable, facet_of
from ..profiles.sample import sample_of
from ..queries.filters import parse_filters
from ..queries.joined_rows import own_column
from .explored import explored

if TYPE_CHECKING:
    from ..queries.joined_rows import OwnColumn
    from ..studio import Studio
    from ..tables.deployment_rows import DeploymentRows

__all__ = ["FacetsAnswer", "facets"]

_MOST_COLUMNS: Final = 60
"""Of one answer, where none are named: a collection may have a thousand."""
_SPREAD: Final = frozenset({"number", "integer", "category", "text", "boolean", "time"})


class FacetsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Facets; `columns` is how many columns there are."""

    facets: list[Facet]
    columns: int
    pending: int = 0


def facets(  # noqa: PLR0913 (most are keywords)
    studio: Studio,
    *,
    deployment: str,
    since: str | None = None,
    until: str | None = None,
    f: str | None = None,
    baseline: str | None = None,
    columns: tuple[str, ...] = (),
) -> FacetsAnswer:
    """The facets of columns; without names those of all columns, the one that changed most first.

    Raises:
        ReaderError: a wrong argument, or the store cannot be read.
    """
    filters = parse_filters(f or "")
    found, window = explored(studio, deployment, since, until, (*columns, *(one.column for one in filters)))
    every = _every(found)
    wanted = [own_column(found, name) for name in columns] if columns else every
    wanted = wanted[:_MOST_COLUMNS]
    sample = sample_of(studio.tables.database, found, wanted, filters, window)
    profiles = profile(sample.table, [one.name for one in wanted])
    known = studio.baselines.profiles(deployment, found, baseline or studio.baseline, wanted)
    answers = [facet_of(one, profiles[one.name], known.get(one.name), sample.share) for one in wanted]
    if len(wanted) == 1 and columns and sample.share < 1.0:
        (one,) = wanted
        own, others = profiles[one.name], comparable(profiles[one.name], known.get(one.name))
        answers = [exact_facet(studio.tables.database, found, one, filters, window, answers[0], (own, others))]
    if not columns:
        answers.sort(key=lambda one: -1.0 if one.psi is None else one.psi, reverse=True)
    return FacetsAnswer(facets=answers, columns=len(every), pending=found.pending)


def _every(rows: DeploymentRows) -> list[OwnColumn]:
    return [
        own_column(rows, f"{side.role}.{name}")
        for side in rows.sides
        for name, column in side.columns.items()
        if column.kind in _SPREAD
    ]
