"""The rows of a deployment in SQL: those of its first side, with the columns of the others by row id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.exceptions import UnknownNameError
from otel_modeldata_reader.nearest import nearest
from otel_modeldata_reader.window import Window

from ..tables.slices import NEAR_OUTPUTS, slices_near, spans_of
from .filters import condition
from .outcomes import LATENCY, STATUS, key_of_base, outcomes
from .scans import scan
from .sql import Sql, step_number
from .sql import joined as conjunction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..tables.deployment_rows import DeploymentRows, Side
    from ..tables.piece import Kind, Piece, Slice
    from .filters import Filter

__all__ = ["OUTCOME", "Chosen", "OwnColumn", "joined_rows", "own_column", "uncertain"]

_MARGIN: Final = NEAR_OUTPUTS
"""What is farther away than an output has no partner here."""
_OPEN: Final = Window()
_TRACE_ID: Final = "nullif(split_part(_traceparent, '-', 2), '')"
"""The second part of a traceparent (W3C Trace Context, 3.2)."""
LABELS: Final = "labels"
LABEL_ROW: Final = "data.row_id"
LABEL_TIME: Final = "label_time"
_NEVER_NULL: Final = frozenset({"between", "not_null"})
OUTCOME: Final = "outcome"
_OUTCOMES: Final[dict[str, Kind]] = {LATENCY: "number", STATUS: "integer"}
_ENVELOPE: Final[dict[str, tuple[str, Kind]]] = {"time": ("_time", "time"), "correlationid": ("_correlationid", "text")}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnColumn:
    """A column of joined rows.

    Attributes:
        name: with its role, such as `inputs.age`.
        role: of its side; empty for the columns of the envelope.
        own: its name in the side.
        kind: what can be done with it.
        type: as text.
    """

    name: str
    role: str
    own: str
    kind: Kind
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Joined rows that are chosen, as a query.

    Attributes:
        sql: a SELECT with `_row_id`, `_time`, other columns of the envelope, and the wanted columns by their aliases.
        aliases: of the wanted columns.
    """

    sql: Sql
    aliases: Mapping[str, str]

    def of_columns(self, names: Sequence[str]) -> Sql:
        """Only some columns, in this order; the time if there are none."""
        return f"SELECT {', '.join(self.aliases[name] for name in names) or '_time'} FROM (" + self.sql + ")"

    def counts(self, start: int, step: int) -> Sql:
        """How many rows each step of time has: its number, and the rows.

        Args:
            start: of the first step, in nanoseconds since the epoch.
            step: how long it is.
        """
        return f"SELECT {step_number(start, step)}, count(*) FROM (" + self.sql + ") GROUP BY 1"


def own_column(rows: DeploymentRows, name: str) -> OwnColumn:
    """A column by its name.

    Raises:
        UnknownNameError: no side has it.
    """
    if name in _ENVELOPE:
        return OwnColumn(name=name, role="", own=name, kind=_ENVELOPE[name][1], type="")
    if name in _OUTCOMES and rows.outcomes is not None:
        return OwnColumn(name=name, role=OUTCOME, own=name, kind=_OUTCOMES[name], type="")
    role, _, own = name.partition(".")
    side = rows.side(role)
    if side is None or own not in side.columns:
        known = [f"{one.role}.{column}" for one in rows.sides for column in one.columns]
        raise UnknownNameError(
            f"expected a column of the rows, got {name!r:.200}: {nearest(name, [*_ENVELOPE, *known])}"
        )
    column = side.columns[own]
    return OwnColumn(name=name, role=role, own=own, kind=column.kind, type=column.type)


def joined_rows(  # noqa: PLR0913 (most are keywords)
    rows: DeploymentRows,
    wanted: Sequence[OwnColumn],
    filters: Sequence[Filter],
    window: Window,
    *,
    base: Sequence[Piece | Slice] | None = None,
    envelope: Sequence[str] = ("row_id", "time"),
    only: Sql | None = None,
    starts: Mapping[str, int] | None = None,
) -> Chosen:
    """The rows that all filters choose.

    A side is read only if a column of it is wanted or filtered. Rows whose row id repeats are joined by their trace, if
    one row of each side has it; what is not certain then has no partner, as in a reading. (A reading also joins some of
    these rows by their order in time.)

    Args:
        rows: the sides.
        wanted: columns of the result.
        filters: all must hold.
        window: only rows of this window.
        base: only these rows of the first side; None means all of its pieces.
        envelope: the columns of the envelope that the result has; `row_id` and `time` among them.
        only: a condition for the columns of the envelope that the result has.
        starts: as for `scan`.

    Raises:
        ReaderError: a filter does not fit.
    """
    filtered = [own_column(rows, one.column) for one in filters]
    every = list({one.name: one for one in (*wanted, *filtered)}.values())
    aliases = {one.name: _alias(one, at) for at, one in enumerate(every)}
    needed = {one.role for one in every if one.role} - {rows.base.role}
    outcome = rows.outcomes if OUTCOME in needed else None
    needed -= {OUTCOME}
    keys = [*(("correlationid", "traceparent") if outcome is not None else ()), *(("traceparent",) if needed else ())]
    fields = tuple(dict.fromkeys((*envelope, *keys, *(one.name for one in every if not one.role))))
    pieces = rows.base.pieces if base is None else base
    own = {one.own: aliases[one.name] for one in every if one.role == rows.base.role}
    conditions = [
        (one.role, condition(by, aliases[one.name], one.kind)) for by, one in zip(filters, filtered, strict=True)
    ]
    first = scan(pieces, rows.base.columns, own, window, envelope=fields, bits=rows.bits, starts=starts)
    on_base = [part for role, part in conditions if role in {"", rows.base.role}]
    on_base += [] if only is None else [only]
    if not needed and outcome is None:  # DuckDB would make a table of all columns of `base`
        return Chosen(sql="SELECT * FROM (" + first + ")" + _where(on_base), aliases=aliases)
    if only is None:  # a row without a row of another side that its filters choose need not be joined
        on_base += [_in_candidates(rows, role, filters, filtered) for role in sorted(needed) if role != LABELS]
    chosen = "SELECT * FROM (" + first + ")" + _where([one for one in on_base if one.text])
    text = "WITH base AS (" + (_with_repeats(chosen) if needed else chosen) + ")"
    items, joins = ["base.* EXCLUDE (_trace, _repeats)" if needed else "base.*"], ""
    for number, role in enumerate(sorted(needed)):
        side = rows.side(role)
        assert side is not None  # noqa: S101 - it has a column
        of_side = {one.own: aliases[one.name] for one in every if one.role == role}
        must = [part for by, (of, part) in zip(filters, conditions, strict=True) if of == role and by.op in _NEVER_NULL]
        text = text + f", side{number} AS (" + _side(side, of_side, pieces, must) + ")"
        items += [f"side{number}.{alias}" for alias in of_side.values()]
        joins += f" LEFT JOIN side{number} ON side{number}._row_id = base._row_id AND {_is_partner(role, number)}"
    if outcome is not None:
        text = text + ", outcome AS (" + outcomes(outcome, pieces) + ")"
        items += [f"outcome.{name}" for name in _OUTCOMES]
        joins += f" LEFT JOIN outcome ON outcome._key = {key_of_base(outcome)}"
    others = [part for role, part in conditions if role in {*needed, OUTCOME}]
    return Chosen(sql=text + f" SELECT {', '.join(items)} FROM base{joins}" + _where(others), aliases=aliases)


def uncertain(rows: DeploymentRows, role: str, window: Window, base: Sequence[Piece | Slice]) -> Sql:
    """How many rows there are, and how many have rows of another side with their row id, none of which is certain.

    Args:
        rows: the sides.
        role: of the other side.
        window: only rows of this window.
        base: of these pieces.
    """
    side = rows.side(role)
    assert side is not None  # noqa: S101 - the caller looks
    first = scan(base, rows.base.columns, {}, window, envelope=("row_id", "time", "traceparent"))
    near = scan(slices_near(side.pieces, spans_of(base), _MARGIN), side.columns, {}, _OPEN, envelope=("row_id",))
    return (
        "WITH base AS ("
        + _with_repeats("SELECT * FROM (" + first + ")")
        + "), side0 AS ("
        + _side(side, {}, base, ())
        + "), known AS (SELECT DISTINCT _row_id FROM ("
        + near
        + ") WHERE _row_id IN (SELECT _row_id FROM base)) "
        "SELECT count(*), "
        "count(*) FILTER (WHERE side0._row_id IS NULL AND base._row_id IN (SELECT _row_id FROM known)) "
        f"FROM base LEFT JOIN side0 ON side0._row_id = base._row_id AND {_is_partner(role, 0)}"
    )


def _alias(column: OwnColumn, number: int) -> str:
    if not column.role:
        return _ENVELOPE[column.name][0]
    return column.name if column.role == OUTCOME else f"k{number}"


def _where(parts: Sequence[Sql]) -> Sql:
    return " WHERE " + conjunction(" AND ", parts) if parts else Sql("")


def _in_candidates(rows: DeploymentRows, role: str, filters: Sequence[Filter], columns: Sequence[OwnColumn]) -> Sql:
    """The condition that another side has a row with this row id which its filters choose; empty without such filters.

    Args:
        rows: the sides.
        role: of the other side.
        filters: all of them.
        columns: of these filters.
    """
    side = rows.side(role)
    own = [(by, one) for by, one in zip(filters, columns, strict=True) if one.role == role and by.op in _NEVER_NULL]
    if side is None or not own:
        return Sql("")
    aliases = {name: f"c{at}" for at, name in enumerate(dict.fromkeys(one.own for _, one in own))}
    must = [condition(by, aliases[one.own], one.kind) for by, one in own]
    return (
        "_row_id IN (SELECT _row_id FROM ("
        + scan(side.pieces, side.columns, aliases, _OPEN, envelope=("row_id",))
        + ")"
        + _where(must)
        + ")"
    )


def _with_repeats(rows: Sql) -> Sql:
    """Rows with their trace ids, and whether their row ids repeat among them."""
    return (
        "WITH found AS (" + rows + f") SELECT *, {_TRACE_ID} AS _trace, "
        "_row_id IN (SELECT _row_id FROM found GROUP BY _row_id HAVING count(*) > 1) AS _repeats FROM found"
    )


def _is_partner(role: str, number: int) -> str:
    """Whether a row of another side with the same row id is certainly of the same request."""
    if role == LABELS:  # a label of a row id that repeats may be that of any of its rows
        return "NOT base._repeats"
    side = f"side{number}"
    return f"(({side}._of_id = 1 AND NOT base._repeats) OR {side}._trace = base._trace)"


def _side(side: Side, aliases: Mapping[str, str], base: Sequence[Piece | Slice], must: Sequence[Sql]) -> Sql:
    """One row for each row id, or each trace of one, that one row of a side has; of labels the last one of each row.

    Args:
        side: which one.
        aliases: of the wanted columns.
        base: the rows that are joined.
        must: conditions that no row without a partner fulfills, so that others need not be joined.
    """
    if side.role == LABELS:
        return _labels(side, aliases)
    near = slices_near(side.pieces, spans_of(base), _MARGIN) if side.slices is None else side.slices
    values = "".join(f", any_value({alias}) AS {alias}" for alias in aliases.values())
    rows = scan(near, side.columns, aliases, _OPEN, envelope=("row_id", "traceparent"))
    grouped = (
        f"SELECT _row_id, {_TRACE_ID} AS _trace{values}, count(*) AS _rows, "
        "sum(count(*)) OVER (PARTITION BY _row_id) AS _of_id FROM ("
        + rows
        + ") WHERE _row_id IN (SELECT _row_id FROM base) GROUP BY _row_id, _trace"
    )
    return "SELECT * FROM (" + grouped + ") WHERE " + conjunction(" AND ", [Sql("_rows = 1"), *must])


def _labels(side: Side, aliases: Mapping[str, str]) -> Sql:
    """The last label of each row, in each column the last one that is not null.

    A label may be older than its row: of one that is scored again, for example.
    """
    extra = {name: f"l{at}" for at, name in enumerate((LABEL_ROW, LABEL_TIME)) if name in side.columns}
    own = {**aliases, **{name: alias for name, alias in extra.items() if name not in aliases}}
    rows = scan(side.pieces, side.columns, own, Window(since=side.since))
    extra = {name: aliases.get(name, alias) for name, alias in extra.items()}
    key = f"coalesce(CAST({extra[LABEL_ROW]} AS VARCHAR), _row_id)" if LABEL_ROW in extra else "_row_id"
    time = f"coalesce(TRY_CAST({extra[LABEL_TIME]} AS TIMESTAMPTZ_NS), _time)" if LABEL_TIME in extra else "_time"
    values = "".join(
        f", arg_max({alias}, (_at, _time)) FILTER (WHERE {alias} IS NOT NULL) AS {alias}" for alias in aliases.values()
    )
    return (
        f"SELECT _label AS _row_id{values} FROM (SELECT *, {key} AS _label, {time} AS _at FROM ("
        + rows
        + ")) WHERE _label IN (SELECT _row_id FROM base) GROUP BY _label"
    )
