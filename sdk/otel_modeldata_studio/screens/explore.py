"""The screen Explore: columns, volume over time, facets, and pages of joined rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata_reader.window import Window

from ..profiles.volume import driven, row_counts
from ..queries.filters import parse_filters
from ..queries.moments import iso
from ..tables.deployment_rows import LABELS, deployment_rows
from .explored import explored
from .facets import FacetsAnswer, facets
from .row_pages import RowsAnswer, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..studio import Studio
    from ..tables.piece import Piece

__all__ = ["ColumnsAnswer", "FacetsAnswer", "RowsAnswer", "VolumeAnswer", "columns", "facets", "rows", "volume"]

_NANOSECONDS: Final = 1_000_000_000
_DAY_NS: Final = 86_400 * _NANOSECONDS
_MOST_BUCKETS: Final = 1_000
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)


class ColumnEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A column; `kind` is that of `tables.piece.Kind`."""

    name: str
    role: str
    kind: str
    type: str


class ColumnsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of a deployment, and the time that it has data of."""

    columns: list[ColumnEntry]
    first: str | None
    last: str | None
    has_labels: bool
    has_spans: bool
    pending: int = 0


class VolumeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Rows in steps of time.

    Attributes:
        step_seconds: the length of a step.
        starts: of the steps, ISO 8601 in UTC.
        rows: of each.
        errors: of each.
        total: rows.
        is_estimated: whether rows of another collection were counted instead of joined ones.
        note: that rows have no output because it is not known which one is theirs; empty if there are none.
        pending: bytes of lines that are not read yet.
    """

    step_seconds: float
    starts: list[str]
    rows: list[int]
    errors: list[int | None]
    total: int
    is_estimated: bool = False
    note: str = ""
    pending: int = 0


def columns(studio: Studio, *, deployment: str) -> ColumnsAnswer:
    """The columns of a deployment: of each collection those of its newest day.

    Raises:
        ReaderError: there is no such deployment, or the store cannot be read.
    """
    tables = studio.tables
    bounds = {root: one for root in tables.roots(deployment) if (one := tables.bounds(root)) is not None}
    windows = {root: Window(since=last - _DAY_NS) for root, (_, last) in bounds.items()}
    found = deployment_rows(tables, deployment, Window(), windows=windows)
    entries = [
        ColumnEntry(name=f"{side.role}.{column.name}", role=side.role, kind=column.kind, type=column.type)
        for side in found.sides
        for column in side.columns.values()
    ]
    names = {root.rpartition("/")[2] for root in tables.roots(deployment)}
    return ColumnsAnswer(
        columns=entries,
        first=iso(min(first for first, _ in bounds.values())) if bounds else None,
        last=iso(max(last for _, last in bounds.values())) if bounds else None,
        has_labels=found.side(LABELS) is not None,
        has_spans=bool(names & {"app_traces", "app_spans"}),
        pending=found.pending,
    )


def volume(  # noqa: PLR0913 (most are keywords)
    studio: Studio,
    *,
    deployment: str,
    since: str | None = None,
    until: str | None = None,
    f: str | None = None,
    buckets: int = 120,
) -> VolumeAnswer:
    """How many rows there are over time.

    Raises:
        ReaderError: a wrong argument, or the store cannot be read.
    """
    filters = parse_filters(f or "")
    found, window = explored(studio, deployment, since, until, [one.column for one in filters])
    note = studio.chosen.note(deployment, found, window)
    found, filters = studio.chosen.by(deployment, found, filters, window)
    first, last = _span(found.base.pieces, window)
    step = _step(first, last, max(1, min(buckets, _MOST_BUCKETS)))
    first = first // step * step
    starts = list(range(first, last, step))
    counts = row_counts(studio.tables.database, found, filters, window, first, step, len(starts))
    return VolumeAnswer(
        step_seconds=step / _NANOSECONDS,
        starts=[iso(one) for one in starts],
        rows=counts,
        errors=[None] * len(counts),
        total=sum(counts),
        is_estimated=bool(filters) and driven(found, filters) is not None,
        note=note,
        pending=found.pending,
    )


def _span(pieces: Sequence[Piece], window: Window) -> tuple[int, int]:
    """The window, or where it is open, the times of the rows."""
    first = min((one.first for one in pieces), default=0) if window.since is None else window.since
    last = max((one.last for one in pieces), default=first) + 1 if window.until is None else window.until
    return first, max(first + 1, last)


def _step(first: int, last: int, buckets: int) -> int:
    """A step of a usual length, so that there are at most so many."""
    seconds = (last - first) / _NANOSECONDS / buckets
    step = next((one for one in _STEPS if one >= seconds), None)
    if step is None:
        step = -(-int(seconds + 1) // 86_400) * 86_400
    return step * _NANOSECONDS
