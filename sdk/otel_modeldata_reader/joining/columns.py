"""The columns of a joined table: the envelope once, then the columns of inputs, outputs and labels, each name once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..exceptions import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa

ROW_ID: Final = "row_id"
CORRELATION_ID: Final = "correlationid"
TIME: Final = "time"
ENDPOINT: Final = "endpoint"
DEPLOYMENT: Final = "deployment"
COLLECTION: Final = "collection"
TRACEPARENT: Final = "traceparent"

ENVELOPE: Final = (
    *(ROW_ID, CORRELATION_ID, TIME, ENDPOINT, DEPLOYMENT, COLLECTION, TRACEPARENT),
    *("modelversion", "event_id"),
)
"""Columns that describe the event of a row; every other column is one that was collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """A column that has another name in the joined table, because two tables have it.

    Attributes:
        side: `inputs`, `outputs` or `labels`.
        column: its name there.
        name: its name in the joined table.
    """

    side: str
    column: str
    name: str


def own_columns(table: pa.Table, envelope: Collection[str]) -> list[str]:
    """The columns that were collected."""
    return [name for name in table.column_names if name not in envelope]


def names_of(
    sides: Sequence[tuple[str, Sequence[str]]], taken: Collection[str]
) -> tuple[list[list[str]], list[Renamed]]:
    """Names for the columns of several tables side by side, none of them twice.

    A name that two tables have is prefixed in each of them. Names that are equal up to case count as the same name,
    because SQL engines ignore case.

    Args:
        sides: each table's name, which is the prefix, and its columns.
        taken: names that no column may get.

    Returns:
        The names of each table's columns, and those that are not the column's own.
    """
    owners = Counter(name.casefold() for _, columns in sides for name in {one.casefold() for one in columns})
    used = {name.casefold() for name in taken}
    unique = {name for name, count in owners.items() if count == 1} - used
    used |= unique
    names, renamed = [], []
    for side, columns in sides:
        of_side = []
        for column in columns:
            name = column
            if column.casefold() not in unique:
                name = f"{side}.{column}"
                while name.casefold() in used:
                    name = f"{side}.{name}"
                used.add(name.casefold())
                renamed.append(Renamed(side=side, column=column, name=name))
            of_side.append(name)
        names.append(of_side)
    return names, renamed


def check_columns(side: str, table: pa.Table) -> None:
    """Raise UnknownNameError if a column is missing that every join needs."""
    missing = [name for name in (ROW_ID, CORRELATION_ID, TIME) if name not in table.column_names]
    if missing:
        raise UnknownNameError(
            f"expected the columns {', '.join(missing)} in the {side}, got {', '.join(table.column_names) or 'none'}: "
            "read them with the envelope"
        )
