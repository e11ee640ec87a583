"""The screen Explore: columns, volume over time, facets, and pages of joined rows."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import msgspec

from otel_modeldata_reader.exceptions import ReaderError
from otel_modeldata_reader.window import Window

from ..profiles.moments import iso
from ..queries.cells import cell_of, cell_text
from ..queries.filters import parse_filters
from ..queries.joined_rows import joined_rows, own_column
from ..tables.deployment_rows import LABELS, DeploymentRows, deployment_rows
from .explored import explored
from .facets import FacetsAnswer, facets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..queries.filters import Filter
    from ..queries.joined_rows import OwnColumn
    from ..studio import Studio
    from ..tables.piece import Piece

__all__ = ["ColumnsAnswer", "FacetsAnswer", "RowsAnswer", "VolumeAnswer", "columns", "facets", "rows", "volume"]

_NANOSECONDS: Final = 1_000_000_000
_MOST_BUCKETS: Final = 1_000
_MOST_ROWS: Final = 500
_MOST_COLUMNS: Final = 200
"""Of a page; a collection may have more."""
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
    """Rows in steps of time."""

    step_seconds: float
    starts: list[str]
    rows: list[int]
    errors: list[int | None]
    total: int
    pending: int = 0


class RowEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A row; `values` are in the order of the answer's columns."""

    id: str
    time: str
    values: list[Any]
    latency_ms: float | None = None
    status: int | None = None
    label: Any = None


class RowsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of rows, the newest first or last."""

    columns: list[str]
    rows: list[RowEntry]
    next: str | None
    previous: str | None
    pending: int = 0


def columns(studio: Studio, *, deployment: str) -> ColumnsAnswer:
    """The columns of a deployment, of its newest hours.

    Raises:
        ReaderError: there is no such deployment, or the store cannot be read.
    """
    tables = studio.tables
    bounds = [one for root in tables.roots(deployment) if (one := tables.bounds(root)) is not None]
    window = _newest(bounds)
    found = deployment_rows(tables, deployment, window)
    entries = [
        ColumnEntry(name=f"{side.role}.{column.name}", role=side.role, kind=column.kind, type=column.type)
        for side in found.sides
        for column in side.columns.values()
    ]
    names = {root.rpartition("/")[2] for root in tables.roots(deployment)}
    return ColumnsAnswer(
        columns=entries,
        first=iso(min(first for first, _ in bounds)) if bounds else None,
        last=iso(max(last for _, last in bounds)) if bounds else None,
        has_labels=found.side(LABELS) is not None,
        has_spans=bool(names & {"app_traces", "app_spans"}),
        pending=found.pending,
    )


def volume(
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
    found, window = explored(studio, deployment, since, until)
    first, last = _span(found.base.pieces, window)
    step = _step(first, last, max(1, min(buckets, _MOST_BUCKETS)))
    first = first // step * step
    starts = list(range(first, last, step))
    counts = [0] * len(starts)
    chosen = joined_rows(found, [], parse_filters(f or ""), window)
    text = f"SELECT (epoch_ns(_time) - {first}) // {step} AS bucket, count(*) FROM (" + chosen.sql + ") GROUP BY 1"
    for bucket, count in studio.tables.database.rows(text.text, text.parameters):
        if 0 <= bucket < len(counts):
            counts[bucket] += count
    return VolumeAnswer(
        step_seconds=step / _NANOSECONDS,
        starts=[iso(one) for one in starts],
        rows=counts,
        errors=[None] * len(counts),
        total=sum(counts),
        pending=found.pending,
    )


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
    """A page of joined rows, by keyset: a token is the place of a row, so that new rows move no page.

    Args:
        studio: has the store.
        deployment: `endpoint/deployment`.
        since: as for `Store.read`.
        until: likewise.
        f: filters as a JSON list, which all must hold.
        columns: their names; empty for all of inputs and outputs.
        after: the rows that follow this token.
        before: the rows that precede it.
        limit: rows of a page.
        newest: whether the newest rows are first.

    Raises:
        ReaderError: a wrong argument, or the store cannot be read.
    """
    found, window = explored(studio, deployment, since, until)
    limit = max(1, min(limit, _MOST_ROWS))
    wanted = [own_column(found, name) for name in columns] if columns else _default_columns(found)
    wanted = wanted[:_MOST_COLUMNS]
    token = after or before
    is_descending = newest if before is None else not newest
    start = None if token is None else _decoded(token)
    keys = _keys(studio, found, parse_filters(f or ""), window, start, limit + 1, is_descending=is_descending)
    has_more = len(keys) > limit
    keys = keys[:limit]
    if before is not None:
        keys.reverse()
    entries = _entries(studio, found, keys, wanted)
    follows = has_more if before is None else bool(keys)
    precedes = has_more if before is not None else after is not None
    return RowsAnswer(
        columns=[one.name for one in wanted],
        rows=entries,
        next=_token(keys[-1]) if keys and follows else None,
        previous=_token(keys[0]) if keys and precedes else None,
        pending=found.pending,
    )


def _keys(  # noqa: PLR0913 (most are keywords)
    studio: Studio,
    found: DeploymentRows,
    filters: Sequence[Filter],
    window: Window,
    start: tuple[int, str, str] | None,
    count: int,
    *,
    is_descending: bool,
) -> list[tuple[int, str, str]]:
    """The time, row id and event id of rows in their order: pieces are read until no other can have an earlier one."""
    order = sorted(found.base.pieces, key=lambda one: one.last if is_descending else one.first, reverse=is_descending)
    if start is not None:
        order = [one for one in order if (one.first <= start[0] if is_descending else one.last >= start[0])]
    keys: list[tuple[int, str, str]] = []
    at, many = 0, 1
    while at < len(order):
        some, rest = order[at : at + many], order[at + many :]
        keys += _keys_of(studio, found, filters, window, start, count, some, is_descending=is_descending)
        keys = sorted(set(keys), reverse=is_descending)[:count]
        if rest and len(keys) == count:
            edge = rest[0].last if is_descending else rest[0].first
            if keys[-1][0] > edge if is_descending else keys[-1][0] < edge:
                break
        at, many = at + many, many * 2
    return keys


def _keys_of(  # noqa: PLR0913, PLR0917 (those of `_keys`)
    studio: Studio,
    found: DeploymentRows,
    filters: Sequence[Filter],
    window: Window,
    start: tuple[int, str, str] | None,
    count: int,
    pieces: Sequence[Piece],
    *,
    is_descending: bool,
) -> list[tuple[int, str, str]]:
    chosen = joined_rows(found, [], filters, window, base=pieces, envelope=("row_id", "time", "event_id"))
    sign, word = ("<", "DESC") if is_descending else (">", "ASC")
    key = "epoch_ns(_time), coalesce(_row_id, ''), coalesce(_event_id, '')"
    text = f"SELECT {key} FROM (" + chosen.sql + ")"
    if start is not None:
        text = text + f" WHERE _time {sign}= make_timestamp_ns({start[0]})::TIMESTAMPTZ_NS AND ({key}) {sign} (?, ?, ?)"
        text = type(text)(text.text, (*text.parameters, *start))
    text = text + f" ORDER BY _time {word}, 2 {word}, 3 {word} LIMIT {count}"
    return [tuple(row) for row in studio.tables.database.rows(text.text, text.parameters)]  # type: ignore[misc]


def _entries(
    studio: Studio, found: DeploymentRows, keys: Sequence[tuple[int, str, str]], wanted: Sequence[OwnColumn]
) -> list[RowEntry]:
    """The rows of keys with their columns."""
    if not keys:
        return []
    first, last = min(key[0] for key in keys), max(key[0] for key in keys)
    labels = found.side(LABELS)
    label = None
    if labels is not None:
        own = [name for name in labels.columns if name not in {"data.row_id", "label_time"}]
        label = own_column(found, f"{LABELS}.{own[0]}") if own else None
    every = list({one.name: one for one in (*wanted, *([label] if label is not None else []))}.values())
    pieces = [one for one in found.base.pieces if one.first <= last and one.last >= first]
    ids = tuple(dict.fromkeys(key[1] for key in keys))
    chosen = joined_rows(
        found,
        every,
        [],
        Window(since=first, until=last + 1),
        base=pieces,
        envelope=("row_id", "time", "event_id"),
        ids=ids,
    )
    cells = ", ".join(cell_text(chosen.aliases[one.name], one.kind) for one in every)
    text = (
        f"SELECT epoch_ns(_time), coalesce(_row_id, ''), coalesce(_event_id, ''){', ' if cells else ''}{cells} FROM ("
        + chosen.sql
        + ")"
    )
    by_key: dict[tuple[int, str, str], list[Any]] = {}
    for time, row_id, event_id, *values in studio.tables.database.rows(text.text, text.parameters):
        pairs = zip(values[::2], values[1::2], every, strict=True)
        by_key[time, row_id, event_id] = [cell_of(value, size, one.kind) for value, size, one in pairs]
    places = {one.name: at for at, one in enumerate(every)}
    entries = []
    for key in keys:
        values = by_key.get(key)
        if values is None:  # an erasure took it meanwhile
            continue
        entries.append(
            RowEntry(
                id=key[1],
                time=iso(key[0]),
                values=[values[places[one.name]] for one in wanted],
                label=None if label is None else values[places[label.name]],
            )
        )
    return entries


def _default_columns(found: DeploymentRows) -> list[OwnColumn]:
    return [
        own_column(found, f"{side.role}.{name}") for side in found.sides if side.role != LABELS for name in side.columns
    ]


def _newest(bounds: Sequence[tuple[int, int]]) -> Window:
    """The newest day of some times."""
    last = max((end for _, end in bounds), default=0)
    return Window(since=last - 86_400 * _NANOSECONDS)


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


def _token(key: tuple[int, str, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def _decoded(token: str) -> tuple[int, str, str]:
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return msgspec.json.decode(content, type=tuple[int, str, str])
    except (ValueError, msgspec.DecodeError):
        raise ReaderError(f"expected the token of a page, got {token!r:.80}: begin at the first page") from None
