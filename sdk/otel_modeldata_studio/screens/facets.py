"""The facets of Explore: how the values of each column are spread, beside the baseline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata_reader.window import Window

from ..profiles.baseline_profiles import profile
from ..profiles.exact_facet import exact_facet
from ..profiles.facet import Facet, comparable, facet_of
from ..profiles.sample import SAMPLE_ROWS, sample_of
from ..queries.filters import parse_filters
from ..queries.joined_rows import own_column
from ..tables.deployment_rows import LABELS
from .explored import explored

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..queries.filters import Filter
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
    """The facets of columns; without names those of all columns, the one that changed most first, times at the end.

    Raises:
        ReaderError: a wrong argument, or the store cannot be read.
    """
    filters = parse_filters(f or "")
    found, window = explored(studio, deployment, since, until, (*columns, *(one.column for one in filters)))
    every = _every(found)
    wanted = [own_column(found, name) for name in columns] if columns else every
    wanted = wanted[:_MOST_COLUMNS]
    answers = []
    known = studio.baselines.profiles(deployment, found, baseline or studio.baseline, wanted)
    pending = found.pending
    for rows, own, left, of_rows in _by_side(studio, deployment, found, wanted, filters, window):
        pending = max(pending, rows.pending)
        sample = sample_of(studio.tables.database, rows, own, left, of_rows)
        profiles = profile(sample.table, [one.name for one in own])
        answers += [facet_of(one, profiles[one.name], known.columns.get(one.name), sample.share) for one in own]
        if len(wanted) == 1 and columns and sample.share < 1.0:
            (one,) = own
            both = (profiles[one.name], comparable(profiles[one.name], known.columns.get(one.name)))
            answers = [exact_facet(studio.tables.database, rows, one, left, of_rows, answers[0], both)]
    places = {one.name: at for at, one in enumerate(wanted)}
    answers.sort(key=lambda one: places[one.column])
    if not columns:
        answers.sort(key=_change, reverse=True)
    return FacetsAnswer(facets=answers, columns=len(every), pending=pending + known.pending)


def _change(facet: Facet) -> tuple[bool, bool, float]:
    """How much a column has changed; less than any other one those of times: later ones are always others."""
    return facet.psi is not None, facet.kind != "time", facet.psi or 0.0


def _every(rows: DeploymentRows) -> list[OwnColumn]:
    return [
        own_column(rows, f"{side.role}.{name}")
        for side in rows.sides
        for name, column in side.columns.items()
        if column.kind in _SPREAD
    ]


def _by_side(  # noqa: PLR0913, PLR0917 (what an answer is of)
    studio: Studio,
    deployment: str,
    rows: DeploymentRows,
    wanted: Sequence[OwnColumn],
    filters: Sequence[Filter],
    window: Window,
) -> Iterator[tuple[DeploymentRows, list[OwnColumn], Sequence[Filter], Window]]:
    """The columns of each side with the rows to look at, the filters that are left, and the window of these rows.

    They are the rows of the side alone, unless it is not known which of them filters of other sides choose.
    """
    if rows.rows <= SAMPLE_ROWS:  # so few are joined at once
        yield rows, list(wanted), filters, window
        return
    filtered = {own_column(rows, one.column).role for one in filters} - {""}
    together = []
    chosen, left = rows, tuple(filters)
    for role in dict.fromkeys(one.role for one in wanted):
        own = [one for one in wanted if one.role == role]
        side = rows.side(role)
        if side is not None and role != LABELS and filtered <= {role}:
            yield rows.of_side(side), own, filters, window
            continue
        chosen, left = studio.chosen.by(deployment, rows, filters, window)
        is_alone = {own_column(rows, one.column).role for one in left} <= {"", role}
        if side is rows.base and is_alone:
            yield chosen.of_side(chosen.base), own, left, window
        elif (alone := studio.chosen.alone(deployment, chosen, role, left, window)) is not None:
            yield alone, own, (), Window()
        else:
            together += own
    if together:
        yield chosen, together, left, window
