"""The table of Explore: pages of joined rows by keyset."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.window import Window

from ..profiles.page_cells import cells_of_page
from ..queries.filters import parse_filters
from ..queries.joined_rows import own_column
from ..queries.matches import LARGEST, MOST, matches_of
from ..queries.moments import iso
from ..queries.outcomes import LATENCY, STATUS
from ..queries.pages import RowKey, keys_of_page
from ..queries.row_numbers import times_of_rows
from ..queries.sql import Sql
from ..tables.deployment_rows import LABELS, OUTPUTS, with_outcomes_of
from ..tables.piece import Slice
from ..tables.row_cuts import cut_slices, first_rows
from ..tables.slices import CLOCK_NS, EDGE_NS, slices_near, spans_of_times
from .explored import explored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..queries.filters import Filter
    from ..queries.joined_rows import OwnColumn
    from ..queries.matches import Matches
    from ..studio import Studio
    from ..tables.database import Database
    from ..tables.deployment_rows import DeploymentRows
    from ..tables.piece import Piece

__all__ = ["RowEntry", "RowsAnswer", "rows"]

_MOST_ROWS: Final = 500
_MOST_COLUMNS: Final = 200
"""Of a page; a collection may have more."""
_FEW: Final = 2
"""So many times the rows of a page are all read; of more only the first ones, by their times."""
_FEW_OUTPUTS: Final = 4


class RowEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A row; `values` are in the order of the answer's columns."""

    id: str
    time: str
    values: list[Any]
    latency_ms: float | None = None
    status: int | None = None
    label: Any = None


class RowsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of rows, the newest first or last. `columns_total` counts those that the deployment has."""

    columns: list[str]
    rows: list[RowEntry]
    next: str | None
    previous: str | None
    columns_total: int = 0
    pending: int = 0


def rows(  # noqa: PLR0913 (most are keywords)
    studio: Studio,
    *,
    deployment: str,
    since: str | None = None,
    until: str | None = None,
    f: str | None = None,
    columns: tuple[str, ...] = (),
    after: str | None = None,
    before: str | None = None,
    limit: int = 100,
    newest: bool = True,
) -> RowsAnswer:
    """A page of joined rows. A token is the place of a row, so that new rows move no page.

    Args:
        studio: has the store.
        deployment: `endpoint/deployment`.
        since: as for `Store.read`.
        until: likewise.
        f: filters as a JSON list, which all must hold.
        columns: their names; empty for all of outputs and inputs.
        after: the rows that follow this token.
        before: the rows that precede it.
        limit: rows of a page.
        newest: whether the newest rows are first.

    Raises:
        ReaderError: a wrong argument, or the store cannot be read.
    """
    filters = parse_filters(f or "")
    found, window = explored(studio, deployment, since, until, (*columns, *(one.column for one in filters)))
    found, left = studio.chosen.by(deployment, found, filters, window)
    limit = min(limit, _MOST_ROWS)
    every = _scored_columns(found)
    wanted = ([own_column(found, name) for name in columns] if columns else every)[:_MOST_COLUMNS]
    token = before if after is None else after
    is_backward = after is None and before is not None
    page = _Page(
        found=found,
        filters=left,
        window=window,
        start=None if token is None else _decoded(token),
        count=limit + 1,
        is_descending=newest != is_backward,
    )
    keys = page.keys(studio.tables.database)
    has_more = len(keys) > limit
    keys = keys[:limit]
    if is_backward:
        keys.reverse()
    has_next = bool(keys) if is_backward else has_more
    has_previous = has_more if is_backward else after is not None
    found = _with_outcomes(studio, deployment, found, keys)
    return RowsAnswer(
        columns=[one.name for one in wanted],
        rows=_entries(studio, deployment, found, keys, wanted, window),
        next=_token(keys[-1]) if keys and has_next else None,
        previous=_token(keys[0]) if keys and has_previous else None,
        columns_total=len(every),
        pending=found.pending,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """The rows of a page: what is looked for, and in which order."""

    found: DeploymentRows
    filters: Sequence[Filter]
    window: Window
    start: RowKey | None
    count: int
    is_descending: bool

    def keys(self, database: Database) -> list[RowKey]:
        """The keys of the rows in their order.

        Raises:
            ReaderError: a filter does not fit.
        """
        matches = matches_of(self.found, self.filters)
        return self._walked(database) if matches is None else self._matched(database, matches)

    def _walked(self, database: Database) -> list[RowKey]:
        """Pieces are read until no other can have an earlier row."""
        order = sorted(
            self._places(),
            key=lambda one: one.last if self.is_descending else one.first,
            reverse=self.is_descending,
        )
        if (start := self.start) is not None:
            order = [
                one for one in order if (one.first <= start.time if self.is_descending else one.last >= start.time)
            ]
        chosen = None if self.found.bits is None else [self.found.bits.count(one) for one in order]
        keys: list[RowKey] = []
        at, many = 0, 1
        while at < len(order):
            if chosen is not None:
                many = max(many, _reaching(chosen[at:], self.count - len(keys)))
            some = order[at : at + many]
            count = None if chosen is None else sum(chosen[at : at + many])
            keys = self._with(keys, database, self._first_of(database, some, count), self.filters)
            at, many = at + many, many * 2
            if at < len(order) and self._is_whole(keys, order[at].last if self.is_descending else order[at].first):
                break
        return keys

    def _first_of(
        self, database: Database, some: Sequence[Piece | Slice], count: int | None
    ) -> Sequence[Piece | Slice]:
        """Of pieces with few chosen rows the parts that have those of the page, by their numbers or times.

        Args:
            database: has the rows.
            some: pieces.
            count: how many of their rows are chosen; None is all.
        """
        roles = {own_column(self.found, one.column).role for one in self.filters}
        if self.found.bits is None or count is None or not roles <= {"", self.found.base.role}:
            return some
        if count <= _FEW * self.count:
            return self.found.bits.exact(some)
        pieces = {one.path: one for one in (each.piece if isinstance(each, Slice) else each for each in some)}
        starts, count = {}, 0
        for piece in pieces.values():
            starts[piece.path] = count
            count += piece.rows
        text = times_of_rows(self.found, self.filters, self.window, some, starts)
        found = database.table(text.text, text.parameters)
        start = None if self.start is None else self.start.time
        numbers, times = first_rows(found, start, self.count, is_descending=self.is_descending)
        return [cut for piece in pieces.values() for cut in cut_slices(piece, numbers - starts[piece.path], times)]

    def _places(self) -> list[Piece | Slice]:
        """The pieces, as far as they have chosen rows."""
        bits = self.found.bits
        if bits is None:
            return list(self.found.base.pieces)
        found: list[Piece | Slice] = []
        for piece in self.found.base.pieces:
            groups = bits.chosen_groups(piece)
            found += [piece] if len(groups) == len(piece.groups) else groups
        return found

    def _matched(self, database: Database, matches: Matches) -> list[RowKey]:
        """Rows are read where another side has matches, until no later match can have an earlier row.

        Where matches are dense, as all outputs of a batch, which have one time, a walk through the rows finds them
        sooner.
        """
        # A match is up to an hour after its row, and hardly before it.
        first, last = (EDGE_NS, CLOCK_NS) if self.is_descending else (-CLOCK_NS, -EDGE_NS)
        edge = None if self.start is None else self.start.time + first
        behind, most = None, MOST
        keys: list[RowKey] = []
        while True:
            text = matches.query(edge, behind, most, is_descending=self.is_descending)
            found = database.rows(text.text, text.parameters)
            near = slices_near(self.found.base.pieces, spans_of_times([time for time, _ in found]), (EDGE_NS, CLOCK_NS))
            only = matches.only([key for _, key in found])
            keys = self._joined(keys, self._of_matches(database, near, matches, only)) if near else keys
            if len(found) < most or self._is_whole(keys, found[-1][0] + last):
                return keys
            if abs(found[-1][0] - found[0][0]) < EDGE_NS:
                return self._walked(database)
            (edge, behind), most = found[-1], min(2 * most, LARGEST)

    def _of_matches(
        self, database: Database, near: Sequence[Piece | Slice], matches: Matches, only: Sql
    ) -> list[RowKey]:
        """The rows of some matches: by the row ids alone, if these are certain, else joined."""
        found = self._read(database, near, matches.filters, only)
        times = spans_of_times([one.time for one in found])
        ids = Sql("coalesce(_row_id, '') IN (SELECT unnest(?))", (list({one.row_id for one in found}),))
        certain = self._read(database, slices_near(self.found.base.pieces, times, (0, 0)), self.filters, ids)
        return found if found == certain else self._read(database, near, self.filters, only)

    def _with(
        self, keys: list[RowKey], database: Database, base: Sequence[Piece | Slice], filters: Sequence[Filter]
    ) -> list[RowKey]:
        return self._joined(keys, self._read(database, base, filters))

    def _joined(self, keys: Sequence[RowKey], more: Sequence[RowKey]) -> list[RowKey]:
        return sorted({*keys, *more}, reverse=self.is_descending)[: self.count]

    def _read(
        self,
        database: Database,
        base: Sequence[Piece | Slice],
        filters: Sequence[Filter],
        only: Sql | None = None,
    ) -> list[RowKey]:
        if not base:
            return []
        text = keys_of_page(
            self.found,
            filters,
            self.window,
            base,
            start=self.start,
            count=self.count,
            is_descending=self.is_descending,
            only=only,
        )
        return [RowKey(*row) for row in database.rows(text.text, text.parameters)]

    def _is_whole(self, keys: Sequence[RowKey], edge: int) -> bool:
        """Whether no row beyond a moment can be among the keys."""
        if len(keys) < self.count:
            return False
        return keys[-1].time > edge if self.is_descending else keys[-1].time < edge


def _with_outcomes(studio: Studio, deployment: str, found: DeploymentRows, keys: Sequence[RowKey]) -> DeploymentRows:
    """The rows with the outcomes of the requests of a page, which may be pending, too."""
    if not keys:
        return found
    near = Window(since=min(key.time for key in keys), until=max(key.time for key in keys) + 1)
    return with_outcomes_of(studio.tables, deployment, found, near)


def _entries(  # noqa: PLR0913, PLR0917 (what an answer is of)
    studio: Studio,
    deployment: str,
    found: DeploymentRows,
    keys: Sequence[RowKey],
    wanted: Sequence[OwnColumn],
    window: Window,
) -> list[RowEntry]:
    """The rows of keys with their columns."""
    if not keys:
        return []
    label, outcomes = _label_column(found), [] if found.outcomes is None else [LATENCY, STATUS]
    others = [*([] if label is None else [label]), *(own_column(found, name) for name in outcomes)]
    every = list({one.name: one for one in (*wanted, *others)}.values())
    by_key = cells_of_page(studio.tables, deployment, found, keys, every, window)
    entries = []
    for key in keys:
        if key not in by_key:  # an erasure took it meanwhile
            continue
        cells = by_key[key]
        entries.append(
            RowEntry(
                id=key.row_id,
                time=iso(key.time),
                values=[cells[one.name] for one in wanted],
                latency_ms=cells[LATENCY] if outcomes else None,
                status=cells[STATUS] if outcomes else None,
                label=None if label is None else cells[label.name],
            )
        )
    return entries


def _reaching(counts: Sequence[int], rows: int) -> int:
    """How many parts of files have so many rows together, or all parts."""
    total = 0
    for at, one in enumerate(counts):
        total += one
        if total >= rows:
            return at + 1
    return len(counts)


def _label_column(found: DeploymentRows) -> OwnColumn | None:
    labels = found.side(LABELS)
    own = [] if labels is None else [name for name in labels.columns if name not in {"data.row_id", "label_time"}]
    return own_column(found, f"{LABELS}.{own[0]}") if own else None


def _scored_columns(found: DeploymentRows) -> list[OwnColumn]:
    """Those of inputs and outputs. A few outputs come first, beside the label: they are what it is compared with."""
    sides = [one for one in found.sides if one.role != LABELS]
    sides.sort(key=lambda one: one.role != OUTPUTS or len(one.columns) > _FEW_OUTPUTS)
    return [own_column(found, f"{side.role}.{name}") for side in sides for name in side.columns]


def _token(key: RowKey) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _decoded(token: str) -> RowKey:
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return RowKey(*msgspec.json.decode(content, type=tuple[int, str, str, str]))
    except (ValueError, msgspec.DecodeError):
        raise ReaderError(f"expected the token of a page, got {token!r:.80}: begin at the first page") from None
