"""Where rows can be that a filter of another side chooses: the newest matches of that side, by their times and ids.

A page of rows with a rare output would else be found by joining everything before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.window import Window

from ..tables.deployment_rows import LABELS
from .filters import condition
from .joined_rows import OUTCOME, own_column
from .outcomes import key_of_base, outcomes
from .scans import scan
from .sql import Sql, joined, moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..tables.deployment_rows import DeploymentRows
    from .filters import Filter

__all__ = ["LARGEST", "MOST", "Matches", "matches_of"]

MOST: Final = 2_000
"""Matches that are looked at together first; then always twice as many."""
LARGEST: Final = 64_000
"""So many at most."""
_OPEN: Final = Window()


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """The matches of one side.

    Attributes:
        role: of the side.
        key: what a row has in common with a match.
        filters: those of other sides.
        rows: of the side, with `_time`, `_key` and the filtered columns.
        conditions: for these.
    """

    role: str
    key: str
    filters: tuple[Filter, ...]
    rows: Sql
    conditions: tuple[Sql, ...]

    def query(self, edge: int | None, behind: str | None, most: int, *, is_descending: bool) -> Sql:
        """The time and the key of matches in their order, which is that of both.

        Args:
            edge: only from this moment on; None is the beginning.
            behind: of this moment only the keys that follow this one; None is all.
            most: at most so many.
            is_descending: whether the latest is first.
        """
        sign, word = ("<", "DESC") if is_descending else (">", "ASC")
        parts = [*self.conditions, Sql("_key IS NOT NULL")]
        if edge is not None:
            parts.append(Sql(f"_time {sign}= {moment(edge)}"))
        if edge is not None and behind is not None:
            parts.append(Sql(f"(_time {sign} {moment(edge)} OR _key {sign} ?)", (behind,)))
        where = " WHERE " + joined(" AND ", parts)
        order = f" ORDER BY _time {word}, _key {word} LIMIT {most}"
        return "SELECT epoch_ns(_time), _key FROM (" + self.rows + ")" + where + order

    def only(self, keys: Sequence[str]) -> Sql:
        """The condition for rows that have these matches."""
        return Sql(f"{self.key} IN (SELECT unnest(?))", (list(keys),))


def matches_of(rows: DeploymentRows, filters: Sequence[Filter]) -> Matches | None:
    """The matches of the first side, other than that of the rows, for which a filter needs a value; None without one.

    Labels are none: they may come days later.

    Raises:
        ReaderError: a filter does not fit.
    """
    for role in dict.fromkeys(own_column(rows, one.column).role for one in filters):
        if role in {"", rows.base.role, LABELS}:
            continue
        own = [one for one in filters if own_column(rows, one.column).role == role]
        if any(one.op == "null" or None in one.values for one in own):
            continue
        others = tuple(one for one in filters if one not in own)
        return _of_outcomes(rows, own, others) if role == OUTCOME else _of_side(rows, role, own, others)
    return None


def _of_side(rows: DeploymentRows, role: str, own: Sequence[Filter], others: tuple[Filter, ...]) -> Matches:
    side = rows.side(role)
    assert side is not None  # noqa: S101 - it has a column
    columns = [own_column(rows, one.column) for one in own]
    aliases = {name: f"k{at}" for at, name in enumerate(dict.fromkeys(one.own for one in columns))}
    scanned = scan(side.pieces, side.columns, aliases, _OPEN)
    return Matches(
        role=role,
        key="_row_id",
        filters=others,
        rows="SELECT *, _row_id AS _key FROM (" + scanned + ")",
        conditions=tuple(condition(by, aliases[one.own], one.kind) for by, one in zip(own, columns, strict=True)),
    )


def _of_outcomes(rows: DeploymentRows, own: Sequence[Filter], others: tuple[Filter, ...]) -> Matches:
    assert rows.outcomes is not None  # noqa: S101 - it has a column
    columns = [own_column(rows, one.column) for one in own]
    return Matches(
        role=OUTCOME,
        key=key_of_base(rows.outcomes).replace("base.", ""),
        filters=others,
        rows=outcomes(rows.outcomes, None),
        conditions=tuple(condition(by, one.name, one.kind) for by, one in zip(own, columns, strict=True)),
    )
